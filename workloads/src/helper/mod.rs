//! Clients that speak through a helper: a program in any language, one process for each client.
//!
//! The bench writes a request as a line of JSON to the helper's standard input, and the helper writes the answer to its
//! standard output. A helper is trusted in what it says and in nothing else: whatever is no answer to the request leaves
//! the operation unknown, and a new process takes the helper's place.
//!
//! After a time-out the process stays. Each request has an id that its process never saw before, so a late answer names
//! an earlier request and is skipped; to start a new process after each time-out would cost most where time-outs are
//! frequent, during faults. Only a process that owes an answer for three time-outs is given up.
//!
//! Processes wait in a pool, because the probes before the load are made by clients of their own.

mod message;
mod process;
#[cfg(test)]
mod tests;

use crate::adapter::{Adapter, CommandName, HelperCounts, Performed, Speaker};
use crate::exchange::{Requesting, answer_in_words};
use crate::logs::LogClients;
use crate::maelstrom::MessageNetwork;
use crate::operation::{Function, Operation};
use crate::outcome::Happened;
use crate::requests::{ClientKind, ClientSpec, SqlClients, check_is_built_in, refuse};
use crate::session::Target;
use crate::single_steps::SingleSteps;
use crate::spec::{LoadSpec, SpecError, Workload};
use message::Language;
use process::{End, Log, Process};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The variables of the bench that the programs of others have too: helpers, and nodes of systems other than its own.
pub const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// Those variables that are set, with their values.
pub fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    INHERITED.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)))
}

/// A process that owes an answer for as many time-outs is given up.
const PATIENCE: u32 = 3;

/// Makes the command that starts a program with these arguments and only these variables. The program should end when its
/// standard input is closed, however busy it is.
pub type HelperCommand = fn(&str, &[String], &[(OsString, OsString)]) -> Command;

/// How the helpers of a load are started, and where they leave what they print.
#[derive(Debug, Clone)]
pub struct HelperStart {
    /// Makes the command of a helper.
    pub command: HelperCommand,
    /// The folder for what helpers print on standard error: `helper-1.log` is that of the first client.
    pub folder: PathBuf,
}

impl ClientSpec {
    /// Refuses what cannot be meant or done with this load; keys of this section begin with `client.`.
    pub fn check(&self, load: &LoadSpec) -> Result<(), SpecError> {
        match self.kind {
            ClientKind::Http | ClientKind::Resp => {
                self.refuse_keys_of_helpers()?;
                self.refuse_keys_of_databases()?;
                self.refuse_keys_of_maelstrom()?;
                self.table(load).map(drop)
            }
            ClientKind::Postgres | ClientKind::Mysql => {
                check_is_built_in(self.kind)?;
                self.refuse_keys_of_helpers()?;
                self.refuse_keys_of_maelstrom()?;
                refuse_keys(&[("client.headers", !self.headers.is_empty())], "is for kind = \"http\"")?;
                self.sql_table(load).map(drop)
            }
            ClientKind::Exec => {
                self.refuse_keys_of_maelstrom()?;
                self.check_helper(load)
            }
            ClientKind::Maelstrom => {
                self.refuse_keys_of_databases()?;
                self.check_maelstrom(load)
            }
        }
    }

    /// The clients that this section describes, for a load; those of kind maelstrom need a network of messages.
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    pub fn adapter(
        &self,
        load: &LoadSpec,
        start: HelperStart,
        network: Option<Arc<dyn MessageNetwork>>,
    ) -> Result<Box<dyn Adapter>, SpecError> {
        self.check(load)?;
        let adapter: Box<dyn Adapter> = match self.kind {
            ClientKind::Http | ClientKind::Resp => Box::new(Requesting::new(self.table(load)?)),
            ClientKind::Postgres | ClientKind::Mysql => Box::new(SqlClients::new(self.sql_table(load)?)),
            ClientKind::Exec => Box::new(HelperClients::new(self, load, start)),
            ClientKind::Maelstrom => return self.maelstrom_clients(load, network),
        };
        let has_transactions = !matches!(self.kind, ClientKind::Http | ClientKind::Resp);
        Ok(match load.workload {
            Workload::Kafka => Box::new(LogClients::new(adapter, load)),
            Workload::ListAppend if !has_transactions => Box::new(SingleSteps(adapter)),
            _ => adapter,
        })
    }

