//! Follows a run while it goes on: is what came in so far linearizable?
//!
//! A [`Follower`] takes the events of a history one by one, in the order in which they were recorded, and
//! keeps only what the rest of the history can still depend on. Keys whose written values differ are decided
//! at every completion, by their zones; other keys by a search, as soon as the operations invoked earlier on
//! the same key have ended. It reads no clock and starts nothing.
//!
//! ```
//! use checker::follow::{Follower, Progress};
//! use history::read_jsonl;
//! use checker::linearizability::Model;
//!
//! let file = r#"{"history":1,"spec":"doc","variant":"main","model":"register","seed":1,"started":"2026-11-23T10:00:00Z"}
//! {"time":1,"process":0,"type":"invoke","f":"write","key":"k1","value":17}
//! {"time":2,"process":0,"type":"ok","f":"write","key":"k1","value":17}
//! {"time":3,"process":1,"type":"invoke","f":"read","key":"k1"}
//! {"time":4,"process":1,"type":"ok","f":"read","key":"k1","value":null}
//! "#;
//! let mut follower = Follower::new(Model::Register);
//! for event in &read_jsonl(file.as_bytes())?.events {
//!     follower.push(event);
//! }
//! let Progress::Violation(violation) = follower.progress() else { panic!("a read after a write finds nothing") };
//! assert_eq!((violation.event, violation.invoked), (3, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod key;
mod meaning;
mod window;

use crate::linearizability::Model;
use history::{Event, Kind, Process};
use key::{KeyFollower, Trouble};
use meaning::{Begun, Ended};
use rustc_hash::FxHashMap;

/// How far a history has been followed, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// What completed before this time is linearizable.
    Valid {
        /// In nanoseconds since the run's start.
        until_ns: u64,
    },
    /// It is not: no order explains this completion. That is certain, so the run may be stopped.
    Violation(Violation),
    /// A completion for which no order was found, though not every one was tried. Most likely a violation;
    /// a [`check`](crate::linearizability::check) of the events so far decides.
    Suspicion(Violation),
    /// It cannot be followed further. What completed before is linearizable; the rest is for a check at the end.
    Lost {
        /// In nanoseconds since the run's start.
        until_ns: u64,
        /// Why.
        reason: String,
    },
}

/// The completion that no order explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The key it concerns; none where the history has no keys.
    pub key: Option<String>,
    /// The event with which the history became impossible, as an index in the order of events, from 0.
    pub event: usize,
    /// When that was, in nanoseconds since the run's start.
    pub time_ns: u64,
    /// The event that invoked the operation it completed.
    pub invoked: usize,
}

/// Follows the events of one history.
pub struct Follower {
    model: Model,
    names: FxHashMap<String, usize>,
    /// The index of the operations without a key.
    nameless: Option<usize>,
    keys: Vec<KeyFollower>,
    /// What each process has open.
    open: FxHashMap<u64, Open>,
    events: u32,
    now_ns: u64,
    found: Option<Progress>,
}

struct Open {
    key: usize,
    number: u32,
}

impl Follower {
    /// Before the first event, each key absent.
    pub fn new(model: Model) -> Self {
        Self {
            model,
            names: FxHashMap::default(),
            nameless: None,
            keys: Vec::new(),
            open: FxHashMap::default(),
            events: 0,
            now_ns: 0,
            found: None,
        }
    }

    /// Takes the next event; whether the history may still be valid. Once it says false, [`Self::progress`] says
    /// why, and events change nothing any more.
    pub fn push(&mut self, event: &Event) -> bool {
        if self.found.is_some() {
            return false;
        }
        let index = self.events;
        self.events = index.checked_add(1).expect("a history has fewer than four billion events");
        self.now_ns = event.time;
        if let Process::Client(process) = event.process
            && let Err((key, trouble)) = self.take(process, event, index)
        {
            self.found = Some(self.tell(key, trouble));
        }
        self.found.is_none()
    }

    /// How far it came.
    pub fn progress(&self) -> Progress {
        if let Some(found) = &self.found {
            return found.clone();
        }
        Progress::Valid { until_ns: self.until() }
    }

    /// Ends the history: what is open now stays of unknown outcome.
    pub fn finish(mut self) -> Progress {
        let mut open: Vec<Open> = self.open.drain().map(|(_, open)| open).collect();
        open.sort_by_key(|open| (open.key, open.number));
        for Open { key, number } in open {
            if self.found.is_some() {
                break;
            }
            if let Err(trouble) = self.keys[key].end(number, Ended::Unknown, self.events, self.now_ns) {
                self.found = Some(self.tell(key, trouble));
            }
        }
        self.progress()
    }

    fn until(&self) -> u64 {
        self.keys.iter().filter_map(KeyFollower::waits_since).min().unwrap_or(self.now_ns)
    }

    fn take(&mut self, process: u64, event: &Event, index: u32) -> Result<(), (usize, Trouble)> {
        if event.kind == Kind::Invoke {
            let key = self.key(event.key.as_ref());
            let begun = Begun::new(event, self.model).map_err(|reason| (key, Trouble::Lost(reason)))?;
            let number = self.keys[key].begin(begun, index, event.time).map_err(|trouble| (key, trouble))?;
            return match self.open.insert(process, Open { key, number }) {
                None => Ok(()),
                Some(_) => Err((key, Trouble::Lost(format!("process {process} has two operations open")))),
            };
        }
        let Some(Open { key, number }) = self.open.remove(&process) else {
            let reason = format!("process {process} completes {}, but has no operation open", event.f);
            return Err((0, Trouble::Lost(reason)));
        };
        let ended = Ended::new(event);
        self.keys[key].end(number, ended, index, event.time).map_err(|trouble| (key, trouble))
    }

    fn key(&mut self, name: Option<&String>) -> usize {
        let known = name.map_or(self.nameless, |name| self.names.get(name).copied());
        if let Some(key) = known {
            return key;
        }
        let key = self.keys.len();
        match name {
            Some(name) => {
                self.names.insert(name.clone(), key);
            }
            None => self.nameless = Some(key),
        }
        self.keys.push(KeyFollower::new());
        key
    }

    fn tell(&self, key: usize, trouble: Trouble) -> Progress {
        let violation = |blame: key::Blame| Violation {
            key: self.names.iter().find(|(_, index)| **index == key).map(|(name, _)| name.clone()),
            event: blame.completed as usize,
            time_ns: blame.time_ns,
            invoked: blame.invoked as usize,
        };
        match trouble {
            Trouble::Impossible(blame) => Progress::Violation(violation(blame)),
            Trouble::Suspicious(blame) => Progress::Suspicion(violation(blame)),
            Trouble::Lost(reason) => Progress::Lost { until_ns: self.until(), reason },
        }
    }
}
