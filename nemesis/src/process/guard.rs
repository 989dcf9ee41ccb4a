//! A guard: a small process between the bench and a node, so that no process of the node outlives the bench.
//!
//! The problem: a bench that is killed cannot end its nodes, and a daemon leaves its parent, its group and its session
//! behind. The idea: each node is started by a guard, this program once more, which is a *child subreaper*: whatever
//! descends from it and loses its parent becomes its child, so it never loses anybody. The bench holds the other end
//! of its standard input. When that closes, the bench has gone, however it went, and the guard kills all it has.
//!
//! The guard does not reap the node's first process before the bench has heard of its end, so that until then its id
//! cannot be reused. Needs no rights; costs one more start of this program a node, and some 4 MB.

use super::command::ProcessCommand;
use super::family;
use crate::network::open_files_of_nodes;
use crate::reexec::{STAGE, again_as, may_start_again};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions, getrlimit,
    set_child_subreaper, setrlimit, waitid, waitpid,
};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// The part of the process between the bench and a node.
pub(crate) const GUARD: &str = "guard";
/// What stands in front of each line that a guard says.
const MARK: &str = "guard\t";
/// How long the guard waits between two looks for processes that it must end.
const PAUSE: Duration = Duration::from_millis(1);

/// A guard and what it says.
#[derive(Debug)]
pub(super) struct Guarded {
    /// The guard.
    pub(super) child: Child,
    /// The node's first process.
    pub(super) pid: u32,
    said: BufReader<ChildStdout>,
}

/// How the first process of a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// How many processes it had left behind, which the guard has killed.
    pub(super) left: usize,
}

/// Starts a node under a guard; `output` gets what both print.
pub(super) fn start(command: &ProcessCommand, output: File) -> io::Result<Guarded> {
    let mut guard = again_as(GUARD)?;
    command.set_environment(&mut guard, Some(STAGE));
    let mut child = guard
        .arg0("bench-guard")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(output)
        .process_group(0)
        .spawn()?;
    let (stdin, stdout) = (child.stdin.as_mut(), child.stdout.take());
    let mut said = BufReader::new(stdout.expect("its output was asked for"));
    let started = stdin.expect("its input was asked for").write_all(&order(command)).and_then(|()| {
        let line = line(&mut said)?.ok_or_else(|| io::Error::other("its guard said nothing"))?;
        started(&line)
    });
    match started {
        Ok(pid) => Ok(Guarded { child, pid, said }),
        Err(error) => {
            // Both fail only if it has ended by itself.
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

impl Guarded {
    /// Waits for the end of the node's first process; none if the guard was killed, and cannot tell.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        let line = line(&mut self.said).ok()??;
        let mut words = line.strip_prefix("ended\t")?.split('\t');
        let status = ExitStatus::from_raw(words.next()?.parse().ok()?);
        Some(Ended { status, left: words.next()?.parse().ok()? })
    }
}

/// The next line that the guard says, without its mark.
fn line(said: &mut BufReader<ChildStdout>) -> io::Result<Option<String>> {
    let mut line = String::new();
    while said.read_line(&mut line)? > 0 {
        if let Some((_, said)) = line.trim_end().split_once(MARK) {
            return Ok(Some(said.to_owned()));
        }
        line.clear();
    }
    Ok(None)
}

fn started(line: &str) -> io::Result<u32> {
    let failed = || io::Error::other(format!("its guard said: {line}"));
    match line.split_once('\t') {
        Some(("pid", pid)) => pid.parse().map_err(|_| failed()),
        Some(("error", code)) => Err(code.parse().map_or_else(|_| failed(), io::Error::from_raw_os_error)),
        Some(_) | None => Err(failed()),
    }
}

/// What a guard is to start: its length, then the part that this process plays, how many files a node may open, the
/// program and its arguments, each with a zero byte behind it.
fn order(command: &ProcessCommand) -> Vec<u8> {
    let stage = std::env::var_os(STAGE).filter(|_| command.inherit.is_none()).unwrap_or_default();
    let files = open_files_of_nodes().map_or_else(OsString::new, |files| files.to_string().into());
    let words = [stage.as_os_str(), files.as_os_str(), command.program.as_os_str()];
    let words = words.into_iter().chain(command.args.iter().map(OsString::as_os_str));
    let body: Vec<u8> = words.flat_map(|word| word.as_bytes().iter().copied().chain([0])).collect();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], &body].concat()
}

