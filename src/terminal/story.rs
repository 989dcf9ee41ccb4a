//! The story of a recovery in five phases: before, the fault, while it lasts, the way back, after.

use super::teller::{FaultMoment, Moment, Stage, What};
use super::{BAD, DOUBT, FAINT, GOOD, STRONG, Screen};
use crate::recorder::Tally;
use crate::systems::http::Asker;
use checker::history::Phase;
use nemesis::{Family, Kind};
use node::status::Status;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long the story waits for a node to be level before it goes on without it.
const LEVEL_WITHIN: Duration = Duration::from_secs(10);
/// How often a node is asked meanwhile.
const POLL: Duration = Duration::from_millis(10);
/// What is said of compare-and-sets that were refused, after their number.
const COMPARED: &str = "compare-and-sets found another value";
const COMPARED_ONE: &str = "compare-and-set found another value";
/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// The teller of the five phases.
#[derive(Debug)]
pub(crate) struct Story {
    nodes: BTreeMap<String, SocketAddr>,
    chapter: u8,
    /// Time and counts where the present chapter began.
    since: (u64, Tally),
    /// What the nodes had applied when the fault began, by node.
    applied: BTreeMap<String, u64>,
    /// Ends all waiting.
    interrupt: CancellationToken,
}

impl Story {
    /// A story about these nodes.
    pub(crate) fn new(nodes: &[(String, SocketAddr)], interrupt: CancellationToken) -> Self {
        Self {
            nodes: nodes.iter().cloned().collect(),
            chapter: 0,
            since: (0, Tally::default()),
            applied: BTreeMap::new(),
            interrupt,
        }
    }

    /// Tells one moment.
    pub(crate) async fn tell(&mut self, screen: &Screen, moment: &Moment) {
        match &moment.what {
            What::Began(Phase::Load, _) => self.since = (moment.time_ns, moment.tally),
            What::Ended(Phase::Recovery) => self.after(screen, moment),
            What::Fault(fault) => match fault.stage {
                Stage::Start => self.fault(screen, moment, fault).await,
                Stage::End => self.way_back(screen, moment, fault).await,
                Stage::Exit => {
                    screen.line(&format!("  {BAD}{}{BAD:#}: {}", fault.exit_in_words(), fault.shown()));
                }
            },
            What::Broken(text) => screen.line(&format!("  {BAD}{text}{BAD:#}")),
            What::Note(text) => screen.line(&format!("  {text}")),
            What::Began(Phase::Warmup | Phase::Recovery | Phase::Final, _)
            | What::Ended(Phase::Warmup | Phase::Load | Phase::Final)
            | What::Over => {}
        }
    }

    async fn fault(&mut self, screen: &Screen, moment: &Moment, fault: &FaultMoment) {
        if self.chapter < 2 {
            heading(screen, 1, "before the fault", &self.commands(moment));
            let statuses = self.ask_all().await;
            screen.line(&format!("     {}", levels(&statuses)));
            self.applied = statuses.into_iter().filter_map(|(name, s)| Some((name, s?.slot_out))).collect();
            self.begin(2, moment);
        }
        heading(screen, 2, &fault.label, &fault.shown());
        self.since = (moment.time_ns, moment.tally);
    }

    async fn way_back(&mut self, screen: &Screen, moment: &Moment, fault: &FaultMoment) {
        if self.chapter < 3 {
            heading(screen, 3, "while it lasts", &self.commands(moment));
            self.begin(3, moment);
        }
        heading(screen, 4, &format!("the way back from: {}", fault.label), &fault.shown());
        for name in fault.targets.clone() {
            let text = self.level_again(&name, restarts(&fault.kind)).await;
            screen.line(&format!("     {text}"));
        }
        self.chapter = 4;
    }

    fn after(&mut self, screen: &Screen, moment: &Moment) {
        heading(screen, 5, "after it", &self.commands(moment));
        self.begin(5, moment);
    }

    fn begin(&mut self, chapter: u8, moment: &Moment) {
        self.chapter = chapter;
        self.since = (moment.time_ns, moment.tally);
    }

