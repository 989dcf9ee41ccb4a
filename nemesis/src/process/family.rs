//! The processes of a node: the one that the bench started, its group, and all descendants.
//!
//! A daemon leaves its parent, its group and its session. Under a [guard](super::guard) the kernel makes it a
//! child of the guard, so the descendants of the guard are all processes of the node.

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use std::collections::BTreeSet;
use std::fs;

/// The roots of a node's process trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roots {
    /// The process that the bench started.
    pub(crate) first: u32,
    /// The processes of its helper programs.
    pub(crate) beside: Vec<u32>,
    /// The guard between it and the bench, if there is one.
    pub(crate) guard: Option<u32>,
}

/// The relevant fields of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) pid: u32,
    pub(crate) state: char,
    parent: u32,
    group: u32,
    /// Its start, in ticks since boot: together with the id it identifies a process for ever.
    began: u64,
}

impl Line {
    /// Parses a line. The name in parentheses may contain any character.
    pub(crate) fn read(stat: &str) -> Option<Self> {
        let pid = stat.split(' ').next()?.parse().ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?.chars().next()?;
        let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let began = fields.nth(16).and_then(|field| field.parse().ok()).unwrap_or_default();
        Some(Self { pid, state, parent, group, began })
    }

    fn of(pid: u32) -> Option<Self> {
        Self::read(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether it is not a zombie.
    pub(crate) fn lives(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

/// The live processes of a node; the first process comes first if it lives.
pub(crate) fn of(roots: &Roots) -> Vec<u32> {
    lines_of(roots).into_iter().map(|line| line.pid).collect()
}

/// The live descendants of this process.
pub(crate) fn below(root: u32) -> Vec<u32> {
    let lines = table();
    let mut members = belonging(root, &lines, |_| false);
    members.retain(|line| line.pid != root);
    members.into_iter().map(|line| line.pid).collect()
}

/// The programs of a node and their descendants with an unbroken line of live parents.
pub(crate) fn in_line(roots: &Roots) -> BTreeSet<u32> {
    let lines: Vec<Line> = table().into_iter().map(|line| Line { group: 0, ..line }).collect();
    let programs = roots.beside.iter().chain([&roots.first]);
    let lines = programs.flat_map(|program| belonging(*program, &lines, |_| false));
    lines.map(|line| line.pid).collect()
}

/// The children of this process, zombies included.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    every().filter(|line| line.parent == parent).map(|line| line.pid).collect()
}

/// Whether a process exists and is not a zombie.
pub(crate) fn lives(pid: u32) -> bool {
    Line::of(pid).is_some_and(|line| line.lives())
}

fn every() -> impl Iterator<Item = Line> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(Line::of)
}

fn table() -> Vec<Line> {
    every().filter(Line::lives).collect()
}

fn lines_of(roots: &Roots) -> Vec<Line> {
    let (lines, first) = (table(), roots.first);
    let mut members = if let Some(guard) = roots.guard {
        let mut members =
            belonging(guard, &lines, |pid| lines.iter().any(|line| line.pid == pid && line.group == first));
        members.retain(|line| line.pid != guard);
        members
    } else {
        // A process that has left its parent, its group and its session still has the network of its node.
        let network = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let own = network(std::process::id());
        let theirs = network(first).filter(|theirs| Some(theirs) != own.as_ref());
        belonging(first, &lines, |pid| theirs.is_some() && network(pid) == theirs)
    };
    members.sort_by_key(|line| line.pid != first);
    members
}

fn belonging(root: u32, lines: &[Line], besides: impl Fn(u32) -> bool) -> Vec<Line> {
    let mut members: BTreeSet<u32> = BTreeSet::from([root]);
    members.extend(lines.iter().filter(|line| line.group == root || besides(line.pid)).map(|line| line.pid));
    loop {
        let children = lines.iter().filter(|line| members.contains(&line.parent)).map(|line| line.pid);
        let grown: BTreeSet<u32> = members.iter().copied().chain(children).collect();
        if grown.len() == members.len() {
            break;
        }
        members = grown;
    }
    let mut members: Vec<Line> = lines.iter().filter(|line| members.contains(&line.pid)).copied().collect();
    members.sort_by_key(|line| (line.pid != root, line.pid));
    members
}

/// Signals every process of a node but the first; returns the number of signalled processes.
pub(crate) fn signal_others(roots: &Roots, signal: Signal) -> usize {
    let others = lines_of(roots).into_iter().filter(|line| line.pid != roots.first);
    others.filter(|line| send(line, signal)).count()
}

/// Signals every descendant of this process; returns the number of signalled processes.
pub(crate) fn signal_below(root: u32, signal: Signal) -> usize {
    let members = belonging(root, &table(), |_| false);
    members.iter().filter(|line| line.pid != root && send(line, signal)).count()
}

/// Signals the process of this line, never a later one with the same id.
fn send(line: &Line, signal: Signal) -> bool {
    let Some(pid) = i32::try_from(line.pid).ok().and_then(Pid::from_raw) else { return false };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(held) => {
            let same = Line::of(line.pid).is_some_and(|now| now.began == line.began);
            same && pidfd_send_signal(held, signal).is_ok()
        }
        // Linux before 5.3 has no pidfd.
        Err(rustix::io::Errno::NOSYS) => kill_process(pid, signal).is_ok(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pids(members: Vec<Line>) -> Vec<u32> {
        members.into_iter().map(|line| line.pid).collect()
    }

    #[test]
    fn node_is_group_descendants_and_network() {
        let line = |pid, parent, group| Line { pid, state: 'S', parent, group, began: 0 };
        let lines = [
            line(1, 0, 1),
            line(7, 1, 7),
            line(5, 7, 7),
            line(8, 5, 8),
            line(9, 8, 9),
            line(10, 1, 10),
            line(11, 1, 11),
        ];
        assert_eq!(pids(belonging(7, &lines, |_| false)), [7, 5, 8, 9]);
        assert_eq!(pids(belonging(7, &lines, |pid| pid == 11)), [7, 5, 8, 9, 11]);
        let others: Vec<Line> = lines.into_iter().filter(|line| line.pid != 7).collect();
        assert_eq!(
            pids(belonging(7, &others, |_| false)),
            [5, 8, 9],
            "the first one may have ended before the others"
        );
    }

    #[test]
    fn process_name_may_contain_any_character() {
        let line =
            Line::read("42 (a) S 1 (x) T 40 39 39 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 777 9").unwrap();
        assert_eq!(line, Line { pid: 42, state: 'T', parent: 40, group: 39, began: 777 });
    }
}
