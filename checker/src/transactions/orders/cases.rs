//! Puts a proof that there is no order into words: which of two writers came first, case by case.
//!
//! A case ends in a cycle, and each edge of it has a reason: a read, the order of a process, real time, or the order of
//! two writes that the case supposes. Only for a few transactions: it tries every pair of writers.

use super::super::anomaly::Order;
use super::super::observed::Observed;
use super::super::parse::NONE;
use super::encode::Problem;

/// The most transactions that are put into words, and the most lines.
const MOST: usize = 16;
const LINES: usize = 60;

type Edges = Vec<(u32, u32)>;

struct Cases<'p, 't, 'a> {
    problem: &'p Problem,
    observed: &'p Observed<'t, 'a>,
    order: Order,
    pairs: Vec<(u32, u32)>,
    lines: Vec<String>,
}

/// What is known in a case: the edges, and of which writers the first comes first.
#[derive(Clone)]
struct Known {
    edges: Edges,
    first: Vec<(u32, u32)>,
}

/// The proof, a line each; nothing where it would be too long. The transactions are called T1, T2, … in their order.
pub(super) fn in_words(problem: &Problem, observed: &Observed<'_, '_>, order: Order) -> Vec<String> {
    if problem.txns.len() > MOST || !problem.open.is_empty() || problem.means.needs_versions() {
        return Vec::new();
    }
    let mut pairs: Edges = Vec::new();
    for writers in &problem.writers {
        for (index, one) in writers.iter().enumerate() {
            pairs.extend(writers[index + 1..].iter().map(|other| (*one, *other)));
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    let mut cases = Cases { problem, observed, order, pairs, lines: Vec::new() };
    let known = Known { edges: problem.edges.iter().collect(), first: Vec::new() };
    let complete = match cases.base_cycle(&known) {
        Some(cycle) => {
            cases.cycle(&known, &cycle, 0);
            true
        }
        None => cases.decide(known, 0),
    };
    if complete && cases.lines.len() <= LINES { cases.lines } else { Vec::new() }
}

impl Cases<'_, '_, '_> {
    /// Draws conclusions, and splits into two cases where there are none; false if that is no proof.
    fn decide(&mut self, mut known: Known, depth: usize) -> bool {
        if self.lines.len() > LINES {
            return false;
        }
        let mut open = None;
        let mut more = true;
        while std::mem::take(&mut more) {
            open = None;
            for (one, other) in self.pairs.clone() {
                if known.first.contains(&(one, other)) || known.first.contains(&(other, one)) {
                    continue;
                }
                let [forward, backward] = [(one, other), (other, one)].map(|pair| self.suppose(&known, pair));
                match (self.contradiction(&forward), self.contradiction(&backward)) {
                    (Some(first), Some(second)) => {
                        self.case("suppose", one, other, depth);
                        self.cycle(&forward, &first, depth + 1);
                        self.case("suppose", other, one, depth);
                        self.cycle(&backward, &second, depth + 1);
                        return true;
                    }
                    (None, None) => open = open.or(Some((forward, backward, one, other))),
                    (Some(cycle), None) => {
                        self.case("not", one, other, depth);
                        self.cycle(&forward, &cycle, depth + 1);
                        (known, more) = (backward, true);
                    }
                    (None, Some(cycle)) => {
                        self.case("not", other, one, depth);
                        self.cycle(&backward, &cycle, depth + 1);
                        (known, more) = (forward, true);
                    }
                }
            }
        }
        let Some((forward, backward, one, other)) = open else { return false };
        self.case("suppose", one, other, depth);
        if !self.decide(forward, depth + 1) {
            return false;
        }
        self.case("suppose", other, one, depth);
        self.decide(backward, depth + 1)
    }

    fn case(&mut self, word: &str, one: u32, other: u32, depth: usize) {
        let shared = self
            .problem
            .writes(one)
            .iter()
            .find(|(key, _)| self.problem.writes(other).iter().any(|(also, _)| also == key));
        let key = shared.map_or_else(String::new, |(key, _)| self.key(*key));
        let (one, other) = (one + 1, other + 1);
        let text = match word {
            "suppose" => format!("suppose T{one} wrote key {key} before T{other}:"),
            _ => format!("T{one} did not write key {key} before T{other}, or else:"),
        };
        self.line(depth, &text);
    }

    fn line(&mut self, depth: usize, text: &str) {
        self.lines.push(format!("{}{text}", "  ".repeat(depth)));
    }

    fn key(&self, key: u32) -> String {
        self.observed.transactions.shown_key(key)
    }

    fn suppose(&self, known: &Known, (first, second): (u32, u32)) -> Known {
        let mut case = known.clone();
        case.first.push((first, second));
        self.problem.implied(first, second, &mut case.edges);
        case
    }

    /// A cycle through the edges of the last supposition.
    fn contradiction(&self, case: &Known) -> Option<Vec<u32>> {
        let (first, second) = *case.first.last()?;
        let mut new = Vec::new();
        self.problem.implied(first, second, &mut new);
        let cycles = new.into_iter().filter_map(|(from, to)| path(&case.edges, self.problem.nodes, to, from));
        cycles.min_by_key(Vec::len)
    }

    fn base_cycle(&self, known: &Known) -> Option<Vec<u32>> {
        let cycles =
            known.edges.iter().filter_map(|(from, to)| path(&known.edges, self.problem.nodes, *to, *from));
        cycles.min_by_key(Vec::len)
    }

    /// The edges of a cycle of nodes, each with its reason.
    fn cycle(&mut self, case: &Known, nodes: &[u32], depth: usize) {
        let mut entries: Vec<u32> = nodes.iter().filter_map(|node| self.problem.entry(*node)).collect();
        entries.dedup();
        if entries.len() > 1 && entries.first() == entries.last() {
            entries.pop();
        }
        for (index, from) in entries.iter().enumerate() {
            let to = entries[(index + 1) % entries.len()];
            let why = self.reason(case, *from, to);
            self.line(depth, &format!("T{} precedes T{}: {why}", from + 1, to + 1));
        }
    }

    /// Why one transaction precedes another.
    fn reason(&self, case: &Known, from: u32, to: u32) -> String {
        let problem = self.problem;
        let (a, b) = (from + 1, to + 1);
        let writer = |(key, index): &(u32, u32)| match *index {
            NONE => None,
            index => Some(problem.writers[*key as usize][index as usize]),
        };
        if let Some(read) = problem.reads(to).iter().find(|read| writer(read) == Some(from)) {
            return format!("T{b} read what T{a} wrote to key {}", self.key(read.0));
        }
        let missed = problem.reads(from).iter().find(|read| {
            let replaces = problem.writes(to).iter().any(|(key, _)| *key == read.0);
            let later = writer(read).is_none_or(|source| {
                source == from || case.first.contains(&(source, to)) || self.follows(source, to)
            });
            replaces && later
        });
        if let Some(read) = missed {
            let key = self.key(read.0);
            return match writer(read) {
                None => format!("T{a} read key {key} as it was at first, and T{b} wrote it"),
                Some(source) => {
                    format!("T{a} read key {key} of T{}, and T{b} wrote it after that", source + 1)
                }
            };
        }
        let transactions = self.observed.transactions;
        let [before, after] = [from, to].map(|entry| problem.txns[entry as usize]);
        let one_session = transactions.session(before) == transactions.session(after);
        if self.order != Order::Data
            && one_session
            && transactions.invoked(before) < transactions.invoked(after)
        {
            return format!("{} issued T{a}, then T{b}", transactions.who(before));
        }
        let (completed, invoked) = (transactions.completed(before), transactions.invoked(after));
        if self.order == Order::RealTime && completed < invoked {
            return format!("T{a} completed (event {completed}) before T{b} was invoked (event {invoked})");
        }
        format!("T{a} wrote the same key before T{b}")
    }

    /// Whether one writer read what another wrote, or what lists show says that it follows it.
    fn follows(&self, source: u32, writer: u32) -> bool {
        let edges: Edges = self.problem.edges.iter().collect();
        path(&edges, self.problem.nodes, source + self.problem.commit, writer + self.problem.commit).is_some()
    }
}

/// The nodes of a shortest path.
fn path(edges: &Edges, nodes: usize, from: u32, to: u32) -> Option<Vec<u32>> {
    let mut before = vec![NONE; nodes];
    let mut queue = vec![from];
    let mut next = 0;
    before[from as usize] = from;
    while let Some(node) = queue.get(next).copied() {
        next += 1;
        if node == to {
            let mut path = vec![node];
            let mut node = node;
            while node != from {
                node = before[node as usize];
                path.push(node);
            }
            path.reverse();
            return Some(path);
        }
        for (_, end) in edges.iter().filter(|(start, _)| *start == node) {
            if before[*end as usize] == NONE {
                before[*end as usize] = node;
                queue.push(*end);
            }
        }
    }
    None
}
