//! Guesses the model from operations in columns, as [`guess`](super::guess) does from their events.

use super::{Looks, ModelGuess, Shape, asks_another, is_steps};
use history::{Atom, Content, Operations, StepKind, Steps, StepsIter};

/// The guess that [`guess`](super::guess) makes of the events of the same operations; none where only they show it.
pub(in super::super) fn guess_of_operations(operations: &Operations, starts: bool) -> Option<ModelGuess> {
    let looks = Looks { starts, ..Looks::default() };
    let mut guess = Guess { operations, looks, kinds: [false; 3], writes_numbers: false, hidden: false };
    let mut last = None;
    for index in 0..operations.len() {
        let (f, argument, result) = operations.call(index);
        if last != Some(f) {
            guess.looks.names.insert(f);
            last = Some(f);
        }
        guess.invocation(f, &argument);
        if let Some(result) = result {
            guess.answer(f, &argument, &result)?;
        }
    }
    let Guess { mut looks, kinds, writes_numbers, hidden, .. } = guess;
    for kind in KINDS.into_iter().filter(|kind| kinds[*kind as usize]) {
        looks.steps.insert(kind.name());
    }
    if writes_numbers {
        looks.steps_write.insert(Shape::Number);
    }
    (!hidden || looks.only_transactions()).then(|| looks.model())
}

/// Whether [`refuse`](super::refuse) lets a model that somebody named be.
pub(in super::super) fn fits(model: &str, operations: &Operations) -> bool {
    !super::OF_REGISTERS.contains(&model)
        || (0..operations.len()).all(|index| match operations.call(index) {
            (f, argument, Some(result)) if reads(f) => match (argument, result) {
                (Steps::Other(argument), Steps::Other(result)) => {
                    is_steps(result) || !asks_another(Some(argument), result)
                }
                (argument, result) => is_null(&argument) && is_packed_steps(&result),
            },
            _ => true,
        })
}

const KINDS: [StepKind; 3] = [StepKind::Read, StepKind::Write, StepKind::Append];

fn reads(f: &str) -> bool {
    matches!(f, "read" | "get")
}

fn is_null(steps: &Steps<'_>) -> bool {
    matches!(steps, Steps::Other(value) if value.is_null())
}

/// Whether packed micro-operations are what [`is_steps`] looks for.
fn is_packed_steps(steps: &Steps<'_>) -> bool {
    match steps {
        Steps::Packed(steps) => steps.clone().all(|step| step.content != Content::Missing),
        Steps::Other(value) => is_steps(value),
    }
}

struct Guess<'a> {
    operations: &'a Operations,
    looks: Looks<'a>,
    /// The kinds of micro-operations there are, and whether one writes a number.
    kinds: [bool; 3],
    writes_numbers: bool,
    /// Whether micro-operations were written that were not looked at as a value.
    hidden: bool,
}

impl<'a> Guess<'a> {
    fn invocation(&mut self, f: &str, argument: &Steps<'a>) {
        match argument {
            Steps::Packed(steps) => {
                self.looks.asks |= reads(f) && !is_packed_steps(argument);
                self.hidden |= !matches!(f, "txn" | "read" | "get");
                self.steps(steps.clone());
            }
            Steps::Other(argument) => self.looks.invocation(f, argument),
        }
    }

    fn answer(&mut self, f: &str, argument: &Steps<'a>, result: &Steps<'a>) -> Option<()> {
        match (argument, result) {
            (Steps::Other(argument), Steps::Other(result)) => {
                self.looks.answer(f, Some(argument), result);
            }
            (Steps::Packed(_), Steps::Other(result)) if f == "txn" || result.is_null() && !reads(f) => {
                self.looks.answer(f, None, result);
            }
            (_, Steps::Packed(steps)) if f == "txn" || reads(f) && is_packed_steps(result) => {
                self.steps(steps.clone());
            }
            // It was answered with what it was invoked with.
            (Steps::Packed(asked), Steps::Packed(answer))
                if !reads(f) && asked.clone().eq(answer.clone()) => {}
            _ => return None,
        }
        Some(())
    }

    /// What [`note_steps`](super::note_steps) notes.
    fn steps(&mut self, steps: StepsIter<'a>) {
        for step in steps {
            let reads = step.kind == StepKind::Read;
            match step.content {
                Content::Missing => continue,
                Content::List(_) => self.looks.reads_lists = true,
                Content::One(value) if reads => self.looks.reads_scalars |= value != Atom::NULL,
                Content::One(value) if value.is_natural() => self.writes_numbers = true,
                Content::One(value) => {
                    self.looks.steps_write.insert(Shape::of(&self.operations.atom(value)));
                }
            }
            self.kinds[step.kind as usize] = true;
        }
    }
}
