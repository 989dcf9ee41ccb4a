//! Evidence that faults of links are in force, and that they have ended.
//!
//! The bench probes a cut link, and no answer may come. The evidence counts only if the node at the other end
//! runs and is not paused: otherwise its silence proves nothing.

use crate::delay::Delay;
use crate::fault::proof::{Met, Proof};
use crate::fault::stage::OnLinks;
use crate::network::{LinkCounters, LinkFault, Mode, Probe};
use crate::partition::{CLIENTS, Link};
use crate::testbed::Testbed;
use crate::words::count;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// Time without an answer that proves a cut.
const SILENCE: Duration = Duration::from_millis(100);
/// Longest wait for an answer over a delayed or slowed link.
const SLOWNESS: Duration = Duration::from_millis(400);
/// Longest wait for a frame of the system that a flaky link affects.
const BUSY: Duration = Duration::from_secs(1);
/// Longest wait for an answer over a healed link.
const HEALING: Duration = Duration::from_secs(2);

/// Collects the evidence that a fault is in force on links whose counters were `before`.
pub(super) async fn of_links(testbed: &Testbed, fault: LinkFault, before: &OnLinks) -> Proof {
    if matches!(fault, LinkFault::Flaky(_)) {
        return of_flaky(testbed, fault, before).await;
    }
    let base = testbed.base_delay().longest() * 4;
    let patience = match fault {
        LinkFault::Stall | LinkFault::Refuse => SILENCE + base,
        LinkFault::Delay(delay) => base + patience_for(delay),
        LinkFault::Rate(_) | LinkFault::Flaky(_) => base + SLOWNESS,
    };
    let cut = matches!(fault, LinkFault::Stall | LinkFault::Refuse);
    let attempts = join_all(before.keys().map(|link| ask(testbed, link, patience, cut))).await;
    let mut proved = Lines::default();
    let mut noted = Lines::default();
    for (link, attempt) in before.keys().zip(attempts) {
        match attempt {
            Attempt::NotProbed(reason) => noted.add(format!("not probed: {reason}"), link),
            Attempt::Probed(probe) => match judge(fault, probe) {
                Ok(seen) => proved.add(seen, link),
                Err(seen) => noted.add(seen, link),
            },
        }
    }
    let settled = testbed.settle().await.err().map(|error| error.to_string());
    let complete = settled.is_none();
    let remarks = noted.lines().into_iter().chain(settled).collect();
    let mut proof = Proof { complete, evidence: proved.lines(), notes: remarks, ..Proof::default() };
    proof.evidence.extend(carried(testbed, fault, before));
    proof
}

/// Time for an answer over a delayed link. The answer to a long delay is not awaited: its absence proves it.
fn patience_for(delay: Delay) -> Duration {
    let round_trip = delay.longest() * 2;
    if round_trip < SLOWNESS { round_trip + SLOWNESS } else { SLOWNESS }
}

/// Waits until a flaky link affects a frame of the system, or time is up.
async fn of_flaky(testbed: &Testbed, fault: LinkFault, before: &OnLinks) -> Proof {
    let deadline = Instant::now() + BUSY;
    let struck = || before.iter().any(|(link, before)| struck(testbed.counters(link) - *before));
    while Instant::now() < deadline && !struck() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if testbed.settle().await.is_err() {
            break;
        }
    }
    let note = (!struck()).then(|| format!("no frame was affected within {BUSY:?}"));
    Proof {
        evidence: carried(testbed, fault, before),
        notes: note.into_iter().collect(),
        complete: true,
        ..Proof::default()
    }
}

fn struck(since: LinkCounters) -> bool {
    since.lost + since.duplicated + since.reordered + since.corrupted > 0
}

/// Whether the result of a probe shows that the fault is in force; a sentence in either case.
fn judge(fault: LinkFault, probe: Probe) -> Result<String, String> {
    let seen = match probe {
        Probe::Silent(patience) => format!("a probe got no answer in {}", ms(patience)),
        Probe::Refused => "a probe was refused".to_owned(),
        Probe::Answered { after, bytes } => format!("a probe got {bytes} bytes after {}", ms(after)),
    };
    let in_force = match (fault, probe) {
        (LinkFault::Delay(delay), Probe::Answered { after, .. }) => after >= delay.shortest() * 2,
        (LinkFault::Rate(rate), Probe::Answered { after, bytes }) => {
            after.as_secs_f64() >= bytes as f64 / rate as f64
        }
        // Before this time there can be no answer; after it, the node may be one that answers no probe.
        (LinkFault::Delay(delay), Probe::Silent(patience)) => patience < delay.shortest() * 2,
        (LinkFault::Stall | LinkFault::Rate(_), Probe::Silent(_)) | (LinkFault::Refuse, Probe::Refused) => {
            true
        }
        // A probe may pass a flaky link or not; only the link's counters prove the fault.
        (LinkFault::Flaky(_), Probe::Answered { .. } | Probe::Silent(_) | Probe::Refused)
        | (LinkFault::Stall | LinkFault::Refuse, Probe::Answered { .. })
        | (LinkFault::Stall | LinkFault::Delay(_) | LinkFault::Rate(_), Probe::Refused)
        | (LinkFault::Refuse, Probe::Silent(_)) => false,
    };
    if in_force { Ok(seen) } else { Err(format!("no proof: {seen}")) }
}

