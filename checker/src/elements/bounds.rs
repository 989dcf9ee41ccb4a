//! Whether each read of a counter lies within what the adds around it allow.

use super::counting::{Add, Read, read_counter};
use super::ledger::Ledger;
use super::verdict::Class;
use crate::words;

/// What happens at an index in the order of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Acknowledged(usize),
    Invoked(usize),
    Begins(usize),
    Ends(usize),
}

/// Sums of adds, those below zero apart from the others.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    above: i128,
    below: i128,
}

impl Sum {
    fn add(&mut self, delta: i128) {
        if delta < 0 { self.below += delta } else { self.above += delta }
    }
}

pub(super) fn judge(own: &[usize], ledger: &mut Ledger<'_>) {
    let Some((adds, reads)) = read_counter(own, ledger) else { return };
    ledger.count("out of bounds", 0);
    if reads.is_empty() {
        ledger.doubt("the counter was never read");
    }
    for (read, [low, high]) in reads.iter().zip(bounds(&adds, &reads)) {
        if (low..=high).contains(&read.value) {
            continue;
        }
        let allowed = if low == high { low.to_string() } else { format!("{low} to {high}") };
        let why = if read.value < low {
            "adds acknowledged before it make at least that much"
        } else {
            "all adds invoked before it ended make no more"
        };
        let (index, value) = (read.index, words::shown(read.shown));
        let text = format!("operation {index} read {value} where the adds allow {allowed}: {why}");
        ledger.count("out of bounds", 1);
        ledger.breaks(Class::OutOfBounds, read.shown, vec![index], text);
    }
}

/// The least and the greatest value each read may return.
fn bounds(adds: &[Add], reads: &[Read<'_>]) -> Vec<[i128; 2]> {
    let mut steps: Vec<(usize, Step)> = Vec::with_capacity(2 * (adds.len() + reads.len()));
    for (index, add) in adds.iter().enumerate() {
        steps.push((add.invoked, Step::Invoked(index)));
        steps.extend(add.acknowledged.map(|completed| (completed, Step::Acknowledged(index))));
    }
    for (index, read) in reads.iter().enumerate() {
        steps.push((read.invoked, Step::Begins(index)));
        steps.push((read.completed, Step::Ends(index)));
    }
    steps.sort_unstable();
    let (mut possible, mut certain) = (Sum::default(), Sum::default());
    let mut at_begin = vec![Sum::default(); reads.len()];
    let mut bounds = vec![[0, 0]; reads.len()];
    for (_, step) in steps {
        match step {
            Step::Invoked(add) => possible.add(adds[add].delta),
            Step::Acknowledged(add) => certain.add(adds[add].delta),
            Step::Begins(read) => at_begin[read] = certain,
            Step::Ends(read) => {
                let before = at_begin[read];
                bounds[read] = [before.above + possible.below, possible.above + before.below];
            }
        }
    }
    bounds
}
