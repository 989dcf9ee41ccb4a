//! Clients' last results, so that a retry gets the result and is not applied again.
//!
//! Their number and their bytes are bounded. Results of reads are not kept, because a read may be applied
//! again. Large answers, and the oldest ones beyond the limit of bytes, are reduced to the fact that there was
//! one.

use super::anonymous::Anonymous;
use super::{Answer, Operation};
use crate::paxos::message::Command;
use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeSeq, SerializeTuple, Serializer};
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Largest number of clients whose last results are kept.
///
/// Beyond it, every copy of the store drops the client with the oldest command, at the same command.
const CLIENTS_MAX: usize = 1 << 16;

/// Largest kept answer, and limit of all kept answers, in bytes.
const BYTES_MAX: (usize, usize) = (16 << 10, 8 << 20);

/// The number and the result of a client's last command.
#[derive(Debug, Clone)]
struct Session {
    client: Arc<str>,
    hash: u64,
    sequence: u64,
    /// None if the command only reads.
    answer: Option<Answer>,
    /// The count of stored commands when this one was stored.
    age: u64,
}

impl Session {
    fn size(&self) -> usize {
        self.answer.as_ref().map_or(0, Answer::size)
    }
}

/// The last result of each recently active client.
///
/// The sessions form a ring in the order of their ages, and a table has their indices. Most commands are of new
/// clients; they touch neither the middle of the ring nor any name.
#[derive(Debug, Clone, Default)]
pub(super) struct Sessions {
    /// None where the client has sent a later command.
    ring: VecDeque<Option<Session>>,
    /// The index of each client's session; the first entry of the ring has the index `first`.
    ///
    /// Indices wrap around.
    indices: HashTable<u32>,
    first: u32,
    remembered: u64,
    /// Total size of the kept answers, in bytes.
    bytes: usize,
    /// Entries before this index have no answer.
    stripped: u32,
    anonymous: Anonymous,
}

