//! Changes who the members of the cluster are, and reads back from the cluster itself who they are.
//!
//! Changes may overlap: who is to be a member is what all changes in force make of those that the cluster began with,
//! whichever of them ends first.

use super::Stage;
use super::background::answers_within;
use super::evidence::{self, Proof};
use super::{Members, act};
use crate::claim::Claim;
use crate::spec::MemberChange;
use crate::topology::Topology;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a change is asked for: at the start of a fault, though not longer than that lasts, and at its end.
const PATIENCE: Duration = Duration::from_secs(5);
const HEALING: Duration = Duration::from_secs(10);
/// How long is waited until the members before a change are no longer needed, and those who came answer.
const SETTLING: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);
/// How long a change that nobody heard of any more is given to show.
const LATE: Duration = Duration::from_millis(200);

/// What the changes in force want.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Each with those who are to be members, and those who are not.
    list: Vec<(Claim, BTreeSet<String>, BTreeSet<String>)>,
    /// The newest configuration that was read.
    newest: u64,
}

impl Changes {
    fn begin(&mut self, claim: Claim, change: MemberChange, nodes: &[String], instead: &[String]) {
        let (come, go) = match change {
            MemberChange::Add => (nodes, &[][..]),
            MemberChange::Remove | MemberChange::Replace => (instead, nodes),
        };
        self.list.push((claim, come.iter().cloned().collect(), go.iter().cloned().collect()));
    }

    /// Ends a change; gives whom it was about.
    fn end(&mut self, claim: Claim) -> BTreeSet<String> {
        let ended: Vec<_> = self.list.extract_if(.., |(other, _, _)| *other == claim).collect();
        ended.into_iter().flat_map(|(_, come, go)| come.into_iter().chain(go)).collect()
    }

    /// Which of these nodes are to be members and which are not. Who is to go goes, whoever wants it to come.
    fn wanted(&self, nodes: &BTreeSet<String>, topology: &Topology) -> Wanted {
        let is_member = |node: &String| {
            let goes = self.list.iter().any(|(_, _, go)| go.contains(node));
            let comes = self.list.iter().any(|(_, come, _)| come.contains(node));
            !goes && (comes || topology.members().any(|member| member == node))
        };
        let (inside, outside) = nodes.iter().cloned().partition(is_member);
        Wanted { inside, outside }
    }

    /// Whether nobody knows of a newer configuration; a node that was cut off tells an older one.
    fn is_newest(&mut self, members: &Members) -> bool {
        self.newest = self.newest.max(members.version);
        members.version == self.newest
    }
}

/// Who is to be a member, and who is not.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    inside: Vec<String>,
    outside: Vec<String>,
}

impl Wanted {
    /// Whom these members would have to take in, and to let go.
    fn missing(&self, members: &Members) -> (Vec<String>, Vec<String>) {
        let is_in = |name: &&String| members.names.contains(name);
        (
            self.inside.iter().filter(|name| !is_in(name)).cloned().collect(),
            self.outside.iter().filter(is_in).cloned().collect(),
        )
    }
}

/// Until when the cluster is asked.
#[derive(Debug, Clone, Copy)]
enum Until {
    Then(Instant),
    /// For a while after the last other fault was healed: before that, it may be unable to decide.
    Healed,
}

impl Until {
    fn is_over(self, stage: &Stage, began: Instant) -> bool {
        match self {
            Self::Then(deadline) => Instant::now() >= deadline,
            Self::Healed => {
                let quiet = stage.quiet_for();
                began.elapsed() >= HEALING && quiet.is_some_and(|quiet| quiet >= HEALING)
            }
        }
    }
}

fn changes(stage: &Stage) -> MutexGuard<'_, Changes> {
    locked(&stage.changes)
}

fn locked(changes: &Mutex<Changes>) -> MutexGuard<'_, Changes> {
    changes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts those who are to come, changes the members and proves it.
pub(super) async fn start(
    stage: &Stage,
    claim: Claim,
    change: MemberChange,
    nodes: &[String],
    instead: &[String],
    lasts: Duration,
) -> (u64, Proof) {
    let about = nodes.iter().chain(instead).cloned().collect();
    let wanted = {
        let mut changes = changes(stage);
        changes.begin(claim, change, nodes, instead);
        changes.wanted(&about, stage.testbed.topology())
    };
    let woken = act::each(&wanted.inside, |node| stage.testbed.wake(node)).await;
    let until = Until::Then(Instant::now() + PATIENCE.min(lasts));
    let (at, mut proof) = reach(stage, &wanted, until).await;
    if proof.complete {
        proof.evidence.extend(woken.evidence);
    }
    proof.notes.extend(woken.notes);
    (at, proof)
}

/// Ends a change: the members are those that the others in force want. Proves it.
pub(super) async fn end(stage: &Stage, claim: Claim) -> (u64, Proof) {
    let wanted = {
        let mut changes = changes(stage);
        let about = changes.end(claim);
        changes.wanted(&about, stage.testbed.topology())
    };
    let (at, mut proof) = reach(stage, &wanted, Until::Healed).await;
    let gone = stage.testbed.gone();
    if !proof.complete && !gone.is_empty() {
        proof.beyond_help = true;
        proof.notes.push(format!("{} ended by themselves and stay down", gone.join(", ")));
    }
    (at, proof)
}

