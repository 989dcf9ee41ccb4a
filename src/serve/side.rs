//! Two runs side by side: differences beyond noise, and both reports.

use super::Server;
use super::answer::{Answered, page as answered};
use super::folder::encoded;
use super::pages::{frame, message};
use super::results::Entry;
use super::route::not_found;
use hyper::StatusCode;
use maud::{Markup, html};
use report::compare::{CompareOptions, Comparison, Pair, compare, percent};

/// The page, generated for each request.
pub(super) fn page(server: &Server, a: &str, b: &str) -> Answered {
    let found = [a, b].map(|path| {
        let found = server.folder.find(path)?;
        let entry = server.shelf.entry(&server.folder, &found)?;
        Some((found, entry))
    });
    let [Some((path_a, a)), Some((path_b, b))] = found else {
        if a.is_empty() || b.is_empty() {
            let text = "Choose one run as A and another as B in the list, then press the button.";
            return answered(StatusCode::BAD_REQUEST, message(text));
        }
        return not_found();
    };
    let compared = compare(&path_a, &path_b, &CompareOptions::default());
    let content = html! {
        h1 { (a.spec) " beside " (b.spec) }
        @match &compared {
            Ok(comparison) => { (table(comparison)) }
            Err(error) => { p { "They cannot be compared: " (error) } }
        }
        div.side {
            (beside("A", &a))
            (beside("B", &b))
        }
    };
    answered(StatusCode::OK, frame("Side by side", &content))
}

fn beside(name: &str, entry: &Entry) -> Markup {
    let report = format!("/files/{}/report.html", encoded(&entry.path));
    html! {
        section {
            h2 { (name) ": " a href={ "/run/" (encoded(&entry.path)) } { (entry.path) } }
            p { (entry.verdict) " · seed " (entry.seed) " · " (entry.started) }
            p { (entry.sentence) }
            iframe src=(report) title={ "Report of " (name) } sandbox="allow-scripts" loading="lazy" {}
        }
    }
}

fn table(comparison: &Comparison) -> Markup {
    html! {
        p { strong { (comparison.sentence) } }
        @for pair in &comparison.pairs { (figures(pair, comparison.confidence)) }
        @for note in &comparison.notes { p.note { (note) } }
    }
}

fn figures(pair: &Pair, confidence: f64) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label={ "Figures of " (pair.b.variant) } { (rows(pair, confidence)) }
    }
}

fn rows(pair: &Pair, confidence: f64) -> Markup {
    html! {
        table {
            caption { (pair.b.variant) ", drawn again: " (pair.drawn) }
            thead {
                tr {
                    @for heading in ["figure", "A", "B", "change"] { th scope="col" { (heading) } }
                    th scope="col" { (format!("{:.0} % interval", confidence * 100.0)) }
                    th scope="col" { "says" }
                }
            }
            tbody {
                @for row in &pair.rows {
                    tr {
                        th scope="row" { (row.figure.name()) }
                        td { (row.figure.written(row.a)) }
                        td { (row.figure.written(row.b)) }
                        td { (row.ratio.map_or_else(|| "–".to_owned(), percent)) }
                        td {
                            @match (row.interval, &row.reason) {
                                (Some((low, high)), _) => { (percent(low)) " to " (percent(high)) }
                                (None, Some(reason)) => { (reason) }
                                (None, None) => { "–" }
                            }
                        }
                        td { (row.change.word()) }
                    }
                }
            }
        }
    }
}
