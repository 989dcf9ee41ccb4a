//! Queues: those of `workloads/systems/README.md`, and such as lose, repeat or withhold elements.

use crate::support::{bench, lab_with_disks_possible, output, program, stderr, stdout};
use std::path::Path;
use std::process::Output;

const PAGE: &str = include_str!("../../workloads/systems/README.md");
/// With this the queue of the page keeps what it acknowledged.
const MENDED: &str = "cluster.args=[\"jobs.py\", \"{address}\", \"{data}/log\"]";

/// The text of the block of the page that begins with the name of its file.
fn block(name: &str) -> &'static str {
    let start = PAGE.find(&format!("\n# {name}")).expect("the page has the file") + 1;
    let end = PAGE[start..].find("\n```").expect("a block of code has an end");
    &PAGE[start..=start + end]
}

/// Runs the spec of the page with this queue.
fn run(queue: &str, sets: &[&str]) -> (tempfile::TempDir, Output) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("jobs.py", queue), ("jobs.toml", block("jobs.toml"))] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let run = ["run", "jobs.toml", "--seed", "1", "--out", "out"];
    let done = bench(folder.path()).env("COLUMNS", "80").args(run).args(sets).output().unwrap();
    (folder, done)
}

/// What a run said, without line breaks.
fn said(output: &Output) -> String {
    let text = format!("{}{}", stdout(output), stderr(output));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the kill met a dequeue that was carried out and not answered: what it took is missing, which proves nothing.
fn is_undecided(text: &str) -> bool {
    text.contains("of unknown outcome may have taken")
}

/// Asserts the exit code of a run of this queue, and words of what it says.
#[track_caller]
fn assert_ends(queue: &str, sets: &[&str], code: i32, words: &[&str]) {
    let (_folder, done) = run(queue, sets);
    let text = said(&done);
    if code == 0 && done.status.code() == Some(3) && is_undecided(&text) {
        return;
    }
    assert_eq!(done.status.code(), Some(code), "{sets:?}: {text}");
    for words in words {
        assert!(text.contains(words), "{words:?} is not in: {text}");
    }
}

#[test]
fn queue_of_the_page_is_invalid_until_mended() {
    if program("queue_of_the_page_is_invalid_until_mended", "python3").is_none() {
        return;
    }
    let queue = block("jobs.py");
    std::thread::scope(|scope| {
        scope.spawn(|| assert_ends(queue, &[], 1, &["Invalid: ", " lost element"]));
        let drained = "until every node reported empty queues";
        scope.spawn(|| assert_ends(queue, &[MENDED], 0, &["Valid: ", drained]));
        let first_out = ["Valid: ", "The promise was linearizable."];
        scope.spawn(move || assert_ends(queue, &[MENDED, "check.promise=linearizable"], 0, &first_out));
    });
}

/// The queue of the page, which does this before it takes an element out.
fn changed(trouble: &str) -> String {
    let line = "        element = change(self.path.split(\"/\")[2])\n";
    let queue = block("jobs.py");
    assert!(queue.contains(line));
    let queue = queue.replace(line, &format!("{trouble}\n{line}"));
    queue.replace("# jobs.py\n", "import time\nlast, count, silent = 0, 0, False\n")
}

#[test]
fn queue_that_is_never_drained_is_unknown() {
    if program("queue_that_is_never_drained_is_unknown", "python3").is_none() {
        return;
    }
    // Only before the final phase nothing is asked for so long, on a busy machine too.
    let silent = changed(
        "        global last, count, silent\n        now, count = time.monotonic(), count + 1\n        \
         silent, last = silent or (count > 100 and now - last > 2.5), now\n        while silent: time.sleep(1)",
    );
    let words = ["Unknown: ", "each queue is empty", "not drained: k", "through n1"];
    let waits = ["load.timeout=300ms", "load.quiet=4s"];
    assert_ends(&silent, &[MENDED, waits[0], waits[1]], 3, &words);
    // The same is not invalid where elements were lost besides.
    assert_ends(&silent, &waits, 3, &["Unknown: "]);
}

#[test]
fn repeated_elements_break_exactly_once_only() {
    if program("repeated_elements_break_exactly_once_only", "python3").is_none() {
        return;
    }
    let again = "        first = queues[name][0]\n        if first % 20 == 0 and first not in seen:\n            \
                 seen.add(first)\n            queues[name].append(first)\n        return queues[name].popleft()";
    let queue = block("jobs.py").replace("        return queues[name].popleft()", again);
    let queue = &queue.replace("queues, lock =", "seen = set()\nqueues, lock =");
    std::thread::scope(|scope| {
        let repeated = ["Valid: ", "The promise was at-least-once; allowed by the promise: ", " duplicates."];
        scope.spawn(move || assert_ends(queue, &[MENDED], 0, &repeated));
        let once = [MENDED, "check.promise=exactly-once"];
        let words = ["Invalid: ", "duplicated element", "The promise was exactly-once."];
        scope.spawn(move || assert_ends(queue, &once, 1, &words));
    });
}

#[test]
fn request_without_its_queue_is_never_invalid() {
    if program("request_without_its_queue_is_never_invalid", "python3").is_none() {
        return;
    }
    let queue = block("jobs.py").replace("self.path.split(\"/\")[2]", "\"the only one\"");
    std::thread::scope(|scope| {
        // The server does not look at the name.
        scope.spawn(|| assert_ends(&queue, &[MENDED], 3, &["Unknown: ", "was put into k"]));
        // It has one queue, and nobody says that there are more.
        let one = [
            MENDED,
            "load.keys=1",
            "client.enqueue.request=POST /queues/all",
            "client.dequeue.request=DELETE /queues/all/first",
        ];
        scope.spawn(move || assert_ends(block("jobs.py"), &one, 0, &["Valid: "]));
    });
}

#[test]
fn loads_that_prove_nothing_are_refused() {
    let queue = block("jobs.py");
    for (set, words) in [
        ("load.mix={ dequeue = 1 }", "add enqueue"),
        ("load.unique-values=false", "must tell its writes apart"),
        ("check.unobserved=1%", "queues are drained"),
        ("check.promise=serializable", "it could be at-least-once, exactly-once or linearizable"),
        ("client.enqueue.request=POST /queues/all", "or use load.keys = 1"),
        ("client.dequeue.answers=[{ ok = true }]", "a dequeue finds a value"),
        ("client.enqueue.body=x", "put {value} into it"),
    ] {
        assert_ends(queue, &[set], 2, &[words]);
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.toml"), "name = \"own\"\n[load]\nworkload = \"queue\"\n").unwrap();
    let done = output(folder.path(), &["run", "own.toml"]);
    assert_eq!(done.status.code(), Some(2), "{}", said(&done));
    assert!(said(&done).contains("the bench's own interface has no queues"), "{}", said(&done));
}

#[test]
fn lists_of_redis_keep_elements_only_with_always() {
    let test = "lists_of_redis_keep_elements_only_with_always";
    if !lab_with_disks_possible(test) || program(test, "redis-server").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    let spec = "workloads/known/redis-queue.toml";
    let run = output(Path::new(env!("CARGO_MANIFEST_DIR")), &["run", spec, "--seed", "1", "--out", &out]);
    assert_eq!(run.status.code(), Some(1), "{}", said(&run));
    let verdict = std::fs::read(folder.path().join("out/verdict.json")).unwrap();
    let verdict: serde_json::Value = serde_json::from_slice(&verdict).unwrap();
    let [every_second, always] = [0, 1].map(|variant| verdict["variants"][variant]["answer"].as_str());
    assert_eq!(every_second, Some("invalid"), "{}", said(&run));
    assert!(always == Some("valid") || is_undecided(&verdict.to_string()), "{}", said(&run));
}
