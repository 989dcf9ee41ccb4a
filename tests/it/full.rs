//! Results that cannot be written: a disk that is full in mid-run, folders that take nothing, and odd paths.

use crate::support::{bench, lab_with_disks_possible, output, skip, stderr, stdout, write_spec};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

/// A shell in a mount namespace of its own; none where that is forbidden.
fn with_mounts(test: &str, script: &str) -> Option<std::process::Output> {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "60s", "");
    std::fs::create_dir(folder.path().join("disk")).unwrap();
    let run = |flags: &[&str], script: &str| {
        let mut shell = Command::new("unshare");
        shell.args(flags).args(["sh", "-c", script]).current_dir(folder.path()).stdin(Stdio::null());
        shell.env("BENCH", env!("CARGO_BIN_EXE_bench")).env("NO_COLOR", "1").output()
    };
    for flags in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
        if run(flags, "mount -t tmpfs none disk").is_ok_and(|tried| tried.status.success()) {
            return Some(run(flags, script).unwrap());
        }
    }
    skip(test, "nothing can be mounted, not even in a namespace of its own");
    None
}

#[test]
fn a_full_disk_ends_the_run_at_once() {
    let test = "a_full_disk_ends_the_run_at_once";
    if !lab_with_disks_possible(test) {
        return;
    }
    let script = "mount -t tmpfs -o size=600k none disk; \"$BENCH\" run short.toml --seed 1 --out disk/out \
                  --set load.rate=1000 --set cluster.network=lab --set cluster.disk=memory; echo run $?; \
                  \"$BENCH\" check disk/out; echo check $?; mount -o remount,ro disk; \"$BENCH\" check disk/out; \
                  echo read-only $?";
    let Some(said) = with_mounts(test, script) else { return };
    let said = format!("{}{}", stdout(&said), stderr(&said));
    for line in ["run 4\n", "check 4\n", "read-only 4\n"] {
        assert!(said.contains(line), "{said}");
    }
    assert!(said.matches("the history is cut since ").count() >= 3, "{said}");
}

#[test]
fn a_read_only_folder_is_wrong_usage() {
    let test = "a_read_only_folder_is_wrong_usage";
    let script = "mount -t tmpfs -o ro,size=1m none disk; cd disk; for out in new .; do \"$BENCH\" run ../short.toml \
                  --out $out; echo out $?; done; \"$BENCH\" run ../short.toml; echo default $?; \"$BENCH\" up \
                  ../short.toml; echo up $?; ls -A";
    let Some(said) = with_mounts(test, script) else { return };
    assert_eq!(stdout(&said).lines().collect::<Vec<_>>(), ["out 2", "out 2", "default 2", "up 2"]);
    assert_eq!(stderr(&said).matches("no results can be written there").count(), 4, "{}", stderr(&said));
}

#[test]
fn odd_paths_are_refused_or_work() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let odd = OsStr::from_bytes(b"odd-\xff");
    let inside = folder.path().join(odd);
    for arguments in [["run", "short.toml"], ["up", "short.toml"], ["sweep", "short.toml"]] {
        let mut run = bench(folder.path());
        let run = run.args(arguments).arg("--out").arg(odd).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {}", stderr(&run));
    }
    assert!(!inside.exists());
    std::fs::create_dir(&inside).unwrap();
    let run = output(&inside, &["run", "../short.toml"]);
    assert_eq!(run.status.code(), Some(2), "{}", stderr(&run));
    assert!(stderr(&run).contains("not UTF-8") && stderr(&run).contains("--out"), "{}", stderr(&run));
    let header = "{\"history\":1,\"spec\":\"t\",\"variant\":\"main\",\"model\":\"register\",\"seed\":1,\"started\":\"\"}\n";
    std::fs::write(inside.join("history.jsonl"), header).unwrap();
    for more in [&[][..], &["--json"]] {
        let check = bench(folder.path()).arg("check").arg(odd).args(more).output().unwrap();
        assert_eq!(check.status.code(), Some(3), "{}", stderr(&check));
    }
    for command in ["status", "down", "report", "check"] {
        let asked = bench(folder.path()).arg(command).arg(inside.join(odd)).output().unwrap();
        assert_eq!(asked.status.code(), Some(2), "{command}: {}", stderr(&asked));
    }
}
