//! A guard: a process between the bench and a node, so that no process outlives the bench.
//!
//! Problem: a killed bench cannot end its nodes, and a daemon leaves its parent, its group and its session.
//!
//! Idea: a guard starts each node. The guard is this program again, as a *child subreaper*: a descendant that
//! loses its parent becomes a child of the guard. The bench holds the other end of the guard's standard input.
//! The kernel closes it when the bench ends for any reason, and the guard then kills all its descendants.
//!
//! A node may have several programs, which start and end together: when one ends, the guard ends the others. It
//! does so at once, unless the bench has requested the end of all: then it waits for them.
//!
//! Why it is right: the guard reaps the programs only after the bench has received their end, so no id is
//! reused before. Cost: no rights, one more start of this program per node, and about 4 MB.

use super::command::ProcessCommand;
use super::order::{Order, Program};
use super::{family, host};
use crate::network::open_files_of_nodes;
use crate::reexec::{STAGE, again_as, inside_lab, may_start_again};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions, getrlimit,
    set_child_subreaper, setrlimit, waitid, waitpid,
};
use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeReader, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The part of the process between the bench and a node.
pub(crate) const GUARD: &str = "guard";
/// The prefix of each line of a guard.
const MARK: &str = "guard\t";
/// Pause between two searches for processes to end.
const PAUSE: Duration = Duration::from_millis(1);
/// The message that the bench has requested the end of all programs.
const STOP: &str = "stop\n";
/// Number of pauses in which the guard waits for that message after one of several programs has ended.
const HEARING: u32 = 100;

/// A guard and its output.
#[derive(Debug)]
pub(super) struct Guarded {
    /// The guard.
    pub(super) child: Child,
    /// The process ids of the node's programs, its own first.
    pub(super) pids: Vec<u32>,
    output: BufReader<ChildStdout>,
}

/// The ends of a node's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// The index of the program that ended first.
    pub(super) first: usize,
    /// The exit status of each program.
    pub(super) statuses: Vec<ExitStatus>,
    /// Number of processes that outlived them, which the guard has killed.
    pub(super) left: usize,
}

