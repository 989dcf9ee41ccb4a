//! What is the same on every report: the frame, the style, the captions, how to read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What browsers may load for a page: nothing but the pictures and the style that it holds.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// A whole page with this title and content.
pub(crate) fn page(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE) "\n"
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) }
                // In a style sheet HTML knows no escapes. This one is a constant.
                style { (PreEscaped(STYLE)) }
            }
            body { main { (content) } }
        }
        "\n"
    }
}

/// A picture within the page.
pub(crate) fn figure(what: &str, png: &[u8], caption: &str) -> Markup {
    html! {
        figure {
            div.wide { img alt=(what) src={ "data:image/png;base64," (STANDARD.encode(png)) }; }
            figcaption { (caption) }
        }
    }
}

/// The caption of the picture of this name.
pub(super) fn caption(picture: &str) -> &'static str {
    match picture {
        "backoff.png" => {
            "Decisions, preemptions and adoptions a second, and the times in which nothing was decided"
        }
        "recovery.png" => "How each node came back: slots applied, from its own log and from its peers",
        "latency.png" => "Latency of each operation against the time it was due; faults shaded and named",
        "throughput.png" => "Operations that came back a second, by outcome",
        _ => "Share of the operations due that were answered within a time, variants over one another",
    }
}

/// The style sheet, for light and dark.
pub(crate) const STYLE: &str = "
:root{color-scheme:light dark;--ground:#fff;--soft:#f4f6f8;--line:#dde2e7;--text:#17202a;--grey:#54606c;
--valid:#00734f;--invalid:#b3261e;--unknown:#8a5a00;--failed:#6b2fa0}
@media(prefers-color-scheme:dark){:root{--ground:#14181d;--soft:#1c2229;--line:#343c46;--text:#e6eaee;--grey:#a4afba;
--valid:#5fd3a5;--invalid:#ff8a80;--unknown:#ffc166;--failed:#cda4ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:16px/1.55 system-ui,-apple-system,'Segoe UI',sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 24px 64px}
.spec{margin:0;color:var(--grey);font-size:14px;letter-spacing:.04em;text-transform:uppercase}
h1{font-size:26px;line-height:1.35;margin:6px 0 12px;font-weight:600}
h2{font-size:20px;margin:44px 0 12px;padding-bottom:6px;border-bottom:1px solid var(--line)}
h3{font-size:16px;margin:24px 0 8px}
.badge{display:inline-block;padding:2px 12px;border-radius:6px;color:var(--ground);font-size:20px;vertical-align:2px;margin-right:6px}
.valid .badge,.badge.valid{background:var(--valid)}.invalid .badge,.badge.invalid{background:var(--invalid)}
.unknown .badge,.badge.unknown{background:var(--unknown)}.failed .badge,.badge.failed{background:var(--failed)}
.badge.small{font-size:13px;padding:0 8px;vertical-align:0;margin:0}
.about{color:var(--grey);margin:0 0 8px}
.reading{border-left:4px solid var(--line);padding:4px 0 4px 16px;margin:16px 0;font-size:17px}
.wide{overflow-x:auto;margin-bottom:20px}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:7px 8px;border-bottom:1px solid var(--line);text-align:right;vertical-align:top;white-space:nowrap}
th{color:var(--grey);font-weight:600;white-space:normal;vertical-align:bottom}
th:first-child,td:first-child,td.left,th.left{text-align:left}
td.prose{white-space:normal;text-align:left;min-width:220px}
small{color:var(--grey);font-size:12px}
.recoveries{margin:0;padding-left:20px}
figure{margin:20px 0 28px}
img{width:100%;height:auto;border:1px solid var(--line);border-radius:8px;background:#fff}
figcaption{color:var(--grey);font-size:14px;margin-top:4px}
ul.evidence{margin:4px 0 0;padding-left:20px;color:var(--grey);font-size:14px;overflow-wrap:anywhere}
.check{margin:10px 0;padding:10px 14px;background:var(--soft);border-radius:8px}
.check p{margin:0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;font-size:15px}
summary{cursor:pointer}
dt{color:var(--grey)}dd{margin:0;overflow-wrap:anywhere}
@media(max-width:640px){main{padding:20px 14px 40px}h1{font-size:21px}.badge{font-size:16px}
thead{display:none}tr{display:block;border:1px solid var(--line);border-radius:8px;margin:0 0 12px;padding:6px 10px}
td,td.left{display:flex;justify-content:space-between;gap:16px;border:0;padding:3px 0;white-space:normal;text-align:right}
td::before{content:attr(data-label);color:var(--grey);text-align:left}td.prose{display:block}
td.prose::before{display:block}dl{grid-template-columns:1fr;gap:2px}dd{margin:0 0 10px}
figure img{width:900px;max-width:none}.check{padding:10px}.reading{padding-left:12px;font-size:16px}}
code{overflow-wrap:anywhere;font:14px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--soft);padding:1px 5px;border-radius:4px}
";

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
