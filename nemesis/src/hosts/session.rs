//! A session of the user's own `ssh` to a host: copies this program there and starts it as the agent.
//!
//! One session carries everything, so the user authenticates once for each host. A shell on the host receives the
//! program and removes the folder when the program does not start, or has ended.

use super::error::HostError;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Options behind the user's own, whose values prevail.
const OPTIONS: [&str; 9] = [
    "-T",
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=10",
    "-o",
    "ServerAliveInterval=2",
    "-o",
    "ServerAliveCountMax=3",
];
/// The beginning of each line of the shell. A profile may print lines of its own before.
const MARK: &str = "bench-host";
/// Longest wait for a line of the shell.
const SHELL_WITHIN: Duration = Duration::from_secs(60);
/// The number of kept lines of standard error.
const LAST_WORDS: usize = 20;

/// A host, as a spec names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAddress {
    /// The destination for `ssh`: `user@host`, or an alias of its configuration.
    pub destination: String,
    /// The address for nodes and clients; that of the destination when left out.
    pub address: Option<Ipv4Addr>,
    /// The program `ssh` with its options.
    pub ssh: Vec<String>,
}

/// An open session.
pub(super) struct Session {
    pub(super) child: Child,
    pub(super) stdin: ChildStdin,
    /// The lines of the agent.
    pub(super) lines: Receiver<String>,
    /// The temporary folder on the host.
    pub(super) folder: PathBuf,
    pub(super) words: LastWords,
}

/// The last lines of standard error.
#[derive(Debug, Clone, Default)]
pub(super) struct LastWords(Arc<Mutex<Vec<String>>>);

impl LastWords {
    fn follow(&self, from: impl Read + Send + 'static) {
        let words = Arc::clone(&self.0);
        // Without the thread, errors lack a reason.
        let _ = std::thread::Builder::new().name("ssh-errors".to_owned()).spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
                if !line.is_empty() {
                    words.push(line);
                }
                if words.len() > LAST_WORDS {
                    words.remove(0);
                }
            }
        });
    }

    /// The lines, or a sentence without any.
    pub(super) fn in_words(&self) -> String {
        // The last line may arrive a moment after the end of the output.
        std::thread::sleep(Duration::from_millis(50));
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if words.is_empty() {
            "ssh ended without a message; the network between may be interrupted".to_owned()
        } else {
            words.join(" / ")
        }
    }
}

impl HostAddress {
    /// `ssh` with the options, in a process group of its own: Ctrl-C is for the bench.
    fn command(&self) -> Result<Command, HostError> {
        let (program, options) =
            self.ssh.split_first().ok_or_else(|| self.unusable("no ssh program is given".to_owned()))?;
        let mut command = Command::new(program);
        command.args(options).args(OPTIONS).process_group(0);
        Ok(command)
    }

    pub(super) fn unusable(&self, reason: String) -> HostError {
        HostError::Unusable { host: self.destination.clone(), reason }
    }

    fn no_ssh(&self, error: &io::Error) -> HostError {
        let program = self.ssh.first().map_or("ssh", String::as_str);
        self.unusable(format!(
            "`{program}` cannot be started: {error}; install OpenSSH, or correct cluster.ssh"
        ))
    }

