//! Partitions: cut the links between groups of nodes, in both directions.

use super::{CUT, on_links};
use crate::budget::Hurt;
use crate::fault::entry::{Entry, Family, LINKS};
use crate::fault::fault_kind::FaultKind;
use crate::fault::flag::{flag, read};
use crate::fault::proof::{Met, Proof};
use crate::fault::stage::{State, Strike};
use crate::network::LinkFault;
use crate::parameters::{CutManner, Parameters, Shape, Target};
use crate::partition::{CLIENTS, Link, between_groups, bridge, halves, majority, majority_ring};
use crate::plan::{Aim, FaultEffect, Planning};
use crate::refusal::{Complaint, Refusal};
use crate::scope::{Ends, Hit, Scope};
use crate::select::by_name;
use crate::topology::Topology;
use rand::seq::SliceRandom;
use std::collections::BTreeSet;

/// Cuts the links between groups of nodes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Partition {
    target: Option<Target>,
    shape: Option<Shape>,
    groups: Option<Vec<Vec<String>>>,
    how: LinkFault,
}

impl From<CutManner> for LinkFault {
    fn from(how: CutManner) -> Self {
        match how {
            CutManner::Stall => Self::Stall,
            CutManner::Refuse => Self::Refuse,
        }
    }
}

impl FaultKind for Partition {
    const ENTRY: Entry = Entry {
        about: "links between groups of nodes are cut",
        evidence: CUT,
        keys: &["target", "shape", "groups", "how"],
        modes: LINKS,
        loses: 1,
        flags: &[flag(
            "partition",
            "KIND",
            "majority-ring",
            "Cut the network: halves, one, minority, majority, leader, bridge, majority-ring, or groups: n1,n2|n3",
            from_flag,
        )],
        examples: &[
            "shape = \"one\"\n",
            "shape = \"halves\"\n",
            "shape = \"bridge\"\n",
            "how = \"refuse\"\nshape = \"leader\"\n",
        ],
        ..Entry::new("partition", Family::Network)
    };

    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self {
            target: parameters.target.clone(),
            shape: parameters.shape,
            groups: parameters.groups.clone(),
            how: parameters.how.unwrap_or_default().into(),
        })
    }

    fn aim(&mut self, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
        let given = [self.shape.is_some(), self.groups.is_some(), self.target.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            let reason = "give exactly one of `shape` (\"halves\", \"leader\", …), `groups` and `target` (to cut it off)";
            return Err(Refusal::new("shape", reason));
        }
        if let Some(groups) = &self.groups {
            return explicit(groups, planning.topology);
        }
        if let Some(target) = &self.target {
            let ends = planning.choose("target", target)?;
            let has = |member: &str, names: &[String]| names.iter().any(|name| name == member);
            if matches!(&ends, Ends::Nodes(names) if planning.topology.members().all(|member| has(member, names)))
            {
                let refusal = Refusal::new("target", "no node is left on the other side");
                return Err(refusal.help("name fewer nodes"));
            }
            return planning.aimed("target", "partition", &target.to_string(), Scope::Apart(ends));
        }
        shaped(self.shape.unwrap_or(Shape::Halves), planning)
    }

    fn hurt(&self, hit: Option<&Hit>) -> Hurt {
        Hurt::cut(hit)
    }

    fn effect(&self) -> Option<FaultEffect> {
        Some(FaultEffect::Links(self.how))
    }

    async fn start(&self, strike: &Strike<'_>, state: &mut State) -> (u64, Proof) {
        on_links::start(strike, self.how, state).await
    }

    async fn end(&self, strike: &Strike<'_>, state: &State) -> (u64, Proof) {
        on_links::end(strike, self.how, state).await
    }

    async fn met(&self, strike: &Strike<'_>, state: &State) -> Option<Met> {
        Some(on_links::met(strike, self.how, state).await)
    }
}

fn from_flag(text: &str) -> Result<Parameters, String> {
    let mut parameters = Parameters::default();
    if text.contains('|') {
        let names = |group: &str| {
            let names = group.split([',', ' ']).filter(|name| !name.is_empty());
            names.map(str::to_owned).collect()
        };
        parameters.groups = Some(text.split('|').map(names).collect());
    } else {
        parameters.shape = Some(read::<Shape>(text)?);
    }
    Ok(parameters)
}

