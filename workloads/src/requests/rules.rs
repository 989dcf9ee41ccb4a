//! What answers mean: rules from top to bottom, the first of which that fits decides.

use super::found::found;
use super::refuse;
use super::spec::{Found, Rule, When};
use super::template::{Captures, Template};
use crate::operation::{Function, Operation};
use crate::outcome::Answer;
use crate::paxos::text;
use crate::spec::{SpecError, Workload};
use regex_lite::Regex;
use serde_json::Value;

/// An answer as rules see it.
#[derive(Debug)]
pub(super) struct Received<'a> {
    /// The status of HTTP; none in other protocols.
    pub(super) status: Option<u16>,
    pub(super) text: &'a str,
    pub(super) json: Option<Value>,
    /// The header `location`.
    pub(super) location: Option<&'a str>,
    /// Whether the protocol itself says that this is an error.
    pub(super) is_error: bool,
}

impl Received<'_> {
    pub(super) fn at(&self, pointer: &str) -> Option<&Value> {
        self.json.as_ref().and_then(|json| json.pointer(pointer))
    }
}

/// The rules of one step of an exchange.
#[derive(Debug)]
pub(super) struct Rules(Vec<Compiled>);

#[derive(Debug)]
struct Compiled {
    rule: Rule,
    when: Condition,
}

/// A condition on an answer.
#[derive(Debug)]
pub(super) struct Condition {
    when: When,
    is: Option<Wanted>,
    is_not: Option<Wanted>,
    body: Option<Regex>,
}

/// What an answer should have somewhere.
#[derive(Debug)]
enum Wanted {
    Value(Value),
    /// A word of the operation alone.
    Word(Template),
}

impl Wanted {
    fn new(value: &Value, function: Function, captured: &[&str]) -> Result<Self, String> {
        match value.as_str() {
            Some(word) if word.starts_with('{') && word.ends_with('}') => {
                Template::parse(word, function, captured).map(Self::Word)
            }
            Some(_) | None => Ok(Self::Value(value.clone())),
        }
    }

    /// Whether this is it. What stands for a word may be written as a text or as a number.
    fn is(&self, found: &Value, operation: &Operation, captures: &Captures) -> bool {
        match self {
            Self::Value(wanted) => found == wanted,
            Self::Word(word) => text(found) == word.fill(operation, captures),
        }
    }
}

impl Rules {
    /// The rules of a step, and those for all functions after them. `here` is the key of the step in the spec.
    pub(super) fn new(
        here: &str,
        of_step: &[Rule],
        of_all: &[Rule],
        function: Function,
        captured: &[&str],
    ) -> Result<Self, SpecError> {
        let own =
            of_step.iter().enumerate().map(|(index, rule)| (format!("{here}.answers.{}", index + 1), rule));
        let all =
            of_all.iter().enumerate().map(|(index, rule)| (format!("client.answers.{}", index + 1), rule));
        let compiled = own.chain(all).map(|(here, rule)| compile(&here, rule, function, captured));
        compiled.collect::<Result<_, _>>().map(Self)
    }

    /// Whether some answer means that it happened.
    pub(super) fn have_success(&self) -> bool {
        self.0.iter().any(|compiled| compiled.rule.ok.is_some())
    }

    /// The rule that decides; none if none fits.
    pub(super) fn of(
        &self,
        received: &Received<'_>,
        operation: &Operation,
        captures: &Captures,
    ) -> Option<&Rule> {
        let fitting = self.0.iter().find(|compiled| compiled.when.fits(received, operation, captures));
        fitting.map(|compiled| &compiled.rule)
    }
}

/// Reads a rule, which must say one thing that can be said of the function.
fn compile(here: &str, rule: &Rule, function: Function, captured: &[&str]) -> Result<Compiled, SpecError> {
    let key = |key: &str| format!("{here}.{key}");
    let said = [
        rule.ok.is_some(),
        rule.value_differs.is_some(),
        rule.fail,
        rule.standby,
        rule.follow.is_some(),
        rule.info,
    ];
    if said.into_iter().filter(|said| *said).count() != 1 {
        return refuse(here, "it should say one thing: ok, fail, standby, follow, value-differs or info");
    }
    match &rule.ok {
        Some(Found::Said) if function.finds_value() => {
            let what = format!(
                "a {function} finds a value; say where: a JSON pointer such as \"/value\", \"text\" or \"absent\""
            );
            return refuse(key("ok"), what);
        }
        Some(Found::At(_) | Found::Base64(_) | Found::Text | Found::Absent) if !function.finds_value() => {
            return refuse(key("ok"), format!("a {function} finds no value; it should be true"));
        }
        Some(_) | None => {}
    }
    let refusable = match (&rule.value_differs, function) {
        (None, _) | (_, Function::Cas) => true,
        (Some(at), Function::Acquire | Function::Release) => *at == Found::Said,
        (Some(_), _) => false,
    };
    if !refusable {
        let what = "only a cas expects a value, and of a lock it is true; use fail = true";
        return refuse(key("value-differs"), what);
    }
    if rule.follow.as_ref().is_some_and(|follow| !is_pointer(follow) && follow != "location") {
        return refuse(
            key("follow"),
            "it should be a JSON pointer, for example \"/leader\", or \"location\"",
        );
    }
    let when = Condition::new(&key("when"), &rule.when, function, captured)?;
    Ok(Compiled { rule: rule.clone(), when })
}

