//! Nodes that ended by themselves, and what that says of the system.
//!
//! A process that dies under load broke a promise. Three ends say something else: a program that went to the background
//! has not been tested at all, a node that ended before the load began met no fault, and one that exits while its clock
//! or its network is wrong may do so by design, to be started again.

use super::faults::{FaultRecord, fault_events};
use super::observed::Observed;
use super::sentences::when;
use super::verdict::{Answer, Check, many};
use history::{Event, FaultEvent, NodeExit, Phase};

/// Faults under which a node may end itself to stay safe.
const FENCING: [&str; 11] = [
    "partition",
    "one-way",
    "flaky",
    "delay",
    "rate",
    "reset",
    "swizzle",
    "jump",
    "drift",
    "strobe",
    "freeze",
];
/// How long after such a fault a node may still end because of it, in nanoseconds.
const AFTERMATH: u64 = 10_000_000_000;

/// The end of a node that nothing excuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeEnd {
    /// When, in nanoseconds since the run's start.
    pub(crate) time_ns: u64,
    /// Which node.
    pub(crate) node: String,
    /// How it ended, and what it printed last.
    pub(crate) how: Vec<String>,
    /// Whether its program left behind the process that did the work, which was ended.
    daemon: bool,
    /// Which restart of the node it led to, where the spec has the bench start it again.
    restart: Option<u32>,
}

/// Every node that ended without a kill or a fault that explains it.
pub(crate) fn ends(events: &[Event]) -> Vec<NodeEnd> {
    let end = |(event, fault_event): (&Event, FaultEvent)| {
        let exit = fault_event.exit().filter(|exit| exit.excuse.is_none())?;
        Some(NodeEnd::new(event.time, exit))
    };
    fault_events(events).filter_map(end).collect()
}

impl NodeEnd {
    fn new(time_ns: u64, exit: NodeExit) -> Self {
        let node = if exit.targets.is_empty() { "a node".to_owned() } else { exit.targets.join(", ") };
        Self { time_ns, node, daemon: exit.left_a_daemon(), restart: exit.restart, how: exit.evidence }
    }

    fn status(&self) -> &str {
        self.how.first().map_or("", String::as_str)
    }

    /// The fault that may have made it exit; none if there is none, or if a signal ended it.
    fn fenced_by<'a>(&self, faults: &'a [FaultRecord]) -> Option<&'a FaultRecord> {
        let met = |fault: &&FaultRecord| {
            FENCING.contains(&fault.kind.as_str())
                && fault.start_ns.is_some_and(|start| start <= self.time_ns)
                && fault.end_ns.is_none_or(|end| self.time_ns <= end.saturating_add(AFTERMATH))
        };
        self.status().starts_with("exit code").then(|| faults.iter().find(met)).flatten()
    }

    /// In a sentence, with the time as people count it.
    fn sentence(&self, load_start: Option<u64>) -> String {
        let when = when(self.time_ns, load_start);
        let how = self.how.join("; ");
        let how = if how.is_empty() { how } else { format!(": {how}") };
        let restart = self.restart.map_or(String::new(), |number| format!("; restart {number} followed"));
        format!("{} ended by itself {when}{how}{restart}", self.node)
    }
}

/// When the bench first ended what a program had left behind; none if it did not.
pub(crate) fn since(observed: &Observed) -> Option<u64> {
    observed.exits.iter().filter(|end| end.daemon).map(|end| end.time_ns).min()
}

/// A check of what the system promises; unknown where the bench had ended what a program left behind.
pub(crate) fn excuse(check: Check, observed: &Observed) -> Check {
    let Some(daemon) = observed.exits.iter().find(|end| end.daemon) else { return check };
    if check.answer != Answer::Invalid {
        return check;
    }
    let reason =
        format!("{}; but the bench had ended what {} left in the background", check.reason, daemon.node);
    Check { answer: Answer::Unknown, reason, ..check }
}

/// Whether every node lived until it was killed or stopped.
pub(crate) fn processes(observed: &Observed) -> Check {
    check(&observed.exits, &observed.faults, observed.phase(Phase::Load).map(|load| load.start))
        .tried(observed.plan.nodes.len() as u64, "node")
}

fn check(ends: &[NodeEnd], faults: &[FaultRecord], load_start: Option<u64>) -> Check {
    const NAME: &str = "processes";
    let judged = ends.iter().filter(|end| end.restart.is_none());
    let judged = judged.map(|end| judge(end, faults, load_start));
    // The gravest first: what proves something, then what was no test, then what may mean nothing.
    let rank = |answer: Answer| match answer {
        Answer::Invalid => 0,
        Answer::Failed => 1,
        Answer::Unknown => 2,
        Answer::Valid => 3,
    };
    let check = match judged.min_by_key(|(answer, _)| rank(*answer)) {
        None if ends.is_empty() => Check::new(NAME, Answer::Valid, "no node ended by itself"),
        None => {
            let reason = format!(
                "nodes ended by themselves and were started again {}, as cluster.restart allows",
                many(ends.len() as u64, "time")
            );
            Check::new(NAME, Answer::Valid, reason)
        }
        Some((Answer::Invalid, first)) if ends.len() > 1 => {
            let reason = format!("nodes ended by themselves {} times, {first}", ends.len());
            Check::new(NAME, Answer::Invalid, reason)
        }
        Some((Answer::Invalid, first)) => {
            Check::new(NAME, Answer::Invalid, format!("a node ended by itself, {first}"))
        }
        Some((answer, reason)) => Check::new(NAME, answer, reason),
    };
    check.with(ends.iter().map(|end| end.sentence(load_start)).collect::<Vec<_>>())
}