/// What the guard does, until the node's first process has ended and the bench has heard of it, or is gone.
pub(crate) fn serve() -> u8 {
    let say = |text: &str| {
        let mut stdout = io::stdout().lock();
        // The bench may be gone.
        let _ = stdout.write_all(format!("\n{MARK}{text}\n").as_bytes()).and_then(|()| stdout.flush());
    };
    let first = match set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(io::Error::from)
        .and_then(|()| spawn(&read_order()?))
    {
        Ok(first) => first,
        Err(error) => {
            say(&format!("error\t{}", error.raw_os_error().unwrap_or(libc::EINVAL)));
            return 1;
        }
    };
    say(&format!("pid\t{}", first.as_raw_nonzero()));
    let bench = std::thread::Builder::new().name("bench".to_owned()).spawn(move || {
        wait_for_hang_up();
        end_all(first, true);
        std::process::exit(0);
    });
    let status = wait_for(first);
    let left = end_all(first, false);
    say(&format!("ended\t{status}\t{left}"));
    // It exits when the bench has heard of the end.
    let _ = bench.map(std::thread::JoinHandle::join);
    0
}

fn read_order() -> io::Result<Vec<OsString>> {
    // Nothing may be read ahead: what comes behind the order is for the node.
    let mut stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut length = [0; 4];
    stdin.read_exact(&mut length)?;
    let mut body = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap_or_default()];
    stdin.read_exact(&mut body)?;
    body.pop();
    Ok(body.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect())
}

fn spawn(order: &[OsString]) -> io::Result<Pid> {
    let [stage, files, program, args @ ..] = order else { return Err(io::ErrorKind::InvalidInput.into()) };
    if let Some(files) = files.to_str().and_then(|files| files.parse().ok()) {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum })?;
    }
    let mut command = Command::new(program);
    command.args(args).process_group(0).stdout(io::stderr().as_fd().try_clone_to_owned()?);
    if stage.as_os_str() == OsStr::new("") {
        command.env_remove(STAGE);
    } else {
        command.env(STAGE, stage);
    }
    let child = command.spawn()?;
    Ok(i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .expect("the system gives processes positive ids"))
}

/// Waits until the bench has closed the other end of standard input.
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

/// Waits until the first process has ended, and reaps all others; gives how it ended, as `wait` has it.
pub(super) fn wait_for(first: Pid) -> i32 {
    loop {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        match waitid(WaitId::All, look) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return 0,
        }
        if let Ok(Some(status)) = waitid(WaitId::Pid(first), look | WaitIdOptions::NOHANG) {
            return raw(&status);
        }
        reap_but(first);
    }
}

fn raw(status: &WaitIdStatus) -> i32 {
    let core = if status.dumped() { 0x80 } else { 0 };
    match (status.exit_status(), status.terminating_signal()) {
        (Some(exit), _) => (exit & 0xff) << 8,
        (None, Some(signal)) => signal | core,
        (None, None) => 0,
    }
}

/// Reaps the children that have ended but for one.
fn reap_but(first: Pid) {
    let own = std::process::id();
    for pid in family::children(own) {
        if pid != first.as_raw_nonzero().get().cast_unsigned()
            && let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
        {
            // It fails only where it has not ended.
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// Kills every process below this one, with or without the first, until none is left; says how many there were.
pub(super) fn end_all(first: Pid, with_first: bool) -> usize {
    let own = std::process::id();
    let mut killed = 0;
    if with_first {
        // It fails only where it has ended.
        let _ = rustix::process::kill_process(first, Signal::KILL);
    }
    loop {
        reap_but(first);
        if family::below(own).is_empty() {
            return killed;
        }
        killed = killed.max(family::signal_below(own, Signal::KILL));
        std::thread::sleep(PAUSE);
    }
}

/// Whether no process of a node, daemons included, can outlive the bench here; tried once, by a program that begins
/// with [`lab_entry`](crate::lab_entry). The error says why not.
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
        inherit: None,
        env: Vec::new(),
        output: "/dev/null".into(),
        data: None,
        clock: None,
    };
    let mut guarded = start(&command, File::options().write(true).open("/dev/null")?)?;
    let mut below = family::below(guarded.child.id());
    below.push(guarded.pid);
    // To wait for it closes its input first, as the end of the bench does.
    guarded.child.wait()?;
    Ok(!below.into_iter().any(family::lives))
}
