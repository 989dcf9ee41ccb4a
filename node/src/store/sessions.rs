//! Clients' last results, so that a retry is answered and not applied: by client, and by age.

use super::Answer;
use rustc_hash::FxHashMap;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeSeq, SerializeTuple, Serializer};
use std::collections::VecDeque;
use std::sync::Arc;

/// How many clients' last results are kept. When there are more, the one whose command is the oldest is
/// forgotten, at the same command in every copy of the store.
const CLIENTS_MAX: usize = 1 << 16;

/// The number and the result of a client's last command.
#[derive(Debug, Clone)]
struct Session {
    sequence: u64,
    answer: Answer,
    /// The count of remembered commands when this one was.
    age: u64,
}

/// The last result of each client that has spoken lately.
#[derive(Debug, Clone, Default)]
pub(super) struct Sessions {
    by_client: FxHashMap<Arc<str>, Session>,
    /// Clients by the age of their commands, the oldest first; an entry whose age is not the session's is void.
    ages: VecDeque<(u64, Arc<str>)>,
    remembered: u64,
}

impl Sessions {
    /// The result of a command that was applied before; none if it was not.
    pub(super) fn result(&self, client: &str, sequence: u64) -> Option<Answer> {
        let session = self.by_client.get(client)?;
        match sequence.cmp(&session.sequence) {
            std::cmp::Ordering::Less => Some(Answer::Forgotten),
            std::cmp::Ordering::Equal => Some(session.answer.clone()),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Keeps the result of a client's command.
    pub(super) fn remember(&mut self, client: &Arc<str>, sequence: u64, answer: Answer) {
        self.remembered += 1;
        let age = self.remembered;
        self.ages.push_back((age, Arc::clone(client)));
        self.by_client.insert(Arc::clone(client), Session { sequence, answer, age });
        while self.by_client.len() > CLIENTS_MAX {
            let Some((age, client)) = self.ages.pop_front() else { break };
            if self.is_last(age, &client) {
                self.by_client.remove(&client);
            }
        }
        if self.ages.len() > 2 * self.by_client.len() + 1024 {
            let ages = std::mem::take(&mut self.ages);
            self.ages = ages.into_iter().filter(|(age, client)| self.is_last(*age, client)).collect();
        }
    }

    /// Whether the client's last command is the one of this age.
    fn is_last(&self, age: u64, client: &Arc<str>) -> bool {
        self.by_client.get(client).is_some_and(|session| session.age == age)
    }
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
        let Sessions { by_client, ages, .. } = self.0;
        let mut all = serializer.serialize_seq(Some(by_client.len()))?;
        for (age, client) in ages {
            if let Some(Session { sequence, answer, .. }) = by_client.get(client).filter(|it| it.age == *age)
            {
                all.serialize_element(&(client, sequence, answer, age))?;
            }
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
            sessions.ages.push_back((age, Arc::clone(&client)));
            sessions.by_client.insert(client, Session { sequence, answer, age });
        }
        Ok(sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(sessions.by_client.len(), CLIENTS_MAX);
        assert!(sessions.ages.len() <= 2 * CLIENTS_MAX + 1024);
        assert_eq!(sessions.result("busy", 3), Some(Answer::Done));
        assert_eq!(sessions.result("1-0", 1), None);
        assert_eq!(sessions.result("3-0", 1), Some(Answer::Done));
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
            let known = ["0", "1", "2", "3"].map(|client| sessions.by_client.contains_key(client));
            assert_eq!(known, [true, false, false, true]);
        }
        assert_eq!(postcard::to_stdvec(&sessions).unwrap(), postcard::to_stdvec(&again).unwrap());
    }
}
