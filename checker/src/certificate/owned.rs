//! What locks with owners, semaphores and versioned registers do, one operation after another.

use crate::linearizability::Model;
use history::{OperationRef, OutcomeRef};
use serde_json::{Value, json};
use std::collections::HashMap;

/// One such object, as it is before its first operation.
#[derive(Default)]
pub(super) struct Owned {
    /// The owner of each hold of the lock, one entry for each time it was acquired.
    holds: Vec<String>,
    /// The fence of the present hold, and the least that the latest can have been.
    fence: Option<i64>,
    latest: i64,
    permits: i64,
    held: HashMap<String, i64>,
    version: i64,
    value: Value,
}

fn who(operation: OperationRef<'_>) -> String {
    if let Some(client) = operation.argument.get("client").filter(|client| !client.is_null()) {
        return client.to_string();
    }
    operation
        .client
        .map_or_else(|| format!("process {}", operation.process), |client| format!("client {client}"))
}

impl Owned {
    /// Lets an operation happen; whether it can have had its result there.
    pub(super) fn step(&mut self, model: Model, operation: OperationRef<'_>) -> bool {
        match model {
            Model::Semaphore => self.count(operation),
            Model::VersionedRegister => self.versioned(operation),
            _ => {
                let reentrant = matches!(model, Model::ReentrantMutex | Model::ReentrantFencedMutex);
                let fenced = matches!(model, Model::FencedMutex | Model::ReentrantFencedMutex);
                self.lock(reentrant, fenced, operation)
            }
        }
    }

    fn lock(&mut self, reentrant: bool, fenced: bool, operation: OperationRef<'_>) -> bool {
        let who = who(operation);
        let own = self.holds.last() == Some(&who);
        let acquires = matches!(operation.f, "acquire" | "lock");
        let could = if acquires { self.holds.is_empty() || (own && reentrant) } else { own };
        let failed = matches!(operation.outcome, OutcomeRef::Fail { .. });
        if failed || !could {
            return failed != could;
        }
        if !acquires {
            self.holds.pop();
            return true;
        }
        let said = match operation.outcome {
            OutcomeRef::Ok(Value::Object(entries)) => entries.get("fence").and_then(Value::as_i64),
            OutcomeRef::Ok(result) => result.as_i64(),
            OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => None,
        };
        let said = said.filter(|fence| fenced && *fence > 0);
        let fits = match (said, self.holds.is_empty(), self.fence) {
            (None, ..) => true,
            (Some(said), true, _) => said > self.latest,
            (Some(said), false, Some(fence)) => said == fence,
            (Some(said), false, None) => said >= self.latest,
        };
        if self.holds.is_empty() {
            self.fence = said;
            self.latest = said.unwrap_or(self.latest + i64::from(fenced));
        } else if let Some(said) = said {
            (self.fence, self.latest) = (Some(said), said);
        }
        self.holds.push(who);
        fits
    }

    fn count(&mut self, operation: OperationRef<'_>) -> bool {
        let argument = operation.argument;
        let many = argument.as_i64().or_else(|| argument.get("permits").and_then(Value::as_i64)).unwrap_or(1);
        let failed = matches!(operation.outcome, OutcomeRef::Fail { .. });
        let own = self.held.entry(who(operation)).or_default();
        let could = match operation.f {
            "permits" => {
                self.permits += many;
                return true;
            }
            "acquire" => self.permits >= many,
            _ => *own >= many,
        };
        if could && !failed {
            let change = if operation.f == "acquire" { many } else { -many };
            *own += change;
            self.permits -= change;
        }
        could != failed
    }

    fn versioned(&mut self, operation: OperationRef<'_>) -> bool {
        let pair = |value: &Value| match value.as_array().map(Vec::as_slice) {
            Some([version, value]) if version.is_null() || version.is_i64() => {
                (version.as_i64(), value.clone())
            }
            Some(_) | None => (None, value.clone()),
        };
        let (said, result) = match operation.outcome {
            OutcomeRef::Ok(result) => pair(result),
            OutcomeRef::Fail { .. } | OutcomeRef::Info { .. } => (None, Value::Null),
        };
        let argument = operation.argument;
        match operation.f {
            "read" | "get" => match said {
                Some(said) => said == self.version && result == self.value,
                None => result.is_null() || result == self.value,
            },
            "cas" => {
                let inner =
                    argument.get(1).filter(|inner| inner.as_array().is_some_and(|inner| inner.len() == 2));
                let exchange = inner.unwrap_or(argument);
                let finds = exchange[0] == self.value;
                if matches!(operation.outcome, OutcomeRef::Fail { .. }) {
                    return !finds;
                }
                finds && self.change(said, exchange[1].clone())
            }
            _ => self.change(said, pair(argument).1),
        }
    }

    fn change(&mut self, said: Option<i64>, to: Value) -> bool {
        self.version += 1;
        self.value = to;
        said.is_none_or(|said| said == self.version)
    }

    /// What it holds, for people.
    pub(super) fn show(&self) -> Value {
        json!({"holds": self.holds, "permits": self.permits, "version": self.version, "value": self.value})
    }
}
