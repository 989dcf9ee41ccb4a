//! A small database with concurrent clients, sound or flawed in one known way.

use checker::transactions::Workload;
use history::{Operation, Outcome};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use serde_json::{Value, json};

/// How the database executes transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Each at one moment between its invocation and its completion.
    Serial,
    /// On a snapshot taken after the invocation; the first to commit a write wins.
    SnapshotIsolation,
    /// Each read sees what is committed just then; writes are committed together.
    ReadCommitted,
    /// On a snapshot, which commits over whatever happened since.
    LostUpdate,
    /// Serial, but transactions that only read see an old state.
    StaleReads,
    /// Serial, but some transactions fail and leave their writes behind.
    AbortedReads,
}

/// What the histories are like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) workload: Workload,
    pub(crate) mode: Mode,
    pub(crate) transactions: usize,
    pub(crate) clients: usize,
    /// Keys in use at the same time; a key is retired after `writes_per_key`.
    pub(crate) keys: u64,
    pub(crate) writes_per_key: u64,
    pub(crate) most_steps: usize,
    /// Percent of transactions that fail, and of those whose outcome stays unknown.
    pub(crate) fail: u32,
    pub(crate) info: u32,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Read(u64),
    Write(u64, u64),
}

type State = Vec<Vec<u64>>;

struct Open {
    operation: usize,
    plan: Vec<Step>,
    snapshot: Option<State>,
    done: Vec<Value>,
    outcome: Option<Outcome>,
}

struct Database {
    shape: Shape,
    rng: ChaCha8Rng,
    state: State,
    /// Earlier states, for reads that are stale.
    past: Vec<State>,
    /// By index: the key in use there, and how often it was written.
    in_use: Vec<(u64, u64)>,
    written: u64,
}

/// A history of the database.
pub(crate) fn run(shape: &Shape, seed: u64) -> Vec<Operation> {
    let mut database = Database {
        shape: *shape,
        rng: ChaCha8Rng::seed_from_u64(seed),
        state: vec![Vec::new(); usize::try_from(shape.keys).expect("few keys")],
        past: vec![],
        in_use: (0..shape.keys).map(|key| (key, 0)).collect(),
        written: 0,
    };
    let mut clients: Vec<(u64, Option<Open>)> =
        (0..shape.clients as u64).map(|client| (client, None)).collect();
    let mut operations: Vec<Operation> = Vec::new();
    let mut event = 0;
    loop {
        let client = database.rng.random_range(0..clients.len());
        let (process, open) = &mut clients[client];
        match open {
            None if operations.len() == shape.transactions => {
                if clients.iter().all(|(_, open)| open.is_none()) {
                    return operations;
                }
                continue;
            }
            None => {
                let plan = database.plan();
                let argument =
                    Value::from(plan.iter().map(|step| database.shown(step, None)).collect::<Vec<_>>());
                *open = Some(Open {
                    operation: operations.len(),
                    plan,
                    snapshot: None,
                    done: vec![],
                    outcome: None,
                });
                operations.push(begun(*process, event, argument));
            }
            Some(Open { operation, outcome: Some(outcome), .. }) => {
                let operation = &mut operations[*operation];
                operation.outcome = outcome.clone();
                if matches!(outcome, Outcome::Info { .. }) {
                    *process += shape.clients as u64;
                } else {
                    operation.completed = Some(event);
                    operation.completed_ns = Some(event as u64);
                }
                *open = None;
            }
            Some(open) => {
                database.go_on(open);
                continue;
            }
        }
        event += 1;
    }
}

fn begun(process: u64, event: usize, argument: Value) -> Operation {
    Operation {
        process,
        client: None,
        f: "txn".to_owned(),
        key: None,
        argument,
        outcome: Outcome::Info { error: None },
        invoked: event,
        completed: None,
        intended_ns: None,
        invoked_ns: event as u64,
        completed_ns: None,
        node: None,
        phase: None,
    }
}

impl Database {
    fn plan(&mut self) -> Vec<Step> {
        let steps = self.rng.random_range(1..=self.shape.most_steps);
        let mut plan: Vec<Step> = (0..steps).map(|_| self.step()).collect();
        if self.shape.mode == Mode::ReadCommitted {
            // A list read behind an own append, before the commit has decided where that stands, would contradict others.
            plan.sort_by_key(|step| matches!(step, Step::Write(..)));
        }
        plan
    }

    fn step(&mut self) -> Step {
        let index = self.rng.random_range(0..self.in_use.len());
        let (key, _) = self.in_use[index];
        if self.rng.random_bool(0.5) {
            return Step::Read(key);
        }
        self.written += 1;
        self.in_use[index].1 += 1;
        if self.in_use[index].1 == self.shape.writes_per_key {
            self.in_use[index] = (self.state.len() as u64, 0);
            self.state.push(Vec::new());
        }
        Step::Write(key, self.written)
    }

