//! Prints the events of a run in progress: phases, faults and their evidence.

use super::progress::Progress;
use super::story::Story;
use super::{BAD, FAINT, STRONG, Screen, human};
use crate::recorder::Tally;
use history::{Event, FaultEvent, NodeExit, Phase};
use report::brief_evidence;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// Number of shown characters of a fault's evidence.
const SHOWN: usize = 90;

/// An event of a run, with its time and the counts of operations.
#[derive(Debug, Clone)]
pub(crate) struct RunEvent {
    /// Nanoseconds since the run's start.
    pub time_ns: u64,
    /// Operations completed so far.
    pub tally: Tally,
    /// The kind of event.
    pub kind: RunEventKind,
}

/// The kind of event.
#[derive(Debug, Clone)]
pub(crate) enum RunEventKind {
    /// A phase begins, with its length if known.
    Began(Phase, Option<Duration>),
    /// A phase has ended.
    Ended(Phase),
    /// The nemesis recorded something.
    Fault(FaultNotice),
    /// A violation of the history, in words.
    Broken(String),
    /// Another remark, in words.
    Note(String),
    /// No event follows.
    Over,
}

/// A record of the nemesis.
#[derive(Debug, Clone)]
pub(crate) struct FaultNotice {
    /// The fault's number; none for an exit that the bench did not cause.
    pub fault: Option<u64>,
    /// Its time, in nanoseconds since the run's start; the evidence is collected later.
    pub at_ns: u64,
    /// Its kind.
    pub kind: String,
    /// Whether it starts, ends, or is an exit.
    pub stage: Stage,
    /// Its label.
    pub label: String,
    /// The nodes it hits.
    pub targets: Vec<String>,
    /// The evidence that it took effect.
    pub evidence: Vec<String>,
    /// A remark for the reader.
    pub note: Option<String>,
    /// The fault that excuses a node's end.
    pub excuse: Option<String>,
}

/// The stage of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is in force from now on.
    Start,
    /// It is healed.
    End,
    /// A node ended without a request of the bench.
    Exit,
}

impl FaultNotice {
    /// Parses an event of the nemesis; none for other events.
    pub(crate) fn read(event: &Event) -> Option<Self> {
        let (stage, change) = match FaultEvent::read(event)? {
            FaultEvent::Start(change) => (Stage::Start, change),
            FaultEvent::End(change) => (Stage::End, change),
            FaultEvent::Exit(exit) => return Some(Self::exit(event, exit)),
            FaultEvent::Gone(_)
            | FaultEvent::Log(_)
            | FaultEvent::Logs(_)
            | FaultEvent::Digests(_)
            | FaultEvent::Restarted(_) => return None,
        };
        let label = change.label;
        Some(Self {
            fault: Some(u64::from(change.fault)),
            at_ns: change.at.unwrap_or(event.time),
            label: label.unwrap_or_else(|| format!("{} {}", event.f, change.targets.join(" "))),
            kind: change.kind,
            stage,
            targets: change.targets,
            evidence: change.evidence,
            note: change.note,
            excuse: None,
        })
    }

    fn exit(event: &Event, exit: NodeExit) -> Self {
        Self {
            fault: None,
            at_ns: event.time,
            kind: event.f.clone(),
            stage: Stage::Exit,
            label: format!("{} {}", event.f, exit.targets.join(" ")),
            targets: exit.targets,
            evidence: exit.evidence,
            note: None,
            excuse: exit.excuse,
        }
    }

    /// The sentence about a node that ended.
    pub(crate) fn exit_in_words(&self) -> String {
        let who = self.targets.join(" ");
        match &self.excuse {
            Some(fault) => format!("{who} ended by itself, as it may after {fault}"),
            None => format!("{who} ended by itself"),
        }
    }

    /// The essential evidence in one line, with the file of the rest. Without evidence, the reason.
    pub(crate) fn shown(&self) -> String {
        let text = match (self.evidence.is_empty(), &self.note) {
            (false, _) => brief_evidence(&self.evidence),
            (true, Some(note)) => format!("no evidence: {note}"),
            (true, None) => "no evidence".to_owned(),
        };
        let all = self.evidence.is_empty() || text == self.evidence.join("; ");
        let short = text.chars().count() <= SHOWN;
        if short && all {
            return text;
        }
        let mut shown: String = text.chars().take(SHOWN).collect();
        shown.push_str(if short { "" } else { "…" });
        let in_table = self.stage == Stage::Start && !self.evidence.is_empty();
        let file = if in_table { "faults.csv" } else { "history.jsonl" };
        format!("{shown} (all of it in {file})")
    }
}

