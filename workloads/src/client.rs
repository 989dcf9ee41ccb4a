//! A client: a logical process with at most one open operation.

use crate::adapter::{Adapter, CommandName, Speaker};
use crate::generator::Generator;
use crate::operation::{Function, Operation};
use crate::outcome::{Answer, Ending, Happened, ending};
use crate::progress::Progress;
use crate::route::Router;
use crate::serving;
use crate::session::Target;
use crate::spec::LoadSpec;
use crate::turns::Turns;
use history::{Event, Kind, Outcome, Phase, Process, Recorder};
use hyper::header::HeaderValue;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// With `retry`: the rest after an attempt that ended at once, so that a refusing node is not hammered.
pub(crate) const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// How often an operation is sent on to another node.
const REDIRECTIONS: usize = 4;

/// What all clients of a session share.
pub(crate) struct Shared {
    pub(crate) targets: Vec<Target>,
    pub(crate) clients: u32,
    pub(crate) keys: u32,
    pub(crate) timeout: Duration,
    /// After how long an unanswered command is sent again, to the next replica and under the same name.
    pub(crate) retry: Option<Duration>,
    pub(crate) adapter: Box<dyn Adapter>,
    pub(crate) recorder: Arc<dyn Recorder>,
    pub(crate) progress: Arc<Progress>,
    /// What decides when clients invoke operations; they are free if it is not set.
    pub(crate) turns: OnceLock<Arc<dyn Turns>>,
    /// Unique to this session; the first part of every client id.
    pub(crate) name: String,
}

impl Shared {
    /// How many of the targets, the first ones, are members.
    pub(crate) fn members(&self) -> usize {
        self.targets.iter().filter(|target| !target.spare).count()
    }

    /// The target that a node names.
    fn target_named(&self, named: &str) -> Option<usize> {
        self.targets.iter().position(|target| is_named(target, named))
    }

    /// A client id, unique to this session by what follows its name.
    pub(crate) fn command_name(&self, who: impl std::fmt::Display) -> CommandName {
        let client = HeaderValue::try_from(format!("{}-{who}", self.name))
            .expect("a session's name is made of letters that a header may have");
        CommandName { client, sequence: 0 }
    }
}

/// Whether this target is named by its name, address or URL, in the last word of what was said: `MOVED 3999 10.0.0.2:6379`.
fn is_named(target: &Target, said: &str) -> bool {
    let named = said.split_ascii_whitespace().next_back().unwrap_or_default();
    let named = named.split_once("://").map_or(named, |(_, rest)| rest);
    let named = named.split('/').next().unwrap_or_default();
    named == target.name || named == target.address.to_string() || named == target.address.ip().to_string()
}

/// When an operation belongs in a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When {
    pub(crate) phase: Phase,
    /// When it was due, in nanoseconds since the run's start (open loop).
    pub(crate) intended: Option<u64>,
}

/// Resolves when the run is interrupted; stays resolved.
pub(crate) type Interrupt<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// One client.
pub(crate) struct Client {
    shared: Arc<Shared>,
    generator: Generator,
    number: u32,
    process: u64,
    name: CommandName,
    target: usize,
    router: Router,
    /// The target that the last operation was sent to first.
    asked: usize,
    /// Whether that one said that it stands by.
    stands_by: bool,
    speaker: Box<dyn Speaker>,
    /// The value last seen under each key, by the key's number.
    observed: BTreeMap<u32, Value>,
    /// The keys that it tried to write, by their numbers.
    written: BTreeSet<u32>,
}

impl Client {
    /// The client with this number; it begins at the replica that falls to it.
    pub(crate) fn new(shared: Arc<Shared>, generator: Generator, number: u32, router: Router) -> Self {
        Self {
            generator,
            number,
            process: u64::from(number),
            name: shared.command_name(number),
            target: router.first(),
            asked: router.first(),
            router,
            stands_by: false,
            speaker: shared.adapter.speaker(),
            observed: BTreeMap::new(),
            written: BTreeSet::new(),
            shared,
        }
    }

