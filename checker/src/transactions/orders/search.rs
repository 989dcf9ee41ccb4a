//! Looks for an order of the writes that explains every read, and proves that there is none.
//!
//! *Problem*: of each two writers of a key, which came first? There are quadratically many such pairs, and most of them
//! are never in question.
//!
//! *Idea*: take a topological order of what is known, and execute the transactions in it. Where a read is wrong,
//! because another write stands between the one it saw and the read, ask the [`Solver`] which of the two writers came
//! first. Repeat with the order that results, until every read is right.
//!
//! *Why it is right*: an order is returned only when every read in it is right. The pairs asked about are a part of the
//! pairs there are, so if those have no solution, there is none. Each round asks about a new pair, so it ends.
//!
//! *Cost*: near-linear for a history whose first order is nearly right; exponential in the worst case, since the
//! problem is NP-complete (Papadimitriou, JACM 1979; Biswas and Enea, OOPSLA 2019).
//!
//! *Source*: the pairs are those of Cobra (Tan and others, OSDI 2020) and `PolySI` (Huang and others, VLDB 2023).

use super::super::lists::Lists;
use super::super::parse::{NONE, small};
use super::encode::Problem;
use super::guide::Guide;
use super::progress::Step;
use super::solver::{Literal, Solver, opposite};
use super::topology::Topology;
use crate::limits::Limits;
use rustc_hash::{FxHashMap, FxHashSet};

/// Probes between two looks at the deadline.
const PROBES_BETWEEN_LOOKS: usize = 16;

/// How a search ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is such an order: the nodes of the problem.
    Found(Vec<u32>),
    /// There is none: the entries that contradict each other.
    Impossible(Vec<u32>),
    /// It may go on.
    Open,
    /// The limits ended it.
    GaveUp,
}

/// A search that can be interrupted and resumed.
pub(super) struct Search {
    pub(super) problem: Problem,
    solver: Solver,
    /// By variable: the two entries it is about.
    pairs: Vec<(u32, u32)>,
    /// By two writers: true if the one with the lower number comes first.
    of_pair: FxHashMap<(u32, u32), Literal>,
    /// By open read: for each candidate, whether it is read from.
    sources: Vec<Vec<Literal>>,
    /// By key and index of a candidate: the open reads.
    may_read: FxHashMap<(u32, u32), Vec<(u32, Literal)>>,
    /// By reader and writer: whether the reader comes first.
    before: FxHashMap<(u32, u32), Literal>,
    /// Sources and later writers for which a clause was added.
    linked: FxHashSet<(Literal, u32)>,
}

impl Search {
    pub(super) fn new(mut problem: Problem, order: &[u32]) -> Self {
        let edges = std::mem::replace(&mut problem.edges, Lists::new(0, std::iter::empty()));
        let mut this = Self {
            problem,
            solver: Solver::new(Topology::new(edges, order)),
            pairs: Vec::new(),
            of_pair: FxHashMap::default(),
            sources: Vec::new(),
            may_read: FxHashMap::default(),
            before: FxHashMap::default(),
            linked: FxHashSet::default(),
        };
        this.add_sources();
        this
    }

    /// A variable for each candidate of each open read, of which one must be true.
    fn add_sources(&mut self) {
        for (group, open) in (0..).zip(std::mem::take(&mut self.problem.open)) {
            let writers = &self.problem.writers[open.key as usize];
            let writers: Vec<u32> = open.candidates.iter().map(|index| writers[*index as usize]).collect();
            let mut literals = Vec::new();
            for (index, writer) in open.candidates.iter().zip(&writers) {
                let edge = (writer + self.problem.commit, open.reader);
                let literal = self.solver.variable(&[edge], &[], Guide::OneOf(group));
                self.pairs.push((open.reader, *writer));
                self.may_read.entry((open.key, *index)).or_default().push((open.reader, literal));
                literals.push(literal);
            }
            let origin = self.solver.origins.cycle(writers.into_iter().chain([open.reader]), &[]);
            self.solver.clause(literals.clone(), origin);
            self.sources.push(literals);
            self.problem.open.push(open);
        }
        self.prefer_sources();
    }

    /// Prefers for each open read the candidate that wrote last before it in the present order.
    fn prefer_sources(&mut self) {
        for (group, (open, literals)) in (0..).zip(self.problem.open.iter().zip(&self.sources)) {
            let topology = &self.solver.topology;
            let now = topology.position(open.reader);
            let writers = &self.problem.writers[open.key as usize];
            let positions = open
                .candidates
                .iter()
                .map(|index| topology.position(writers[*index as usize] + self.problem.commit));
            let open_ones = positions
                .zip(literals)
                .filter(|(_, literal)| self.solver.is_open(**literal) || self.solver.is_true(**literal));
            // The last before the read, or else the first after it.
            let best =
                open_ones.min_by_key(
                    |(position, _)| {
                        if *position < now { (0, now - position) } else { (1, position - now) }
                    },
                );
            if let Some(literal) = best.map(|(_, literal)| *literal) {
                self.solver.prefer(group, literal);
            }
        }
    }

