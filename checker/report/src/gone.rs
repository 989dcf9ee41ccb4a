//! What no system can be blamed for: nodes that were made to forget, and nodes that stay down.
//!
//! Problem: a protocol that replicates rests on assumptions. An acceptor of Paxos remembers what it promised and
//! accepted, and a majority comes back. Some faults break just that: `lose-node` and `truncate` take from a node what it
//! had stored and synced, `bit-flip` may do so beside a power loss, and a node that found its data damaged stays down.
//! Idea: a violation that such a fault alone can cause proves nothing about the system. It is shown with its evidence,
//! and the answer is unknown, with the fault that has to be left out to know.

use super::faults::FaultRecord;
use super::observed::Observed;
use super::verdict::{Answer, Check};
use std::collections::BTreeSet;

/// Faults after which a node does not know what it had stored and synced, and cannot find out.
const FORGETTING: [&str; 2] = ["lose-node", "truncate"];
/// Faults after which the end of a file may be torn, or after which what was written about that end is old or damaged.
const BLURRING: [&str; 4] = ["power-loss", "torn-write", "crash-image", "bit-flip"];
/// How long a node may need after a fault to find the end of its files, in nanoseconds.
const START: u64 = 1_000_000_000;
/// Systems in which a majority of the nodes serves.
const MAJORITIES: [&str; 2] = ["paxos", "etcd"];

/// A check of what the system promises; unknown where it failed after a node was made to forget.
pub(crate) fn excuse(check: Check, observed: &Observed) -> Check {
    let Some(fault) = observed.faults.iter().find(|fault| may_forget(fault, observed)) else { return check };
    if check.answer != Answer::Invalid {
        return check;
    }
    let reason = format!(
        "{}; but fault {} ({}) made {} forget what had been stored there, which may explain this: leave the fault out to \
         know",
        check.reason,
        fault.fault,
        fault.label,
        fault.nodes.join(" and ")
    );
    Check { answer: Answer::Unknown, reason, ..check }
}

/// When a node was first made to forget; none if none was.
pub(crate) fn since(observed: &Observed) -> Option<u64> {
    observed
        .faults
        .iter()
        .filter(|fault| may_forget(fault, observed))
        .filter_map(|fault| fault.start_ns)
        .min()
}

/// Why the system did not have to serve; none where it should have.
pub(crate) fn why_silent(observed: &Observed) -> Option<String> {
    let plan = &observed.plan;
    let members: Vec<&str> =
        plan.nodes.iter().filter(|node| !plan.spares.contains(node)).map(String::as_str).collect();
    let gone: Vec<&str> =
        members.iter().copied().filter(|node| observed.gone.iter().any(|name| name == node)).collect();
    let empty: Vec<&str> = forgetful(observed)
        .into_iter()
        .filter(|node| members.contains(node) && !gone.contains(node))
        .collect();
    let lost = gone.len() + empty.len();
    if lost == 0 {
        return None;
    }
    let changed = observed.faults.iter().find(|fault| may_have_changed_members(fault));
    // Where nodes have roles of their own, it is not known here which of them make a majority.
    let alike =
        plan.replicas.is_empty() || members.iter().all(|node| plan.replicas.iter().any(|name| name == node));
    let by_majority = MAJORITIES.contains(&plan.system.as_str()) && alike;
    if by_majority && (members.len() - lost) * 2 > members.len() && changed.is_none() {
        return None;
    }
    let mut why = Vec::new();
    let of = |nodes: &[&str]| format!("{} of {} nodes, {},", nodes.len(), members.len(), nodes.join(" and "));
    if !gone.is_empty() {
        let stay = if gone.len() == 1 { "stays" } else { "stay" };
        why.push(format!("{} {stay} down after a fault", of(&gone)));
    }
    if !empty.is_empty() {
        let have = if empty.len() == 1 { "has" } else { "have" };
        why.push(format!("{} {have} lost the data that a fault took", of(&empty)));
    }
    if let Some(fault) = changed {
        why.push(format!("fault {} ({}) may have changed the members", fault.fault, fault.label));
    }
    Some(why.join("; "))
}

