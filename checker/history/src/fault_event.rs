//! What the bench writes into a history besides operations: starts and ends of faults, nodes that ended by themselves,
//! lines of logs, and digests of the nodes' states.
//!
//! Each is the `value` of one [`Event`] of [`Process::Nemesis`].

use super::event::{Event, Kind, Process};
use serde::{Deserialize, Serialize};

/// One record of the nemesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum FaultEvent {
    /// A fault is in force.
    Start(FaultChange),
    /// A fault is healed.
    End(FaultChange),
    /// A node ended by itself.
    Exit(NodeExit),
    /// A node stays down after everything was healed.
    Gone(NodeExit),
    /// A line of a log matched a pattern of `[check]`.
    Log(LogLine),
    /// The logs were searched to their end.
    Logs(LogCounts),
    /// The nodes were asked for digests of their states.
    Digests(Digests),
    /// The bench started a node again that had ended by itself.
    Restarted(NodeRestart),
}

/// The start or the end of a fault. Times are nanoseconds since the run's start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultChange {
    /// The word of its kind, for example `kill`; the `f` of the event.
    #[serde(skip)]
    pub kind: String,
    /// Its number in the plan.
    pub fault: u32,
    /// The nodes it hits.
    #[serde(default)]
    pub targets: Vec<String>,
    /// When it was planned.
    #[serde(default)]
    pub planned: Option<u64>,
    /// When it happened. The event itself comes later, because proving it takes time.
    #[serde(default)]
    pub at: Option<u64>,
    /// What proves it.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// What people read, for example `kill leader (n2)`.
    #[serde(default)]
    pub label: Option<String>,
    /// What a reader should know besides, such as why there is no evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// At the end: whether the healing was seen to work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healed: Option<bool>,
    /// At the end: whether anything that the system did met the fault; none for a fault that shows by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
}

/// The end of a node's process by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeExit {
    /// The node.
    #[serde(default)]
    pub targets: Vec<String>,
    /// How it ended, for example `exit code 101`, and what it printed last.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// The process id it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Which start of the node it was, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u32>,
    /// Why the node was free to end, for example `fault 3 (bit-flip)`; none if it had no reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excuse: Option<String>,
    /// Which restart of the node this end leads to, from 1, where the spec has the bench start it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<u32>,
}

/// The start of a node that had ended by itself, as the spec asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRestart {
    /// The node.
    pub targets: Vec<String>,
    /// Which restart of the node it is, from 1.
    pub restart: u32,
    /// The process that was started.
    pub evidence: Vec<String>,
}

/// What a pattern of `[check]` says about the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogRule {
    /// A line that matches is a violation.
    Never,
    /// Without a line that matches, the run proves too little.
    Sometimes,
}

impl LogRule {
    /// The key of the spec.
    pub fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Sometimes => "sometimes",
        }
    }
}

/// A line of a log that matched a pattern. Only the first lines of each pattern are recorded; [`LogCounts`] counts all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The node that wrote it.
    pub targets: Vec<String>,
    /// What the pattern says.
    pub rule: LogRule,
    /// The regular expression.
    pub pattern: String,
    /// The log file, from the node's folder of the results where it is in there.
    pub file: String,
    /// The line, or the part of it with the match where it is long.
    pub line: String,
    /// When it was read, in nanoseconds since the run's start; it was written at most a moment before.
    pub at: u64,
}

/// What the search of the logs found, from the start of the nodes until just before the bench stopped them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCounts {
    /// How many lines matched each pattern.
    #[serde(default)]
    pub patterns: Vec<LogCount>,
    /// The log files of the spec that no node had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
}

/// How many lines of all logs matched a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCount {
    /// What the pattern says.
    pub rule: LogRule,
    /// The regular expression.
    pub pattern: String,
    /// The number of lines.
    pub count: u64,
}

