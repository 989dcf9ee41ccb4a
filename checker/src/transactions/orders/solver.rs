//! Conflict-driven clause learning over choices that add edges to a graph without cycles.
//!
//! *Problem*: make choices so that the edges they add close no cycle, and every clause holds.
//!
//! *Idea*: a choice that closes a cycle yields a clause, "not all of these choices together". Conflict analysis turns it
//! into one that would have prevented the mistake (first unique implication point), and goes back to where it
//! mattered. A choice is made as the present topological order has it, which is where it costs nothing.
//!
//! *Why it is right*: each clause follows from known edges and clauses; without any choice left to take back, there
//! is no solution. What a clause follows from is recorded, so that such an end names the transactions it needs.
//!
//! *Source*: Marques-Silva and Sakallah (GRASP, 1996); Bayless and others, "SAT modulo monotonic theories" (AAAI
//! 2015); `VeriStrong` (2025), for choices guided by an order.

mod learn;

use super::super::parse::{NONE, small};
use super::guide::Guide;
use super::heap::Heap;
use super::origins::Origins;
use super::progress::Step;
use super::restarts::Restarts;
use super::topology::Topology;
use std::ops::Range;

/// A choice, or its opposite: twice the number of the variable, plus one for the opposite.
pub(super) type Literal = u32;

/// Learned clauses that are kept at first, and how many more after each clean-up.
const KEPT: usize = 8_000;
const MORE_KEPT: usize = 1_000;
/// Conflicts between two looks at the deadline.
const CONFLICTS_BETWEEN_LOOKS: u64 = 32;
/// Decisions without a conflict between two looks at the deadline.
const DECISIONS_BETWEEN_LOOKS: u32 = 1_024;

#[derive(Debug)]
struct Clause {
    literals: Vec<Literal>,
    origin: u32,
    /// Decision levels among its literals when it was learned; 0 for one that is never dropped.
    levels: u32,
    dropped: bool,
}

#[derive(Debug, Clone, Copy)]
struct Watch {
    clause: u32,
    /// Another literal of the clause: if it is true, the clause holds.
    blocker: Literal,
}

/// Literals of which one must be true and none is, and what it follows from.
#[derive(Debug)]
pub(super) struct Conflict {
    literals: Vec<Literal>,
    origin: u32,
}

/// Where a decision began: the lengths of the trail and of the log of added edges.
#[derive(Debug, Clone, Copy)]
struct Level {
    trail: usize,
    added: usize,
}

#[derive(Debug)]
pub(super) struct Solver {
    pub(super) topology: Topology,
    pub(super) origins: Origins,
    /// The edges of each literal.
    edges: Vec<(u32, u32)>,
    of_literal: Vec<Range<u32>>,
    /// By variable: 0 without a value, 1 true, 2 false.
    value: Vec<u8>,
    level: Vec<u32>,
    reason: Vec<u32>,
    /// By variable: what its value follows from, at level 0.
    origin: Vec<u32>,
    trail: Vec<Literal>,
    levels: Vec<Level>,
    head: usize,
    clauses: Vec<Clause>,
    learned: usize,
    kept: usize,
    watches: Vec<Vec<Watch>>,
    heap: Heap,
    /// By variable: how it is decided.
    guide: Vec<Guide>,
    /// By variable: whether it is decided even where the present order has one of its values already.
    active: Vec<bool>,
    /// By group of variables: the one that is preferred.
    preferred: Vec<Literal>,
    seen: Vec<bool>,
    pub(super) conflicts: u64,
    restarts: Restarts,
}

pub(super) fn opposite(literal: Literal) -> Literal {
    literal ^ 1
}

/// The value of its variable with which it is true.
fn value_of(literal: Literal) -> u8 {
    if literal & 1 == 0 { 1 } else { 2 }
}

fn variable(literal: Literal) -> usize {
    literal as usize / 2
}

impl Solver {
    pub(super) fn new(topology: Topology) -> Self {
        Self {
            topology,
            origins: Origins::default(),
            edges: Vec::new(),
            of_literal: Vec::new(),
            value: Vec::new(),
            level: Vec::new(),
            reason: Vec::new(),
            origin: Vec::new(),
            trail: Vec::new(),
            levels: Vec::new(),
            head: 0,
            clauses: Vec::new(),
            learned: 0,
            kept: KEPT,
            watches: Vec::new(),
            heap: Heap::default(),
            guide: Vec::new(),
            active: Vec::new(),
            preferred: Vec::new(),
            seen: Vec::new(),
            conflicts: 0,
            restarts: Restarts::default(),
        }
    }

