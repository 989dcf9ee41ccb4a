//! Conflict analysis: the clause at the first unique implication point (GRASP, 1996), without literals that others imply.

use super::{Conflict, Literal, Solver, opposite, variable};
use crate::transactions::parse::{NONE, small};

impl Solver {
    /// Learns from a conflict and goes back; what it follows from, if that leaves no solution.
    pub(in crate::transactions::orders) fn learn(&mut self, conflict: Conflict) -> Option<u32> {
        self.conflicts += 1;
        self.restarts.conflict();
        let highest = conflict.literals.iter().map(|literal| self.level[variable(*literal)]).max();
        let highest = highest.unwrap_or(0);
        if highest == 0 {
            return Some(self.end(&conflict));
        }
        self.cancel(highest);
        let (learned, origin, back) = self.analyze(conflict);
        self.heap.decay();
        let first = learned[0];
        if learned.len() == 1 {
            self.cancel(highest - 1);
            self.settle(first, origin);
            return None;
        }
        self.cancel(back);
        let mut levels: Vec<u32> = learned.iter().map(|literal| self.level[variable(*literal)]).collect();
        levels.sort_unstable();
        levels.dedup();
        let clause = self.attach(learned, origin, small(levels.len()));
        self.assign(first, clause);
        None
    }

    /// The clause at the first unique implication point, its true-to-be literal first, and the level to go back to.
    fn analyze(&mut self, conflict: Conflict) -> (Vec<Literal>, u32, u32) {
        let present = self.present_level();
        let mut learned = vec![NONE];
        let mut used = vec![conflict.origin];
        let mut marked: Vec<usize> = Vec::new();
        let mut literals = conflict.literals;
        let mut open = 0;
        let mut index = self.trail.len();
        let pivot = loop {
            for literal in literals.drain(..) {
                let at = variable(literal);
                if self.seen[at] {
                    continue;
                }
                self.seen[at] = true;
                marked.push(at);
                self.heap.bump(literal / 2);
                match self.level[at] {
                    0 => used.push(self.origin[at]),
                    level if level == present => open += 1,
                    _ => learned.push(literal),
                }
            }
            let pivot = loop {
                index -= 1;
                let at = variable(self.trail[index]);
                if self.seen[at] && self.level[at] == present {
                    break self.trail[index];
                }
            };
            open -= 1;
            if open == 0 {
                break pivot;
            }
            let reason = &self.clauses[self.reason[variable(pivot)] as usize];
            used.push(reason.origin);
            literals.extend(reason.literals.iter().filter(|literal| **literal != pivot));
        };
        learned[0] = opposite(pivot);
        self.shorten(&mut learned, &mut used);
        for at in marked {
            self.seen[at] = false;
        }
        let second = (1..learned.len()).max_by_key(|index| self.level[variable(learned[*index])]);
        let back = second.map_or(0, |second| {
            learned.swap(1, second);
            self.level[variable(learned[1])]
        });
        let origin = self.origins.derived(used.into_iter());
        (learned, origin, back)
    }

    /// Leaves out literals that follow from the others.
    fn shorten(&self, learned: &mut Vec<Literal>, used: &mut Vec<u32>) {
        let mut index = 1;
        while index < learned.len() {
            let reason = self.reason[variable(learned[index])];
            let follows = reason != NONE && {
                let others = &self.clauses[reason as usize].literals;
                others.iter().all(|other| {
                    let at = variable(*other);
                    at == variable(learned[index]) || self.seen[at] || self.level[at] == 0
                })
            };
            if follows {
                let clause = &self.clauses[reason as usize];
                used.push(clause.origin);
                let settled = clause.literals.iter().map(|literal| variable(*literal));
                used.extend(settled.filter(|at| self.level[*at] == 0).map(|at| self.origin[at]));
                learned.swap_remove(index);
            } else {
                index += 1;
            }
        }
    }
}
