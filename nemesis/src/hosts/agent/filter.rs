//! The rules of a host's packet filter that cut links and lead packets to the agent, by `nft` or `iptables`.
//!
//! The rules are replaced as a whole, in one transaction of the tool, and all are in a table or chains with the name
//! of the agent. They only match packets from and to the other nodes' addresses. The connections of `sshd` pass them
//! before all other rules, also if the bench is on the host of another node. Probes of the bench have source ports
//! above the ephemeral ones, so that they are cut and delayed like all packets but not counted.

use crate::hosts::message::{Cut, PeerCounters, Shaped};
use crate::hosts::tool::{self, run};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// The source ports of probes.
pub(super) const PROBES: (u16, u16) = (61_000, 65_535);
/// The peer of a trial, from the block for documentation (RFC 5737).
const UNUSED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The port of `sshd` if the session does not tell.
const SSH: u16 = 22;

/// The tool that holds the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Nft,
    Iptables,
}

impl Tool {
    const ALL: [Self; 2] = [Self::Nft, Self::Iptables];

    fn name(self) -> &'static str {
        match self {
            Self::Nft => "nft",
            Self::Iptables => "iptables",
        }
    }
}

/// The packet filter of this host.
#[derive(Debug)]
pub(super) struct Filter {
    tool: Tool,
    /// The name of the table, or the beginning of the names of the chains.
    name: String,
    /// The port of `sshd`.
    ssh: u16,
    /// The number of the queue to the agent.
    queue: u16,
    /// Whether the chains of `iptables` are in use.
    hooked: bool,
    peers: Vec<Shaped>,
    /// Counted by rules that were replaced since.
    before: Vec<PeerCounters>,
}

/// What the tools of this host can do: cut, and lead packets to the agent.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    /// The tool that is used.
    pub(super) tool: Option<Tool>,
    pub(super) cut: Result<String, String>,
    pub(super) queue: Result<String, String>,
}

/// Tries the tools with rules about an unused address.
pub(super) fn try_tools(name: &str, queue: u16) -> Trial {
    let mut reasons = Vec::new();
    let mut cutter = None;
    for tool in Tool::ALL {
        let mut filter = Filter::new(tool, name, None, queue);
        let cut = Shaped { cut: Some(Cut::Reject), ..Shaped::sound(UNUSED) };
        let delay = crate::delay::Delay { mean: std::time::Duration::from_secs(1), ..Default::default() };
        let can_cut = filter.replace(&[cut]);
        let can_queue = filter.replace(&[Shaped { delay, ..Shaped::sound(UNUSED) }]);
        // The agent removes the rest at its end, and reports what it could not remove.
        let _ = remove(name);
        match (can_cut, can_queue) {
            (Ok(()), Ok(())) => {
                let by = Ok(tool.name().to_owned());
                return Trial { tool: Some(tool), cut: by.clone(), queue: by };
            }
            (Ok(()), Err(reason)) => {
                cutter = cutter.or(Some(tool));
                reasons.push(reason);
            }
            (Err(reason), _) => reasons.push(reason),
        }
    }
    let why = Err(reasons.join("; "));
    let cut = cutter.map_or_else(|| why.clone(), |tool| Ok(tool.name().to_owned()));
    Trial { tool: cutter, cut, queue: why }
}

impl Filter {
    pub(super) fn new(tool: Tool, name: &str, ssh: Option<u16>, queue: u16) -> Self {
        let (peers, before) = (Vec::new(), Vec::new());
        Self { tool, name: name.to_owned(), ssh: ssh.unwrap_or(SSH), queue, hooked: false, peers, before }
    }

    /// Replaces all rules.
    pub(super) fn replace(&mut self, peers: &[Shaped]) -> Result<(), String> {
        if !self.peers.is_empty() {
            self.before = self.count();
        }
        match self.tool {
            Tool::Nft => run("nft", &["-f", "-"], &self.nft(peers))?,
            Tool::Iptables => {
                run("iptables-restore", &["-w", "5", "--noflush"], &self.iptables(peers, !self.hooked))?
            }
        };
        self.hooked = true;
        self.peers = peers.to_vec();
        Ok(())
    }