/// Starts a node under a guard; `output` gets the output of the guard and of the node's own program.
pub(super) fn start(command: &ProcessCommand, output: File) -> io::Result<Guarded> {
    let mut guard = again_as(GUARD)?;
    command.inherit_environment(&mut guard, Some(STAGE));
    let mut child = guard
        .arg0("bench-guard")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(output)
        .process_group(0)
        .spawn()?;
    // The part of an agent on a host is not that of its nodes.
    let stage = std::env::var_os(STAGE).filter(|_| command.inherit.is_none() && inside_lab());
    let stage = stage.unwrap_or_default();
    let order = Order::of(command, stage, open_files_of_nodes());
    let (stdin, stdout) = (child.stdin.as_mut(), child.stdout.take());
    let mut lines = BufReader::new(stdout.expect("its output is piped"));
    let started = stdin.expect("its input is piped").write_all(&order.to_bytes()).and_then(|()| {
        let line = line(&mut lines)?.ok_or_else(|| io::Error::other("its guard ended without a report"))?;
        started(&line, &order)
    });
    match started {
        Ok(pids) => Ok(Guarded { child, pids, output: lines }),
        Err(error) => {
            // Both fail only if it has ended by itself.
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

impl Guarded {
    /// The guard's input: the guard ends when this is dropped.
    pub(super) fn take_control(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits for the end of the node's programs; none if the guard was killed and cannot report it.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        let line = line(&mut self.output).ok()??;
        let mut words = line.strip_prefix("ended\t")?.split('\t');
        let (first, left) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let statuses = words.map(|word| Some(ExitStatus::from_raw(word.parse().ok()?)));
        let statuses = statuses.collect::<Option<Vec<_>>>()?;
        (statuses.len() == self.pids.len() && first < statuses.len()).then_some(Ended {
            first,
            statuses,
            left,
        })
    }
}

/// Notifies a guard that the bench has requested the end of all programs, so that it waits for each.
pub(super) fn say_stop(control: &mut ChildStdin) -> io::Result<()> {
    control.write_all(STOP.as_bytes())
}

/// The next line of the guard, without its prefix.
fn line(output: &mut BufReader<ChildStdout>) -> io::Result<Option<String>> {
    let mut line = String::new();
    while output.read_line(&mut line)? > 0 {
        if let Some((_, message)) = line.trim_end().split_once(MARK) {
            return Ok(Some(message.to_owned()));
        }
        line.clear();
    }
    Ok(None)
}

/// The process ids that the guard reports.
fn started(line: &str, order: &Order) -> io::Result<Vec<u32>> {
    let failed = || io::Error::other(format!("its guard reported: {line}"));
    let words: Vec<&str> = line.split('\t').collect();
    match words[..] {
        ["pid", ref pids @ ..] if pids.len() == order.programs.len() => {
            pids.iter().map(|pid| pid.parse().map_err(|_| failed())).collect()
        }
        ["error", code, which] => {
            let error = code.parse().map_or_else(|_| failed(), io::Error::from_raw_os_error);
            let program = which.parse().ok().and_then(|which: usize| order.programs.get(which));
            Err(match program.filter(|program| program.output.is_some()) {
                Some(program) => io::Error::new(error.kind(), format!("{}: {error}", program.path.display())),
                None => error,
            })
        }
        _ => Err(failed()),
    }
}

/// The guard's work, until the programs have ended and the bench knows, or the bench has ended.
pub(crate) fn serve() -> u8 {
    let say = |text: &str| {
        let mut stdout = io::stdout().lock();
        // It fails if the bench has ended.
        let _ = stdout.write_all(format!("\n{MARK}{text}\n").as_bytes()).and_then(|()| stdout.flush());
    };
    // The programs read from the other end of this while the guard lives.
    let (programs, _held) = match start_all() {
        Ok(started) => started,
        Err((which, error)) => {
            end_all(&[], true);
            say(&format!("error\t{}\t{which}", error.raw_os_error().unwrap_or(libc::EINVAL)));
            return 1;
        }
    };
    let pids: Vec<String> = programs.iter().map(|pid| pid.as_raw_nonzero().to_string()).collect();
    say(&format!("pid\t{}", pids.join("\t")));
    let stopping = Arc::new(AtomicBool::new(false));
    let (theirs, stop_requested) = (programs.clone(), Arc::clone(&stopping));
    let bench = std::thread::Builder::new().name("bench".to_owned()).spawn(move || {
        listen_to_bench(&stop_requested);
        end_all(&theirs, true);
        std::process::exit(0);
    });
    let first = wait_for(&programs);
    end_others(&programs, &stopping);
    let left = end_all(&programs, false);
    let statuses = programs.iter().map(|pid| ended(*pid).unwrap_or_default().to_string());
    say(&format!("ended\t{first}\t{left}\t{}", statuses.collect::<Vec<_>>().join("\t")));
    // That thread exits when the bench has received the end.
    let _ = bench.map(std::thread::JoinHandle::join);
    0
}

/// Starts all programs, the helper programs first.
///
/// Returns their ids, that of the node's own program first, and the pipe that keeps their standard input open.
/// The error has the index of the failed program.
fn start_all() -> Result<(Vec<Pid>, io::PipeWriter), (usize, io::Error)> {
    let own = |error: io::Error| (0, error);
    set_child_subreaper(Some(rustix::process::getpid())).map_err(|error| own(error.into()))?;
    let order = Order::read(&mut direct_stdin().map_err(own)?).map_err(own)?;
    if let Some(name) = &order.host {
        host::take_name(name).map_err(own)?;
    }
    if let Some(files) = order.open_files {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum })
            .map_err(|error| own(error.into()))?;
    }
    let (input, held) = io::pipe().map_err(own)?;
    let mut pids = Vec::new();
    for (which, program) in order.programs.iter().enumerate().rev() {
        pids.push(spawn(&order, program, &input).map_err(|error| (which, error))?);
    }
    pids.reverse();
    Ok((pids, held))
}

/// Standard input without read-ahead.
fn direct_stdin() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

fn spawn(order: &Order, program: &Program, input: &PipeReader) -> io::Result<Pid> {
    let output: Stdio = match &program.output {
        Some(path) => File::options().create(true).append(true).open(path)?.into(),
        None => io::stderr().as_fd().try_clone_to_owned()?.into(),
    };
    let mut command = Command::new(&program.path);
    command.args(&program.args).process_group(0).stdin(input.try_clone()?).stdout(output);
    if let Some(path) = &program.output {
        command.stderr(File::options().append(true).open(path)?);
    }
    if order.stage.is_empty() {
        command.env_remove(STAGE);
    } else {
        command.env(STAGE, &order.stage);
    }
    command.envs(program.env.iter().map(|(name, value)| (name, value)));
    if let Some(user) = order.user {
        command.uid(user.uid).gid(user.gid);
    }
    let child = command.spawn()?;
    Ok(i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .expect("the system gives processes positive ids"))
}

/// Listens until the bench closes standard input, and records a requested end.
fn listen_to_bench(stopping: &AtomicBool) {
    let Ok(stdin) = direct_stdin() else { return };
    for line in BufReader::new(stdin).lines() {
        match line {
            Ok(line) if line.trim() == STOP.trim() => stopping.store(true, SeqCst),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// Handles the end of one program.
///
/// It waits for the others if the bench has requested the end of all, otherwise it kills them.
fn end_others(programs: &[Pid], stopping: &AtomicBool) {
    let rest = || programs.iter().copied().filter(|pid| ended(*pid).is_none()).collect::<Vec<_>>();
    if rest().is_empty() {
        return;
    }
    // The bench's message may arrive a moment after its signal.
    for _ in 0..HEARING {
        if stopping.load(SeqCst) {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    while stopping.load(SeqCst) && !rest().is_empty() {
        reap_but(programs);
        std::thread::sleep(PAUSE);
    }
    for pid in rest() {
        // Its descendants belong to it and do not count as left behind.
        family::signal_below(pid.as_raw_nonzero().get().cast_unsigned(), Signal::KILL);
        // It fails only if the process has ended.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
    while !rest().is_empty() {
        std::thread::sleep(PAUSE);
    }
}

/// Waits until the bench closes standard input.
pub(super) fn wait_for_hang_up() {
    let stdin = io::stdin();
    loop {
        let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
        match poll(&mut fds, None) {
            Ok(_) if fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) => return,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// Waits until one of these children has ended, and reaps all others; returns its index.
pub(super) fn wait_for(programs: &[Pid]) -> usize {
    loop {
        match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return 0,
        }
        if let Some(first) = programs.iter().position(|pid| ended(*pid).is_some()) {
            return first;
        }
        reap_but(programs);
    }
}

/// The wait status of a child; none while it lives. It is not reaped.
pub(super) fn ended(child: Pid) -> Option<i32> {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    waitid(WaitId::Pid(child), look).ok().flatten().map(|status| raw(&status))
}

fn raw(status: &WaitIdStatus) -> i32 {
    let core = if status.dumped() { 0x80 } else { 0 };
    match (status.exit_status(), status.terminating_signal()) {
        (Some(exit), _) => (exit & 0xff) << 8,
        (None, Some(signal)) => signal | core,
        (None, None) => 0,
    }
}

/// Reaps the ended children except these.
fn reap_but(programs: &[Pid]) {
    let own = std::process::id();
    for pid in family::children(own) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
            && !programs.contains(&pid)
        {
            // It fails only if the child has not ended.
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// Kills every descendant, with or without these programs; returns the number of the others.
pub(super) fn end_all(programs: &[Pid], with_them: bool) -> usize {
    let own = std::process::id();
    let mut killed = 0;
    for pid in programs.iter().filter(|_| with_them) {
        // It fails only if the process has ended.
        let _ = rustix::process::kill_process(*pid, Signal::KILL);
    }
    loop {
        reap_but(programs);
        if family::below(own).is_empty() {
            return killed;
        }
        killed = killed.max(family::signal_below(own, Signal::KILL));
        std::thread::sleep(PAUSE);
    }
}

/// Kills every descendant of this process.
pub(crate) fn end_descendants() {
    end_all(&[], true);
}

/// Whether every process of a node, daemons included, ends with the bench here.
///
/// It is probed once, by a program that begins with [`lab_entry`](crate::lab_entry). The error is the reason.
pub fn nodes_are_guarded() -> Result<(), String> {
    static FOUND: OnceLock<Result<(), String>> = OnceLock::new();
    may_start_again()?;
    FOUND
        .get_or_init(|| match try_it() {
            Ok(true) => Ok(()),
            Ok(false) => Err("processes of a node outlived its guard".to_owned()),
            Err(error) => Err(error.to_string()),
        })
        .clone()
}

fn try_it() -> io::Result<bool> {
    let command = ProcessCommand {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), "sleep 1000 & wait".into()],
        output: "/dev/null".into(),
        ..ProcessCommand::default()
    };
    let mut guarded = start(&command, File::options().write(true).open("/dev/null")?)?;
    let mut below = family::below(guarded.child.id());
    below.extend(&guarded.pids);
    // `wait` closes its input first, as the end of the bench does.
    guarded.child.wait()?;
    Ok(!below.into_iter().any(family::lives))
}
