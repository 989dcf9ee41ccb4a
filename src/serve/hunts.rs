//! The hunts of a folder: the number of runs, the findings, and links to their pages.

use super::Server;
use super::answer::{Answered, page as answered};
use super::folder::{Folder, encoded};
use super::pages::frame;
use super::route::not_found;
use crate::hunt::{Finding, Findings, HuntPlan, RunRecord};
use hyper::StatusCode;
use maud::{Markup, html};
use report::Answer;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The depth to which nested folders are searched.
const DEPTH: usize = 4;
/// The last runs that the page of a hunt lists.
const RUNS: usize = 200;

/// The current state of a hunt.
pub(super) struct HuntEntry {
    /// Its path in the folder.
    path: String,
    folder: PathBuf,
    plan: HuntPlan,
    findings: Vec<Finding>,
    runs: Vec<RunRecord>,
}

impl HuntEntry {
    /// Reads the hunt in a folder; none if it is no hunt. Incomplete lines are skipped.
    fn read(folder: &Folder, path: &Path) -> Option<Self> {
        let plan = HuntPlan::read(path).ok()?;
        let findings = Findings::open(path).map(|findings| findings.all().to_vec()).unwrap_or_default();
        let text = fs::read_to_string(path.join("runs.jsonl")).unwrap_or_default();
        let runs = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Some(Self { path: folder.path_of(path)?, folder: path.to_owned(), plan, findings, runs })
    }

    fn count(&self, answer: Answer) -> usize {
        self.runs.iter().filter(|run| run.answer == answer).count()
    }

    /// The time of the last added run.
    fn changed(&self) -> Option<SystemTime> {
        fs::metadata(self.folder.join("runs.jsonl")).ok()?.modified().ok()
    }

    /// The link to the report of a run in it; none if the run has none.
    fn report(&self, run: &str) -> Option<String> {
        let path = format!("{}/{run}", self.path);
        let there = self.folder.join(run).join("report.html").is_file();
        there.then(|| format!("/files/{}/report.html", encoded(&path)))
    }
}

/// All hunts of a folder, the most recent first.
pub(super) fn all(folder: &Folder) -> Vec<HuntEntry> {
    let mut hunts = Vec::new();
    search(folder, folder.root(), DEPTH, &mut hunts);
    hunts.sort_by_key(|hunt| std::cmp::Reverse(hunt.changed()));
    hunts
}

fn search(folder: &Folder, path: &Path, depth: usize, hunts: &mut Vec<HuntEntry>) {
    if path.join("hunt.json").is_file() {
        hunts.extend(HuntEntry::read(folder, path));
        return;
    }
    if depth == 0 || path.join("plan.json").is_file() {
        return;
    }
    let inside = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    for inside in inside.filter(|path| path.is_dir() && !path.is_symlink()) {
        search(folder, &inside, depth - 1, hunts);
    }
}

/// The hunts as a part of the list of results; empty if there are none.
pub(super) fn list(hunts: &[HuntEntry]) -> Markup {
    html! {
        @if !hunts.is_empty() {
            h2 { "Hunts" }
            div.wide tabindex="0" role="region" aria-label="Hunts" {
                table {
                    thead {
                        tr {
                            @for heading in ["hunt", "seed", "runs", "invalid", "findings"] { th scope="col" { (heading) } }
                        }
                    }
                    tbody {
                        @for hunt in hunts {
                            tr {
                                td { a href={ "/hunt/" (encoded(&hunt.path)) } { (hunt.plan.spec) } br; small { (hunt.path) } }
                                td { (hunt.plan.seed) }
                                td { (hunt.runs.len()) }
                                td { (hunt.count(Answer::Invalid)) }
                                td {
                                    @for finding in &hunt.findings { div { (finding.class.as_str()) } }
                                    @if hunt.findings.is_empty() { "none" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The page of a hunt.
pub(super) fn page(server: &Server, path: &str) -> Answered {
    let found = server.folder.find(path).filter(|found| found.is_dir());
    let Some(hunt) = found.and_then(|found| HuntEntry::read(&server.folder, &found)) else {
        return not_found();
    };
    let answers = [Answer::Valid, Answer::Invalid, Answer::Unknown, Answer::Failed];
    let counts = answers.map(|answer| format!("{} {}", hunt.count(answer), answer.word()));
    let content = html! {
        h1 { "Hunt of " (hunt.plan.spec) }
        p { (many(hunt.runs.len())) ": " (counts.join(", ")) }
        p.note {
            "seed " (hunt.plan.seed) " · bench " (hunt.plan.bench)
            @if hunt.plan.shards > 1 { " · part " (hunt.plan.shard) " of " (hunt.plan.shards) }
            " · faults drawn from: " (hunt.plan.faults.join(", "))
        }
        p { a href={ "/files/" (encoded(&hunt.path)) "/" } { "Files" } }
        h2 { "Findings" }
        @if hunt.findings.is_empty() { p { "No promise was broken so far." } }
        @for finding in &hunt.findings { (one(&hunt, finding)) }
        h2 { "Runs" }
        @if hunt.runs.len() > RUNS { p.note { "The last " (RUNS) " of " (hunt.runs.len()) "; all are in runs.jsonl." } }
        (runs(&hunt))
    };
    answered(StatusCode::OK, frame(&format!("Hunt of {}", hunt.plan.spec), &content))
}

/// A finding, with its pages and the command that reproduces it.
fn one(hunt: &HuntEntry, finding: &Finding) -> Markup {
    let own = format!("findings/{}", finding.number);
    let smaller = hunt.report(&format!("{own}/run"));
    let spec = format!("/files/{}/{own}/spec.toml", encoded(&hunt.path));
    let seen = finding.runs.iter().map(|run| (*run, hunt.report(&format!("runs/{run}"))));
    html! {
        section.finding {
            h3 { (finding.number) ". " (finding.class.as_str()) }
            p { (finding.reason) }
            dl {
                dt { "reports" }
                dd {
                    @if let Some(report) = &smaller { a href=(report) { "the smaller run" } " " }
                    @for (run, report) in seen {
                        @if let Some(report) = report { a href=(report) { "run " (run) } " " } @else { "run " (run) " " }
                    }
                }
                dt { "the same seed again" } dd { "violated " (finding.again) }
                @if let Some(share) = finding.smaller { dt { "made smaller" } dd { "violated " (share) } }
                dt { "show it again" }
                dd {
                    code { "bench run " (own) "/spec.toml --seed " (finding.seed) }
                    " in the folder of the hunt (" a href=(spec) { "spec.toml" } ")"
                }
            }
        }
    }
}

fn runs(hunt: &HuntEntry) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="Runs" {
            table {
                thead {
                    tr {
                        @for heading in ["run", "verdict", "seconds", "faults", "reason"] { th scope="col" { (heading) } }
                    }
                }
                tbody {
                    @for run in hunt.runs.iter().rev().take(RUNS) {
                        tr {
                            td {
                                @if let Some(report) = hunt.report(&format!("runs/{}", run.run)) {
                                    a href=(report) { (run.run) }
                                } @else { (run.run) }
                            }
                            td { span class={ "badge " (run.answer.word()) } { (run.answer.word()) } }
                            td { (run.seconds) }
                            td { (run.faults.join("; ")) }
                            td { (run.reason) }
                        }
                    }
                }
            }
        }
    }
}

fn many(runs: usize) -> String {
    format!("{runs} run{}", if runs == 1 { "" } else { "s" })
}
