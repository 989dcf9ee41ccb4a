//! What every read says about every element of a set.

use super::ledger::Ledger;
use super::presence::{self, Element, Moment, Read};
use super::verdict::Class;
use crate::words;
use std::collections::BTreeSet;

/// What is known of one element.
struct Story {
    known: Option<Moment>,
    last_present: Option<Moment>,
    last_absent: Option<Moment>,
}

pub(super) fn judge(own: &[usize], linearizable: bool, ledger: &mut Ledger<'_>) {
    let (mut elements, reads) = presence::read_set(own, ledger);
    elements.watch(&reads);
    for name in
        ["attempted", "acknowledged", "stable", "stale", "lost", "never read", "duplicated", "unexpected"]
    {
        ledger.count(name, 0);
    }
    for element in &elements.all {
        ledger.count("attempted", usize::from(element.attempted()));
        ledger.count("acknowledged", usize::from(element.acknowledged.is_some()));
        if let Some((operations, text)) = presence::unexpected(element, &reads) {
            ledger.count("unexpected", 1);
            ledger.breaks(Class::Unexpected, element.value, operations, text);
        }
        duplicated(element, &reads, ledger);
    }
    let mut proven = 0;
    stories(&elements.all, &reads, |element, story| proven += tell(element, story, linearizable, ledger));
    if proven == 0 {
        ledger.doubt("no element stayed in the reads after it was added, so nothing is proven");
    }
}

/// Tells the story of each element that exists, in the order in which they began to.
fn stories<'e, 'a>(
    elements: &'e [Element<'a>],
    reads: &[Read<'a>],
    mut tell: impl FnMut(&'e Element<'a>, &Story),
) {
    let mut existing: Vec<(Moment, &Element<'_>)> =
        elements.iter().filter_map(|element| Some((element.exists?, element))).collect();
    existing.sort_by_key(|(exists, _)| *exists);
    let mut completions: Vec<(Moment, usize)> =
        reads.iter().enumerate().map(|(index, read)| (read.completed, index)).collect();
    completions.sort_unstable();
    let mut completions = completions.into_iter().peekable();
    // The reads that count for the present element, in the order of their invocations.
    let mut counting: BTreeSet<usize> = (0..reads.len()).collect();
    for (exists, element) in existing {
        while let Some((_, index)) = completions.next_if(|(completed, _)| *completed < exists) {
            counting.remove(&index);
        }
        let seen = || element.seen.iter().rev().copied().filter(|&index| reads[index].completed >= exists);
        let first_seen = seen().map(|index| reads[index].completed).min();
        let absent = presence::last_absent(seen(), counting.iter().rev().copied());
        let story = Story {
            known: element.acknowledged.into_iter().chain(first_seen).min(),
            last_present: seen().next().map(|index| reads[index].invoked),
            last_absent: absent.map(|index| reads[index].invoked),
        };
        tell(element, &story);
    }
}

/// Writes down one element's story; 1 if it proves that elements stay.
fn tell(element: &Element<'_>, story: &Story, linearizable: bool, ledger: &mut Ledger<'_>) -> usize {
    let stable = story.last_present.is_some() && story.last_absent < story.last_present;
    match (story.known, story.last_absent) {
        (Some(known), absent) if stable => {
            ledger.count("stable", 1);
            let missed = absent.filter(|absent| known < *absent);
            let late = missed.map_or(0, |absent| late_by(known, absent));
            ledger.took("become visible", late);
            if let Some(absent) = missed {
                stale(element, [known, absent], linearizable, ledger);
            }
            1
        }
        (Some(known), Some(absent)) if known < absent => {
            lost(element, [known, absent], story.last_present, ledger);
            0
        }
        (known, _) => {
            ledger.count("never read", 1);
            let value = words::shown(element.value);
            let text = format!("no read says anything certain about element {value}");
            let operations = known.or(element.exists).map(|moment| moment.index);
            ledger.remarks(Class::NeverRead, element.value, operations.into_iter().collect(), text);
            0
        }
    }
}

/// Nanoseconds until just after `end`.
fn late_by(start: Moment, end: Moment) -> u64 {
    end.ns.saturating_add(1).saturating_sub(start.ns)
}

fn stale(element: &Element<'_>, [known, absent]: [Moment; 2], breaks: bool, ledger: &mut Ledger<'_>) {
    ledger.count("stale", 1);
    let text = format!(
        "element {} was stale: known since operation {}, but operation {}, invoked {} later, did not read it",
        words::shown(element.value),
        known.index,
        absent.index,
        words::duration(absent.ns.saturating_sub(known.ns))
    );
    ledger.find(Class::Stale, breaks, element.value, vec![known.index, absent.index], text);
}

fn lost(
    element: &Element<'_>,
    [known, absent]: [Moment; 2],
    present: Option<Moment>,
    ledger: &mut Ledger<'_>,
) {
    ledger.count("lost", 1);
    ledger.took("be lost", present.map_or(0, |present| late_by(known, present)));
    let last = present.map_or_else(
        || "no read ever had it".to_owned(),
        |present| format!("operation {} was the last to read it", present.index),
    );
    let text = format!(
        "element {} is lost: known since operation {}, {last}, and operation {} did not read it",
        words::shown(element.value),
        known.index,
        absent.index
    );
    let mut operations = vec![known.index];
    operations.extend(present.map(|present| present.index).filter(|index| *index != known.index));
    operations.push(absent.index);
    ledger.breaks(Class::Lost, element.value, operations, text);
}

fn duplicated(element: &Element<'_>, reads: &[Read<'_>], ledger: &mut Ledger<'_>) {
    let (times @ 2.., read) = element.most else { return };
    ledger.count("duplicated", 1);
    let index = reads[read].completed.index;
    let text =
        format!("operation {index} read element {} {times} times at once", words::shown(element.value));
    ledger.breaks(Class::Duplicated, element.value, vec![index], text);
}
