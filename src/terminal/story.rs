//! Prints a recovery in five phases: before the fault, the fault, during it, the recovery, after it.

use super::events::{FaultNotice, RunEvent, RunEventKind, Stage};
use super::{BAD, DOUBT, FAINT, GOOD, STRONG, Screen};
use crate::recorder::Tally;
use crate::systems::cluster::Cluster;
use crate::systems::http::HttpClient;
use crate::systems::last_slots::LastSlots;
use crate::systems::observe::Watched;
use history::Phase;
use nemesis::{Kind, OnNodes};
use node::status::Status;
use report::Recovery;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Time limit for a node to become level before the story continues.
const LEVEL_WITHIN: Duration = Duration::from_secs(10);
/// Interval of queries meanwhile.
const POLL: Duration = Duration::from_millis(10);
/// Text about refused compare-and-sets, after their number.
const COMPARED: &str = "compare-and-sets found another value";
const COMPARED_ONE: &str = "compare-and-set found another value";
/// Time limit of one answer.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// The source of a node's status: `/status` of the own store, or the interface of another system.
#[derive(Debug)]
enum Source {
    Own(SocketAddr),
    Foreign(Watched),
}

/// The progress of a node.
#[derive(Debug)]
struct Seen {
    /// Whether it leads.
    active: bool,
    /// The next slot that it will apply, if it reports it.
    slot_out: Option<u64>,
    /// The complete status of a node of the own store.
    status: Option<Status>,
}

impl Source {
    async fn ask(&mut self) -> Option<Seen> {
        match self {
            Self::Own(address) => {
                let status: Status = HttpClient::new(*address).get("/status", ANSWER_WITHIN).await.ok()?;
                let (active, slot_out) = (status.active, Some(status.slot_out));
                Some(Seen { active, slot_out, status: Some(status) })
            }
            Self::Foreign(watched) => {
                let seen = watched.observe(ANSWER_WITHIN).await?;
                Some(Seen { active: seen.active == Some(true), slot_out: seen.slot_out, status: None })
            }
        }
    }
}

/// Prints the five phases of a recovery.
#[derive(Debug)]
pub(crate) struct Story {
    nodes: BTreeMap<String, Source>,
    chapter: u8,
    /// Time and counts at the start of the current chapter.
    since: (u64, Tally),
    /// The last answers of the nodes.
    last: LastSlots,
    /// Number of applied slots of each node at the start of the fault.
    applied: BTreeMap<String, u64>,
    /// Nodes that are no members once a fault is over.
    spares: BTreeSet<String>,
    /// Ends all waiting.
    interrupt: CancellationToken,
}

impl Story {
    /// A story about the nodes of this cluster.
    pub(crate) fn new(cluster: &Cluster, interrupt: CancellationToken, last: LastSlots) -> Self {
        let source = |(name, address): &(String, SocketAddr), watched| {
            let own = cluster.system.is_own();
            (name.clone(), if own { Source::Own(*address) } else { Source::Foreign(watched) })
        };
        Self {
            nodes: cluster
                .nodes
                .iter()
                .zip(cluster.watched())
                .map(|(node, watched)| source(node, watched))
                .collect(),
            spares: cluster
                .nodes
                .iter()
                .map(|(name, _)| name)
                .filter(|name| cluster.is_spare(name))
                .cloned()
                .collect(),
            chapter: 0,
            since: (0, Tally::default()),
            last,
            applied: BTreeMap::new(),
            interrupt,
        }
    }

    /// Prints one event.
    pub(crate) async fn print(&mut self, screen: &Screen, event: &RunEvent) {
        match &event.kind {
            RunEventKind::Began(Phase::Load, _) => self.since = (event.time_ns, event.tally),
            RunEventKind::Ended(Phase::Recovery) => self.after(screen, event),
            RunEventKind::Fault(fault) => match fault.stage {
                Stage::Start => self.fault(screen, event, fault).await,
                Stage::End => self.way_back(screen, event, fault).await,
                Stage::Exit => {
                    screen.line(&format!("  {BAD}{}{BAD:#}: {}", fault.exit_in_words(), fault.shown()));
                }
            },
            RunEventKind::Broken(text) => screen.line(&format!("  {BAD}{text}{BAD:#}")),
            RunEventKind::Note(text) => screen.line(&format!("  {text}")),
            RunEventKind::Began(Phase::Warmup | Phase::Recovery | Phase::Final, _)
            | RunEventKind::Ended(Phase::Warmup | Phase::Load | Phase::Final)
            | RunEventKind::Over => {}
        }
    }

    async fn fault(&mut self, screen: &Screen, event: &RunEvent, fault: &FaultNotice) {
        if self.chapter < 2 {
            heading(screen, 1, "before the fault", &self.commands(event));
            self.applied = self.last.before(fault.at_ns);
            let leads = self
                .ask_all()
                .await
                .into_iter()
                .filter(|(_, seen)| seen.as_ref().is_some_and(|seen| seen.active));
            let leads: BTreeSet<String> = leads.map(|(name, _)| name).collect();
            if let Some(levels) = levels(&self.applied, &leads) {
                screen.line(&format!("     {levels}"));
            }
            self.begin(2, event);
        }
        heading(screen, 2, &fault.label, &fault.shown());
        self.since = (event.time_ns, event.tally);
    }

    async fn way_back(&mut self, screen: &Screen, event: &RunEvent, fault: &FaultNotice) {
        if self.chapter < 3 {
            heading(screen, 3, "while it lasts", &self.commands(event));
            self.begin(3, event);
        }
        heading(screen, 4, &format!("the way back from: {}", fault.label), &fault.shown());
        for name in
            fault.targets.iter().filter(|name| !self.spares.contains(*name)).cloned().collect::<Vec<_>>()
        {
            let text = self.level_again(&name, restarts(&fault.kind)).await;
            screen.line(&format!("     {text}"));
        }
        self.chapter = 4;
    }