    /// What became of the commands since the chapter began.
    fn commands(&self, moment: &Moment) -> String {
        let (since_ns, before) = self.since;
        let tally = moment.tally.since(before);
        let seconds = (moment.time_ns.saturating_sub(since_ns)) as f64 / 1e9;
        let rate = if seconds > 0.0 { tally.ok as f64 / seconds } else { 0.0 };
        let mut text = format!("{} commands succeeded in {seconds:.1} s ({rate:.0} a second)", tally.ok);
        let failed = tally.fail.saturating_sub(tally.precondition);
        for (count, what) in [
            (tally.precondition, if tally.precondition == 1 { COMPARED_ONE } else { COMPARED }),
            (failed, "failed"),
            (tally.info, "of unknown outcome"),
        ] {
            if count > 0 {
                let _ = write!(text, ", {count} {what}");
            }
        }
        text
    }

    async fn ask(&self, name: &str) -> Option<Status> {
        let mut asker = Asker::new(*self.nodes.get(name)?);
        asker.get("/status", ANSWER_WITHIN).await.ok()
    }

    async fn ask_all(&self) -> BTreeMap<String, Option<Status>> {
        let mut statuses = BTreeMap::new();
        for name in self.nodes.keys() {
            statuses.insert(name.clone(), self.ask(name).await);
        }
        statuses
    }

    /// Waits until a node has what the others had when it came back, and says where it got it from.
    async fn level_again(&self, name: &str, restarted: bool) -> String {
        let begun = Instant::now();
        let goal =
            self.ask_all().await.into_values().flatten().map(|status| status.slot_out).max().unwrap_or(1);
        let mut last = None;
        while begun.elapsed() < LEVEL_WITHIN && !self.interrupt.is_cancelled() {
            last = self.ask(name).await.or(last);
            if let Some(status) = &last {
                let level = !restarted || status.recovery.level_seconds.is_some();
                if level && status.slot_out >= goal {
                    return self.came_back(name, status, restarted, begun.elapsed());
                }
            }
            tokio::time::sleep(POLL).await;
        }
        match last {
            None => format!("{BAD}{name} does not answer{BAD:#}"),
            Some(status) => format!(
                "{DOUBT}{name} is not level yet{DOUBT:#}: it has applied {} slots, another had {} when it came back",
                status.slot_out - 1,
                goal - 1
            ),
        }
    }

    fn came_back(&self, name: &str, status: &Status, restarted: bool, waited: Duration) -> String {
        let recovery = &status.recovery;
        if !restarted {
            return format!(
                "{GOOD}{name} is level{GOOD:#} {:.2} s after it was healed, with {} slots applied{}",
                waited.as_secs_f64(),
                status.slot_out - 1,
                self.applied
                    .get(name)
                    .map_or_else(String::new, |before| format!(" ({} before the fault)", before - 1))
            );
        }
        let torn = if recovery.torn_bytes > 0 {
            format!(", a torn last record of {} bytes cut off", recovery.torn_bytes)
        } else {
            String::new()
        };
        format!(
            "{GOOD}{name} is level{GOOD:#} {:.2} s after its start: {} decisions from its own log ({} records, {} bytes, {:.3} s{torn}), {} from its peers{}",
            recovery.level_seconds.unwrap_or_default(),
            recovery.decisions_from_snapshot + recovery.decisions_from_log,
            recovery.records,
            recovery.snapshot_bytes + recovery.bytes,
            recovery.log_seconds,
            recovery.decisions_from_peers + recovery.slots_of_state_from_peers,
            self.applied.get(name).map_or_else(String::new, |before| {
                format!("; it had applied {} before the fault", before - 1)
            }),
        )
    }
}

/// Whether a node comes back from a fault of this kind as a new process.
fn restarts(kind: &str) -> bool {
    let kind: Option<Kind> = kind.parse().ok();
    kind.is_some_and(|kind| match kind.entry().family {
        Family::Cluster => true,
        Family::Process => !matches!(kind, Kind::Pause | Kind::Slow),
        Family::Disk => !matches!(kind, Kind::Full | Kind::SlowSync | Kind::SyncError),
        Family::Network | Family::Clock => false,
    })
}

fn heading(screen: &Screen, number: u8, title: &str, figures: &str) {
    screen.line(&format!("  {STRONG}{number} {title}{STRONG:#}\n     {figures}"));
}

/// How far each node is that answers, in one line.
fn levels(statuses: &BTreeMap<String, Option<Status>>) -> String {
    let nodes: Vec<String> = statuses
        .iter()
        .filter_map(|(name, status)| {
            let status = status.as_ref()?;
            let leads = if status.active { " (leads)" } else { "" };
            Some(format!("{name} {}{leads}", status.slot_out - 1))
        })
        .collect();
    format!("{FAINT}slots applied: {}{FAINT:#}", nodes.join(" · "))
}