/// Observations, each with its links, in the order of their first occurrence.
#[derive(Default)]
struct Lines(Vec<(String, Vec<String>)>);

impl Lines {
    fn add(&mut self, seen: String, link: &Link) {
        match self.0.iter_mut().find(|(other, _)| *other == seen) {
            Some((_, links)) => links.push(link.to_string()),
            None => self.0.push((seen, vec![link.to_string()])),
        }
    }

    fn lines(self) -> Vec<String> {
        self.0.into_iter().map(|(seen, links)| format!("{}: {seen}", links.join(", "))).collect()
    }
}

/// The system's own traffic that met a fault on these links.
pub(super) fn met(testbed: &Testbed, fault: LinkFault, before: &OnLinks) -> Met {
    let lines = carried(testbed, fault, before);
    if !lines.is_empty() {
        return Ok(lines);
    }
    let effect = match fault {
        LinkFault::Stall | LinkFault::Refuse => "the cut",
        LinkFault::Delay(_) => "the delay",
        LinkFault::Rate(_) => "the rate",
        LinkFault::Flaky(_) => "the loss",
    };
    let pair = |link: &Link| {
        let (one, other) = if link.from < link.to { (&link.from, &link.to) } else { (&link.to, &link.from) };
        format!("{one}–{other}")
    };
    let pairs: BTreeSet<String> = before.keys().map(pair).collect();
    let pairs = pairs.into_iter().collect::<Vec<_>>().join(", ");
    let silent = before.keys().all(|link| testbed.counters(link).bytes == 0);
    let why = match (silent, testbed.mode()) {
        (true, Mode::Proxy) => {
            ": no traffic at all; a proxy sees only connections to the addresses in {members} and \
             {others}, and network = \"lab\" sees all traffic"
        }
        (true, Mode::Lab | Mode::Host | Mode::Hosts | Mode::Messages) => {
            ": the nodes never sent each other anything"
        }
        (false, _) => "",
    };
    Err(format!("no traffic of {pairs} met {effect}{why}"))
}

/// One line per link on which the fault held, refused or delayed traffic since its start.
pub(super) fn carried(testbed: &Testbed, fault: LinkFault, before: &OnLinks) -> Vec<String> {
    let piece = match testbed.mode() {
        Mode::Lab => "frame",
        Mode::Messages => "message",
        Mode::Hosts => "packet",
        Mode::Proxy | Mode::Host => "chunk",
    };
    let line = |(link, before): (&Link, &LinkCounters)| {
        let since = testbed.counters(link) - *before;
        let (chunks, bytes, word) = match fault {
            LinkFault::Stall if since.dropped > 0 => {
                let (frames, bytes) = (count(since.dropped, piece), count(since.dropped_bytes, "byte"));
                return Some(format!("{link}: {frames} ({bytes}) dropped"));
            }
            LinkFault::Refuse if since.dropped > 0 => {
                let reset = if testbed.mode() == Mode::Messages { "" } else { " and answered with a reset" };
                return Some(format!("{link}: {} dropped{reset}", count(since.dropped, piece)));
            }
            LinkFault::Flaky(_) => {
                let words = [
                    (since.lost, "lost"),
                    (since.duplicated, "doubled"),
                    (since.reordered, "reordered"),
                    (since.corrupted, "corrupted"),
                ];
                let words = words.iter().filter(|(number, _)| *number > 0);
                let words: Vec<_> = words.map(|(number, word)| format!("{number} {word}")).collect();
                let line = format!("{link}: of {}, {}", count(since.chunks, piece), words.join(", "));
                return struck(since).then_some(line);
            }
            LinkFault::Stall if since.held_chunks == 0 && since.connections > 0 => {
                return Some(format!(
                    "{link}: {} dialled, and stalled",
                    count(since.connections, "connection")
                ));
            }
            LinkFault::Stall => (since.held_chunks, since.held_bytes, "held"),
            LinkFault::Delay(_) if since.delayed_chunks == 0 && since.connections > 0 => {
                return Some(format!("{link}: {} dialled late", count(since.connections, "connection")));
            }
            LinkFault::Delay(_) | LinkFault::Rate(_) => {
                (since.delayed_chunks, since.delayed_bytes, "delayed")
            }
            LinkFault::Refuse => {
                let (reset, refused) = (since.reset, since.refused);
                let line = format!("{link}: {} reset, {refused} refused", count(reset, "connection"));
                return (reset + refused > 0).then_some(line);
            }
        };
        (chunks > 0).then(|| format!("{link}: {} ({}) {word}", count(chunks, piece), count(bytes, "byte")))
    };
    before.iter().filter_map(line).collect()
}

