//! Fault schedules drawn at random from everything that the spec and this machine allow.

use super::Subject;
use crate::failure::Failure;
use nemesis::{Kind, Reported};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::time::Duration;
use toml::{Table, Value};

/// The most faults of one schedule.
const FAULTS_MAX: u32 = 5;
/// How often a schedule that cannot be planned is drawn again.
const TRIES: u32 = 200;
/// The shortest fault that lasts.
const SHORTEST: Duration = Duration::from_millis(150);
/// Targets, with the likely ones more than once.
const TARGETS: [&str; 8] = ["random", "random", "random", "leader", "leader", "minority", "majority", "all"];
/// Faults that take away what a node had synced. A system may lose data by them without breaking its promise, so they
/// are drawn only where they are asked for.
const DESTRUCTIVE: [Kind; 4] = [Kind::LoseNode, Kind::BitFlip, Kind::Truncate, Kind::DiskSwap];

/// The kinds of faults that can be drawn, each with its possible parameters.
#[derive(Debug, Clone)]
pub(crate) struct Choices {
    pub(super) kinds: Vec<(Kind, Vec<Parameters>)>,
    refused: Vec<(Kind, String)>,
    /// What the nodes report: without it no fault finds the leader or sees an election.
    pub(super) reported: Reported,
}

/// Keys of a fault besides its kind and its times.
#[derive(Debug, Clone)]
pub(super) struct Parameters {
    pub(super) keys: Table,
    /// Whether a `target` is to be drawn for it.
    pub(super) takes_target: bool,
}

impl Choices {
    /// All that can be injected into this system on this machine; of these only the named ones, where any are.
    ///
    /// # Errors
    /// When a name is no kind of fault, a named one cannot be injected, or none can (exit code 2).
    pub(crate) fn of(subject: &Subject, named: &[String]) -> Result<Self, Failure> {
        let usage = |what: String| Failure::usage(format!("--faults {}", named.join(",")), what);
        let wanted =
            named.iter().map(|name| name.parse().map_err(usage)).collect::<Result<Vec<Kind>, _>>()?;
        let mut choices = Self { kinds: Vec::new(), refused: Vec::new(), reported: subject.reported() };
        for kind in Kind::ALL.iter().copied() {
            if !wanted.is_empty() && !wanted.contains(&kind)
                || wanted.is_empty() && DESTRUCTIVE.contains(&kind)
            {
                continue;
            }
            match parameters(subject, kind) {
                Ok(possible) => choices.kinds.push((kind, possible)),
                Err(reason) if wanted.contains(&kind) => return Err(usage(reason)),
                Err(reason) => choices.refused.push((kind, reason)),
            }
        }
        if choices.kinds.is_empty() {
            return Err(usage("no fault can be injected into this system here".to_owned())
                .help("`bench doctor` says what this machine lacks"));
        }
        Ok(choices)
    }

    /// The kinds that are drawn, by name.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.kinds.iter().map(|(kind, _)| kind.name()).collect()
    }

    /// The kinds that cannot be injected, each with the reason.
    pub(crate) fn refused(&self) -> &[(Kind, String)] {
        &self.refused
    }

    /// A schedule that can be planned, and the seed of the run.
    ///
    /// # Errors
    /// When none of many draws can be planned.
    pub(crate) fn draw(&self, subject: &Subject, rng: &mut ChaCha8Rng) -> Result<(Vec<Table>, u64), Failure> {
        // Short enough to be typed again.
        let seed = u64::from(rng.random::<u32>());
        let mut refusal = None;
        for _ in 0..TRIES {
            let faults: Vec<Table> = if self.only_crash_images() {
                vec![crash_images(subject.load(), rng)]
            } else {
                let count = rng.random_range(1..=FAULTS_MAX);
                (0..count).map(|_| self.fault(subject.load(), rng)).collect()
            };
            match subject.check(&faults) {
                Ok(_) => return Ok((faults, seed)),
                Err(failure) => refusal = Some(failure),
            }
        }
        Err(refusal.expect("a draw was refused"))
    }

    /// Whether each run is a series of crash images.
    fn only_crash_images(&self) -> bool {
        matches!(self.kinds.as_slice(), [(Kind::CrashImage, _)])
    }

    /// One fault at a random time of the load.
    fn fault(&self, load: Duration, rng: &mut ChaCha8Rng) -> Table {
        let (kind, possible) = &self.kinds[rng.random_range(0..self.kinds.len())];
        let mut fault = Table::new();
        fault.insert("kind".to_owned(), kind.name().into());
        let parameters = &possible[rng.random_range(0..possible.len())];
        fault.extend(parameters.keys.clone());
        if parameters.takes_target {
            let targets = TARGETS.iter().filter(|target| self.reported.leader || **target != "leader");
            let targets: Vec<&str> = targets.copied().collect();
            fault.insert("target".to_owned(), targets[rng.random_range(0..targets.len())].into());
        }
        let load = millis(load);
        let shortest = millis(SHORTEST);
        let at = rng.random_range(load / 40..=(load * 3 / 4).max(load / 40));
        let left = load - at;
        fault.insert("at".to_owned(), in_millis(at));
        if !kind.is_over_at_once() {
            let longest = (load * 2 / 5).min(left);
            fault.insert("for".to_owned(), in_millis(rng.random_range(shortest.min(longest)..=longest)));
        }
        fault
    }
}

