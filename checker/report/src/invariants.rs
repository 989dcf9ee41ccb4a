//! The check of a simulated run that the protocol's invariants held after every step.

use super::observed::Observed;
use super::plan::Invariants;
use super::verdict::{Answer, Check, many};

/// What was seen of the invariants; none where the run was real, for its insides cannot be seen.
pub(crate) fn check(observed: &Observed) -> Option<Check> {
    const NAME: &str = "invariants";
    let Invariants { steps, broken } = observed.load.as_ref()?.invariants.as_ref()?;
    Some(match broken {
        Some(reason) => Check::new(NAME, Answer::Invalid, reason.clone()),
        None => Check::new(NAME, Answer::Valid, format!("they held after each of {}", many(*steps, "step")))
            .tried(*steps, "step"),
    })
}
