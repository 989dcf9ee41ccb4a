//! The part of the page about digests of the nodes' states.

use super::table::{Column, Table};
use crate::verdict::VariantVerdict;
use maud::{Markup, html};

/// What each node answered, each time that all were asked; empty where they were not.
pub(super) fn table(variant: &VariantVerdict) -> Markup {
    let mut table = Table::new([
        ("digests", Column::Left),
        ("node", Column::Left),
        ("position", Column::Right),
        ("digest", Column::Prose),
    ]);
    for round in &variant.digests {
        let differing = round.differing();
        for node in &round.nodes {
            let sign = match node.state() {
                Some((position, _)) if differing.contains(position) => "✗",
                Some(_) => "✓",
                None => "?",
            };
            let digest = node.digest.clone().or_else(|| node.error.clone());
            table.row([
                format!("{sign} {}", round.when),
                node.node.clone(),
                node.position.clone().unwrap_or_default(),
                digest.unwrap_or_default(),
            ]);
        }
    }
    html! {
        @if !variant.digests.is_empty() { (table) }
    }
}