    /// Everything that the rules counted so far.
    pub(super) fn count(&self) -> Vec<PeerCounters> {
        let listed = match self.tool {
            Tool::Nft => run("nft", &["list", "table", "inet", &self.name], ""),
            Tool::Iptables => run("iptables", &["-w", "5", "-v", "-S", &format!("{}-in", self.name)], ""),
        };
        let listed = listed.unwrap_or_default();
        let mut counts = self.before.clone();
        for Shaped { peer, .. } in &self.peers {
            if !counts.iter().any(|one| one.peer == *peer) {
                counts.push(PeerCounters::none(*peer));
            }
        }
        for line in listed.lines() {
            let Some((what, peer, packets, bytes)) = counted(line) else { continue };
            let Some(count) = counts.iter_mut().find(|one| one.peer == peer) else { continue };
            if what == "all" {
                count.packets += packets;
                count.bytes += bytes;
            } else {
                count.dropped += packets;
                count.dropped_bytes += bytes;
            }
        }
        counts
    }

    /// The rules for `nft`, as one transaction.
    fn nft(&self, peers: &[Shaped]) -> String {
        let (name, ssh, queue) = (&self.name, self.ssh, self.queue);
        let probes = format!("{}-{}", PROBES.0, PROBES.1);
        let mut text = format!("add table inet {name}\ndelete table inet {name}\ntable inet {name} {{\n");
        text += "chain in {\ntype filter hook input priority -10; policy accept;\n";
        let mut add = |line: String| text.push_str(&(line + "\n"));
        add(format!("tcp dport {ssh} accept"));
        add(format!("tcp sport {ssh} accept"));
        for Shaped { peer, cut, .. } in peers {
            for verdict in verdicts(*cut) {
                let (of, verdict) = match verdict {
                    Verdict::Reset => ("meta l4proto tcp ", "reject with tcp reset"),
                    Verdict::Drop => ("", "drop"),
                    Verdict::Pass => ("", "accept"),
                };
                add(format!("ip saddr {peer} tcp sport {probes} {of}{verdict}"));
                add(format!("ip saddr {peer} tcp dport {probes} {of}{verdict}"));
            }
            add(format!("ip saddr {peer} counter comment \"all {peer}\""));
            for verdict in verdicts(*cut) {
                match verdict {
                    Verdict::Reset => add(format!(
                        "ip saddr {peer} meta l4proto tcp counter reject with tcp reset comment \"cut {peer}\""
                    )),
                    Verdict::Drop => add(format!("ip saddr {peer} counter drop comment \"cut {peer}\"")),
                    Verdict::Pass => {}
                }
            }
        }
        add("}\nchain out {\ntype filter hook output priority -10; policy accept;".to_owned());
        add(format!("tcp sport {ssh} accept"));
        add(format!("tcp dport {ssh} accept"));
        for Shaped { peer, .. } in peers.iter().filter(|shaped| shaped.is_queued()) {
            add(format!("ip daddr {peer} queue num {queue} bypass"));
        }
        add("}\n}".to_owned());
        text
    }

    /// The rules for `iptables-restore`, as one transaction. A declared chain is emptied.
    fn iptables(&self, peers: &[Shaped], is_first: bool) -> String {
        let (name, ssh, queue) = (&self.name, self.ssh, self.queue);
        let probes = format!("{}:{}", PROBES.0, PROBES.1);
        let mut text = format!("*filter\n:{name}-in - [0:0]\n:{name}-out - [0:0]\n");
        let mut add = |chain: &str, line: String| {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "-A {name}-{chain} {line}");
        };
        for chain in ["in", "out"] {
            for end in ["dport", "sport"] {
                add(chain, format!("-p tcp --{end} {ssh} -j RETURN"));
            }
        }
        for Shaped { peer, cut, .. } in peers {
            for verdict in verdicts(*cut) {
                let verdict = match verdict {
                    Verdict::Reset => "REJECT --reject-with tcp-reset",
                    Verdict::Drop => "DROP",
                    Verdict::Pass => "RETURN",
                };
                for end in ["sport", "dport"] {
                    add("in", format!("-s {peer} -p tcp --{end} {probes} -j {verdict}"));
                }
            }
            add("in", format!("-s {peer} -m comment --comment \"all {peer}\""));
            for verdict in verdicts(*cut) {
                let (of, verdict) = match verdict {
                    Verdict::Reset => ("-p tcp ", "REJECT --reject-with tcp-reset"),
                    Verdict::Drop => ("", "DROP"),
                    Verdict::Pass => continue,
                };
                add("in", format!("-s {peer} {of}-m comment --comment \"cut {peer}\" -j {verdict}"));
            }
        }
        for Shaped { peer, .. } in peers.iter().filter(|shaped| shaped.is_queued()) {
            add("out", format!("-d {peer} -j NFQUEUE --queue-num {queue} --queue-bypass"));
        }
        if is_first {
            let _ = writeln!(text, "-I INPUT 1 -j {name}-in\n-I OUTPUT 1 -j {name}-out");
        }
        text + "COMMIT\n"
    }
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Reset,
    Drop,
    Pass,
}

