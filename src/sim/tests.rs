//! Sound specs stay valid, the same seed gives the same bytes, and flaws are found.

use super::{Many, Simulation};
use crate::spec::{self, Document, Loaded, Wishes, source};
use report::Answer;
use std::path::Path;

/// Three nodes, about 200 operations, a crash and a partition.
const SHORT: &str = "name = \"short\"\n[cluster]\nnodes = 3\n[load]\nclients = 5\nrate = 200\nwarmup = \"0s\"\n\
    duration = \"900ms\"\nrecovery = \"100ms\"\ntimeout = \"300ms\"\nkeys = 4\n\
    [[fault]]\nkind = \"kill\"\ntarget = \"random\"\nat = \"200ms\"\nfor = \"200ms\"\n\
    [[fault]]\nkind = \"partition\"\nshape = \"one\"\nat = \"500ms\"\nfor = \"200ms\"\n";

fn loaded(text: &str, sets: &[&str]) -> Loaded {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let document = Document { name: "t.toml".to_owned(), text: text.to_owned() };
    spec::load(document, &Wishes { sets: &sets, simulated: true, ..Wishes::default() }).unwrap()
}

fn many(loaded: &Loaded, runs: u64) -> super::Summary {
    let simulation = Simulation::new(loaded).unwrap();
    Many { first: 1, runs, threads: 2 }.run(&simulation, |_| ()).unwrap()
}

#[test]
fn same_seed_gives_same_bytes() {
    let loaded = loaded(SHORT, &[]);
    let simulation = Simulation::new(&loaded).unwrap();
    let hash = |seed| simulation.run(seed, None).unwrap().hash();
    assert_eq!(hash(7), hash(7));
    assert_ne!(hash(7), hash(8));
    assert_eq!(many(&loaded, 5).hash, many(&loaded, 5).hash);
}

#[test]
fn sound_store_is_valid_under_crash_and_partition() {
    let summary = many(&loaded(SHORT, &[]), 100);
    assert_eq!(summary.count(Answer::Invalid), 0, "{:?}", summary.first);
    assert!(summary.count(Answer::Valid) >= 90, "{:?}", summary.first);
    assert!(summary.operations > 100 * 180);
}

#[test]
fn flaws_are_found_and_sound_store_passes() {
    for name in ["commander-minority-quorum", "replica-reads-own-state"] {
        let document = source::open(Path::new(&format!("workloads/flaws/{name}.toml"))).unwrap();
        let text = document.text;
        let flaw = format!("cluster.paxos.flaw={name}");
        let found = many(&loaded(&text, &[&flaw]), 20);
        assert!(found.count(Answer::Invalid) > 0, "{name}: {:?}", found.answers);
        let sound = many(&loaded(&text, &[]), 10);
        assert_eq!(sound.count(Answer::Invalid), 0, "{name}: {:?}", sound.first);
    }
}

#[test]
fn what_cannot_be_simulated_is_refused_by_name() {
    let drift = format!(
        "{SHORT}[[fault]]\nkind = \"drift\"\nspeed = 1.5\ntarget = \"n1\"\nat = \"100ms\"\nfor = \"100ms\"\n"
    );
    let load = |text| {
        let document = Document { name: "t.toml".to_owned(), text };
        spec::load(document, &Wishes { simulated: true, ..Wishes::default() })
    };
    let refusal = load(drift).err().unwrap().render();
    assert!(refusal.contains("`drift` cannot be simulated"), "{refusal}");
    let budget = load(format!("{SHORT}[budget]\nat-most = \"minority\"\n")).unwrap();
    let refusal = Simulation::new(&budget).err().unwrap().render();
    assert!(refusal.contains("budget"), "{refusal}");
}

#[test]
fn prefix_of_a_branch_stays_the_same() {
    let loaded = loaded(SHORT, &[]);
    let simulation = Simulation::new(&loaded).unwrap();
    let plain = simulation.run(3, None).unwrap();
    let at = plain.load_start() + std::time::Duration::from_millis(600);
    let branched = simulation.run(3, Some(super::Branch { at, seed: 9 })).unwrap();
    let until = u64::try_from(at.as_nanos()).unwrap();
    let prefix = |run: &super::SimRun| {
        run.events.iter().take_while(|event| event.time < until).cloned().collect::<Vec<_>>()
    };
    assert_eq!(prefix(&plain), prefix(&branched));
    assert_ne!(plain.hash(), branched.hash());
}

#[test]
fn faults_wait_for_syncs_messages_and_starts() {
    let fault = |when: &str| {
        let load = SHORT.split("[[fault]]").next().unwrap();
        format!(
            "{load}[[fault]]\nkind = \"kill\"\ntarget = \"n1\"\nat = \"100ms\"\nfor = \"50ms\"\n\
            [[fault]]\nkind = \"hold\"\ntarget = \"n2\"\nwhen = \"{when}\"\nfor = \"100ms\"\n\
            [[fault]]\nkind = \"power-loss\"\ntarget = \"n2\"\nafter = {{ fault = 2, by = \"40ms\" }}\nfor = \"20ms\"\n"
        )
    };
    for when in ["n2 syncs 5", "any sends p2b 9", "n1 starts 1"] {
        let summary = many(&loaded(&fault(when), &[]), 10);
        assert!(summary.count(Answer::Valid) >= 9, "{when}: {:?} {:?}", summary.answers, summary.first);
    }
    // A point that no run reaches: the fault did not happen, so nothing was shown.
    let summary = many(&loaded(&fault("n2 syncs 100000"), &[]), 3);
    assert_eq!(summary.count(Answer::Unknown), 3, "{:?}", summary.answers);
}
