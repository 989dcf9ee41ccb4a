//! The undecided commands that a replica knows, within a limit of bytes.

use super::propose::Named;
use crate::paxos::message::Command;
use crate::paxos::step::Ticket;
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Limit of undecided commands, in bytes: without decisions, clients cannot make a replica keep more.
const BYTES_MAX: usize = 64 << 20;

/// Approximate overhead of each command, in bytes: its entries in queues and tables.
const EACH: usize = 200;

/// Tickets per undecided command; empty for forwarded commands.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    waiting: FxHashMap<Named, Vec<Ticket>>,
    bytes: usize,
}

impl Undecided {
    /// Whether one more command fits, or the command is known.
    pub(super) fn has_room_for(&self, command: &Arc<Command>) -> bool {
        let bytes = self.bytes + command.size() + EACH;
        self.waiting.is_empty()
            || bytes <= BYTES_MAX
            || self.waiting.contains_key(&Named(Arc::clone(command)))
    }

    /// Adds a command and the ticket of a client that waits for it; returns whether the command is new.
    pub(super) fn add(&mut self, command: &Arc<Command>, ticket: Option<Ticket>) -> bool {
        let entry = self.waiting.entry(Named(Arc::clone(command)));
        let new = matches!(entry, Entry::Vacant(_));
        entry.or_default().extend(ticket);
        if new {
            self.bytes += command.size() + EACH;
        }
        new
    }

    /// Whether it is undecided, as far as this replica knows.
    pub(super) fn contains(&self, named: &Named) -> bool {
        self.waiting.contains_key(named)
    }

    /// Removes a decided command; returns the tickets of its clients, if it was known.
    pub(super) fn remove(&mut self, named: &Named) -> Option<Vec<Ticket>> {
        let (known, tickets) = self.waiting.remove_entry(named)?;
        self.bytes -= known.0.size() + EACH;
        Some(tickets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Operation;

    #[test]
    fn bytes_count_waiting_commands() {
        let command = |sequence, bytes| {
            let value = Arc::new("x".repeat(bytes));
            let operation = Operation::Put { key: "k".into(), value };
            Arc::new(Command { client: "c".into(), sequence, operation })
        };
        let mut undecided = Undecided::default();
        assert!(undecided.has_room_for(&command(0, BYTES_MAX + 1)), "a single command always fits");
        for sequence in 1..=63 {
            let command = command(sequence, 1 << 20);
            assert!(undecided.has_room_for(&command) && undecided.add(&command, Some(Ticket(sequence))));
        }
        assert!(!undecided.has_room_for(&command(64, 1 << 20)));
        assert!(undecided.has_room_for(&command(63, 1 << 20)), "it is known");
        assert!(!undecided.add(&command(63, 1 << 20), Some(Ticket(64))));
        assert_eq!(undecided.remove(&Named(command(63, 0))), Some(vec![Ticket(63), Ticket(64)]));
        assert!(undecided.has_room_for(&command(64, 1 << 20)));
        (1..=62).for_each(|sequence| drop(undecided.remove(&Named(command(sequence, 0)))));
        assert_eq!(undecided.bytes, 0);
    }
}
