//! What is the same on every report: the frame, the style, the captions, how to read it.

use crate::plot::Embedded;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What browsers may load for a page: nothing but the pictures and the style that it holds.
pub(super) const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// A whole page with this title and content, without a program.
pub(crate) fn page(title: &str, content: &Markup) -> Markup {
    page_with(title, content, &Markup::default(), POLICY)
}

/// A whole page with this title and content, a program with its data at its end, and what browsers may run of it.
pub(super) fn page_with(title: &str, content: &Markup, program: &Markup, policy: &str) -> Markup {
    html! {
        (DOCTYPE) "\n"
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy);
                title { (title) }
                // In a style sheet HTML knows no escapes. This one is a constant.
                style { (PreEscaped(STYLE)) }
            }
            body { main { (content) } (program) }
        }
        "\n"
    }
}

/// A picture within the page.
pub(crate) fn figure(label: &str, picture: &Embedded, caption: &str) -> Markup {
    html! {
        figure {
            div.wide {
                @match picture {
                    // The writer of the SVG escapes the words in it.
                    Embedded::Svg(svg) => (PreEscaped(svg)),
                    Embedded::Png(png) => img alt=(label) src={ "data:image/png;base64," (STANDARD.encode(png)) };
                }
            }
            figcaption { (caption) }
        }
    }
}

/// The caption of the picture of this name.
pub(crate) fn caption(picture: &str) -> &'static str {
    match picture {
        "backoff.png" => {
            "Decisions, preemptions and adoptions a second, and the times in which nothing was decided"
        }
        crate::plot::CAUSE => {
            "When it was decided: the share of runs that break the promise if everything after a moment is drawn anew"
        }
        "recovery.png" => "How each node came back: slots applied, from its own log and from its peers",
        "latency.png" => "Latency of each operation against the time it was due; faults shaded and named",
        "throughput.png" => "Operations that came back a second, by outcome",
        _ => "Share of the operations due that were answered within a time, variants over one another",
    }
}

/// The style sheet, for light and dark.
pub(crate) const STYLE: &str =
    concat!(include_str!("../../page/page.css"), include_str!("../../page/run.css"));

/// The terms of a page and what they mean, the same on every page.
const TERMS: [(&str, &str); 14] = [
    (
        "valid",
        "Every promise was kept, the load was real, and every planned fault left evidence that it took \
         effect.",
    ),
    ("invalid", "A promise was broken. The check that says so names the operations."),
    (
        "unknown",
        "There is not enough evidence: the load was too small, a fault did not take effect, or a search \
         gave up.",
    ),
    ("failed", "The bench itself could not do its work; nothing is said about the system."),
    (
        "ok, refused, fail, info",
        "It happened; a compare-and-set found another value, which is an answer; it certainly did not \
         happen; it may have happened or not. Counts, rates and quantiles are about operations begun in the phases load \
         and recovery.",
    ),
    (
        "times",
        "In tables, pictures and sentences: seconds since the load began. In the files: nanoseconds since \
         the run's start; load_start_ns in summary.csv is when the load began.",
    ),
    (
        "latency",
        "From when an operation was due (open loop) or sent (closed loop) to its answer. Quantiles in the \
         table are over answered operations: ok and refused. The curve counts all operations due, so it \
         ends where answers end.",
    ),
    (
        "outage",
        "The longest time without an ok that touches the time from a fault's start until the next fault \
         after its heal.",
    ),
    (
        "recovered",
        "From then on, for half a second, at least 80 % as many ok a second as before the first fault. It \
         is always counted from the heal; 0 means that it did not need the heal.",
    ),
    (
        "level",
        "The node has applied what the furthest replica had when it came back. A node of the bench's own \
         store counts this from its start; others are watched twenty times a second.",
    ),
    (
        "backlog drained",
        "From then on every operation was sent at most 100 ms after it was due (open loop only).",
    ),
    (
        "livelock",
        "Leaders were preempted more often than anything was decided: each new ballot ends that of another \
         leader before it gets anything done.",
    ),
    ("standstill", "A time of 200 ms or longer in which nothing was decided."),
    (
        "decided, preemptions, adoptions",
        "What the nodes count, as sampled: slots applied by the furthest replica, leaders preempted by a \
         higher ballot, leaders adopted by a majority.",
    ),
];

/// How to read the page.
pub(super) fn how_to_read() -> Markup {
    html! {
        section {
            h2 { "How to read this" }
            dl {
                @for (term, meaning) in TERMS {
                    dt { (term) }
                    dd { (meaning) }
                }
            }
        }
    }
}
