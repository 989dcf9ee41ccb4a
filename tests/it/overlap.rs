//! Random plans of overlapping faults of all kinds on the sound store: each fault is healed, its evidence is true, and
//! the verdict is never invalid nor a failure of the bench.
//!
//! `cargo test --test it -- --ignored --nocapture hundreds_of` runs hundreds: `BENCH_PLANS=500` says how many, `BENCH_FIRST=1`
//! is the seed of the first, and `BENCH_KEEP=DIR` keeps what failed.

use crate::support::{lab_with_disks_possible, output, processes_in, stderr, stdout};
use nemesis::Kind;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// `SplitMix64` (Steele, Lea and Flood 2014): as many numbers as a plan needs, from one seed.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `low..high`.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.between(0, all.len() as u64)).unwrap()]
    }
}

/// How long the load of a plan lasts, in milliseconds.
const LOAD: u64 = 3000;

/// A spec with a plan drawn from a seed.
fn spec(seed: u64) -> String {
    let mut rng = Rng(seed);
    let mut text = format!(
        "name = \"overlap-{seed}\"\n[cluster]\nsystem = \"paxos\"\nnodes = 3\nspares = 2\nnetwork = \"lab\"\n\
         disk = \"memory\"\ntcp-rto-max = \"1s\"\npaxos = {{ window = 50 }}\n\
         [load]\nworkload = \"register\"\nclients = 6\nrate = 150\nwarmup = \"300ms\"\nduration = \"{LOAD}ms\"\n\
         recovery = \"3s\"\ntimeout = \"500ms\"\nkeys = 3\nminimum-rate = 0\n"
    );
    let mut changes = 0;
    let count = rng.between(4, 9);
    for index in 0..count {
        // The first ones go through all kinds, plan after plan, so that none is left out.
        let kinds = Kind::ALL.len() as u64;
        let kind = if index < 2 { (seed * 2 + index) % kinds } else { rng.between(0, kinds) };
        let entry = Kind::ALL[usize::try_from(kind).unwrap()].entry();
        let (kind, variants) = (entry.name, entry.examples);
        // Two spare nodes are enough for two changes at a time.
        changes += u64::from(kind == "reconfigure");
        if kind == "reconfigure" && changes > 1 {
            continue;
        }
        let variant = rng.one_of(variants);
        let at = rng.between(100, LOAD - 700);
        let _ = write!(text, "[[fault]]\nkind = \"{kind}\"\nat = \"{at}ms\"\n{variant}");
        if kind != "reset" && rng.between(0, 8) > 0 {
            let _ = writeln!(text, "for = \"{}ms\"", rng.between(150, (LOAD - at).min(1800)));
        }
        let _ = writeln!(text, "{}", target(kind, variant, &mut rng));
    }
    text
}

/// Whom a fault of this kind is aimed at.
fn target(kind: &str, variant: &str, rng: &mut Rng) -> String {
    let whom = match kind {
        "partition" | "one-way" | "restart-all" | "rolling-restart" => return String::new(),
        "reconfigure" if variant.contains("add") => return String::new(),
        "reconfigure" => rng.one_of(&["\"random\"", "\"leader\"", "\"n2\""]),
        "disk-swap" => rng.one_of(&["[\"n1\", \"n2\"]", "[\"n2\", \"n3\"]", "\"all\"", "\"majority\""]),
        _ => rng.one_of(&[
            "\"n1\"",
            "\"n2\"",
            "\"n3\"",
            "\"random\"",
            "\"random\"",
            "\"leader\"",
            "\"minority\"",
            "\"majority\"",
            "\"all\"",
        ]),
    };
    format!("target = {whom}")
}

/// What a run of a plan showed; the error says what is wrong with it.
fn run(seed: u64, folder: &Path) -> Result<String, String> {
    std::fs::write(folder.join("plan.toml"), spec(seed)).unwrap();
    let seed = seed.to_string();
    let run = output(folder, &["run", "plan.toml", "--seed", &seed, "--out", "out"]);
    let said = format!("{}{}", stdout(&run), stderr(&run));
    let code = run.status.code();
    if !matches!(code, Some(0 | 3)) {
        return Err(format!("exit code {code:?}:\n{said}"));
    }
    let history = std::fs::read_to_string(folder.join("out/main/history.jsonl")).unwrap();
    let events: Vec<Value> = history
        .lines()
        .filter(|line| line.contains("\"nemesis\""))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let spec = spec(seed.parse().unwrap());
    // A run stops at its first violation, and what was planned for later never comes.
    let planned = (!said.contains("the variant stops here")).then(|| spec.matches("[[fault]]").count());
    let mut problems = healed(&events, planned);
    // A disk that was emptied is empty, and takes the name of whoever is started on it.
    if !spec.contains("lose-node") {
        problems.extend([truth(&events), owners(folder)].concat());
    }
    if !problems.is_empty() {
        return Err(format!("{}\n{said}", problems.join("\n")));
    }
    let left = processes_in(folder);
    if !left.is_empty() {
        return Err(format!("processes are left: {left:?}"));
    }
    let verdict: Value =
        serde_json::from_slice(&std::fs::read(folder.join("out/verdict.json")).unwrap()).unwrap();
    Ok(reasons(&verdict))
}

