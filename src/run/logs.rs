//! Follows the nodes' logs during a variant: searches the patterns of `[check]`, and copies the files.

use super::phases::EventSender;
use crate::failure::Failure;
use crate::recorder::FileRecorder;
use crate::spec::Spec;
use crate::systems::logs::{self, Change, Lines, Log, LogFile, Match, Piece, Search, copy_tail};
use crate::terminal::events::RunEventKind;
use history::{FaultEvent, LogCounts, LogLine, LogRule, Recorder};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Interval of reads, which bounds the delay between a line and its discovery.
const EVERY: Duration = Duration::from_millis(100);
/// Largest copy of a log file; of a larger file, the end is copied.
const COPY_MAX: u64 = 16 << 20;

/// Followed logs, until [`stop`](LogFollower::stop) is called or this is dropped.
#[derive(Debug)]
pub(super) struct LogFollower {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl LogFollower {
    /// Starts to follow every log, before the nodes start. None without patterns and files to copy.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn start(
        spec: &Spec,
        folder: &Path,
        recorder: &Arc<FileRecorder>,
        events: &EventSender,
    ) -> Result<Option<Self>, Failure> {
        let of = |rule, patterns: &'_ [String]| -> Vec<(LogRule, String)> {
            patterns.iter().map(|pattern| (rule, pattern.clone())).collect()
        };
        let check = &spec.check;
        let patterns = [of(LogRule::Never, &check.never), of(LogRule::Sometimes, &check.sometimes)].concat();
        if patterns.is_empty() && spec.cluster.logs.is_empty() {
            return Ok(None);
        }
        let search = Search::new(patterns.iter().map(|(rule, pattern)| (*rule, pattern.as_str())));
        let follow = |log: Log| Followed {
            file: LogFile::new(&log.path),
            lines: Lines::default(),
            marks: search.marks(),
            read_ns: 0,
            log,
        };
        let files = logs::of(&spec.cluster, folder).into_iter().map(follow).collect();
        let follower = Follower {
            templates: spec.cluster.logs.clone(),
            files,
            search,
            recorder: Arc::clone(recorder),
            events: events.clone(),
        };
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("logs".to_owned());
        let thread = thread.spawn(move || follower.run(&stopped));
        let thread =
            thread.map_err(|error| Failure::bench("logs", format!("no thread for them: {error}")))?;
        Ok(Some(Self { stop, thread }))
    }

    /// Reads the rest of the logs, records the counts, and copies the files.
    ///
    /// Called before the nodes stop, so that neither their shutdown messages nor lost disks in memory matter.
    ///
    /// # Errors
    /// When the thread panicked.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        drop(self.stop);
        let ended = tokio::task::spawn_blocking(|| self.thread.join()).await;
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Failure::bench("logs", "the thread that reads them panicked")),
        }
    }
}

/// One log and its read position.
struct Followed {
    log: Log,
    file: LogFile,
    lines: Lines,
    /// The patterns that the current line has matched.
    marks: Vec<bool>,
    /// The time of the last read with new bytes.
    read_ns: u64,
}

struct Follower {
    /// The log files as named in the spec.
    templates: Vec<String>,
    files: Vec<Followed>,
    search: Search,
    recorder: Arc<FileRecorder>,
    events: EventSender,
}

impl Follower {
    fn run(mut self, stopped: &Receiver<()>) {
        while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
            self.read();
        }
        self.read();
        for followed in &mut self.files {
            followed.end(&mut self.search, &self.recorder, &self.events);
        }
        if !self.search.is_empty() {
            let counts = LogCounts { patterns: self.search.counts(), absent: self.absent() };
            self.recorder.record(FaultEvent::Logs(counts).into());
        }
        self.copy();
    }

    fn read(&mut self) {
        for followed in &mut self.files {
            followed.read(&mut self.search, &self.recorder, &self.events);
        }
    }

    /// The log files of the spec that no node had.
    fn absent(&self) -> Vec<String> {
        let had = self.files.iter().filter(|followed| followed.file.was_there());
        let had: BTreeSet<usize> =
            had.filter_map(|followed| followed.log.extra.as_ref()).map(|(index, _)| *index).collect();
        let absent = self.templates.iter().enumerate().filter(|(index, _)| !had.contains(index));
        absent.map(|(_, template)| template.clone()).collect()
    }

    fn copy(&self) {
        for log in self.files.iter().map(|followed| &followed.log) {
            let Some((_, copy)) = &log.extra else { continue };
            if let Err(error) = copy_tail(&log.path, copy, COPY_MAX) {
                let note = format!("{} of {} could not be copied: {error}", log.shown, log.node);
                self.events.send(RunEventKind::Note(note));
            }
        }
    }
}

impl Followed {
    fn read(&mut self, search: &mut Search, recorder: &FileRecorder, events: &EventSender) {
        let Self { log, file, lines, marks, read_ns } = self;
        file.read(|change| {
            // The rest of a truncated line was read before.
            let bytes = match change {
                Change::Grew(bytes) => {
                    *read_ns = recorder.now_ns();
                    Some(bytes)
                }
                Change::Anew => None,
            };
            let tell = |found| tell(log, found, *read_ns, recorder, events);
            let mut take = |piece: Piece<'_>| search.search(piece, marks, tell);
            match bytes {
                Some(bytes) => lines.add(bytes, &mut take),
                None => lines.end(&mut take),
            }
        });
    }

    /// Also searches the last line, which has no end yet.
    fn end(&mut self, search: &mut Search, recorder: &FileRecorder, events: &EventSender) {
        let Self { log, lines, marks, read_ns, .. } = self;
        lines.end(|piece| search.search(piece, marks, |found| tell(log, found, *read_ns, recorder, events)));
    }
}

/// Records a matching line, and prints the first forbidden one.
fn tell(log: &Log, found: Match, at: u64, recorder: &FileRecorder, events: &EventSender) {
    let Match { rule, pattern, line, is_first } = found;
    if rule == LogRule::Never && is_first {
        let text =
            format!("{} wrote \"{line}\" into {}, which never = \"{pattern}\" forbids", log.node, log.shown);
        events.send(RunEventKind::Broken(text));
    }
    let (targets, file) = (vec![log.node.clone()], log.shown.clone());
    recorder.record(FaultEvent::Log(LogLine { targets, rule, pattern, file, line, at }).into());
}