    /// A new variable, with the edges that it adds if it is true and if it is false.
    pub(super) fn variable(
        &mut self,
        if_true: &[(u32, u32)],
        if_false: &[(u32, u32)],
        guide: Guide,
    ) -> Literal {
        let variable = small(self.value.len());
        for edges in [if_true, if_false] {
            let start = small(self.edges.len());
            self.edges.extend_from_slice(edges);
            self.of_literal.push(start..small(self.edges.len()));
            self.watches.push(Vec::new());
        }
        self.value.push(0);
        self.level.push(0);
        self.reason.push(NONE);
        self.origin.push(NONE);
        self.seen.push(false);
        self.guide.push(guide);
        self.active.push(guide != Guide::Order);
        self.heap.know(variable);
        self.open(variable);
        2 * variable
    }

    /// Lets a variable be decided, if it is one that is.
    fn open(&mut self, variable: u32) {
        if self.guide[variable as usize] != Guide::Implied {
            self.heap.add(variable);
        }
    }

    /// Has a variable decided in any case from now on.
    pub(super) fn activate(&mut self, literal: Literal) {
        self.active[variable(literal)] = true;
        if self.is_open(literal) {
            self.open(literal / 2);
        }
    }

    /// Prefers a literal among those of its group.
    pub(super) fn prefer(&mut self, group: u32, literal: Literal) {
        if self.preferred.len() <= group as usize {
            self.preferred.resize(group as usize + 1, NONE);
        }
        self.preferred[group as usize] = literal;
    }

    pub(super) fn is_true(&self, literal: Literal) -> bool {
        self.value[variable(literal)] == value_of(literal)
    }

    pub(super) fn is_open(&self, literal: Literal) -> bool {
        self.value[variable(literal)] == 0
    }

    fn is_false(&self, literal: Literal) -> bool {
        self.is_true(opposite(literal))
    }

    /// How much memory the clauses and what they follow from take, in numbers.
    pub(super) fn size(&self) -> usize {
        self.origins.size() + self.edges.len() + 16 * self.learned
    }

    fn edges_of(&self, literal: Literal) -> Range<usize> {
        let range = &self.of_literal[literal as usize];
        range.start as usize..range.end as usize
    }

    fn present_level(&self) -> u32 {
        small(self.levels.len())
    }

    /// Goes back to where no decision was made.
    pub(super) fn restart(&mut self) {
        self.cancel(0);
    }

    fn cancel(&mut self, level: u32) {
        let Some(start) = self.levels.get(level as usize).copied() else { return };
        let undone = self.trail.split_off(start.trail);
        self.topology.undo(start.added);
        self.head = start.trail;
        self.levels.truncate(level as usize);
        for literal in undone {
            if self.level[variable(literal)] == 0 {
                // Learned for good while decisions stood.
                self.trail.push(literal);
            } else {
                self.value[variable(literal)] = 0;
                self.open(literal / 2);
            }
        }
    }

    /// Adds a clause before any decision; false if it cannot hold.
    pub(super) fn clause(&mut self, mut literals: Vec<Literal>, origin: u32) -> bool {
        debug_assert!(self.levels.is_empty());
        let settled: Vec<Literal> =
            literals.iter().copied().filter(|literal| self.is_false(*literal)).collect();
        let origin = if settled.is_empty() { origin } else { self.with_settled(origin, &settled) };
        literals.retain(|literal| !self.is_false(*literal));
        match literals.as_slice() {
            [] => {
                self.origins.end = Some(origin);
                false
            }
            [unit] => {
                if self.is_open(*unit) {
                    self.settle(*unit, origin);
                }
                true
            }
            _ => {
                self.attach(literals, origin, 0);
                true
            }
        }
    }

    /// What follows from something together with values that are settled.
    fn with_settled(&mut self, origin: u32, literals: &[Literal]) -> u32 {
        let settled: Vec<u32> = literals.iter().map(|literal| self.origin[variable(*literal)]).collect();
        self.origins.derived(std::iter::once(origin).chain(settled))
    }

    /// Gives a variable its value for good. Decisions that were made before may stand (chronological backtracking; Nadel
    /// and Ryvchin, SAT 2018), so that they need not be made again.
    pub(super) fn settle(&mut self, literal: Literal, origin: u32) {
        debug_assert!(self.is_open(literal));
        self.assign(literal, NONE);
        self.level[variable(literal)] = 0;
        self.origin[variable(literal)] = origin;
    }

