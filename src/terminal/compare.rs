//! Output of a comparison: a table per subject, the conclusions, and the remarks that weaken them.

use super::layout::Figures;
use super::{BAD, DOUBT, FAINT, GOOD, STRONG, Screen};
use report::compare::{Comparison, Outcome, Pair, Row, percent};

/// Prints the comparison.
pub(crate) fn print(screen: &Screen, comparison: &Comparison) {
    for pair in &comparison.pairs {
        screen.line(&head(pair));
        screen.line(&table(pair, comparison.confidence).text(screen.columns()));
        for row in &pair.rows {
            if let Some(reason) = &row.reason {
                screen.line(&format!("  {FAINT}{}: no interval: {reason}{FAINT:#}", row.figure));
            }
        }
        screen.line("");
    }
    for (names, which) in [(&comparison.only_a, "A"), (&comparison.only_b, "B")] {
        if !names.is_empty() {
            screen.line(&format!("{DOUBT}only in {which}{DOUBT:#}: {}", names.join("; ")));
        }
    }
    for note in &comparison.notes {
        screen.line(&format!("{FAINT}{note}{FAINT:#}"));
    }
    let style = match comparison.outcome {
        Outcome::NoRegression => GOOD,
        Outcome::Regression => BAD,
        Outcome::TooLittleData => DOUBT,
    };
    screen.line(&format!("{style}{}{style:#}", comparison.sentence));
}

/// The subject, its rounds and answers, and its different random choices.
fn head(pair: &Pair) -> String {
    let (a, b) = (pair.a.name(), pair.b.name());
    let name = if a == b { b } else { format!("{a} → {b}") };
    let (rounds_a, rounds_b) = pair.rounds;
    let (answers_a, answers_b) = &pair.answers;
    let rounds =
        if rounds_a == rounds_b { rounds_a.to_string() } else { format!("{rounds_a} and {rounds_b}") };
    let answers =
        if answers_a == answers_b { answers_b.clone() } else { format!("{answers_a} → {answers_b}") };
    let answers = if pair.newly_broken { format!("{BAD}{answers}{BAD:#}") } else { answers };
    format!("{STRONG}{name}{STRONG:#}  rounds: {rounds}, {answers}; drawn again: {}", pair.drawn)
}

fn table(pair: &Pair, confidence: f64) -> Figures<'static> {
    // A heading lives as long as the table; only few confidence levels are used.
    let interval = match confidence {
        sure if (sure - 0.99).abs() < 1e-9 => "99 % interval",
        sure if (sure - 0.95).abs() < 1e-9 => "95 % interval",
        _ => "interval",
    };
    let header = vec!["figure", "A", "B", "change", "says", interval];
    let rows = pair.rows.iter().map(|row| {
        let range = row.interval.map(|(low, high)| format!("{} to {}", percent(low), percent(high)));
        vec![
            row.figure.name().to_owned(),
            row.figure.written(row.a),
            row.figure.written(row.b),
            row.ratio.map_or_else(|| "–".to_owned(), percent),
            says(row),
            range.unwrap_or_else(|| "–".to_owned()),
        ]
    });
    Figures { header, rows: rows.collect(), words: 1, names: 1 }
}

fn says(row: &Row) -> String {
    let word = row.change.word();
    if row.required { word.to_owned() } else { format!("({word})") }
}
