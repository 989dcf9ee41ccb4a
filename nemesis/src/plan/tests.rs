//! Properties of plans: the same seed gives the same plan, and every fault of a plan has a target.

use super::*;
use crate::clock::Clocks;
use crate::disk::DiskMode;
use crate::fault::Kind;
use crate::parameters::{ByteRate, Delay, Shape, Target};
use crate::partition::Link;
use crate::scope::Scope;
use proptest::prelude::*;
use serde_json::json;
use std::time::Duration;

fn cluster(n: usize) -> Topology {
    Topology::new((1..=n).map(|i| (format!("n{i}"), ["replica", "leader", "acceptor"])))
}

fn options(seed: u64) -> PlanOptions {
    PlanOptions {
        clocks: Clocks::Shiftable,
        mode: Mode::Proxy,
        disk: DiskMode::Real,
        duration: Duration::from_secs(20),
        at_most: None,
        by_command: None,
        reconfigurable: true,
        reported: Reported::ALL,
        simulated: false,
        seed,
    }
}

fn spec(json: serde_json::Value) -> FaultSpec {
    serde_json::from_value(json).unwrap()
}

fn one(json: serde_json::Value, n: usize) -> Result<PlannedFault, PlanError> {
    plan(&[spec(json)], &cluster(n), &options(7)).map(|mut planned| planned.remove(0))
}

fn refused(json: serde_json::Value, n: usize) -> PlanError {
    one(json, n).unwrap_err()
}

fn links(fault: &PlannedFault, n: usize) -> Vec<Link> {
    fault.scope.resolve(&cluster(n), Some("n1")).unwrap().links
}

#[test]
fn plan_is_written_as_json() {
    let fault = one(json!({"kind": "kill", "target": "leader", "at": "3s", "for": "2s"}), 3).unwrap();
    let expected = json!({"fault": 1, "kind": "kill", "label": "kill leader", "target": "leader", "nodes": null,
        "start": 3_000_000_000_u64, "end": 5_000_000_000_u64});
    assert_eq!(serde_json::to_value(&fault).unwrap(), expected);
    assert_eq!(fault.label_with(&["n2".into()]), "kill leader (n2)");
}

#[test]
fn drawn_target_is_in_plan_and_label() {
    let fault =
        one(json!({"kind": "pause", "target": "random-replica", "at": "1s", "for": "1s"}), 3).unwrap();
    let node = fault.nodes.clone().unwrap().remove(0);
    assert_eq!(fault.label, format!("pause random-replica ({node})"));
    assert_eq!(fault.label_with(&[node]), fault.label);
}

#[test]
fn fault_without_end_lasts_until_load_ends() {
    let fault = one(json!({"kind": "kill", "target": "n2", "at": "3s"}), 3).unwrap();
    assert_eq!((fault.end, fault.label.as_str()), (20_000_000_000, "kill n2"));
}

#[test]
fn repeated_fault_recurs_until_the_load_ends() {
    let specs =
        [spec(json!({"kind": "kill", "target": "random", "every": "5s", "for": "2s", "jitter": "1s"}))];
    let planned = plan(&specs, &cluster(5), &options(7)).unwrap();
    assert_eq!(planned.len(), 3);
    for (fault, tick) in planned.iter().zip([5, 10, 15]) {
        let tick = tick * 1_000_000_000;
        assert!((tick..=tick + 1_000_000_000).contains(&fault.start));
        assert_eq!(fault.end - fault.start, 2_000_000_000);
    }
}

#[test]
fn shapes_cut_expected_number_of_links() {
    let cuts = |shape: Shape, n: usize| {
        let fault = one(json!({"kind": "partition", "shape": shape, "at": "1s"}), n).unwrap();
        links(&fault, n).len()
    };
    assert_eq!(cuts(Shape::Halves, 5), 12);
    assert_eq!(cuts(Shape::Halves, 4), 8);
    assert_eq!(cuts(Shape::One, 5), 8);
    assert_eq!(cuts(Shape::Minority, 4), 6);
    assert_eq!(cuts(Shape::Majority, 4), 6);
    assert_eq!(cuts(Shape::Leader, 5), 8);
    assert_eq!(cuts(Shape::Bridge, 5), 8);
    assert_eq!(cuts(Shape::MajorityRing, 5), 10);
}

