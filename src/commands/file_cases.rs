//! The answers of `bench check` as cases for other programs: a suite for each file.

use super::check_report::CheckReport;
use crate::ci::{Case, Results, State, Suite};
use crate::exit::Exit;
use report::Answer;
use std::path::Path;

/// A file with its answer.
pub(super) fn suite(file: &Path, report: &CheckReport, remarks: Vec<String>) -> Suite {
    let case = Case {
        name: report.check.to_owned(),
        check: report.check.to_owned(),
        state: report.answer.into(),
        reason: report.reason.clone(),
        evidence: report.evidence.clone(),
    };
    of(file, case, remarks)
}

/// A file that could not be read.
pub(super) fn unreadable(file: &Path, reason: &str) -> Suite {
    let case = Case {
        name: "readable".to_owned(),
        check: "readable".to_owned(),
        state: State::Error(Answer::Failed),
        reason: reason.to_owned(),
        evidence: Vec::new(),
    };
    of(file, case, Vec::new())
}

fn of(file: &Path, case: Case, remarks: Vec<String>) -> Suite {
    let file = file.display().to_string();
    Suite { name: file.clone(), file, line: 1, seconds: 0.0, cases: vec![case], remarks }
}

/// All files.
pub(super) fn results(suites: Vec<Suite>, exit: Exit) -> Results {
    let cases = || suites.iter().flat_map(|suite| &suite.cases);
    let count = |wanted: State| cases().filter(|case| case.state == wanted).count();
    let (files, invalid, valid) = (suites.len(), count(State::Failed), count(State::Passed));
    let rows = suites.iter().flat_map(|suite| &suite.cases).zip(&suites);
    let row = |(case, suite): (&Case, &Suite)| {
        vec![suite.file.clone(), case.name.clone(), case.state.word().to_owned()]
    };
    Results {
        name: "bench check".to_owned(),
        answer: format!("{valid} of {files} valid"),
        sentence: format!("{invalid} invalid, {} without an answer.", files - valid - invalid),
        started: None,
        figures: (vec!["file", "check", "answer"], rows.map(row).collect()),
        properties: Vec::new(),
        exit: exit.code(),
        suites,
    }
}