/// Makes sure, when all is healed, that the members are those that the cluster began with: a change that nobody answered
/// for may have been decided late.
pub(super) async fn settle(stage: &Stage) -> Result<(), String> {
    let all: BTreeSet<String> = stage.testbed.topology().names().map(str::to_owned).collect();
    let wanted = {
        let mut changes = changes(stage);
        changes.list.clear();
        changes.wanted(&all, stage.testbed.topology())
    };
    // Those who are left when others stay down may be too few to decide.
    let patience = if stage.testbed.gone().is_empty() { HEALING } else { SETTLING };
    let until = Until::Then(Instant::now() + patience);
    for _ in 0..2 {
        let before = stage.directory.members().await;
        let is_right = |members: &Members| wanted.missing(members) == (Vec::new(), Vec::new());
        if !before.as_ref().is_some_and(is_right) {
            until_changed(stage, &wanted, until).await?;
        }
        tokio::time::sleep(LATE).await;
    }
    Ok(())
}

async fn reach(stage: &Stage, wanted: &Wanted, until: Until) -> (u64, Proof) {
    let asked = Instant::now();
    let made = until_changed(stage, wanted, until).await;
    let at = stage.recorder.now_ns();
    let members = match made {
        Ok(members) => members,
        Err(reason) => {
            let patience = asked.elapsed().as_secs_f64();
            let note = format!("the members are not as they should be after {patience:.1} s: {reason}");
            return (at, Proof { notes: vec![note], ..Proof::default() });
        }
    };
    let mut proof = Proof { evidence: vec![read_back(&members)], complete: true, ..Proof::default() };
    let began = Instant::now();
    let answer = async |node: &String| (node.clone(), answers_within(stage, node, SETTLING).await);
    let (settled, answering) =
        tokio::join!(until_settled(stage, members), evidence::all(wanted.inside.iter().map(answer)));
    match settled {
        Some(members) => proof.evidence.push(format!(
            "the members before are no longer needed after {:.2} s: {}",
            began.elapsed().as_secs_f64(),
            members.said
        )),
        None => proof.notes.push(format!("the members before were still needed after {SETTLING:?}")),
    }
    for (node, answers) in answering {
        if answers {
            proof.evidence.push(format!("{node} answers"));
        } else {
            proof.notes.push(format!("{node} did not answer within {SETTLING:?} of becoming a member"));
        }
    }
    (at, proof)
}

/// Asks for the change, again and again, until the cluster says that it is so.
async fn until_changed(stage: &Stage, wanted: &Wanted, until: Until) -> Result<Members, String> {
    let began = Instant::now();
    loop {
        let failed = match stage.directory.members().await {
            None => "nobody says who the members are".to_owned(),
            Some(members) if !changes(stage).is_newest(&members) => {
                "those who know the newest members do not answer".to_owned()
            }
            Some(members) => {
                let (add, remove) = wanted.missing(&members);
                if add.is_empty() && remove.is_empty() {
                    return Ok(members);
                }
                match stage.directory.change_members(&add, &remove).await {
                    Ok(()) => "it was agreed to, and does not show".to_owned(),
                    Err(reason) => reason,
                }
            }
        };
        if until.is_over(stage, began) {
            return Err(failed);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until the members before are no longer needed; none if they still are after a while.
async fn until_settled(stage: &Stage, first: Members) -> Option<Members> {
    let deadline = Instant::now() + SETTLING;
    let mut last = Some(first);
    loop {
        match last {
            Some(members) if !members.under_way => return Some(members),
            Some(_) | None if Instant::now() >= deadline => return None,
            Some(_) | None => tokio::time::sleep(PAUSE).await,
        }
        last = stage.directory.members().await;
    }
}

fn read_back(members: &Members) -> String {
    format!("members read back: {} ({})", members.names.join(", "), members.said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    fn cluster() -> Topology {
        let mut topology = Topology::new((1..=4).map(|i| (format!("n{i}"), ["replica"])));
        topology.nodes[3].spare = true;
        topology
    }

    /// Whom members would have to take in and let go, for this to be so.
    fn missing(changes: &Changes, members: &[&str]) -> (Vec<String>, Vec<String>) {
        let all = names(&["n1", "n2", "n3", "n4"]).into_iter().collect();
        let members = Members { names: names(members), under_way: false, version: 0, said: String::new() };
        changes.wanted(&all, &cluster()).missing(&members)
    }

    #[test]
    fn what_a_fault_wants_is_undone_by_its_end() {
        let mut changes = Changes::default();
        changes.begin(1, MemberChange::Replace, &names(&["n2"]), &names(&["n4"]));
        assert_eq!(missing(&changes, &["n1", "n2", "n3"]), (names(&["n4"]), names(&["n2"])));
        assert_eq!(missing(&changes, &["n1", "n3", "n4"]), (Vec::new(), Vec::new()));
        assert_eq!(changes.end(1), names(&["n2", "n4"]).into_iter().collect());
        assert_eq!(missing(&changes, &["n1", "n3", "n4"]), (names(&["n2"]), names(&["n4"])));
    }

    #[test]
    fn changes_of_one_node_end_in_any_order() {
        for order in [[1, 2], [2, 1]] {
            let mut changes = Changes::default();
            changes.begin(1, MemberChange::Add, &names(&["n4"]), &[]);
            changes.begin(2, MemberChange::Remove, &names(&["n4"]), &[]);
            assert_eq!(missing(&changes, &["n1", "n2", "n3", "n4"]), (Vec::new(), names(&["n4"])));
            changes.end(order[0]);
            let here = if order[0] == 2 { names(&["n4"]) } else { Vec::new() };
            assert_eq!(missing(&changes, &["n1", "n2", "n3"]).0, here);
            changes.end(order[1]);
            assert_eq!(missing(&changes, &["n1", "n2", "n3", "n4"]), (Vec::new(), names(&["n4"])));
        }
    }

    #[test]
    fn an_older_configuration_proves_nothing() {
        let told = |version| Members { names: Vec::new(), under_way: false, version, said: String::new() };
        let mut changes = Changes::default();
        assert!(changes.is_newest(&told(3)) && changes.is_newest(&told(3)) && !changes.is_newest(&told(2)));
    }
}
