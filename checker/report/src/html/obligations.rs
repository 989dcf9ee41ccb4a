//! The parts of the page that say what an answer rests on: warnings, and the table of obligations.

use super::escape;
use super::table::{Column, Table};
use crate::verdict::{RunVerdict, VariantVerdict, grouped};
use std::fmt::Write;

/// The warnings, above everything else; nothing where there are none.
pub(super) fn warnings(verdict: &RunVerdict) -> String {
    let mut html = String::new();
    for warning in &verdict.warnings {
        let of = if verdict.variants.len() > 1 {
            format!("{}: ", escape(&warning.variant))
        } else {
            String::new()
        };
        let _ = write!(
            html,
            "<p class=\"reading\"><strong>Warning</strong> ({}): {of}{}.</p>",
            escape(warning.name),
            escape(&warning.text)
        );
    }
    html
}

/// What must have been seen before the checks of a variant count.
pub(super) fn table(variant: &VariantVerdict) -> String {
    if variant.obligations.is_empty() {
        return String::new();
    }
    let unmet = variant.obligations.iter().filter(|obligation| !obligation.met).count();
    let open = if unmet > 0 { " open" } else { "" };
    let mut table = Table::new([
        ("check", Column::Left),
        ("what must have been seen", Column::Prose),
        ("seen", Column::Right),
        ("needed", Column::Right),
        ("missing", Column::Prose),
    ]);
    for obligation in &variant.obligations {
        let met = if obligation.met { "✓" } else { "?" };
        table.row([
            format!("{met} {}", escape(obligation.check)),
            escape(&obligation.what),
            grouped(obligation.counted),
            grouped(obligation.required),
            escape(&obligation.missing.join(", ")),
        ]);
    }
    let all = variant.obligations.len();
    let summary = format!("<details{open}><summary>{all} obligations, {unmet} not met</summary>");
    format!("{summary}{}</details>", table.finish())
}
