//! Resolves the words of a target to nodes. Refuses unknown nodes and empty selections.

use crate::parameters::Target;
use crate::partition::majority;
use crate::refusal::Complaint;
use crate::scope::Ends;
use crate::topology::{Topology, nearest};
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use std::collections::BTreeSet;

const WORDS: [&str; 5] = ["random", "all", "minority", "majority", "leader"];

/// Number of nodes to select from a pool.
#[derive(Clone, Copy)]
enum Amount {
    One,
    Minority,
    Majority,
    All,
}

impl Amount {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "random" | "any" => Some(Self::One),
            "minority" => Some(Self::Minority),
            "majority" => Some(Self::Majority),
            "all" => Some(Self::All),
            _ => None,
        }
    }

    fn of(self, pool: usize) -> usize {
        match self {
            Self::One => pool.min(1),
            Self::Minority => pool.saturating_sub(1) / 2,
            Self::Majority if pool == 0 => 0,
            Self::Majority => majority(pool),
            Self::All => pool,
        }
    }
}

/// Selects the nodes of a target. Draws prefer nodes that are not `busy`, if enough exist.
pub(crate) fn select(
    target: &Target,
    topology: &Topology,
    rng: &mut ChaCha8Rng,
    busy: &BTreeSet<String>,
) -> Result<Ends, Complaint> {
    match target {
        Target::Nodes(names) => by_name(names, topology).map(Ends::Nodes),
        Target::Word(word) if topology.contains(word) => Ok(Ends::Nodes(vec![word.clone()])),
        Target::Word(word) if word == "leader" => {
            let roles = topology.roles();
            if roles.is_empty() || roles.contains("leader") {
                Ok(Ends::Leader)
            } else {
                Err(Complaint::new("no node has the role `leader`").about("leader"))
            }
        }
        Target::Word(word) => {
            let (amount, pool) = pool(word, topology)?;
            let count = amount.of(pool.len());
            if count == 0 {
                let reason = format!("`{word}` of {} selects no node", nodes(pool.len()));
                return Err(Complaint::new(reason).about(word));
            }
            let mut order = pool.clone();
            order.shuffle(rng);
            order.sort_by_key(|name| busy.contains(*name));
            order.truncate(count);
            let chosen = pool.into_iter().filter(|name| order.contains(name));
            Ok(Ends::Nodes(chosen.map(str::to_owned).collect()))
        }
    }
}

/// Checks a list of names: not empty, all known, none twice.
pub(crate) fn by_name(names: &[String], topology: &Topology) -> Result<Vec<String>, Complaint> {
    if names.is_empty() {
        return Err(Complaint::new("the list is empty"));
    }
    let mut seen = BTreeSet::new();
    for name in names {
        if !topology.contains(name) {
            return Err(unknown(name, topology.names()));
        }
        if !seen.insert(name) {
            return Err(Complaint::new(format!("`{name}` is named twice")).about(name));
        }
    }
    Ok(names.to_vec())
}

/// `1 node`, `2 nodes`.
pub(crate) fn nodes(count: usize) -> String {
    if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") }
}

/// Parses `random`, `minority`, …, a role, or both together: `random-replica`, `majority-acceptors`.
fn pool<'a>(word: &str, topology: &'a Topology) -> Result<(Amount, Vec<&'a str>), Complaint> {
    if let Some(amount) = Amount::parse(word) {
        return Ok((amount, topology.members().collect()));
    }
    let (amount, role) = match word.split_once('-') {
        Some((first, rest)) if Amount::parse(first).is_some() => (Amount::parse(first), rest),
        Some(_) | None => (None, word),
    };
    for name in [role, role.strip_suffix('s').unwrap_or(role)] {
        let found = topology.with_role(name);
        if !found.is_empty() {
            return Ok((amount.unwrap_or(Amount::One), found));
        }
    }
    let mut known: Vec<String> = topology.names().map(str::to_owned).collect();
    known.extend(WORDS.map(str::to_owned));
    for role in topology.roles() {
        known.push(role.to_owned());
        known.extend(
            ["random", "any", "all", "minority", "majority"].map(|amount| format!("{amount}-{role}")),
        );
    }
    Err(unknown(word, known.iter().map(String::as_str)))
}

fn unknown<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> Complaint {
    let complaint = Complaint::new(format!("there is no node, role or target `{word}`")).about(word);
    if let Some(meant) = nearest(word, known.clone()) {
        return complaint.help(format!("did you mean `{meant}`?"));
    }
    let choices: Vec<String> = known.take(16).map(str::to_owned).collect();
    let help = format!("there are {}", choices.join(", "));
    Complaint { choices, ..complaint.help(help) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn split_roles() -> Topology {
        Topology::new([
            ("r1", ["replica"]),
            ("r2", ["replica"]),
            ("l1", ["leader"]),
            ("l2", ["leader"]),
            ("a1", ["acceptor"]),
            ("a2", ["acceptor"]),
            ("a3", ["acceptor"]),
        ])
    }

    fn pick(word: &str) -> Result<Ends, Complaint> {
        select(&word.into(), &split_roles(), &mut ChaCha8Rng::seed_from_u64(7), &BTreeSet::new())
    }

    fn names(word: &str) -> Vec<String> {
        match pick(word) {
            Ok(Ends::Nodes(names)) => names,
            other => panic!("{word}: {other:?}"),
        }
    }

    #[test]
    fn words_and_roles_select_their_number() {
        let sizes = [
            ("r1", 1),
            ("random", 1),
            ("minority", 3),
            ("majority", 4),
            ("all", 7),
            ("replica", 1),
            ("random-replica", 1),
            ("any-leader", 1),
            ("minority-acceptors", 1),
            ("all-acceptors", 3),
        ];
        for (word, size) in sizes {
            assert_eq!(names(word).len(), size, "{word}");
        }
        assert!(names("random-acceptor")[0].starts_with('a'));
        assert_eq!(pick("leader"), Ok(Ends::Leader));
    }

    #[test]
    fn empty_selection_is_refused() {
        let error = pick("minority-replicas").unwrap_err();
        assert_eq!(error.reason, "`minority-replicas` of 2 nodes selects no node");
    }

    #[test]
    fn an_unknown_word_gets_the_nearest_one() {
        let help = |word| pick(word).unwrap_err().help.unwrap();
        assert_eq!(help("randm-replica"), "did you mean `random-replica`?");
        assert_eq!(help("r7"), "did you mean `r1`?");
        assert!(help("everything-there-is").starts_with("there are r1"));
    }

    #[test]
    fn draws_prefer_nodes_without_another_fault() {
        let busy = BTreeSet::from(["r1".to_owned()]);
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let got = select(&"replica".into(), &split_roles(), &mut rng, &busy);
            assert_eq!(got, Ok(Ends::Nodes(vec!["r2".to_owned()])));
        }
    }
}
