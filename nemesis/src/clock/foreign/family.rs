//! Which processes belong to a node: the one that the bench started, its group, and all that descend from it.

use std::collections::BTreeSet;
use std::fs;

/// What `/proc/PID/stat` says that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pid: u32,
    pub(super) state: char,
    parent: u32,
    group: u32,
}

impl Line {
    /// Reads a line. The name in parentheses may contain anything.
    pub(super) fn read(stat: &str) -> Option<Self> {
        let pid = stat.split(' ').next()?.parse().ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?.chars().next()?;
        Some(Self { pid, state, parent: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
    }
}

/// The living processes that belong to the one that was started as `root`, itself first if it lives.
pub(super) fn of(root: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let lines = pids.filter_map(|pid| Line::read(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?));
    let lines: Vec<Line> = lines.filter(|line| !matches!(line.state, 'Z' | 'X')).collect();
    // One that has left its parent, its group and its session behind still has the network of its node.
    let network = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let own = network(std::process::id());
    let theirs = network(root).filter(|theirs| Some(theirs) != own.as_ref());
    let in_network = |pid: u32| theirs.is_some() && network(pid) == theirs;
    belonging(root, &lines, in_network)
}

fn belonging(root: u32, lines: &[Line], in_network: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut members: BTreeSet<u32> = BTreeSet::from([root]);
    members
        .extend(lines.iter().filter(|line| line.group == root || in_network(line.pid)).map(|line| line.pid));
    loop {
        let children = lines.iter().filter(|line| members.contains(&line.parent)).map(|line| line.pid);
        let grown: BTreeSet<u32> = members.iter().copied().chain(children).collect();
        if grown.len() == members.len() {
            break;
        }
        members = grown;
    }
    let mut members: Vec<u32> =
        members.into_iter().filter(|pid| lines.iter().any(|line| line.pid == *pid)).collect();
    members.sort_by_key(|pid| *pid != root);
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_its_group_its_descendants_and_who_shares_its_network() {
        let line = |pid, parent, group| Line { pid, state: 'S', parent, group };
        let lines = [
            line(1, 0, 1),
            line(7, 1, 7),
            line(5, 7, 7),
            line(8, 5, 8),
            line(9, 8, 9),
            line(10, 1, 10),
            line(11, 1, 11),
        ];
        assert_eq!(belonging(7, &lines, |_| false), [7, 5, 8, 9]);
        assert_eq!(belonging(7, &lines, |pid| pid == 11), [7, 5, 8, 9, 11]);
        let gone: Vec<Line> = lines.into_iter().filter(|line| line.pid != 7).collect();
        assert_eq!(
            belonging(7, &gone, |_| false),
            [5, 8, 9],
            "the first one may have ended before the others"
        );
    }

    #[test]
    fn a_name_may_contain_anything() {
        let line = Line::read("42 (a) S 1 (x) T 40 39 39 0 -1").unwrap();
        assert_eq!(line, Line { pid: 42, state: 'T', parent: 40, group: 39 });
    }
}