    /// Goes on for some conflicts.
    pub(super) fn run(&mut self, conflicts: u64, limits: &Limits<'_>) -> Outcome {
        let last = self.solver.conflicts.saturating_add(conflicts);
        if !self.solver.conclude_if_settled() {
            return Outcome::Impossible(self.core(self.solver.origins.end.expect("the end is recorded")));
        }
        loop {
            if limits.stopped() || self.solver.size() / 32 > limits.configurations {
                return Outcome::GaveUp;
            }
            match self.solver.run(&|| limits.stopped()) {
                Step::Impossible(origin) => return Outcome::Impossible(self.core(origin)),
                Step::Stopped => return Outcome::GaveUp,
                Step::Restart if self.solver.conflicts >= last => return Outcome::Open,
                Step::Restart => self.prefer_sources(),
                Step::Complete => match self.examine(limits) {
                    Examined::Stopped => return Outcome::GaveUp,
                    Examined::Right => return Outcome::Found(self.order()),
                    Examined::Contradicts(origin) => return Outcome::Impossible(self.core(origin)),
                    Examined::Asked => {}
                },
            }
        }
    }

    /// Executes the present order, and asks about the pairs of writers between which a read is wrong.
    fn examine(&mut self, limits: &Limits<'_>) -> Examined {
        let mut wrong: Vec<(u32, u32)> = Vec::new();
        let mut late: Vec<Late> = Vec::new();
        let mut writers: Vec<(u32, u32)> = Vec::new();
        for key in 0..self.problem.writers.len() {
            self.in_order(key, &mut writers);
            for pair in writers.windows(2) {
                let [(_, first), (_, second)] = [pair[0], pair[1]];
                if self.is_wrong(key, first, second) {
                    let writer = |index: u32| self.problem.writers[key][index as usize];
                    wrong.push((writer(first), writer(second)));
                }
                self.late_readers(key, first, second, &mut late);
            }
        }
        if wrong.is_empty() && late.is_empty() {
            return self.examine_guards();
        }
        let known = self.pairs.len();
        let is_known = |pair: &(u32, u32)| self.of_pair.contains_key(&ordered(pair.0, pair.1));
        let new = !late.is_empty() || !wrong.iter().all(is_known);
        if new {
            self.solver.restart();
            self.prefer_sources();
        }
        for (first, second) in wrong {
            let literal = self.ask(first, second);
            if literal as usize / 2 < known || self.problem.means.needs_versions() {
                // It was right before, and is no longer.
                self.solver.activate(literal);
            }
        }
        if !new {
            return Examined::Asked;
        }
        for late in late {
            self.link(&late);
        }
        let asked = self.of_pair.values().copied().filter(|literal| *literal as usize / 2 >= known);
        let mut asked: Vec<Literal> = asked.collect();
        asked.sort_unstable();
        if !self.solver.conclude() {
            return Examined::Contradicts(self.solver.origins.end.expect("the end is recorded"));
        }
        for (index, literal) in asked.into_iter().enumerate() {
            if index % PROBES_BETWEEN_LOOKS == 0 && limits.stopped() {
                return Examined::Stopped;
            }
            if !self.solver.probe(literal) {
                return Examined::Contradicts(self.solver.origins.end.expect("the end is recorded"));
            }
        }
        Examined::Asked
    }

    /// Open reads of the first of two writers that stand behind the second.
    fn late_readers(&self, key: usize, first: u32, second: u32, into: &mut Vec<Late>) {
        let Some(readers) = self.may_read.get(&(small(key), first)) else { return };
        let [one, other] = [first, second].map(|index| self.problem.writers[key][index as usize]);
        let write = other + self.problem.commit;
        for (reader, source) in readers.iter().copied().filter(|(reader, _)| *reader != other) {
            if self.solver.is_true(source) && !self.solver.topology.agrees(reader, write) {
                into.push(Late { reader, source, first: one, second: other });
            }
        }
    }

    /// Who reads from the first of two writers comes before the second, if that comes later.
    fn link(&mut self, late: &Late) {
        let Late { reader, source, first, second } = *late;
        let pair = self.ask(first, second);
        self.solver.activate(pair);
        if !self.linked.insert((source, second)) {
            return;
        }
        let before = *self.before.entry((reader, second)).or_insert_with(|| {
            self.pairs.push((reader, second));
            let edge = (reader, second + self.problem.commit);
            self.solver.variable(&[edge], &[], Guide::Implied)
        });
        let comes_first = if first < second { pair } else { opposite(pair) };
        let origin = self.solver.origins.cycle([reader, first, second].into_iter(), &[]);
        self.solver.clause(vec![opposite(source), opposite(comes_first), before], origin);
    }