/// The answers of all nodes that were asked for a digest at the same time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// The nodes in the order of the plan.
    pub nodes: Vec<NodeDigest>,
}

/// What one node answered when it was asked for a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeDigest {
    /// The node.
    pub node: String,
    /// The position of the state, for example a revision; none where it gave no digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// A hash of its state at that position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Why there is no digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl NodeDigest {
    /// Its position and digest, where it gave both.
    pub fn state(&self) -> Option<(&str, &str)> {
        Some((self.position.as_deref()?, self.digest.as_deref()?))
    }
}

impl NodeExit {
    /// Whether the program returned as if all were well and left behind the process that does the work.
    pub fn left_a_daemon(&self) -> bool {
        let how = self.evidence.first().map_or("", String::as_str);
        how.starts_with("exit code 0;") && how.contains("left behind")
    }
}

impl FaultEvent {
    /// Reads a record of the nemesis; none if the event is something else.
    pub fn read(event: &Event) -> Option<Self> {
        if event.process != Process::Nemesis {
            return None;
        }
        let mut read = Self::deserialize(&event.value).ok()?;
        if let Self::Start(change) | Self::End(change) = &mut read {
            change.kind.clone_from(&event.f);
        }
        Some(read)
    }

    /// The end of a node that the bench did not kill; none if the event is something else.
    pub fn exit(self) -> Option<NodeExit> {
        match self {
            Self::Exit(exit) => Some(exit),
            Self::Start(_)
            | Self::End(_)
            | Self::Gone(_)
            | Self::Log(_)
            | Self::Logs(_)
            | Self::Digests(_)
            | Self::Restarted(_) => None,
        }
    }

    /// The end of a node that stays down after all faults; none if the event is something else.
    pub fn gone(self) -> Option<NodeExit> {
        match self {
            Self::Gone(exit) => Some(exit),
            Self::Start(_)
            | Self::End(_)
            | Self::Exit(_)
            | Self::Log(_)
            | Self::Logs(_)
            | Self::Digests(_)
            | Self::Restarted(_) => None,
        }
    }
}

