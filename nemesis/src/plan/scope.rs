//! Whom a fault hits: nodes, and the directed links between them.

use super::Refusal;
use crate::clock::ClockFault;
use crate::network::LinkFault;
use crate::partition::CLIENTS;
use crate::partition::{Link, between_groups, bridge, halves, majority, majority_ring};
use crate::plan::Action;
use crate::select::{Ends, by_name, select};
use crate::spec::{FaultSpec, Shape, Target};
use crate::topology::Topology;
use crate::vocabulary::Kind;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use std::collections::BTreeSet;

/// Whom a fault hits, as far as the plan can know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The processes of these nodes.
    Processes(Ends),
    /// Every link from or to these nodes.
    Around(Ends),
    /// Every link between these nodes and all the others, both ways.
    Apart(Ends),
    /// The links that `from` dials to `to`.
    Between {
        /// Who dials.
        from: Ends,
        /// Who is dialled.
        to: Ends,
    },
    /// Exactly these links.
    Links(Vec<Link>),
}

/// Whom a fault hits, with nothing left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The nodes it is about, as written to the history.
    pub nodes: Vec<String>,
    /// The directed links it acts on; none for faults of processes.
    pub links: Vec<Link>,
}

impl Scope {
    /// Fills in who leads. The error says why there is nothing to hit; it cannot occur where nothing was open.
    pub fn resolve(&self, topology: &Topology, leader: Option<&str>) -> Result<Hit, String> {
        if let Some(leader) = leader.filter(|leader| !topology.contains(leader)) {
            return Err(format!("the leader was said to be `{leader}`, which is no node"));
        }
        let (nodes, links) = match self {
            Self::Processes(ends) => return Ok(Hit { nodes: ends.resolve(leader)?, links: Vec::new() }),
            Self::Links(links) => (Vec::new(), links.clone()),
            Self::Around(ends) => {
                let nodes = ends.resolve(leader)?;
                let links = all_links(topology, |from, to| has(&nodes, from) || has(&nodes, to));
                (nodes, links)
            }
            Self::Apart(ends) => {
                let nodes = ends.resolve(leader)?;
                let links = all_links(topology, |from, to| has(&nodes, from) != has(&nodes, to));
                (nodes, links)
            }
            Self::Between { from, to } => {
                let (from, to) = (from.resolve(leader)?, to.resolve(leader)?);
                let links = all_links(topology, |a, b| has(&from, a) && has(&to, b));
                (from, links)
            }
        };
        if links.is_empty() { Err("it would touch no link".to_owned()) } else { Ok(Hit { nodes, links }) }
    }

    /// Whether it can only be resolved when the fault starts.
    pub fn needs_leader(&self) -> bool {
        match self {
            Self::Processes(ends) | Self::Around(ends) | Self::Apart(ends) => *ends == Ends::Leader,
            Self::Between { from, to } => *from == Ends::Leader || *to == Ends::Leader,
            Self::Links(_) => false,
        }
    }
}

fn has(nodes: &[String], name: &str) -> bool {
    nodes.iter().any(|node| node == name)
}

fn all_links(topology: &Topology, wanted: impl Fn(&str, &str) -> bool) -> Vec<Link> {
    let names = || topology.names();
    let pairs = names().flat_map(|from| names().map(move |to| (from, to)));
    let pairs = pairs.filter(|(from, to)| from != to && wanted(from, to));
    pairs.map(|(from, to)| Link::new(from, to)).collect()
}

/// What a spec is aimed at in one of its occurrences.
pub(super) struct Aim {
    pub(super) label: String,
    pub(super) target: String,
    pub(super) nodes: Option<Vec<String>>,
    pub(super) scope: Scope,
}