impl Sessions {
    /// The result of a command that was applied before; none if it was not, or if it only reads.
    pub(super) fn result(&self, command: &Command) -> Option<Answer> {
        let Command { client, sequence, operation } = command;
        if command.is_anonymous() {
            return self.anonymous.has(client, *sequence).then_some(Answer::Forgotten);
        }
        let is_of = |index: &u32| self.at(*index).is_some_and(|session| session.client == *client);
        let session = self.at(*self.indices.find(hash(client), is_of)?)?;
        match sequence.cmp(&session.sequence) {
            std::cmp::Ordering::Less => Some(Answer::Forgotten),
            std::cmp::Ordering::Equal => match &session.answer {
                Some(answer) => Some(answer.clone()),
                None if operation.only_reads() => None,
                // Its client has reused the number of a read for another command.
                None => Some(Answer::NotKept { changed: false }),
            },
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Stores the result of a client's command; for an anonymous command, only that it was applied.
    pub(super) fn remember(&mut self, command: &Command, answer: &Answer) {
        let Command { client, sequence, operation } = command;
        if !command.is_anonymous() {
            self.remember_of((CLIENTS_MAX, BYTES_MAX), (client, *sequence), operation, answer);
        } else if !operation.only_reads() {
            self.anonymous.add(client, *sequence);
        }
    }

    /// Stores the result of a client's command, within the limits of clients and bytes.
    fn remember_of(
        &mut self,
        (clients, (largest, bytes)): (usize, (usize, usize)),
        (client, sequence): (&Arc<str>, u64),
        operation: &Operation,
        answer: &Answer,
    ) {
        self.remembered += 1;
        let large = answer.size() > largest;
        let stored = if large { answer.left_out() } else { answer.clone() };
        let answer = (!operation.only_reads()).then_some(stored);
        self.push(Session {
            client: Arc::clone(client),
            hash: hash(client),
            sequence,
            answer,
            age: self.remembered,
        });
        while self.indices.len() > clients || matches!(self.ring.front(), Some(None)) {
            self.forget_first();
        }
        while self.bytes > bytes {
            self.strip_next();
        }
        if self.ring.len() > 2 * self.indices.len() + 1024 {
            let sessions = std::mem::take(&mut self.ring);
            self.indices.clear();
            (self.bytes, self.stripped) = (0, self.first);
            sessions.into_iter().flatten().for_each(|session| self.push(session));
        }
    }

    fn at(&self, index: u32) -> Option<&Session> {
        self.ring.get(index.wrapping_sub(self.first) as usize)?.as_ref()
    }

    /// Appends a session, in place of the client's earlier one.
    fn push(&mut self, session: Session) {
        let length = u32::try_from(self.ring.len()).expect("the ring holds some hundred thousand at most");
        let (index, hash) = (self.first.wrapping_add(length), session.hash);
        self.bytes += session.size();
        let Self { ring, indices, first, .. } = self;
        let offset = |index: &u32| index.wrapping_sub(*first) as usize;
        let is_of = |index: &u32| {
            ring.get(offset(index)).and_then(Option::as_ref).is_some_and(|it| it.client == session.client)
        };
        if let Some(known) = indices.find_mut(hash, is_of) {
            let earlier = std::mem::replace(known, index);
            self.bytes -= ring[offset(&earlier)].take().map_or(0, |session| session.size());
        } else {
            let hash_of = |index: &u32| ring[offset(index)].as_ref().map_or(0, |session| session.hash);
            indices.insert_unique(hash, index, hash_of);
        }
        self.ring.push_back(Some(session));
    }

    /// Removes the first entry of the ring, and with it the client's result.
    fn forget_first(&mut self) {
        let first = self.ring.pop_front();
        if let Some(Some(session)) = first {
            self.bytes -= session.size();
            if let Ok(entry) = self.indices.find_entry(session.hash, |index| *index == self.first) {
                entry.remove();
            }
        }
        if self.stripped == self.first {
            self.stripped = self.stripped.wrapping_add(1);
        }
        self.first = self.first.wrapping_add(1);
    }

    /// Drops the answer at the next index, but keeps the fact that there was one.
    fn strip_next(&mut self) {
        let index = self.stripped.wrapping_sub(self.first) as usize;
        let session = self.ring.get_mut(index).expect("bytes above zero belong to an answer");
        if let Some(session) = session
            && session.size() > 0
        {
            self.bytes -= session.size();
            session.answer = session.answer.as_ref().map(Answer::left_out);
        }
        self.stripped = self.stripped.wrapping_add(1);
    }
}

fn hash(client: &str) -> u64 {
    FxBuildHasher.hash_one(client)
}

/// In the order of ages, so that equal sessions have equal bytes.
impl Serialize for Sessions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_tuple(3)?;
        all.serialize_element(&self.remembered)?;
        all.serialize_element(&ByAge(self))?;
        all.serialize_element(&self.anonymous)?;
        all.end()
    }
}

struct ByAge<'a>(&'a Sessions);

impl Serialize for ByAge<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_seq(Some(self.0.indices.len()))?;
        for Session { client, sequence, answer, age, .. } in self.0.ring.iter().flatten() {
            all.serialize_element(&(client, sequence, answer, age))?;
        }
        all.end()
    }
}