/// The nodes that a fault made forget. While disks are swapped a node loses another node's data, so all that took part
/// in the swap count.
fn forgetful(observed: &Observed) -> BTreeSet<&str> {
    let swaps = || observed.faults.iter().filter(|fault| fault.kind == "disk-swap" && fault.took_effect());
    let forgot = observed.faults.iter().filter(|fault| forgets(fault));
    forgot
        .flat_map(|fault| {
            let swapped = swaps().filter(|swap| overlap(swap, fault) && shares_a_node(swap, fault));
            swapped.chain([fault]).flat_map(|fault| fault.nodes.iter().map(String::as_str))
        })
        .collect()
}

fn forgets(fault: &FaultRecord) -> bool {
    FORGETTING.contains(&fault.kind.as_str()) && fault.took_effect()
}

/// Whether it makes a node forget, or looks to the node like a power loss.
///
/// A node without power cannot distinguish a flipped bit in its last record from a write that the power loss tore.
fn may_forget(fault: &FaultRecord, observed: &Observed) -> bool {
    let blurs = |other: &&FaultRecord| {
        BLURRING.contains(&other.kind.as_str())
            && other.fault != fault.fault
            && other.took_effect()
            && shares_a_node(fault, other)
            && begin_within(START, fault, other)
    };
    let flips = fault.kind == "bit-flip" && fault.took_effect();
    forgets(fault) || flips && observed.faults.iter().any(|other| blurs(&other))
}

fn overlap(one: &FaultRecord, other: &FaultRecord) -> bool {
    begin_within(0, one, other)
}

/// Whether both are in force at one time, or the later begins at most this time after the end of the other.
fn begin_within(after: u64, one: &FaultRecord, other: &FaultRecord) -> bool {
    let end = |fault: &FaultRecord| fault.end_ns.map_or(u64::MAX, |end| end.saturating_add(after));
    let span = |fault: &FaultRecord| fault.start_ns.map(|start| (start, end(fault)));
    let (Some((start, end)), Some((from, to))) = (span(one), span(other)) else { return false };
    start <= to && from <= end
}

fn shares_a_node(one: &FaultRecord, other: &FaultRecord) -> bool {
    one.nodes.iter().any(|node| other.nodes.contains(node))
}

