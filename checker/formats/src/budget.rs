//! Bounds the memory that a file's values may take, because a file of `{0 0}` would take a hundred times its
//! size.

use super::fault::Fault;
use history::Event;
use serde_json::Value;

/// Usual files need three to eight times their size.
const TIMES_THE_FILE: usize = 10;
/// What any file may take.
const FLOOR: usize = 64 << 20;
/// A block of the allocator, beside what it holds.
const BLOCK: usize = 16;
/// A node of a map: eleven keys and values, about half of them in use.
const MAP_NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + BLOCK;
const ENTRIES_PER_NODE: usize = 6;

/// What may still be spent, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    limit: usize,
    left: usize,
}

impl Budget {
    /// The budget for a file of this many bytes, unless the user says another.
    pub(super) fn new(length: usize, said: Option<usize>) -> Self {
        let limit = said.unwrap_or_else(|| length.saturating_mul(TIMES_THE_FILE).saturating_add(FLOOR));
        Self { limit, left: limit }
    }

    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), String> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(format!(
                "up to here the history takes more than {} MiB of memory, which is the limit; raise it with --memory",
                self.limit >> 20
            )),
        }
    }

    /// Spends what an event takes in columns, with a value that stands there as it is.
    pub(super) fn spend_row(&mut self, bytes: usize, value: Option<&Value>) -> Result<(), String> {
        self.spend(bytes + value.map_or(0, weight))
    }

    /// Spends what an event takes.
    pub(super) fn spend_event(&mut self, offset: usize, event: &Event) -> Result<(), Fault> {
        let texts = [Some(&event.f), event.key.as_ref(), event.error.as_ref(), event.node.as_ref()];
        let texts: usize = texts.into_iter().flatten().map(|text| text.len() + BLOCK).sum();
        let values = weight(&event.value) + event.actual.as_ref().map_or(0, weight);
        self.spend(size_of::<Event>() + texts + values).map_err(|message| Fault::at(offset, message))
    }
}

/// What a value takes beside its own slot.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len() + BLOCK,
        Value::Array(items) => array(items.len()) + items.iter().map(weight).sum::<usize>(),
        Value::Object(entries) => {
            let inside: usize = entries.iter().map(|(key, value)| key.len() + BLOCK + weight(value)).sum();
            map(entries.len()) + inside
        }
    }
}

/// What the slots of an array take.
pub(super) const fn array(length: usize) -> usize {
    if length == 0 { 0 } else { length * size_of::<Value>() + BLOCK }
}

/// What the nodes of a map take.
pub(super) fn map(entries: usize) -> usize {
    entries.div_ceil(ENTRIES_PER_NODE) * MAP_NODE
}
