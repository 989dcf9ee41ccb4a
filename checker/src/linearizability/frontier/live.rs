//! The search over configurations of a history that is not over yet.
//!
//! Every operation comes with its outcome known, so whoever feeds this waits for those invoked earlier. It
//! starts exact; where that becomes too much it keeps the likeliest configurations, and from then on a dead
//! end proves nothing by itself.

use super::super::{call::Call, object::Action, values::Values};
use super::{LEVELS, Level, search::Search};
use crate::limits::{Budget, Limits, Stop};
use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// Configurations that an exact pass may hold.
const EXACT: usize = 2_000;
/// Configurations that a narrower pass may hold.
const BEAMS: usize = 50_000;
/// Completions between two looks for what can be forgotten.
const COMPLETIONS_BETWEEN_LOOKS: u32 = 256;
/// Kinds of operations of unknown outcome that may have to be kept in mind.
const UNKNOWNS: usize = 1_000;

/// Plain values have no content of their own: whoever feeds the search gives them numbers.
static PLAIN: LazyLock<Values<'static>> = LazyLock::new(|| Values::plain(std::iter::empty(), None, 0));

/// Why it cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// No order explains the history up to this completion.
    Impossible,
    /// None was found, but not every one was tried.
    Suspicious,
    /// It is too large.
    Overwhelmed,
}

/// The search over one key.
pub(crate) struct LiveSearch {
    search: Width,
    classes: FxHashMap<Action, u32>,
    completions: u32,
    exact: bool,
}

enum Width {
    Narrow(Box<Search<'static, 1, ()>>),
    Wide(Box<Search<'static, 8, ()>>),
}

macro_rules! each_width {
    ($width:expr, $search:ident => $body:expr) => {
        match $width {
            Width::Narrow($search) => $body,
            Width::Wide($search) => $body,
        }
    };
}

impl LiveSearch {
    /// The key before everything.
    pub(crate) fn new() -> Self {
        Self {
            search: Width::Narrow(Box::new(Search::new(&PLAIN, &[], LEVELS[LEVELS.len() - 1]))),
            classes: FxHashMap::default(),
            completions: 0,
            exact: true,
        }
    }

    /// An operation that certainly happened is invoked; `number` names it until it completes.
    pub(crate) fn invoke(&mut self, number: u32, op: &Call<Action>) -> Result<(), Halt> {
        let opened = each_width!(&mut self.search, search => search.invoke(number, op));
        if opened.is_ok() {
            return Ok(());
        }
        let fresh = Width::Narrow(Box::new(Search::new(&PLAIN, &[], LEVELS[0])));
        self.search = match std::mem::replace(&mut self.search, fresh) {
            Width::Narrow(search) => Width::Wide(Box::new(search.widened())),
            Width::Wide(_) => return Err(Halt::Overwhelmed),
        };
        each_width!(&mut self.search, search => search.invoke(number, op)).map_err(|_| Halt::Overwhelmed)
    }

    /// An update of unknown outcome is invoked.
    pub(crate) fn invoke_unknown(&mut self, action: Action) -> Result<(), Halt> {
        each_width!(&mut self.search, search => {
            let class = *self.classes.entry(action).or_insert_with(|| search.class(action));
            search.invoke_unknown(class);
            if search.unknowns() > UNKNOWNS { Err(Halt::Overwhelmed) } else { Ok(()) }
        })
    }

    /// An operation completes.
    pub(crate) fn complete(&mut self, number: u32) -> Result<(), Halt> {
        self.completions += 1;
        if self.completions.is_multiple_of(COMPLETIONS_BETWEEN_LOOKS) {
            each_width!(&mut self.search, search => search.forget_used());
        }
        let levels = if self.exact { &LEVELS[LEVELS.len() - 1..] } else { &[] };
        for level in levels.iter().chain(&LEVELS[1..]) {
            match each_width!(&mut self.search, search => attempt(search, number, *level)) {
                Ok(Attempt::Passed) => return Ok(()),
                Ok(Attempt::Impossible) => return Err(Halt::Impossible),
                Ok(Attempt::Stuck) => {}
                Err(_) => self.exact = false,
            }
        }
        Err(Halt::Suspicious)
    }

    /// The values that are possible now.
    pub(crate) fn states(&self) -> Vec<u32> {
        each_width!(&self.search, search => search.states().collect())
    }

    /// The actions of unknown outcome that may have to be kept in mind.
    pub(crate) fn unknowns(&self) -> impl Iterator<Item = Action> {
        self.classes.keys().copied()
    }
}

/// How an attempt to complete an operation ended.
enum Attempt {
    Passed,
    Impossible,
    /// Nothing was found, but something was left out.
    Stuck,
}

fn attempt<const W: usize>(
    search: &mut Search<'static, W, ()>,
    number: u32,
    level: Level,
) -> Result<Attempt, Stop> {
    let configurations = if level.beam == usize::MAX { EXACT } else { BEAMS };
    let limits = Limits { configurations, ..Limits::DEFAULT };
    search.set_level(level);
    let before = search.cut;
    let passed = search.complete_number(number, &mut Budget::new(&limits));
    let cut = search.cut;
    if !matches!(passed, Ok(true)) {
        // What an attempt that failed left out is not left out by the next one.
        search.cut = before;
    }
    Ok(match passed? {
        true => Attempt::Passed,
        false if cut => Attempt::Stuck,
        false => Attempt::Impossible,
    })
}
