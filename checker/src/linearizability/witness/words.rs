//! Says in words why nothing could come next.

use super::super::{
    frontier::{Open, Stuck},
    object::{Action, Op},
    values::Values,
};
use history::{Operation, Outcome};

/// Values named before "and N more".
const VALUES_NAMED: usize = 8;

pub(super) struct Words<'a> {
    pub(super) operations: &'a [Operation],
    pub(super) values: &'a Values<'a>,
    pub(super) key: Option<&'a str>,
    /// Whether possible values are those of the witness alone, because the whole history was too much to search.
    pub(super) partial: bool,
}

/// An operation as a person would write it: `write 3 (process 4, events 17–18)`.
pub(super) fn named(operation: &Operation) -> String {
    let what = match &operation.outcome {
        Outcome::Ok(value) if operation.argument.is_null() && operation.f != "delete" => {
            format!("{} → {value}", operation.f)
        }
        Outcome::Ok(value) if value != &operation.argument && !value.is_null() => {
            format!("{} {} → {value}", operation.f, operation.argument)
        }
        Outcome::Fail { actual: Some(actual), .. } => {
            format!("{} {} → {actual} instead", operation.f, operation.argument)
        }
        Outcome::Fail { .. } => format!("{} {} → precondition failed", operation.f, operation.argument),
        Outcome::Ok(_) | Outcome::Info { .. } if operation.argument.is_null() => operation.f.clone(),
        Outcome::Ok(_) | Outcome::Info { .. } => format!("{} {}", operation.f, operation.argument),
    };
    let end = operation.completed.map_or_else(|| "…".to_owned(), |event| event.to_string());
    format!("{what} (process {}, events {}–{end})", operation.process, operation.invoked)
}

impl Words<'_> {
    pub(super) fn values(&self, values: &[u32]) -> Vec<String> {
        values.iter().map(|&value| self.values.show(value)).collect()
    }

    /// The operation as a person would write it.
    fn name(&self, op: &Op) -> String {
        named(&self.operations[op.origin as usize])
    }

    fn list(&self, values: &[u32]) -> String {
        let mut names: Vec<String> =
            values.iter().take(VALUES_NAMED).map(|&value| self.values.show(value)).collect();
        if values.len() > VALUES_NAMED {
            names.push(format!("{} more", values.len() - VALUES_NAMED));
        }
        names.join(", ")
    }

    /// Why an open operation cannot come next, or does not help.
    pub(super) fn why_not(&self, open: &Open, stuck: &Stuck) -> String {
        let itself = open.op.origin == stuck.op.origin;
        let possible = self.list(&stuck.values);
        let needed = |value: u32| {
            if stuck.values.contains(&value) {
                format!(
                    "finds {} in some orders, but only in those that leave another completed operation without its place",
                    self.values.show(value)
                )
            } else {
                format!("needs the value to be {}; possible are only: {possible}", self.values.show(value))
            }
        };
        match open.op.action {
            Action::Read(value) if !itself && !open.waiting => {
                format!("has found {} already", self.values.show(value))
            }
            Action::Read(value) => needed(value),
            Action::Not(_) if !itself && !open.waiting => "has happened already".to_owned(),
            Action::Not(value) => {
                format!(
                    "needs the value to be another than {}, which is the only possible one",
                    self.values.show(value)
                )
            }
            Action::Cas(..) | Action::Write(_) | Action::Append(_) if !open.waiting => {
                "has happened already in every order that is left".to_owned()
            }
            Action::Cas(from, _) if itself || !stuck.values.contains(&from) => needed(from),
            Action::Cas(_, to) | Action::Write(to) => {
                format!(
                    "can come next and leaves {}, which does not let the others complete",
                    self.values.show(to)
                )
            }
            Action::Append(_) => "can come next, which does not let the others complete".to_owned(),
        }
    }

    /// The whole story.
    pub(super) fn summary(&self, last: &Op, part: usize, stuck: Option<&Stuck>) -> String {
        let index = self.key.map_or_else(String::new, |key| format!("On key {key}, "));
        let order = match part {
            1 => "nothing in the history before it explains that".to_owned(),
            part => format!("no order of the {part} operations of the witness explains that"),
        };
        let mut story = format!("{index}{} cannot have happened as it did: {order}.", self.name(last));
        if let Some(stuck) = stuck {
            let of = if self.partial { ", by the operations of the witness alone" } else { "" };
            story = format!("{story} Possible values when it completed{of}: {}.", self.list(&stuck.values));
            if !stuck.unknown.is_empty() {
                story.push_str(
                    " Operations of unknown outcome were taken into account, as having happened and as not.",
                );
            }
        }
        story
    }
}
