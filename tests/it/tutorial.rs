//! The tutorial of workloads/README.md: each command ends as it says.

use crate::support::bench;
use std::path::Path;

/// The commands between these headings, each with the exit code that stands behind it.
fn commands(text: &str) -> Vec<(Vec<String>, i32)> {
    let (_, after) = text.split_once("## Find a planted flaw").unwrap();
    let (part, _) = after.split_once("\n## ").unwrap();
    let lines = part.lines().filter_map(|line| line.trim().strip_prefix("bench "));
    lines
        .map(|line| {
            let (command, comment) = line.split_once("# exit code ").unwrap();
            let code = comment.split(':').next().unwrap().trim().parse().unwrap();
            (command.split_whitespace().map(str::to_owned).collect(), code)
        })
        .collect()
}

#[test]
fn the_tutorial_finds_the_planted_flaw() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/README.md");
    let commands = commands(&std::fs::read_to_string(readme).unwrap());
    assert_eq!(commands.len(), 5);
    let folder = tempfile::tempdir().unwrap();
    for (words, code) in commands {
        let run = bench(folder.path()).args(&words).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert_eq!(run.status.code(), Some(code), "bench {}: {said}", words.join(" "));
    }
    let sarif = std::fs::read_to_string(folder.path().join("bench.sarif")).unwrap();
    assert!(sarif.contains("\"ruleId\": \"linearizable\""), "{sarif}");
    assert!(folder.path().join("flawed/report.html").exists());
}