    pub(crate) fn refuse_keys_of_helpers(&self) -> Result<(), SpecError> {
        let given = [
            ("client.command", !self.command.is_empty()),
            ("client.functions", !self.functions.is_empty()),
            ("client.env", !self.env.is_empty()),
        ];
        refuse_keys(&given, "is for kind = \"exec\"")
    }

    fn refuse_keys_of_databases(&self) -> Result<(), SpecError> {
        let given = [
            ("client.user", self.user.is_some()),
            ("client.password", self.password.is_some()),
            ("client.database", self.database.is_some()),
            ("client.isolation", self.isolation.is_some()),
            ("client.setup", !self.setup.is_empty()),
            ("client.begin", !self.begin.is_empty()),
            ("client.txn", self.txn.is_some()),
        ];
        refuse_keys(&given, "is for kind = \"postgres\" and kind = \"mysql\"")
    }

    fn check_helper(&self, load: &LoadSpec) -> Result<(), SpecError> {
        self.refuse_tables("is not for kind = \"exec\"")?;
        if load.workload.probed().is_empty() {
            let able = Workload::ALL.into_iter().filter(|workload| !workload.probed().is_empty());
            let names: Vec<_> = able.map(Workload::name).collect();
            let what = format!("a helper has no workload {}; it has {}", load.workload, names.join(", "));
            return refuse("load.workload", what);
        }
        self.check_command(load)
    }

    /// Refuses tables of requests, with the reason.
    pub(crate) fn refuse_tables(&self, why: &str) -> Result<(), SpecError> {
        let given = [
            ("client.headers", !self.headers.is_empty()),
            ("client.read", self.read.is_some()),
            ("client.write", self.write.is_some()),
            ("client.cas", self.cas.is_some()),
            ("client.create", self.create.is_some()),
            ("client.answers", !self.answers.is_empty()),
            ("client.get", self.get.is_some()),
            ("client.put", self.put.is_some()),
            ("client.delete", self.delete.is_some()),
            ("client.append", self.append.is_some()),
            ("client.enqueue", self.enqueue.is_some()),
            ("client.dequeue", self.dequeue.is_some()),
            ("client.add", self.add.is_some()),
            ("client.generate", self.generate.is_some()),
            ("client.send", self.send.is_some()),
            ("client.poll", self.poll.is_some()),
            ("client.acquire", self.acquire.is_some()),
            ("client.release", self.release.is_some()),
        ];
        refuse_keys(&given, why)
    }

