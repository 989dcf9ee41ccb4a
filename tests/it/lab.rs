//! Real runs with network = "lab": as whoever runs the tests and as a user without rights, killed at any moment, and
//! where no lab can be made.

use crate::support::{
    bench, lab_possible, lab_with_disks_possible, load_events, output, skip, stderr, stdout, wait_for_exit,
    wait_until, write_spec,
};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The variable by which every process of a test is known, wherever it has gone.
const MARK: &str = "BENCH_TEST_MARK";
/// The user id of nobody.
const USER: u32 = 54_321;
const FAULTS: &str = "[[fault]]\nkind = \"partition\"\nshape = \"one\"\nat = \"200ms\"\nfor = \"400ms\"\n\
    [[fault]]\nkind = \"flaky\"\nloss = \"5%\"\nreorder = \"5%\"\nat = \"900ms\"\nfor = \"400ms\"\n\
    [[fault]]\nkind = \"delay\"\ndelay = \"10ms\"\nat = \"1500ms\"\nfor = \"300ms\"\n\
    [[fault]]\nkind = \"kill\"\ntarget = \"n2\"\nat = \"2s\"\nfor = \"300ms\"\n";
/// All at once on five nodes.
const TOGETHER: &str = "[[fault]]\nkind = \"delay\"\ndelay = \"10ms\"\nat = \"200ms\"\nfor = \"2200ms\"\n\
    [[fault]]\nkind = \"flaky\"\nloss = \"2%\"\nat = \"300ms\"\nfor = \"2s\"\n\
    [[fault]]\nkind = \"partition\"\nshape = \"one\"\nat = \"400ms\"\nfor = \"1500ms\"\n\
    [[fault]]\nkind = \"pause\"\ntarget = \"n1\"\nat = \"500ms\"\nfor = \"1200ms\"\n\
    [[fault]]\nkind = \"kill\"\ntarget = \"n2\"\nat = \"600ms\"\nfor = \"1s\"\n\
    [[fault]]\nkind = \"power-loss\"\ntarget = \"n3\"\nat = \"700ms\"\nfor = \"1s\"\n";
/// For tests that must not fall back.
const LAB: [&str; 2] = ["--set", "cluster.network=lab"];

/// The processes that have this mark, with their part in the lab and whether they are the bench itself.
fn marked(mark: &Path) -> Vec<(u32, String, bool)> {
    let wanted = format!("{MARK}={}", mark.display());
    let read = |pid: u32, file: &str| {
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        bytes
            .split(|byte| *byte == 0)
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect::<Vec<_>>()
    };
    let pids = std::fs::read_dir("/proc").unwrap();
    pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| {
            let env = read(pid, "environ");
            env.contains(&wanted).then_some(())?;
            let part = env.iter().find_map(|pair| pair.strip_prefix("BENCH_LAB=")).unwrap_or("outer");
            Some((pid, part.to_owned(), read(pid, "cmdline").iter().any(|argument| argument == "run")))
        })
        .collect()
}

/// Interfaces and mounts as this process sees them: none of a lab may ever be among them.
fn surroundings() -> (BTreeSet<String>, String) {
    let interfaces = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    let names = interfaces.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()));
    (names.collect(), std::fs::read_to_string("/proc/self/mounts").unwrap())
}

fn start(folder: &Path, arguments: &[&str], temporary: &Path) -> Child {
    let mut command = bench(folder);
    command.args(arguments).args(LAB).env(MARK, folder).env("TMPDIR", temporary);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may have ended by itself a moment ago.
    let _ = kill_process(pid, signal);
}

/// Makes sure that a run's faults all took effect and that its verdict is valid.
fn proves_itself(out: &Path, faults: usize) {
    let table = std::fs::read_to_string(out.join("main/faults.csv")).unwrap();
    assert_eq!(table.matches(",true,").count(), faults, "{table}");
    let plan = std::fs::read_to_string(out.join("plan.json")).unwrap();
    assert!(plan.contains("\"network\": \"lab\""), "{plan}");
}

