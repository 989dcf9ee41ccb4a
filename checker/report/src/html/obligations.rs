//! The parts of the page that say what an answer rests on: warnings, and the table of obligations.

use super::table::{Column, Table};
use crate::verdict::{RunVerdict, VariantVerdict, grouped};
use maud::{Markup, html};

/// The warnings, above everything else; nothing where there are none.
pub(super) fn warnings(verdict: &RunVerdict) -> Markup {
    let several = verdict.variants.len() > 1;
    html! {
        @for warning in &verdict.warnings {
            p.reading {
                strong { "Warning" } " (" (warning.name) "): "
                @if several { (warning.variant) ": " }
                (warning.text) "."
            }
        }
    }
}

/// What must have been seen before the checks of a variant count.
pub(super) fn table(variant: &VariantVerdict) -> Markup {
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
            format!("{met} {}", obligation.check),
            obligation.what.clone(),
            grouped(obligation.counted),
            grouped(obligation.required),
            obligation.missing.join(", "),
        ]);
    }
    let all = variant.obligations.len();
    let unmet = variant.obligations.iter().filter(|obligation| !obligation.met).count();
    html! {
        @if all > 0 {
            details open[unmet > 0] {
                summary { (all) " obligations, " (unmet) " not met" }
                (table)
            }
        }
    }
}