    fn shown(&self, step: &Step, read: Option<&[u64]>) -> Value {
        match (step, self.shape.workload) {
            (Step::Write(key, value), Workload::ListAppend) => json!(["append", key, value]),
            (Step::Write(key, value), Workload::RwRegister) => json!(["w", key, value]),
            (Step::Read(key), Workload::ListAppend) => json!(["r", key, read]),
            (Step::Read(key), Workload::RwRegister) => json!(["r", key, read.and_then(<[u64]>::last)]),
        }
    }

    /// Does a part of a transaction, or the whole, and decides its outcome at the end.
    fn go_on(&mut self, open: &mut Open) {
        match self.shape.mode {
            Mode::Serial | Mode::StaleReads | Mode::AbortedReads => self.at_once(open),
            Mode::SnapshotIsolation | Mode::LostUpdate => match open.snapshot.take() {
                None => open.snapshot = Some(self.state.clone()),
                Some(snapshot) => self.upon(open, &snapshot),
            },
            Mode::ReadCommitted => self.step_by_step(open),
        }
    }

    fn at_once(&mut self, open: &mut Open) {
        let reads_only = open.plan.iter().all(|step| matches!(step, Step::Read(_)));
        let mut old = None;
        if self.shape.mode == Mode::StaleReads {
            self.past.push(self.state.clone());
            if reads_only && self.rng.random_bool(0.3) {
                old = Some(self.past[self.rng.random_range(0..self.past.len())].clone());
            }
        }
        let (applied, outcome) = self.fate();
        open.done = self.executed(&open.plan, old.as_ref().unwrap_or(&self.state));
        if applied || (self.shape.mode == Mode::AbortedReads && self.rng.random_bool(0.5)) {
            self.apply(&open.plan);
        }
        open.outcome = Some(outcome(&open.done));
    }

    fn upon(&mut self, open: &mut Open, snapshot: &State) {
        let (mut applied, mut outcome) = self.fate();
        open.done = self.executed(&open.plan, snapshot);
        let before = |key: usize| snapshot.get(key).map_or(&[][..], Vec::as_slice);
        let written = written(&open.plan);
        if self.shape.mode == Mode::LostUpdate {
            for key in written.iter().filter(|_| applied) {
                self.state[*key] = before(*key).to_vec();
            }
        } else if written.iter().any(|key| self.state[*key] != before(*key)) {
            (applied, outcome) = (false, failed);
        }
        if applied {
            self.apply(&open.plan);
        }
        open.outcome = Some(outcome(&open.done));
    }

    fn step_by_step(&mut self, open: &mut Open) {
        if open.done.len() == open.plan.len() {
            let (applied, outcome) = self.fate();
            if applied {
                self.apply(&open.plan);
            }
            open.outcome = Some(outcome(&open.done));
            return;
        }
        let until = &open.plan[..=open.done.len()];
        let shown = self.executed(until, &self.state);
        open.done.push(shown[until.len() - 1].clone());
    }

    /// What the steps show upon a state, with their own writes behind what it holds.
    fn executed(&self, plan: &[Step], state: &State) -> Vec<Value> {
        let shown = plan.iter().enumerate().map(|(done, step)| {
            let Step::Read(key) = step else { return self.shown(step, None) };
            let held = state.get(index(*key)).map_or(&[][..], Vec::as_slice);
            let own = plan[..done].iter().filter_map(|step| match step {
                Step::Write(written, value) if written == key => Some(*value),
                Step::Write(..) | Step::Read(_) => None,
            });
            let read: Vec<u64> = held.iter().copied().chain(own).collect();
            self.shown(step, Some(&read))
        });
        shown.collect()
    }

    fn apply(&mut self, plan: &[Step]) {
        for step in plan {
            if let Step::Write(key, value) = step {
                self.state[index(*key)].push(*value);
            }
        }
    }

    /// Whether a transaction is applied, and what its client hears.
    fn fate(&mut self) -> (bool, fn(&[Value]) -> Outcome) {
        let roll = self.rng.random_range(0..100);
        if roll < self.shape.fail {
            (false, failed)
        } else if roll < self.shape.fail + self.shape.info {
            (self.rng.random_bool(0.5), |_| Outcome::Info { error: None })
        } else {
            (true, |done| Outcome::Ok(Value::from(done.to_vec())))
        }
    }
}

fn failed(_: &[Value]) -> Outcome {
    Outcome::Fail { error: None, actual: None }
}

fn written(plan: &[Step]) -> Vec<usize> {
    plan.iter()
        .filter_map(|step| match step {
            Step::Write(key, _) => Some(index(*key)),
            Step::Read(_) => None,
        })
        .collect()
}

fn index(key: u64) -> usize {
    usize::try_from(key).expect("few keys")
}
