//! Makes a violation smaller: fewer and shorter faults, a shorter load, fewer clients, keys and operations.
//!
//! *Problem*: find a small spec that still breaks the promise, though runs are not deterministic.
//!
//! *Idea*: delta debugging (Zeller and Hildebrandt, IEEE TSE 28(2), 2002). A candidate leaves something out. It is accepted by a
//! sequential test: the same check must be violated [`NEEDED`] times before [`REFUSALS`] runs were not. Accepted
//! candidates are the base of all later ones, until no candidate is accepted or the time is up.
//!
//! *Why it is right*: whatever is accepted was seen violated [`NEEDED`] times. That a smaller one exists which was refused by
//! chance is possible: a candidate that is violated in half of its runs is refused with a probability of 5/16.
//!
//! *Cost*: two to four runs for each candidate; one where runs are simulated, for the same seed then gives the same run.

use super::runner::Runner;
use super::subject::written;
use super::{Class, Share};
use crate::failure::Failure;
use crate::spec::Document;
use crate::terminal::Screen;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;
use toml::{Table, Value};

/// Violations that accept a candidate.
const NEEDED: u32 = 2;
/// Runs without a violation that refuse it.
const REFUSALS: u32 = 3;

/// What is made smaller.
#[derive(Debug)]
pub(crate) struct Shrink<'a> {
    /// What must still be violated.
    pub class: &'a Class,
    /// The seed of every run.
    pub seed: u64,
    /// When the search ends.
    pub deadline: Instant,
}

/// The smallest spec that was found.
#[derive(Debug)]
pub(crate) struct Smaller {
    /// The spec.
    pub document: Document,
    /// How often it was violated when it was accepted.
    pub share: Share,
    /// The folder of its last violated run; none if nothing could be left out.
    pub run: Option<PathBuf>,
    /// How many operations that run made.
    pub operations: u64,
    /// How many candidates were tried.
    pub tried: u32,
}

/// A change that makes a spec smaller.
struct Candidate {
    table: Table,
    words: String,
}

impl Shrink<'_> {
    /// Tries candidates until none is accepted.
    ///
    /// # Errors
    /// When the bench cannot do its work.
    pub(crate) async fn go(
        &self,
        table: Table,
        runner: &Runner<'_>,
        screen: &Screen,
    ) -> Result<Smaller, Failure> {
        let mut best = table;
        let mut smaller = Smaller {
            document: written("smaller", &best),
            share: Share::default(),
            run: None,
            operations: 0,
            tried: 0,
        };
        'again: loop {
            for candidate in candidates(&best) {
                if Instant::now() >= self.deadline || runner.is_interrupted() {
                    break 'again;
                }
                let document = written("smaller", &candidate.table);
                smaller.tried += 1;
                // Not every part can be left out: a spec may need it.
                let Some((share, run)) = self.test(&document, smaller.tried, runner).await? else { continue };
                let Some((run, operations)) = run else { continue };
                screen.line(&format!("  smaller, {}: violated {share}", candidate.words));
                if let Some(old) = smaller.run.replace(run) {
                    let _ = fs::remove_dir_all(old);
                }
                (smaller.document, smaller.share, smaller.operations) = (document, share, operations);
                best = candidate.table;
                continue 'again;
            }
            break;
        }
        Ok(smaller)
    }

    /// The sequential test of one candidate: its violations, and the folder and length of the last one if it is accepted.
    async fn test(
        &self,
        document: &Document,
        number: u32,
        runner: &Runner<'_>,
    ) -> Result<Option<(Share, Option<(PathBuf, u64)>)>, Failure> {
        let mut share = Share::default();
        let mut kept: Option<(PathBuf, u64)> = None;
        // A simulated run that is repeated says the same.
        let (needed, refusals) = if runner.simulated { (1, 1) } else { (NEEDED, REFUSALS) };
        while share.seen < needed && share.of - share.seen < refusals && !runner.is_interrupted() {
            runner.screen.live(format!("candidate {number}: violated {share}"));
            let name = format!("smaller/{number}-{}", share.of + 1);
            let Ok(attempt) = runner.run(document, self.seed, &name).await else { return Ok(None) };
            share.of += 1;
            if attempt.is_like(self.class) {
                share.seen += 1;
                let operations = attempt.operations();
                if let Some((old, _)) = kept.replace((attempt.folder, operations)) {
                    let _ = fs::remove_dir_all(old);
                }
            } else {
                attempt.remove();
            }
        }
        if share.seen == needed {
            return Ok(Some((share, kept)));
        }
        if let Some((folder, _)) = kept {
            let _ = fs::remove_dir_all(folder);
        }
        Ok(Some((share, None)))
    }
}