#[test]
fn partition_takes_groups_or_a_target() {
    let by_hand = one(json!({"kind": "partition", "groups": [["n1"], ["n2", "n3"]], "at": "1s"}), 4).unwrap();
    assert_eq!((by_hand.label.as_str(), links(&by_hand, 4).len()), ("partition n1 | n2 n3", 4));
    let cut_off = one(json!({"kind": "partition", "target": ["n1", "n2"], "at": "1s"}), 4).unwrap();
    assert_eq!(links(&cut_off, 4).len(), 8);
}

#[test]
fn one_way_cuts_outgoing_dials_only() {
    let fault = one(json!({"kind": "one-way", "from": "n1", "to": ["n2"], "at": "1s"}), 3).unwrap();
    assert_eq!(links(&fault, 3), [Link::new("n1", "n2")]);
    assert_eq!(fault.label, "one-way n1→n2");
    let fault = one(json!({"kind": "one-way", "from": "leader", "at": "1s"}), 3).unwrap();
    assert_eq!((links(&fault, 3).len(), fault.label.as_str(), fault.nodes), (2, "one-way leader→all", None));
    for seed in 0..20 {
        let specs = [spec(json!({"kind": "one-way", "from": "random", "to": "random", "at": "1s"}))];
        assert!(plan(&specs, &cluster(2), &options(seed)).is_ok());
    }
}

#[test]
fn empty_selections_are_refused_by_field() {
    let cases = [
        (json!({"kind": "partition", "shape": "halves", "at": "1s"}), 1, "shape"),
        (json!({"kind": "partition", "shape": "minority", "at": "1s"}), 2, "shape"),
        (json!({"kind": "partition", "shape": "bridge", "at": "1s"}), 2, "shape"),
        (json!({"kind": "partition", "shape": "majority-ring", "at": "1s"}), 3, "shape"),
        (json!({"kind": "partition", "groups": [["n1"]], "at": "1s"}), 3, "groups"),
        (json!({"kind": "partition", "groups": [["n1"], []], "at": "1s"}), 3, "groups"),
        (json!({"kind": "partition", "groups": [["n1"], ["n1", "n2"]], "at": "1s"}), 3, "groups"),
        (json!({"kind": "partition", "target": "all", "at": "1s"}), 3, "target"),
        (json!({"kind": "partition", "at": "1s"}), 3, "shape"),
        (json!({"kind": "kill", "target": "minority", "at": "1s"}), 2, "target"),
        (json!({"kind": "kill", "target": [], "at": "1s"}), 2, "target"),
        (json!({"kind": "kill", "at": "1s"}), 2, "target"),
        (json!({"kind": "kill", "target": "n9", "at": "1s"}), 3, "target"),
        (json!({"kind": "delay", "delay": "1ms", "at": "1s"}), 1, "target"),
        (json!({"kind": "delay", "delay": "0s", "at": "1s"}), 3, "delay"),
        (json!({"kind": "delay", "delay": {"mean": "1ms", "jitter": "2ms"}, "at": "1s"}), 3, "delay"),
        (json!({"kind": "rate", "rate": 0, "at": "1s"}), 3, "rate"),
        (json!({"kind": "one-way", "from": "n1", "to": "n1", "at": "1s"}), 3, "to"),
        (json!({"kind": "one-way", "target": "n1", "at": "1s"}), 3, "target"),
        (json!({"kind": "kill", "target": "n1", "shape": "one", "at": "1s"}), 3, "shape"),
        (json!({"kind": "restart-all", "target": "n1", "at": "1s"}), 3, "target"),
        (json!({"kind": "slow", "target": "n1", "still": "100%", "at": "1s"}), 3, "still"),
        (json!({"kind": "slow", "target": "n1", "period": "1ms", "at": "1s"}), 3, "still"),
        (json!({"kind": "kill", "target": "n1", "period": "1s", "at": "1s"}), 3, "period"),
        (json!({"kind": "swizzle", "target": "n1", "at": "1s"}), 1, "target"),
        (json!({"kind": "power-loss", "target": "n1", "at": "1s"}), 3, "kind"),
        (json!({"kind": "hold", "target": "n1", "at": "1s"}), 3, "kind"),
        (json!({"kind": "kill", "target": "n1", "during": "sync", "at": "1s"}), 3, "during"),
        (json!({"kind": "pause", "target": "n1", "during": "sync", "at": "1s"}), 3, "during"),
    ];
    for (json, n, field) in cases {
        let error = refused(json.clone(), n);
        assert_eq!(error.field, field, "{json}: {error}");
    }
}