    fn assign(&mut self, literal: Literal, reason: u32) {
        let index = variable(literal);
        self.value[index] = value_of(literal);
        self.level[index] = self.present_level();
        self.reason[index] = reason;
        if self.levels.is_empty() && reason != NONE {
            let clause = &self.clauses[reason as usize];
            let others = clause.literals.iter().copied().filter(|other| *other != literal);
            let others: Vec<Literal> = others.collect();
            let origin = clause.origin;
            self.origin[index] = self.with_settled(origin, &others);
        }
        self.trail.push(literal);
    }

    fn attach(&mut self, literals: Vec<Literal>, origin: u32, levels: u32) -> u32 {
        let clause = small(self.clauses.len());
        self.watches[literals[0] as usize].push(Watch { clause, blocker: literals[1] });
        self.watches[literals[1] as usize].push(Watch { clause, blocker: literals[0] });
        self.learned += literals.len();
        self.clauses.push(Clause { literals, origin, levels, dropped: false });
        clause
    }

    /// Draws every conclusion from the values there are.
    fn propagate(&mut self) -> Option<Conflict> {
        while let Some(literal) = self.trail.get(self.head).copied() {
            self.head += 1;
            for index in self.edges_of(literal) {
                let (from, to) = self.edges[index];
                if !self.topology.add(from, to, literal) {
                    return Some(self.cycle(from, to, Some(literal)));
                }
            }
            if let Some(clause) = self.propagate_clauses(opposite(literal)) {
                let clause = &self.clauses[clause as usize];
                return Some(Conflict { literals: clause.literals.clone(), origin: clause.origin });
            }
        }
        None
    }

    fn propagate_clauses(&mut self, falsified: Literal) -> Option<u32> {
        let mut watches = std::mem::take(&mut self.watches[falsified as usize]);
        let mut kept = 0;
        let mut conflict = None;
        let mut next = 0;
        while let Some(watch) = watches.get(next).copied() {
            next += 1;
            if self.is_true(watch.blocker) {
                watches[kept] = watch;
                kept += 1;
                continue;
            }
            let clause = &mut self.clauses[watch.clause as usize];
            if clause.dropped {
                continue;
            }
            if clause.literals[0] == falsified {
                clause.literals.swap(0, 1);
            }
            let first = clause.literals[0];
            let value = &self.value;
            let is_false = |literal: &Literal| value[variable(*literal)] == value_of(opposite(*literal));
            let other = (2..clause.literals.len()).find(|index| !is_false(&clause.literals[*index]));
            if let Some(other) = other {
                clause.literals.swap(1, other);
                let second = clause.literals[1];
                self.watches[second as usize].push(Watch { clause: watch.clause, blocker: first });
                continue;
            }
            watches[kept] = Watch { clause: watch.clause, blocker: first };
            kept += 1;
            if self.is_false(first) {
                conflict = Some(watch.clause);
                break;
            }
            if self.is_open(first) {
                self.assign(first, watch.clause);
            }
        }
        watches.drain(kept..next);
        self.watches[falsified as usize] = watches;
        conflict
    }

    /// Why an edge that rests on a literal cannot be added: the choices on the path back.
    pub(super) fn cycle(&mut self, from: u32, to: u32, literal: Option<Literal>) -> Conflict {
        let (level, topology) = (&self.level, &mut self.topology);
        let path = topology.path(to, from, &|reason| level[variable(reason)] == 0);
        let mut reasons: Vec<Literal> =
            path.iter().map(|step| step.reason).filter(|reason| *reason != NONE).chain(literal).collect();
        reasons.sort_unstable();
        reasons.dedup();
        let nodes = path.iter().map(|step| step.from).chain([from]);
        let cycle = self.origins.cycle(nodes, &reasons);
        let is_settled = |reason: &Literal| self.level[variable(*reason)] == 0 && !self.is_open(*reason);
        let (settled, open): (Vec<Literal>, Vec<Literal>) = reasons.into_iter().partition(is_settled);
        let origin = if settled.is_empty() { cycle } else { self.with_settled(cycle, &settled) };
        Conflict { literals: open.into_iter().map(opposite).collect(), origin }
    }

