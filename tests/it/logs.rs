//! What the nodes write into their logs, and what it makes of the verdict.

use crate::support::{Run, deceiver, lab_with_disks_possible, output, stderr, stdout};
use serde_json::Value;
use std::path::Path;

/// Runs three nodes of a sound store; `script` comes before the store, `cluster` and `check` into their sections, `more` behind them.
fn run(script: &str, cluster: &str, check: &str, more: &str) -> Run {
    let program = deceiver::command("honest");
    let spec = format!(
        "name = \"logs\"\n[cluster]\nsystem = \"command\"\nprogram = \"/bin/sh\"\nargs = [\"-c\", '''{script}\n{program}''']\n\
         nodes = 3\nstart-within = \"5s\"\n{cluster}\n\
         [load]\nclients = 6\nrate = 100\nwarmup = \"300ms\"\nduration = \"2500ms\"\nrecovery = \"500ms\"\n\
         timeout = \"500ms\"\nkeys = 4\nminimum-rate = 1\n[check]\n{check}\n{more}"
    );
    Run::of(&spec)
}

impl Run {
    /// How many lines matched each pattern, in the order of the spec.
    fn counts(&self) -> Vec<u64> {
        let patterns =
            self.verdict["variants"][0]["logs"].as_array().unwrap_or_else(|| panic!("{}", self.said));
        patterns.iter().map(|pattern| pattern["count"].as_u64().unwrap()).collect()
    }

