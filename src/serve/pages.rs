//! The pages of the server: the list, a run, the files of a folder. They work without scripts.

use super::folder::{Folder, encoded};
use super::hunts::{self, HuntEntry};
use super::live::Progress;
use super::results::{Entry, Filter};
use maud::{DOCTYPE, Markup, html};
use report::PICTURES;
use std::collections::BTreeSet;
use std::path::Path;

/// Largest number of rows in the list; the filter finds the rest.
const SHOWN: usize = 500;

/// The style of all pages, for light and dark.
pub(super) const STYLE: &str = include_str!("style.css");

/// A complete page.
pub(super) fn frame(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · bench" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                header { nav { a href="/" { "All results" } " " a href="/files/" { "Files" } } }
                main { (content) }
            }
        }
    }
}

/// A page with one sentence.
pub(super) fn message(text: &str) -> Markup {
    frame("bench", &html! { p { (text) } p { a href="/" { "All results" } } })
}

/// The list of all results that match the filter.
pub(super) fn list(entries: &[Entry], filter: &Filter, hunts: &[HuntEntry]) -> Markup {
    let shown: Vec<&Entry> = entries.iter().filter(|entry| filter.lets(entry)).collect();
    let content = html! {
        h1 { "Results" }
        (filters(entries, filter))
        p { (shown.len()) " of " (entries.len()) " runs and sweeps" }
        form action="/side" method="get" {
            div.wide {
                table {
                    thead {
                        tr {
                            @for heading in ["verdict", "spec", "system", "started", "seed", "version", "A", "B"] {
                                th scope="col" { (heading) }
                            }
                        }
                    }
                    tbody { @for entry in shown.iter().take(SHOWN) { (row(entry)) } }
                }
            }
            @if shown.len() > SHOWN { p { "and " (shown.len() - SHOWN) " more: narrow the filter" } }
            @if !shown.is_empty() { button { "A and B side by side" } }
        }
        (hunts::list(hunts))
    };
    frame("Results", &content)
}

fn row(entry: &Entry) -> Markup {
    html! {
        tr {
            td { span class={ "badge " (entry.verdict) } { (entry.verdict) } }
            td { a href={ "/run/" (encoded(&entry.path)) } title=(entry.sentence) { (entry.spec) } }
            td { (entry.system) }
            td { time datetime=(entry.started) { (entry.started.replace('T', " ").replace('Z', "")) } }
            td { (entry.seed) }
            td { (entry.version) }
            @for side in ["a", "b"] {
                td {
                    input type="radio" name=(side) value=(entry.path) aria-label={ (entry.path) " as " (side.to_uppercase()) };
                }
            }
        }
    }
}

fn filters(entries: &[Entry], filter: &Filter) -> Markup {
    let all = |of: fn(&Entry) -> &str| -> BTreeSet<String> {
        let words = entries.iter().flat_map(|entry| of(entry).split(", "));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    html! {
        form.filter action="/" method="get" {
            (select("spec", &all(|entry| &entry.spec), &filter.spec))
            (select("system", &all(|entry| &entry.system), &filter.system))
            (select("version", &all(|entry| &entry.version), &filter.version))
            (select("verdict", &all(|entry| &entry.verdict), &filter.verdict))
            label { "from " input type="date" name="from" value=(filter.from); }
            label { "to " input type="date" name="to" value=(filter.to); }
            button { "Show" }
            " " a href="/" { "all" }
        }
    }
}

fn select(name: &str, words: &BTreeSet<String>, chosen: &str) -> Markup {
    html! {
        label {
            (name) " "
            select name=(name) {
                option value="" { "any" }
                @for word in words { option value=(word) selected[word == chosen] { (word) } }
            }
        }
    }
}

/// A run or sweep: its verdict, its pictures, its files, and its progress.
pub(super) fn run(entry: &Entry, folder: &Path, progress: Option<&Progress>) -> Markup {
    let files = format!("/files/{}", encoded(&entry.path));
    let there = |name: &&&str| folder.join(name).is_file();
    let pictures: Vec<&&str> = PICTURES.iter().chain(&["sweep.png"]).filter(there).collect();
    let content = html! {
        h1 { span class={ "badge " (entry.verdict) } { (entry.verdict) } " " (entry.spec) }
        p { (entry.sentence) }
        p.note {
            "seed " (entry.seed) " · " (entry.started) " · bench " (entry.version)
            @if !entry.system.is_empty() { " · " (entry.system) }
        }
        @if let Some(progress) = progress { (going_on(entry, progress)) }
        p {
            @if folder.join("report.html").is_file() { a href={ (files) "/report.html" } { "Report" } " · " }
            a href={ (files) "/" } { "Files" }
            @for variant in &entry.variants {
                @if folder.join(variant).is_dir() { " · " a href={ (files) "/" (encoded(variant)) "/" } { (variant) } }
            }
        }
        @for picture in pictures {
            figure { a href={ (files) "/" (picture) } { img src={ (files) "/" (picture) } alt=(picture) loading="lazy"; } }
        }
    };
    frame(&entry.spec, &content)
}

/// The part of the page that changes during a run.
fn going_on(entry: &Entry, progress: &Progress) -> Markup {
    let faults = if progress.faults.is_empty() { "none".to_owned() } else { progress.faults.join(", ") };
    let rows = [
        ("variant", progress.variant.clone()),
        ("phase", progress.phase.clone()),
        ("seconds", format!("{:.1}", progress.seconds)),
        ("ok", progress.ok.to_string()),
        ("fail", progress.fail.to_string()),
        ("info", progress.info.to_string()),
        ("open", progress.open.to_string()),
        ("rate", progress.rate.to_string()),
        ("faults", faults),
        ("silent_s", progress.silent_s.to_string()),
    ];
    let named = |name: &str| {
        match name {
            "ok" => "succeeded",
            "fail" => "failed",
            "info" => "outcome unknown",
            "open" => "under way",
            "rate" => "successes in the last second",
            "faults" => "faults in force",
            "silent_s" => "seconds since the history grew",
            other => other,
        }
        .to_owned()
    };
    html! {
        section id="live" data-events={ "/events/" (encoded(&entry.path)) } {
            h2 { "While it goes on" }
            p id="live-state" role="status" {
                noscript { "Load this page again to see more." }
            }
            dl { @for (name, value) in &rows { dt { (named(name)) } dd id={ "live-" (name) } { (value) } } }
            p id="live-verdict" {}
        }
        script src="/live.js" defer {}
    }
}

/// The content of a folder; links that lead out of it are omitted.
pub(super) fn files(all: &Folder, path: &str, folder: &Path) -> Markup {
    let mut inside: Vec<(String, bool, u64)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let metadata = std::fs::metadata(all.find(&format!("{path}/{name}"))?).ok()?;
            Some((name, metadata.is_dir(), metadata.len()))
        })
        .collect();
    inside.sort();
    let content = html! {
        h1 { @if path.is_empty() { "Files" } @else { (path) } }
        table {
            thead { tr { th scope="col" { "name" } th scope="col" { "bytes" } } }
            tbody {
                @if !path.is_empty() { tr { td { a href="../" { "one up" } } td {} } }
                @for (name, is_folder, length) in &inside {
                    tr {
                        td {
                            @if *is_folder { a href={ "./" (encoded(name)) "/" } { (name) "/" } }
                            @else { a href={ "./" (encoded(name)) } { (name) } }
                        }
                        td { @if !*is_folder { (length) } }
                    }
                }
            }
        }
    };
    frame("Files", &content)
}
