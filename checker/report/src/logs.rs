//! What the systems wrote into their logs: patterns that no line may match, and patterns that one must match.
//!
//! The bench searches the logs while the nodes run and records what it found in the history. The logs themselves are
//! not needed here, so the verdict is the same after they were removed.

use super::faults::fault_events;
use super::observed::Observed;
use super::plan::CheckPlan;
use super::sentences::when;
use super::verdict::{Answer, Check, many};
use history::{Event, FaultEvent, LogCounts, LogLine, LogRule, Phase};
use serde::Serialize;

/// What the search of the logs found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Logs {
    /// Every pattern of the plan.
    pub(crate) patterns: Vec<LogPattern>,
    /// The log files of the spec that no node had.
    pub(crate) absent: Vec<String>,
    /// Whether the logs were searched to their end.
    complete: bool,
}

/// A pattern of `[check]` and the lines that matched it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogPattern {
    /// What it says about the logs.
    pub rule: LogRule,
    /// The regular expression.
    pub pattern: String,
    /// How many lines of all nodes matched it.
    pub count: u64,
    /// The first of them.
    pub lines: Vec<SeenLine>,
}

/// A line of a log that matched a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenLine {
    /// When it was read, in nanoseconds since the run's start.
    pub time_ns: u64,
    /// The node that wrote it.
    pub node: String,
    /// The log file.
    pub file: String,
    /// The line, or a part of it.
    pub line: String,
}

impl Logs {
    /// Reads what the history says about the patterns of a plan.
    pub(crate) fn read(plan: &CheckPlan, events: &[Event]) -> Self {
        let of = |rule: LogRule, patterns: &[String]| -> Vec<LogPattern> {
            let new =
                |pattern: &String| LogPattern { rule, pattern: pattern.clone(), count: 0, lines: Vec::new() };
            patterns.iter().map(new).collect()
        };
        let patterns = [of(LogRule::Never, &plan.never), of(LogRule::Sometimes, &plan.sometimes)].concat();
        let mut logs = Self { patterns, ..Self::default() };
        for (event, fault_event) in fault_events(events) {
            match fault_event {
                FaultEvent::Log(line) => logs.add(event.time, line),
                FaultEvent::Logs(counts) => logs.end(counts),
                FaultEvent::Start(_)
                | FaultEvent::End(_)
                | FaultEvent::Exit(_)
                | FaultEvent::Gone(_)
                | FaultEvent::Digests(_)
                | FaultEvent::Restarted(_) => {}
            }
        }
        logs
    }

    fn pattern(&mut self, rule: LogRule, pattern: &str) -> Option<&mut LogPattern> {
        self.patterns.iter_mut().find(|one| one.rule == rule && one.pattern == pattern)
    }

    fn add(&mut self, time_ns: u64, line: LogLine) {
        let Some(pattern) = self.pattern(line.rule, &line.pattern) else { return };
        pattern.count += 1;
        pattern.lines.push(SeenLine {
            time_ns: line.at.min(time_ns),
            node: line.targets.join(", "),
            file: line.file,
            line: line.line,
        });
    }

    fn end(&mut self, counts: LogCounts) {
        for count in counts.patterns {
            if let Some(pattern) = self.pattern(count.rule, &count.pattern) {
                pattern.count = pattern.count.max(count.count);
            }
        }
        self.absent = counts.absent;
        self.complete = true;
    }

    fn of(&self, rule: LogRule) -> impl Iterator<Item = &LogPattern> {
        self.patterns.iter().filter(move |pattern| pattern.rule == rule)
    }

    /// The patterns of which each must match a line.
    pub(crate) fn sometimes(&self) -> impl Iterator<Item = &LogPattern> {
        self.of(LogRule::Sometimes)
    }
}

/// Whether no line of a log matches a pattern of `never`; none where there is no such pattern.
pub(crate) fn check(observed: &Observed) -> Option<Check> {
    const NAME: &str = "logs";
    let logs = &observed.logs;
    let patterns = logs.of(LogRule::Never).count() as u64;
    if patterns == 0 {
        return None;
    }
    let found: Vec<&LogPattern> = logs.of(LogRule::Never).filter(|pattern| pattern.count > 0).collect();
    let load_start = observed.phase(Phase::Load).map(|load| load.start);
    let lines = found.iter().flat_map(|pattern| pattern.lines.iter().map(move |line| (*pattern, line)));
    let first = lines.min_by_key(|(_, line)| line.time_ns);
    Some(match first {
        Some((pattern, line)) => {
            let all: u64 = found.iter().map(|pattern| pattern.count).sum();
            let more = if all > 1 { format!("; {} in all", many(all, "such line")) } else { String::new() };
            let reason = format!(
                "{} wrote \"{}\" into {} {}, which never = \"{}\" forbids{more}",
                line.node,
                line.line,
                line.file,
                when(line.time_ns, load_start),
                pattern.pattern
            );
            let evidence = found.iter().flat_map(|pattern| evidence(pattern, load_start));
            Check::new(NAME, Answer::Invalid, reason).with(evidence)
        }
        None if logs.complete => {
            let reason =
                format!("no line of the logs matches what never forbids ({})", many(patterns, "pattern"));
            Check::new(NAME, Answer::Valid, reason)
        }
        None => Check::new(NAME, Answer::Unknown, "the logs were not searched to their end"),
    })
}

/// How often a pattern matched, and the first lines.
fn evidence(pattern: &LogPattern, load_start: Option<u64>) -> impl Iterator<Item = String> + '_ {
    let counted = format!("never = \"{}\": {}", pattern.pattern, many(pattern.count, "line"));
    let lines = pattern.lines.iter().map(move |line| {
        format!("{}, {}, {}: {}", line.node, line.file, when(line.time_ns, load_start), line.line)
    });
    std::iter::once(counted).chain(lines)
}
