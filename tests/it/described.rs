//! A system whose interface a spec describes: the files of `workloads/systems/README.md`, as a reader would write them.

use crate::support::{bench, output, program, stderr, stdout};
use std::path::Path;

const PAGE: &str = include_str!("../../workloads/systems/README.md");

/// The text of the block of the page that begins with the name of its file.
fn file(name: &str) -> &'static str {
    let start = PAGE.find(&format!("\n# {name}\n")).expect("the page has the file") + 1;
    let end = PAGE[start..].find("\n```").expect("a block of code has an end");
    &PAGE[start..=start + end]
}

/// The commands of the page, without the name of the program, in words.
fn commands() -> Vec<Vec<String>> {
    let blocks = PAGE.split("```sh\nbench ").skip(1).map(|rest| &rest[..rest.find("\n```").unwrap()]);
    let words = |line: &str| match line.split_once(" --set ") {
        None => line.split(' ').map(str::to_owned).collect::<Vec<_>>(),
        Some((before, set)) => {
            let mut words: Vec<_> = before.split(' ').map(str::to_owned).collect();
            words.extend(["--set".to_owned(), set.trim_matches('\'').to_owned()]);
            words
        }
    };
    blocks.map(words).collect()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["store.py", "items.toml"] {
        std::fs::write(folder.path().join(name), file(name)).unwrap();
    }
    folder
}

fn run(folder: &Path, args: &[String]) -> (Option<i32>, String) {
    let done = bench(folder).args(args).args(["--seed", "1"]).output().unwrap();
    (done.status.code(), format!("{}{}", stdout(&done), stderr(&done)))
}

#[test]
fn store_of_the_page_is_invalid_until_mended() {
    if program("store_of_the_page_is_invalid_until_mended", "python3").is_none() {
        return;
    }
    let folder = folder();
    let commands = commands();
    assert_eq!(commands.len(), 2, "the page runs the store twice");
    let (code, said) = run(folder.path(), &commands[0]);
    assert_eq!(code, Some(1), "what was acknowledged is gone: {said}");
    let (code, said) = run(folder.path(), &commands[1]);
    assert_eq!(code, Some(0), "nothing is lost with a log: {said}");
    assert!(!said.contains("warning"), "{said}");
}

/// The nodes that a rolling restart restarted, of three that take this long to start.
fn restarted(seconds: f64) -> Vec<String> {
    let folder = folder();
    let start = format!("sleep {seconds}; exec python3 store.py {{address}} {{data}}/log");
    let spec = file("items.toml")
        .replace("\"python3\"", "\"/bin/sh\"")
        .replace("[\"store.py\", \"{address}\"]", &format!("[\"-c\", \"{start}\"]"))
        .replace("nodes   = 1", "nodes   = 3")
        .replace("\"kill\"\ntarget = \"n1\"", "\"rolling-restart\"")
        .replace("\"500ms\"", "\"6s\"")
        .replace("\"4s\"", "\"9s\"");
    std::fs::write(folder.path().join("roll.toml"), spec + "[check]\nlinearizable = false\n").unwrap();
    let (_, said) = run(folder.path(), &["run", "roll.toml", "--out", "out"].map(String::from));
    let history = std::fs::read_to_string(folder.path().join("out/main/history.jsonl")).expect(&said);
    ["n1", "n2", "n3"]
        .into_iter()
        .filter(|node| history.contains(&format!("{node}: new pid")))
        .map(String::from)
        .collect()
}

#[test]
fn rolling_restart_waits_for_each_node() {
    if program("rolling_restart_waits_for_each_node", "python3").is_none() {
        return;
    }
    assert_eq!(restarted(5.0), ["n1"], "while n1 is down no other may be stopped");
    assert_eq!(restarted(0.0), ["n1", "n2", "n3"]);
}

#[test]
fn wrong_tables_are_refused_or_unknown() {
    if program("wrong_tables_are_refused_or_unknown", "python3").is_none() {
        return;
    }
    let folder = folder();
    let refused = |set: &str| {
        let done = output(folder.path(), &["run", "items.toml", "--set", set]);
        assert_eq!(done.status.code(), Some(2), "{set}: {}{}", stdout(&done), stderr(&done));
        stderr(&done)
    };
    assert!(refused("client.read.request=GET /api/items").contains("{key}"));
    assert!(refused("client.write.body=\"{key}\"").contains("{value}"));
    assert!(refused("client.write.answers.1.ok=/val").contains("it should be true"));
    assert!(refused("load.mix={ read = 1, cas = 1 }").contains("add [client.cas]"));
    assert!(refused("load.workload=bank").contains("register, kv, queue"));
    assert!(refused("cluster.api=rediss").contains("did you mean \"redis\"?"));
    assert!(refused("cluster.system=./none.toml").contains("cannot be read"));
    assert!(refused("cluster.ports.ip=80").contains("cannot be the word for a port"));
    assert!(refused("status.request=GET status").contains("a method and a path"));
    let spec = file("items.toml").replace("\"/val\"", "\"/value\"");
    std::fs::write(folder.path().join("wrong.toml"), spec).unwrap();
    let (code, said) =
        run(folder.path(), &["run", "wrong.toml", "--set", "cluster.start-within=2s"].map(String::from));
    assert_eq!(code, Some(3), "no read is ever understood: {said}");
    assert!(said.contains("[client]") && said.contains("GET /api/items/bench-probe"), "{said}");
}