    /// Its number, from 0.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// The keys that it tried to write so far, by their numbers.
    pub(crate) fn written(&self) -> &BTreeSet<u32> {
        &self.written
    }

    /// Draws the next operation, carries it out at the client's present replica, and goes where the client's route
    /// leads. Returns whether there was an error after which another replica may do better.
    pub(crate) async fn next_operation(&mut self, when: When, interrupt: Interrupt<'_>) -> bool {
        let mut draft = self.generator.next().expect("a generator never ends");
        let observed = self.observed.get(&draft.key).unwrap_or(&Value::Null);
        let is_blind = draft.function == Function::Cas && observed.is_null();
        if is_blind && !self.shared.adapter.can_expect_absence() {
            draft.function = Function::Write;
        }
        if matches!(draft.function, Function::Acquire | Function::Release)
            && let Some(held) = self.held().first().copied()
        {
            (draft.function, draft.key) = (Function::Release, held);
        }
        let observed = self.observed.get(&draft.key).unwrap_or(&Value::Null);
        let operation = self.as_owner(draft.operation(observed));
        let target = self.router.before(self.target);
        self.turn_to(target);
        let ending = self.perform(&operation, when, interrupt).await;
        let target = self.router.after(self.target, &ending, self.stands_by);
        self.turn_to(target);
        self.observe(draft.key, &operation, ending.outcome);
        ending.move_on
    }

    /// The locks that it has, or may have, by their numbers.
    fn held(&self) -> BTreeSet<u32> {
        self.observed.iter().filter(|(_, held)| **held == Value::Bool(true)).map(|(key, _)| *key).collect()
    }

    /// The operation with this client as the owner, where it is one of a lock.
    pub(crate) fn as_owner(&self, operation: Operation) -> Operation {
        match operation.function {
            Function::Acquire | Function::Release => {
                Operation { argument: json!({ "client": self.number }), ..operation }
            }
            _ => operation,
        }
    }

    /// Gives back the locks that it has, or may have, each once.
    pub(crate) async fn let_go(&mut self, when: When, mut interrupt: Interrupt<'_>) {
        for key in self.held() {
            let key = LoadSpec::key_name(key);
            let release =
                self.as_owner(Operation { function: Function::Release, key, argument: Value::Null });
            self.perform(&release, when, interrupt.as_mut()).await;
        }
    }

    /// Whether a new process of it reads every log from offset 0 on; a consumer of Maelstrom begins behind what was committed.
    pub(crate) fn reads_from_beginning(&self) -> bool {
        self.shared.adapter.is_described()
    }

    /// Reads logs from their beginning with its next poll, if its processes do that.
    pub(crate) fn begin_anew(&mut self) {
        if self.reads_from_beginning() {
            self.become_another();
        }
    }

    /// Goes to another replica; stays connected if it is there already.
    pub(crate) fn turn_to(&mut self, target: usize) {
        if target != self.target {
            self.target = target;
            self.speaker.disconnect();
        }
    }

    /// Carries out one operation at the client's present replica, and records it.
    pub(crate) async fn perform(
        &mut self,
        operation: &Operation,
        when: When,
        interrupt: Interrupt<'_>,
    ) -> Ending {
        let shared = Arc::clone(&self.shared);
        let turns = shared.turns.get().filter(|_| when.phase == Phase::Load);
        if let Some(turns) = turns {
            turns.admit(self.number).await;
        }
        shared.progress.begin();
        self.written.extend(operation.written_keys().filter_map(LoadSpec::key_number));
        shared.recorder.record(self.invocation(operation, when));
        (self.asked, self.stands_by) = (self.target, false);
        if let Some(turns) = turns {
            turns.depart(self.number).await;
        }
        let mut sent = false;
        let happened = tokio::select! {
            biased;
            () = interrupt => None,
            answered = timeout(shared.timeout, self.exchange(operation, when.phase, &mut sent)) => Some(answered),
        };
        if let Some(turns) = turns {
            turns.receive(self.number).await;
        }
        let happened = match (happened, sent) {
            (Some(Ok(happened)), _) => happened,
            (Some(Err(_)), true) => Happened::Timeout,
            (Some(Err(_)), false) => self.speaker.unsent(),
            (None, true) => Happened::Cancelled,
            (None, false) => Happened::NotSent,
        };
        let ending = serving::without_probes(operation, ending(operation, happened));
        // With `retry` another replica than the first may have answered; without it, the first one named another.
        let answered = shared.retry.is_none() || !matches!(ending.outcome, Outcome::Info { .. });
        let elsewhere = answered && self.target != self.asked;
        let node = elsewhere.then(|| shared.targets[self.target].name.clone());
        shared.recorder.record(Event { node, ..self.completion(operation, &ending.outcome) });
        shared.progress.end(&ending.outcome);
        match ending.outcome {
            Outcome::Info { .. } => self.become_another(),
            Outcome::Ok(_) | Outcome::Fail { .. } => {}
        }
        ending
    }

