//! The check that the replicas decided the same, slot by slot, from what they said after the run.
//!
//! The files are read line by line, and of each slot no more than a hash of its line is kept. Slots whose lines differ
//! are few; for them the files are read again, and the commands themselves are compared.

use super::ResultsError;
use super::observed::Observed;
use super::sentences::listed;
use super::verdict::{Answer, Check, grouped, many};
use checker::agreement::{Agreement, Decisions, Difference, agree};
use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

const NAME: &str = "agreement";

/// One line of `decisions.jsonl`.
#[derive(Debug, Deserialize)]
struct Decision<C> {
    slot: u64,
    command: C,
}

/// Calls `each` with what one replica said was decided, in the order in which it said it, and with the line; false if
/// there is no such file. A last line that was cut off is left out.
fn read<C: DeserializeOwned>(
    path: &Path,
    mut each: impl FnMut(Decision<C>, &str),
) -> Result<bool, ResultsError> {
    let mut file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(ResultsError::read(path, error)),
    };
    let (mut text, mut line) = (String::new(), 0);
    loop {
        text.clear();
        line += 1;
        file.read_line(&mut text).map_err(|error| ResultsError::read(path, error))?;
        let Some(text) = text.strip_suffix('\n') else { return Ok(true) };
        if !text.trim().is_empty() {
            let decision =
                serde_json::from_str(text).map_err(|error| ResultsError::malformed(path, line, &error))?;
            each(decision, text);
        }
    }
}

/// What replicas said of a slot, in little memory.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Of the first line about it.
    hash: u64,
    /// The replica that said it, by number.
    node: u32,
    /// Whether another replica said something of it too.
    is_shared: bool,
}

/// What all replicas of a variant said, compared.
#[derive(Debug, Default)]
struct Comparison {
    /// The replicas that said something: their names, files, and how many slots they said.
    said: Vec<(String, PathBuf, usize)>,
    slots: FxHashMap<u64, Slot>,
    /// Slots of which not all lines are the same.
    unequal: BTreeSet<u64>,
}

impl Comparison {
    /// Adds what a replica said; whether it said anything.
    fn add(&mut self, node: &str, path: PathBuf) -> Result<bool, ResultsError> {
        let number = u32::try_from(self.said.len()).expect("there are few replicas");
        let mut count = 0;
        read(&path, |decision: Decision<IgnoredAny>, line| {
            count += 1;
            let mut hasher = DefaultHasher::new();
            hasher.write(line.as_bytes());
            let hash = hasher.finish();
            let new = Slot { hash, node: number, is_shared: false };
            let slot = self.slots.entry(decision.slot).or_insert(new);
            slot.is_shared |= slot.node != number;
            if slot.hash != hash {
                self.unequal.insert(decision.slot);
            }
        })?;
        if count > 0 {
            self.said.push((node.to_owned(), path, count));
        }
        Ok(count > 0)
    }

    /// Whether the replicas agree, with what they said of slots whose lines are not all the same.
    fn agree(&self) -> Result<(Agreement, Vec<Decisions>), ResultsError> {
        let mut said = Vec::new();
        for (node, path, _) in &self.said {
            let mut slots = Vec::new();
            if !self.unequal.is_empty() {
                read(path, |decision: Decision<Value>, _| {
                    if self.unequal.contains(&decision.slot) {
                        slots.push((decision.slot, decision.command));
                    }
                })?;
            }
            said.push(Decisions { node: node.clone(), slots });
        }
        if let invalid @ Agreement::Invalid { .. } = agree(&said) {
            return Ok((invalid, said));
        }
        let compared = self.slots.values().filter(|slot| slot.is_shared).count();
        if compared > 0 {
            return Ok((Agreement::Valid { compared, decided: self.slots.len() }, said));
        }
        // One slot of each says why nothing can be compared.
        let first = (0..)
            .zip(&self.said)
            .map(|(slot, (node, ..))| Decisions { node: node.clone(), slots: vec![(slot, Value::Null)] });
        Ok((agree(&first.collect::<Vec<_>>()), said))
    }
}

/// Whether the replicas of a variant agree.
pub(crate) fn check(folder: &Path, observed: &Observed) -> Result<Check, ResultsError> {
    let mut comparison = Comparison::default();
    let mut silent = Vec::new();
    for replica in &observed.plan.replicas {
        let spoke = comparison.add(replica, folder.join("nodes").join(replica).join("decisions.jsonl"))?;
        // A spare node that never became a member has decided nothing. A file is empty where the replica could not be
        // asked.
        if !spoke && !observed.plan.spares.contains(replica) {
            silent.push(replica.as_str());
        }
    }
    let counts = comparison
        .said
        .iter()
        .map(|(node, _, count)| format!("{node} said {} were decided", many(*count as u64, "slot")));
    let counts: Vec<String> = counts.collect();
    let (agreement, said) = comparison.agree()?;
    Ok(match agreement {
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

    /// What streaming says of these files, and what the comparison of all commands in memory says.
    fn both(files: &[&str]) -> (Agreement, Agreement) {
        let folder = tempfile::tempdir().unwrap();
        let (mut comparison, mut whole) = (Comparison::default(), Vec::new());
        for (number, text) in files.iter().enumerate() {
            let (node, path) = (format!("n{number}"), folder.path().join(number.to_string()));
            std::fs::write(&path, text).unwrap();
            let mut slots = Vec::new();
            read(&path, |decision: Decision<Value>, _| slots.push((decision.slot, decision.command)))
                .unwrap();
            assert_eq!(comparison.add(&node, path).unwrap(), !slots.is_empty());
            whole.push(Decisions { node, slots });
        }
        (comparison.agree().unwrap().0, agree(&whole))
    }

    /// All files of three replicas with at most two lines out of a few.
    #[test]
    fn streaming_agrees_with_a_comparison_in_memory() {
        let lines = [
            r#"{"slot":1,"command":{"a":1,"b":2}}"#,
            r#"{"command":{"b":2,"a":1},"slot":1}"#,
            r#"{"slot":1,"command":{"a":1,"b":3}}"#,
            r#"{"slot":2,"command":"x"}"#,
            "",
        ];
        let mut files = Vec::new();
        for first in lines {
            for second in lines {
                files.push(format!("{first}\n{second}\n{{\"slot\":3,\"comm"));
            }
        }
        for one in &files {
            for two in &files {
                for three in files.iter().step_by(6) {
                    let (streamed, whole) = both(&[one, two, three]);
                    assert_eq!(streamed, whole, "{one} / {two} / {three}");
                }
            }
        }
    }

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
