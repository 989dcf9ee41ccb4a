//! The check that the replicas decided the same, slot by slot, from what they said after the run.

use super::observed::Observed;
use super::sentences::listed;
use super::verdict::{Answer, Check, grouped, many};
use super::{ResultsError, files};
use checker::agreement::{Agreement, Decisions, Difference, agree};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

const NAME: &str = "agreement";

/// One line of `decisions.jsonl`.
#[derive(Debug, Deserialize)]
struct Decision {
    slot: u64,
    command: Value,
}

/// What one replica said was decided, in the order in which it said it.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<(u64, Value)>>, ResultsError> {
    let Some(text) = files::read_optional(path)? else { return Ok(None) };
    let complete = text.rfind('\n').map_or("", |end| &text[..=end]);
    let mut decisions = Vec::new();
    for (line, text) in complete.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let decision: Decision =
            serde_json::from_str(text).map_err(|error| ResultsError::malformed(path, line + 1, &error))?;
        decisions.push((decision.slot, decision.command));
    }
    Ok(Some(decisions))
}

/// Whether the replicas of a variant agree.
pub(crate) fn check(folder: &Path, observed: &Observed) -> Result<Check, ResultsError> {
    let mut said = Vec::new();
    let mut silent = Vec::new();
    for replica in &observed.plan.replicas {
        let spare = observed.plan.spares.contains(replica);
        match read(&folder.join("nodes").join(replica).join("decisions.jsonl"))? {
            Some(slots) if !slots.is_empty() => said.push(Decisions { node: replica.clone(), slots }),
            // A spare node that never became a member has decided nothing.
            Some(_) | None if spare => {}
            // A file is empty where the replica could not be asked.
            Some(_) | None => silent.push(replica.as_str()),
        }
    }
    let counts = said.iter().map(|decisions| {
        format!("{} said {} were decided", decisions.node, many(decisions.slots.len() as u64, "slot"))
    });
    let counts: Vec<String> = counts.collect();
    Ok(match agree(&said) {
        Agreement::Invalid { differences, slots } => {
            let reason =
                format!("replicas say different commands were decided in {}", many(slots as u64, "slot"));
            Check::new(NAME, Answer::Invalid, reason)
                .with(differences.iter().map(|difference| in_words(difference, &said)))
        }
        Agreement::Unknown { reason } => Check::new(NAME, Answer::Unknown, reason).with(counts),
        Agreement::Valid { .. } if !silent.is_empty() => {
            let reason = format!(
                "nothing is known of what {} decided: no decisions.jsonl, or an empty one",
                silent.join(" and ")
            );
            Check::new(NAME, Answer::Unknown, reason).with(counts)
        }
        Agreement::Valid { compared, decided } => {
            let reason = format!(
                "the replicas agree on all {} that at least two of them know, of {} decided",
                many(compared as u64, "slot"),
                grouped(decided as u64)
            );
            Check::new(NAME, Answer::Valid, reason).with(counts).tried(compared as u64, "slot")
        }
    })
}

/// The commands for a slot, each with the nodes that said it. A node that lost its disk may have said several: then it
/// stands with each, and with when it said it.
fn in_words(difference: &Difference, said: &[Decisions]) -> String {
    let place = |node: &str, command: &Value| {
        let decisions = said.iter().find(|decisions| decisions.node == node)?;
        decisions.slots.iter().position(|(slot, own)| *slot == difference.slot && own == command)
    };
    let when = |node: &String, command: &Value| {
        let own = difference.said.iter().filter(|(_, nodes)| nodes.contains(node));
        let own: Vec<Option<usize>> = own.map(|(command, _)| place(node, command)).collect();
        match own.as_slice() {
            [_] | [] => node.clone(),
            several if several.iter().min() == Some(&place(node, command)) => format!("{node} at first"),
            _ => format!("{node} later"),
        }
    };
    let sides = difference.said.iter().map(|(command, nodes)| {
        let mut names: Vec<String> = nodes.iter().map(|node| when(node, command)).collect();
        names.dedup();
        format!("{}: {command}", listed(&names))
    });
    format!("slot {}: {}", difference.slot, sides.collect::<Vec<_>>().join("; but "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_on_both_sides_says_when() {
        let said = |node: &str, commands: &[&str]| Decisions {
            node: node.to_owned(),
            slots: commands.iter().map(|command| (7, json!(command))).collect(),
        };
        let said = [said("n1", &["a", "b"]), said("n2", &["b"]), said("n3", &["a", "a"])];
        let Agreement::Invalid { differences, .. } = agree(&said) else { panic!("7 has two commands") };
        let words = in_words(&differences[0], &said);
        assert_eq!(words, "slot 7: n1 at first and n3: \"a\"; but n1 later and n2: \"b\"");
    }
}
