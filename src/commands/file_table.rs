//! The table of `bench check` on many files: a line for each, and the count of each answer.

use super::check::Checked;
use crate::exit::Exit;
use crate::terminal::{BAD, STRONG, Screen, summary};
use anstyle::Style;
use comfy_table::{CellAlignment, Table, presets};
use report::Answer;
use std::fmt::Write as _;
use std::path::Path;

/// The column of the counts of operations.
const OPERATIONS: usize = 2;

/// Collects the lines.
#[derive(Default)]
pub(super) struct FileTable {
    rows: Vec<[String; 5]>,
    /// The answer of each row; none if the file could not be read.
    answers: Vec<Option<Answer>>,
}

impl FileTable {
    /// Adds a file with its report.
    pub(super) fn add(&mut self, checked: &Checked) {
        self.rows.push([
            checked.report.answer.word().to_owned(),
            checked.file.display().to_string(),
            checked.history.operations.len().to_string(),
            checked.history.model.clone(),
            checked.report.reason.clone(),
        ]);
        self.answers.push(Some(checked.report.answer));
    }

    /// Adds a file that could not be read; the reason is printed below the table.
    pub(super) fn unreadable(&mut self, file: &Path) {
        let [verdict, file] = ["unreadable".to_owned(), file.display().to_string()];
        self.rows.push([verdict, file, String::new(), String::new(), String::new()]);
        self.answers.push(None);
    }

    /// Prints it: a line for each file, or two where these would be too wide.
    pub(super) fn print(&self, screen: &Screen) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["verdict", "file", "operations", "model", "why"]);
        for row in &self.rows {
            table.add_row(row);
        }
        if let Some(column) = table.column_mut(OPERATIONS) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let widths = table.column_max_content_widths();
        if widths.iter().map(|width| usize::from(*width) + 2).sum::<usize>() > screen.columns() {
            self.print_narrow(screen);
        } else {
            self.print_wide(screen, &table.to_string());
        }
        screen.line(&self.counts());
    }

    /// Says which of several answers the exit code is for.
    pub(super) fn say_exit(&self, screen: &Screen, exit: Exit) {
        let invalid = self.answers.iter().filter(|answer| **answer == Some(Answer::Invalid)).count();
        let unreadable = self.answers.iter().filter(|answer| answer.is_none()).count();
        if invalid > 0 && unreadable > 0 {
            screen.line(&format!(
                "{BAD}invalid: {invalid}; unreadable: {unreadable}{BAD:#}. The exit code is {}, because not every file was \
                 judged; alone, the invalid ones give 1.",
                exit.code()
            ));
        }
    }

    fn print_wide(&self, screen: &Screen, table: &str) {
        for (number, line) in table.lines().enumerate() {
            let Some(row) = number.checked_sub(1) else {
                screen.line(&format!("{STRONG}{}{STRONG:#}", line.trim_end()));
                continue;
            };
            let style = self.style(row);
            let line = line.trim_end();
            let end = line
                .trim_start()
                .find(' ')
                .map_or(line.len(), |end| end + line.len() - line.trim_start().len());
            screen.line(&format!("{style}{}{style:#}{}", &line[..end], &line[end..]));
        }
    }

    fn print_narrow(&self, screen: &Screen) {
        for (row, [verdict, file, operations, model, why]) in self.rows.iter().enumerate() {
            let style = self.style(row);
            screen.line(&format!("{style}{verdict:<10}{style:#} {file}"));
            if !model.is_empty() {
                screen.line(&format!("           {model}, operations: {operations}"));
                screen.line(&format!("           {why}"));
            }
        }
    }

    fn style(&self, row: usize) -> Style {
        self.answers.get(row).copied().flatten().map_or(BAD, summary::style)
    }

    fn counts(&self) -> String {
        let mut text = format!("{} files", self.rows.len());
        let answers = [Answer::Invalid, Answer::Failed, Answer::Unknown, Answer::Valid].map(Some);
        for answer in answers.into_iter().chain([None]) {
            let count = self.answers.iter().filter(|other| **other == answer).count();
            if count > 0 {
                let word = answer.map_or("unreadable", Answer::word);
                // A `String` takes every write.
                let _ = write!(text, ", {count} {word}");
            }
        }
        text
    }
}
