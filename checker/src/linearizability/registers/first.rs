//! Finds the moment at which a register became impossible, in one pass.

use super::{
    super::{
        call::{Call, NEVER},
        object::Action,
        values::{ABSENT, IMPOSSIBLE, UNOBSERVED, Values},
    },
    Contradiction, LiveZones, Repeated, Token,
    zones::applicable,
};

/// What zones remember at least before they look for what can be forgotten.
pub(in super::super) const REMEMBERED: usize = 64;

/// The operation with whose completion a key becomes impossible, whose operations come in order of
/// invocation; none if it is linearizable, or zones do not apply. `remembered` changes only what it costs.
pub(in super::super) fn first_contradiction(
    values: &Values<'_>,
    ops: &[Call<Action>],
    remembered: usize,
) -> Option<Call<Action>> {
    let mut pass = Pass {
        ops,
        zones: LiveZones::new(ABSENT),
        tokens: vec![None; ops.len()],
        initial_matters: applicable(values, ops)?.initial_matters,
    };
    let mut completions: Vec<u32> =
        (0..).zip(ops).filter(|(_, op)| op.certain()).map(|(index, _)| index).collect();
    completions.sort_by_key(|&index| ops[index as usize].completed);
    let mut completions = completions.into_iter().peekable();
    let (mut look, mut open) = (remembered, 0);
    for index in 0..=ops.len() {
        // Of equal times, invocations come first.
        let now = ops.get(index).map_or(NEVER, |op| op.invoked);
        while let Some(done) = completions.next_if(|&done| ops[done as usize].completed < now) {
            if pass.complete(done as usize).is_err() {
                return Some(ops[done as usize]);
            }
        }
        if index < ops.len() {
            pass.invoke(index).expect("no value is produced twice where zones apply");
        }
        if pass.zones.len() > look {
            while ops.get(open).is_some_and(|op| !op.certain() || op.completed < now) {
                open += 1;
            }
            pass.zones.forget(ops.get(open).map_or(now, |op| op.invoked.min(now)));
            look = remembered + 2 * pass.zones.len();
        }
    }
    None
}

struct Pass<'a> {
    ops: &'a [Call<Action>],
    zones: LiveZones<u32>,
    /// By operation: what names it among the zones.
    tokens: Vec<Option<Token>>,
    initial_matters: bool,
}

impl Pass<'_> {
    fn complete(&mut self, index: usize) -> Result<(), Contradiction> {
        let op = &self.ops[index];
        match (op.action, self.tokens[index]) {
            (Action::Read(IMPOSSIBLE), _) => Err(Contradiction),
            (Action::Read(value), _) => self.zones.read(&value, op.invoked, op.completed),
            (_, Some(token)) => self.zones.happened(token, op.completed),
            (_, None) => Ok(()),
        }
    }

    fn invoke(&mut self, index: usize) -> Result<(), Repeated> {
        let sought = |value| value != UNOBSERVED && (value != ABSENT || self.initial_matters);
        let op = &self.ops[index];
        let token = match op.action {
            Action::Write(to) => self.zones.write(Some(to).filter(|&to| sought(to)), op.invoked)?,
            Action::Cas(from, to) => self.zones.cas(from, Some(to).filter(|&to| sought(to)), op.invoked)?,
            Action::Read(_) | Action::Not(_) | Action::Append(_) => return Ok(()),
        };
        if op.certain() {
            self.tokens[index] = Some(token);
        } else {
            self.zones.unknown(token);
        }
        Ok(())
    }
}
