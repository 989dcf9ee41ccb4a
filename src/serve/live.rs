//! A run in progress: follows its history as it grows, and reports it as server-sent events.

use super::Server;
use super::answer::{Answered, Content, Trust, answer};
use super::route::not_found;
use bytes::Bytes;
use history::{Event, FaultEvent, Kind, Phase, Process};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;

/// The script of the page of a run in progress.
pub(super) const SCRIPT: &str = include_str!("live.js");

/// Interval of reads of the history.
const EVERY: Duration = Duration::from_millis(400);
/// Size of one read, in bytes.
const PIECE: u64 = 16 << 20;
/// The window over which the rate is measured, in nanoseconds.
const RATE_NS: u64 = 1_000_000_000;

/// The known state of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Progress {
    pub variant: String,
    pub phase: String,
    /// Seconds since the start of the run's clock.
    pub seconds: f64,
    pub ok: u64,
    pub fail: u64,
    pub info: u64,
    /// Operations in progress.
    pub open: u64,
    /// Successes in the last second.
    pub rate: usize,
    /// The faults in force.
    pub faults: Vec<String>,
    /// The verdict in a sentence, once there is one.
    pub verdict: Option<String>,
    /// Time since the last growth of the history, in seconds.
    pub silent_s: u64,
}

/// Follows the variants of a run, always the latest one.
pub(super) struct Follower {
    folder: PathBuf,
    variants: Vec<String>,
    /// The followed variant, the read position, and an incomplete last line.
    at: Option<usize>,
    offset: u64,
    rest: Vec<u8>,
    progress: Progress,
    faults: BTreeMap<u32, String>,
    recent: VecDeque<u64>,
}

impl Follower {
    pub(super) fn new(folder: PathBuf, variants: Vec<String>) -> Self {
        Self {
            folder,
            variants,
            at: None,
            offset: 0,
            rest: Vec::new(),
            progress: Progress::default(),
            faults: BTreeMap::new(),
            recent: VecDeque::new(),
        }
    }

    /// Reads new lines, and returns the current state.
    pub(super) fn look(&mut self) -> Progress {
        let there = |variant: &String| history_of(&self.folder, variant).is_file();
        let last = self.variants.iter().rposition(there);
        if last != self.at {
            let (folder, variants) = (std::mem::take(&mut self.folder), std::mem::take(&mut self.variants));
            *self = Self { at: last, ..Self::new(folder, variants) };
        }
        if let Some(variant) = self.at.and_then(|at| self.variants.get(at)).cloned() {
            let path = history_of(&self.folder, &variant);
            self.progress.variant = variant;
            // A file that cannot be read now may be readable later.
            let _ = self.read(&path);
            let changed = std::fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
            let age = changed.and_then(|changed| SystemTime::now().duration_since(changed).ok());
            self.progress.silent_s = age.map_or(0, |age| age.as_secs());
        }
        self.progress.faults = self.faults.values().cloned().collect();
        self.progress.verdict = verdict(&self.folder);
        self.progress.clone()
    }

    fn read(&mut self, path: &Path) -> std::io::Result<()> {
        let mut file = File::open(path)?;
        loop {
            file.seek(SeekFrom::Start(self.offset))?;
            let read = file.by_ref().take(PIECE).read_to_end(&mut self.rest)?;
            if read == 0 {
                return Ok(());
            }
            self.offset += read as u64;
            let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { continue };
            let rest = self.rest.split_off(end + 1);
            let lines = std::mem::replace(&mut self.rest, rest);
            for line in lines.split(|byte| *byte == b'\n') {
                // The first line is the header.
                if let Ok(event) = serde_json::from_slice::<Event>(line) {
                    self.take(&event);
                }
            }
        }
    }

    fn take(&mut self, event: &Event) {
        let progress = &mut self.progress;
        progress.seconds = event.time as f64 / 1e9;
        while self.recent.front().is_some_and(|time| time + RATE_NS < event.time) {
            self.recent.pop_front();
        }
        if event.process == Process::Nemesis {
            match FaultEvent::read(event) {
                Some(FaultEvent::Start(change)) => {
                    let label = change.label.clone().unwrap_or_else(|| change.kind.clone());
                    self.faults.insert(change.fault, label);
                }
                Some(FaultEvent::End(change)) => _ = self.faults.remove(&change.fault),
                Some(_) | None => {}
            }
        } else {
            match event.kind {
                Kind::Invoke => progress.open += 1,
                Kind::Ok => {
                    progress.ok += 1;
                    self.recent.push_back(event.time);
                }
                Kind::Fail => progress.fail += 1,
                Kind::Info => progress.info += 1,
            }
            if event.kind != Kind::Invoke {
                progress.open = progress.open.saturating_sub(1);
            }
        }
        if let Some(phase) = event.phase {
            let word = match phase {
                Phase::Warmup => "warm-up",
                Phase::Load => "load",
                Phase::Recovery => "recovery",
                Phase::Final => "final reads",
            };
            word.clone_into(&mut progress.phase);
        }
        progress.rate = self.recent.len();
    }
}

fn history_of(folder: &Path, variant: &str) -> PathBuf {
    folder.join(variant).join("history.jsonl")
}

fn verdict(folder: &Path) -> Option<String> {
    let text = std::fs::read(folder.join("verdict.json")).ok()?;
    let verdict: serde_json::Value = serde_json::from_slice(&text).ok()?;
    verdict["sentence"].as_str().map(str::to_owned)
}

/// The state of a run without a verdict; none for any other.
pub(super) fn snapshot(folder: &Path) -> Option<Progress> {
    if folder.join("verdict.json").is_file() {
        return None;
    }
    Some(Follower::new(folder.to_owned(), variants(folder)?).look())
}

fn variants(folder: &Path) -> Option<Vec<String>> {
    let plan = report::Plan::read(folder).ok()?;
    Some(plan.variants.into_iter().map(|variant| variant.name).collect())
}

/// The events of a run, until it has a verdict or the client disconnects.
pub(super) fn events(server: &Arc<Server>, path: &str) -> Answered {
    let Some(folder) = server.folder.find(path) else { return not_found() };
    let Some(variants) = variants(&folder) else { return not_found() };
    let (sender, receiver) = mpsc::channel(4);
    let mut follower = Follower::new(folder, variants);
    tokio::task::spawn_blocking(move || {
        loop {
            let progress = follower.look();
            let over = progress.verdict.is_some();
            let name = if over { "verdict" } else { "progress" };
            let data = serde_json::to_string(&progress).expect("our own types can be written as JSON");
            let event = Bytes::from(format!("event: {name}\ndata: {data}\n\n"));
            if sender.blocking_send(event).is_err() || over {
                return;
            }
            std::thread::sleep(EVERY);
        }
    });
    answer(hyper::StatusCode::OK, "text/event-stream", Trust::Own, Content::Pieces(receiver))
}
