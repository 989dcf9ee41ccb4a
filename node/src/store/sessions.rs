//! Clients' last results, so that a retry is answered and not applied: by client, and by age.

use super::Answer;
use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeSeq, SerializeTuple, Serializer};
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

/// How many clients' last results are kept. When there are more, the one whose command is the oldest is
/// forgotten, at the same command in every copy of the store.
const CLIENTS_MAX: usize = 1 << 16;

/// The number and the result of a client's last command.
#[derive(Debug, Clone)]
struct Session {
    client: Arc<str>,
    hash: u64,
    sequence: u64,
    answer: Answer,
    /// The count of remembered commands when this one was.
    age: u64,
}

/// The last result of each client that has spoken lately.
///
/// The sessions stand in a ring in the order of their ages, and a table has their places: most commands are of clients
/// that are new, and then neither the ring's middle nor any name is touched.
#[derive(Debug, Clone, Default)]
pub(super) struct Sessions {
    /// None where a client has spoken again since.
    ring: VecDeque<Option<Session>>,
    /// The place of each client's session; what stands first in the ring has the place `first`. Places wrap around.
    places: HashTable<u32>,
    first: u32,
    remembered: u64,
}

impl Sessions {
    /// The result of a command that was applied before; none if it was not.
    pub(super) fn result(&self, client: &str, sequence: u64) -> Option<Answer> {
        let is_of = |place: &u32| self.at(*place).is_some_and(|session| &*session.client == client);
        let session = self.at(*self.places.find(hash(client), is_of)?)?;
        match sequence.cmp(&session.sequence) {
            std::cmp::Ordering::Less => Some(Answer::Forgotten),
            std::cmp::Ordering::Equal => Some(session.answer.clone()),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Keeps the result of a client's command.
    pub(super) fn remember(&mut self, client: &Arc<str>, sequence: u64, answer: Answer) {
        self.remember_of(CLIENTS_MAX, client, sequence, answer);
    }

    /// Keeps the result of a client's command, and the results of so many clients at most.
    fn remember_of(&mut self, clients: usize, client: &Arc<str>, sequence: u64, answer: Answer) {
        self.remembered += 1;
        self.push(Session {
            client: Arc::clone(client),
            hash: hash(client),
            sequence,
            answer,
            age: self.remembered,
        });
        while self.places.len() > clients || matches!(self.ring.front(), Some(None)) {
            self.forget_first();
        }
        if self.ring.len() > 2 * self.places.len() + 1024 {
            let sessions = std::mem::take(&mut self.ring);
            self.places.clear();
            sessions.into_iter().flatten().for_each(|session| self.push(session));
        }
    }

    fn at(&self, place: u32) -> Option<&Session> {
        self.ring.get(place.wrapping_sub(self.first) as usize)?.as_ref()
    }

    /// Puts a session behind all others, instead of the one that its client has.
    fn push(&mut self, session: Session) {
        let length = u32::try_from(self.ring.len()).expect("the ring holds some hundred thousand at most");
        let (place, hash) = (self.first.wrapping_add(length), session.hash);
        let Self { ring, places, first, .. } = self;
        let index = |place: &u32| place.wrapping_sub(*first) as usize;
        let is_of = |place: &u32| {
            ring.get(index(place)).and_then(Option::as_ref).is_some_and(|it| it.client == session.client)
        };
        if let Some(known) = places.find_mut(hash, is_of) {
            let earlier = std::mem::replace(known, place);
            ring[index(&earlier)] = None;
        } else {
            let hash_of = |place: &u32| ring[index(place)].as_ref().map_or(0, |session| session.hash);
            places.insert_unique(hash, place, hash_of);
        }
        self.ring.push_back(Some(session));
    }

    /// Takes what stands first out of the ring, and its client's result with it.
    fn forget_first(&mut self) {
        let first = self.ring.pop_front();
        if let Some(Some(session)) = first
            && let Ok(entry) = self.places.find_entry(session.hash, |place| *place == self.first)
        {
            entry.remove();
        }
        self.first = self.first.wrapping_add(1);
    }
}

fn hash(client: &str) -> u64 {
    FxBuildHasher.hash_one(client)
}

/// In the order of their ages, so that equal sessions have equal bytes.
impl Serialize for Sessions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut both = serializer.serialize_tuple(2)?;
        both.serialize_element(&self.remembered)?;
        both.serialize_element(&ByAge(self))?;
        both.end()
    }
}