/// What could be left out of a spec, the largest parts first.
fn candidates(table: &Table) -> Vec<Candidate> {
    let mut all = fewer_faults(table);
    all.extend(shorter_load(table));
    for (section, key, least) in
        [("load", "clients", 1), ("load", "keys", 1), ("load", "rate", 20), ("cluster", "nodes", 3)]
    {
        all.extend(halved(table, section, key, least));
    }
    all.extend(shorter_faults(table));
    all
}

/// Halves of the faults left out, then each single one (ddmin without the complement sets of a finer partition).
fn fewer_faults(table: &Table) -> Vec<Candidate> {
    let faults = faults(table);
    let count = faults.len();
    let without = |low: usize, high: usize| {
        let kept = faults.iter().enumerate().filter(|(index, _)| !(low..high).contains(index));
        let kept = with_their_leaders(kept.map(|(index, one)| (index, one.clone())).collect());
        let words = format!("{} of {count} faults", kept.len());
        let mut table = table.clone();
        if kept.is_empty() {
            table.remove("fault");
        } else {
            table.insert("fault".to_owned(), Value::Array(kept));
        }
        Candidate { table, words }
    };
    let mut all = Vec::new();
    if count > 0 {
        all.push(without(0, count));
    }
    if count > 2 {
        all.push(without(0, count / 2));
        all.push(without(count / 2, count));
    }
    if count > 1 {
        all.extend((0..count).map(|index| without(index, index + 1)));
    }
    all
}

/// The faults that are left, by their old indices: without those that start after one that is gone, and with new numbers in `after`.
fn with_their_leaders(mut kept: Vec<(usize, Value)>) -> Vec<Value> {
    let leader = |fault: &Value| {
        let number = fault.get("after")?.get("fault")?.as_integer()?;
        usize::try_from(number).ok()?.checked_sub(1)
    };
    loop {
        let old: Vec<usize> = kept.iter().map(|(index, _)| *index).collect();
        kept.retain(|(_, fault)| leader(fault).is_none_or(|leader| old.contains(&leader)));
        if kept.len() < old.len() {
            continue;
        }
        for (_, fault) in &mut kept {
            let number = leader(fault).and_then(|leader| old.iter().position(|index| *index == leader));
            let after = fault.get_mut("after").and_then(|after| after.get_mut("fault"));
            if let (Some(number), Some(after)) = (number, after) {
                *after = Value::Integer(i64::try_from(number + 1).unwrap_or(i64::MAX));
            }
        }
        return kept.into_iter().map(|(_, fault)| fault).collect();
    }
}

/// A load that ends soon after the last fault, or after three quarters of its time.
fn shorter_load(table: &Table) -> Option<Candidate> {
    let duration = millis(table.get("load")?.get("duration")?)?;
    let end = faults(table).iter().filter_map(|fault| {
        let at = millis(fault.get("at")?)?;
        Some(at + fault.get("for").and_then(millis).unwrap_or_default())
    });
    let needed = end.max().unwrap_or_default() + 300;
    let shorter = (duration * 3 / 4).max(needed).max(1000);
    if shorter >= duration {
        return None;
    }
    let words = format!("a load of {shorter} ms");
    Some(Candidate { table: with(table, "load", "duration", format!("{shorter}ms").into())?, words })
}

