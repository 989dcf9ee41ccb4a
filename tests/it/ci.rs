//! Files for other programs, from the command line, and that a pipe gets plain lines.

use crate::support::{bench, output, stderr, stdout, write_spec};
use serde_json::Value;
use std::path::Path;

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

const FILES: [&str; 6] = ["--junit", "j.xml", "--summary", "s.md", "--sarif", "s.json"];

#[test]
fn a_run_leaves_the_files_that_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1500ms", "");
    let run = bench(folder.path())
        .args(["run", "short.toml", "--seed", "3", "--out", "out"])
        .args(FILES)
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let said = stdout(&run);
    assert!(!said.contains(['\u{1b}', '\r']), "a pipe gets plain lines: {said:?}");
    let xml = read(folder.path(), "j.xml");
    assert!(xml.contains("<testcase name=\"linearizable\" classname=\"short.main\" time=\"0\"/>"), "{xml}");
    assert!(xml.contains("failures=\"0\" errors=\"0\""), "{xml}");
    assert!(read(folder.path(), "s.md").starts_with("## short: valid\n"));
    let sarif: Value = serde_json::from_str(&read(folder.path(), "s.json")).unwrap();
    assert_eq!(sarif["runs"][0]["results"], serde_json::json!([]));

    for (format, first) in [("chrome-trace", "traceEvents"), ("otlp-json", "resourceSpans")] {
        let exported = output(folder.path(), &["export", "out", "--to", format]);
        assert_eq!(exported.status.code(), Some(0), "{}", stderr(&exported));
        let trace: Value = serde_json::from_slice(&exported.stdout).unwrap();
        assert!(!trace[first].as_array().unwrap().is_empty());
    }
    let variant = output(folder.path(), &["export", "out/main", "t.json", "--to", "chrome-trace"]);
    assert_eq!(variant.status.code(), Some(0), "{}", stderr(&variant));
    assert!(read(folder.path(), "t.json").contains("\"ph\":\"X\""));
}

#[test]
fn a_broken_promise_names_the_spec() {
    let folder = tempfile::tempdir().unwrap();
    let history = concat!(
        r#"{"history":1,"spec":"t","variant":"main","model":"register","seed":1,"started":"2026-11-23T10:00:00Z"}"#,
        "\n",
        r#"{"time":1,"process":0,"type":"invoke","f":"write","key":"k1","value":17}"#,
        "\n",
        r#"{"time":2,"process":0,"type":"ok","f":"write","key":"k1","value":17}"#,
        "\n",
        r#"{"time":3,"process":1,"type":"invoke","f":"read","key":"k1"}"#,
        "\n",
        r#"{"time":4,"process":1,"type":"ok","f":"read","key":"k1","value":null}"#,
        "\n"
    );
    std::fs::write(folder.path().join("lost.jsonl"), history).unwrap();
    std::fs::write(folder.path().join("odd.jsonl"), "nothing").unwrap();
    let checked =
        bench(folder.path()).args(["check", "lost.jsonl", "odd.jsonl"]).args(FILES).output().unwrap();
    assert_eq!(checked.status.code(), Some(2), "{}", stderr(&checked));
    let xml = read(folder.path(), "j.xml");
    assert!(xml.contains("failures=\"1\" errors=\"1\"") && xml.contains("type=\"invalid\""), "{xml}");
    let sarif: Value = serde_json::from_str(&read(folder.path(), "s.json")).unwrap();
    let found = &sarif["runs"][0]["results"];
    assert_eq!((found.as_array().unwrap().len(), &found[0]["ruleId"]), (1, &"linearizable".into()));
    let location = &found[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(location, "lost.jsonl");
}

#[test]
fn files_that_cannot_be_written_are_refused_first() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    for arguments in [
        &["run", "short.toml", "--junit", "absent/j.xml"][..],
        &["sweep", "short.toml", "--over", "load.keys=1,2", "--sarif", "absent/s.json"],
        &["nemesis", "--kill-leader", "--summary", "absent/s.md"],
    ] {
        let refused = output(folder.path(), arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {}", stderr(&refused));
        assert!(stderr(&refused).contains("its folder does not exist"), "{}", stderr(&refused));
        assert!(!folder.path().join("results").exists(), "{arguments:?} started something");
    }
}