/// The verdicts about the packets of a peer, one after another: a reset is for TCP only.
fn verdicts(cut: Option<Cut>) -> &'static [Verdict] {
    match cut {
        None => &[Verdict::Pass],
        Some(Cut::Drop) => &[Verdict::Drop],
        Some(Cut::Reject) => &[Verdict::Reset, Verdict::Drop],
    }
}

/// The word, peer, packets and bytes of a listed rule that counts.
fn counted(line: &str) -> Option<(&str, Ipv4Addr, u64, u64)> {
    let comment = line.split("comment \"").nth(1)?.split('"').next()?;
    let (what, peer) = comment.split_once(' ')?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |word: &str, by: usize| {
        let at = words.iter().position(|other| *other == word)?;
        words.get(at + by)?.parse::<u64>().ok()
    };
    let packets = after("packets", 1).or_else(|| after("-c", 1))?;
    let bytes = after("bytes", 1).or_else(|| after("-c", 2))?;
    Some((what, peer.parse().ok()?, packets, bytes))
}

/// Removes all rules of this name, by both tools; returns what is still there.
pub(super) fn remove(name: &str) -> Result<(), String> {
    let mut left = Vec::new();
    if tool::find("nft").is_some() && run("nft", &["list", "table", "inet", name], "").is_ok() {
        left.extend(run("nft", &["delete", "table", "inet", name], "").err());
    }
    if tool::find("iptables").is_some() {
        for (from, chain) in [("INPUT", format!("{name}-in")), ("OUTPUT", format!("{name}-out"))] {
            if run("iptables", &["-w", "5", "-S", &chain], "").is_err() {
                continue;
            }
            let steps = [vec!["-D", from, "-j", &chain], vec!["-F", &chain], vec!["-X", &chain]];
            let failed = steps
                .iter()
                .filter_map(|step| run("iptables", &[&["-w", "5"], step.as_slice()].concat(), "").err());
            let failed: Vec<String> = failed.collect();
            if run("iptables", &["-w", "5", "-S", &chain], "").is_ok() {
                left.extend(failed);
            }
        }
    }
    if left.is_empty() { Ok(()) } else { Err(left.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    #[test]
    fn counters_of_both_tools_are_read() {
        let nft = "\t\tip saddr 10.0.0.2 counter packets 3 bytes 180 drop comment \"cut 10.0.0.2\"";
        assert_eq!(counted(nft), Some(("cut", PEER, 3, 180)));
        let iptables = "-A b-in -s 10.0.0.2/32 -m comment --comment \"all 10.0.0.2\" -c 5 300";
        assert_eq!(counted(iptables), Some(("all", PEER, 5, 300)));
        assert_eq!(counted("tcp dport 22 accept"), None);
    }

    #[test]
    fn ssh_passes_before_every_other_rule() {
        let filter = Filter::new(Tool::Nft, "b", Some(2222), 9);
        let cut = Shaped { cut: Some(Cut::Drop), ..Shaped::sound(PEER) };
        let nft = filter.nft(&[cut]);
        assert!(nft.find("tcp dport 2222 accept").unwrap() < nft.find("drop").unwrap(), "{nft}");
        assert!(!nft.contains("queue"), "{nft}");
        let iptables = filter.iptables(&[cut], true);
        let first = iptables.find("-A b-in -p tcp --dport 2222 -j RETURN").unwrap();
        assert!(first < iptables.find("DROP").unwrap(), "{iptables}");
    }

    #[test]
    fn refusal_resets_tcp_and_drops_the_rest() {
        let filter = Filter::new(Tool::Iptables, "b", None, 9);
        let rules = filter.iptables(&[Shaped { cut: Some(Cut::Reject), ..Shaped::sound(PEER) }], false);
        let reset = rules.rfind("REJECT --reject-with tcp-reset").unwrap();
        assert!(reset < rules.rfind("-j DROP").unwrap() && !rules.contains("-I INPUT"), "{rules}");
    }
}
