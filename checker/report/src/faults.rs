//! Each fault of the plan, joined with what the nemesis wrote into the history about it.

use super::plan::FaultPlan;
use history::{Event, FaultEvent};
use serde::Serialize;

/// Faults at whose end a process is started again.
const RESTARTS: [&str; 11] = [
    "kill",
    "stop",
    "lose-node",
    "power-loss",
    "torn-write",
    "crash-image",
    "bit-flip",
    "truncate",
    "restart-all",
    "rolling-restart",
    "disk-swap",
];

/// A planned fault and its course. Times are nanoseconds since the run's start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FaultRecord {
    /// Its number in the plan.
    pub fault: u32,
    /// The word of the vocabulary, for example `kill`.
    pub kind: String,
    /// What people read on plots, for example `kill leader (n2)`.
    pub label: String,
    /// Whom it was aimed at, in the words of the spec.
    pub target: String,
    /// The nodes it hit, or should have hit.
    pub nodes: Vec<String>,
    /// When it should have started; none where only the run tells, or while the load never began.
    pub planned_start_ns: Option<u64>,
    /// When it should have been healed.
    pub planned_end_ns: Option<u64>,
    /// When it started; none if it never did.
    pub start_ns: Option<u64>,
    /// When it was over; none if it never was.
    pub end_ns: Option<u64>,
    /// Whether it could not be healed when it was over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unhealed: bool,
    /// What proves that it took effect, from its start.
    pub evidence: Vec<String>,
    /// What was noted when it was healed.
    pub healed: Vec<String>,
    /// Why there is no evidence, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_none: Option<String>,
}

impl FaultRecord {
    /// Whether it started and left evidence.
    pub fn took_effect(&self) -> bool {
        self.start_ns.is_some() && !self.evidence.is_empty()
    }

    /// Whether processes are started again at its end.
    pub(crate) fn restarts(&self) -> bool {
        RESTARTS.contains(&self.kind.as_str())
    }

    /// Whether it was in force at a time.
    pub(crate) fn in_force(&self, time_ns: u64) -> bool {
        let started = self.start_ns.is_some_and(|start| start <= time_ns);
        started && self.end_ns.is_none_or(|end| time_ns < end)
    }
}

pub(crate) fn fault_events(events: &[Event]) -> impl Iterator<Item = (&Event, FaultEvent)> {
    events.iter().filter_map(|event| Some((event, FaultEvent::read(event)?)))
}

/// One record per planned fault, then one per fault of the history that was not planned.
pub(crate) fn records(plan: &[FaultPlan], events: &[Event], load_start: Option<u64>) -> Vec<FaultRecord> {
    let mut records: Vec<FaultRecord> = plan
        .iter()
        .map(|fault| FaultRecord {
            fault: fault.fault,
            kind: fault.kind.clone(),
            label: fault.label.clone(),
            target: fault.target.clone(),
            nodes: fault.nodes.clone().unwrap_or_default(),
            planned_start_ns: load_start.zip(fault.start).map(|(load, start)| load + start),
            planned_end_ns: load_start.zip(fault.end).map(|(load, end)| load + end),
            start_ns: None,
            end_ns: None,
            unhealed: false,
            evidence: Vec::new(),
            healed: Vec::new(),
            why_none: None,
        })
        .collect();
    for (event, fault_event) in fault_events(events) {
        let (starts, change) = match fault_event {
            FaultEvent::Start(change) => (true, change),
            FaultEvent::End(change) => (false, change),
            FaultEvent::Exit(_)
            | FaultEvent::Gone(_)
            | FaultEvent::Log(_)
            | FaultEvent::Logs(_)
            | FaultEvent::Digests(_)
            | FaultEvent::Restarted(_) => continue,
        };
        let index = records.iter().position(|record| record.fault == change.fault).unwrap_or_else(|| {
            records.push(unplanned(change.fault, event));
            records.len() - 1
        });
        let at = change.at.unwrap_or(event.time).min(event.time);
        let record = &mut records[index];
        if starts {
            record.start_ns.get_or_insert(at);
            record.evidence.extend(change.evidence);
            record.why_none = change.note;
            if let Some(label) = change.label {
                record.label = label;
            }
            if !change.targets.is_empty() {
                record.nodes = change.targets;
            }
        } else {
            record.end_ns = Some(at);
            record.unhealed = change.healed == Some(false);
            match change.met {
                Some(true) if record.evidence.is_empty() => record.evidence.clone_from(&change.evidence),
                Some(false) => record.evidence.clear(),
                Some(true) | None => {}
            }
            record.healed.extend(change.evidence);
            record.why_none = change.note.or(record.why_none.take());
        }
    }
    for record in &mut records {
        if record.took_effect() {
            record.why_none = None;
        }
    }
    records
}

fn unplanned(fault: u32, event: &Event) -> FaultRecord {
    FaultRecord {
        fault,
        kind: event.f.clone(),
        label: event.f.clone(),
        target: String::new(),
        nodes: Vec::new(),
        planned_start_ns: None,
        planned_end_ns: None,
        start_ns: None,
        end_ns: None,
        unhealed: false,
        evidence: Vec::new(),
        healed: Vec::new(),
        why_none: None,
    }
}

/// The nodes that stay down after everything was healed.
pub(crate) fn gone(events: &[Event]) -> Vec<String> {
    let gone = fault_events(events).filter_map(|(_, fault_event)| fault_event.gone());
    gone.flat_map(|exit| exit.targets).collect()
}

/// The nodes that ended by themselves and had an excuse, each once.
pub(crate) fn excused(events: &[Event]) -> Vec<String> {
    let ends = fault_events(events).filter_map(|(_, fault_event)| match fault_event {
        end @ FaultEvent::Gone(_) => end.gone(),
        other => other.exit(),
    });
    let excused = ends.filter(|exit| exit.excuse.is_some()).map(|exit| exit.targets);
    excused.flatten().collect::<std::collections::BTreeSet<String>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::records;
    use history::{Event, Kind, Process};
    use serde_json::json;

    fn events(start: &[&str], met: Option<bool>) -> Vec<Event> {
        let mut start_event = Event::new(Process::Nemesis, Kind::Info, "partition");
        start_event.value = json!({"fault": 1, "event": "start", "evidence": start});
        let mut end_event = Event::new(Process::Nemesis, Kind::Info, "partition");
        end_event.value = json!({"fault": 1, "event": "end", "evidence": ["n1→n2: 3 frames dropped"]});
        if let Some(met) = met {
            end_event.value["met"] = met.into();
            end_event.value["note"] = "no traffic of n1–n2 met the cut".into();
        }
        vec![start_event, end_event]
    }

    #[test]
    fn what_nothing_met_took_no_effect() {
        let probe = ["n1→n2: a probe got no answer in 100.0 ms"];
        let [unmet] = &records(&[], &events(&probe, Some(false)), None)[..] else { panic!() };
        assert!(!unmet.took_effect());
        assert_eq!(unmet.why_none.as_deref(), Some("no traffic of n1–n2 met the cut"));
        for met in [Some(true), None] {
            let [record] = &records(&[], &events(&probe, met), None)[..] else { panic!() };
            assert!(record.took_effect() && record.evidence == probe && record.why_none.is_none());
        }
    }

    #[test]
    fn what_met_it_later_is_evidence_too() {
        let [late] = &records(&[], &events(&[], Some(true)), None)[..] else { panic!() };
        assert_eq!(late.evidence, ["n1→n2: 3 frames dropped"]);
    }
}