/// Draws whom the fault hits this time.
pub(super) fn aim(
    spec: &FaultSpec,
    action: &Action,
    topology: &Topology,
    rng: &mut ChaCha8Rng,
    busy: &BTreeSet<String>,
) -> Result<Aim, Refusal> {
    match action {
        Action::Kill | Action::Roll if matches!(spec.kind, Kind::RestartAll | Kind::RollingRestart) => {
            Ok(everybody(spec.kind, topology))
        }
        Action::SwapDisks => swap(spec, topology, rng, busy),
        Action::Kill
        | Action::Stop
        | Action::LoseNode
        | Action::Roll
        | Action::Pause
        | Action::Damage(_)
        | Action::Slow(_)
        | Action::PowerLoss { .. }
        | Action::Clock(_)
        | Action::Disk(_) => {
            let example = || format!("say whom, for example target = \"{}\"", example(topology));
            let target = spec.target.clone().ok_or_else(|| Refusal::new("target", example()))?;
            let ends = choose("target", &target, topology, rng, busy)?;
            let kind = spec.kind;
            let words = match (spec.delay, spec.by, spec.speed) {
                (Some(delay), _, _) => format!("{kind} {delay} on"),
                (None, Some(by), _) => {
                    let sign = if by.is_negative() { '-' } else { '+' };
                    format!("{kind} {sign}{:#} on", by.abs())
                }
                (None, None, Some(speed)) => format!("{kind} at {speed} on"),
                (None, None, None) if *action == Action::Clock(ClockFault::Freeze) => {
                    format!("{kind} clock of")
                }
                (None, None, None) => kind.name().to_owned(),
            };
            aimed(topology, "target", &words, &target.to_string(), Scope::Processes(ends))
        }
        Action::Reconfigure { .. } => unreachable!("who comes and who goes is planned together"),
        Action::Links(LinkFault::Stall | LinkFault::Refuse) if spec.kind == Kind::OneWay => {
            one_way(spec, topology, rng)
        }
        Action::Links(LinkFault::Stall | LinkFault::Refuse) => partition(spec, topology, rng),
        Action::Links(LinkFault::Delay(_) | LinkFault::Rate(_) | LinkFault::Flaky(_))
        | Action::Swizzle { .. }
        | Action::Reset => {
            let target = spec.target.clone().unwrap_or_else(|| "all".into());
            let ends = choose("target", &target, topology, rng, busy)?;
            let words = match (spec.delay, spec.rate) {
                (Some(delay), _) => format!("delay {delay} on"),
                (None, Some(rate)) => format!("rate {rate}/s on"),
                (None, None) if spec.kind == Kind::Flaky => format!("{} on", spec.flaky()),
                (None, None) => spec.kind.name().to_owned(),
            };
            aimed(topology, "target", &words, &target.to_string(), Scope::Around(ends))
        }
    }
}

/// Two nodes that are drawn, or those that are named: as many as it takes to swap something.
fn swap(
    spec: &FaultSpec,
    topology: &Topology,
    rng: &mut ChaCha8Rng,
    busy: &BTreeSet<String>,
) -> Result<Aim, Refusal> {
    let kind = spec.kind.name();
    let few = |reason: &str| {
        let reason = format!("{reason}; name two nodes at least, or leave it out and two are drawn");
        Refusal::new("target", reason)
    };
    let Some(target) = &spec.target else {
        let mut order: Vec<&str> = topology.members().collect();
        order.shuffle(rng);
        order.sort_by_key(|name| busy.contains(*name));
        order.truncate(2);
        if order.len() < 2 {
            return Err(few("there are not two nodes"));
        }
        let ends = Ends::Nodes(order.into_iter().map(str::to_owned).collect());
        return aimed(topology, "target", kind, "random", Scope::Processes(ends));
    };
    let ends = choose("target", target, topology, rng, busy)?;
    match &ends {
        Ends::Leader => return Err(few("the leader alone has nobody to swap its disk with")),
        Ends::Nodes(names) if names.len() < 2 => {
            return Err(few("one node has nobody to swap its disk with"));
        }
        Ends::Nodes(_) => {}
    }
    aimed(topology, "target", kind, &target.to_string(), Scope::Processes(ends))
}

/// A fault of the whole cluster is called by its kind alone.
fn everybody(kind: Kind, topology: &Topology) -> Aim {
    let nodes: Vec<String> = topology.members().map(str::to_owned).collect();
    Aim {
        label: kind.name().to_owned(),
        target: "all".to_owned(),
        nodes: Some(nodes.clone()),
        scope: Scope::Processes(Ends::Nodes(nodes)),
    }
}

fn example(topology: &Topology) -> String {
    topology.roles().first().map_or("random".to_owned(), |role| format!("random-{role}"))
}

fn choose(
    field: &'static str,
    target: &Target,
    topology: &Topology,
    rng: &mut ChaCha8Rng,
    busy: &BTreeSet<String>,
) -> Result<Ends, Refusal> {
    select(target, topology, rng, busy).map_err(|reason| Refusal::new(field, reason))
}

/// Puts the words together, and makes sure there is something to hit.
fn aimed(
    topology: &Topology,
    field: &'static str,
    words: &str,
    target: &str,
    scope: Scope,
) -> Result<Aim, Refusal> {
    let plain = format!("{words} {target}");
    let (label, nodes) = if scope.needs_leader() {
        (plain, None)
    } else {
        let hit = scope.resolve(topology, None).map_err(|reason| Refusal::new(field, reason))?;
        let found = hit.nodes.join(" ");
        let plain_enough = target == found || target == "all" || target.contains('→');
        (if plain_enough { plain } else { format!("{plain} ({found})") }, Some(hit.nodes))
    };
    Ok(Aim { label, target: target.to_owned(), nodes, scope })
}