#[test]
fn impossible_times_are_refused_by_field() {
    let cases = [
        (json!({}), "at"),
        (json!({"at": "20s"}), "at"),
        (json!({"at": "1s", "for": "0s"}), "for"),
        (json!({"at": "1s", "for": "30s"}), "for"),
        (json!({"at": "1s", "jitter": "1s"}), "jitter"),
        (json!({"every": "5s"}), "for"),
        (json!({"every": "5s", "for": "4s", "jitter": "1s"}), "for"),
        (json!({"every": "1ms", "for": "1us"}), "every"),
        (json!({"every": "19s", "for": "2s"}), "every"),
    ];
    for (mut json, field) in cases {
        json["kind"] = "kill".into();
        json["target"] = "n1".into();
        let error = refused(json.clone(), 3);
        assert_eq!(error.field, field, "{json}: {error}");
    }
    assert_eq!(refused(json!({"kind": "reset", "at": "1s", "for": "1s"}), 3).field, "for");
}

#[test]
fn faults_wait_for_points_and_other_faults() {
    let specs = |list: &[serde_json::Value]| list.iter().cloned().map(spec).collect::<Vec<_>>();
    let follows = json!({"kind": "pause", "target": "n2", "after": {"fault": 2, "by": "200ms"}, "for": "1s"});
    let every = json!({"kind": "kill", "target": "n1", "every": "8s", "for": "1s"});
    let when = json!({"kind": "reset", "when": "n3 decided 500"});
    let planned = plan(&specs(&[follows.clone(), every, when]), &cluster(3), &options(7)).unwrap();
    let triggers: Vec<_> = planned.iter().map(|fault| fault.trigger.in_words()).collect();
    let after = |fault| Some(format!("200ms after fault {fault}"));
    assert_eq!(triggers, [None, None, Some("when n3 decided 500".to_owned()), after(1), after(2)]);
    let refuse = |list: &[serde_json::Value]| plan(&specs(list), &cluster(3), &options(7)).unwrap_err();
    let circle = json!({"kind": "kill", "target": "n1", "after": {"fault": 1}});
    assert!(refuse(&[follows.clone(), circle]).to_string().contains("waits for itself"));
    assert!(refuse(&[follows]).to_string().contains("no fault 2"));
    let unknown_node = json!({"kind": "kill", "target": "n1", "when": "n9 decided 5"});
    assert_eq!(refuse(&[unknown_node]).field, "when");
    let both = json!({"kind": "kill", "target": "n1", "when": "n1 decided 5", "at": "1s"});
    assert_eq!(refuse(&[both]).field, "when");
}

#[test]
fn error_names_fault_and_remedy() {
    let specs = [
        spec(json!({"kind": "kill", "target": "n1", "at": "1s"})),
        spec(json!({"kind": "partition", "shape": "majority-ring", "at": "1s"})),
    ];
    let error = plan(&specs, &cluster(3), &options(7)).unwrap_err();
    assert_eq!(error.index, 1);
    assert!(
        error.to_string().starts_with("fault 2: `shape`: `majority-ring` needs at least 4 nodes"),
        "{error}"
    );
    let host = PlanOptions { mode: Mode::Host, ..options(7) };
    let error = plan(&specs, &cluster(5), &host).unwrap_err();
    assert!(error.to_string().contains("network = \"proxy\""), "{error}");
}

#[test]
fn the_leader_must_be_a_node() {
    let fault = one(json!({"kind": "kill", "target": "leader", "at": "1s"}), 3).unwrap();
    assert!(fault.scope.resolve(&cluster(3), Some("n9")).unwrap_err().contains("no node"));
    assert!(fault.scope.resolve(&cluster(3), None).unwrap_err().contains("no node led"));
}

