//! New schedules: drawn by the bandit, or changed from those of the corpus.

use super::gene::{Gene, Moment};
use super::{Guide, Schedule};
use crate::sim::Behaviour;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::collections::BTreeSet;

/// Classes of the number of faults in a schedule.
const COUNTS: [(usize, usize); 4] = [(2, 5), (6, 12), (13, 20), (21, 30)];
/// Words of targets; `one` is a node, `same` that of the fault before.
const TARGETS: [&str; 6] = ["one", "leader", "minority", "majority", "all", "same"];
/// Classes of moments.
const MOMENTS: [&str; 6] = ["time", "sync", "message", "start", "adopted", "after"];
/// Candidates from which the bandit chooses a fault.
const CANDIDATES: usize = 3;
/// The shortest fault and delay, in microseconds.
const SHORTEST: u64 = 10_000;
const SOONEST: u64 = 100;

/// The events that a run had: each with the nodes that had it, and how often.
#[derive(Debug, Clone, Default)]
pub(super) struct Sights {
    messages: Vec<(String, Vec<(String, u64)>)>,
    syncs: Vec<(String, u64)>,
    starts: Vec<(String, u64)>,
}

impl Sights {
    pub(super) fn of(behaviour: &Behaviour, names: &[String]) -> Self {
        let mut sights = Self::default();
        for (sight, counts) in &behaviour.sights {
            let by_node = names.iter().cloned().zip(counts.iter().copied()).filter(|(_, count)| *count > 0);
            let by_node: Vec<_> = by_node.collect();
            match sight.as_str() {
                _ if by_node.is_empty() => {}
                "syncs" => sights.syncs = by_node,
                "starts" => sights.starts = by_node,
                kind => sights.messages.push((format!("sends {kind}"), by_node)),
            }
        }
        sights
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.syncs.is_empty() && self.starts.is_empty()
    }

    /// A point that the run had.
    fn draw(&self, class: &str, rng: &mut ChaCha8Rng) -> Option<Moment> {
        let (sight, by_node) = match class {
            "sync" => ("syncs", &self.syncs),
            "start" => ("starts", &self.starts),
            "message" if !self.messages.is_empty() => {
                // Each kind as likely as any other: the rare ones are those of elections and recoveries.
                let (kind, by_node) = &self.messages[rng.random_range(0..self.messages.len())];
                (kind.as_str(), by_node)
            }
            _ => return None,
        };
        if by_node.is_empty() {
            return None;
        }
        let (node, most) = &by_node[rng.random_range(0..by_node.len())];
        let is_any = rng.random_range(0..4) == 0;
        let who = if is_any { "any".to_owned() } else { node.clone() };
        Some(Moment::Point {
            who,
            sight: sight.to_owned(),
            count: rng.random_range(1..=(most * 3 / 4).max(1)),
        })
    }
}

