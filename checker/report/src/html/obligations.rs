//! The parts of the page that say what an answer rests on: warnings, and the table of obligations.

use super::table::{Column, Table};
use crate::obligations::Obligation;
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

/// What must have been seen before the checks of a variant count; nothing where [`of_rounds`] has it.
pub(super) fn table(verdict: &RunVerdict, variant: &VariantVerdict) -> Markup {
    if alike(verdict, variant).len() > 1 {
        return Markup::default();
    }
    let unmet = variant.obligations.iter().filter(|obligation| !obligation.met).count();
    folded(&[variant], &format!("{} not met", grouped(unmet as u64)), unmet > 0)
}

/// The same for the rounds of each variant that met all of theirs, in one table.
pub(super) fn of_rounds(verdict: &RunVerdict) -> Markup {
    let groups = verdict.variants.iter().map(|variant| (variant, alike(verdict, variant)));
    // Each group once: at its first round.
    let groups = groups.filter(|(variant, group)| group.len() > 1 && std::ptr::eq(*variant, group[0]));
    let tables: Vec<Markup> = groups
        .map(|(variant, group)| {
            folded(&group, &format!("all met in {} rounds of {}", group.len(), variant.of()), false)
        })
        .collect();
    html! {
        @if !tables.is_empty() {
            h3 { "Obligations of several rounds" }
            @for table in tables { (table) }
        }
    }
}

/// The rounds of a variant, itself among them, that have the same obligations and met them all; none if it did not.
fn alike<'a>(verdict: &'a RunVerdict, variant: &VariantVerdict) -> Vec<&'a VariantVerdict> {
    let is_alike = |round: &&VariantVerdict| {
        !round.obligations.is_empty()
            && round.of() == variant.of()
            && round.obligations.len() == variant.obligations.len()
            && round.obligations.iter().zip(&variant.obligations).all(|(one, other)| {
                one.met && other.met && (&one.check, &one.what) == (&other.check, &other.what)
            })
    };
    verdict.variants.iter().filter(is_alike).collect()
}

/// The obligations of these rounds, which are the same, with the ranges of what the rounds counted.
fn folded(rounds: &[&VariantVerdict], how_many: &str, is_open: bool) -> Markup {
    let first = &rounds[0].obligations;
    let mut columns = vec![
        ("check", Column::Left),
        ("what must have been seen", Column::Prose),
        ("seen", Column::Right),
        ("needed", Column::Right),
    ];
    if first.iter().any(|obligation| !obligation.missing.is_empty()) {
        columns.push(("missing", Column::Prose));
    }
    let mut table = Table::new(columns);
    for (index, obligation) in first.iter().enumerate() {
        let figures = |figure: fn(&Obligation) -> u64| {
            let all = || rounds.iter().map(|round| figure(&round.obligations[index]));
            let (least, most) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
            if least == most { grouped(least) } else { format!("{} – {}", grouped(least), grouped(most)) }
        };
        table.row([
            format!("{} {}", if obligation.met { "✓" } else { "?" }, obligation.check),
            obligation.what.clone(),
            figures(|obligation| obligation.counted),
            figures(|obligation| obligation.required),
            obligation.missing.join(", "),
        ]);
    }
    html! {
        @if !first.is_empty() {
            details open[is_open] {
                summary { (first.len()) " obligations, " (how_many) }
                (table)
            }
        }
    }
}