impl From<FaultEvent> for Event {
    fn from(fault: FaultEvent) -> Self {
        let f = match &fault {
            FaultEvent::Start(change) | FaultEvent::End(change) => change.kind.clone(),
            FaultEvent::Exit(_) => "exit".to_owned(),
            FaultEvent::Gone(_) => "gone".to_owned(),
            FaultEvent::Log(_) => "log".to_owned(),
            FaultEvent::Logs(_) => "logs".to_owned(),
            FaultEvent::Digests(_) => "digests".to_owned(),
            FaultEvent::Restarted(_) => "restarted".to_owned(),
        };
        let mut event = Self::new(Process::Nemesis, Kind::Info, f);
        event.value =
            serde_json::to_value(fault).expect("a record of texts and numbers can be written as JSON");
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_fault_is_read_as_it_was_written() {
        let change = FaultChange {
            kind: "kill".to_owned(),
            fault: 2,
            targets: vec!["n2".to_owned()],
            planned: Some(5),
            at: Some(7),
            evidence: vec!["pid 7 ended by signal 9".to_owned()],
            label: Some("kill leader (n2)".to_owned()),
            ..FaultChange::default()
        };
        let start = FaultEvent::Start(change.clone());
        let event = Event::from(start.clone());
        let expected = json!({"fault": 2, "event": "start", "targets": ["n2"], "planned": 5, "at": 7,
            "evidence": ["pid 7 ended by signal 9"], "label": "kill leader (n2)"});
        assert_eq!((event.f.as_str(), &event.value), ("kill", &expected));
        assert_eq!(FaultEvent::read(&event), Some(start));
        let end = FaultEvent::End(FaultChange { healed: Some(true), met: Some(false), ..change });
        let event = Event::from(end.clone());
        assert_eq!((&event.value["healed"], &event.value["met"]), (&json!(true), &json!(false)));
        assert_eq!(FaultEvent::read(&event), Some(end));
    }

    #[test]
    fn an_exit_is_written_with_what_is_known() {
        let exit = NodeExit {
            targets: vec!["n1".to_owned()],
            evidence: vec!["signal 11".to_owned()],
            pid: Some(7),
            incarnation: Some(1),
            excuse: None,
            restart: None,
        };
        let event = Event::from(FaultEvent::Exit(exit));
        let expected = json!({"event": "exit", "targets": ["n1"], "evidence": ["signal 11"], "pid": 7,
            "incarnation": 1});
        assert_eq!((event.f.as_str(), event.value), ("exit", expected));
    }

    #[test]
    fn lines_of_logs_are_read_as_written() {
        let line = LogLine {
            targets: vec!["n1".to_owned()],
            rule: LogRule::Never,
            pattern: "panic".to_owned(),
            file: "output.log".to_owned(),
            line: "panic: x".to_owned(),
            at: 7,
        };
        let event = Event::from(FaultEvent::Log(line.clone()));
        let expected = json!({"event": "log", "targets": ["n1"], "rule": "never", "pattern": "panic",
            "file": "output.log", "line": "panic: x", "at": 7});
        assert_eq!((event.f.as_str(), &event.value), ("log", &expected));
        assert_eq!(FaultEvent::read(&event), Some(FaultEvent::Log(line)));
        let count = LogCount { rule: LogRule::Sometimes, pattern: "leader".to_owned(), count: 3 };
        let counts = FaultEvent::Logs(LogCounts { patterns: vec![count], absent: Vec::new() });
        let event = Event::from(counts.clone());
        let expected =
            json!({"event": "logs", "patterns": [{"rule": "sometimes", "pattern": "leader", "count": 3}]});
        assert_eq!((event.f.as_str(), &event.value), ("logs", &expected));
        assert_eq!(FaultEvent::read(&event), Some(counts));
    }

    #[test]
    fn restart_is_read_as_written() {
        let targets = vec!["n2".to_owned()];
        let evidence = vec!["new pid 7 (incarnation 2)".to_owned()];
        let restart = FaultEvent::Restarted(NodeRestart { targets, restart: 1, evidence });
        let event = Event::from(restart.clone());
        let expected = json!({"event": "restarted", "targets": ["n2"], "restart": 1,
            "evidence": ["new pid 7 (incarnation 2)"]});
        assert_eq!((event.f.as_str(), &event.value), ("restarted", &expected));
        assert_eq!(FaultEvent::read(&event), Some(restart));
    }

    #[test]
    fn digests_are_read_as_written() {
        let text = |text: &str| Some(text.to_owned());
        let n1 = NodeDigest {
            node: "n1".to_owned(),
            position: text("8"),
            digest: text("99"),
            ..NodeDigest::default()
        };
        let n2 =
            NodeDigest { node: "n2".to_owned(), error: text("no answer within 3s"), ..NodeDigest::default() };
        let digests = FaultEvent::Digests(Digests { nodes: vec![n1, n2] });
        let event = Event::from(digests.clone());
        let expected = json!({"event": "digests", "nodes": [{"node": "n1", "position": "8", "digest": "99"},
            {"node": "n2", "error": "no answer within 3s"}]});
        assert_eq!((event.f.as_str(), &event.value), ("digests", &expected));
        assert_eq!(FaultEvent::read(&event), Some(digests));
    }

    #[test]
    fn what_others_wrote_is_no_fault() {
        let mut event = Event::new(Process::Nemesis, Kind::Info, "note");
        event.value = json!({"event": "note"});
        assert_eq!(FaultEvent::read(&event), None);
        event.value = json!({"event": "start", "fault": 1});
        assert!(FaultEvent::read(&event).is_some());
        event.process = Process::Client(1);
        assert_eq!(FaultEvent::read(&event), None);
    }
}
