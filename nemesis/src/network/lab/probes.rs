//! Probes in a child process whether a lab can be created here, up to a packet through its switch.

use super::{LabNetwork, Plan, address};
use crate::delay::Delay;
use crate::reexec;
use std::ffi::OsString;
use std::io::{self, Read};
use std::net::UdpSocket;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::Duration;

/// Longest run of the child; it needs about 30 ms.
const PATIENCE: Duration = Duration::from_secs(10);
const PACKET: Duration = Duration::from_secs(2);
/// The part of the first process of a lab that only probes.
pub(crate) const PROBE: &str = "probe";
/// The prefix of each line of the child's report.
const MARK: &str = "lab-probe\t";
const NAMES: [(&str, &str); 4] = [
    ("namespaces", "user, process, mount and network namespaces, with rights in them"),
    ("mounts", "a private /proc and /etc/hosts"),
    ("network", "a network namespace per node, joined by virtual cables"),
    ("packets", "one packet through the switch and out again"),
];
/// Optional for a lab, but required by faults of disks in memory.
const DISK: (&str, &str) = ("disk", "a file system of the bench that can lose its power");

/// A requirement of a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabProbe {
    /// Its name.
    pub name: &'static str,
    /// The probed capability.
    pub about: &'static str,
    /// Success, or the reason and the remedy.
    pub outcome: Result<(), String>,
}

/// Probes everything that a lab needs, once in the life of this process.
///
/// Inside a lab every probe succeeds.
pub fn probe_lab() -> Vec<LabProbe> {
    static FOUND: OnceLock<Vec<LabProbe>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            if reexec::inside_lab() {
                return table(|name| if name == DISK.0 { crate::disk::probe() } else { Ok(()) });
            }
            ask_a_child(&[])
        })
        .clone()
}

/// Whether disks in memory work in a lab.
pub(crate) fn disk_can_be_mounted() -> Result<(), String> {
    let row = probe_lab().into_iter().find(|probe| probe.name == DISK.0);
    row.map_or(Ok(()), |probe| probe.outcome)
}

/// Whether a lab can be created; otherwise the first missing requirement.
pub(in crate::network) fn can_be_made() -> Result<(), String> {
    first_missing(probe_lab()).map_or(Ok(()), Err)
}

/// The reason of the first failed probe that a lab requires.
pub(super) fn first_missing(probes: Vec<LabProbe>) -> Option<String> {
    probes.into_iter().filter(|probe| probe.name != DISK.0).find_map(|probe| {
        let reason = probe.outcome.err()?;
        Some(if probe.name == NAMES[0].0 { reason } else { format!("{}: {reason}", probe.about) })
    })
}

fn table(outcome: impl Fn(&str) -> Result<(), String>) -> Vec<LabProbe> {
    let rows = NAMES.into_iter().chain([DISK]);
    rows.map(|(name, about)| LabProbe { name, about, outcome: outcome(name) }).collect()
}

/// Starts this program with these arguments to probe everything.
pub(super) fn ask_a_child(args: &[OsString]) -> Vec<LabProbe> {
    match in_a_child(args) {
        Ok(report) => read(&report),
        Err(reason) => table(|name| match name {
            "namespaces" => Err(reason.clone()),
            _ => Err("not tried".to_owned()),
        }),
    }
}

/// The report of the child, which is killed after a time limit.
fn in_a_child(args: &[OsString]) -> Result<String, String> {
    let launched = reexec::start(PROBE, args, true)?;
    let (sender, receiver) = mpsc::channel();
    let mut stdout = launched.stdout.expect("its output was asked for");
    let reader = std::thread::Builder::new().name("probe".to_owned()).spawn(move || {
        let mut report = String::new();
        let read = stdout.read_to_string(&mut report);
        // The receiver is gone after the time limit.
        let _ = sender.send(read.map(|_| report));
    });
    let report = reader.map_err(|error| error.to_string()).and_then(|_| {
        let report = receiver.recv_timeout(PATIENCE);
        report.map_err(|_| format!("the probe gave no answer within {PATIENCE:?}"))
    });
    // It fails only if the child has ended, as it should have.
    let _ = rustix::process::kill_process(launched.pid, rustix::process::Signal::KILL);
    let _ = rustix::process::waitpid(Some(launched.pid), rustix::process::WaitOptions::empty());
    report?.map_err(|error| error.to_string())
}

/// Parses the child's report; missing lines mean "not tried".
fn read(report: &str) -> Vec<LabProbe> {
    let lines: Vec<_> = report.lines().filter_map(|line| line.split_once(MARK)?.1.split_once('\t')).collect();
    table(|name| match lines.iter().find(|(probe, _)| *probe == name) {
        Some((_, "ok")) => Ok(()),
        Some((_, error)) => Err((*error).to_owned()),
        None => Err("not tried".to_owned()),
    })
}

/// The child's work: each step in turn, reported on its output, until one fails.
pub(crate) fn inside() -> u8 {
    let say = |name: &str, outcome: &Result<(), String>| {
        let text = outcome.as_ref().map_or_else(String::as_str, |()| "ok");
        println!("\n{MARK}{name}\t{}", text.replace(['\n', '\t'], " "));
    };
    say("namespaces", &Ok(()));
    let mounted = reexec::end_with_the_outer_process().and_then(|()| reexec::mounts());
    let mounted = mounted.map_err(|error| error.to_string());
    say("mounts", &mounted);
    if mounted.is_err() {
        return 1;
    }
    let plan = Plan {
        nodes: vec!["n1".to_owned()],
        base: Delay::default(),
        seed: 0,
        port: None,
        tcp_rto_max: None,
        capture: None,
        tape: crate::schedule::Tape::new(vec!["n1".to_owned()]),
    };
    let network = LabNetwork::start(&plan).map_err(|error| error.to_string());
    say("network", &network.as_ref().map(drop).map_err(Clone::clone));
    let Ok(network) = network else { return 1 };
    let packet = pass_a_packet(&network, 1).map_err(|error| error.to_string());
    say("packets", &packet);
    say(DISK.0, &crate::disk::probe());
    u8::from(packet.is_err())
}

/// Sends a packet from the clients to n1 and back; the index of the clients is the number of nodes.
pub(super) fn pass_a_packet(network: &LabNetwork, nodes: usize) -> io::Result<()> {
    let there = network.namespace("n1").inside(|| UdpSocket::bind((address(0), 0)))?;
    there.set_read_timeout(Some(PACKET))?;
    let here = UdpSocket::bind((address(nodes), 0))?;
    here.set_read_timeout(Some(PACKET))?;
    here.send_to(b"ping", there.local_addr()?)?;
    let (_, from) = there.recv_from(&mut [0; 8])?;
    there.send_to(b"pong", from)?;
    here.recv_from(&mut [0; 8]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreached_probes_were_not_tried() {
        let found = read("running 1 test\nlab-probe\tnamespaces\tok\nlab-probe\tmounts\tno such thing\n");
        let outcomes: Vec<_> = found.iter().map(|probe| probe.outcome.clone()).collect();
        let not_tried = || Err("not tried".to_owned());
        assert_eq!(
            outcomes,
            [Ok(()), Err("no such thing".to_owned()), not_tried(), not_tried(), not_tried()]
        );
    }
}
