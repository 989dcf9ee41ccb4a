//! The part of the page about patterns that were looked for in the logs.

use super::table::{Column, Table};
use crate::verdict::{VariantVerdict, grouped};
use history::LogRule;
use maud::{Markup, html};

/// Each pattern with the number of lines that matched it, and the first of them; empty where there is no pattern.
pub(super) fn table(variant: &VariantVerdict) -> Markup {
    let mut table = Table::new([
        ("logs", Column::Left),
        ("pattern", Column::Prose),
        ("lines", Column::Right),
        ("first line", Column::Prose),
    ]);
    for pattern in &variant.logs {
        let sign = match (pattern.rule, pattern.count) {
            (LogRule::Never, 0) | (LogRule::Sometimes, 1..) => "✓",
            (LogRule::Never, 1..) => "✗",
            (LogRule::Sometimes, 0) => "?",
        };
        let first = pattern.lines.first();
        table.row([
            format!("{sign} {}", pattern.rule.word()),
            pattern.pattern.clone(),
            grouped(pattern.count),
            first.map_or_else(String::new, |line| format!("{}, {}: {}", line.node, line.file, line.line)),
        ]);
    }
    html! {
        @if !variant.logs.is_empty() { (table) }
    }
}
