//! The three formats: well formed for any output of a system, with the same answer in each.

use super::results::line_of;
use super::{Case, CiFiles, Results, State, Suite, junit, markdown, sarif};
use report::Answer;
use serde_json::Value;

/// Possible output of a system: markup, quotes, control characters, and characters that XML forbids.
const ODD: &str = "a <b> & \"c\" 'd' ]]> \u{1b}[31m \0 \u{fffe} line\nnext\ttab | `x` é";

fn results() -> Results {
    let case = |name: &str, state| Case {
        name: name.to_owned(),
        check: name.to_owned(),
        state,
        reason: ODD.to_owned(),
        evidence: vec![ODD.to_owned()],
    };
    Results {
        name: ODD.to_owned(),
        answer: "invalid".to_owned(),
        sentence: ODD.to_owned(),
        started: Some("2026-11-23T10:00:00Z".to_owned()),
        suites: vec![Suite {
            name: "spec.main".to_owned(),
            file: "workloads/odd name#1.toml".to_owned(),
            line: 3,
            seconds: 1.5,
            cases: vec![
                case("load", State::Passed),
                case("linearizable", State::Failed),
                case("faults", State::Error(Answer::Unknown)),
                case("other", State::Skipped),
            ],
            remarks: vec![ODD.to_owned()],
        }],
        properties: vec![("seed", "7".to_owned()), ("again", ODD.to_owned())],
        figures: (vec!["variant", "ok"], vec![vec!["a|b".to_owned(), "5".to_owned()]]),
        exit: 1,
    }
}

/// The names of the elements of an XML text, in order; panics unless it is well formed.
fn elements(xml: &str) -> Vec<String> {
    let mut rest = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap();
    let (mut open, mut names) = (Vec::new(), Vec::new());
    while let Some((before, after)) = rest.split_once('<') {
        references(before);
        assert!(open.is_empty() && before.trim().is_empty() || !open.is_empty(), "text outside: {before}");
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{tag}");
            continue;
        }
        let closed = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        while !attributes.trim().is_empty() {
            let (name, after) = attributes.trim_start().split_once("=\"").unwrap();
            assert!(name.chars().all(char::is_alphanumeric), "{name}");
            let (value, after) = after.split_once('"').unwrap();
            references(value);
            assert!(!value.contains(['\n', '\t']), "a parser would change it");
            attributes = after;
        }
        names.push(name.to_owned());
        if !closed {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty());
    names
}

/// Checks that every `&` begins a reference, and that XML allows every character.
fn references(text: &str) {
    for part in text.split('&').skip(1) {
        let (name, _) = part.split_once(';').unwrap();
        let known = ["amp", "lt", "gt", "quot", "apos", "#10", "#9", "#13"];
        assert!(known.contains(&name), "{name}");
    }
    assert!(text.chars().all(|letter| letter >= ' ' || letter == '\n'), "{text:?}");
    assert!(!text.contains(['\u{fffe}', '\u{ffff}']), "{text:?}");
}

#[test]
fn junit_is_well_formed_for_any_output() {
    let xml = junit::text(&results());
    let names = elements(&xml);
    let expected = [
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "property",
        "testcase",
        "testcase",
        "failure",
        "testcase",
        "error",
        "testcase",
        "skipped",
        "system-out",
    ];
    assert_eq!(names, expected, "{xml}");
    assert!(xml.contains("tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\" time=\"1.500\""), "{xml}");
    assert!(xml.contains("timestamp=\"2026-11-23T10:00:00\""), "{xml}");
    assert!(xml.contains("\\u{0} \\u{fffe} line&#10;next&#9;tab"), "{xml}");
}

#[test]
fn sarif_has_only_broken_promises() {
    let log: Value = serde_json::from_str(&sarif::text(&results())).unwrap();
    let run = &log["runs"][0];
    let found = run["results"].as_array().unwrap();
    assert_eq!((found.len(), &found[0]["ruleId"]), (1, &"linearizable".into()));
    let index = usize::try_from(found[0]["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "linearizable");
    let location = &found[0]["locations"][0]["physicalLocation"];
    assert_eq!(location["artifactLocation"]["uri"], "workloads/odd%20name%231.toml");
    assert_eq!(location["region"]["startLine"], 3);
    assert_eq!(
        (&run["invocations"][0]["executionSuccessful"], &log["version"]),
        (&true.into(), &"2.1.0".into())
    );
}

#[test]
fn markdown_keeps_tables_and_lines_intact() {
    let text = markdown::text(&results());
    let row = text.lines().find(|line| line.starts_with("| a")).unwrap();
    assert_eq!(row, "| a\\|b | 5 |");
    assert!(text.starts_with("## a &lt;b&gt; &amp; "), "{text}");
    assert!(text.contains("**unknown** spec.main, faults: "), "{text}");
    assert!(!text.contains("**valid**"), "valid checks need no line: {text}");
    assert!(text.contains("again: `` "), "backticks stand between more backticks: {text}");
}

#[test]
fn line_of_a_variant_is_found() {
    let spec = "name = \"s\"\n[load]\n[[variant]]\nname = 'a'\n[[variant]]\nname=\"b\"\n";
    assert_eq!(["main", "a", "b"].map(|variant| line_of(spec, variant)), [1, 4, 6]);
    assert_eq!(line_of("", "main"), 1);
}

#[test]
fn summaries_of_several_commands_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = CiFiles { summary: Some(folder.path().join("summary.md")), ..CiFiles::default() };
    files.check().unwrap();
    files.write(results).unwrap();
    files.write(results).unwrap();
    let text = std::fs::read_to_string(folder.path().join("summary.md")).unwrap();
    assert_eq!(text.matches("## ").count(), 2);
    let nowhere = CiFiles { junit: Some(folder.path().join("absent/j.xml")), ..CiFiles::default() };
    assert_eq!(nowhere.check().unwrap_err().exit, crate::exit::Exit::Usage);
}
