//! `bench nemesis`: chosen faults in the middle of a standard load, reported in five phases.

use crate::cli::Nemesis;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::{self, Destination, OutputStyle};
use crate::spec::{self, Document, source};
use crate::terminal::Screen;
use nemesis::{FaultSpec, MemberChange, Shape, Target};
use std::time::Duration;
use toml::{Table, Value};

/// When the faults start and how long they last, where the spec does not say.
const AT: Duration = Duration::from_secs(4);
const LASTS: Duration = Duration::from_secs(4);

/// How much later nodes are silenced, and then all of them: before that, they can show what else is done to them.
const SILENCE_LATER: Duration = Duration::from_millis(500);

/// More nodes than this would be slow on a laptop, whatever is done to them.
const NODES_MAX: usize = 9;

/// Runs the spec of the recovery study with the faults that were asked for.
///
/// # Errors
/// When the faults or overrides are wrong (exit code 2), or the bench cannot do its work (4).
pub(crate) fn run(arguments: &Nemesis) -> Result<Exit, Failure> {
    if let Some(folder) = &arguments.attach {
        return super::attach::nemesis(arguments, folder);
    }
    let faults = arguments.faults.faults(arguments.lasts)?;
    let loaded = spec::load(document(&faults), &arguments.options.wishes())?;
    let screen = Screen::new(arguments.options.json);
    let destination = Destination { ci: &arguments.ci, spec: None, pictures: arguments.pictures.options() };
    run::run(&loaded, &arguments.options, 1, &screen, OutputStyle::Story, destination)
}

/// The spec of the recovery study with these faults in place of its own, and enough nodes for them.
fn document(faults: &[FaultSpec]) -> Document {
    let nodes = nodes_for(faults);
    let text = source::built_in(source::RECOVERY).expect("the recovery study is built in").text;
    let mut table: Table = text.parse().expect("a test reads every built-in spec");
    let own = table.get("fault").and_then(|faults| faults.get(0)?.clone().try_into::<FaultSpec>().ok());
    let (at, lasts) = own.map_or((None, None), |own| (own.at, own.lasts));
    let first = faults.iter().map(turn).min().unwrap_or(0);
    make_room(&mut table, at.unwrap_or(AT), faults);
    let timed: Vec<Value> = faults
        .iter()
        .map(|fault| {
            let usual = (!fault.kind.is_over_at_once()).then(|| lasts.unwrap_or(LASTS));
            let lasts = fault.lasts.or(usual);
            let later = SILENCE_LATER * (turn(fault) - first);
            let mut fault = fault.clone();
            (fault.at, fault.lasts) = (Some(at.unwrap_or(AT) + later), lasts);
            fault
        })
        .map(|fault| Value::try_from(fault).expect("a fault can be written as TOML"))
        .collect();
    if let Some(cluster) = table.get_mut("cluster").and_then(Value::as_table_mut)
        && let Some(there) = cluster.get("nodes").and_then(Value::as_integer)
    {
        cluster.insert("nodes".to_owned(), Value::Integer(there.max(nodes)));
        let spares = spares_for(faults, there.max(nodes));
        if spares > 0 {
            cluster.insert("spares".to_owned(), Value::Integer(spares));
        }
        // Or whoever was cut off would wait for TCP, up to minutes, and not for the system.
        cluster.entry("tcp-rto-max").or_insert_with(|| Value::from("1s"));
    }
    table.insert("fault".to_owned(), Value::Array(timed));
    let text = toml::to_string_pretty(&table).expect("what was read as TOML can be written as TOML");
    Document { name: "bench nemesis".to_owned(), text: format!("# What bench nemesis ran.\n{text}") }
}

/// Makes the load long enough that every fault is healed a while before its end.
fn make_room(table: &mut Table, at: Duration, faults: &[FaultSpec]) {
    let longest = faults.iter().filter_map(|fault| fault.lasts).max();
    if let Some(longest) = longest.filter(|longest| *longest > LASTS)
        && let Some(load) = table.get_mut("load").and_then(Value::as_table_mut)
    {
        // As long before the fault as after it.
        let duration = (at + longest + AT).as_millis();
        load.insert("duration".to_owned(), Value::from(format!("{duration}ms")));
    }
}

