//! The process between the bench and a program for Maelstrom: carries the lines of the program to the hub, and back.
//!
//! It is the process that the testbed starts, kills and pauses, with the program below it. Once the program has been
//! initialized, it listens at the address of the node, which shows that the node serves.

use crate::exit::Exit;
use crate::failure::Failure;
use nemesis::ProcessCommand;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

/// The subcommand of `bench maelstrom` that is a bridge.
pub(crate) const SUBCOMMAND: &str = "bridge";
/// The line of the hub that is for the bridge: the program was initialized.
pub(super) const SERVE: &[u8] = b"!serve\n";
/// The answer to whoever asks whether the node serves.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// What is added to a signal's number in an exit code, as shells have it.
const SIGNALLED: i32 = 128;

/// What a bridge needs to know.
#[derive(Debug, clap::Args)]
pub(crate) struct Bridge {
    /// The name of the node
    #[arg(long)]
    pub name: String,
    /// Where the hub listens
    #[arg(long)]
    pub hub: SocketAddr,
    /// The address of the node
    #[arg(long)]
    pub listen: SocketAddr,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub program: Vec<OsString>,
}

/// The command of a node with a bridge before its program.
///
/// # Errors
/// When this program cannot find itself.
pub(crate) fn before(
    command: ProcessCommand,
    name: &str,
    hub: SocketAddr,
    listen: SocketAddr,
) -> Result<ProcessCommand, Failure> {
    let own = std::env::current_exe()
        .map_err(|error| Failure::bench("bench", format!("this program cannot find itself: {error}")))?;
    let words =
        ["maelstrom", SUBCOMMAND, "--name", name, "--hub", &hub.to_string(), "--listen", &listen.to_string()];
    let mut args: Vec<OsString> = words.map(OsString::from).to_vec();
    args.push("--".into());
    args.push(command.program.into());
    args.extend(command.args);
    Ok(ProcessCommand { program: own, args, ..command })
}

/// Carries lines until the program has ended or the hub is gone.
///
/// # Errors
/// When the program cannot be started, or the hub cannot be reached.
pub(crate) fn run(arguments: &Bridge) -> Result<std::process::ExitCode, Failure> {
    let failed = |what: String| Failure::bench(&arguments.name, what);
    let hub = TcpStream::connect(arguments.hub)
        .map_err(|error| failed(format!("no connection to the bench: {error}")))?;
    // Messages are small, and each may be waited for.
    let _ = hub.set_nodelay(true);
    let (program, args) = arguments.program.split_first().expect("clap requires one");
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("{} cannot be started: {error}", program.display())))?;
    let (Some(input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed("the program has no standard input and output".to_owned()));
    };
    let broken = |error: std::io::Error| failed(format!("the connection to the bench broke: {error}"));
    let mut to_hub = hub.try_clone().map_err(broken)?;
    let from_hub = hub.try_clone().map_err(broken)?;
    writeln!(to_hub, "{}", arguments.name).map_err(broken)?;
    let listen = arguments.listen;
    std::thread::spawn(move || {
        carry_in(from_hub, input, listen);
        // Without the bench, nobody speaks with the program any more.
        std::process::exit(i32::from(Exit::Failed.code()));
    });
    // It ends with the program, or with the hub. The connection stays open: its end is that of this process.
    let _ = std::io::copy(&mut output, &mut to_hub);
    let status = child.wait().map_err(|error| failed(format!("its program is lost: {error}")))?;
    Ok(std::process::ExitCode::from(code(status)))
}

/// Carries lines of the hub to the program. A program that has closed its standard input misses them.
fn carry_in(from_hub: TcpStream, mut input: impl Write, listen: SocketAddr) {
    let mut lines = BufReader::new(from_hub);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        if line == SERVE {
            serve(listen);
        } else {
            let _ = input.write_all(&line).and_then(|()| input.flush());
        }
        line.clear();
    }
}

/// Answers whoever asks at the address of the node.
fn serve(listen: SocketAddr) {
    let listener = match TcpListener::bind(listen) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("error: the address of the node, {listen}, cannot be had: {error}");
            std::process::exit(i32::from(Exit::Failed.code()));
        }
    };
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || {
                // Whoever asks nothing needs no answer.
                if stream.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(ANSWER);
                }
            });
        }
    });
}

/// The exit code of the program; of one that a signal ended, as shells have it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
