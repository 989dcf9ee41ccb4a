//! `bench known`: what is known of a system, beside what the bench finds.

use crate::support::{deceiver, output, stderr, stdout};
use std::path::Path;

/// Writes a spec of three nodes that behave in this way, with a section `[known]`.
fn write(folder: &Path, name: &str, deceit: &str, known: &str) {
    let program = deceiver::command(deceit);
    let spec = format!(
        "name = \"{name}\"\n[cluster]\nsystem = \"command\"\nprogram = \"/bin/sh\"\nargs = [\"-c\", '''{program}''']\n\
         version = [\"echo\", \"store version 1.2.3\"]\nnodes = 3\nnetwork = \"host\"\nstart-within = \"3s\"\n\
         [load]\nclients = 6\nrate = 100\nwarmup = \"300ms\"\nduration = \"1s\"\nrecovery = \"500ms\"\n\
         timeout = \"500ms\"\nkeys = 4\nminimum-rate = 1\n{known}"
    );
    std::fs::write(folder.join(name).with_extension("toml"), spec).unwrap();
}

const KNOWN: &str = "[known]\nsystem = \"Store\"\nexpect = \"valid\"\nsource = \"its manual\"\n";

#[test]
fn verdicts_are_compared_with_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "sound", "honest", KNOWN);
    write(folder.path(), "wrong", "honest", &KNOWN.replace("\"valid\"", "\"invalid\""));
    let missing = KNOWN.to_owned() + "[[variant]]\nname = \"a\"\nset.cluster.program = \"no-such-program\"\n";
    write(folder.path(), "missing", "honest", &missing);
    let run = |specs: &[&str]| {
        let table = ["--table", "table.md"];
        output(folder.path(), &[&["known"], specs, &table].concat())
    };
    let sound = run(&["sound.toml", "missing.toml"]);
    assert_eq!(sound.status.code(), Some(0), "{}{}", stdout(&sound), stderr(&sound));
    assert!(stdout(&sound).contains("1 of 1 as expected; 1 not run"), "{}", stdout(&sound));
    let table = std::fs::read_to_string(folder.path().join("table.md")).unwrap();
    assert!(table.contains("| sound | Store 1.2.3 | linearizable | valid | valid |"), "{table}");
    assert!(table.contains("not run: there is no `no-such-program` in PATH"), "{table}");
    let wrong = run(&["wrong.toml"]);
    assert_eq!(wrong.status.code(), Some(1), "{}{}", stdout(&wrong), stderr(&wrong));
    assert!(stdout(&wrong).contains("valid, expected invalid"), "{}", stdout(&wrong));
    assert_eq!(run(&["missing.toml"]).status.code(), Some(3), "nothing ran");
}

#[test]
fn failed_set_up_is_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "broken", "honest", KNOWN);
    let path = folder.path().join("broken.toml");
    let spec = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, spec.replace("nodes = 3", "nodes = 3\nsetup = [\"false\"]")).unwrap();
    let broken = output(folder.path(), &["known", "broken.toml"]);
    assert_eq!(broken.status.code(), Some(3), "{}{}", stdout(&broken), stderr(&broken));
    assert!(stdout(&broken).contains("not run: cluster.setup: it did not succeed"), "{}", stdout(&broken));
}

#[test]
fn wrong_expectations_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |known: &str| {
        write(folder.path(), "spec", "honest", known);
        let done = output(folder.path(), &["known", "spec.toml"]);
        assert_eq!(done.status.code(), Some(2), "{}{}", stdout(&done), stderr(&done));
        stderr(&done)
    };
    assert!(refused("").contains("does not say which outcome is known"));
    assert!(refused(&KNOWN.replace("\"valid\"", "\"vaild\"")).contains("[known]"));
    let each = "expect = { main = \"valid\", other = \"invalid\" }";
    assert!(refused(&KNOWN.replace("expect = \"valid\"", each)).contains("names \"other\""));
    let each = "expect = { other = \"invalid\" }";
    assert!(refused(&KNOWN.replace("expect = \"valid\"", each)).contains("of the variant \"main\""));
}
