//! A search repeats for a seed, learns, makes specs that can be read, and names no flaw.

use super::{Guide, Schedule, Search};
use crate::hunt::{Choices, Subject};
use crate::sim::Simulation;
use crate::spec::{Document, Wishes};
use node::flaw::Flaw;

const SPEC: &str = "name = \"t\"\n[cluster]\nnodes = 3\n[load]\nclients = 4\nrate = 200\nwarmup = \"100ms\"\n\
    duration = \"800ms\"\nrecovery = \"200ms\"\ntimeout = \"300ms\"\nkeys = 2\n";

fn subject() -> Subject {
    let document = Document { name: "t.toml".to_owned(), text: SPEC.to_owned() };
    Subject::read(document, &Wishes { simulated: true, ..Wishes::default() }).unwrap().simulated(true)
}

/// The schedules of a short hunt.
fn hunt(search: Search, seed: u64, runs: usize) -> Vec<Schedule> {
    let subject = subject();
    let choices = Choices::of(&subject, &[]).unwrap();
    let mut guide = Guide::new(&choices, &subject, vec![2, 3], search, seed);
    let run = |_| {
        let (schedule, faults) = guide.next().unwrap();
        let loaded = subject.check(&faults).unwrap();
        let (_, behaviour) = Simulation::new(&loaded).unwrap().watched(schedule.seed).unwrap();
        guide.learn(&schedule, &behaviour);
        schedule
    };
    (0..runs).map(run).collect()
}

#[test]
fn same_seed_gives_the_same_hunt() {
    let one = hunt(Search::Guided, 5, 12);
    assert_eq!(one, hunt(Search::Guided, 5, 12));
    assert_ne!(one, hunt(Search::Guided, 6, 12));
    assert_ne!(one, hunt(Search::Moments, 5, 12));
}

#[test]
fn later_schedules_wait_for_points() {
    let classes: Vec<&str> = hunt(Search::Guided, 5, 40)
        .iter()
        .skip(1)
        .flat_map(|schedule| schedule.genes.iter().map(|gene| gene.moment.class()))
        .collect();
    for class in ["time", "sync", "message", "start", "adopted", "after"] {
        assert!(classes.contains(&class), "no fault waits for {class}");
    }
}

#[test]
fn search_names_no_flaw() {
    let sources = [
        include_str!("mod.rs"),
        include_str!("bandit.rs"),
        include_str!("change.rs"),
        include_str!("gene.rs"),
        include_str!("../draw.rs"),
        include_str!("../../sim/behaviour.rs"),
        include_str!("../../sim/moments.rs"),
    ];
    for source in sources {
        assert!(Flaw::ALL.iter().all(|flaw| !source.contains(flaw.name())));
        assert!(!source.contains("Flaw") && !source.contains("flaw::"));
    }
}