/// A number halved, down to the least that makes sense.
fn halved(table: &Table, section: &str, key: &str, least: i64) -> Option<Candidate> {
    let value = table.get(section)?.get(key)?;
    #[expect(clippy::cast_possible_truncation, reason = "rates of a spec are small")]
    let old = value.as_integer().or_else(|| value.as_float().map(|rate| rate as i64))?;
    let new = (old / 2).max(least);
    if new >= old {
        return None;
    }
    Some(Candidate {
        table: with(table, section, key, new.into())?,
        words: format!("{section}.{key} = {new}"),
    })
}

/// Each fault half as long.
fn shorter_faults(table: &Table) -> Vec<Candidate> {
    let shorter = |(index, fault): (usize, &Value)| {
        let half = millis(fault.get("for")?)? / 2;
        if half < 100 {
            return None;
        }
        let mut table = table.clone();
        let fault = table.get_mut("fault")?.as_array_mut()?.get_mut(index)?.as_table_mut()?;
        fault.insert("for".to_owned(), format!("{half}ms").into());
        Some(Candidate { table, words: format!("fault {} for {half} ms", index + 1) })
    };
    faults(table).iter().enumerate().filter_map(shorter).collect()
}

fn faults(table: &Table) -> &[Value] {
    table.get("fault").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn with(table: &Table, section: &str, key: &str, value: Value) -> Option<Table> {
    let mut table = table.clone();
    table.get_mut(section)?.as_table_mut()?.insert(key.to_owned(), value);
    Some(table)
}

/// A duration of a spec in milliseconds.
fn millis(value: &Value) -> Option<u64> {
    let duration: jiff::SignedDuration = value.as_str()?.parse().ok()?;
    u64::try_from(duration.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        "[cluster]\nnodes = 5\n[load]\nrate = 400.0\nclients = 8\nkeys = 1\nduration = \"6s\"\n\
         [[fault]]\nkind = \"kill\"\nat = \"1s\"\nfor = \"400ms\"\n[[fault]]\nkind = \"pause\"\nat = \"2s\"\nfor = \"150ms\"\n\
         [[fault]]\nkind = \"reset\"\nat = \"500ms\"\n"
            .parse()
            .unwrap()
    }

    #[test]
    fn candidates_leave_something_out() {
        let words: Vec<String> = candidates(&table()).into_iter().map(|one| one.words).collect();
        let expected = [
            "0 of 3 faults",
            "2 of 3 faults",
            "1 of 3 faults",
            "2 of 3 faults",
            "2 of 3 faults",
            "2 of 3 faults",
            "a load of 4500 ms",
            "load.clients = 4",
            "load.rate = 200",
            "cluster.nodes = 3",
            "fault 1 for 200 ms",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn followers_keep_their_leaders() {
        let text = "[[fault]]\nkind = \"pause\"\nat = \"1s\"\n[[fault]]\nkind = \"hold\"\nat = \"2s\"\n\
            [[fault]]\nkind = \"kill\"\nafter = { fault = 2, by = \"1ms\" }\n";
        let table: Table = text.parse().unwrap();
        let left = |index: usize| {
            let kept = faults(&table).iter().cloned().enumerate().filter(|(other, _)| *other != index);
            with_their_leaders(kept.collect())
        };
        let (without_pause, without_hold) = (left(0), left(1));
        assert_eq!(without_pause[1]["after"]["fault"].as_integer(), Some(1));
        assert_eq!(without_hold.len(), 1, "{without_hold:?}");
    }

    #[test]
    fn load_still_holds_all_faults() {
        let table = with(&table(), "load", "duration", "2400ms".into()).unwrap();
        assert!(
            shorter_load(&table).is_none_or(|one| one.table["load"]["duration"].as_str() == Some("2450ms"))
        );
    }
}
