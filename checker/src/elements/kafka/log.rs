//! Reads sends and polls, and puts what they say together key by key.

use super::super::ledger::{Ledger, failed};
use history::{OperationRef, Operations, OutcomeRef};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A message at an offset, as an operation says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) offset: i64,
    pub(super) value: &'a Value,
    pub(super) index: usize,
}

/// What became of a send.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sent {
    /// With its offset, where the answer says it.
    Acknowledged {
        offset: Option<i64>,
        index: usize,
    },
    Failed {
        index: usize,
    },
    Unknown,
}

/// All that is known of one key.
pub(super) struct Log<'a> {
    pub(super) key: String,
    /// By offset: the different messages that are said to be there.
    pub(super) offsets: BTreeMap<i64, Vec<Message<'a>>>,
    /// By message: the different offsets at which it is said to be, each with an operation. In order of offsets.
    pub(super) places: BTreeMap<Text<'a>, Vec<(i64, usize)>>,
    pub(super) sent: FxHashMap<&'a Value, Sent>,
    /// The first poll of each message, in the order of the operations.
    pub(super) first_polls: Vec<(&'a Value, usize)>,
    polled_values: FxHashSet<&'a Value>,
    /// Messages polled, each time they were.
    pub(super) polled: usize,
    /// The message with the largest offset that was polled.
    pub(super) last_polled: Option<Message<'a>>,
}

/// A value with an order: that of its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a>(&'a Value);

impl<'a> std::ops::Deref for Text<'a> {
    type Target = &'a Value;

    fn deref(&self) -> &&'a Value {
        &self.0
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Text<'_> {}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let numbers = self.0.as_i64().zip(other.0.as_i64());
        numbers.map_or_else(|| self.0.to_string().cmp(&other.0.to_string()), |(a, b)| a.cmp(&b))
    }
}

impl<'a> Log<'a> {
    fn new(key: String) -> Self {
        Self {
            key,
            offsets: BTreeMap::new(),
            places: BTreeMap::new(),
            sent: FxHashMap::default(),
            first_polls: Vec::new(),
            polled_values: FxHashSet::default(),
            polled: 0,
            last_polled: None,
        }
    }

    pub(super) fn was_polled(&self, value: &Value) -> bool {
        self.polled_values.contains(value)
    }

    /// Where an offset stands among those that are known, counted from 0.
    pub(super) fn ranks(&self) -> FxHashMap<i64, usize> {
        self.offsets.keys().enumerate().map(|(rank, offset)| (*offset, rank)).collect()
    }

    fn place(&mut self, message: Message<'a>) {
        let at = self.offsets.entry(message.offset).or_default();
        if !at.iter().any(|other| other.value == message.value) {
            at.push(message);
        }
        let places = self.places.entry(Text(message.value)).or_default();
        if let Err(place) = places.binary_search_by_key(&message.offset, |(offset, _)| *offset) {
            places.insert(place, (message.offset, message.index));
        }
    }

    fn poll(&mut self, message: Message<'a>) {
        self.place(message);
        self.polled += 1;
        if self.polled_values.insert(message.value) {
            self.first_polls.push((message.value, message.index));
        }
        if self.last_polled.is_none_or(|last| last.offset < message.offset) {
            self.last_polled = Some(message);
        }
    }
}

/// One part of an operation, with the text of its key.
pub(super) enum Part<'a> {
    /// A message with the offset that the answer says.
    Send(&'a Value, Option<i64>, &'a Value),
    /// The messages of one key, in the order in which they came.
    Poll(String, Vec<(i64, &'a Value)>),
}

/// A key as text, however it is written.
pub(super) fn text(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), |text| text.trim_start_matches(':').to_owned())
}