    /// After an unknown outcome: a new process number, a new client id, and no connection on which the
    /// old answer could still arrive.
    fn become_another(&mut self) {
        self.process += u64::from(self.shared.clients);
        self.name = self.shared.command_name(self.process);
        self.speaker.disconnect();
    }

    /// Sends the command; with `retry` again and again, each time to the next replica, until one of them
    /// gives an answer that is true of the command and not just of this attempt. A final read is sent once, for it is
    /// about the replica that it is sent to.
    async fn exchange(&mut self, operation: &Operation, phase: Phase, sent: &mut bool) -> Happened {
        self.name.sequence += 1;
        let pause = self.shared.retry.filter(|_| phase != Phase::Final);
        let Some(pause) = pause else { return self.attempt_and_follow(operation, phase, sent).await };
        loop {
            let maybe_applied = *sent;
            match timeout(pause, self.attempt(operation, sent)).await {
                Ok(Happened::Answered(answer)) if answer.is_last_word(maybe_applied) => {
                    return Happened::Answered(answer);
                }
                Ok(Happened::Answered(Answer::NotApplied | Answer::Standby)) => *sent = maybe_applied,
                Ok(_) | Err(_) => {}
            }
            self.speaker.disconnect();
            self.target = (self.target + 1) % self.shared.targets.len();
            sleep(pause.min(ERROR_PAUSE)).await;
        }
    }

    /// Asks the client's present replica, and where that names another one that takes the operation, that one. A final
    /// read is about the replica that it is sent to, and goes nowhere else.
    async fn attempt_and_follow(&mut self, operation: &Operation, phase: Phase, sent: &mut bool) -> Happened {
        for _ in 0..REDIRECTIONS {
            let happened = self.attempt(operation, sent).await;
            let Happened::Answered(Answer::Elsewhere(to)) = &happened else { return happened };
            match self.shared.target_named(to) {
                Some(target) if phase != Phase::Final && target != self.target => self.turn_to(target),
                Some(_) | None => {
                    self.stands_by |= self.target == self.asked;
                    return happened;
                }
            }
            *sent = false;
        }
        Happened::Answered(Answer::Standby)
    }

    /// Asks the client's present replica once. `sent` becomes true before bytes may leave.
    async fn attempt(&mut self, operation: &Operation, sent: &mut bool) -> Happened {
        let target = &self.shared.targets[self.target];
        let happened = self.speaker.perform(target, operation, Some(&self.name), sent).await;
        self.stands_by |= self.target == self.asked && happened == Happened::Answered(Answer::Standby);
        happened
    }

    /// Remembers what the outcome says the key holds.
    fn observe(&mut self, key: u32, operation: &Operation, outcome: Outcome) {
        if let Some(value) = learned(operation, outcome) {
            self.observed.insert(key, value);
        }
    }

    /// The event that begins an operation.
    fn invocation(&self, operation: &Operation, when: When) -> Event {
        let node = self.shared.targets[self.target].name.clone();
        invocation((self.process, self.number), node, operation, when)
    }

    /// The event that ends an operation.
    fn completion(&self, operation: &Operation, outcome: &Outcome) -> Event {
        completion(self.process, operation, outcome)
    }
}