impl Guide<'_> {
    /// The names of the arms of a schedule.
    pub(super) fn arms(&self, schedule: &Schedule) -> BTreeSet<String> {
        let count = COUNTS.iter().position(|(_, most)| schedule.genes.len() <= *most).unwrap_or_default();
        let mut arms: BTreeSet<String> = [format!("count {count}")].into();
        for gene in &schedule.genes {
            arms.extend(self.arms_of(gene));
        }
        arms
    }

    /// The arms of a fault: its kind, its target, its moment, and all three together.
    fn arms_of(&self, gene: &Gene) -> [String; 4] {
        let kind = self.choices.kinds[gene.kind].0.name();
        let target = match gene.target.as_deref() {
            None => "none",
            Some(name) if self.names.iter().any(|own| own == name) => "one",
            Some(word) => word,
        };
        let moment = gene.moment.class();
        [
            format!("kind {kind} {}", gene.parameters),
            format!("target {target}"),
            format!("moment {moment}"),
            format!("{kind} {target} {moment}"),
        ]
    }

    /// A schedule that owes nothing to an earlier one but what the bandit learned.
    pub(super) fn fresh(&mut self) -> Schedule {
        let count = self.pick("count", COUNTS.len());
        let (least, most) = COUNTS[count];
        let count = self.rng.random_range(least..=most);
        let mut genes: Vec<Gene> = Vec::new();
        while genes.len() < count {
            let gene = self.gene(genes.last());
            genes.push(gene);
        }
        let options = self.options();
        Schedule { genes, options, seed: self.seed() }
    }

    /// Options are drawn evenly: most mistakes need some of them, and no behaviour says which.
    fn options(&mut self) -> Vec<usize> {
        (0..self.lists.len()).map(|list| self.rng.random_range(0..self.lists[list])).collect()
    }

    fn pick(&mut self, what: &str, of: usize) -> usize {
        if !self.learns {
            return self.rng.random_range(0..of);
        }
        let arms: Vec<_> = (0..of).map(|index| format!("{what} {index}")).collect();
        self.bandit.choose(&arms, &mut self.rng)
    }

    /// Short enough to be typed again.
    fn seed(&mut self) -> u64 {
        u64::from(self.rng.random::<u32>())
    }

    /// The best of a few faults that could follow another one.
    fn gene(&mut self, before: Option<&Gene>) -> Gene {
        let candidates = if self.learns { CANDIDATES } else { 1 };
        let mut best: Option<(f64, Gene)> = None;
        for _ in 0..candidates {
            let gene = self.candidate(before);
            let arms = self.arms_of(&gene);
            let sample = arms.iter().map(|arm| self.bandit.sample(arm, &mut self.rng)).sum();
            if best.as_ref().is_none_or(|(best, _)| sample > *best) {
                best = Some((sample, gene));
            }
        }
        best.map(|(_, gene)| gene).expect("there is a candidate")
    }

    fn candidate(&mut self, before: Option<&Gene>) -> Gene {
        let kind = self.rng.random_range(0..self.choices.kinds.len());
        let possible = &self.choices.kinds[kind].1;
        let parameters = self.rng.random_range(0..possible.len());
        let target = possible[parameters].takes_target.then(|| self.target(before));
        let lasts = self.lasts(kind);
        let class = MOMENTS[self.rng.random_range(0..MOMENTS.len())];
        Gene { kind, parameters, target, moment: self.moment(class, before), lasts }
    }

    fn target(&mut self, before: Option<&Gene>) -> String {
        match TARGETS[self.rng.random_range(0..TARGETS.len())] {
            "one" => self.node(),
            "same" => match before.and_then(|gene| gene.target.clone()) {
                Some(target) => target,
                None => self.node(),
            },
            "leader" if !self.choices.reported.leader => self.node(),
            word => word.to_owned(),
        }
    }

    fn node(&mut self) -> String {
        self.names[self.rng.random_range(0..self.names.len())].clone()
    }

    /// How long a fault of a kind lasts: half of them as long as those of a random search, half of them of any order of magnitude.
    fn lasts(&mut self, kind: usize) -> Option<u64> {
        let longest = micros(self.subject) * 2 / 5;
        if self.choices.kinds[kind].0.is_over_at_once() {
            return None;
        }
        if self.rng.random() {
            return Some(self.rng.random_range(longest / 8..=longest));
        }
        Some(log_uniform(SHORTEST, longest, &mut self.rng))
    }

    fn moment(&mut self, class: &str, before: Option<&Gene>) -> Moment {
        let load = micros(self.subject);
        match (class, before) {
            ("after", Some(before)) => {
                // While the one before is in force, or soon after its end.
                let lasts = before.lasts.unwrap_or(SHORTEST);
                let late = log_uniform(SOONEST, lasts.max(2 * SOONEST), &mut self.rng);
                let ends = before.lasts.is_some() && self.rng.random_range(0..4) == 0;
                Moment::After(if ends { lasts + late.min(load / 20) } else { late })
            }
            ("adopted", _) if self.choices.reported.adopted => {
                let count = self.rng.random_range(1..=2);
                Moment::Point { who: "leader".to_owned(), sight: "adopted".to_owned(), count }
            }
            _ => {
                let point = self.sights.draw(class, &mut self.rng);
                point.unwrap_or_else(|| Moment::Time(self.rng.random_range(load / 40..=load * 3 / 4)))
            }
        }
    }

    /// A schedule of the corpus with a few changes.
    pub(super) fn changed(&mut self) -> Schedule {
        let entry = self.entry();
        self.corpus[entry].uses += 1;
        let sights = self.corpus[entry].sights.clone();
        let mut schedule = self.corpus[entry].schedule.clone();
        if !sights.is_empty() {
            self.sights = sights;
        }
        if self.rng.random() {
            schedule.seed = self.seed();
        }
        if self.rng.random() {
            schedule.options = self.options();
        }
        for _ in 0..self.rng.random_range(1..=3) {
            self.change(&mut schedule);
        }
        schedule
    }

    /// The better of three schedules: new ones of much worth are changed first.
    fn entry(&mut self) -> usize {
        let drawn: Vec<usize> = (0..3).map(|_| self.rng.random_range(0..self.corpus.len())).collect();
        let score = |index: usize| self.corpus[index].worth / f64::from(1 + self.corpus[index].uses);
        drawn.into_iter().max_by(|one, other| score(*one).total_cmp(&score(*other))).unwrap_or_default()
    }

    fn change(&mut self, schedule: &mut Schedule) {
        let count = schedule.genes.len();
        let at = self.rng.random_range(0..count);
        let before = at.checked_sub(1).map(|before| schedule.genes[before].clone());
        let most = COUNTS[COUNTS.len() - 1].1;
        match self.rng.random_range(0..9) {
            0 | 1 => {
                let class = schedule.genes[at].moment.class();
                schedule.genes[at].moment = self.moment(class, before.as_ref());
            }
            2 => schedule.genes[at].lasts = self.lasts(schedule.genes[at].kind),
            3 if schedule.genes[at].target.is_some() => {
                schedule.genes[at].target = Some(self.target(before.as_ref()));
            }
            4 if count > 1 => {
                schedule.genes.remove(at);
            }
            5 if !self.lists.is_empty() => schedule.options = self.options(),
            6 => {
                let other = self.entry();
                let other = &self.corpus[other].schedule.genes;
                schedule.genes.truncate(at + 1);
                let from = self.rng.random_range(0..other.len());
                schedule
                    .genes
                    .extend(other[from..].iter().take(most - schedule.genes.len().min(most)).cloned());
            }
            7 => schedule.genes[at] = self.gene(before.as_ref()),
            _ if count < most => {
                let gene = self.gene(Some(&schedule.genes[at].clone()));
                schedule.genes.insert(at + 1, gene);
            }
            _ => schedule.seed = self.seed(),
        }
    }
}

/// The length of the load in microseconds.
fn micros(subject: &super::Subject) -> u64 {
    u64::try_from(subject.load().as_micros()).unwrap_or(u64::MAX)
}

/// A number between two, whose logarithm is evenly distributed.
fn log_uniform(least: u64, most: u64, rng: &mut ChaCha8Rng) -> u64 {
    let (least, most) = ((least.max(1) as f64).ln(), (most.max(least + 1) as f64).ln());
    let number = rng.random_range(least..most).exp();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between two numbers"
    )]
    let number = number as u64;
    number
}