#[test]
fn lab_run_is_valid_and_faults_took_effect() {
    if !lab_possible("lab_run_is_valid_and_faults_took_effect") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "3s", FAULTS);
    let before = surroundings();
    let mut command = bench(folder.path());
    // What the spec says nothing of is `auto`, which is a lab where one can be made.
    command.args(["run", "short.toml", "--seed", "7", "--out", "out"]).env(MARK, folder.path());
    command.args(["--set", "cluster.pcap=true"]);
    let run = command.output().unwrap();
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert!(said.contains("(network lab, disk "), "{said}");
    proves_itself(&folder.path().join("out"), 4);
    let capture = std::fs::read(folder.path().join("out/main/cluster.pcapng")).unwrap();
    assert_eq!(capture[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    let said = |words: &str| capture.windows(words.len()).any(|window| window == words.as_bytes());
    assert!(said("n3") && said("clients") && said("bench: dropped") && said("ms late"));
    assert_eq!(marked(folder.path()), []);
    assert_eq!(surroundings(), before);
}

/// Runs the spec of this folder with five nodes, and makes sure that all of its six faults were in force together.
fn runs_under_six_faults_at_once(folder: &Path, mut command: Command) {
    command.args(["run", "short.toml", "--seed", "7", "--out", "out"]).args(LAB);
    command.args([
        "--set",
        "cluster.nodes=5",
        "--set",
        "cluster.disk=memory",
        "--set",
        "cluster.tcp-rto-max=1s",
    ]);
    command.env("NO_COLOR", "1").env(MARK, folder).current_dir(folder).stdin(Stdio::null());
    let run = command.output().unwrap();
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert!(said.contains("(network lab, disk memory; the lab was up in "), "{said}");
    proves_itself(&folder.join("out"), 6);
    let history = std::fs::read_to_string(folder.join("out/main/history.jsonl")).unwrap();
    let last_start = history.rfind("\"event\":\"start\"").unwrap();
    let first_end = history.find("\"event\":\"end\"").unwrap();
    assert!(last_start < first_end, "they were not in force together");
    let links = std::fs::read_to_string(folder.join("out/main/links.csv")).unwrap();
    assert_eq!(links.lines().count(), 1 + 6 * 5, "{links}");
    assert_eq!(marked(folder), []);
}

#[test]
fn six_concurrent_faults_take_effect() {
    if !lab_with_disks_possible("six_concurrent_faults_take_effect") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "3s", TOGETHER);
    runs_under_six_faults_at_once(folder.path(), bench(folder.path()));
}

#[test]
fn unprivileged_user_runs_the_same_lab() {
    let test = "unprivileged_user_runs_the_same_lab";
    if !lab_with_disks_possible(test) {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        // Not on the list: every other test here shows the same, as it runs without root.
        eprintln!("skipped {test}: only root can become another user");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path();
    let program = own.join("bench");
    std::fs::copy(env!("CARGO_BIN_EXE_bench"), &program).unwrap();
    write_spec(own, "3s", TOGETHER);
    std::fs::set_permissions(own, std::fs::Permissions::from_mode(0o755)).unwrap();
    chown(own, Some(USER), Some(USER)).unwrap();
    // On ordinary distributions everybody may open /dev/fuse; where not, this process alone sees one that is so.
    let script = "d=$(mktemp -d) && mount -t tmpfs none $d && mknod -m 666 $d/fuse c 10 229 && \
        mount --bind $d/fuse /dev/fuse && umount -l $d && rmdir $d && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh", "setpriv", "--clear-groups"]);
    command.args([format!("--reuid={USER}"), format!("--regid={USER}")]);
    command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(&program);
    runs_under_six_faults_at_once(own, command);
}

#[test]
fn killed_lab_leaves_only_a_readable_history() {
    if !lab_possible("killed_lab_leaves_only_a_readable_history") {
        return;
    }
    // More of them: BENCH_KILL_ROUNDS=50 cargo test --test it killed_at_any -- --nocapture
    let rounds = std::env::var("BENCH_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(8);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let before = surroundings();
    let mut killed = BTreeSet::new();
    let mut histories = 0;
    let mut longest = Duration::ZERO;
    for round in 0..rounds {
        let folder = tempfile::tempdir().unwrap();
        let temporary = tempfile::tempdir().unwrap();
        write_spec(folder.path(), "60s", FAULTS);
        let mut child =
            start(folder.path(), &["run", "short.toml", "--seed", "3", "--out", "out"], temporary.path());
        std::thread::sleep(Duration::from_millis(rng.random_range(0..2_500)));
        let wanted = ["outer", "init", "inside"][round % 3];
        let all = marked(folder.path());
        let victim = all.iter().find(|(_, part, bench)| part == wanted && *bench);
        killed.extend(victim.map(|_| wanted));
        signal(victim.map_or(child.id(), |(pid, _, _)| *pid), Signal::KILL);
        let began = Instant::now();
        let code = wait_for_exit(&mut child);
        assert!(code.is_none() || code == Some(4), "{wanted}: exit code {code:?}");
        wait_until("every process of the lab is gone", || marked(folder.path()).is_empty());
        longest = longest.max(began.elapsed());
        assert_eq!(surroundings(), before);
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "a folder is left");
        let history = folder.path().join("out/main/history.jsonl");
        if load_events(&history) > 10 {
            histories += 1;
            for again in [["check", history.to_str().unwrap()], ["report", "out"]] {
                let said = output(folder.path(), &again);
                assert!(matches!(said.status.code(), Some(0 | 3)), "{}{}", stdout(&said), stderr(&said));
            }
            assert!(folder.path().join("out/report.html").exists());
        }
    }
    println!("{rounds} rounds, {histories} histories; all was gone after {longest:?} at most");
    assert!(killed.len() == 3 && histories > 0, "killed {killed:?}, {histories} histories");
}

