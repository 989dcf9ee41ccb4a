//! Follows a variant's history while it is recorded, and stops the variant at its first violation.

use crate::run::judge::deadline;
use crate::terminal::events::{RunEvent, RunEventKind};
use crate::terminal::progress::Progress;
use checker::follow::{Follower, Progress as Followed, Violation};
use checker::limits::Limits;
use checker::linearizability::{Model, Verdict, check};
use checker::words;
use history::{Event, Phase, pair, read_jsonl};
use serde_json::Value;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

/// Interval of updates of the live line.
const SHOW_EVERY: Duration = Duration::from_millis(200);
/// Time for the file to contain an event that was seen.
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);
/// Time limit of the search for an order that explains a suspected violation after all.
const SEARCH_WITHIN: Duration = Duration::from_secs(10);
/// Limit of configurations in that search; one takes about 100 bytes.
const CONFIGURATIONS: usize = 1_000_000;

/// The parameters of a watch.
pub(crate) struct Watching {
    /// The model that the history must satisfy.
    pub(crate) model: Model,
    /// The history's file.
    pub(crate) file: PathBuf,
    /// Cancelled at the first violation; none to continue.
    pub(crate) halt: Option<CancellationToken>,
    /// The channel for the violation.
    pub(crate) events: UnboundedSender<RunEvent>,
    /// The display of the validated time.
    pub(crate) progress: Progress,
}

/// The thread that follows a history.
pub(crate) struct Watch(JoinHandle<Option<String>>);

impl Watch {
    /// Starts to follow the sent batches of events, until the sender is dropped.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(watching: Watching) -> io::Result<(Sender<Vec<Event>>, Self)> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("follower".to_owned())
            .spawn(move || watching.follow(&receiver))?;
        Ok((sender, Self(thread)))
    }

    /// Why the variant was stopped, if it was. Waits for the thread; the recorder must be finished.
    pub(crate) fn finish(self) -> Option<String> {
        self.0.join().expect("following a history does not panic")
    }
}

impl Watching {
    fn follow(&self, batches: &Receiver<Vec<Event>>) -> Option<String> {
        let mut follower = Follower::new(self.model);
        let mut shown = Instant::now();
        let mut load_start = None;
        loop {
            let batch = match batches.recv_timeout(SHOW_EVERY) {
                Ok(events) => events,
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return None,
            };
            let last = batch.iter().find(|event| {
                if event.phase == Some(Phase::Load) {
                    load_start.get_or_insert(event.time);
                }
                !follower.push(event)
            });
            if let Some(last) = last {
                return self.found(&follower.progress(), last, load_start);
            }
            if shown.elapsed() >= SHOW_EVERY {
                if let (Followed::Valid { until_ns }, Some(start)) = (follower.progress(), load_start) {
                    self.progress.valid_until(until_ns.saturating_sub(start));
                }
                shown = Instant::now();
            }
        }
    }

    /// Handles the end of following.
    fn found(&self, found: &Followed, last: &Event, load_start: Option<u64>) -> Option<String> {
        let violation = match found {
            Followed::Valid { .. } => return None,
            Followed::Lost { until_ns, .. } => {
                self.progress.valid_until(until_ns.saturating_sub(load_start.unwrap_or(0)));
                return None;
            }
            Followed::Violation(violation) => violation,
            Followed::Suspicion(violation) => {
                if !self.is_confirmed(violation) {
                    return None;
                }
                violation
            }
        };
        if let Some(halt) = &self.halt {
            halt.cancel();
        }
        let when = when(violation.time_ns, load_start);
        let on = violation.key.as_ref().map_or_else(String::new, |key| format!(" on key {key}"));
        let odd = if last.time == violation.time_ns { returned(last) } else { String::new() };
        let text = format!("no order of the operations{on} explains what completed {when}{odd}");
        let message = if self.halt.is_some() {
            format!("{text}; the variant stops here (--set check.stop-at-violation=false continues)")
        } else {
            text.clone()
        };
        let event = RunEvent {
            time_ns: violation.time_ns,
            tally: crate::recorder::Tally::default(),
            kind: RunEventKind::Broken(message),
        };
        let _ = self.events.send(event);
        self.halt.is_some().then_some(text)
    }

