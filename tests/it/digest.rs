//! Digests of the nodes' states, and what they make of the verdict.

use crate::support::{Run, deceiver, output, stderr, stdout};
use std::path::Path;

const DIGEST: &str = "[digest]\nrequest = \"GET /digest\"\nvalue = \"/hash\"\nposition = \"/at\"\n";

/// Runs three nodes of a sound store that answer `GET /digest`; each state is a position and a hash, none where the node answers no digest.
fn run(states: [Option<(u64, u64)>; 3], digest: &str, system: &str) -> Run {
    let set = (1..).zip(states).filter_map(|(number, state)| {
        let (at, hash) = state?;
        Some(format!(
            "[ {{number}} = {number} ] && export DECEIVER_STATE='{{{{\"at\": {at}, \"hash\": {hash}}}}}'\n"
        ))
    });
    let script = set.collect::<String>() + &deceiver::command("honest");
    let spec = format!(
        "name = \"digest\"\n[cluster]\nsystem = {system}\nprogram = \"/bin/sh\"\nargs = [\"-c\", \"\"\"{}\"\"\"]\n\
         nodes = 3\nnetwork = \"host\"\nstart-within = \"5s\"\n\
         [load]\nclients = 6\nrate = 100\nwarmup = \"300ms\"\nduration = \"1s\"\nrecovery = \"300ms\"\n\
         timeout = \"500ms\"\nkeys = 4\nminimum-rate = 1\n{digest}",
        script.replace('"', "\\\"")
    );
    Run::of(&spec)
}

impl Run {
    fn again(&self, code: i32) {
        for command in ["report", "check"] {
            let again = output(self.folder.path(), &[command, "out"]);
            assert_eq!(again.status.code(), Some(code), "{}", stderr(&again));
            assert!(stdout(&again).contains(self.sentence()), "{}", stdout(&again));
        }
    }
}

const COMMAND: &str = "\"command\"";

#[test]
fn equal_digests_are_valid() {
    let run = run([Some((8123, 17)); 3], DIGEST, COMMAND);
    assert_eq!(run.code, Some(0), "{}", run.said);
    let reason = run.check("digest").unwrap()["reason"].as_str().unwrap();
    assert!(reason.starts_with("n1, n2 and n3 have the same state at position 8123, "), "{reason}");
    assert_eq!(run.verdict["variants"][0]["digests"].as_array().unwrap().len(), 2);
    run.again(0);
}

#[test]
fn different_digests_at_one_position_are_invalid() {
    let run = run([Some((8124, 17)), Some((8123, 17)), Some((8123, 99))], DIGEST, COMMAND);
    assert_eq!(run.code, Some(1), "{}", run.said);
    let sentence = "Invalid: n2 and n3 have different states at position 8123: digests 17 and 99.";
    assert_eq!(run.sentence(), sentence);
    let page = std::fs::read_to_string(run.folder.path().join("out/report.html")).unwrap();
    assert!(page.contains("different states at position 8123") && page.contains("✗"), "{page}");
    run.again(1);
}

#[test]
fn digests_at_different_positions_are_not_compared() {
    let run = run([Some((1, 17)), Some((2, 18)), Some((3, 99))], DIGEST, COMMAND);
    assert_eq!(run.code, Some(3), "{}", run.said);
    assert!(run.sentence().contains("n3 at position 3"), "{}", run.sentence());
    run.again(3);
}

#[test]
fn one_digest_alone_is_unknown_with_names() {
    let run = run([Some((8123, 17)), None, None], DIGEST, COMMAND);
    assert_eq!(run.code, Some(3), "{}", run.said);
    let sentence = run.sentence();
    assert!(sentence.contains("n2: status 404; n3: status 404"), "{sentence}");
    assert!(run.said.contains("n3 gave no digest of its state: status 404"), "{}", run.said);
}

#[test]
fn digest_of_a_system_is_no_obligation() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.toml");
    std::fs::write(&file, DIGEST).unwrap();
    let one = run([Some((8123, 17)), None, None], "", &format!("\"{}\"", file.display()));
    assert_eq!((one.code, one.check("digest")), (Some(0), None), "{}", one.said);
    let all = run([Some((8123, 17)), Some((8123, 18)), None], "", &format!("\"{}\"", file.display()));
    assert_eq!(all.code, Some(1), "{}", all.said);
}

#[test]
fn bad_digest_is_refused_at_its_line() {
    let folder = tempfile::tempdir().unwrap();
    for (nodes, digest, line, said) in [
        (3, DIGEST.replace("\"/at\"", "\"at\""), 9, "a JSON pointer begins with /"),
        (3, DIGEST.replace("position = \"/at\"", ""), 6, "say where the position of the state is"),
        (1, DIGEST.to_owned(), 6, "digests of two nodes are compared"),
    ] {
        let spec = format!(
            "name = \"bad\"\n[cluster]\nsystem = \"command\"\nprogram = \"/bin/sh\"\nnodes = {nodes}\n\
             {digest}"
        ) + "[load]\nrate = 100\n";
        std::fs::write(folder.path().join("bad.toml"), spec).unwrap();
        let run = output(folder.path(), &["run", "bad.toml", "--out", "out"]);
        assert_eq!(run.status.code(), Some(2), "{}", stderr(&run));
        let place = format!("bad.toml:{line}:");
        assert!(stderr(&run).contains(&place) && stderr(&run).contains(said), "{}", stderr(&run));
    }
    assert!(!Path::new(&folder.path().join("out")).exists());
}
