//! Whether nothing came out of a queue that was not in it.

use super::ledger::Ledger;
use super::queueing::{self, Element};
use super::verdict::Class;
use crate::words;

pub(super) fn judge(own: &[usize], ledger: &mut Ledger<'_>) {
    let passage = queueing::read_queue(own, ledger);
    for name in ["attempted", "dequeued", "unexpected", "duplicated"] {
        ledger.count(name, 0);
    }
    let mut dequeued = 0;
    for element in &passage.elements {
        ledger.count("attempted", element.enqueues.len());
        ledger.count("dequeued", element.dequeues.len());
        dequeued += element.dequeues.len();
        follow(element, ledger);
    }
    if dequeued == 0 {
        ledger.doubt("nothing was dequeued");
    }
}

/// Goes through the dequeues of an element in their order, with the enqueues invoked until then.
fn follow(element: &Element<'_>, ledger: &mut Ledger<'_>) {
    let mut enqueues: Vec<_> =
        element.enqueues.iter().map(|enqueue| (enqueue.invoked, enqueue.index)).collect();
    enqueues.sort_unstable();
    let mut dequeues = element.dequeues.clone();
    dequeues.sort_unstable();
    let mut taken = 0;
    for dequeue in dequeues {
        let put = enqueues.partition_point(|(invoked, _)| *invoked < dequeue.completed);
        if taken < put {
            taken += 1;
        } else if put == 0 {
            ledger.count("unexpected", 1);
            let (operations, text) = unexpected(element, dequeue.index);
            ledger.breaks(Class::Unexpected, element.value, operations, text);
        } else {
            ledger.count("duplicated", 1);
            let (index, value) = (dequeue.index, words::shown(element.value));
            let times = words::counted(put as u64, "time", "times");
            let text = format!(
                "operation {index} dequeued element {value}, which was put in {times} and taken as often"
            );
            let operations = vec![enqueues[put - 1].1, index];
            ledger.breaks(Class::Duplicated, element.value, operations, text);
        }
    }
}

/// The operations and the words for an element that was dequeued before it was enqueued.
pub(super) fn unexpected(element: &Element<'_>, index: usize) -> (Vec<usize>, String) {
    let first = element.enqueues.iter().min().map(|enqueue| enqueue.index);
    let why = match (first, element.failed) {
        (Some(_), _) => "before anybody enqueued it",
        (None, Some(_)) => "although every enqueue of it failed",
        (None, None) => "although no operation enqueued it",
    };
    let text = format!("operation {index} dequeued element {} {why}", words::shown(element.value));
    (first.or(element.failed).into_iter().chain([index]).collect(), text)
}
