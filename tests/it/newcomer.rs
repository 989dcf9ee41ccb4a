//! The first use of the bench: its output, the width of its lines, and whether the commands it prints work.

use crate::support::{bench, output, stderr, stdout, write_spec};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const KILL: &str = "[[fault]]\nkind = \"kill\"\ntarget = \"n2\"\nat = \"600ms\"\nfor = \"600ms\"\n";

/// A run of one second and a half with a kill, in the folder `out`.
fn run_with_a_kill(folder: &Path) -> Output {
    write_spec(folder, "1500ms", KILL);
    let run = output(folder, &["run", "short.toml", "--seed", "7", "--out", "out"]);
    assert_eq!(run.status.code(), Some(0), "{}{}", stdout(&run), stderr(&run));
    run
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Types a command of `plan.json` into a shell in a folder.
fn typed(folder: &Path, command: &str) -> Output {
    Command::new("sh").args(["-c", command]).current_dir(folder).env("NO_COLOR", "1").output().unwrap()
}

#[test]
fn a_recovery_is_told_written_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_with_a_kill(folder.path());
    let out = folder.path().join("out");
    let verdict = json(&out.join("verdict.json"));
    let recovery = &verdict["variants"][0]["recoveries"][0];
    let sentence = recovery["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("n2 is level ") && sentence.contains(" from its own log, "), "{sentence}");
    assert!(
        sentence.contains("; it had applied ") && recovery["slots_before"].as_u64() > Some(10),
        "{sentence}"
    );
    assert!(stdout(&run).contains(sentence), "{}", stdout(&run));
    assert!(fs::read_to_string(out.join("report.html")).unwrap().contains(sentence));
    assert!(fs::read_to_string(out.join("main/recoveries.csv")).unwrap().contains(sentence));
    assert!(out.join("recovery.png").exists() && !out.join("backoff.png").exists());
}

#[test]
fn what_a_run_prints_fits_its_terminal() {
    let folder = tempfile::tempdir().unwrap();
    run_with_a_kill(folder.path());
    for columns in [80, 60] {
        let mut report = bench(folder.path());
        report.args(["report", "out"]).env("COLUMNS", columns.to_string());
        let said = stdout(&report.output().unwrap());
        let wide = said.lines().find(|line| line.chars().count() > columns);
        assert_eq!(wide, None, "{said}");
        for word in ["refused", "p99 ms", "decided/s", "longest gap s"] {
            assert!(said.contains(word), "{word} is missing: {said}");
        }
    }
    let piped = stdout(&output(folder.path(), &["report", "out"]));
    let sentence = piped.lines().find(|line| line.starts_with("Valid: ")).unwrap();
    assert!(sentence.len() > 60, "in a pipe a sentence is one line: {piped}");
}

#[test]
fn a_runs_folder_is_explained_like_its_file() {
    let folder = tempfile::tempdir().unwrap();
    run_with_a_kill(folder.path());
    let of_file = stdout(&output(folder.path(), &["check", "out/main/history.jsonl", "--explain"]));
    let order: Vec<&str> = of_file.lines().filter(|line| line.contains("an order on key")).collect();
    assert!(!order.is_empty(), "{of_file}");
    let of_folder = stdout(&output(folder.path(), &["check", "out", "--explain"]));
    assert!(order.iter().all(|line| of_folder.contains(line)), "{of_folder}");
    let both = stdout(&output(
        folder.path(),
        &["check", "out/main/history.jsonl", "out/main/operations.csv", "--explain"],
    ));
    assert!(order.iter().all(|line| both.contains(line)), "{both}");
}

#[test]
fn do_it_again_works_as_printed() {
    let folder = tempfile::tempdir().unwrap();
    run_with_a_kill(folder.path());
    let out = folder.path().join("out");
    let command = json(&out.join("plan.json"))["again"].as_str().unwrap().to_owned();
    assert!(command.ends_with(" run spec.toml --seed 7"), "{command}");
    let again = typed(&out, &command);
    assert_eq!(again.status.code(), Some(0), "{}{}", stdout(&again), stderr(&again));
    let plan = |path: &Path| json(&path.join("plan.json"))["variants"].clone();
    assert_eq!(plan(&out), plan(&out.join("results/latest")));
}

#[test]
fn do_it_again_finds_relative_programs() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let program = folder.path().join("store.sh");
    fs::write(&program, "#!/bin/sh\n. ./how.sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("how.sh"), "exit 7\n").unwrap();
    let sets = ["--set", "cluster.system=command", "--set", "cluster.program=./store.sh"];
    let run = output(folder.path(), &[&["run", "short.toml", "--out", "out"][..], &sets].concat());
    assert!(stderr(&run).contains("exit code 7"), "{}", stderr(&run));
    let out = folder.path().join("out");
    let command = json(&out.join("plan.json"))["again"].as_str().unwrap().to_owned();
    let again = typed(&out, &command);
    assert_eq!(again.status.code(), Some(4), "{command}: {}", stderr(&again));
    assert!(stderr(&again).contains("exit code 7"), "{command}: {}", stderr(&again));
}

#[test]
fn rounds_run_in_turns_and_become_medians() {
    let folder = tempfile::tempdir().unwrap();
    let variants = "[[variant]]\nname = \"few\"\nset = { \"load.clients\" = 2 }\n\
        [[variant]]\nname = \"many\"\nset = { \"load.clients\" = 6 }\n";
    write_spec(folder.path(), "500ms", variants);
    let run = output(folder.path(), &["run", "short.toml", "--seed", "7", "--rounds", "2", "--out", "out"]);
    let said = stdout(&run);
    assert_eq!(run.status.code(), Some(0), "{said}{}", stderr(&run));
    assert!(said.contains("2 rounds"), "{said}");
    let out = folder.path().join("out");
    let plan = json(&out.join("plan.json"));
    let names: Vec<&str> =
        plan["variants"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["few-1", "many-1", "few-2", "many-2"]);
    assert!(plan["again"].as_str().unwrap().ends_with(" --rounds 2 --seed 7"), "{}", plan["again"]);
    let seeds = |variant: usize| plan["variants"][variant]["client-seeds"][0].clone();
    assert!(seeds(0) == seeds(1) && seeds(0) != seeds(2), "each round has a seed of its own");
    let medians = fs::read_to_string(out.join("medians.csv")).unwrap();
    assert_eq!(
        medians.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect::<Vec<_>>(),
        ["few", "many"]
    );
}