#[test]
fn interrupted_lab_heals_and_writes_results() {
    if !lab_possible("interrupted_lab_heals_and_writes_results") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "60s", "");
    let mut child =
        start(folder.path(), &["run", "short.toml", "--seed", "3", "--out", "out"], folder.path());
    let out = folder.path().join("out");
    wait_until("the load begins", || load_events(&out.join("main/history.jsonl")) > 20);
    signal(child.id(), Signal::INT);
    assert_eq!(wait_for_exit(&mut child), Some(130));
    assert!(out.join("verdict.json").exists());
    assert_eq!(marked(folder.path()), []);
}

/// Makes sure that a bench that may make no namespaces says so, falls back aloud, and refuses a lab, for this reason.
fn falls_back_aloud(folder: &Path, forbidden: impl Fn(&[&str]) -> Output, reason: &str) {
    let doctor = stdout(&forbidden(&["doctor"]));
    assert!(doctor.contains("no   lab"), "{doctor}");
    let refused = forbidden(&["run", "short.toml", LAB[0], LAB[1]]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    let said = stderr(&refused);
    assert!(said.contains(reason) && said.contains("network = \"proxy\""), "{said}");
    let run = forbidden(&["run", "short.toml", "--out", "out"]);
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert!(said.contains("no lab here") && said.contains(reason), "it falls back aloud: {said}");
    assert!(said.contains("(network proxy, disk real)"), "{said}");
    assert!(folder.join("out/verdict.json").exists());
}

#[test]
fn disabled_namespaces_fall_back_to_proxies() {
    let test = "disabled_namespaces_fall_back_to_proxies";
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && \
        exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";
    let forbidden = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["-Ur", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_bench")]).args(arguments);
        command.current_dir(folder.path()).env("NO_COLOR", "1").stdin(Stdio::null()).output()
    };
    if !forbidden(&["doctor"]).is_ok_and(|doctor| doctor.status.success()) {
        skip(test, "namespaces cannot be switched off here");
        return;
    }
    let forbidden = |arguments: &[&str]| forbidden(arguments).unwrap();
    falls_back_aloud(folder.path(), forbidden, "max_user_namespaces");
}

/// What the bench behind a filter is asked, a word a line.
const FILTERED: &str = "BENCH_TEST_FILTERED";

/// Not a test: forbids itself to make namespaces, as the filter of a container does, and becomes the bench.
#[test]
#[ignore = "started by another test as a process of its own"]
fn a_bench_behind_a_filter() {
    use seccompiler::SeccompCmpOp::MaskedEq;
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCondition, SeccompFilter, SeccompRule,
    };
    let Ok(arguments) = std::env::var(FILTERED) else { return };
    let flags = [libc::CLONE_NEWUSER, libc::CLONE_NEWPID, libc::CLONE_NEWNET, libc::CLONE_NEWNS];
    let rule = |flag: i32| {
        let flag = u64::from(flag.cast_unsigned());
        let is_set = SeccompCondition::new(0, SeccompCmpArgLen::Dword, MaskedEq(flag), flag).unwrap();
        SeccompRule::new(vec![is_set]).unwrap()
    };
    let rules: Vec<SeccompRule> = flags.into_iter().map(rule).collect();
    let namespaces = [(libc::SYS_unshare, rules.clone()), (libc::SYS_clone, rules)].into();
    // Its flags are behind a pointer that no filter can follow; with ENOSYS, libc uses the older call.
    let newer = [(libc::SYS_clone3, Vec::new())].into();
    for (rules, error) in [(namespaces, libc::EPERM), (newer, libc::ENOSYS)] {
        let error = SeccompAction::Errno(error.cast_unsigned());
        let arch = std::env::consts::ARCH.try_into().unwrap();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, error, arch).unwrap();
        let program: BpfProgram = filter.try_into().unwrap();
        seccompiler::apply_filter(&program).unwrap();
    }
    let error = Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments.lines()).exec();
    panic!("the bench did not start: {error}");
}

#[test]
fn seccomp_without_namespaces_falls_back_to_proxies() {
    let folder = tempfile::tempdir().unwrap();
    write_spec(folder.path(), "1s", "");
    let forbidden = |arguments: &[&str]| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["lab::a_bench_behind_a_filter", "--exact", "--ignored", "--nocapture"]);
        command.env(FILTERED, arguments.join("\n")).env("NO_COLOR", "1").current_dir(folder.path());
        command.stdin(Stdio::null()).output().unwrap()
    };
    falls_back_aloud(folder.path(), forbidden, "seccomp");
}