    /// The writers of a key by the positions of their writes, as indexes.
    fn in_order(&self, key: usize, into: &mut Vec<(u32, u32)>) {
        let commit = self.problem.commit;
        into.clear();
        let writers = (0..).zip(&self.problem.writers[key]);
        into.extend(writers.map(|(index, writer)| (self.solver.topology.position(writer + commit), index)));
        into.sort_unstable();
    }

    /// Whether of two writers of a key, one after the other, the second comes too soon.
    fn is_wrong(&self, key: usize, first: u32, second: u32) -> bool {
        let problem = &self.problem;
        let [one, other] = [first, second].map(|index| problem.writers[key][index as usize]);
        let version = problem.version(small(key), first);
        let write = other + problem.commit;
        let agrees = |node: u32| node == write || self.solver.topology.agrees(node, write);
        !(self.solver.topology.agrees(one + problem.commit, problem.start(other))
            && (version.gate == NONE || agrees(version.gate))
            && version.updaters.iter().all(|updater| agrees(*updater)))
            || (problem.means.needs_versions() && !self.of_pair.contains_key(&ordered(one, other)))
    }

    /// The variable of a pair of writers.
    fn ask(&mut self, first: u32, second: u32) -> Literal {
        let pair = ordered(first, second);
        if let Some(literal) = self.of_pair.get(&pair) {
            return *literal;
        }
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        self.problem.implied(pair.0, pair.1, &mut forward);
        self.problem.implied(pair.1, pair.0, &mut backward);
        let literal = self.solver.variable(&forward, &backward, Guide::Order);
        self.pairs.push(pair);
        self.of_pair.insert(pair, literal);
        literal
    }

    /// Looks for reads from which a write they missed leads to them.
    fn examine_guards(&mut self) -> Examined {
        if !self.problem.means.needs_versions() {
            return Examined::Right;
        }
        let mut writers: Vec<(u32, u32)> = Vec::new();
        for key in 0..self.problem.writers.len() {
            self.in_order(key, &mut writers);
            let Some((_, first)) = writers.first().copied() else { continue };
            let first = self.problem.writers[key][first as usize];
            let guards = self.problem.version(small(key), NONE).guards;
            if let Some(reader) = unguarded(&mut self.solver.topology, guards, first) {
                return self.forbid(first, reader, None);
            }
            for pair in writers.windows(2) {
                let [one, other] =
                    [pair[0].1, pair[1].1].map(|index| self.problem.writers[key][index as usize]);
                let guards = self.problem.version(small(key), pair[0].1).guards;
                if let Some(reader) = unguarded(&mut self.solver.topology, guards, other) {
                    return self.forbid(other, reader, Some((one, other)));
                }
            }
        }
        Examined::Right
    }

    /// Learns that a path must not exist beside the order of two writers.
    fn forbid(&mut self, from: u32, reader: u32, versions: Option<(u32, u32)>) -> Examined {
        let literal = versions.map(|(one, other)| {
            let literal = self.of_pair[&ordered(one, other)];
            if self.solver.is_true(literal) { literal } else { opposite(literal) }
        });
        let conflict = self.solver.cycle(reader, from, literal);
        self.solver.learn(conflict).map_or(Examined::Asked, Examined::Contradicts)
    }

    fn order(&self) -> Vec<u32> {
        let mut nodes: Vec<u32> = (0..small(self.problem.nodes)).collect();
        nodes.sort_unstable_by_key(|node| self.solver.topology.position(*node));
        nodes
    }

    /// The entries that a proof of impossibility names.
    fn core(&self, origin: u32) -> Vec<u32> {
        let (nodes, choices) = self.solver.origins.behind(origin);
        let mut entries: FxHashSet<u32> = nodes.iter().filter_map(|node| self.problem.entry(*node)).collect();
        for choice in choices {
            let (one, other) = self.pairs[choice as usize / 2];
            entries.extend([one, other]);
        }
        self.problem.with_sources(entries)
    }
}

/// An open read that stands too late: its source, and the writer that comes between.
struct Late {
    reader: u32,
    source: Literal,
    first: u32,
    second: u32,
}

/// What executing an order says.
enum Examined {
    Right,
    /// There is something new to decide.
    Asked,
    Contradicts(u32),
    /// The limits ended it.
    Stopped,
}

/// A reader of a version that the next writer leads to.
fn unguarded(topology: &mut Topology, guards: &[u32], writer: u32) -> Option<u32> {
    let others = guards.iter().copied().filter(|reader| *reader != writer);
    let last = others.clone().map(|reader| topology.position(reader)).max()?;
    if last < topology.position(writer) {
        return None;
    }
    topology.mark_reachable(writer, last);
    let mut others = others;
    others.find(|reader| topology.is_marked(*reader))
}

fn ordered(one: u32, other: u32) -> (u32, u32) {
    (one.min(other), one.max(other))
}
