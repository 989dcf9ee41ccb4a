//! What a failed compare-and-set says.

use super::Format;
use history::{Event, Kind};

/// What a failed compare-and-set says about the value that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailedCas {
    /// Only what the event says: with the error `precondition` the value differed, otherwise it did not
    /// happen and says nothing. The meaning of our own formats and of Jepsen's.
    AsSaid,
    /// It did not happen, and says nothing.
    DidNotHappen,
    /// The value differed, unless the event names another reason. The meaning of Porcupine's etcd logs.
    ValueDiffered,
}

impl FailedCas {
    /// What a format means by it.
    pub fn default_of(format: Format) -> Self {
        match format {
            Format::JepsenLog => Self::ValueDiffered,
            Format::History
            | Format::OperationsCsv
            | Format::JepsenEdn
            | Format::PorcupineKv
            | Format::ElleJson
            | Format::EtcdJson
            | Format::Dbcop
            | Format::Cobra
            | Format::Plume
            | Format::Awdit => Self::AsSaid,
        }
    }
}

/// The error of a failed compare-and-set that found another value.
pub(super) const PRECONDITION: &str = "precondition";

/// Words of other tools for the same.
const SYNONYMS: [&str; 3] = ["precondition-failed", "did-not-succeed", "cas-failed"];

/// Rewrites failed compare-and-sets so that they say what they mean.
pub(super) fn apply(events: &mut [Event], meaning: FailedCas) {
    for event in events.iter_mut().filter(|event| event.kind == Kind::Fail && event.f == "cas") {
        match meaning {
            FailedCas::AsSaid => {}
            FailedCas::DidNotHappen => {
                event.actual = None;
                if event.error.as_deref() == Some(PRECONDITION) {
                    event.error = None;
                }
            }
            FailedCas::ValueDiffered => {
                let differed = event.error.as_deref().is_none_or(|error| SYNONYMS.contains(&error));
                if differed {
                    event.error = Some(PRECONDITION.to_owned());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::Process;

    fn failed(error: Option<&str>) -> Event {
        let mut event = Event::new(Process::Client(0), Kind::Fail, "cas");
        event.error = error.map(str::to_owned);
        event
    }

    #[test]
    fn only_a_failure_without_another_reason_can_mean_that_the_value_differed() {
        let mut events = [failed(None), failed(Some("did-not-succeed")), failed(Some("no-leader"))];
        apply(&mut events, FailedCas::ValueDiffered);
        let errors: Vec<_> = events.iter().map(|event| event.error.as_deref()).collect();
        assert_eq!(errors, [Some("precondition"), Some("precondition"), Some("no-leader")]);
    }

    #[test]
    fn a_failure_that_did_not_happen_says_nothing() {
        let mut events = [failed(Some("precondition"))];
        events[0].actual = Some(3.into());
        apply(&mut events, FailedCas::AsSaid);
        assert_eq!(events[0].actual, Some(3.into()));
        apply(&mut events, FailedCas::DidNotHappen);
        assert_eq!(events[0], failed(None));
    }
}
