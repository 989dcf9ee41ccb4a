//! Follows one key: by its zones while written values differ, by a search otherwise.

use super::{
    meaning::{Begun, Effect, Ended},
    window::Window,
};
use crate::linearizability::{Contradiction, LiveZones, Repeated, Token};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;
use std::collections::BTreeMap;

/// Operations after which a key whose values all differed is taken to go on like that. Until then they are
/// kept, so that a search can start over with them.
const OPERATIONS_KEPT: usize = 1_024;
/// What zones remember at least before they look for what can be forgotten.
const REMEMBERED: usize = 64;

/// The completion that is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blame {
    pub(super) invoked: u32,
    pub(super) completed: u32,
    pub(super) time_ns: u64,
}

/// Why a key's history does not just go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    Impossible(Blame),
    Suspicious(Blame),
    Lost(String),
}

/// An operation from its invocation on.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) begun: Begun,
    pub(super) invoked: u32,
    pub(super) invoked_ns: u64,
    pub(super) ended: Option<Ended>,
    pub(super) completed: u32,
    pub(super) completed_ns: u64,
}

pub(super) struct KeyFollower {
    method: Method,
    next: u32,
}

enum Method {
    Zones(Box<Zones>),
    Search(Box<Window>),
}

struct Zones {
    live: LiveZones<Value>,
    open: BTreeMap<u32, (Begun, u32, Option<Token>)>,
    /// Everything so far, while it is little, and the values written in it.
    start: Option<(FxHashMap<u32, Entry>, FxHashSet<Value>)>,
    /// How much is remembered when the next look for what can be forgotten is due.
    look: usize,
}

/// A key that its zones cannot follow: the search has to.
struct Unfit(&'static str);

const REPEATED: Unfit = Unfit("a value was written twice after many that differed");
const MISSED: Unfit = Unfit("a failed compare-and-set does not say what it found");

impl KeyFollower {
    pub(super) fn new() -> Self {
        let start = Some((FxHashMap::default(), FxHashSet::from_iter([Value::Null])));
        let zones =
            Zones { live: LiveZones::new(Value::Null), open: BTreeMap::new(), start, look: REMEMBERED };
        Self { method: Method::Zones(Box::new(zones)), next: 0 }
    }

    /// Since when an operation waits for its verdict, if one does.
    pub(super) fn waits_since(&self) -> Option<u64> {
        match &self.method {
            Method::Zones(_) => None,
            Method::Search(window) => window.waits_since(),
        }
    }

    /// An operation is invoked; the number that names it.
    pub(super) fn begin(&mut self, begun: Begun, invoked: u32, invoked_ns: u64) -> Result<u32, Trouble> {
        let number = self.next;
        self.next = number.checked_add(1).expect("a history has fewer than four billion operations");
        if let Method::Zones(zones) = &mut self.method {
            zones.log(number, &begun, invoked, invoked_ns);
            match zones.begin(number, &begun, invoked) {
                Ok(()) => return Ok(number),
                Err(unfit) => self.method = Method::Search(Box::new(zones.window(&unfit)?)),
            }
        } else if let Method::Search(window) = &mut self.method {
            window.begin(number, begun, invoked, invoked_ns);
        }
        Ok(number)
    }

    /// An operation ends.
    pub(super) fn end(
        &mut self,
        number: u32,
        ended: Ended,
        completed: u32,
        completed_ns: u64,
    ) -> Result<(), Trouble> {
        match &mut self.method {
            Method::Zones(zones) => {
                zones.log_end(number, &ended, completed, completed_ns);
                match zones.end(number, &ended, completed) {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err((invoked, Contradiction))) => {
                        Err(Trouble::Impossible(Blame { invoked, completed, time_ns: completed_ns }))
                    }
                    Err(unfit) => {
                        let mut window = zones.window(&unfit)?;
                        let decided = window.decide();
                        self.method = Method::Search(Box::new(window));
                        decided
                    }
                }
            }
            Method::Search(window) => {
                window.end(number, ended, completed, completed_ns);
                window.decide()
            }
        }
    }
}

impl Zones {
    fn log(&mut self, number: u32, begun: &Begun, invoked: u32, invoked_ns: u64) {
        if let Some((entries, _)) = &mut self.start {
            let entry = Entry {
                begun: begun.clone(),
                invoked,
                invoked_ns,
                ended: None,
                completed: u32::MAX,
                completed_ns: u64::MAX,
            };
            entries.insert(number, entry);
        }
        if self.start.as_ref().is_some_and(|(entries, _)| entries.len() > OPERATIONS_KEPT) {
            self.start = None;
        }
    }

    fn log_end(&mut self, number: u32, ended: &Ended, completed: u32, completed_ns: u64) {
        if let Some(entry) = self.start.as_mut().and_then(|(entries, _)| entries.get_mut(&number)) {
            entry.ended = Some(ended.clone());
            (entry.completed, entry.completed_ns) = (completed, completed_ns);
        }
    }

    /// A search that starts over with everything so far.
    fn window(&mut self, unfit: &Unfit) -> Result<Window, Trouble> {
        match self.start.take() {
            Some((entries, _)) => Ok(Window::new(entries)),
            None => Err(Trouble::Lost(format!("{}; such a key is judged at the end", unfit.0))),
        }
    }

    fn begin(&mut self, number: u32, begun: &Begun, invoked: u32) -> Result<(), Unfit> {
        let (Begun::Write(to) | Begun::Cas(_, to)) = begun else {
            self.open.insert(number, (begun.clone(), invoked, None));
            return Ok(());
        };
        let token = match begun {
            Begun::Cas(from, to) if from == to => None,
            Begun::Cas(from, to) => Some(self.live.cas(from.clone(), Some(to.clone()), invoked)),
            Begun::Write(to) => Some(self.live.write(Some(to.clone()), invoked)),
            Begun::Read => None,
        };
        let token = token.transpose().map_err(|Repeated| REPEATED)?;
        // A value that is written twice early on will be written again: better to search from the start.
        if token.is_some()
            && let Some((_, written)) = &mut self.start
            && !written.insert(to.clone())
        {
            return Err(REPEATED);
        }
        self.open.insert(number, (begun.clone(), invoked, token));
        Ok(())
    }

    fn end(
        &mut self,
        number: u32,
        ended: &Ended,
        completed: u32,
    ) -> Result<Result<(), (u32, Contradiction)>, Unfit> {
        let (begun, invoked, token) = self.open.remove(&number).expect("an operation ends once");
        let said = match (begun.effect(ended), token) {
            (Effect::Not(_), _) => return Err(MISSED),
            (Effect::Impossible, _) => Err(Contradiction),
            (Effect::Read(value), token) => {
                let undone = token.map_or(Ok(()), |token| self.live.failed(token));
                undone.and_then(|()| self.live.read(value, invoked, completed))
            }
            (Effect::Nothing, token) => token.map_or(Ok(()), |token| self.live.failed(token)),
            (Effect::Write(_) | Effect::Cas(..), token) => {
                let token = token.expect("an update has a token from its invocation");
                if *ended == Ended::Unknown {
                    self.live.unknown(token);
                    Ok(())
                } else {
                    self.live.happened(token, completed)
                }
            }
        };
        if self.live.len() > self.look {
            let open = self.open.values().map(|(_, invoked, _)| *invoked).min().unwrap_or(completed + 1);
            self.live.forget(open);
            self.look = REMEMBERED + 2 * self.live.len();
        }
        Ok(said.map_err(|contradiction| (invoked, contradiction)))
    }
}