fn shaped(shape: Shape, planning: &mut Planning<'_>) -> Result<Aim, Refusal> {
    let topology = planning.topology;
    let count = topology.members().count();
    let least = match shape {
        Shape::Halves | Shape::One | Shape::Leader => 2,
        Shape::Majority | Shape::Minority | Shape::Bridge => 3,
        Shape::MajorityRing => 4,
    };
    if count < least {
        let why = match shape {
            Shape::Bridge => "it would cut no link",
            Shape::MajorityRing => "with three it is a one-way ring, with two it cuts no link",
            Shape::Halves | Shape::One | Shape::Majority | Shape::Minority | Shape::Leader => {
                "one side would be empty"
            }
        };
        let reason = format!("`{}` needs at least {least} nodes, and there are {count}: {why}", shape.name());
        return Err(Refusal::new("shape", reason));
    }

    let mut order: Vec<&str> = topology.members().collect();
    order.shuffle(planning.rng);
    let sides = match shape {
        Shape::Leader => {
            let leader = planning.choose("shape", &"leader".into())?;
            return planning.aimed("shape", "partition", "leader", Scope::Apart(leader));
        }
        Shape::Bridge => {
            let (left, right) = halves(&order);
            let links = bridge(&order);
            let groups = [left, vec![right[0]], right[1..].to_vec()];
            return Ok(cut(shape.name(), &groups, vec![right[0].to_owned()], links));
        }
        Shape::MajorityRing => {
            let all_nodes = order.iter().map(|name| (*name).to_owned()).collect();
            return Ok(cut(shape.name(), &[order.clone()], all_nodes, majority_ring(&order)));
        }
        Shape::Halves => halves(&order),
        Shape::One => split(&order, 1),
        Shape::Majority => split(&order, majority(count)),
        Shape::Minority => split(&order, (count - 1) / 2),
    };
    let named = sides.0.iter().map(|name| (*name).to_owned()).collect();
    let mut groups = [sides.0, sides.1];
    // Spare nodes that become members must not join the separated group.
    groups[1].extend(topology.spares());
    Ok(cut(shape.name(), &groups, named, between_groups(&groups)))
}

fn split<'a>(order: &[&'a str], at: usize) -> (Vec<&'a str>, Vec<&'a str>) {
    let (left, right) = order.split_at(at);
    (left.to_vec(), right.to_vec())
}

fn explicit(groups: &[Vec<String>], topology: &Topology) -> Result<Aim, Refusal> {
    let refuse = |reason: &str| Refusal::new("groups", reason);
    if groups.len() < 2 {
        return Err(refuse("fewer than two groups cut no link"));
    }
    if groups.iter().any(Vec::is_empty) {
        return Err(refuse("one of them is empty"));
    }
    let (clients, named): (Vec<_>, Vec<_>) = groups.concat().into_iter().partition(|name| name == CLIENTS);
    if clients.len() > 1 {
        let complaint = Complaint::new(format!("`{CLIENTS}` is in two of them"));
        return Err(complaint.about(CLIENTS).of("groups"));
    }
    let all_nodes = by_name(&named, topology).map_err(|complaint| complaint.of("groups"))?;
    let sides: Vec<Vec<&str>> =
        groups.iter().map(|group| group.iter().map(String::as_str).collect()).collect();
    let mut aim = cut("groups", &sides, all_nodes, between_groups(&sides));
    aim.target = sides.iter().map(|side| side.join(" ")).collect::<Vec<_>>().join(" | ");
    aim.label = format!("partition {}", aim.target);
    Ok(aim)
}

fn cut(shape: &str, groups: &[Vec<&str>], nodes: Vec<String>, links: BTreeSet<Link>) -> Aim {
    let sides: Vec<_> = groups.iter().map(|group| group.join(" ")).filter(|side| !side.is_empty()).collect();
    Aim {
        label: format!("partition {shape} ({})", sides.join(" | ")),
        target: shape.to_owned(),
        nodes: Some(nodes),
        scope: Scope::Links(links.into_iter().collect()),
    }
}
