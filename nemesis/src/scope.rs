//! Whom a fault hits: nodes, and the directed links between them.

use crate::partition::Link;
use crate::topology::Topology;

/// The nodes a fault names: fixed by the plan, or the leader, who is only found when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ends {
    /// These nodes.
    Nodes(Vec<String>),
    /// Whoever leads when the fault starts.
    Leader,
}

impl Ends {
    /// The nodes, given who leads; an error without a leader.
    pub(crate) fn resolve(&self, leader: Option<&str>) -> Result<Vec<String>, String> {
        match (self, leader) {
            (Self::Nodes(names), _) => Ok(names.clone()),
            (Self::Leader, Some(leader)) => Ok(vec![leader.to_owned()]),
            (Self::Leader, None) => Err("nobody led when the fault was to start".to_owned()),
        }
    }
}

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
