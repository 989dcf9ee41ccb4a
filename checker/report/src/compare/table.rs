//! A comparison as CSV.

use super::{Comparison, Pair, Row};

const HEADER: [&str; 16] = [
    "spec",
    "point",
    "variant_a",
    "variant_b",
    "figure",
    "unit",
    "a",
    "b",
    "ratio",
    "low",
    "high",
    "change",
    "required",
    "rounds_a",
    "rounds_b",
    "drawn",
];

pub(super) fn csv(comparison: &Comparison) -> Vec<u8> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(HEADER).expect("a row can be written to memory");
    for pair in &comparison.pairs {
        for row in &pair.rows {
            csv.write_record(record(pair, row)).expect("a row can be written to memory");
        }
    }
    csv.into_inner().expect("rows can be written to memory")
}

fn record(pair: &Pair, row: &Row) -> [String; 16] {
    let number = |value: f64| format!("{value:.4}");
    let optional = |value: Option<f64>| value.map_or_else(String::new, number);
    let point = pair.b.point.as_ref().map(|(key, value)| format!("{key}={value}")).unwrap_or_default();
    [
        pair.b.spec.clone(),
        point,
        pair.a.variant.clone(),
        pair.b.variant.clone(),
        row.figure.to_string(),
        row.figure.unit().to_owned(),
        number(row.a),
        number(row.b),
        optional(row.ratio),
        optional(row.interval.map(|interval| interval.0)),
        optional(row.interval.map(|interval| interval.1)),
        row.change.word().to_owned(),
        row.required.to_string(),
        pair.rounds.0.to_string(),
        pair.rounds.1.to_string(),
        pair.drawn.clone(),
    ]
}