struct ByAge<'a>(&'a Sessions);

impl Serialize for ByAge<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_seq(Some(self.0.places.len()))?;
        for Session { client, sequence, answer, age, .. } in self.0.ring.iter().flatten() {
            all.serialize_element(&(client, sequence, answer, age))?;
        }
        all.end()
    }
}

impl<'de> Deserialize<'de> for Sessions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type ByAge = Vec<(Arc<str>, u64, Answer, u64)>;
        let (remembered, all) = <(u64, ByAge)>::deserialize(deserializer)?;
        let mut sessions = Self { remembered, ..Self::default() };
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

    fn remember(sessions: &mut Sessions, client: &str, sequence: u64) {
        sessions.remember(&client.into(), sequence, Answer::Done);
    }

    #[test]
    fn a_retry_gets_the_first_result_and_an_older_one_is_told_so() {
        let mut sessions = Sessions::default();
        remember(&mut sessions, "c", 2);
        assert_eq!(sessions.result("c", 2), Some(Answer::Done));
        assert_eq!(sessions.result("c", 1), Some(Answer::Forgotten));
        assert_eq!(sessions.result("c", 3), None);
        assert_eq!(sessions.result("d", 1), None);
    }

    #[test]
    fn results_of_the_longest_silent_clients_are_forgotten_and_of_no_others() {
        let mut sessions = Sessions::default();
        for sequence in 1..=3 {
            remember(&mut sessions, "busy", sequence);
            for client in 0..CLIENTS_MAX / 2 {
                remember(&mut sessions, &format!("{sequence}-{client}"), 1);
            }
        }
        assert_eq!(sessions.places.len(), CLIENTS_MAX);
        assert!(sessions.ring.len() <= 2 * CLIENTS_MAX + 1024);
        assert_eq!(sessions.result("busy", 3), Some(Answer::Done));
        assert_eq!(sessions.result("1-0", 1), None);
        assert_eq!(sessions.result("3-0", 1), Some(Answer::Done));
    }

    proptest! {
        #[test]
        fn it_is_as_if_a_list_of_last_commands_were_kept(
            commands in prop::collection::vec((0_u8..12, 1_u64..4), 0..400),
            clients in 1_usize..8,
        ) {
            let (mut sessions, mut list) = (Sessions::default(), Vec::<(String, u64)>::new());
            for (client, sequence) in commands {
                let client = client.to_string();
                sessions.remember_of(clients, &client.as_str().into(), sequence, Answer::Done);
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
                        prop_assert_eq!(sessions.result(&client, sequence), known);
                    }
                }
            }
            let bytes = postcard::to_stdvec(&sessions).unwrap();
            let again: Sessions = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(postcard::to_stdvec(&again).unwrap(), bytes);
        }

        #[test]
        fn a_busy_client_beside_silent_ones_takes_no_more_room(silent in 1_u8..5) {
            let mut sessions = Sessions::default();
            (0..silent).for_each(|client| remember(&mut sessions, &client.to_string(), 1));
            (1..4000).for_each(|sequence| remember(&mut sessions, "busy", sequence));
            prop_assert!(sessions.ring.len() <= 2 * sessions.places.len() + 1024);
            prop_assert_eq!(sessions.result("0", 1), Some(Answer::Done));
            prop_assert_eq!(sessions.result("busy", 3999), Some(Answer::Done));
        }
    }

    #[test]
    fn what_is_read_back_forgets_the_same_clients_as_what_was_written() {
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
            let known = ["0", "1", "2", "3"].map(|client| sessions.result(client, 0).is_some());
            assert_eq!(known, [true, false, false, true]);
        }
        assert_eq!(postcard::to_stdvec(&sessions).unwrap(), postcard::to_stdvec(&again).unwrap());
    }
}
