//! `report.html` of a sweep: what came of it first, then the picture, the figures, and how to do it again.

use super::cells::short;
use super::{Measurement, SweepReport, tables};
use crate::html::page::STYLE;
use crate::html::{base64, escape};
use crate::verdict::{Answer, upper_first};
use std::fmt::Write;

/// What the figures of a sweep mean. Holds nothing of a sweep.
const HOW_TO_READ: &str = "<section><h2>How to read this</h2><dl>
<dt>operations/s</dt><dd>Operations that succeeded, a second, over all clients: the median of the rounds. Rounds alternate: in each, every
variant is measured at every value before anything is measured again, so that what else the machine does hits all alike.</dd>
<dt>times</dt><dd>The same as a multiple of the variant it is compared with, at the same value in the same sweep.</dd>
<dt>p50, p99, p99.9, max</dt><dd>Half of the operations, 99 of 100, 999 of 1,000 and all of them took no longer, from the moment the
client began to send to the end of the answer.</dd>
<dt>nodes' CPU for one</dt><dd>Processor time of all nodes together, divided by the operations that succeeded.</dd>
<dt>memory of a node</dt><dd>The most that any node ever held (VmHWM).</dd>
<dt>not recorded</dt><dd>Operations were counted and timed, and nothing else: these figures say how fast a system is, not that it is right.
<code>bench run</code> says that.</dd>
</dl></section>";

pub(super) fn page(report: &SweepReport, measurements: &[Measurement], png: &[u8]) -> String {
    let plan = &report.plan;
    let mut html = String::with_capacity(png.len() * 4 / 3 + 20_000);
    let spec = escape(&plan.spec);
    // A `String` takes every write, here and below.
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\
         <title>{spec} over {over}</title><style>{STYLE}</style></head><body><main>\
         <header><p class=\"spec\">{spec}</p><h1>{} over {over}{}</h1>",
        escape(&upper_first(&plan.spec)),
        badge(report),
        over = escape(short(&plan.over)),
    );
    if !plan.about.is_empty() {
        let _ = write!(html, "<p class=\"about\">{}</p>", escape(&plan.about));
    }
    let (measured, wanted) = report.measured;
    if measured < wanted {
        let _ = write!(
            html,
            "<p class=\"reading\">Interrupted: {measured} of {wanted} measurements were made.</p>"
        );
    }
    for sentence in &report.reading {
        let _ = write!(html, "<p class=\"reading\">{}</p>", escape(sentence));
    }
    let _ = write!(
        html,
        "</header><section><h2>Picture</h2><figure><div class=\"wide\"><img alt=\"The figures of each variant over {over}\" \
         src=\"data:image/png;base64,{}\"></div><figcaption>sweep.png</figcaption></figure></section>",
        base64(png),
        over = escape(&plan.over),
    );
    html.push_str("<section><h2>Figures</h2>");
    html.push_str(&tables::medians(plan, &report.cells));
    html.push_str("<p class=\"about\">The same in <code>sweep.csv</code>; each measurement in <code>measurements.csv</code>.</p>");
    html.push_str(&tables::all(plan, measurements));
    html.push_str("</section>");
    html.push_str(HOW_TO_READ);
    html.push_str(&origin(report));
    html.push_str("</main></body></html>\n");
    html
}

/// The answer, where operations were judged.
fn badge(report: &SweepReport) -> String {
    if !report.plan.recorded {
        return String::new();
    }
    let (word, sign) = match report.answer {
        Answer::Valid => ("valid", "✓"),
        Answer::Invalid => ("invalid", "✗"),
        Answer::Unknown => ("unknown", "?"),
        Answer::Failed => ("failed", "!"),
    };
    format!(" <span class=\"badge {word}\">{sign} {word}</span>")
}

fn origin(report: &SweepReport) -> String {
    let plan = &report.plan;
    let conditions: Vec<String> = plan.conditions.iter().map(|text| escape(text)).collect();
    format!(
        "<section><h2>Origin</h2><dl><dt>measured</dt><dd>{}</dd><dt>conditions</dt><dd>{}</dd><dt>seed</dt><dd>{}</dd>\
         <dt>started</dt><dd>{}</dd><dt>machine</dt><dd>{}</dd><dt>version</dt><dd>bench {}</dd>\
         <dt>do it again</dt><dd><code>{}</code>, in this folder</dd>\
         <dt>draw it again</dt><dd><code>bench report .</code>, in this folder</dd></dl></section>",
        escape(&format!(
            "{} at {}, {} {}",
            plan.variants.join(", "),
            plan.values.iter().map(|value| format!("{} = {value}", plan.over)).collect::<Vec<_>>().join(", "),
            plan.rounds,
            if plan.rounds == 1 { "round" } else { "rounds" },
        )),
        if conditions.is_empty() { "–".to_owned() } else { conditions.join("<br>") },
        plan.seed,
        escape(&plan.started),
        escape(&plan.machine),
        escape(&plan.bench),
        escape(&plan.command),
    )
}
