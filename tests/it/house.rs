//! The rules of the house that a machine can keep: arrows between crates, file headers, lengths, paths in documents.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the workspace with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["src", "tests", "node", "nemesis", "workloads", "checker"].iter().map(|f| root().join(f)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    assert!(
        files.len() > 20,
        "only {} source files were found; this test looks in the wrong folder",
        files.len()
    );
    files
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<&str> = packages.iter().map(|p| p["name"].as_str().unwrap()).collect();
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("bench", &["checker", "formats", "history", "nemesis", "node", "report", "workloads"][..]),
        ("checker", &["history"]),
        ("formats", &["checker", "history"]),
        ("history", &[]),
        ("nemesis", &["history"]),
        ("node", &[]),
        ("report", &["checker", "formats", "history"]),
        ("workloads", &["history"]),
    ]);
    // The tests of the checker also read its verdicts from files of other formats.
    let only_in_tests = [("checker", "formats")];
    assert_eq!(names, allowed.keys().copied().collect(), "the members of the workspace");
    for package in packages {
        let name = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            let in_tests = dependency["kind"] == "dev" && only_in_tests.contains(&(name, to));
            assert!(
                !names.contains(to) || allowed[name].contains(&to) || in_tests,
                "{name} must not know {to}"
            );
        }
    }
}

#[test]
fn load_and_faults_need_no_plotting_library() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "-p", "nemesis", "-p", "workloads", "-e", "normal", "--prefix", "none", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout);
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains("history"), "{tree}");
    for unwanted in ["checker", "report", "plotters", "png", "csv", "ab_glyph"] {
        assert!(!names.contains(unwanted), "{unwanted} stands behind load or faults");
    }
}

#[test]
fn kinds_of_faults_are_named_in_their_family_only() {
    for (path, text) in sources() {
        let beside = path.starts_with("nemesis/src") && !path.starts_with("nemesis/src/fault");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        if !beside || path.iter().any(|part| part == "tests" || part == "tests.rs") {
            continue;
        }
        for kind in nemesis::Kind::ALL {
            assert!(!code.contains(&format!("Kind::{kind:?}")), "{} names {kind}", path.display());
        }
    }
}

#[test]
fn every_file_opens_with_its_purpose() {
    for (path, text) in sources() {
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! "), "{} opens with: {first}", path.display());
    }
}

#[test]
fn no_file_is_longer_than_six_hundred_lines() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 600, "{} has {lines} lines", path.display());
    }
}

#[test]
fn simulator_and_golden_scripts_leave_roles_to_the_core() {
    // What a shell would need for a copy of what the core does: the roles' own functions, and branches on flaws.
    let copies =
        [".handle(", ".take_up(", ".follow(", "Step::default", "Roles", "snapshot::encode", "Flaw::"];
    let mut looked_at = 0;
    for (path, text) in sources() {
        if path.starts_with("node/src/sim") || path.starts_with("node/tests/it/golden") {
            looked_at += 1;
            let copy = copies.iter().find(|copy| text.contains(*copy));
            assert_eq!(copy, None, "{} does what only node/src/core may do", path.display());
        }
    }
    assert!(looked_at > 5, "only {looked_at} files of the shells were found");
}

/// Words in backquotes that look like paths of this repository.
fn quoted_paths_in(text: &str) -> BTreeSet<String> {
    let tops =
        ["src/", "tests/", "node/", "nemesis/", "workloads/", "checker/", "results/", "Cargo.", ".ci/"];
    // Blocks of code show what a reader will have, not what is here.
    let prose: String = text.split("```").step_by(2).collect();
    let quoted: Vec<&str> = prose.split('`').skip(1).step_by(2).flat_map(str::split_whitespace).collect();
    quoted
        .into_iter()
        .filter(|path| tops.iter().any(|top| path.starts_with(top)))
        .filter(|path| !path.contains(['<', '*', '…', '{', '#']) && !path.starts_with("results/latest"))
        .map(|path| path.trim_end_matches([',', '.', ':', ';']).to_owned())
        .collect()
}

/// Every Markdown document of the repository, by its path from the root.
fn documents() -> Vec<PathBuf> {
    let folders = ["", "results", "src", "tests", "node", "nemesis", "workloads", "checker", ".ci"];
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(root().join(&folder)) else { continue };
        for entry in entries.map(Result::unwrap) {
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir()
                && !folder.as_os_str().is_empty()
                && !path.starts_with("results")
            {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The targets of links that are files, from the folder of the document.
fn links_in(text: &str) -> BTreeSet<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains(':')).map(str::to_owned).collect()
}

#[test]
fn every_path_that_a_document_names_exists() {
    let documents = documents();
    assert!(documents.len() > 5, "only {documents:?} were found");
    for name in documents {
        let text = std::fs::read_to_string(root().join(&name)).unwrap();
        let folder = root().join(name.parent().unwrap());
        for link in links_in(&text) {
            assert!(folder.join(&link).exists(), "{} links to {link}, which is not there", name.display());
        }
        if name.file_name().is_some_and(|name| name == "CHANGELOG.md") {
            continue;
        }
        for path in quoted_paths_in(&text) {
            let here = root().join(&path).exists() || folder.join(&path).exists();
            assert!(here, "{} names {path}, which is not there", name.display());
        }
    }
}

/// Rows of tables that have more or fewer cells than their header, by line.
fn uneven_rows_in(text: &str) -> Vec<usize> {
    let mut uneven = Vec::new();
    let mut header = None;
    let mut code = false;
    for (number, line) in (1..).zip(text.lines()) {
        code ^= line.starts_with("```");
        if code || !line.starts_with('|') {
            header = None;
            continue;
        }
        // A bar in backquotes or behind a backslash is part of its cell.
        let bare: String = line.replace("\\|", "").split('`').step_by(2).collect();
        let cells = bare.matches('|').count();
        if *header.get_or_insert(cells) != cells {
            uneven.push(number);
        }
    }
    uneven
}

#[test]
fn tables_in_documents_have_even_rows() {
    for name in documents() {
        let text = std::fs::read_to_string(root().join(&name)).unwrap();
        let uneven = uneven_rows_in(&text);
        assert!(uneven.is_empty(), "{}, lines {uneven:?}: cells unlike those of the header", name.display());
        assert!(!text.contains("TODO"), "{} leaves something to do", name.display());
    }
}

#[test]
fn search_for_uneven_rows_finds_them() {
    let text = "| a | b |\n|---|---|\n| `x|y` | 2 |\n| 1 | 2 | 3 |\n| a \\| b | 2 |\n| 1 |\n";
    assert_eq!(uneven_rows_in(text), [4, 6]);
}

#[test]
fn workloads_page_lists_every_spec() {
    let page = std::fs::read_to_string(root().join("workloads/README.md")).unwrap();
    let listed = links_in(&page);
    for folder in ["", "flaws/"] {
        for entry in std::fs::read_dir(root().join("workloads").join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if Path::new(&name).extension().is_some_and(|it| it == "toml") && name != "Cargo.toml" {
                assert!(listed.contains(&format!("{folder}{name}")), "{folder}{name}");
            }
        }
    }
}

#[test]
fn search_for_paths_finds_them() {
    let text = "see `cargo run -- run workloads/smoke.toml` and [a picture](results/sample/latency.png), \
                `results/<spec>/`\n```\n`results/mine`\n```\n";
    assert_eq!(quoted_paths_in(text).into_iter().collect::<Vec<_>>(), ["workloads/smoke.toml"]);
    assert_eq!(links_in(text).into_iter().collect::<Vec<_>>(), ["results/sample/latency.png"]);
}