/// Crash images of one node for most of the load; the seed of the run draws the node.
fn crash_images(load: Duration, rng: &mut ChaCha8Rng) -> Table {
    let mut fault = Table::new();
    let load = millis(load);
    let at = rng.random_range(load / 40..=load / 20);
    fault.insert("kind".to_owned(), Kind::CrashImage.name().into());
    fault.insert("target".to_owned(), "random".into());
    fault.insert("at".to_owned(), in_millis(at));
    fault.insert("for".to_owned(), in_millis((load * 9 / 10).saturating_sub(at).max(1)));
    fault
}

/// The parameters with which a kind can be injected; otherwise why not.
fn parameters(subject: &Subject, kind: Kind) -> Result<Vec<Parameters>, String> {
    let mut possible = Vec::new();
    let mut refusal = String::new();
    for example in kind.entry().examples {
        let keys: Table = example.parse().expect("a test reads the examples of every kind");
        let mut fault = keys.clone();
        fault.insert("kind".to_owned(), kind.name().into());
        fault.insert("at".to_owned(), in_millis(millis(subject.load()) / 4));
        let plain = subject.check(&[fault.clone()]);
        let target = if kind == Kind::DiskSwap { "all" } else { "random" };
        fault.insert("target".to_owned(), target.into());
        let aimed = subject.check(&[fault]);
        match (plain, aimed) {
            (_, Ok(_)) => possible.push(Parameters { keys, takes_target: true }),
            (Ok(_), Err(_)) => possible.push(Parameters { keys, takes_target: false }),
            (Err(plain), Err(_)) => refusal = plain.what,
        }
    }
    if possible.is_empty() { Err(refusal) } else { Ok(possible) }
}

/// A fault for people: `kill leader at 1.2 s for 800 ms`.
pub(super) fn in_words(fault: &Table) -> String {
    let word = |key: &str| match fault.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(value) => Some(value.to_string()),
        None => None,
    };
    let mut words = word("kind").unwrap_or_default();
    for key in ["shape", "target", "from"] {
        words.extend(word(key).map(|word| format!(" {word}")));
    }
    for (key, before) in
        [("to", " to "), ("during", " during a "), ("at", " at "), ("when", " when "), ("for", " for ")]
    {
        words.extend(word(key).map(|word| format!("{before}{word}")));
    }
    if let Some(after) = fault.get("after").and_then(Value::as_table) {
        let by = after.get("by").and_then(Value::as_str).unwrap_or_default();
        words.extend(after.get("fault").map(|fault| format!(" {by} after fault {fault}")));
    }
    words
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn in_millis(time: u64) -> Value {
    format!("{time}ms").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Document, Wishes};
    use rand::SeedableRng;

    fn subject(cluster: &str) -> Subject {
        let text =
            format!("name = \"t\"\n[cluster]\nnodes = 3\n{cluster}\n[load]\nrate = 5\nduration = \"4s\"\n");
        Subject::read(Document { name: "t.toml".to_owned(), text }, &Wishes::default()).unwrap()
    }

    #[test]
    fn draws_can_be_planned_and_repeat() {
        let subject = subject("network = \"proxy\"");
        let choices = Choices::of(&subject, &[]).unwrap();
        for stream in 0..50 {
            let mut drawn = (0..2).map(|_| {
                let mut rng = ChaCha8Rng::seed_from_u64(7);
                rng.set_stream(stream);
                choices.draw(&subject, &mut rng).unwrap()
            });
            let (one, two) = (drawn.next().unwrap(), drawn.next().unwrap());
            assert_eq!(one, two);
            assert!(subject.check(&one.0).is_ok());
        }
    }

    #[test]
    fn unreported_leader_is_no_target() {
        let subject = subject("system = \"command\"\nprogram = \"true\"\nnetwork = \"proxy\"");
        let choices = Choices::of(&subject, &[]).unwrap();
        assert!(choices.reported == Reported::NONE && choices.names().contains(&"one-way"));
        for stream in 0..100 {
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            rng.set_stream(stream);
            let (faults, _) = choices.draw(&subject, &mut rng).unwrap();
            assert!(faults.iter().all(|fault| !fault.to_string().contains("leader")), "{faults:?}");
        }
    }

    #[test]
    fn destructive_faults_must_be_named() {
        let subject = subject("network = \"proxy\"");
        let usual = Choices::of(&subject, &[]).unwrap();
        assert!(usual.names().contains(&"kill") && !usual.names().contains(&"truncate"));
        let named = Choices::of(&subject, &["truncate".to_owned()]).unwrap();
        assert_eq!(named.names(), ["truncate"]);
    }

    #[test]
    fn impossible_faults_are_refused_by_name() {
        let subject = subject("network = \"host\"");
        let wrong = Choices::of(&subject, &["partition".to_owned()]).unwrap_err();
        assert!(wrong.what.contains("partition"), "{}", wrong.render());
        let unknown = Choices::of(&subject, &["kil".to_owned()]).unwrap_err();
        assert!(unknown.what.contains("did you mean `kill`"), "{}", unknown.render());
    }
}
