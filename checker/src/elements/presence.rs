//! Which elements were added to a set, and which reads have them.

use super::ledger::{Ledger, failed};
use super::values;
use crate::words;
use history::Phase;
use rustc_hash::FxHashMap;
use serde_json::Value;

/// An index in the order of events, with its time and its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) event: usize,
    pub(super) ns: u64,
    pub(super) index: usize,
}

/// What was added, or read without being added.
#[derive(Debug)]
pub(super) struct Element<'a> {
    pub(super) value: &'a Value,
    /// The first invocation of an add that did not fail.
    pub(super) exists: Option<Moment>,
    /// The first acknowledgement of an add.
    pub(super) acknowledged: Option<Moment>,
    /// An add that failed.
    pub(super) failed: Option<usize>,
    /// The reads that have it, by their indexes among the reads, ascending.
    pub(super) seen: Vec<usize>,
    /// How often it is in the read that has it most often, and which that is.
    pub(super) most: (usize, usize),
}

impl Element<'_> {
    /// Whether an operation tried to add it.
    pub(super) fn attempted(&self) -> bool {
        self.exists.is_some() || self.failed.is_some()
    }
}

/// An acknowledged read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) invoked: Moment,
    pub(super) completed: Moment,
    pub(super) is_final: bool,
    items: &'a [Value],
}

/// The elements of one set.
#[derive(Debug, Default)]
pub(super) struct Elements<'a> {
    numbers: FxHashMap<&'a Value, usize>,
    pub(super) all: Vec<Element<'a>>,
}

/// The elements that were added, and the acknowledged reads in the order of their invocations.
pub(super) fn read_set<'a>(own: &[usize], ledger: &mut Ledger<'a>) -> (Elements<'a>, Vec<Read<'a>>) {
    let operations = ledger.operations;
    let mut elements = Elements::default();
    let mut reads = Vec::new();
    for &index in own {
        let operation = operations.at(index);
        let invoked = Moment { event: operation.invoked, ns: operation.invoked_ns, index };
        let ended =
            |event| Moment { event, ns: operation.completed_ns.unwrap_or(operation.invoked_ns), index };
        match operation.f {
            "add" | "broadcast" if operation.argument.is_null() => {
                ledger.unclear(index, "an add needs an element");
            }
            "add" | "broadcast" => {
                let element = elements.number(operation.argument);
                let element = &mut elements.all[element];
                if failed(operation) {
                    element.failed = Some(index);
                    continue;
                }
                element.exists = Some(element.exists.map_or(invoked, |first| first.min(invoked)));
                if let Some((completed, _)) = ledger.acknowledged(index) {
                    let ended = ended(completed);
                    element.acknowledged = Some(element.acknowledged.map_or(ended, |first| first.min(ended)));
                }
            }
            "read" => {
                let Some((completed, value)) = ledger.acknowledged(index) else { continue };
                let Some(items) = values::list(value) else {
                    ledger.misread(index, "a set should be read as a list of elements");
                    continue;
                };
                let is_final = operation.phase == Some(Phase::Final);
                reads.push(Read { invoked, completed: ended(completed), is_final, items });
            }
            _ => ledger.stranger(index),
        }
    }
    reads.sort_by_key(|read| read.invoked);
    (elements, reads)
}

impl<'a> Elements<'a> {
    fn number(&mut self, value: &'a Value) -> usize {
        *self.numbers.entry(value).or_insert_with(|| {
            self.all.push(Element {
                value,
                exists: None,
                acknowledged: None,
                failed: None,
                seen: Vec::new(),
                most: (0, 0),
            });
            self.all.len() - 1
        })
    }

    /// Notes which of these reads have which elements. Call it once.
    pub(super) fn watch(&mut self, reads: &[Read<'a>]) {
        // How often each element is in the present read; only the last entry of `seen` says which read that is.
        let mut times: Vec<usize> = Vec::new();
        for (index, read) in reads.iter().enumerate() {
            for item in read.items {
                let number = self.number(item);
                times.resize(self.all.len(), 0);
                let element = &mut self.all[number];
                if element.seen.last() == Some(&index) {
                    times[number] += 1;
                } else {
                    times[number] = 1;
                    element.seen.push(index);
                }
                if times[number] > element.most.0 {
                    element.most = (times[number], index);
                }
            }
        }
    }
}

/// The first read that has an element before it existed, with what is wrong about that.
pub(super) fn unexpected(element: &Element<'_>, reads: &[Read<'_>]) -> Option<(Vec<usize>, String)> {
    let too_early = |read: &Read<'_>| element.exists.is_none_or(|exists| read.completed < exists);
    let read = element.seen.iter().map(|index| &reads[*index]).find(|read| too_early(read))?;
    let why = match (element.exists, element.failed) {
        (Some(_), _) => "before anybody added it",
        (None, Some(_)) => "although every add of it failed",
        (None, None) => "although no operation added it",
    };
    let add = element.exists.map(|exists| exists.index).or(element.failed);
    let index = read.completed.index;
    let text = format!("operation {index} read element {} {why}", words::shown(element.value));
    Some((add.into_iter().chain([index]).collect(), text))
}

/// The last of `candidates` that is not in `seen`; both descend, and `seen` has nothing but candidates.
pub(super) fn last_absent(
    seen: impl Iterator<Item = usize>,
    candidates: impl Iterator<Item = usize>,
) -> Option<usize> {
    let mut seen = seen.fuse();
    candidates.into_iter().find(|candidate| seen.next() != Some(*candidate))
}