    fn file(&self, name: &str) -> String {
        let path = self.folder.path().join("out").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

const HOST: &str = "network = \"host\"";

#[test]
fn forbidden_line_is_invalid_with_its_time() {
    let script = "(sleep 1.5; [ {number} = 2 ] && printf pan && sleep 0.4 && echo \"ic: x {name}\") &";
    let run = run(script, HOST, "never = [\"fatal\", \"^panic: x n2$\"]\nsometimes = [\"panic\"]", "");
    assert_eq!(run.code, Some(1), "{}", run.said);
    let said = "wrote \"panic: x n2\" into output.log, which never = \"^panic: x n2$\" forbids";
    assert!(run.said.contains(said), "{}", run.said);
    let sentence = run.sentence();
    assert!(sentence.starts_with("Invalid: n2 wrote \"panic: x n2\" into output.log "), "{sentence}");
    assert!(sentence.contains("s after the load began"), "{sentence}");
    assert_eq!(run.counts(), [0, 1, 1]);
    let line = &run.verdict["variants"][0]["logs"][1]["lines"][0];
    let seconds = line["time_ns"].as_u64().unwrap() as f64 / 1e9;
    assert!((1.8..4.0).contains(&seconds), "{line}");
    assert!(run.file("report.html").contains("panic: x n2"));
    // The history alone gives the same verdict again.
    std::fs::remove_dir_all(run.folder.path().join("out/main/nodes")).unwrap();
    for again in ["report", "check"] {
        let again = output(run.folder.path(), &[again, "out"]);
        assert_eq!(again.status.code(), Some(1), "{}", stderr(&again));
        assert!(stdout(&again).contains(sentence), "{sentence}\n{}", stdout(&again));
    }
    let verdict: Value = serde_json::from_str(&run.file("verdict.json")).unwrap();
    assert_eq!(verdict["variants"][0]["logs"], run.verdict["variants"][0]["logs"]);
}

#[test]
fn pattern_that_no_line_matches_is_unknown() {
    let run = run("echo elected leader", HOST, "sometimes = [\"elected leader\", \"snapshot sent\"]", "");
    assert_eq!(run.code, Some(3), "{}", run.said);
    let sentence = run.sentence();
    assert!(sentence.contains("a line of the logs matches \"snapshot sent\", seen 0 of 1"), "{sentence}");
    assert_eq!(run.counts(), [3, 0]);
    let again = output(run.folder.path(), &["check", "out"]);
    assert_eq!(again.status.code(), Some(3), "{}", stdout(&again));
}

#[test]
fn restarts_binary_bytes_and_long_lines_are_searched() {
    let script = "printf '\\377\\376\\000 elected \\033[1mleader\\033[0m\\n'; head -c 1000000 /dev/zero | tr '\\000' x; \
                  echo snapshot sent";
    let check = "never = [\"panic\"]\nsometimes = [\"elected leader\", \"xxsnapshot sent$\"]";
    let kill = "[[fault]]\nkind = \"kill\"\ntarget = \"n1\"\nat = \"700ms\"\nfor = \"600ms\"\n";
    let run = run(script, HOST, check, kill);
    assert_eq!(run.code, Some(0), "{}", run.said);
    assert_eq!(run.counts(), [0, 4, 4]);
    let checks = run.verdict["variants"][0]["checks"].as_array().unwrap();
    let logs = checks.iter().find(|check| check["name"] == "logs").unwrap();
    assert_eq!(logs["answer"], "valid");
}

#[test]
fn rotated_log_file_is_searched_and_copied() {
    let script = "log={data}/server.log; (echo elected leader > $log; sleep 1; echo \"last of the first\" >> $log; \
                  mv $log $log.1; echo \"fatal error in the second, a line that is long\" > $log; sleep 0.7; \
                  echo \"short, data race\" > $log) &";
    let cluster = format!("{HOST}\nlogs = [\"{{data}}/server.log\", \"{{data}}/none.log\"]");
    let check = "never = [\"fatal error\", \"data (race|loss)\"]\nsometimes = [\"elected leader\", \"last of the first\"]";
    let run = run(script, &cluster, check, "");
    assert_eq!(run.code, Some(1), "{}", run.said);
    assert_eq!(run.counts(), [3, 3, 3, 3]);
    assert_eq!(run.verdict["variants"][0]["logs"][0]["lines"][0]["file"], "data/server.log");
    assert_eq!(run.file("main/nodes/n3/logs/server.log"), "short, data race\n");
    assert!(!run.folder.path().join("out/main/nodes/n3/logs/none.log").exists());
    assert_eq!(run.verdict["warnings"][0]["name"], "absent-log", "{}", run.verdict["warnings"]);
}

#[test]
fn log_on_disk_in_memory_survives_a_power_loss() {
    if !lab_with_disks_possible("log_on_disk_in_memory_survives_a_power_loss") {
        return;
    }
    let script = "echo \"started {name}\" >> {data}/server.log; [ -e {data}/before ] && echo back again >> {data}/server.log; \
                  touch {data}/before; sync {data}/before {data}; \
                  (sleep 1; head -c 5000 /dev/zero | tr '\\000' y >> {data}/server.log) &";
    let cluster = "network = \"lab\"\ndisk = \"memory\"\nlogs = [\"{data}/server.log\"]";
    let power = "[[fault]]\nkind = \"power-loss\"\ntarget = \"n1\"\nat = \"1s\"\nfor = \"500ms\"\n";
    let run =
        run(script, cluster, "sometimes = [\"started n[123]\", \"back again\"]\nnever = [\"panic\"]", power);
    assert_eq!(run.code, Some(0), "{}", run.said);
    assert!(run.file("main/nodes/n1/logs/server.log").contains("back again"), "{}", run.said);
}

#[test]
fn bench_s_own_store_has_logs_too() {
    let folder = tempfile::tempdir().unwrap();
    crate::support::write_spec(
        folder.path(),
        "1s",
        "[check]\nnever = [\"error\"]\nsometimes = [\"^listening on [0-9.:]+$\"]\n",
    );
    let run = output(folder.path(), &["run", "short.toml", "--out", "out"]);
    assert_eq!(run.status.code(), Some(0), "{}{}", stdout(&run), stderr(&run));
}

#[test]
fn bad_patterns_and_files_are_refused_at_their_line() {
    let folder = tempfile::tempdir().unwrap();
    for (section, bad, said) in [
        ("check", "never = [\"fine\", \"data (race\"]", "not a regular expression"),
        ("check", "sometimes = [\"\"]", "the pattern is empty"),
        ("cluster", "logs = [\"{dat}/server.log\"]", "there is no {dat}"),
        ("cluster", "logs = [\"/var/log/server.log\"]", "all nodes would have the same file"),
    ] {
        let spec = format!("name = \"bad\"\n[load]\nrate = 100\n[{section}]\n{bad}\n");
        std::fs::write(folder.path().join("bad.toml"), spec).unwrap();
        let run = output(folder.path(), &["run", "bad.toml", "--out", "out"]);
        assert_eq!(run.status.code(), Some(2), "{bad}: {}", stderr(&run));
        assert!(stderr(&run).contains("bad.toml:5:") && stderr(&run).contains(said), "{}", stderr(&run));
    }
    assert!(!Path::new(&folder.path().join("out")).exists());
}
