//! A model of one's own as a program: a state machine that answers questions in JSON lines.
//!
//! The bench asks one question a line on the program's standard input and reads one answer a line from its standard
//! output; `checker/README.md` describes both.

use crate::failure::Failure;
use checker::linearizability::Specification;
use history::{OperationRef, OutcomeRef};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What stands before the path of the program in `--model`.
pub(super) const PREFIX: &str = "exec:";
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The program and what it said first.
pub(super) struct ExecModel {
    name: String,
    program: Mutex<Program>,
    initial: String,
    /// The first thing that went wrong; from then on no state has a successor, and the verdict does not count.
    failed: Mutex<Option<String>>,
}

struct Program {
    child: Child,
    questions: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Program {
    fn start(path: &str) -> Result<Self, String> {
        // A name without a folder is that of a file here, if there is one, and else one in the search path.
        let local = Path::new(path).components().count() == 1 && Path::new(path).exists();
        let file = if local { Path::new(".").join(path) } else { Path::new(path).to_owned() };
        let started = Command::new(file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| format!("it cannot be started: {error}"))?;
        let (sender, answers) = channel();
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(output).lines() {
                    if line.is_err() || line.is_ok_and(|line| sender.send(line).is_err()) {
                        break;
                    }
                }
            });
        }
        Ok(Self { questions: child.stdin.take(), answers, child })
    }

    fn ask(&mut self, question: &Value) -> Result<Value, String> {
        let line = format!("{question}\n");
        let input = self.questions.as_mut().ok_or("its input is closed")?;
        input
            .write_all(line.as_bytes())
            .and_then(|()| input.flush())
            .map_err(|error| format!("it does not read: {error}"))?;
        let answer = self.answers.recv_timeout(PATIENCE).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                format!("it gave no answer within {} s to {question}", PATIENCE.as_secs())
            }
            RecvTimeoutError::Disconnected => format!("it ended instead of answering {question}"),
        })?;
        serde_json::from_str(&answer)
            .map_err(|error| format!("its answer {answer:?} to {question} is no JSON: {error}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.questions = None;
        // It may have ended by itself; either way nothing is left behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl ExecModel {
    /// Starts the program of `exec:PATH` and asks for its initial state.
    pub(super) fn start(name: &str, path: &str, initial: Option<&Value>) -> Result<Self, Failure> {
        let refuse = |why: String| {
            Failure::usage(format!("--model {name}"), why).help(
                "a model is a program that answers {\"ask\":\"initial\"} with {\"state\":…} and {\"ask\":\"step\",…} with \
                 {\"states\":[…]}, one line each; checker/README.md has an example",
            )
        };
        let mut program = Program::start(path).map_err(refuse)?;
        let mut question = json!({"ask": "initial"});
        if let Some(initial) = initial {
            question["initial"] = initial.clone();
        }
        let answer = program.ask(&question).map_err(refuse)?;
        let state =
            answer.get("state").ok_or_else(|| refuse(format!("its first answer {answer} has no state")))?;
        Ok(Self {
            name: name.to_owned(),
            initial: state.to_string(),
            program: Mutex::new(program),
            failed: Mutex::new(None),
        })
    }

    /// What went wrong, if anything did.
    pub(super) fn failure(&self) -> Option<Failure> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().map(|why| Failure::usage(format!("--model {}", self.name), why.clone()))
    }

    fn fail(&self, why: String) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    fn successors(&self, state: &str, action: &str) -> Result<Vec<String>, String> {
        let parsed = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| error.to_string());
        let question = json!({"ask": "step", "state": parsed(state)?, "operation": parsed(action)?});
        let answer = self.program.lock().unwrap_or_else(PoisonError::into_inner).ask(&question)?;
        match answer.get("states") {
            Some(Value::Array(states)) => Ok(states.iter().map(Value::to_string).collect()),
            Some(_) | None => Err(format!("its answer {answer} to {question} has no list of states")),
        }
    }
}

impl Specification for ExecModel {
    /// As JSON.
    type State = String;
    type Action = String;

    fn initial(&self) -> String {
        self.initial.clone()
    }

    fn action(&self, operation: OperationRef<'_>) -> Result<Option<String>, String> {
        let mut said = json!({"f": operation.f, "value": operation.argument});
        match operation.outcome {
            OutcomeRef::Ok(result) => {
                said["outcome"] = json!("ok");
                said["result"] = result.clone();
            }
            OutcomeRef::Info { .. } => said["outcome"] = json!("info"),
            OutcomeRef::Fail { error, actual } if error == Some("precondition") || actual.is_some() => {
                said["outcome"] = json!("refused");
                said["result"] = actual.cloned().unwrap_or(Value::Null);
            }
            OutcomeRef::Fail { .. } => return Ok(None),
        }
        let who = operation.client.map_or(operation.process, u64::from);
        said["client"] = json!(who);
        Ok(Some(said.to_string()))
    }

    fn step(&self, state: &String, action: &String) -> impl IntoIterator<Item = String> {
        if self.failed.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Vec::new();
        }
        self.successors(state, action).unwrap_or_else(|why| {
            self.fail(why);
            Vec::new()
        })
    }

    fn bytes(&self, state: &String) -> usize {
        size_of_val(state) + state.len()
    }

    fn show(&self, state: &String) -> String {
        state.clone()
    }
}
