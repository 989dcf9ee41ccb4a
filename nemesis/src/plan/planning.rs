//! What a kind has at hand when it decides whom one fault hits.

use crate::parameters::Target;
use crate::refusal::Refusal;
use crate::scope::{Ends, Scope};
use crate::select::select;
use crate::topology::Topology;
use rand::rngs::ChaCha8Rng;
use std::collections::BTreeSet;

/// Whom one fault hits, and what people read of it.
#[derive(Debug)]
pub(crate) struct Aim {
    pub(crate) label: String,
    pub(crate) target: String,
    pub(crate) nodes: Option<Vec<String>>,
    pub(crate) scope: Scope,
}

/// What a change of the members takes.
#[derive(Debug)]
pub(crate) struct Moved {
    /// The nodes that it brings in or takes away.
    pub(crate) nodes: Vec<String>,
    /// How many members are missing because of it, without replacement.
    pub(crate) missing: usize,
}

/// What all other changes of the members take at the same time.
#[derive(Debug, Default)]
pub(crate) struct Others {
    pub(crate) taken: BTreeSet<String>,
    pub(crate) missing: usize,
}

impl Others {
    pub(crate) fn add(&mut self, moved: Moved) {
        self.taken.extend(moved.nodes);
        self.missing += moved.missing;
    }
}

/// The cluster, the draws of this fault, and what others do at the same time.
pub(crate) struct Planning<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) rng: &'a mut ChaCha8Rng,
    /// Nodes whose process another fault holds; draws prefer the others.
    pub(crate) busy: BTreeSet<String>,
    pub(crate) others: Others,
}

impl Planning<'_> {
    /// The nodes that a target means.
    pub(crate) fn choose(&mut self, field: &'static str, target: &Target) -> Result<Ends, Refusal> {
        select(target, self.topology, self.rng, &self.busy).map_err(|complaint| complaint.of(field))
    }

    /// The same, drawn from nodes other than these where there are enough.
    pub(crate) fn choose_beside(
        &mut self,
        taken: &BTreeSet<String>,
        field: &'static str,
        target: &Target,
    ) -> Result<Ends, Refusal> {
        select(target, self.topology, self.rng, taken).map_err(|complaint| complaint.of(field))
    }

    /// Aims at the processes of the nodes that a target means; `words` say what happens to them.
    pub(crate) fn on_processes(&mut self, words: &str, target: Option<&Target>) -> Result<Aim, Refusal> {
        let target = target.ok_or_else(|| {
            let role = self.topology.roles().first().map(|role| format!("random-{role}"));
            let example = role.unwrap_or_else(|| "random".to_owned());
            Refusal::new("target", format!("say whom, for example target = \"{example}\""))
        })?;
        let ends = self.choose("target", target)?;
        self.aimed("target", words, &target.to_string(), Scope::Processes(ends))
    }

    /// Aims at every link from or to the nodes that a target means, of all nodes without a target.
    pub(crate) fn on_links(&mut self, words: &str, target: Option<&Target>) -> Result<Aim, Refusal> {
        let all = Target::from("all");
        let target = target.unwrap_or(&all);
        let ends = self.choose("target", target)?;
        self.aimed("target", words, &target.to_string(), Scope::Around(ends))
    }

    /// Aims at all members; the fault is called by its kind alone.
    pub(crate) fn on_all(&self, kind: &str) -> Aim {
        let nodes: Vec<String> = self.topology.members().map(str::to_owned).collect();
        Aim {
            label: kind.to_owned(),
            target: "all".to_owned(),
            nodes: Some(nodes.clone()),
            scope: Scope::Processes(Ends::Nodes(nodes)),
        }
    }

    /// Puts the words together, and makes sure there is something to hit.
    pub(crate) fn aimed(
        &self,
        field: &'static str,
        words: &str,
        target: &str,
        scope: Scope,
    ) -> Result<Aim, Refusal> {
        let plain = format!("{words} {target}");
        let (label, nodes) = if scope.needs_leader() {
            (plain, None)
        } else {
            let hit = scope.resolve(self.topology, None).map_err(|reason| Refusal::new(field, reason))?;
            let found = hit.nodes.join(" ");
            let plain_enough = target == found || target == "all" || target.contains('→');
            (if plain_enough { plain } else { format!("{plain} ({found})") }, Some(hit.nodes))
        };
        Ok(Aim { label, target: target.to_owned(), nodes, scope })
    }
}
