//! What each learned clause follows from: cycles of known edges and choices, and other clauses.

use super::super::parse::small;
use super::solver::Literal;

/// Every clause by number: what it was derived from, or the nodes and the choices of a cycle.
#[derive(Debug, Default)]
pub(super) struct Origins {
    ends: Vec<(u32, u32, u32)>,
    parents: Vec<u32>,
    nodes: Vec<u32>,
    choices: Vec<Literal>,
    /// What shows that there is no solution, once that is known.
    pub(super) end: Option<u32>,
}

impl Origins {
    pub(super) fn size(&self) -> usize {
        self.parents.len() + self.nodes.len() + self.choices.len() + 3 * self.ends.len()
    }

    /// A cycle.
    pub(super) fn cycle(&mut self, nodes: impl Iterator<Item = u32>, choices: &[Literal]) -> u32 {
        self.nodes.extend(nodes);
        self.choices.extend_from_slice(choices);
        self.close()
    }

    /// What follows from others.
    pub(super) fn derived(&mut self, from: impl Iterator<Item = u32>) -> u32 {
        self.parents.extend(from);
        self.close()
    }

    fn close(&mut self) -> u32 {
        self.ends.push((small(self.parents.len()), small(self.nodes.len()), small(self.choices.len())));
        small(self.ends.len() - 1)
    }

    /// All nodes and choices of the cycles that something follows from.
    pub(super) fn behind(&self, origin: u32) -> (Vec<u32>, Vec<Literal>) {
        let mut met = vec![false; self.ends.len()];
        let mut stack = vec![origin];
        let (mut nodes, mut choices) = (Vec::new(), Vec::new());
        while let Some(origin) = stack.pop() {
            if std::mem::replace(&mut met[origin as usize], true) {
                continue;
            }
            let start = if origin == 0 { (0, 0, 0) } else { self.ends[origin as usize - 1] };
            let end = self.ends[origin as usize];
            stack.extend(&self.parents[start.0 as usize..end.0 as usize]);
            nodes.extend(&self.nodes[start.1 as usize..end.1 as usize]);
            choices.extend(&self.choices[start.2 as usize..end.2 as usize]);
        }
        nodes.sort_unstable();
        nodes.dedup();
        choices.sort_unstable();
        choices.dedup();
        (nodes, choices)
    }
}
