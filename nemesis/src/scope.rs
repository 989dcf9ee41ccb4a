//! The targets of a fault: nodes, and the directed links between them.

use crate::partition::Link;
use crate::topology::Topology;

/// The nodes that a fault names: fixed by the plan, or the leader, who is only known at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ends {
    /// These nodes.
    Nodes(Vec<String>),
    /// The leader at the start of the fault.
    Leader,
}

impl Ends {
    /// The nodes, for the given leader; an error if the leader is missing.
    pub(crate) fn resolve(&self, leader: Option<&str>) -> Result<Vec<String>, String> {
        match (self, leader) {
            (Self::Nodes(names), _) => Ok(names.clone()),
            (Self::Leader, Some(leader)) => Ok(vec![leader.to_owned()]),
            (Self::Leader, None) => Err("no node led at the start of the fault".to_owned()),
        }
    }
}

/// The targets of a fault, as far as the plan can know them.
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
        /// The dialling nodes.
        from: Ends,
        /// The dialled nodes.
        to: Ends,
    },
    /// Exactly these links.
    Links(Vec<Link>),
}

/// The resolved targets of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Its nodes, as written to the history.
    pub nodes: Vec<String>,
    /// Its directed links; none for faults of processes.
    pub links: Vec<Link>,
}

impl Scope {
    /// Fills in the leader.
    ///
    /// The error says why there is no target; it only occurs if the target was the leader.
    pub fn resolve(&self, topology: &Topology, leader: Option<&str>) -> Result<Hit, String> {
        if let Some(leader) = leader.filter(|leader| !topology.contains(leader)) {
            return Err(format!("the system reported the leader `{leader}`, which is no node"));
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
        if links.is_empty() { Err("it would hit no link".to_owned()) } else { Ok(Hit { nodes, links }) }
    }

    /// Whether it can only be resolved at the start of the fault.
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