    /// The address for nodes and clients: the given one, or that of the destination in the configuration of `ssh`.
    ///
    /// # Errors
    /// When there is none.
    pub fn resolve(&self) -> Result<Ipv4Addr, HostError> {
        if let Some(address) = self.address {
            return Ok(address);
        }
        let asked = self.command()?.args(["-G", "--", &self.destination]).output();
        let asked = asked.map_err(|error| self.no_ssh(&error))?;
        let settings = String::from_utf8_lossy(&asked.stdout);
        let Some(name) = settings.lines().find_map(|line| line.strip_prefix("hostname ")) else {
            let said = String::from_utf8_lossy(&asked.stderr).trim().to_owned();
            return Err(self.unusable(format!("`ssh -G` prints no hostname: {said}")));
        };
        let found = (name.trim(), 22).to_socket_addrs().map_err(|error| {
            self.unusable(format!(
                "its name {name} has no address here ({error}); give one: {{ ssh = \"{}\", address = \"10.0.0.1\" }}",
                self.destination
            ))
        })?;
        let ipv4 = |address: std::net::SocketAddr| match address.ip() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        };
        found.into_iter().find_map(ipv4).ok_or_else(|| {
            self.unusable(format!(
                "{name} has no IPv4 address; give one: {{ ssh = …, address = \"10.0.0.1\" }}"
            ))
        })
    }

    /// Opens a session and starts the agent.
    pub(super) fn open(&self) -> Result<Session, HostError> {
        let program =
            own_program().map_err(|error| self.unusable(format!("this program cannot be read: {error}")))?;
        let script = in_shell(&script(program.len()));
        let mut child = self
            .command()?
            .args(["--", &self.destination, &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| self.no_ssh(&error))?;
        let words = LastWords::default();
        words.follow(child.stderr.take().expect("its standard error is piped"));
        let lines = lines_of(child.stdout.take().expect("its output is piped"));
        let stdin = child.stdin.take().expect("its input is piped");
        match self.hand_over(&program, stdin, &lines, &words) {
            Ok((stdin, folder)) => Ok(Session { child, stdin, lines, folder, words }),
            Err(error) => {
                // Both fail only if it has ended. The shell on the host removes its folder.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Copies the program over the session, until the agent starts.
    fn hand_over(
        &self,
        program: &[u8],
        mut stdin: ChildStdin,
        lines: &Receiver<String>,
        words: &LastWords,
    ) -> Result<(ChildStdin, PathBuf), HostError> {
        let ended = |_: io::Error| self.unusable(words.in_words());
        let greeting = self.marked(lines, words)?;
        let parts: Vec<&str> = greeting.splitn(3, ' ').collect();
        let [system, machine, folder] = parts[..] else {
            return Err(self.unusable(format!("its shell answered: {greeting}")));
        };
        let own = rustix::system::uname();
        let (own_system, own_machine) = (own.sysname().to_string_lossy(), own.machine().to_string_lossy());
        if system != own_system || machine != own_machine {
            return Err(self.unusable(format!(
                "it is {system} on {machine}, and this bench is built for {own_system} on {own_machine}; run a bench \
                 that is built for it"
            )));
        }
        stdin.write_all(b"copy\n").and_then(|()| stdin.write_all(program)).map_err(ended)?;
        stdin.flush().map_err(ended)?;
        self.marked(lines, words)?;
        Ok((stdin, PathBuf::from(folder)))
    }

    /// The next line of the shell, without its mark.
    fn marked(&self, lines: &Receiver<String>, words: &LastWords) -> Result<String, HostError> {
        loop {
            match lines.recv_timeout(SHELL_WITHIN) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(MARK) {
                        return Ok(rest.trim().to_owned());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    let reason = format!("its shell gave no answer within {SHELL_WITHIN:?}");
                    return Err(self.unusable(reason));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.unusable(why(&words.in_words()))),
            }
        }
    }

    /// Copies a program into a folder of the host.
    pub(super) fn copy(&self, from: &Path, to: &Path) -> Result<(), HostError> {
        let file = File::open(from).map_err(|error| self.unusable(format!("{}: {error}", from.display())))?;
        let script = in_shell("cat > \"$0\" && chmod 700 \"$0\"") + " " + &quoted(&to.to_string_lossy());
        let done = self
            .command()?
            .args(["--", &self.destination, &script])
            .stdin(file)
            .stdout(Stdio::null())
            .output()
            .map_err(|error| self.no_ssh(&error))?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr).trim().replace('\n', " / ");
        Err(self.unusable(format!("{} could not be copied: {said}", from.display())))
    }
}

/// A script for the login shell, which may be none of Bourne's.
fn in_shell(script: &str) -> String {
    format!("exec sh -c {}", quoted(script))
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The last words with a remedy, where there is one.
fn why(words: &str) -> String {
    let remedy = if words.contains("GLIBC") || words.contains("error while loading shared libraries") {
        "; its C library is older than that of this bench: use a bench that is built on the oldest host, or statically"
    } else if words.contains("ermission denied") && words.contains("/bench") {
        "; its folder for temporary files may not hold programs: set TMPDIR there"
    } else {
        ""
    };
    format!("{words}{remedy}")
}

/// The lines of an output, until it ends.
fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    // Without the thread the receiver is disconnected, like that of a session that ended.
    let _ = std::thread::Builder::new().name("ssh-lines".to_owned()).spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    lines
}

/// The bytes of this program.
fn own_program() -> io::Result<Vec<u8>> {
    std::fs::read("/proc/self/exe").or_else(|_| std::fs::read(std::env::current_exe()?))
}

/// The script for the shell of a host.
fn script(size: usize) -> String {
    [
        "d=$(mktemp -d \"${TMPDIR:-/tmp}/bench-XXXXXX\") || exit 9",
        "trap 'rm -rf \"$d\"' EXIT",
        "trap 'exit 9' HUP INT TERM",
        // A profile may have left a line without an end.
        "echo; echo \"bench-host $(uname -s) $(uname -m) $d\"",
        "read -r go || exit 9",
        &format!("head -c {size} > \"$d/bench\""),
        &format!("[ \"$(wc -c < \"$d/bench\")\" -eq {size} ] || exit 9"),
        "chmod 700 \"$d/bench\"",
        "\"$d/bench\" --version > /dev/null || exit 9",
        "echo bench-host ready",
        "BENCH_LAB=host-watchdog BENCH_HOST_FOLDER=\"$d\" \"$d/bench\"",
    ]
    .join("; ")
}