/// The name of a phase for people.
pub(crate) fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Warmup => "warm-up",
        Phase::Load => "load",
        Phase::Recovery => "recovery",
        Phase::Final => "final reads",
    }
}

/// Prints events until [`RunEventKind::Over`], in lines or as the story of a recovery.
pub(crate) async fn print_events(
    screen: Screen,
    progress: Progress,
    mut events: UnboundedReceiver<RunEvent>,
    mut story: Option<Story>,
) {
    let mut load_start = 0;
    while let Some(event) = events.recv().await {
        if let RunEventKind::Over = event.kind {
            return;
        }
        follow(&progress, &event.kind);
        if let RunEventKind::Began(Phase::Load, _) = event.kind {
            load_start = event.time_ns;
        }
        match &mut story {
            Some(story) => story.print(&screen, &event).await,
            None => plain(&screen, &event, load_start),
        }
    }
}

/// Updates the live line.
fn follow(progress: &Progress, kind: &RunEventKind) {
    match kind {
        RunEventKind::Began(phase, length) => progress.phase(phase_name(*phase), *length),
        RunEventKind::Fault(fault) => match (fault.stage, fault.fault) {
            (Stage::Start, Some(number)) => progress.fault_began(number, &fault.label),
            (Stage::End, Some(number)) => progress.fault_ended(number),
            (Stage::Exit, _) | (_, None) => {}
        },
        RunEventKind::Ended(_) | RunEventKind::Broken(_) | RunEventKind::Note(_) | RunEventKind::Over => {}
    }
}

fn plain(screen: &Screen, event: &RunEvent, load_start: u64) {
    match &event.kind {
        RunEventKind::Began(phase, Some(length)) => {
            screen.line(&format!("  {STRONG}{}{STRONG:#} {}", phase_name(*phase), human(*length)));
        }
        RunEventKind::Began(phase, None) => {
            screen.line(&format!("  {STRONG}{}{STRONG:#}", phase_name(*phase)));
        }
        RunEventKind::Ended(_) | RunEventKind::Over => {}
        RunEventKind::Fault(fault) => {
            let seconds = fault.at_ns.saturating_sub(load_start) as f64 / 1e9;
            let text = match fault.stage {
                Stage::Start => fault.label.clone(),
                Stage::End => format!("healed: {}", fault.label),
                Stage::Exit => fault.exit_in_words(),
            };
            screen.line(&format!("    {seconds:6.2} s  {text}  {FAINT}{}{FAINT:#}", fault.shown()));
        }
        RunEventKind::Broken(text) => screen.line(&format!("  {BAD}{text}{BAD:#}")),
        RunEventKind::Note(text) => screen.line(&format!("  {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{FaultNotice, Stage};
    use history::{Event, Kind, Process};
    use serde_json::json;

    #[test]
    fn nemesis_event_has_label_targets_and_evidence() {
        let mut event = Event::new(Process::Nemesis, Kind::Info, "kill");
        event.value = json!({"fault": 2, "event": "start", "targets": ["n2"], "planned": 5,
            "evidence": ["pid 7 ended by signal 9"], "label": "kill leader (n2)"});
        let fault = FaultNotice::read(&event).unwrap();
        assert_eq!(fault.stage, Stage::Start);
        assert_eq!((fault.fault, fault.label.as_str()), (Some(2), "kill leader (n2)"));
        assert_eq!(fault.shown(), "pid 7 ended by signal 9");
    }

    #[test]
    fn long_evidence_is_shortened_and_names_its_file() {
        let mut event = Event::new(Process::Nemesis, Kind::Info, "partition");
        let evidence =
            ["n1→n2, n2→n1: a probe got no answer in 100.0 ms", "n1→n2: 31 chunks (90 bytes) held"];
        event.value = json!({"fault": 1, "event": "start", "targets": ["n2"], "evidence": evidence});
        let mut fault = FaultNotice::read(&event).unwrap();
        let text = "probes unanswered on 2 links; 31 chunks held (all of it in faults.csv)";
        assert_eq!(fault.shown(), text);
        fault.stage = Stage::End;
        fault.evidence = vec!["word ".repeat(40)];
        assert!(fault.shown().ends_with("word word … (all of it in history.jsonl)"), "{}", fault.shown());
    }
}
