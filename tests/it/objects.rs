//! Sets, counters, ids, lists, locks and logs: the specs of `workloads/objects`, each with a sound system and a mistake.

use crate::support::{lab_possible, output, program, skip, stderr, stdout};
use std::path::Path;
use std::process::Output;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn said(output: &Output) -> String {
    format!("{}{}", stdout(output), stderr(output))
}

/// Runs a spec of the folder; gives its exit code, what it said, and of each variant its answer and its checks.
fn run(spec: &str, more: &[&str]) -> (Option<i32>, String, Vec<(String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    // The database runs as another user.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("workloads/objects/{spec}.toml");
    let words = [&["run", &path, "--seed", "1", "--out", &out], more].concat();
    let done = output(Path::new(ROOT), &words);
    let verdict =
        std::fs::read(Path::new(&out).join("verdict.json")).unwrap_or_else(|_| panic!("{}", said(&done)));
    let verdict: serde_json::Value = serde_json::from_slice(&verdict).unwrap();
    let variants = verdict["variants"].as_array().unwrap();
    let answer = |variant: &serde_json::Value| variant["answer"].as_str().unwrap().to_owned();
    let answers = variants.iter().map(|variant| (answer(variant), variant["checks"].to_string())).collect();
    (done.status.code(), said(&done), answers)
}

/// The first variant of each spec is valid, and each other one is invalid for the reason that stands beside it.
fn mistakes_are_found(specs: &[(&'static str, &'static [&'static str])]) {
    std::thread::scope(|scope| {
        let start = |&(spec, reasons): &(&'static str, &'static [&'static str])| {
            scope.spawn(move || {
                let (code, said, answers) = run(spec, &[]);
                let words: Vec<&str> = answers.iter().map(|(answer, _)| answer.as_str()).collect();
                let expected: Vec<&str> =
                    ["valid"].into_iter().chain(reasons.iter().map(|_| "invalid")).collect();
                assert_eq!((code, words), (Some(1), expected), "{spec}: {said}");
                for (reason, (_, checks)) in reasons.iter().zip(&answers[1..]) {
                    assert!(checks.contains(reason), "{spec}: {reason:?} is not in: {checks}");
                }
            })
        };
        // Two at a time, so that no node waits for a processor.
        for some in specs.chunks(2) {
            let running: Vec<_> = some.iter().map(start).collect();
            for one in running {
                one.join().unwrap();
            }
        }
    });
}

/// Whether Redis can be run in a lab.
fn redis(test: &str) -> bool {
    lab_possible(test) && program(test, "redis-server").is_some()
}

#[test]
fn store_that_forgets_or_mixes_up_is_invalid() {
    if program("store_that_forgets_or_mixes_up_is_invalid", "python3").is_none() {
        return;
    }
    mistakes_are_found(&[
        ("set-http", &["lost element"]),
        ("counter-http", &["unacceptable final read"]),
        ("ids-http", &["duplicated element"]),
        ("append-http", &["not strict-serializable"]),
        ("lock-http", &["release"]),
    ]);
}

#[test]
fn redis_without_its_log_is_invalid() {
    if !redis("redis_without_its_log_is_invalid") {
        return;
    }
    mistakes_are_found(&[
        ("set-redis", &["lost element"]),
        ("counter-redis", &["unacceptable final read"]),
        ("ids-redis", &["duplicated element"]),
        ("append-redis", &["not strict-serializable"]),
        ("lock-redis", &["acquire"]),
        ("log-redis", &["inconsistent-offsets"]),
    ]);
}

#[test]
fn postgres_keeps_what_it_commits_in_order() {
    let test = "postgres_keeps_what_it_commits_in_order";
    if !lab_possible(test) || program(test, "postgres").is_none() {
        return;
    }
    if !cfg!(feature = "postgres") {
        return skip(test, "the bench is built without the feature postgres");
    }
    mistakes_are_found(&[
        ("set-postgres", &["lost element"]),
        ("counter-postgres", &["unacceptable final read"]),
        ("lock-postgres", &["acquire"]),
        ("log-postgres", &["skip"]),
    ]);
}

#[test]
fn anomalies_of_logs_are_named() {
    if program("anomalies_of_logs_are_named", "python3").is_none() {
        return;
    }
    mistakes_are_found(&[(
        "log-http",
        &[
            "lost-write: ",
            "duplicate: ",
            "int-nonmonotonic-poll: ",
            "int-poll-skip: ",
            "inconsistent-offsets: ",
        ],
    )]);
}

#[test]
fn helpers_have_every_workload_of_objects() {
    if program("helpers_have_every_workload_of_objects", "python3").is_none() {
        return;
    }
    let all = [
        ("set-http", "set", "sound,forgets"),
        ("counter-http", "counter", "sound,lost-update"),
        ("ids-http", "ids", "sound,same-ids"),
        ("lock-http", "lock", "sound,lease"),
        ("log-http", "log", "sound,skip"),
    ];
    let one = |(spec, argument, only): (&str, &str, &str)| {
        let client = format!(
            "client={{ kind = \"exec\", command = [\"python3\", \"workloads/objects/helper.py\", \"{argument}\"] }}"
        );
        let (code, said, answers) = run(spec, &["--set", &client, "--only", only]);
        let answers: Vec<&str> = answers.iter().map(|(answer, _)| answer.as_str()).collect();
        assert_eq!((code, &*answers), (Some(1), &["valid", "invalid"][..]), "{spec}: {said}");
    };
    std::thread::scope(|scope| {
        for some in all.chunks(3) {
            let running: Vec<_> = some.iter().map(|words| scope.spawn(move || one(*words))).collect();
            for run in running {
                run.join().unwrap();
            }
        }
    });
}

#[test]
fn mix_that_proves_nothing_is_refused() {
    for (spec, mix, says) in [
        ("set-http", "{ add = 1 }", "a set without reads proves nothing"),
        ("set-redis", "{ read = 1 }", "a set without adds proves nothing"),
        ("counter-http", "{ add = 1 }", "without reads proves nothing"),
        ("lock-http", "{ acquire = 1 }", "a lock without releases proves nothing"),
        ("log-http", "{ send = 1 }", "a kafka without polls proves nothing"),
    ] {
        let path = format!("workloads/objects/{spec}.toml");
        let done = output(Path::new(ROOT), &["run", &path, "--set", &format!("load.mix={mix}")]);
        assert_eq!(done.status.code(), Some(2), "{}", said(&done));
        let joined = said(&done).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(says), "{says:?} is not in: {joined}");
    }
}
