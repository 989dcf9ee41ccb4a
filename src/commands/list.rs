//! `bench list`: the specs, systems, workloads, faults, flaws and checks, a line each; or the keys of a spec.

use crate::cli::List;
use crate::exit::Exit;
use crate::spec::source::BUILT_IN;
use crate::spec::{keys, system};
use crate::terminal::{STRONG, Screen};
use checker::property::Property;
use node::flaw::Flaw;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use workloads::Workload;

/// What every run is checked for, in the words of verdicts.
pub(crate) const CHECKS: [(&str, &str); 13] = [
    (
        "linearizable",
        "every key's operations fit an order in which each takes effect at once ([check] linearizable)",
    ),
    (
        "transactions",
        "instead, for list-append and rw-register: no anomaly after Elle that the promise forbids ([check] promise)",
    ),
    (
        "sequential",
        "instead, for promise = \"sequential\": all operations fit one order, which is that of each process",
    ),
    (
        "elements",
        "instead, for bank: every read of all accounts adds up; for queue: what was acknowledged comes out",
    ),
    ("agreement", "the replicas decided the same command for each slot ([check] agreement)"),
    ("digest", "nodes at the same position have the same state, as their digests say ([digest])"),
    ("load", "enough operations succeeded ([load] minimum-rate); else unknown"),
    (
        "obligations",
        "what must have been seen was: keys read again, nodes and kinds of operation back; else unknown",
    ),
    ("faults", "every planned fault has evidence that it took effect; else unknown"),
    ("processes", "no node ended unless the bench killed it"),
    ("logs", "no line of the logs matches a pattern that the spec forbids"),
    ("liveness", "the system served again after everything was healed"),
    ("complete", "the run came to its end; else unknown"),
];

/// Prints the lists, or the reference of keys. A file that is no spec is left out.
pub(crate) fn run(arguments: &List) -> Exit {
    let screen = Screen::new(false);
    if arguments.keys {
        screen.line(keys::page().trim_end());
        return Exit::Valid;
    }
    let specs = specs();
    let rows = specs.iter().map(|(path, about)| (path.as_str(), about.clone()));
    section(&screen, "specs (bench run SPEC)", rows);
    section(&screen, "systems", systems());
    section(&screen, "workloads", Workload::ALL.map(|w| (w.name(), w.about().to_owned())));
    let faults = nemesis::vocabulary();
    section(&screen, "faults", faults.map(|entry| (entry.name, entry.about.to_owned())));
    let flaws = Flaw::ALL.into_iter().map(|flaw| (flaw.name(), flaw.sentence().to_owned()));
    section(&screen, "flaws (--set cluster.paxos.flaw=NAME)", flaws);
    let models = Property::all().map(|property| (property.name(), property.about()));
    section(&screen, "models (bench check FILE --model MODEL)", models);
    section(&screen, "checks of a run", CHECKS.map(|(name, about)| (name, about.to_owned())));
    Exit::Valid
}

/// The systems, with what each promises.
fn systems() -> impl Iterator<Item = (&'static str, String)> {
    let own = ("paxos", "the bench's own replicated key-value store; promises: linearizable");
    let command = ("command", "any program: the spec itself describes it; see workloads/systems/README.md");
    let word = |(name, about): (&'static str, &str)| (name, about.to_owned());
    [word(own)].into_iter().chain(system::list()).chain([word(command)])
}

/// The built-in specs, and those in the folder `workloads` here; a file comes before the built-in one.
pub(super) fn specs() -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> =
        BUILT_IN.iter().filter_map(|spec| Some((spec.path.to_owned(), about(spec.text)?))).collect();
    let mut folders = vec![PathBuf::from("workloads")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if let Some(about) = spec_at(&path) {
                found.insert(path.display().to_string(), about);
            }
        }
    }
    found
}

fn spec_at(path: &Path) -> Option<String> {
    path.extension().filter(|ending| *ending == "toml")?;
    about(&std::fs::read_to_string(path).ok()?)
}

/// What a spec says it is for; none if the text is no spec.
fn about(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    table.get("load")?;
    table.get("name")?;
    Some(table.get("about").and_then(toml::Value::as_str).unwrap_or_default().to_owned())
}

fn section<'a>(screen: &Screen, title: &str, rows: impl IntoIterator<Item = (&'a str, String)>) {
    let rows: Vec<_> = rows.into_iter().collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    screen.line(&format!("{STRONG}{title}{STRONG:#}"));
    for (name, about) in rows {
        screen.line(&format!("  {name:width$}  {about}"));
    }
    screen.line("");
}
