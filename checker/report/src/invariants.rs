//! The check that the invariants of the protocol held: after every step of a simulated run, or over the traces of nodes.

use super::observed::Observed;
use super::plan::Invariants;
use super::sentences::listed;
use super::verdict::{Answer, Check, many};

const NAME: &str = "invariants";

/// What was seen of the invariants; none where the run was real and its nodes wrote no traces.
pub(crate) fn check(observed: &Observed) -> Option<Check> {
    observed.load.as_ref()?.invariants.as_ref().map(judge)
}

fn judge(Invariants { steps, traced, untraced, broken }: &Invariants) -> Check {
    match broken {
        Some(reason) => Check::new(NAME, Answer::Invalid, reason.clone()),
        None if !untraced.is_empty() => {
            Check::new(NAME, Answer::Unknown, format!("{} left no trace", listed(untraced)))
        }
        None if *traced => {
            let reason = format!("they hold over the traces of all nodes: {}", many(*steps, "event"));
            Check::new(NAME, Answer::Valid, reason).tried(*steps, "event")
        }
        None => Check::new(NAME, Answer::Valid, format!("they held after each of {}", many(*steps, "step")))
            .tried(*steps, "step"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Invariants, judge};

    #[test]
    fn missing_traces_prove_nothing() {
        let traced = Invariants { steps: 3, traced: true, ..Invariants::default() };
        assert_eq!(judge(&traced).answer, Answer::Valid);
        let untraced = vec!["n1".to_owned(), "n2".to_owned()];
        let check = judge(&Invariants { untraced: untraced.clone(), ..traced.clone() });
        assert_eq!((check.answer, check.reason.as_str()), (Answer::Unknown, "n1 and n2 left no trace"));
        let broken = Some("n3: it forgot".to_owned());
        assert_eq!(judge(&Invariants { untraced, broken, ..traced }).answer, Answer::Invalid);
    }
}