impl<'de> Deserialize<'de> for Sessions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type ByAge = Vec<(Arc<str>, u64, Option<Answer>, u64)>;
        let (remembered, all, anonymous) = <(u64, ByAge, Anonymous)>::deserialize(deserializer)?;
        let mut sessions = Self { remembered, anonymous, ..Self::default() };
        for (client, sequence, answer, age) in all {
            sessions.push(Session { hash: hash(&client), client, sequence, answer, age });
        }
        Ok(sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put(client: &str, sequence: u64) -> Command {
        let operation = Operation::Put { key: String::new(), value: Arc::default() };
        Command { client: client.into(), sequence, operation }
    }

    fn remember(sessions: &mut Sessions, client: &str, sequence: u64) {
        sessions.remember(&put(client, sequence), &Answer::Done);
    }

    fn result(sessions: &Sessions, client: &str, sequence: u64) -> Option<Answer> {
        sessions.result(&put(client, sequence))
    }

    #[test]
    fn retry_gets_first_result_older_is_forgotten() {
        let mut sessions = Sessions::default();
        remember(&mut sessions, "c", 2);
        assert_eq!(result(&sessions, "c", 2), Some(Answer::Done));
        assert_eq!(result(&sessions, "c", 1), Some(Answer::Forgotten));
        assert_eq!(result(&sessions, "c", 3), None);
        assert_eq!(result(&sessions, "d", 1), None);
    }

    #[test]
    fn oldest_sessions_are_forgotten_first() {
        let mut sessions = Sessions::default();
        for sequence in 1..=3 {
            remember(&mut sessions, "busy", sequence);
            for client in 0..CLIENTS_MAX / 2 {
                remember(&mut sessions, &format!("{sequence}-{client}"), 1);
            }
        }
        assert_eq!(sessions.indices.len(), CLIENTS_MAX);
        assert!(sessions.ring.len() <= 2 * CLIENTS_MAX + 1024);
        assert_eq!(result(&sessions, "busy", 3), Some(Answer::Done));
        assert_eq!(result(&sessions, "1-0", 1), None);
        assert_eq!(result(&sessions, "3-0", 1), Some(Answer::Done));
    }

    proptest! {
        #[test]
        fn sessions_match_a_simple_list(
            commands in prop::collection::vec((0_u8..12, 1_u64..4), 0..400),
            clients in 1_usize..8,
        ) {
            let (mut sessions, mut list) = (Sessions::default(), Vec::<(String, u64)>::new());
            for (client, sequence) in commands {
                let client = client.to_string();
                let Command { client: name, operation, .. } = put(&client, sequence);
                let limits = (clients, BYTES_MAX);
                sessions.remember_of(limits, (&name, sequence), &operation, &Answer::Done);
                list.retain(|(known, _)| *known != client);
                list.push((client, sequence));
                list.drain(..list.len().saturating_sub(clients));
                for client in (0..12).map(|client: u8| client.to_string()) {
                    let last = list.iter().find(|(known, _)| *known == client).map(|(_, sequence)| *sequence);
                    for sequence in 1..4 {
                        let known = last.and_then(|last| match sequence.cmp(&last) {
                            std::cmp::Ordering::Less => Some(Answer::Forgotten),
                            std::cmp::Ordering::Equal => Some(Answer::Done),
                            std::cmp::Ordering::Greater => None,
                        });
                        prop_assert_eq!(result(&sessions, &client, sequence), known);
                    }
                }
            }
            let bytes = postcard::to_stdvec(&sessions).unwrap();
            let again: Sessions = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(postcard::to_stdvec(&again).unwrap(), bytes);
        }

        #[test]
        fn busy_client_takes_no_more_room(silent in 1_u8..5) {
            let mut sessions = Sessions::default();
            (0..silent).for_each(|client| remember(&mut sessions, &client.to_string(), 1));
            (1..4000).for_each(|sequence| remember(&mut sessions, "busy", sequence));
            prop_assert!(sessions.ring.len() <= 2 * sessions.indices.len() + 1024);
            prop_assert_eq!(result(&sessions, "0", 1), Some(Answer::Done));
            prop_assert_eq!(result(&sessions, "busy", 3999), Some(Answer::Done));
        }
    }

    #[test]
    fn decoded_sessions_forget_the_same_clients() {
        let mut sessions = Sessions::default();
        for client in 0..CLIENTS_MAX {
            remember(&mut sessions, &format!("{}", client % (CLIENTS_MAX - 1)), 1 + client as u64);
        }
        let bytes = postcard::to_stdvec(&sessions).unwrap();
        let mut again: Sessions = postcard::from_bytes(&bytes).unwrap();
        for sessions in [&mut sessions, &mut again] {
            for client in ["x", "y", "z"] {
                remember(sessions, client, 1);
            }
            let known = ["0", "1", "2", "3"].map(|client| result(sessions, client, 0).is_some());
            assert_eq!(known, [true, false, false, true]);
        }
        assert_eq!(postcard::to_stdvec(&sessions).unwrap(), postcard::to_stdvec(&again).unwrap());
    }

    fn refused(bytes: usize) -> Answer {
        Answer::Refused("x".repeat(bytes))
    }

    #[test]
    fn large_answers_are_remembered_without_their_bytes() {
        let mut sessions = Sessions::default();
        let many = Answer::Results(vec![Answer::Value(Some(Arc::new("x".repeat(BYTES_MAX.0))))]);
        for (client, answer) in [("a", &many), ("b", &refused(BYTES_MAX.0 + 1)), ("c", &refused(BYTES_MAX.0))]
        {
            sessions.remember(&put(client, 1), answer);
        }
        assert_eq!(result(&sessions, "a", 1), Some(Answer::NotKept { changed: true }));
        assert_eq!(result(&sessions, "b", 1), Some(Answer::NotKept { changed: false }));
        assert_eq!(result(&sessions, "c", 1), Some(refused(BYTES_MAX.0)));
        assert_eq!(sessions.bytes, BYTES_MAX.0);
    }

    #[test]
    fn reads_are_repeated_and_not_stored() {
        let mut sessions = Sessions::default();
        let get = |client: &str| Command { operation: Operation::Get { key: "k".into() }, ..put(client, 3) };
        let value = Answer::Value(Some(Arc::new("x".repeat(1000))));
        sessions.remember(&get("c"), &value);
        sessions.remember(&get("~1"), &value);
        assert_eq!((sessions.result(&get("c")), sessions.result(&get("~1"))), (None, None));
        assert_eq!(result(&sessions, "c", 2), Some(Answer::Forgotten));
        assert_eq!(
            result(&sessions, "c", 3),
            Some(Answer::NotKept { changed: false }),
            "a number used twice"
        );
        assert_eq!(sessions.bytes, 0);
    }

    #[test]
    fn commands_without_a_client_have_no_session() {
        let mut sessions = Sessions::default();
        (0..1_000).for_each(|sequence| sessions.remember(&put("~1", sequence), &refused(100)));
        assert_eq!((sessions.indices.len(), sessions.ring.len(), sessions.bytes), (0, 0, 0));
        assert_eq!(result(&sessions, "~1", 999), Some(Answer::Forgotten));
        assert_eq!(result(&sessions, "~1", 1_000), None);
        assert!(postcard::to_stdvec(&sessions).unwrap().len() < 50);
    }

    proptest! {
        #[test]
        fn answers_beyond_the_bytes_go_oldest_first(
            commands in prop::collection::vec((0_u8..12, 0_usize..40), 0..300),
            bytes in 10_usize..200,
        ) {
            let (mut sessions, mut list) = (Sessions::default(), Vec::<(String, u64, usize)>::new());
            for (sequence, (client, size)) in (1..).zip(commands) {
                let Command { client: name, operation, .. } = put(&client.to_string(), sequence);
                let limits = (8, (30, bytes));
                sessions.remember_of(limits, (&name, sequence), &operation, &refused(size));
                list.retain(|(known, ..)| **known != *name);
                list.push((name.to_string(), sequence, if size > 30 { 0 } else { size }));
                list.drain(..list.len().saturating_sub(8));
                while list.iter().map(|(.., size)| size).sum::<usize>() > bytes {
                    list.iter_mut().find(|(.., size)| *size > 0).unwrap().2 = 0;
                }
                prop_assert_eq!(sessions.bytes, list.iter().map(|(.., size)| size).sum::<usize>());
                for (client, sequence, size) in &list {
                    let Some(answer) = result(&sessions, client, *sequence) else { panic!("{client} has no session") };
                    prop_assert_eq!(answer.size(), *size);
                }
                let written = postcard::to_stdvec(&sessions).unwrap();
                sessions = if sequence % 7 == 0 { postcard::from_bytes(&written).unwrap() } else { sessions };
                prop_assert_eq!(postcard::to_stdvec(&sessions).unwrap(), written);
            }
        }
    }
}
