//! Changes who the members of the cluster are, and reads back from the cluster itself who they are.

use super::Stage;
use super::evidence::{self, Proof};
use super::going::answers_within;
use super::{Members, act};
use crate::spec::MemberChange;
use std::time::Duration;
use tokio::time::Instant;

/// How long a change is asked for: at the start of a fault, though not longer than that lasts, and at its end.
const PATIENCE: Duration = Duration::from_secs(5);
const HEALING: Duration = Duration::from_secs(10);
/// How long is waited until the members before a change are no longer needed, and those who came answer.
const SETTLING: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// Who is to be a member, and who is not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    inside: Vec<String>,
    outside: Vec<String>,
}

impl Wanted {
    /// While the fault lasts.
    pub(super) fn start(change: MemberChange, nodes: &[String], instead: &[String]) -> Self {
        match change {
            MemberChange::Add => Self { inside: nodes.to_vec(), outside: Vec::new() },
            MemberChange::Remove | MemberChange::Replace => {
                Self { inside: instead.to_vec(), outside: nodes.to_vec() }
            }
        }
    }

    /// After it.
    pub(super) fn end(change: MemberChange, nodes: &[String], instead: &[String]) -> Self {
        let Self { inside, outside } = Self::start(change, nodes, instead);
        Self { inside: outside, outside: inside }
    }

    /// Whom these members would have to take in, and to let go.
    fn missing(&self, members: &Members) -> (Vec<String>, Vec<String>) {
        let is_in = |name: &&String| members.names.contains(name);
        (
            self.inside.iter().filter(|name| !is_in(name)).cloned().collect(),
            self.outside.iter().filter(is_in).cloned().collect(),
        )
    }
}

/// Starts those who are to come, changes the members and proves it.
pub(super) async fn start(stage: &Stage, wanted: &Wanted, lasts: Duration) -> (u64, Proof) {
    let woken = act::each(&wanted.inside, |node| stage.lab.wake(node)).await;
    let (at, mut proof) = change(stage, wanted, PATIENCE.min(lasts)).await;
    if proof.complete {
        proof.evidence.extend(woken.evidence);
    }
    proof.notes.extend(woken.notes);
    (at, proof)
}

/// Changes the members back and proves it.
pub(super) async fn end(stage: &Stage, wanted: &Wanted) -> (u64, Proof) {
    change(stage, wanted, HEALING).await
}

async fn change(stage: &Stage, wanted: &Wanted, patience: Duration) -> (u64, Proof) {
    let made = until_changed(stage, wanted, Instant::now() + patience).await;
    let at = stage.recorder.now_ns();
    let members = match made {
        Ok(members) => members,
        Err(reason) => {
            let note = format!("the members are not as they should be after {patience:?}: {reason}");
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
async fn until_changed(stage: &Stage, wanted: &Wanted, deadline: Instant) -> Result<Members, String> {
    loop {
        let failed = match stage.directory.members().await {
            None => "nobody says who the members are".to_owned(),
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
        if Instant::now() >= deadline {
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

    #[test]
    fn what_a_fault_wants_is_undone_by_wanting_the_contrary() {
        let members = |all: &[&str]| Members { names: names(all), under_way: false, said: String::new() };
        let (nodes, instead) = (names(&["n2"]), names(&["n4"]));
        let start = Wanted::start(MemberChange::Replace, &nodes, &instead);
        assert_eq!(start.missing(&members(&["n1", "n2", "n3"])), (names(&["n4"]), names(&["n2"])));
        assert_eq!(start.missing(&members(&["n1", "n4"])), (Vec::new(), Vec::new()));
        let end = Wanted::end(MemberChange::Replace, &nodes, &instead);
        assert_eq!(end.missing(&members(&["n1", "n4"])), (names(&["n2"]), names(&["n4"])));
        let add = Wanted::end(MemberChange::Add, &instead, &[]);
        assert_eq!(add.missing(&members(&["n1", "n2", "n4"])), (Vec::new(), names(&["n4"])));
        let remove = Wanted::end(MemberChange::Remove, &nodes, &[]);
        assert_eq!(remove.missing(&members(&["n1", "n3"])), (names(&["n2"]), Vec::new()));
    }
}