/// What an outcome says that the key holds.
pub(crate) fn learned(operation: &Operation, outcome: Outcome) -> Option<Value> {
    match (outcome, operation.function) {
        (Outcome::Ok(value), Function::Read | Function::Get) => Some(value),
        (Outcome::Ok(_), Function::Write | Function::Put) => Some(operation.argument.clone()),
        (Outcome::Ok(_), Function::Cas) => Some(operation.argument[1].clone()),
        (Outcome::Ok(_), Function::Delete | Function::Release) => Some(Value::Null),
        (Outcome::Fail { actual: Some(actual), .. }, Function::Cas) => Some(actual),
        // A lock that it may have is given back like one that it has.
        (Outcome::Ok(_) | Outcome::Info { .. }, Function::Acquire) => Some(Value::Bool(true)),
        (Outcome::Fail { error: Some(error), .. }, Function::Release) if error == "precondition" => {
            Some(Value::Null)
        }
        // An append tells nothing of what was there before.
        (
            Outcome::Ok(_),
            Function::Append
            | Function::Txn
            | Function::Transfer
            | Function::Total
            | Function::Enqueue
            | Function::Dequeue
            | Function::Add
            | Function::Generate
            | Function::Echo
            | Function::Send
            | Function::Poll,
        )
        | (Outcome::Fail { .. } | Outcome::Info { .. }, _) => None,
    }
}

/// The event that begins an operation of a process and its client at a node.
pub(crate) fn invocation(
    (process, client): (u64, u32),
    node: String,
    operation: &Operation,
    when: When,
) -> Event {
    Event {
        client: Some(client),
        node: Some(node),
        intended: when.intended,
        phase: Some(when.phase),
        ..event(process, Kind::Invoke, operation, operation.argument.clone())
    }
}

/// The event that ends an operation of a process.
pub(crate) fn completion(process: u64, operation: &Operation, outcome: &Outcome) -> Event {
    match outcome {
        Outcome::Ok(result) => event(process, Kind::Ok, operation, result.clone()),
        Outcome::Fail { error, actual } => Event {
            error: error.clone(),
            actual: actual.clone(),
            ..event(process, Kind::Fail, operation, operation.argument.clone())
        },
        Outcome::Info { error } => Event {
            error: error.clone(),
            ..event(process, Kind::Info, operation, operation.argument.clone())
        },
    }
}

/// An event of a process.
fn event(process: u64, kind: Kind, operation: &Operation, value: Value) -> Event {
    Event {
        key: Some(operation.key.clone()).filter(|key| !key.is_empty()),
        value,
        ..Event::new(Process::Client(process), kind, operation.function.name())
    }
}

/// What came of a request outside of every history.
pub(crate) struct Probed {
    pub(crate) happened: Happened,
    /// What was answered, for people: `PUT /kv/bench-probe with 404 {"error":"no such path"}`.
    pub(crate) answer: Option<String>,
}

/// One request outside of every history: waits for an answer at most `limit`.
pub(crate) async fn probe(
    shared: &Shared,
    target: usize,
    operation: &Operation,
    name: &CommandName,
    limit: Duration,
) -> Probed {
    let mut speaker = shared.adapter.speaker();
    let mut sent = false;
    let asked = speaker.perform(&shared.targets[target], operation, Some(name), &mut sent);
    let happened = timeout(limit, asked).await.unwrap_or(Happened::Timeout);
    Probed { happened, answer: speaker.last_answer() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_named_in_many_ways() {
        let target = Target { name: "n2".to_owned(), address: ([10, 0, 0, 2], 6379).into(), spare: false };
        for said in ["n2", "10.0.0.2", "10.0.0.2:6379", "http://10.0.0.2:6379/kv", "MOVED 3999 10.0.0.2:6379"]
        {
            assert!(is_named(&target, said), "{said}");
        }
        for said in ["", "n1", "10.0.0.2:1", "10.0.0.2:6379 n3", "MOVED 10.0.0.2:6379 10.0.0.3:6379"] {
            assert!(!is_named(&target, said), "{said}");
        }
    }
}