fn one_way(spec: &FaultSpec, topology: &Topology, rng: &mut ChaCha8Rng) -> Result<Aim, Refusal> {
    let from_word = spec.from.clone();
    let from_word = from_word.ok_or_else(|| {
        Refusal::new("from", "say whose connections are cut, for example from = \"leader\"")
    })?;
    let from = choose("from", &from_word, topology, rng, &BTreeSet::new())?;
    let to_word = spec.to.clone().unwrap_or_else(|| "all".into());
    let taken = match &from {
        Ends::Nodes(names) => names.iter().cloned().collect(),
        Ends::Leader => BTreeSet::new(),
    };
    let to = choose("to", &to_word, topology, rng, &taken)?;
    if from == Ends::Leader && to == Ends::Leader {
        return Err(Refusal::new("to", "from the leader to the leader there is no link"));
    }
    let words = |word: &Target, ends: &Ends| match ends {
        Ends::Nodes(names) if word.to_string() != "all" => names.join(" "),
        Ends::Nodes(_) | Ends::Leader => word.to_string(),
    };
    let target = format!("{}→{}", words(&from_word, &from), words(&to_word, &to));
    aimed(topology, "to", spec.kind.name(), &target, Scope::Between { from, to })
}

fn partition(spec: &FaultSpec, topology: &Topology, rng: &mut ChaCha8Rng) -> Result<Aim, Refusal> {
    let given = [spec.shape.is_some(), spec.groups.is_some(), spec.target.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        let reason =
            "give exactly one of `shape` (\"halves\", \"leader\", …), `groups` and `target` (to cut it off)";
        return Err(Refusal::new("shape", reason));
    }
    if let Some(groups) = &spec.groups {
        return explicit(groups, topology);
    }
    if let Some(target) = &spec.target {
        let ends = choose("target", target, topology, rng, &BTreeSet::new())?;
        if matches!(&ends, Ends::Nodes(names) if topology.members().all(|member| has(names, member))) {
            return Err(Refusal::new("target", "nobody is left on the other side; name fewer nodes"));
        }
        return aimed(topology, "target", "partition", &target.to_string(), Scope::Apart(ends));
    }
    shaped(spec.shape.unwrap_or(Shape::Halves), topology, rng)
}

fn shaped(shape: Shape, topology: &Topology, rng: &mut ChaCha8Rng) -> Result<Aim, Refusal> {
    let count = topology.members().count();
    let least = match shape {
        Shape::Halves | Shape::One | Shape::Leader => 2,
        Shape::Majority | Shape::Minority | Shape::Bridge => 3,
        Shape::MajorityRing => 4,
    };
    if count < least {
        let why = match shape {
            Shape::Bridge => "it would cut nothing",
            Shape::MajorityRing => "of three it is a one-way ring, and of two it cuts nothing",
            Shape::Halves | Shape::One | Shape::Majority | Shape::Minority | Shape::Leader => {
                "one side would be empty"
            }
        };
        let reason = format!("`{}` needs at least {least} nodes, and there are {count}: {why}", shape.name());
        return Err(Refusal::new("shape", reason));
    }

    let mut order: Vec<&str> = topology.members().collect();
    order.shuffle(rng);
    let sides = match shape {
        Shape::Leader => {
            let leader = choose("shape", &"leader".into(), topology, rng, &BTreeSet::new())?;
            return aimed(topology, "shape", "partition", "leader", Scope::Apart(leader));
        }
        Shape::Bridge => {
            let (left, right) = halves(&order);
            let links = bridge(&order);
            let groups = [left, vec![right[0]], right[1..].to_vec()];
            return Ok(cut(shape.name(), &groups, vec![right[0].to_owned()], links));
        }
        Shape::MajorityRing => {
            let everybody = order.iter().map(|name| (*name).to_owned()).collect();
            return Ok(cut(shape.name(), &[order.clone()], everybody, majority_ring(&order)));
        }
        Shape::Halves => halves(&order),
        Shape::One => split(&order, 1),
        Shape::Majority => split(&order, majority(count)),
        Shape::Minority => split(&order, (count - 1) / 2),
    };
    let named = sides.0.iter().map(|name| (*name).to_owned()).collect();
    let mut groups = [sides.0, sides.1];
    // Spare ones that become members must not join what is apart.
    groups[1].extend(topology.spares());
    Ok(cut(shape.name(), &groups, named, between_groups(&groups)))
}

fn split<'a>(order: &[&'a str], at: usize) -> (Vec<&'a str>, Vec<&'a str>) {
    let (left, right) = order.split_at(at);
    (left.to_vec(), right.to_vec())
}

fn explicit(groups: &[Vec<String>], topology: &Topology) -> Result<Aim, Refusal> {
    let refuse = |reason: String| Refusal::new("groups", reason);
    if groups.len() < 2 {
        return Err(refuse("fewer than two groups cut nothing".to_owned()));
    }
    if groups.iter().any(Vec::is_empty) {
        return Err(refuse("one of them is empty".to_owned()));
    }
    let (clients, named): (Vec<_>, Vec<_>) = groups.concat().into_iter().partition(|name| name == CLIENTS);
    if clients.len() > 1 {
        return Err(refuse(format!("`{CLIENTS}` stands in two of them")));
    }
    let everybody = by_name(&named, topology).map_err(refuse)?;
    let sides: Vec<Vec<&str>> =
        groups.iter().map(|group| group.iter().map(String::as_str).collect()).collect();
    let mut aim = cut("groups", &sides, everybody, between_groups(&sides));
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