/// The parts of an operation: of its answer, or of its request if it has none. None if it is not understood.
pub(super) fn parts(operation: OperationRef<'_>) -> Option<Vec<Part<'_>>> {
    let answer = match operation.outcome {
        OutcomeRef::Ok(value) if !value.is_null() => value,
        OutcomeRef::Ok(_) | OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => operation.argument,
    };
    let mut parts = Vec::new();
    for part in answer.as_array()? {
        let part = part.as_array()?;
        match (part.first()?.as_str()?.trim_start_matches(':'), &part[1..]) {
            ("send", [key, message]) => {
                let (offset, value) = match message.as_array().map(Vec::as_slice) {
                    Some([offset, value]) => (offset.as_i64(), value),
                    Some(_) | None => (None, message),
                };
                parts.push(Part::Send(key, offset, value));
            }
            ("poll", []) => {}
            ("poll", [found]) => {
                for (key, messages) in found.as_object().into_iter().flatten() {
                    let message = |message: &'_ Value| message.get(0)?.as_i64();
                    let messages = messages.as_array()?;
                    let messages: Option<Vec<_>> =
                        messages.iter().map(|pair| Some((message(pair)?, pair.get(1)?))).collect();
                    parts.push(Part::Poll(key.trim_start_matches(':').to_owned(), messages?));
                }
            }
            _ => return None,
        }
    }
    Some(parts)
}

/// Whether an operation sends or polls.
pub(super) fn moves_messages(operation: OperationRef<'_>) -> bool {
    matches!(operation.f, "send" | "poll" | "txn")
}

/// Whether a poll says that its process reads every log from offset 0 on: `["poll", "from-beginning"]`.
pub(super) fn reads_from_beginning(operation: OperationRef<'_>) -> bool {
    operation.argument[0] == json!(["poll", "from-beginning"])
}

/// The logs of all keys, in the order in which they are named.
pub(super) fn read<'a>(own: &[usize], ledger: &mut Ledger<'a>) -> Vec<Log<'a>> {
    let operations: &'a Operations = ledger.operations;
    let mut logs: Vec<Log<'a>> = Vec::new();
    let mut numbers: FxHashMap<String, usize> = FxHashMap::default();
    let mut polls: Vec<(String, Message<'a>)> = Vec::new();
    for &index in own {
        let operation = operations.at(index);
        match operation.f {
            _ if moves_messages(operation) => {}
            "assign" | "subscribe" | "crash" | "debug-topic-partitions" => continue,
            _ => {
                ledger.stranger(index);
                continue;
            }
        }
        let Some(parts) = parts(operation) else {
            ledger.unclear(
                index,
                "it is no list of sends [\"send\",key,value] and polls [\"poll\",{key:[[offset,value]]}]",
            );
            continue;
        };
        let acknowledged = matches!(operation.outcome, OutcomeRef::Ok(_));
        for part in parts {
            match part {
                Part::Send(key, offset, value) => {
                    let number = number(text(key), &mut numbers, &mut logs);
                    let offset = offset.filter(|_| acknowledged);
                    let sent = if acknowledged {
                        Sent::Acknowledged { offset, index }
                    } else if failed(operation) {
                        Sent::Failed { index }
                    } else {
                        Sent::Unknown
                    };
                    logs[number].sent.insert(value, sent);
                    if let Some(offset) = offset {
                        logs[number].place(Message { offset, value, index });
                    }
                }
                Part::Poll(key, messages) if acknowledged => {
                    polls.extend(
                        messages
                            .into_iter()
                            .map(|(offset, value)| (key.clone(), Message { offset, value, index })),
                    );
                }
                Part::Poll(..) => {}
            }
        }
    }
    for (key, message) in polls {
        let number = number(key, &mut numbers, &mut logs);
        logs[number].poll(message);
    }
    logs
}

/// The number of a key's log, which is made where there is none.
fn number(key: String, numbers: &mut FxHashMap<String, usize>, logs: &mut Vec<Log<'_>>) -> usize {
    *numbers.entry(key).or_insert_with_key(|key| {
        logs.push(Log::new(key.clone()));
        logs.len() - 1
    })
}
