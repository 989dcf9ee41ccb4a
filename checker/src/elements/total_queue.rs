//! Whether everything that was put into a queue came out of it.

use super::ledger::Ledger;
use super::queue;
use super::queueing::{self, Element, Passage};
use super::verdict::Class;
use crate::words;

/// An element of which fewer copies came out than were acknowledged.
struct Missing<'e, 'a> {
    element: &'e Element<'a>,
    /// Copies that were not there when the queue was empty.
    gone: usize,
    /// Copies that may be in it still.
    perhaps: usize,
}

/// `once`: an element that comes out again breaks the promise.
pub(super) fn judge(own: &[usize], once: bool, ledger: &mut Ledger<'_>) {
    let passage = queueing::read_queue(own, ledger);
    for name in ["attempted", "acknowledged", "ok", "lost", "unexpected", "duplicated", "recovered"] {
        ledger.count(name, 0);
    }
    let mut proven = 0;
    for element in &passage.elements {
        let acknowledged = acknowledged(element);
        ledger.count("attempted", element.enqueues.len());
        ledger.count("acknowledged", acknowledged);
        proven += acknowledged.min(element.dequeues.len());
        unexpected(element, ledger);
        account(element, acknowledged, once, ledger);
    }
    if proven == 0 {
        ledger.doubt("nothing that was acknowledged came out of the queue");
    }
    missing(&passage, ledger);
}

fn acknowledged(element: &Element<'_>) -> usize {
    element.enqueues.iter().filter(|enqueue| enqueue.acknowledged.is_some()).count()
}

fn unexpected(element: &Element<'_>, ledger: &mut Ledger<'_>) {
    let first = element.enqueues.iter().map(|enqueue| enqueue.invoked).min();
    let before = |completed| first.is_none_or(|first| completed < first);
    let early = element.dequeues.iter().filter(|dequeue| before(dequeue.completed));
    if let Some(dequeue) = early.clone().min() {
        ledger.count("unexpected", early.count());
        let (operations, text) = queue::unexpected(element, dequeue.index);
        ledger.breaks(Class::Unexpected, element.value, operations, text);
    }
}

/// Copies that came out, against copies that were put in.
fn account(element: &Element<'_>, acknowledged: usize, once: bool, ledger: &mut Ledger<'_>) {
    let (put, taken) = (element.enqueues.len(), element.dequeues.len());
    let ok = put.min(taken);
    ledger.count("ok", ok);
    let value = words::shown(element.value);
    let indexes = || {
        let puts = element.enqueues.iter().map(|enqueue| enqueue.index);
        puts.chain(element.dequeues.iter().map(|dequeue| dequeue.index)).collect()
    };
    if put > 0 && taken > put {
        ledger.count("duplicated", taken - put);
        let times = words::counted(put as u64, "time", "times");
        let text = format!("element {value} was put in {times} and came out {taken} times");
        ledger.find(Class::Duplicated, once, element.value, indexes(), text);
    }
    if ok > acknowledged {
        ledger.count("recovered", ok - acknowledged);
        let text =
            format!("element {value} was recovered: it came out, though its enqueue was never acknowledged");
        ledger.remarks(Class::Recovered, element.value, indexes(), text);
    }
}

fn missing(passage: &Passage<'_>, ledger: &mut Ledger<'_>) {
    let empty = passage.empty.map_or(0, |(invoked, _)| invoked);
    let mut all = Vec::new();
    for element in &passage.elements {
        let came_out = element.dequeues.len();
        let before = |enqueue: &&queueing::Enqueue| enqueue.acknowledged.is_some_and(|ack| ack < empty);
        let gone = element.enqueues.iter().filter(before).count().saturating_sub(came_out);
        let perhaps = acknowledged(element).saturating_sub(came_out) - gone;
        if gone + perhaps > 0 {
            all.push(Missing { element, gone, perhaps });
        }
    }
    let gone: usize = all.iter().map(|missing| missing.gone).sum();
    let perhaps: usize = all.iter().map(|missing| missing.perhaps).sum();
    let elements =
        |count: usize| words::counted(count as u64, "acknowledged element", "acknowledged elements");
    let lost = passage.lost_drain.is_none() && gone > passage.takers;
    if lost {
        ledger.count("lost", gone);
        if passage.takers > 0 {
            let takers = words::counted(passage.takers as u64, "dequeue", "dequeues");
            ledger.note(format!(
                "{takers} of unknown outcome may have taken as many of the {gone} lost elements"
            ));
        }
    } else if gone > 0 {
        ledger.doubt(passage.lost_drain.map_or_else(
            || {
                let takers = words::counted(passage.takers as u64, "dequeue", "dequeues");
                format!(
                    "{} did not come out, but {takers} of unknown outcome may have taken them",
                    elements(gone)
                )
            },
            |drain| {
                format!(
                    "{} did not come out, but the drain of operation {drain} may have taken them",
                    elements(gone)
                )
            },
        ));
    }
    if perhaps > 0 {
        ledger.doubt(format!(
            "{} did not come out, and the queue was not seen empty after they went in: it was not drained",
            elements(perhaps)
        ));
    }
    for missing in all.iter().filter(|missing| missing.gone > 0) {
        report(missing, passage, lost, ledger);
    }
}

fn report(missing: &Missing<'_, '_>, passage: &Passage<'_>, lost: bool, ledger: &mut Ledger<'_>) {
    let element = missing.element;
    let first = element.enqueues.iter().find(|enqueue| enqueue.acknowledged.is_some());
    let (Some(first), Some((_, empty))) = (first, passage.empty) else { return };
    let word = if lost { "lost" } else { "missing" };
    let text = format!(
        "element {} is {word}: operation {} put it in, it came out {} of {} times, and operation {empty} left \
         the queue empty",
        words::shown(element.value),
        first.index,
        element.dequeues.len(),
        acknowledged(element),
    );
    ledger.find(Class::Lost, lost, element.value, vec![first.index, empty], text);
}
