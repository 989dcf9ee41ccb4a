//! One process of a helper, and the pipes to it.

use super::message::Reply;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;

/// The longest line that is read.
const LINE_MAX: usize = 1 << 20;
/// How much of standard error is kept, of all processes of a client together.
const LOG_MAX: usize = 1 << 20;
/// How long a helper may start, until its first answer.
const STARTING: Duration = Duration::from_secs(30);
/// How long a helper whose input is closed may take to end.
const ENDING: Duration = Duration::from_secs(1);

/// Why a process is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// It ended by itself, in these words.
    Exited(String),
    /// It wrote this, which answers nothing that it was asked.
    Nonsense(Vec<u8>),
    /// It owed an answer for too long.
    Silent,
}

/// What it wrote.
#[derive(Debug)]
enum Line {
    Whole(Vec<u8>),
    /// The beginning of a line that has no end.
    TooLong(Vec<u8>),
}

/// The file for standard error of all processes of one client.
#[derive(Debug, Clone)]
pub(super) struct Log(Arc<Mutex<(Option<File>, usize)>>);

impl Log {
    /// Opens it; without a file nothing is kept.
    pub(super) fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path).ok();
        Self(Arc::new(Mutex::new((file, LOG_MAX))))
    }

    fn keep(&self, bytes: &[u8]) {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(file), left) = &mut *guard else { return };
        let kept = bytes.len().min(*left);
        // The recorder notices a full disk.
        let _ = file.write_all(&bytes[..kept]);
        if kept < bytes.len() {
            let _ = file.write_all(b"\n(the rest is left out)\n");
            guard.0 = None;
        } else {
            *left -= kept;
        }
    }
}

/// A process of a helper.
#[derive(Debug)]
pub(super) struct Process {
    child: Option<Child>,
    input: ChildStdin,
    lines: Receiver<Line>,
    /// The id of the last request.
    last: u64,
    /// The requests without an answer, and when they were made.
    owed: BTreeMap<u64, Instant>,
    /// Whether a request may have been written in part only.
    torn: bool,
    /// Whether it has answered anything.
    answered: bool,
}

impl Process {
    /// Starts it.
    pub(super) fn start(command: std::process::Command, log: &Log) -> io::Result<Self> {
        let mut command = Command::from(command);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let pipe = "its pipes were asked for";
        let input = child.stdin.take().expect(pipe);
        let (output, errors) = (child.stdout.take().expect(pipe), child.stderr.take().expect(pipe));
        // A helper that floods fills this, then the pipe, and then it waits.
        let (sender, lines) = mpsc::channel(4);
        tokio::spawn(read_lines(output, sender));
        tokio::spawn(keep_errors(errors, log.clone()));
        let owed = BTreeMap::new();
        Ok(Self { child: Some(child), input, lines, last: 0, owed, torn: false, answered: false })
    }

    /// Whether it can be asked. Reads what it wrote since the last answer: late answers are skipped.
    pub(super) async fn settle(&mut self, patience: Duration) -> Result<(), End> {
        loop {
            match self.lines.try_recv() {
                Ok(line) => self.accept(line).map(drop)?,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Err(self.exited().await),
            }
        }
        let patience = if self.answered { patience } else { patience.max(STARTING) };
        let overdue = self.owed.values().next().is_some_and(|since| since.elapsed() > patience);
        if self.torn || overdue { Err(End::Silent) } else { Ok(()) }
    }

    /// The id of the next request.
    pub(super) fn next_id(&self) -> u64 {
        self.last + 1
    }

    /// Writes the request with the next id and waits for its answer. The future may be dropped.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<(Reply, Vec<u8>), End> {
        self.last += 1;
        self.owed.insert(self.last, Instant::now());
        self.torn = true;
        if self.input.write_all(request).await.is_err() {
            return Err(self.exited().await);
        }
        self.torn = false;
        while let Some(line) = self.lines.recv().await {
            let (reply, text) = self.accept(line)?;
            if reply.id == self.last {
                return Ok((reply, text));
            }
        }
        Err(self.exited().await)
    }

    /// The answer in a line, if it is one to a request without one.
    fn accept(&mut self, line: Line) -> Result<(Reply, Vec<u8>), End> {
        let text = match line {
            Line::Whole(text) => text,
            Line::TooLong(text) => return Err(End::Nonsense(text)),
        };
        match Reply::read(&text).filter(|reply| self.owed.remove(&reply.id).is_some()) {
            Some(reply) => {
                self.answered = true;
                Ok((reply, text))
            }
            None => Err(End::Nonsense(text)),
        }
    }

    /// How it ended.
    async fn exited(&mut self) -> End {
        let Some(child) = &mut self.child else { return End::Exited("it is gone".to_owned()) };
        let status = timeout(ENDING, child.wait()).await;
        End::Exited(match status {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(_)) | Err(_) => "it closed its standard output".to_owned(),
        })
    }
}

impl Drop for Process {
    /// Its guard kills it when its input is closed; one without a guard is killed a little later.
    fn drop(&mut self) {
        if let (Some(mut child), Ok(runtime)) = (self.child.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                if timeout(ENDING, child.wait()).await.is_err() {
                    // It fails only where it has ended.
                    let _ = child.kill().await;
                }
            });
        }
    }
}

async fn read_lines(output: ChildStdout, lines: Sender<Line>) {
    let mut output = BufReader::new(output);
    loop {
        let mut text = Vec::new();
        let read = (&mut output).take(LINE_MAX as u64).read_until(b'\n', &mut text).await;
        let line = match read {
            Ok(_) if text.last() == Some(&b'\n') => Line::Whole(text),
            Ok(LINE_MAX) => Line::TooLong(text),
            // The end, perhaps after the beginning of a line.
            Ok(_) | Err(_) => return,
        };
        if lines.send(line).await.is_err() {
            return;
        }
    }
}

async fn keep_errors(mut errors: ChildStderr, log: Log) {
    let mut bytes = [0; 8192];
    while let Ok(length @ 1..) = errors.read(&mut bytes).await {
        log.keep(&bytes[..length]);
    }
}