    /// Whether the history up to a suspected violation is invalid.
    fn is_confirmed(&self, violation: &Violation) -> bool {
        let begun = Instant::now();
        let mut events = loop {
            let bytes = std::fs::read(&self.file).unwrap_or_default();
            match read_jsonl(bytes.as_slice()) {
                Ok(history) if history.events.len() > violation.event => break history.events,
                Ok(_) | Err(_) if begun.elapsed() > WRITTEN_WITHIN => return false,
                Ok(_) | Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        events.truncate(violation.event + 1);
        let Ok(operations) = pair(&events) else { return false };
        let stop = deadline(SEARCH_WITHIN);
        let limits = Limits { stop: &*stop, configurations: CONFIGURATIONS, ..Limits::DEFAULT };
        matches!(check(&operations, self.model, &limits), Verdict::Invalid(_))
    }
}

/// A time for people: since the start of the load, as on the screen and in pictures.
fn when(time_ns: u64, load_start: Option<u64>) -> String {
    match load_start.and_then(|start| time_ns.checked_sub(start)) {
        Some(ns) => format!("{:.3} s after the load began", ns as f64 / 1e9),
        None => format!("{:.3} s after the run's start", time_ns as f64 / 1e9),
    }
}

/// The completed operation, in brackets.
fn returned(event: &Event) -> String {
    match &event.value {
        Value::Null if event.f == "read" || event.f == "get" => format!(" ({} → nothing)", event.f),
        Value::Null => format!(" ({})", event.f),
        value => format!(" ({} → {})", event.f, words::shown(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Watch, Watching};
    use crate::terminal::events::RunEventKind;
    use crate::terminal::progress::Progress;
    use checker::linearizability::Model;
    use history::{Event, Header, Kind, Process, write_event, write_header};
    use serde_json::{Value, json};
    use std::path::Path;
    use tokio::sync::mpsc::unbounded_channel;
    use tokio_util::sync::CancellationToken;

    fn event(time: u64, process: u64, kind: Kind, f: &str, value: Value) -> Event {
        let mut event = Event::new(Process::Client(process), kind, f);
        (event.time, event.value) = (time, value);
        event
    }

    /// Follows these events; returns why the variant was stopped, whether it was, and the reports.
    fn followed(file: &Path, recorded: &[Event], stop: bool) -> (Option<String>, bool, Vec<String>) {
        let halt = CancellationToken::new();
        let (events, mut heard) = unbounded_channel();
        let watching = Watching {
            model: Model::CasRegister,
            file: file.to_owned(),
            halt: stop.then(|| halt.clone()),
            events,
            progress: Progress::default(),
        };
        let (sender, watch) = Watch::start(watching).unwrap();
        for event in recorded {
            // It fails once the watch has ended, like the recorder's sender.
            let _ = sender.send(vec![event.clone()]);
        }
        drop(sender);
        let why = watch.finish();
        let mut reported = Vec::new();
        while let Ok(event) = heard.try_recv() {
            if let RunEventKind::Broken(text) = event.kind {
                reported.push(text);
            }
        }
        (why, halt.is_cancelled(), reported)
    }

    fn stale() -> Vec<Event> {
        vec![
            event(1, 0, Kind::Invoke, "write", json!(1)),
            event(2, 0, Kind::Ok, "write", json!(1)),
            event(3, 1, Kind::Invoke, "read", Value::Null),
            event(2_500_000_000, 1, Kind::Ok, "read", Value::Null),
        ]
    }

    #[test]
    fn violation_stops_the_variant_and_is_reported() {
        let (why, halted, reported) = followed(Path::new("nowhere"), &stale(), true);
        let expected = "no order of the operations explains what completed 2.500 s after the run's start (read → nothing)";
        assert_eq!((why.as_deref(), halted), (Some(expected), true));
        assert!(reported[0].contains("stop-at-violation=false"), "{reported:?}");
    }

    #[test]
    fn times_count_from_the_load() {
        let mut events = stale();
        events[2].phase = Some(history::Phase::Load);
        events[2].time = 500_000_000;
        let (why, ..) = followed(Path::new("nowhere"), &events, true);
        assert!(why.unwrap().contains("completed 2.000 s after the load began (read"));
    }

    #[test]
    fn violation_is_reported_without_stopping_too() {
        let (why, halted, reported) = followed(Path::new("nowhere"), &stale(), false);
        assert_eq!((why, halted, reported.len()), (None, false, 1));
    }

    #[test]
    fn valid_history_does_not_stop() {
        let (why, halted, reported) = followed(Path::new("nowhere"), &stale()[..3], true);
        assert_eq!((why, halted, reported.len()), (None, false, 0));
    }

    /// Many concurrent writes of few values, and a read of a value that was never written.
    #[test]
    fn suspicion_stops_the_variant_only_when_confirmed() {
        let mut events = Vec::new();
        for process in 0..12 {
            events.push(event(
                process,
                process,
                Kind::Invoke,
                "cas",
                json!([process % 3, (process + 1) % 3]),
            ));
        }
        events.push(event(20, 20, Kind::Invoke, "write", json!(0)));
        events.push(event(21, 20, Kind::Ok, "write", json!(0)));
        events.push(event(22, 20, Kind::Invoke, "read", Value::Null));
        events.push(event(23, 20, Kind::Ok, "read", json!(7)));
        for process in 0..12 {
            events.push(event(30 + process, process, Kind::Info, "cas", Value::Null));
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history.jsonl");
        let mut bytes = Vec::new();
        let header = Header {
            history: 1,
            spec: "t".into(),
            variant: "main".into(),
            model: "cas-register".into(),
            seed: 1,
            started: "2026-01-01T00:00:00Z".into(),
            initial: None,
            converted: None,
        };
        write_header(&mut bytes, &header).unwrap();
        for event in &events {
            write_event(&mut bytes, event).unwrap();
        }
        std::fs::write(&file, bytes).unwrap();
        let (why, halted, _) = followed(&file, &events, true);
        assert!(
            halted && why.is_some_and(|why| why.contains("completed 0.000 s after")),
            "a value that was never written was read"
        );
    }
}
