//! `report.html`: the whole run on one page that needs no network; without JavaScript it shows all but the timeline.

mod digests;
mod facts;
mod first;
mod logs;
mod obligations;
pub(crate) mod page;
mod picture;
mod run;
mod script;
mod story;
pub(crate) mod table;
mod tables;

use super::observed::Observed;
use super::plan::Plan;
use super::plot::Embedded;
use super::verdict::{Answer, RunVerdict, VariantVerdict};
use maud::{Markup, PreEscaped, html};
use run::RunData;
use std::path::Path;

/// What a page takes from the operations of a run, so that they need not be kept for it.
pub(crate) struct Timelines {
    data: Vec<RunData>,
    story: Markup,
}

/// The timeline of each variant of a spec, of its first invalid round or else of the one that the pictures show; and the
/// violation that the page tells.
pub(crate) fn timelines(dir: &Path, observed: &[Observed], verdict: &RunVerdict) -> Timelines {
    let seen_of = |name: &str| observed.iter().find(|seen| seen.plan.name == name);
    let shown: Vec<(&VariantVerdict, &Observed)> = verdict
        .medians
        .iter()
        .filter_map(|medians| {
            let mut rounds = verdict.variants.iter().filter(|variant| variant.of() == medians.variant);
            let invalid = rounds.clone().find(|variant| variant.answer == Answer::Invalid);
            let variant = invalid.or_else(|| rounds.find(|variant| variant.variant == medians.shown))?;
            Some((variant, seen_of(&variant.variant)?))
        })
        .collect();
    let data = shown
        .iter()
        .filter_map(|(variant, seen)| run::data(&dir.join(&variant.variant), seen, variant, shown.len()));
    let worst = verdict.variants.iter().filter(|_| verdict.answer != Answer::Valid);
    let worst = worst.into_iter().find(|variant| variant.answer == verdict.answer);
    let told = worst.and_then(|variant| Some((variant, seen_of(&variant.variant)?)));
    Timelines {
        data: data.collect(),
        story: told.map_or_else(Markup::default, |(variant, seen)| story::section(verdict, variant, seen)),
    }
}

/// The page with these pictures, which are some of [`PICTURES`](super::PICTURES), and [`CAUSE`](crate::plot::CAUSE).
pub(crate) fn report(
    plan: &Plan,
    verdict: &RunVerdict,
    timelines: &Timelines,
    pictures: &[(&'static str, Embedded)],
) -> Markup {
    let title = format!("{}: {}", verdict.spec, verdict.answer.word());
    let content = html! {
        (first::header(verdict, plan))
        (contents(verdict, timelines))
        (timelines.story)
        (first::rests_on(verdict))
        (tables::recoveries(verdict))
        (timeline(timelines))
        (tables::variants(verdict))
        section #pictures {
            h2 { "Pictures" }
            @for (name, picture) in pictures {
                @let what = page::caption(name);
                (page::figure(what, picture, &format!("{what} ({name})")))
            }
        }
        (tables::faults(verdict))
        (tables::checks(verdict))
        (page::how_to_read())
        (tables::origin(verdict))
    };
    if timelines.data.is_empty() {
        return page::page(&title, &content);
    }
    let script = script::script();
    let data = html! {
        @for data in &timelines.data {
            // Letters, digits and quotes: no `<` that could end it.
            script.run-data type="application/json" data-name=(data.name) { (PreEscaped(&data.json)) }
        }
        script { (PreEscaped(&script)) }
    };
    page::page_with(&title, &content, &data, &script::policy(&script))
}

/// Links to the sections of the page.
fn contents(verdict: &RunVerdict, timelines: &Timelines) -> Markup {
    let told = !timelines.story.0.is_empty();
    let sections = [
        ("violation", story::heading(verdict.answer), told),
        ("rests", "What this rests on", true),
        ("run", "The run", !timelines.data.is_empty()),
        ("figures", "Figures", true),
        ("pictures", "Pictures", true),
        ("faults", "Faults", true),
        ("checks", "Checks", true),
        ("origin", "Origin", true),
    ];
    html! {
        nav.contents aria-label="Sections of this page" {
            @for (id, name, _) in sections.iter().filter(|(.., there)| *there) {
                a href={ "#" (id) } { (name) }
            }
        }
    }
}

/// Where the program draws the run.
fn timeline(timelines: &Timelines) -> Markup {
    html! {
        @if !timelines.data.is_empty() {
            section #run {
                h2 { "The run" }
                noscript {
                    p.about { "The timeline needs JavaScript. Everything else on this page does not." }
                }
                @for data in timelines.data.iter().filter(|data| data.shown.0 < data.shown.1 as u64) {
                    p.about {
                        (data.name) ": the timeline shows " (data.shown.0) " of " (data.shown.1)
                        " operations: all that are fail or info, and an even share of the others."
                    }
                }
                div #timeline {}
            }
        }
    }
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
