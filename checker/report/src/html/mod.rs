//! `report.html`: the whole run on one page that needs no network and no script.

mod digests;
mod logs;
mod obligations;
pub(crate) mod page;
pub(crate) mod table;
mod tables;

use super::verdict::{Answer, RunVerdict, upper_first};
use maud::{Markup, html};

/// The page with these PNG files, which are some of [`PICTURES`](super::PICTURES).
pub(crate) fn report(verdict: &RunVerdict, pictures: &[(&'static str, Vec<u8>)]) -> Markup {
    let title = format!("{}: {}", verdict.spec, verdict.answer.word());
    page::page(
        &title,
        &html! {
            (header(verdict))
            (tables::recoveries(verdict))
            (tables::variants(verdict))
            section {
                h2 { "Pictures" }
                @for (name, png) in pictures {
                    @let what = page::caption(name);
                    (page::figure(what, png, &format!("{what} ({name})")))
                }
            }
            (tables::faults(verdict))
            (tables::checks(verdict))
            (page::how_to_read())
            (tables::origin(verdict))
        },
    )
}

/// The answer, and what must be read with it.
fn header(verdict: &RunVerdict) -> Markup {
    let word = verdict.answer.word();
    html! {
        header {
            p.spec { (verdict.spec) }
            h1.(word) {
                span.badge { (sign(verdict.answer)) " " (word) }
                " " (rest_of(&verdict.sentence))
            }
            @if !verdict.about.is_empty() {
                p.about { (verdict.about) }
            }
            @if let Some(reading) = &verdict.reading {
                p.reading { (reading) }
            }
            (obligations::warnings(verdict))
        }
    }
}

/// The sentence without its first word, which stands beside it as a badge.
fn rest_of(sentence: &str) -> String {
    upper_first(sentence.split_once(": ").map_or(sentence, |(_, rest)| rest))
}

/// A sign for an answer, for those who cannot tell its colour.
pub(crate) fn sign(answer: Answer) -> &'static str {
    match answer {
        Answer::Valid => "✓",
        Answer::Invalid => "✗",
        Answer::Unknown => "?",
        Answer::Failed => "!",
    }
}