/// Its rank among the faults that were asked for together: first faults after which all nodes answer, last those of all nodes.
fn turn(fault: &FaultSpec) -> u32 {
    let everybody = fault.kind.entry().whole_cluster
        || fault.target.as_ref().is_some_and(|target| target.to_string() == "all");
    match (fault.kind.entry().nodes.are_silent(), everybody) {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => 2,
    }
}

/// How many nodes there must be: with two for each fault that takes one away, and one more, a majority survives.
fn nodes_for(faults: &[FaultSpec]) -> i64 {
    let takes = |fault: &FaultSpec| {
        let goes = fault.change.is_some_and(|change| change != MemberChange::Add);
        fault.kind.entry().loses.max(usize::from(goes))
    };
    let rings = faults.iter().any(|fault| fault.shape == Some(Shape::MajorityRing));
    let nodes = 2 * faults.iter().map(takes).sum::<usize>() + 1;
    i64::try_from(nodes.min(NODES_MAX)).unwrap_or(i64::MAX).max(if rings { 5 } else { 3 })
}

/// How many nodes must wait to become members.
fn spares_for(faults: &[FaultSpec], nodes: i64) -> i64 {
    let come = |fault: &FaultSpec| match (fault.change, &fault.target) {
        (None | Some(MemberChange::Remove), _) => 0,
        (Some(MemberChange::Add | MemberChange::Replace), Some(Target::Nodes(names))) => {
            i64::try_from(names.len()).unwrap_or(i64::MAX)
        }
        (Some(MemberChange::Replace), Some(Target::Word(word))) => match word.split('-').next() {
            Some("all") => nodes,
            Some("majority") => nodes / 2 + 1,
            Some("minority") => (nodes - 1) / 2,
            Some(_) | None => 1,
        },
        (Some(MemberChange::Add), Some(Target::Word(_)) | None) | (Some(MemberChange::Replace), None) => 1,
    };
    faults.iter().map(come).sum()
}

#[cfg(test)]
mod tests {
    use super::{document, nodes_for};
    use crate::flags::tests::{all, each};
    use crate::spec;
    use std::time::Duration;

    #[test]
    fn faults_that_silence_nobody_come_first() {
        let time = |name: &str, value: &str| {
            let words = ["bench", "--clock-jump", "1h", "--power-loss", "all", "--kill-leader"];
            let given = crate::flags::tests::of(&words);
            let text = document(&given.faults(None).unwrap()).text;
            let table: toml::Table = text.parse().unwrap();
            let faults = table["fault"].as_array().unwrap();
            let fault = faults.iter().find(|fault| fault[name].as_str() == Some(value)).unwrap();
            fault["at"].as_str().unwrap().to_owned()
        };
        let times = [time("kind", "jump"), time("kind", "kill"), time("kind", "power-loss")];
        assert_eq!(times, ["4s", "4s 500ms", "5s"]);
    }

    #[test]
    fn a_long_fault_makes_the_load_longer() {
        let given = crate::flags::tests::of(&["bench", "--kill-leader", "--reset"]);
        let text = document(&given.faults(Some(Duration::from_secs(30))).unwrap()).text;
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["load"]["duration"].as_str(), Some("38000ms"));
        let faults = table["fault"].as_array().unwrap();
        let lasts =
            |kind: &str| faults.iter().find(|fault| fault["kind"].as_str() == Some(kind)).unwrap().get("for");
        assert_eq!(lasts("kill").and_then(toml::Value::as_str), Some("30s"));
        assert_eq!(lasts("reset"), None, "what is over at once lasts no time");
    }

    #[test]
    fn every_option_makes_a_valid_spec() {
        let mut fit = 0;
        for flags in each().into_iter().chain([all()]) {
            let faults = flags.faults(None).unwrap();
            match spec::load(document(&faults), &spec::Wishes::default()) {
                Ok(loaded) => {
                    fit += 1;
                    assert_eq!(loaded.spec.faults.len(), faults.len());
                    assert!(i64::from(loaded.spec.cluster.node_count()) >= nodes_for(&faults));
                }
                // This program cannot be started again inside a lab.
                Err(failure) => {
                    assert!(failure.render().contains("it needs network"), "{}", failure.render());
                }
            }
        }
        assert!(fit > 10);
    }
}
