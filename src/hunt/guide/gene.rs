//! A schedule as a search changes it: faults whose moments are points of the run.

use crate::hunt::draw::Choices;
use toml::Table;

/// One fault of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gene {
    /// The index of its kind among the choices, and that of its parameters.
    pub kind: usize,
    pub parameters: usize,
    /// The word of its target, if it takes one.
    pub target: Option<String>,
    pub moment: Moment,
    /// How long it lasts, if it is not over at once.
    pub lasts: Option<u64>,
}

/// When a fault starts; times are in microseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Moment {
    /// At a time of the load.
    Time(u64),
    /// At a point of the run, in the words of a spec: a sync, a message, the start of a process.
    Point { who: String, sight: String, count: u64 },
    /// This long after the fault before it started.
    After(u64),
}

impl Moment {
    /// Its class, which is what a search learns about.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Time(_) => "time",
            Self::Point { sight, .. } if sight == "syncs" => "sync",
            Self::Point { sight, .. } if sight == "starts" => "start",
            Self::Point { sight, .. } if sight == "adopted" => "adopted",
            Self::Point { .. } => "message",
            Self::After(_) => "after",
        }
    }
}

impl Gene {
    /// The fault as a table of a spec, if it is the one at this index.
    pub(super) fn table(&self, index: usize, choices: &Choices) -> Table {
        let (kind, possible) = &choices.kinds[self.kind];
        let mut fault = Table::new();
        fault.insert("kind".to_owned(), kind.name().into());
        fault.extend(possible[self.parameters].keys.clone());
        if let Some(target) = &self.target {
            fault.insert("target".to_owned(), target.as_str().into());
        }
        match &self.moment {
            Moment::Time(at) => {
                fault.insert("at".to_owned(), in_micros(*at).into());
            }
            Moment::Point { who, sight, count } => {
                fault.insert("when".to_owned(), format!("{who} {sight} {count}").into());
            }
            // The first fault has none before it.
            Moment::After(by) if index == 0 => {
                fault.insert("at".to_owned(), in_micros(*by).into());
            }
            Moment::After(by) => {
                let mut after = Table::new();
                after.insert("fault".to_owned(), i64::try_from(index).unwrap_or(i64::MAX).into());
                after.insert("by".to_owned(), in_micros(*by).into());
                fault.insert("after".to_owned(), after.into());
            }
        }
        if let Some(lasts) = self.lasts {
            fault.insert("for".to_owned(), in_micros(lasts).into());
        }
        fault
    }
}

fn in_micros(time: u64) -> String {
    format!("{time}us")
}
