//! What a comparison comes to, in sentences.

use super::side::{Group, Side};
use super::{Change, CompareOptions, Outcome, Pair};

/// A ratio as people read it: a change in per cent: `+12 %`; from the double on, a factor: `×2.4`.
pub fn percent(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    let digits = usize::from(percent.abs() < 9.95);
    if ratio >= 9.95 {
        format!("×{ratio:.0}")
    } else if ratio >= 1.995 {
        format!("×{ratio:.1}")
    } else if percent.abs() < 0.05 {
        "0 %".to_owned()
    } else {
        format!("{percent:+.digits$} %").replace('-', "−")
    }
}

/// The outcome, with the figures that decide it.
pub(super) fn sentence(
    outcome: Outcome,
    pairs: &[Pair],
    only_a: &[String],
    options: &CompareOptions,
) -> String {
    let named = |pair: &Pair| if pairs.len() > 1 { format!(" ({})", pair.b.variant) } else { String::new() };
    match outcome {
        Outcome::Regression => {
            let broken = pairs.iter().filter(|pair| pair.newly_broken);
            let mut parts: Vec<String> =
                broken.map(|pair| format!("a promise is broken that was kept{}", named(pair))).collect();
            let worse = pairs.iter().flat_map(|pair| pair.worse().map(move |row| (pair, row)));
            let worse: Vec<String> =
                worse.map(|(pair, row)| format!("{}{}", row.figure, named(pair))).collect();
            if !worse.is_empty() {
                parts.push(format!("worse by more than the threshold: {}", worse.join(", ")));
            }
            format!("Regression: {}.", parts.join("; "))
        }
        Outcome::TooLittleData => {
            let rows = pairs.iter().flat_map(|pair| pair.rows.iter().map(move |row| (pair, row)));
            let unclear = rows.filter(|(_, row)| row.required && row.change == Change::Unclear);
            let unclear: Vec<String> =
                unclear.map(|(pair, row)| format!("{}{}", row.figure, named(pair))).collect();
            let mut parts = Vec::new();
            let seems = pairs.iter().flat_map(|pair| pair.seems_worse().map(move |row| (pair, row)));
            let seems: Vec<String> =
                seems.map(|(pair, row)| format!("{}{}", row.figure, named(pair))).collect();
            if !seems.is_empty() {
                parts.push(format!(
                    "worse within these runs, which only rounds can prove: {}",
                    seems.join(", ")
                ));
            }
            if !unclear.is_empty() {
                parts.push(format!("unclear: {}", unclear.join(", ")));
            }
            if !only_a.is_empty() {
                parts.push(format!("missing in the second: {}", only_a.join("; ")));
            }
            if parts.is_empty() {
                parts.push("none of the required figures was measured".to_owned());
            }
            format!("Too little data to tell: {}.", parts.join("; "))
        }
        Outcome::NoRegression => {
            let sure = options.confidence * 100.0;
            let required: Vec<&str> = options.required.iter().map(|measure| measure.name()).collect();
            format!(
                "No regression: {} are not worse by more than the threshold ({sure:.0} % sure of each).",
                required.join(", ")
            )
        }
    }
}

/// What makes a comparison weaker than it looks.
pub(super) fn notes(a: &Side, b: &Side, pairs: &[(&Group, &Group)]) -> Vec<String> {
    let mut notes = Vec::new();
    let differ = |what: &str, a: &[String], b: &[String]| {
        (a != b).then(|| format!("The {what} differ: {} and {}.", a.join("; "), b.join("; ")))
    };
    notes.extend(differ("machines", &a.machines, &b.machines));
    notes.extend(differ("versions of the bench", &a.versions, &b.versions));
    for (a, b) in pairs {
        if let (Some(one), Some(other)) = (&a.load, &b.load)
            && one != other
        {
            notes.push(format!("The loads of {} differ: {one} and {other}.", b.subject.variant));
        }
    }
    if pairs.iter().any(|(a, b)| a.rounds.len() == 1 && b.rounds.len() == 1) {
        notes.push(
            "One round on each side: the intervals have the noise within a run, not that between one start and the next; \
             --rounds 5 has both."
                .to_owned(),
        );
    }
    notes
}