    /// The command of a helper, and whether its functions are enough for a load.
    fn check_command(&self, load: &LoadSpec) -> Result<(), SpecError> {
        self.refuse_keys_of_databases()?;
        if self.command.first().is_none_or(String::is_empty) {
            return refuse("client.command", "say which program, for example [\"python3\", \"client.py\"]");
        }
        if self.command.iter().any(|word| word.contains('\0')) {
            return refuse("client.command", "a command cannot have zero bytes");
        }
        for (name, text) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || text.contains('\0') {
                return refuse(format!("client.env.{name}"), "a variable cannot have this name or this text");
            }
        }
        let known = load.workload.functions();
        for (index, name) in self.functions.iter().enumerate() {
            if !known.iter().any(|function| function.name() == name) {
                let names: Vec<_> = known.iter().map(|function| function.name()).collect();
                let what =
                    format!("the workload {} has no \"{name}\"; it has {}", load.workload, names.join(", "));
                return refuse(format!("client.functions.{}", index + 1), what);
            }
        }
        if load.retry.is_some() {
            let what = "a helper is given no names of commands, so a system would apply one twice; remove it";
            return refuse("load.retry", what);
        }
        if !load.record {
            return refuse("load.record", "helpers are for loads that are recorded; remove it");
        }
        let mix =
            load.weights().map_err(|error| SpecError { field: format!("load.{}", error.field), ..error })?;
        let able = self.functions_of_helper(load.workload);
        for function in
            mix.into_iter().map(|(function, _)| function).chain(load.workload.probed().iter().copied())
        {
            if !able.contains(&function) {
                let what = format!(
                    "the helper has no \"{function}\"; add it to client.functions, or leave it out of load.mix"
                );
                return refuse("client.functions", what);
            }
        }
        Ok(())
    }

    /// What the helper can do.
    fn functions_of_helper(&self, workload: Workload) -> Vec<Function> {
        let known = workload.functions().iter().copied();
        if self.functions.is_empty() {
            let simple = workload.probed();
            let all = matches!(workload, Workload::ListAppend | Workload::RwRegister | Workload::Bank);
            return known.filter(|function| all || simple.contains(function)).collect();
        }
        known.filter(|function| self.functions.iter().any(|name| function.name() == name)).collect()
    }

    /// The mix of a load that names none: that of its workload, of the functions that the helper has. One that is not in
    /// that mix has weight 1.
    pub(crate) fn mix_of_helper(&self, workload: Workload) -> BTreeMap<String, u32> {
        let weight = |function: Function| {
            let usual = workload.default_mix().iter().find(|(usual, _)| *usual == function);
            usual.map_or(1, |(_, weight)| *weight)
        };
        let able = self.functions_of_helper(workload).into_iter();
        able.map(|function| (function.name().to_owned(), weight(function))).collect()
    }
}

/// Refuses the first key that is given, because it belongs to another kind of client.
pub(crate) fn refuse_keys(keys: &[(&str, bool)], why: &str) -> Result<(), SpecError> {
    match keys.iter().find(|(_, given)| *given) {
        Some((key, _)) => refuse(*key, format!("{key} {why}; remove it, or change the kind")),
        None => Ok(()),
    }
}

/// The clients of a load, each with a helper.
#[derive(Debug)]
pub(crate) struct HelperClients(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: String,
    args: Vec<String>,
    env: Vec<(OsString, OsString)>,
    start: HelperStart,
    language: Language,
    /// Helpers that no client uses now.
    idle: Mutex<Vec<Helper>>,
    /// How many helpers there are.
    helpers: AtomicUsize,
    counters: Counters,
}

/// How many processes were started, and how many given up, by the reason.
#[derive(Debug, Default)]
struct Counters {
    started: AtomicU64,
    exited: AtomicU64,
    nonsense: AtomicU64,
    silent: AtomicU64,
}

impl HelperClients {
    fn new(client: &ClientSpec, load: &LoadSpec, start: HelperStart) -> Self {
        let own = client.env.iter().map(|(name, text)| (name.into(), text.into()));
        let mut words = client.command.iter().cloned();
        let accounts = if load.workload == Workload::Bank { load.keys } else { 0 };
        Self(Arc::new(Shared {
            program: words.next().unwrap_or_default(),
            args: words.collect(),
            env: inherited().chain(own).collect(),
            start,
            language: Language {
                workload: load.workload,
                accounts: (0..accounts).map(LoadSpec::key_name).collect(),
                timeout: load.timeout,
            },
            idle: Mutex::default(),
            helpers: AtomicUsize::new(0),
            counters: Counters::default(),
        }))
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Helper>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn helper(&self) -> Helper {
        if let Some(helper) = self.idle().pop() {
            return helper;
        }
        let number = self.helpers.fetch_add(1, Relaxed) + 1;
        let log = Log::open(&self.start.folder.join(format!("helper-{number}.log")));
        let mut helper = Helper { log, process: None };
        // It starts while the system does. Where that fails, the first operation says so.
        if tokio::runtime::Handle::try_current().is_ok() {
            let _ = helper.start(self);
        }
        helper
    }

    fn patience(&self) -> Duration {
        self.language.timeout.saturating_mul(PATIENCE)
    }

    fn count(&self, end: &End) {
        let counter = match end {
            End::Exited(_) => &self.counters.exited,
            End::Nonsense(_) => &self.counters.nonsense,
            End::Silent => &self.counters.silent,
        };
        counter.fetch_add(1, Relaxed);
    }
}

impl Adapter for HelperClients {
    fn speaker(&self) -> Box<dyn Speaker> {
        let helper = Some(self.0.helper());
        Box::new(HelperSpeaker { shared: Arc::clone(&self.0), helper, last: None })
    }