fn any_spec() -> impl Strategy<Value = FaultSpec> {
    let kinds = prop::sample::select(vec![Kind::Kill, Kind::Pause, Kind::Partition, Kind::Delay, Kind::Rate]);
    let shapes = prop::sample::select(vec![Shape::Halves, Shape::One, Shape::Bridge, Shape::MajorityRing]);
    (kinds, shapes, 1..8_u64, 0..500_u64).prop_map(|(kind, shape, every, jitter)| {
        let mut spec = FaultSpec::new(kind);
        spec.every = Some(Duration::from_secs(every));
        spec.lasts = Some(Duration::from_millis(400));
        spec.jitter = Some(Duration::from_millis(jitter));
        match kind {
            Kind::Partition => spec.shape = Some(shape),
            Kind::Delay => {
                spec.delay = Some(Delay { mean: Duration::from_millis(5), ..Delay::default() });
            }
            Kind::Rate => spec.rate = Some(ByteRate(1000)),
            _ => {}
        }
        if kind != Kind::Partition {
            spec.target = Some(Target::Word("random".to_owned()));
        }
        spec
    })
}

proptest! {
    #[test]
    fn the_same_seed_gives_the_same_plan(specs in prop::collection::vec(any_spec(), 1..5), seed in any::<u64>()) {
        let first = plan(&specs, &cluster(5), &options(seed)).unwrap();
        prop_assert_eq!(&first, &plan(&specs, &cluster(5), &options(seed)).unwrap());
        for (index, fault) in first.iter().enumerate() {
            prop_assert_eq!(fault.fault as usize, index + 1);
            prop_assert!(fault.start < fault.end && fault.end <= 20_000_000_000);
            prop_assert!(!fault.nodes.as_ref().unwrap().is_empty());
        }
        prop_assert!(first.is_sorted_by_key(|fault| fault.start));
    }

    #[test]
    fn different_seeds_differ_somewhere(specs in prop::collection::vec(any_spec(), 1..5), seed in any::<u64>()) {
        let plans: Vec<_> = (0..40).map(|n| plan(&specs, &cluster(5), &options(seed.wrapping_add(n))).unwrap()).collect();
        prop_assert!(plans.iter().any(|other| *other != plans[0]));
    }

    #[test]
    fn added_fault_keeps_the_draws_of_others(a in any_spec(), b in any_spec(), seed in any::<u64>()) {
        prop_assume!(!matches!(a.kind, Kind::Kill | Kind::Pause));
        let alone = plan(std::slice::from_ref(&a), &cluster(5), &options(seed)).unwrap();
        let both = plan(&[a, b], &cluster(5), &options(seed)).unwrap();
        for fault in alone {
            prop_assert!(both.iter().any(|other| (other.start, &other.label) == (fault.start, &fault.label)));
        }
    }
}

#[test]
fn clients_are_cut_off_in_labs_only() {
    let mut spec = FaultSpec::new(Kind::Partition);
    spec.at = Some(Duration::from_secs(1));
    spec.groups = Some(vec![vec!["clients".to_owned(), "n1".to_owned()], vec!["n2".to_owned()]]);
    let topology = Topology::new((1..=3).map(|i| (format!("n{i}"), ["replica"])));
    let options = |mode| PlanOptions {
        clocks: Clocks::Shiftable,
        mode,
        disk: DiskMode::Real,
        duration: Duration::from_secs(10),
        at_most: None,
        by_command: None,
        reconfigurable: true,
        reported: Reported::ALL,
        simulated: false,
        seed: 7,
    };
    let planned = plan(&[spec.clone()], &topology, &options(Mode::Lab)).unwrap();
    assert_eq!(planned[0].nodes, Some(vec!["n1".to_owned(), "n2".to_owned()]));
    let Scope::Links(links) = &planned[0].scope else { panic!("{:?}", planned[0].scope) };
    let links: Vec<_> = links.iter().map(ToString::to_string).collect();
    assert_eq!(links, ["clients→n2", "n1→n2", "n2→clients", "n2→n1"]);
    let refused = plan(&[spec], &topology, &options(Mode::Proxy)).unwrap_err().to_string();
    assert!(refused.contains("network = \"lab\""), "{refused}");
}

#[test]
fn damage_keys_are_checked() {
    let flip =
        one(json!({"kind": "bit-flip", "target": "n2", "bits": 3, "file": "log", "at": "1s"}), 3).unwrap();
    assert_eq!(flip.label, "bit-flip n2");
    for (wrong, field) in [
        (json!({"kind": "bit-flip", "target": "n2", "bits": 0, "at": "1s"}), "bits"),
        (json!({"kind": "bit-flip", "target": "n2", "bytes": 7, "at": "1s"}), "bytes"),
        (json!({"kind": "truncate", "target": "n2", "bytes": 0, "at": "1s"}), "bytes"),
        (json!({"kind": "truncate", "at": "1s"}), "target"),
        (json!({"kind": "kill", "file": "log", "target": "n2", "at": "1s"}), "file"),
    ] {
        assert_eq!(refused(wrong, 3).field, field);
    }
}