/// The evidence of reset connections.
pub(super) fn of_resets(reset: &[(&Link, u64)]) -> Proof {
    let hit = reset.iter().filter(|(_, connections)| *connections > 0);
    let line =
        |(link, connections): &(&Link, u64)| format!("{link}: {} reset", count(*connections, "connection"));
    let evidence: Vec<_> = hit.map(line).collect();
    let note = evidence.is_empty().then(|| "no connection was open on these links".to_owned());
    Proof { complete: !evidence.is_empty(), evidence, notes: note.into_iter().collect(), ..Proof::default() }
}

/// Checks that links without another fault answer again.
pub(super) async fn of_healing(testbed: &Testbed, fault: LinkFault, links: &[Link]) -> Proof {
    let checked = join_all(links.iter().map(|link| answers_again(testbed, link))).await;
    let again = match fault {
        LinkFault::Stall | LinkFault::Refuse => "a probe is answered again",
        LinkFault::Delay(_) | LinkFault::Rate(_) | LinkFault::Flaky(_) => "a probe is answered",
    };
    let mut proved = Lines::default();
    let mut noted = Lines::default();
    let mut complete = true;
    for (link, checked) in links.iter().zip(checked) {
        match checked {
            Ok(()) => proved.add(again.to_owned(), link),
            Err(Unproven::NotProbed(reason)) => noted.add(format!("not probed: {reason}"), link),
            Err(Unproven::NoAnswer) => {
                complete = false;
                noted.add(format!("no answer within {HEALING:?} of being healed"), link);
            }
        }
    }
    Proof { complete, evidence: proved.lines(), notes: noted.lines(), ..Proof::default() }
}

enum Unproven {
    NotProbed(String),
    NoAnswer,
}

async fn answers_again(testbed: &Testbed, link: &Link) -> Result<(), Unproven> {
    let deadline = Instant::now() + HEALING;
    let patience = SLOWNESS + testbed.base_delay().longest() * 4;
    loop {
        if testbed.faults_on(link) > 0 {
            return Err(Unproven::NotProbed("another fault is on it".to_owned()));
        }
        match ask(testbed, link, patience, false).await {
            Attempt::NotProbed(reason) => return Err(Unproven::NotProbed(reason)),
            Attempt::Probed(Probe::Answered { .. }) => return Ok(()),
            Attempt::Probed(Probe::Silent(_) | Probe::Refused) if Instant::now() >= deadline => {
                // A node without any answer proves nothing about a link.
                return Err(match testbed.probe_node(&link.to, patience).await {
                    Some(probe) if !probe.answered() => {
                        Unproven::NotProbed(format!("{} does not answer past the link either", link.to))
                    }
                    Some(_) | None => Unproven::NoAnswer,
                });
            }
            Attempt::Probed(Probe::Silent(_)) => {}
            Attempt::Probed(Probe::Refused) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

enum Attempt {
    Probed(Probe),
    NotProbed(String),
}

/// Probes a link if the node at its end could answer, both before and after the probe.
///
/// Other faults of the link matter unless the link should be `cut`.
async fn ask(testbed: &Testbed, link: &Link, patience: Duration, cut: bool) -> Attempt {
    let unable = || Attempt::NotProbed(format!("{} is down or paused", link.to));
    if !cut && testbed.faults_on(link) > 1 {
        return Attempt::NotProbed("another fault is on it".to_owned());
    }
    if link.to == CLIENTS {
        return Attempt::NotProbed("clients answer no probe".to_owned());
    }
    if !testbed.could_answer(&link.to).await {
        return unable();
    }
    let Some(probe) = testbed.probe(link, patience).await else {
        return Attempt::NotProbed("the testbed has no probe".to_owned());
    };
    if !probe.answered() && !testbed.could_answer(&link.to).await {
        return unable();
    }
    Attempt::Probed(probe)
}

fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_proves_only_long_delays() {
        let silent = |delay: u64| {
            let delay = Delay { mean: Duration::from_millis(delay), ..Delay::default() };
            judge(LinkFault::Delay(delay), Probe::Silent(patience_for(delay)))
        };
        assert_eq!(silent(20), Err("no proof: a probe got no answer in 440.0 ms".to_owned()));
        assert!(silent(199).is_err() && silent(201).is_ok());
    }
}
