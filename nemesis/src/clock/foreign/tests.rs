//! Shifted clocks of real programs that report the time they read.

use super::kernel;
use crate::clock::{ClockFault, NodeClock, ProcessClock, true_ns};
use crate::process::Roots;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const HOUR: i64 = 3_600_000_000_000;
const MINUTE: i64 = HOUR / 60;

/// Arguments that start this test program as the teller.
const TELLER: [&str; 4] = ["clock::foreign::tests::teller", "--exact", "--ignored", "--nocapture"];

/// Not a test: a program that prints its clocks per line of input, from a second thread.
#[test]
#[ignore = "started by other tests as a process of its own"]
fn teller() {
    if std::env::var_os("TELLER").is_none() {
        return;
    }
    let began = Instant::now();
    let teller = std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            if line.unwrap() == "sleep" {
                std::thread::sleep(Duration::from_millis(300));
            }
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
            println!("\n#{wall} {}", began.elapsed().as_nanos());
        }
    });
    teller.join().unwrap();
}

/// A process that reports its clocks.
struct Teller {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Teller {
    fn start(program: &mut Command) -> Self {
        let mut child =
            program.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout }
    }

    fn new() -> Self {
        let mut program = Command::new(std::env::current_exe().unwrap());
        let mut teller = Self::start(program.args(TELLER).env("TELLER", "1"));
        teller.ask();
        teller
    }

    /// Its wall clock and monotonic clock, in nanoseconds.
    fn ask(&mut self) -> (i64, i64) {
        writeln!(self.stdin).unwrap();
        self.hear()
    }

    fn hear(&mut self) -> (i64, i64) {
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "it has ended");
            if let Some((wall, monotonic)) =
                line.strip_prefix('#').and_then(|line| line.trim().split_once(' '))
            {
                return (wall.parse().unwrap(), monotonic.parse().unwrap());
            }
        }
    }

    /// Offset of its wall clock from the true time.
    fn ahead(&mut self) -> i64 {
        self.ask().0 - true_ns()
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Whether clocks can be shifted here; prints the skipped test and the reason otherwise.
fn possible(test: &str, clock: &NodeClock, teller: &Teller) -> bool {
    clock.began(Roots { first: teller.child.id(), beside: Vec::new(), guard: None });
    match clock.read() {
        Ok(_) => true,
        Err(error) => {
            assert!(
                std::env::var_os("BENCH_REQUIRE_ALL").is_none(),
                "clocks were expected to be shifted: {error}"
            );
            eprintln!("skipped {test}: {error}");
            false
        }
    }
}

fn clock(folder: &tempfile::TempDir) -> NodeClock {
    NodeClock::create(&ProcessClock::Foreign(folder.path().join("the clock"))).unwrap()
}

#[test]
fn threads_see_the_shift_monotonic_stays_true() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, mut teller) = (clock(&folder), Teller::new());
    if !possible("every_thread_of_a_running_program…", &clock, &teller) {
        return;
    }
    assert!(teller.ahead().abs() < MINUTE);
    let (began, (_, monotonic)) = (Instant::now(), teller.ask());
    clock.apply(1, ClockFault::Jump { by: HOUR }).unwrap();
    assert!((teller.ahead() - HOUR).abs() < MINUTE);
    assert!((clock.read().unwrap().ahead() - HOUR).abs() < MINUTE);
    clock.apply(2, ClockFault::Jump { by: -3 * HOUR }).unwrap();
    assert!((teller.ahead() + 2 * HOUR).abs() < MINUTE);
    let elapsed = teller.ask().1 - monotonic;
    assert!(i128::from(elapsed) <= i128::try_from(began.elapsed().as_nanos()).unwrap() && elapsed > 0);
    clock.release(None).unwrap();
    let reading = clock.read().unwrap();
    assert!(reading.earliest <= reading.says && reading.says <= reading.latest, "{reading:?}");
}

#[test]
fn existing_tracer_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, teller) = (clock(&folder), Teller::new());
    if !possible("who_traces_a_program_already_is_named", &clock, &teller) {
        return;
    }
    // The kernel detaches when this thread ends.
    kernel::seize(teller.child.id().try_into().unwrap()).unwrap();
    let error = clock.read().unwrap_err().to_string();
    let own = format!("thread {} traces it already", rustix::thread::gettid());
    assert!(error.starts_with(&own), "{error}");
}

#[test]
fn frozen_clock_stands_fast_clock_gains() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, mut teller) = (clock(&folder), Teller::new());
    if !possible("frozen_clock_stands_and_fast_clock_gains", &clock, &teller) {
        return;
    }
    clock.apply(1, ClockFault::Freeze).unwrap();
    let (first, second) = (teller.ask(), teller.ask());
    assert_eq!(first.0, second.0);
    assert!(second.1 > first.1, "only the wall clock is frozen");
    clock.release(Some(1)).unwrap();
    clock.apply(2, ClockFault::drift(1000.0)).unwrap();
    let (first, second) = (teller.ask(), teller.ask());
    let (wall, monotonic) = (second.0 - first.0, second.1 - first.1);
    assert!(wall > 300 * monotonic, "{wall} ns of {monotonic} ns");
}

#[test]
fn reading_a_clock_leaves_waiting_calls_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, mut teller) = (clock(&folder), Teller::new());
    if !possible("a_call_that_waits_is_not_disturbed…", &clock, &teller) {
        return;
    }
    let before = teller.ask();
    writeln!(teller.stdin, "sleep").unwrap();
    for _ in 0..20 {
        clock.read().unwrap();
    }
    let slept = teller.hear().1 - before.1;
    assert!(slept >= 300_000_000, "it slept for {slept} ns");
}

#[test]
fn children_and_their_programs_see_the_shift() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock(&folder);
    let first = Teller::new();
    if !possible("children_see_the_shift…", &clock, &first) {
        return;
    }
    drop(first);
    // The second line of input makes it execute another program, in a child.
    let script = "read line; \"$0\" \"$@\"; exit 0";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script]).arg(std::env::current_exe().unwrap()).args(TELLER).env("TELLER", "1");
    let mut shell = Teller::start(&mut shell);
    clock.began(Roots { first: shell.child.id(), beside: Vec::new(), guard: None });
    clock.apply(1, ClockFault::Jump { by: HOUR }).unwrap();
    writeln!(shell.stdin).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while (shell.ahead() - HOUR).abs() > MINUTE {
        assert!(Instant::now() < deadline, "the child never saw the shift");
    }
}
