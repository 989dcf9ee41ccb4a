//! What no system can be blamed for: nodes that were made to forget, and nodes that stay down.
//!
//! Problem: a protocol that replicates rests on assumptions. An acceptor of Paxos remembers what it promised and
//! accepted, and a majority comes back. Some faults break just that: `lose-node` and `truncate` take from a node what it
//! had stored and synced, and a node that found its data damaged stays down.
//! Idea: a violation that such a fault alone can cause proves nothing about the system. It is shown with its evidence,
//! and the answer is unknown, with the fault that has to be left out to know.

use super::faults::FaultRecord;
use super::observed::Observed;
use super::verdict::{Answer, Check};

/// Faults after which a node does not know what it had stored and synced, and cannot find out.
const FORGETTING: [&str; 2] = ["lose-node", "truncate"];
/// Systems in which a majority of the nodes serves.
const MAJORITIES: [&str; 2] = ["paxos", "etcd"];

/// A check of what the system promises; unknown where it failed after a node was made to forget.
pub(crate) fn excuse(check: Check, observed: &Observed) -> Check {
    let forgot = |fault: &&FaultRecord| FORGETTING.contains(&fault.kind.as_str()) && fault.took_effect();
    let Some(fault) = observed.faults.iter().find(forgot) else { return check };
    if check.answer != Answer::Invalid {
        return check;
    }
    let reason = format!(
        "{}; but fault {} ({}) made {} forget what had been stored there, of which this may come: leave the fault out to \
         know",
        check.reason,
        fault.fault,
        fault.label,
        fault.nodes.join(" and ")
    );
    Check { answer: Answer::Unknown, reason, ..check }
}

/// Why the system could not serve without the nodes that stay down; none where it should have.
pub(crate) fn why_silent(observed: &Observed) -> Option<String> {
    let plan = &observed.plan;
    let members: Vec<&String> = plan.nodes.iter().filter(|node| !plan.spares.contains(node)).collect();
    let gone: Vec<&str> =
        members.iter().filter(|node| observed.gone.contains(node)).map(|node| node.as_str()).collect();
    // Where nodes have roles of their own, it is not known here which of them make a majority.
    let alike = plan.replicas.is_empty() || members.iter().all(|node| plan.replicas.contains(node));
    let by_majority = MAJORITIES.contains(&plan.system.as_str()) && alike;
    if gone.is_empty() || by_majority && (members.len() - gone.len()) * 2 > members.len() {
        return None;
    }
    let stay = if gone.len() == 1 { "stays" } else { "stay" };
    Some(format!(
        "{} of {} nodes, {}, {stay} down after a fault",
        gone.len(),
        members.len(),
        gone.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Event, Kind, Process};
    use crate::results::tests::fixture::{Made, plan};
    use serde_json::json;

    fn observed(kind: &str, evidence: &[&str], gone: &[&str]) -> Observed {
        let mut variant = plan("t", &[Made::sound("main")]).variants.remove(0);
        variant.faults[0].kind = kind.to_owned();
        let mut start = Event::new(Process::Nemesis, Kind::Info, kind);
        start.value = json!({"fault": 1, "event": "start", "targets": ["n2"], "evidence": evidence});
        let gone = gone.iter().map(|node| {
            let mut event = Event::new(Process::Nemesis, Kind::Info, "gone");
            event.value =
                json!({"event": "gone", "targets": [node], "evidence": ["exit code 4"], "excuse": "fault 1"});
            event
        });
        let nemesis = [start].into_iter().chain(gone).collect();
        let history = crate::results::observed::ReadHistory { nemesis, ..Default::default() };
        Observed::new(variant, Some(history), None, Vec::new())
    }

    fn broken() -> Check {
        Check::new("agreement", Answer::Invalid, "replicas differ").with(["slot 7".to_owned()])
    }

    #[test]
    fn forgetting_excuses_a_violation() {
        let check = excuse(broken(), &observed("truncate", &["1 byte before, 0 after"], &[]));
        assert_eq!((check.answer, check.evidence.len()), (Answer::Unknown, 1));
        assert!(check.reason.starts_with("replicas differ; but fault 1") && check.reason.contains("n2"));
        let valid = Check::new("agreement", Answer::Valid, "fine");
        assert_eq!(excuse(valid, &observed("truncate", &["x"], &[])).answer, Answer::Valid);
    }

    #[test]
    fn faults_that_take_nothing_excuse_nothing() {
        for (kind, evidence) in [("kill", &["x"][..]), ("power-loss", &["x"][..]), ("lose-node", &[][..])] {
            assert_eq!(excuse(broken(), &observed(kind, evidence, &[])), broken(), "{kind}");
        }
    }

    #[test]
    fn without_a_majority_nobody_must_serve() {
        assert_eq!(why_silent(&observed("bit-flip", &["x"], &[])), None);
        assert_eq!(why_silent(&observed("bit-flip", &["x"], &["n2"])), None, "two of three serve");
        let why = why_silent(&observed("bit-flip", &["x"], &["n2", "n3"])).unwrap();
        assert_eq!(why, "2 of 3 nodes, n2 and n3, stay down after a fault");
        let mut other = observed("bit-flip", &["x"], &["n2"]);
        other.plan.system = "command".to_owned();
        assert!(why_silent(&other).is_some(), "it may depend on that node");
    }
}
