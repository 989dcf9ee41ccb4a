//! `report.html` of a sweep: what came of it first, then the picture, the figures, and how to do it again.

use super::cells::short;
use super::{Measurement, SweepPlan, SweepReport, tables};
use crate::html::{page, sign};
use crate::plot::canvas::Canvas;
use crate::plot::{self, PictureOptions};
use crate::verdict::upper_first;
use maud::{Markup, html};

pub(super) fn page(report: &SweepReport, measurements: &[Measurement], canvas: &Canvas) -> Markup {
    let plan = &report.plan;
    let what = format!("The figures of each variant over {}", plan.over);
    let picture = plot::embedded(canvas, &what, canvas.png(&PictureOptions::default()));
    page::page(
        &format!("{} over {}", plan.spec, short(&plan.over)),
        &html! {
            (header(report))
            section {
                h2 { "Picture" }
                (page::figure(&what, &picture, "sweep.png"))
            }
            section {
                h2 { "Figures" }
                (tables::medians(plan, &report.cells))
                p.about {
                    "The same in " code { "sweep.csv" }
                    "; each measurement in " code { "measurements.csv" } "."
                }
                (tables::all(plan, measurements))
            }
            (how_to_read())
            (origin(plan))
        },
    )
}

/// What was measured, and what it says.
fn header(report: &SweepReport) -> Markup {
    let plan = &report.plan;
    let (measured, wanted) = report.measured;
    html! {
        header {
            p.spec { (plan.spec) }
            h1 { (upper_first(&plan.spec)) " over " (short(&plan.over)) (badge(report)) }
            @if !plan.about.is_empty() {
                p.about { (plan.about) }
            }
            @if measured < wanted {
                p.reading { "Interrupted: " (measured) " of " (wanted) " measurements were made." }
            }
            @for sentence in &report.reading {
                p.reading { (sentence) }
            }
        }
    }
}

/// The answer, where operations were judged.
fn badge(report: &SweepReport) -> Markup {
    let word = report.answer.word();
    html! {
        @if report.plan.recorded {
            " " span.badge.(word) { (sign(report.answer)) " " (word) }
        }
    }
}

/// What the figures of a sweep mean, the same on every page.
fn how_to_read() -> Markup {
    html! {
        section {
            h2 { "How to read this" }
            dl {
                dt { "operations/s" }
                dd {
                    "Operations that succeeded, a second, over all clients: the median of the rounds. Rounds \
                     alternate: in each, every variant is measured at every value before anything is measured \
                     again, so that what else the machine does hits all alike."
                }
                dt { "times" }
                dd {
                    "The same as a multiple of the variant it is compared with, at the same value in the same \
                     sweep."
                }
                dt { "p50, p99, p99.9, max" }
                dd {
                    "Half of the operations, 99 of 100, 999 of 1,000 and all of them took no longer, from the \
                     moment the client began to send to the end of the answer."
                }
                dt { "nodes' CPU for one" }
                dd { "Processor time of all nodes together, divided by the operations that succeeded." }
                dt { "memory of a node" }
                dd { "The most that any node ever held (VmHWM)." }
                dt { "not recorded" }
                dd {
                    "Operations were counted and timed, and nothing else: these figures say how fast a system is, \
                     not that it is right. "
                    code { "bench run" } " says that."
                }
            }
        }
    }
}

fn origin(plan: &SweepPlan) -> Markup {
    let values: Vec<_> = plan.values.iter().map(|value| format!("{} = {value}", plan.over)).collect();
    let rounds = if plan.rounds == 1 { " round" } else { " rounds" };
    html! {
        section {
            h2 { "Origin" }
            dl {
                dt { "measured" }
                dd { (plan.variants.join(", ")) " at " (values.join(", ")) ", " (plan.rounds) (rounds) }
                dt { "conditions" } dd { (conditions(plan)) }
                dt { "seed" } dd { (plan.seed) }
                dt { "started" } dd { (plan.started) }
                dt { "machine" } dd { (plan.machine) }
                dt { "version" } dd { "bench " (plan.bench) }
                dt { "do it again" } dd { code { (plan.command) } ", in this folder" }
                dt { "draw it again" } dd { code { "bench report ." } ", in this folder" }
            }
        }
    }
}

/// A line for each condition.
fn conditions(plan: &SweepPlan) -> Markup {
    html! {
        @for (index, condition) in plan.conditions.iter().enumerate() {
            @if index > 0 { br; }
            (condition)
        }
        @if plan.conditions.is_empty() { "–" }
    }
}