#[test]
fn fault_beyond_the_budget_is_refused() {
    let budget = PlanOptions { at_most: Some(crate::budget::AtMost::Minority), ..options(7) };
    let planned = |kind: Kind, target: Option<&str>, nodes| {
        let mut spec = FaultSpec::new(kind);
        (spec.at, spec.target) = (Some(Duration::from_secs(1)), target.map(Target::from));
        plan(&[spec], &cluster(nodes), &budget)
    };
    assert!(planned(Kind::Kill, Some("minority"), 5).is_ok());
    assert!(planned(Kind::Kill, Some("leader"), 3).is_ok());
    assert!(planned(Kind::RollingRestart, None, 3).is_ok(), "one at a time");
    assert!(planned(Kind::Partition, Some("n1"), 3).is_ok());
    for (kind, target, nodes, excess) in [
        (Kind::RestartAll, None, 3, "all of 3 nodes"),
        (Kind::Pause, Some("majority"), 5, "3 of 5 nodes, at most 2 allowed"),
        (Kind::Swizzle, None, 3, "2 of 3 nodes, at most 1 allowed"),
        (Kind::Kill, Some("leader"), 2, "1 of 2 nodes, at most 0 allowed"),
    ] {
        let refused = planned(kind, target, nodes).unwrap_err();
        assert!(refused.field == "kind" && refused.to_string().contains(excess), "{refused}");
        assert!(refused.to_string().contains("at-most = \"minority\""), "{refused}");
    }
}

/// Five members and two spare nodes.
fn with_spares() -> Topology {
    cluster(7).with_spares(2)
}

fn changes(specs: &[serde_json::Value]) -> Result<Vec<PlannedFault>, PlanError> {
    let specs: Vec<FaultSpec> = specs.iter().cloned().map(spec).collect();
    plan(&specs, &with_spares(), &options(7))
}

#[test]
fn spare_nodes_are_used_in_order() {
    let replace = |at: &str| json!({"kind": "reconfigure", "change": "replace", "target": "leader", "at": at, "for": "2s"});
    let planned = changes(&[replace("1s"), replace("2s"), replace("9s")]).unwrap();
    let labels: Vec<&str> = planned.iter().map(|fault| fault.label.as_str()).collect();
    assert_eq!(labels, ["replace leader by n6", "replace leader by n7", "replace leader by n6"]);
    let third = changes(&[replace("1s"), replace("2s"), replace("2500ms")]).unwrap_err();
    assert!(third.to_string().contains("it needs 1 of the 2 spare nodes"), "{third}");
    let add = changes(&[json!({"kind": "reconfigure", "change": "add", "at": "1s"})]).unwrap();
    assert_eq!((add[0].label.as_str(), &add[0].nodes), ("add n6", &Some(vec!["n6".to_owned()])));
    let drawn =
        changes(&[json!({"kind": "reconfigure", "change": "remove", "target": "minority", "at": "1s"})])
            .unwrap();
    let nodes = drawn[0].nodes.clone().unwrap();
    assert_eq!(drawn[0].label, format!("remove minority ({})", nodes.join(" ")));
    assert!(nodes.len() == 2 && !nodes.iter().any(|node| node == "n6" || node == "n7"), "{nodes:?}");
}

#[test]
fn impossible_member_changes_are_refused() {
    for (wrong, field, reason) in [
        (json!({"target": "n1"}), "change", "change = \"add\""),
        (json!({"change": "remove"}), "target", "say which node is removed"),
        (json!({"change": "add", "target": "n2"}), "target", "`n2` is a member already"),
        (json!({"change": "remove", "target": "n6"}), "target", "can only be added"),
        (json!({"change": "remove", "target": "majority"}), "target", "2 would remain, and a majority is 3"),
        (json!({"change": "replace", "target": ["n1", "n2", "n3"]}), "change", "it needs 3 of the 2 spare"),
    ] {
        let mut fault = json!({"kind": "reconfigure", "at": "1s"});
        fault.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let refused = changes(&[fault]).unwrap_err();
        assert!(refused.field == field && refused.to_string().contains(reason), "{refused}");
    }
    let twice = json!({"kind": "reconfigure", "change": "remove", "target": "n1", "at": "1s", "for": "2s"});
    assert!(changes(&[twice.clone(), twice]).unwrap_err().to_string().contains("at the same time"));
    let none = refused(json!({"kind": "reconfigure", "change": "add", "at": "1s"}), 3);
    assert!(none.to_string().contains("spares = 1 in [cluster]"), "{none}");
}