    /// Looks before any decision at what the two values of a variable would add; a value that closes a cycle by
    /// itself is settled. False if both do.
    pub(super) fn probe(&mut self, literal: Literal) -> bool {
        debug_assert!(self.levels.is_empty());
        for literal in [literal, opposite(literal)] {
            if !self.is_open(literal) {
                break;
            }
            for index in self.edges_of(literal) {
                let (from, to) = self.edges[index];
                if self.topology.reaches(to, from) {
                    let conflict = self.cycle(from, to, Some(literal));
                    self.settle(opposite(literal), conflict.origin);
                    break;
                }
            }
        }
        self.conclude()
    }

    /// Draws the conclusions from what is settled; false if there is no solution.
    pub(super) fn conclude(&mut self) -> bool {
        debug_assert!(self.levels.is_empty());
        if self.origins.end.is_some() {
            return false;
        }
        let Some(conflict) = self.propagate() else { return true };
        self.end(&conflict);
        false
    }

    /// Draws the conclusions from what is settled, if no decision was made; false if there is no solution.
    pub(super) fn conclude_if_settled(&mut self) -> bool {
        !self.levels.is_empty() || self.conclude()
    }

    fn end(&mut self, conflict: &Conflict) -> u32 {
        let origin = self.with_settled(conflict.origin, &conflict.literals);
        self.origins.end = Some(origin);
        origin
    }

    /// Decides and learns until every variable has a value, there is no solution, or a restart is due.
    pub(super) fn run(&mut self, stop: &dyn Fn() -> bool) -> Step {
        let mut decisions = 0_u32;
        loop {
            if let Some(conflict) = self.propagate() {
                if let Some(origin) = self.learn(conflict) {
                    return Step::Impossible(origin);
                }
                if self.conflicts.is_multiple_of(CONFLICTS_BETWEEN_LOOKS) && stop() {
                    return Step::Stopped;
                }
                if self.restarts.is_due() {
                    self.cancel(0);
                    self.clean_up();
                    return Step::Restart;
                }
                continue;
            }
            let Some(variable) = self.heap.pop(&self.value) else { return Step::Complete };
            if !self.active[variable as usize] && self.is_agreed(2 * variable) {
                continue;
            }
            decisions += 1;
            if decisions.is_multiple_of(DECISIONS_BETWEEN_LOOKS) && stop() {
                // It is asked about again if the search goes on.
                self.heap.add(variable);
                return Step::Stopped;
            }
            self.levels.push(Level { trail: self.trail.len(), added: self.topology.added() });
            let literal = self.cheaper(2 * variable);
            self.assign(literal, NONE);
        }
    }

    /// Whether the present order has all edges of a literal, or of its opposite. Such a variable is left alone: its
    /// edges would only have to be added again after each mistake. If the order changes, it will be asked about.
    fn is_agreed(&self, literal: Literal) -> bool {
        [literal, opposite(literal)].into_iter().any(|literal| {
            self.edges[self.edges_of(literal)].iter().all(|(from, to)| self.topology.agrees(*from, *to))
        })
    }

    /// Of a literal and its opposite, the one whose edges the present order contradicts less.
    fn cheaper(&self, literal: Literal) -> Literal {
        let against = |literal: Literal| {
            let edges = &self.edges[self.edges_of(literal)];
            edges.iter().filter(|(from, to)| !self.topology.agrees(*from, *to)).count()
        };
        let (one, other) = (against(literal), against(opposite(literal)));
        if let Guide::OneOf(group) = self.guide[variable(literal)] {
            let preferred = self.preferred.get(group as usize).copied().unwrap_or(NONE);
            let chosen = preferred == literal || preferred == NONE || (self.is_false(preferred) && one == 0);
            return if chosen { literal } else { opposite(literal) };
        }
        if one <= other { literal } else { opposite(literal) }
    }

    /// Drops half of the learned clauses, those over the most levels, when there are too many.
    fn clean_up(&mut self) {
        let mut candidates: Vec<u32> = (0..small(self.clauses.len()))
            .filter(|clause| {
                let clause = &self.clauses[*clause as usize];
                clause.levels > 2 && !clause.dropped
            })
            .collect();
        if candidates.len() < self.kept {
            return;
        }
        self.kept += MORE_KEPT;
        candidates.sort_by_key(|clause| std::cmp::Reverse(self.clauses[*clause as usize].levels));
        for clause in &candidates[..candidates.len() / 2] {
            let clause = &mut self.clauses[*clause as usize];
            self.learned -= clause.literals.len();
            clause.dropped = true;
            clause.literals = Vec::new();
        }
        for watches in &mut self.watches {
            watches.retain(|watch| !self.clauses[watch.clause as usize].dropped);
        }
    }
}