/// Whether a text is a JSON pointer.
pub(super) fn is_pointer(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

impl Condition {
    /// Reads a condition on the answers to a function; `here` is its key.
    pub(super) fn new(
        here: &str,
        when: &When,
        function: Function,
        captured: &[&str],
    ) -> Result<Self, SpecError> {
        let key = |key: &str| format!("{here}.{key}");
        let When { status: _, at, is, is_not, same_as, body } = when;
        for (name, given) in
            [("is", is.is_some()), ("is-not", is_not.is_some()), ("same-as", same_as.is_some())]
        {
            if given && at.is_none() {
                return refuse(key(name), "say where, for example at = \"/done\"");
            }
        }
        for (name, pointer) in [("at", at), ("same-as", same_as)] {
            if pointer.as_ref().is_some_and(|pointer| !is_pointer(pointer)) {
                return refuse(key(name), "a JSON pointer begins with /, for example \"/error/code\"");
            }
        }
        let wanted = |name: &str, value: &Option<Value>| {
            let value = value.as_ref().map(|value| Wanted::new(value, function, captured)).transpose();
            value.or_else(|message| refuse(key(name), message))
        };
        let (is, is_not) = (wanted("is", is)?, wanted("is-not", is_not)?);
        let body = body.as_ref().map(|body| Regex::new(body)).transpose();
        let body = body.or_else(|error| refuse(key("body"), error.to_string()))?;
        Ok(Self { when: when.clone(), is, is_not, body })
    }

    /// Whether an answer to an operation meets it.
    pub(super) fn fits(&self, received: &Received<'_>, operation: &Operation, captures: &Captures) -> bool {
        let When { status, at, same_as, .. } = &self.when;
        let is = |wanted: &Wanted, found| wanted.is(found, operation, captures);
        status.as_ref().is_none_or(|wanted| received.status.is_some_and(|status| wanted.have(status)))
            && at.as_ref().is_none_or(|at| {
                received.at(at).is_some_and(|found| {
                    self.is.as_ref().is_none_or(|wanted| is(wanted, found))
                        && self.is_not.as_ref().is_none_or(|wanted| !is(wanted, found))
                        && same_as.as_ref().is_none_or(|other| received.at(other) == Some(found))
                })
            })
            && self.body.as_ref().is_none_or(|body| body.is_match(received.text))
    }
}

/// Whether a value can be one of this workload: registers and queues hold integers, and the text of an error is none.
pub(crate) fn fits(workload: Workload, value: &Value) -> bool {
    !matches!(workload, Workload::Queue | Workload::Register)
        || value.is_null()
        || value.is_i64()
        || value.is_u64()
}

/// What a rule says of an answer that it fits.
pub(super) fn meaning(
    workload: Workload,
    rule: &Rule,
    function: Function,
    received: &Received<'_>,
) -> Answer {
    if let Some(at) = &rule.ok {
        if !function.finds_value() {
            return Answer::Applied;
        }
        let found = found(workload, function, at, received);
        return found.map_or(Answer::Unreadable, |value| {
            let is_error = received.is_error && *at != Found::Absent;
            if is_error || !fits(workload, &value) { Answer::NoValue } else { Answer::Value(value) }
        });
    }
    match &rule.value_differs {
        Some(Found::Said) => return Answer::Differs,
        Some(at) => {
            let found = found(workload, Function::Read, at, received);
            return found.map_or(Answer::Unreadable, Answer::Precondition);
        }
        None => {}
    }
    if let Some(follow) = &rule.follow {
        let to = match follow.as_str() {
            "location" => received.location,
            pointer => received.at(pointer).and_then(Value::as_str),
        };
        return to.map_or(Answer::Standby, |to| Answer::Elsewhere(to.to_owned()));
    }
    match (rule.fail, rule.standby) {
        (true, _) => Answer::NotApplied,
        (_, true) => Answer::Standby,
        (false, false) => unlisted(received),
    }
}

/// An answer that nothing is said of.
pub(super) fn unlisted(received: &Received<'_>) -> Answer {
    received.status.map_or(Answer::Unreadable, Answer::Unlisted)
}