/// Every fault was recorded with its start and its end, is healed, and has evidence or says why not.
fn healed(events: &[Value], planned: Option<usize>) -> Vec<String> {
    let mut ends: BTreeMap<u64, u64> = BTreeMap::new();
    let mut problems = Vec::new();
    for event in events {
        let value = &event["value"];
        let Some(fault) = value["fault"].as_u64() else { continue };
        let is_empty = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
        match value["event"].as_str() {
            Some("start") if is_empty(&value["evidence"]) && value["note"].is_null() => {
                problems.push(format!("no evidence and no reason: {value}"));
            }
            Some("end") => {
                *ends.entry(fault).or_default() += 1;
                let beyond = value["note"].as_str().is_some_and(|note| note.contains("stay down"));
                if value["healed"] != true && !beyond {
                    problems.push(format!("not healed: {value}"));
                }
            }
            _ => {}
        }
    }
    if planned.is_some_and(|planned| ends.len() != planned) || ends.values().any(|count| *count != 1) {
        problems.push(format!("{planned:?} faults were planned, and ended: {ends:?}"));
    }
    problems
}

/// A disk that is lost cannot be swapped.
fn truth(events: &[Value]) -> Vec<String> {
    let mut problems = Vec::new();
    for event in events {
        let lines = event["value"]["evidence"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for line in lines {
            if line.contains("has the data of") && line.contains(": 0 bytes, files: 0") {
                problems.push(format!("a disk was empty when it was swapped: {line}"));
            }
        }
    }
    problems
}

/// Each node has its own data in the end.
fn owners(folder: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for node in ["n1", "n2", "n3", "n4", "n5"] {
        let owner = std::fs::read_to_string(folder.join("out/main/nodes").join(node).join("data/owner"));
        if let Ok(owner) = owner
            && !owner.contains(node)
        {
            problems.push(format!("{node} has the data of {owner}"));
        }
    }
    problems
}

/// The checks that are not valid, with their reasons.
fn reasons(verdict: &Value) -> String {
    let checks = verdict["variants"][0]["checks"].as_array().unwrap();
    let open = checks.iter().filter(|check| check["answer"] != "valid");
    let words: Vec<String> = open.map(|check| format!("{}: {}", check["name"], check["reason"])).collect();
    format!("{} {}", verdict["answer"], words.join("; "))
}

/// Runs plans from these seeds on, and panics with all that is wrong.
fn run_all(first: u64, count: u64) {
    let mut answers: BTreeMap<String, u64> = BTreeMap::new();
    let mut failed = Vec::new();
    for seed in first..first + count {
        let folder = tempfile::tempdir().unwrap();
        match run(seed, folder.path()) {
            Ok(answer) => {
                println!("{seed}: {answer}");
                *answers.entry(answer.split(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
            }
            Err(problem) => {
                println!("{seed}: FAILED {problem}");
                failed.push(seed);
                if let Some(keep) = std::env::var_os("BENCH_KEEP") {
                    let to = Path::new(&keep).join(seed.to_string());
                    let _ = std::process::Command::new("cp").arg("-a").arg(folder.path()).arg(to).status();
                }
            }
        }
    }
    println!("{answers:?}, failed: {failed:?}");
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

#[test]
fn overlapping_faults_compose() {
    if lab_with_disks_possible("overlapping_faults_compose") {
        run_all(1, 3);
    }
}

#[test]
#[ignore = "takes some 10 s a plan"]
fn hundreds_of_overlapping_plans_compose() {
    if lab_with_disks_possible("hundreds_of_overlapping_plans_compose") {
        run_all(number("BENCH_FIRST", 1), number("BENCH_PLANS", 100));
    }
}