/// Whether the members may be others than before the fault: the change had not come by its time and may come later, or it
/// could not be taken back.
fn may_have_changed_members(fault: &FaultRecord) -> bool {
    fault.kind == "reconfigure" && fault.start_ns.is_some() && (!fault.took_effect() || fault.unhealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::{Made, plan};
    use history::{Event, Kind, Process};
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
        let history = crate::observed::ReadHistory { nemesis, ..Default::default() };
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
    fn violation_before_the_fault_stays_one() {
        let answer = |forgot_at: u64| {
            let mut observed = observed("lose-node", &["its data removed"], &[]);
            observed.faults[0].start_ns = Some(forgot_at);
            observed.plan.model = "kv".to_owned();
            let event = |time, kind, f: &str, value| {
                let mut event = Event::new(Process::Client(1), kind, f);
                (event.time, event.key, event.value) = (time, Some("k1".to_owned()), value);
                event
            };
            let events = [
                event(1, Kind::Invoke, "put", json!("a")),
                event(2, Kind::Ok, "put", json!("a")),
                event(3, Kind::Invoke, "get", json!(null)),
                event(4, Kind::Ok, "get", json!(null)),
            ];
            observed.operations = history::pair_columns(events.to_vec()).unwrap();
            crate::linearizable(&observed, &|| false).answer
        };
        assert_eq!(answer(10), Answer::Invalid, "a put was lost before anything was taken");
        assert_eq!(answer(2), Answer::Unknown);
    }

    #[test]
    fn faults_that_take_nothing_excuse_nothing() {
        for (kind, evidence) in [("kill", &["x"][..]), ("power-loss", &["x"][..]), ("lose-node", &[][..])] {
            assert_eq!(excuse(broken(), &observed(kind, evidence, &[])), broken(), "{kind}");
        }
    }

    #[test]
    fn flipped_bit_behind_a_power_loss_excuses() {
        let answer = |first: (&str, &[&str], u64, u64, bool), at| {
            excuse(broken(), &faults(&[first, ("bit-flip", &["n2"], at, at + 1, true)])).answer
        };
        for kind in BLURRING {
            assert_eq!(answer((kind, &["n1", "n2"], 1, 3, true), 2), Answer::Unknown, "{kind}");
            assert_eq!(answer((kind, &["n2"], 2, 3, true), 1), Answer::Unknown, "{kind}");
            assert_eq!(
                answer((kind, &["n2"], 1, 3, true), 5),
                Answer::Invalid,
                "{kind}: it had started since"
            );
            assert_eq!(answer((kind, &["n3"], 1, 3, true), 2), Answer::Invalid, "{kind} of another node");
            assert_eq!(answer((kind, &["n2"], 1, 3, false), 2), Answer::Invalid, "{kind} without effect");
        }
        assert_eq!(answer(("kill", &["n2"], 1, 3, true), 2), Answer::Invalid);
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

    /// Faults by kind, nodes, start and end in seconds, and whether there is evidence.
    fn faults(all: &[(&str, &[&str], u64, u64, bool)]) -> Observed {
        let mut variant = plan("t", &[Made::sound("main")]).variants.remove(0);
        let first = variant.faults[0].clone();
        let mut nemesis = Vec::new();
        variant.faults.clear();
        for (number, &(kind, nodes, start, end, effect)) in (1..).zip(all) {
            variant.faults.push(crate::FaultPlan { fault: number, kind: kind.to_owned(), ..first.clone() });
            for (event, at) in [("start", start), ("end", end)] {
                let mut note = Event::new(Process::Nemesis, Kind::Info, kind);
                note.time = at * 1_000_000_000;
                let evidence: &[&str] = if effect { &["x"] } else { &[] };
                note.value = json!({"fault": number, "event": event, "targets": nodes, "evidence": evidence});
                nemesis.push(note);
            }
        }
        let history = crate::observed::ReadHistory { nemesis, ..Default::default() };
        Observed::new(variant, Some(history), None, Vec::new())
    }

    #[test]
    fn lost_data_of_a_majority_excuses_silence() {
        assert_eq!(why_silent(&faults(&[("lose-node", &["n2"], 1, 2, true)])), None, "two of three remember");
        let why = why_silent(&faults(&[("lose-node", &["n1", "n3"], 1, 2, true)])).unwrap();
        assert_eq!(why, "2 of 3 nodes, n1 and n3, have lost the data that a fault took");
        let one_by_one = [("lose-node", &["n2"][..], 1, 2, true), ("truncate", &["n3"], 3, 4, true)];
        assert!(why_silent(&faults(&one_by_one)).is_some());
        assert_eq!(
            why_silent(&faults(&[("lose-node", &["n1", "n3"], 1, 2, false)])),
            None,
            "it took nothing"
        );
    }

    #[test]
    fn swapped_disks_lose_data_of_either_node() {
        let swapped = [("disk-swap", &["n2", "n3"][..], 1, 4, true), ("lose-node", &["n3"], 2, 3, true)];
        assert!(why_silent(&faults(&swapped)).is_some());
        let later = [("disk-swap", &["n2", "n3"][..], 1, 2, true), ("lose-node", &["n3"], 3, 4, true)];
        assert_eq!(why_silent(&faults(&later)), None);
    }

    #[test]
    fn late_change_of_members_excuses_silence() {
        let mut removed =
            faults(&[("truncate", &["n3"][..], 1, 2, true), ("reconfigure", &["n2"], 2, 3, false)]);
        let why = why_silent(&removed).unwrap();
        assert!(why.contains("n3, has lost") && why.ends_with("may have changed the members"), "{why}");
        removed.faults[1].evidence.push("members read back".to_owned());
        assert_eq!(why_silent(&removed), None, "it was taken back");
        removed.faults[1].unhealed = true;
        assert!(why_silent(&removed).is_some());
        removed.faults.remove(0);
        assert_eq!(why_silent(&removed), None, "every node that may be a member is up");
    }
}