#[test]
fn words_never_mean_spare_nodes() {
    let one = &changes(&[json!({"kind": "partition", "shape": "one", "at": "1s"})]).unwrap()[0];
    assert!(one.label.ends_with(" n6 n7)"), "{}", one.label);
    let all = &changes(&[json!({"kind": "restart-all", "at": "1s", "for": "1s"})]).unwrap()[0];
    assert_eq!(all.nodes.as_ref().map(Vec::len), Some(5));
    assert!(changes(&[json!({"kind": "kill", "target": "n7", "at": "1s"})]).is_ok(), "by its name");
    assert_eq!(
        changes(&[json!({"kind": "partition", "target": "all", "at": "1s"})]).unwrap_err().field,
        "target"
    );
}

#[test]
fn disk_swap_needs_two_nodes() {
    let drawn = one(json!({"kind": "disk-swap", "at": "1s"}), 3).unwrap();
    assert_eq!(drawn.nodes.map(|nodes| nodes.len()), Some(2));
    let all = one(json!({"kind": "disk-swap", "target": "all", "at": "1s"}), 3).unwrap();
    assert_eq!(all.label, "disk-swap all");
    for few in ["n2", "leader", "random"] {
        let refused = refused(json!({"kind": "disk-swap", "target": few, "at": "1s"}), 3);
        assert!(refused.field == "target" && refused.to_string().contains("two are drawn"), "{refused}");
    }
    assert_eq!(refused(json!({"kind": "disk-swap", "at": "1s"}), 1).field, "target");
}

#[test]
fn points_that_no_run_of_this_kind_sees_are_refused() {
    let simulated = PlanOptions { simulated: true, ..options(7) };
    let memory = PlanOptions { disk: DiskMode::Memory, mode: Mode::Lab, ..options(7) };
    let hosts = PlanOptions { mode: Mode::Hosts, ..options(7) };
    for (point, seen, unseen) in [
        ("n1 syncs 3", memory, Some(options(7))),
        ("any starts", options(7), Some(hosts)),
        ("n1 sends p1a 2", simulated, Some(memory)),
        ("leader adopted", hosts, None),
    ] {
        let kill = spec(json!({"kind": "kill", "target": "n1", "when": point}));
        let with = |options: &PlanOptions| plan(std::slice::from_ref(&kill), &cluster(3), options);
        assert!(with(&seen).is_ok() && with(&simulated).is_ok(), "{point}");
        if let Some(unseen) = unseen {
            assert_eq!(with(&unseen).unwrap_err().field, "when", "{point}");
        }
    }
}

#[test]
fn unreported_leaders_and_elections_are_refused() {
    let silent = PlanOptions { reported: Reported::NONE, ..options(7) };
    for (fault, field) in [
        (json!({"kind": "kill", "target": "leader", "at": "1s"}), "target"),
        (json!({"kind": "partition", "shape": "leader", "at": "1s"}), "kind"),
        (json!({"kind": "one-way", "from": "leader", "to": "n2", "at": "1s"}), "kind"),
        (json!({"kind": "kill", "target": "n1", "when": "leader adopted"}), "when"),
        (json!({"kind": "kill", "target": "n1", "when": "n2 decided 5"}), "when"),
        (json!({"kind": "kill", "target": "n1", "when": "any preempted"}), "when"),
    ] {
        let fault = [spec(fault)];
        assert!(plan(&fault, &cluster(3), &options(7)).is_ok(), "{fault:?}");
        assert_eq!(plan(&fault, &cluster(3), &silent).unwrap_err().field, field, "{fault:?}");
    }
    let named = spec(json!({"kind": "kill", "target": "n1", "at": "1s"}));
    assert!(plan(&[named], &cluster(3), &silent).is_ok());
}