    fn helpers(&self) -> Option<HelperCounts> {
        let Counters { started, exited, nonsense, silent } = &self.0.counters;
        let [started, exited, nonsense, silent] =
            [started, exited, nonsense, silent].map(|counter| counter.load(Relaxed));
        Some(HelperCounts { started, exited, nonsense, silent })
    }
}

/// A place for a process, with the file of what its processes print.
#[derive(Debug)]
struct Helper {
    log: Log,
    process: Option<Process>,
}

impl Helper {
    fn start(&mut self, shared: &Shared) -> io::Result<&mut Process> {
        let command = (shared.start.command)(&shared.program, &shared.args, &shared.env);
        let process = Process::start(command, &self.log)?;
        shared.counters.started.fetch_add(1, Relaxed);
        Ok(self.process.insert(process))
    }

    /// A process that can be asked: the one there is, or a new one.
    async fn ready(&mut self, shared: &Shared) -> io::Result<&mut Process> {
        if let Some(process) = &mut self.process
            && let Err(end) = process.settle(shared.patience()).await
        {
            shared.count(&end);
            self.process = None;
        }
        if self.process.is_none() {
            self.start(shared)?;
        }
        self.process.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Speaks for one client.
#[derive(Debug)]
struct HelperSpeaker {
    shared: Arc<Shared>,
    /// There until it is dropped.
    helper: Option<Helper>,
    last: Option<String>,
}

impl HelperSpeaker {
    async fn attempt(&mut self, target: &Target, operation: &Operation, sent: &mut bool) -> Happened {
        let Self { shared, helper: Some(helper), last } = self else { return Happened::NotSent };
        *last = None;
        let process = match helper.ready(shared).await {
            Ok(process) => process,
            Err(error) => {
                *last = Some(format!("was not asked: the helper cannot be started: {error}"));
                return Happened::NotSent;
            }
        };
        let request = shared.language.request(process.next_id(), operation, target);
        *sent = true;
        let asked = format!("a {}", operation.function);
        let end = match process.exchange(&request).await {
            Ok((reply, text)) => {
                *last = Some(answer_in_words(&asked, None, &text));
                match shared.language.answer(operation, &reply) {
                    Some(answer) => return Happened::Answered(answer),
                    None => End::Nonsense(text),
                }
            }
            Err(end) => end,
        };
        shared.count(&end);
        helper.process = None;
        match end {
            End::Exited(how) => {
                *last = Some(format!("gave no answer: the helper ended ({how})"));
                Happened::HelperExited
            }
            End::Nonsense(text) => {
                let wrote = answer_in_words(&asked, None, &text);
                *last = Some(format!("{wrote}, which is no answer to that"));
                Happened::HelperNonsense
            }
            End::Silent => Happened::Timeout,
        }
    }
}

impl Drop for HelperSpeaker {
    fn drop(&mut self) {
        self.shared.idle().extend(self.helper.take());
    }
}

impl Speaker for HelperSpeaker {
    fn perform<'a>(
        &'a mut self,
        target: &'a Target,
        operation: &'a Operation,
        _name: Option<&'a CommandName>,
        sent: &'a mut bool,
    ) -> Performed<'a> {
        Box::pin(self.attempt(target, operation, sent))
    }

    /// Nothing to do: the id of an old answer gives it away, and each request names its node.
    fn disconnect(&mut self) {}

    fn last_answer(&self) -> Option<String> {
        self.last.clone()
    }
}