/// What one end says, and why.
fn judge(end: &NodeEnd, faults: &[FaultRecord], load_start: Option<u64>) -> (Answer, String) {
    let node = &end.node;
    if end.daemon {
        let reason = format!(
            "the program of {node} went to the background, where nothing can be done to it, and what it had left behind \
             was ended; start it in the foreground"
        );
        return (Answer::Failed, reason);
    }
    if load_start.is_some_and(|start| end.time_ns < start) {
        let said = end.how.last().map_or("", String::as_str);
        let reason =
            format!("{node} ended before the load began ({said}), so nothing had been done to it yet");
        return (Answer::Unknown, reason);
    }
    if let Some(fault) = end.fenced_by(faults) {
        let reason = format!(
            "{node} ended by itself ({}) under fault {} ({}), which some systems do by design, to be started again: leave \
             the fault out, or start {node} again with restart = \"on-exit\" in [cluster]",
            end.status(),
            fault.fault,
            fault.label
        );
        return (Answer::Unknown, reason);
    }
    (Answer::Invalid, format!("{node} with {}", end.status()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(time_ns: u64, how: &str) -> NodeEnd {
        let evidence = vec![how.to_owned(), "it printed: oh".to_owned()];
        NodeEnd::new(time_ns, NodeExit { targets: vec!["n1".to_owned()], evidence, ..NodeExit::default() })
    }

    fn fault(kind: &str, start: u64, end: u64) -> FaultRecord {
        FaultRecord {
            kind: kind.to_owned(),
            start_ns: Some(start),
            end_ns: Some(end),
            ..FaultRecord::default()
        }
    }

    fn answer(ends: &[NodeEnd], faults: &[FaultRecord]) -> Answer {
        check(ends, faults, Some(1_000)).answer
    }

    #[test]
    fn death_under_load_is_a_broken_promise() {
        assert_eq!(answer(&[], &[]), Answer::Valid);
        assert_eq!(answer(&[end(2_000, "exit code 1")], &[]), Answer::Invalid);
        let check = check(&[end(2_000, "exit code 1")], &[], Some(1_000));
        assert_eq!(check.reason, "a node ended by itself, n1 with exit code 1");
        assert!(check.evidence[0].contains("it printed: oh"), "{:?}", check.evidence);
    }

    #[test]
    fn end_with_a_restart_is_no_violation() {
        let restarted = |time_ns| NodeEnd { restart: Some(1), ..end(time_ns, "exit code 1") };
        let one = check(&[restarted(900), restarted(2_000)], &[], Some(1_000));
        assert_eq!(one.answer, Answer::Valid);
        assert!(
            one.reason.starts_with("nodes ended by themselves and were started again 2 times"),
            "{one:?}"
        );
        assert!(one.evidence[1].ends_with("; restart 1 followed"), "{one:?}");
        assert_eq!(answer(&[restarted(2_000), end(3_000, "exit code 1")], &[]), Answer::Invalid);
    }

    #[test]
    fn end_before_load_and_daemon_prove_nothing() {
        assert_eq!(answer(&[end(900, "exit code 1")], &[]), Answer::Unknown);
        let daemon = "exit code 0; a process that it had left behind was killed";
        assert_eq!(answer(&[end(2_000, daemon)], &[]), Answer::Failed);
        assert_eq!(answer(&[end(2_000, "exit code 0")], &[]), Answer::Invalid);
        assert_eq!(answer(&[end(2_000, daemon), end(2_000, "signal 11")], &[]), Answer::Invalid);
    }

    #[test]
    fn exit_under_wrong_clock_or_network_is_unknown() {
        for kind in FENCING {
            assert_eq!(answer(&[end(2_000, "exit code 1")], &[fault(kind, 1_500, 1_900)]), Answer::Unknown);
            assert_eq!(answer(&[end(2_000, "signal 6")], &[fault(kind, 1_500, 1_900)]), Answer::Invalid);
            assert_eq!(answer(&[end(2_000, "exit code 1")], &[fault(kind, 2_500, 2_900)]), Answer::Invalid);
        }
        assert_eq!(answer(&[end(2_000, "exit code 1")], &[fault("kill", 1_500, 1_900)]), Answer::Invalid);
        let late = end(1_900 + AFTERMATH + 1, "exit code 1");
        assert_eq!(answer(&[late], &[fault("jump", 1_500, 1_900)]), Answer::Invalid);
    }
}