    fn after(&mut self, screen: &Screen, event: &RunEvent) {
        heading(screen, 5, "after it", &self.commands(event));
        self.begin(5, event);
    }

    fn begin(&mut self, chapter: u8, event: &RunEvent) {
        self.chapter = chapter;
        self.since = (event.time_ns, event.tally);
    }

    /// The outcomes of the commands since the chapter began.
    fn commands(&self, event: &RunEvent) -> String {
        let (since_ns, before) = self.since;
        let tally = event.tally.since(before);
        let seconds = (event.time_ns.saturating_sub(since_ns)) as f64 / 1e9;
        let rate = if seconds > 0.0 { tally.ok as f64 / seconds } else { 0.0 };
        let mut text = format!("{} commands succeeded in {seconds:.1} s ({rate:.0} a second)", tally.ok);
        let failed = tally.fail.saturating_sub(tally.precondition);
        for (count, outcome) in [
            (tally.precondition, if tally.precondition == 1 { COMPARED_ONE } else { COMPARED }),
            (failed, "failed"),
            (tally.info, "of unknown outcome"),
        ] {
            if count > 0 {
                let _ = write!(text, ", {count} {outcome}");
            }
        }
        text
    }

    async fn ask_all(&mut self) -> BTreeMap<String, Option<Seen>> {
        let mut all = BTreeMap::new();
        for (name, source) in &mut self.nodes {
            all.insert(name.clone(), source.ask().await);
        }
        all
    }

    /// Waits until a node has the others' slots from the time of its return; describes their sources.
    async fn level_again(&mut self, name: &str, restarted: bool) -> String {
        let begun = Instant::now();
        let others = self.ask_all().await.into_values().flatten();
        let goal = others.filter_map(|seen| seen.slot_out).max().unwrap_or(1);
        let mut last = None;
        while begun.elapsed() < LEVEL_WITHIN && !self.interrupt.is_cancelled() {
            if let Some(source) = self.nodes.get_mut(name) {
                last = source.ask().await.or(last);
            }
            if let Some(seen) = &last {
                let status = seen.status.as_ref().filter(|_| restarted);
                let level = status.is_none_or(|status| status.recovery.level_seconds.is_some());
                if level && seen.slot_out.is_none_or(|slot| slot >= goal) {
                    return match status {
                        Some(status) => self.came_back(name, &status.recovery),
                        None => self.goes_on(name, seen, begun.elapsed()),
                    };
                }
            }
            tokio::time::sleep(POLL).await;
        }
        match last {
            None => format!("{BAD}{name} does not answer{BAD:#}"),
            Some(seen) => format!(
                "{DOUBT}{name} is not level yet{DOUBT:#}: it has applied {} slots, another had {} when it came back",
                seen.slot_out.unwrap_or(1) - 1,
                goal - 1
            ),
        }
    }

    fn goes_on(&self, name: &str, seen: &Seen, waited: Duration) -> String {
        let seconds = waited.as_secs_f64();
        match seen.slot_out {
            Some(slot) => coloured(Recovery {
                level_after_s: Some(seconds),
                slots_after: Some(slot.saturating_sub(1)),
                ..self.recovery(name)
            }),
            None => format!("{GOOD}{name} answers{GOOD:#} {seconds:.2} s after it was healed"),
        }
    }

    fn came_back(&self, name: &str, recovery: &node::status::Recovery) -> String {
        let sentence = coloured(Recovery {
            restarted: true,
            from_own_log: Some(recovery.from_own_log()),
            from_peers: Some(recovery.from_peers()),
            level_after_s: recovery.level_seconds,
            ..self.recovery(name)
        });
        let torn = if recovery.torn_bytes > 0 {
            format!(", a torn last record of {} bytes cut off", recovery.torn_bytes)
        } else {
            String::new()
        };
        let bytes = recovery.snapshot_bytes + recovery.bytes;
        format!(
            "{sentence}\n     {FAINT}its log: {} records, {bytes} bytes, read in {:.3} s{torn}{FAINT:#}",
            recovery.records, recovery.log_seconds,
        )
    }

    /// The known facts about the last recovery of this node.
    fn recovery(&self, name: &str) -> Recovery {
        Recovery {
            node: name.to_owned(),
            slots_before: self.applied.get(name).copied(),
            ..Recovery::default()
        }
    }
}

/// The sentence about a recovery, with its essential part in colour.
fn coloured(recovery: Recovery) -> String {
    let sentence = recovery.explained().sentence;
    let (level, rest) = sentence.split_at(sentence.find(" level").map_or(0, |at| at + " level".len()));
    format!("{GOOD}{level}{GOOD:#}{rest}")
}

/// Whether a node returns from a fault of this kind as a new process.
fn restarts(kind: &str) -> bool {
    let kind: Option<Kind> = kind.parse().ok();
    kind.is_some_and(|kind| kind.entry().nodes == OnNodes::Restarted)
}

fn heading(screen: &Screen, number: u8, title: &str, figures: &str) {
    screen.line(&format!("  {STRONG}{number} {title}{STRONG:#}\n     {figures}"));
}

/// The progress of each node that reported it, in one line.
fn levels(applied: &BTreeMap<String, u64>, leads: &BTreeSet<String>) -> Option<String> {
    let nodes = applied.iter().map(|(name, slots)| {
        let leads = if leads.contains(name) { " (leads)" } else { "" };
        format!("{name} {slots}{leads}")
    });
    let nodes: Vec<String> = nodes.collect();
    (!nodes.is_empty()).then(|| format!("{FAINT}slots applied: {}{FAINT:#}", nodes.join(" · ")))
}
