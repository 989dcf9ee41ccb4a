//! Joins the shards of a hunt: what all of them did, and what they found.

use super::{Finding, Findings, HuntPlan, RunRecord, records};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::{BAD, STRONG, Screen};
use report::Answer;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Findings of one class in all shards.
#[derive(Debug, Default)]
struct Joined {
    runs: u64,
    folders: Vec<PathBuf>,
}

/// Says what the hunts in these folders found together.
///
/// # Errors
/// When one is no hunt, they are not of one spec and seed, or a run stands in two of them (exit code 2).
pub(crate) fn merge(folders: &[PathBuf], screen: &Screen, as_json: bool) -> Result<Exit, Failure> {
    let mut first: Option<HuntPlan> = None;
    let mut runs: Vec<RunRecord> = Vec::new();
    let mut numbers = BTreeSet::new();
    let mut classes: BTreeMap<String, Joined> = BTreeMap::new();
    for folder in folders {
        let usage = |what: &str| Failure::usage(folder.display().to_string(), what);
        let plan = HuntPlan::read(folder)?;
        let base = first.get_or_insert_with(|| plan.clone());
        if (&plan.spec, plan.seed, plan.shards) != (&base.spec, base.seed, base.shards) {
            let help = format!(
                "merge shards of one hunt: {} with seed {} in {} parts",
                base.spec, base.seed, base.shards
            );
            return Err(usage("it is a part of another hunt").help(help));
        }
        for record in records(folder)? {
            if !numbers.insert(record.run) {
                return Err(usage("another folder has the same runs").help("name each shard once"));
            }
            runs.push(record);
        }
        for Finding { class, runs, number, .. } in Findings::open(folder)?.all() {
            let joined = classes.entry(class.as_str().to_owned()).or_default();
            joined.runs += runs.len() as u64;
            joined.folders.push(folder.join("findings").join(number.to_string()));
        }
    }
    let count = |answer| runs.iter().filter(|run| run.answer == answer).count();
    let answers =
        [Answer::Valid, Answer::Invalid, Answer::Unknown, Answer::Failed].map(|one| (one.word(), count(one)));
    if as_json {
        let findings: Vec<_> = classes
            .iter()
            .map(|(class, joined)| json!({"class": class, "runs": joined.runs, "folders": joined.folders}))
            .collect();
        let counts: BTreeMap<_, _> = answers.into_iter().collect();
        println!("{}", json!({"runs": runs.len(), "answers": counts, "findings": findings}));
    } else {
        let words = answers.map(|(word, count)| format!("{count} {word}")).join(", ");
        screen.line(&format!("{STRONG}{} runs{STRONG:#} in {} folders: {words}", runs.len(), folders.len()));
        for (class, joined) in &classes {
            screen.line(&format!("{BAD}found{BAD:#}  {class}  ({} runs)", joined.runs));
            for folder in &joined.folders {
                screen.line(&format!("       {}", folder.join("spec.toml").display()));
            }
        }
    }
    Ok(if count(Answer::Invalid) > 0 {
        Exit::Invalid
    } else if count(Answer::Valid) > 0 {
        Exit::Valid
    } else {
        Exit::Unknown
    })
}
