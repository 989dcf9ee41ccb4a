//! Results in GitHub's Markdown, for the summary of a job.

use super::results::{Case, Results, State};
use std::fmt::Write;

/// Largest number of shown evidence lines per check.
const EVIDENCE_SHOWN: usize = 20;
/// Largest number of checks shown one by one; GitHub accepts a megabyte.
const CASES_SHOWN: usize = 50;

/// The summary.
pub(super) fn text(results: &Results) -> String {
    let mut text =
        format!("## {}: {}\n\n{}\n", escaped(&results.name), results.answer, escaped(&results.sentence));
    // Writing to a `String` cannot fail.
    let (headings, rows) = &results.figures;
    if !rows.is_empty() {
        let _ = writeln!(text, "\n| {} |\n|{}", headings.join(" | "), "---|".repeat(headings.len()));
        for row in rows {
            let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    let open: Vec<_> = results
        .suites
        .iter()
        .flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)))
        .filter(|(_, case)| case.state != State::Passed)
        .collect();
    for (suite, case) in open.iter().take(CASES_SHOWN) {
        write_case(&mut text, &suite.name, case);
    }
    if let Some(more) = open.len().checked_sub(CASES_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "\nand {more} more");
    }
    for suite in &results.suites {
        for remark in &suite.remarks {
            let _ = writeln!(text, "\nWarning, {}: {}", escaped(&suite.name), escaped(remark));
        }
    }
    for (name, value) in results.properties.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = write!(text, "\n{name}: {}  ", code(value));
    }
    text.push_str("\n\n");
    text
}

fn write_case(text: &mut String, suite: &str, case: &Case) {
    let head = format!(
        "**{}** {}, {}: {}",
        case.state.word(),
        escaped(suite),
        escaped(&case.name),
        escaped(&case.reason)
    );
    // Writing to a `String` cannot fail.
    if case.evidence.is_empty() {
        let _ = writeln!(text, "\n{head}");
        return;
    }
    let _ = writeln!(text, "\n{head}\n\n<details><summary>evidence</summary>\n");
    for line in case.evidence.iter().take(EVIDENCE_SHOWN) {
        // Indented lines are shown verbatim.
        let _ = writeln!(text, "    {}", line.replace(['\n', '\r'], " "));
    }
    if let Some(more) = case.evidence.len().checked_sub(EVIDENCE_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "    and {more} more lines: verdict.json");
    }
    let _ = writeln!(text, "\n</details>");
}

/// Text with all characters escaped that have a meaning in Markdown or HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' | '\r' => escaped.push(' '),
            // Also the characters of links, mentions and references.
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '@' | '!' | '$' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            letter if letter.is_control() => escaped.extend(letter.escape_default()),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Text as code, between more backticks than its longest run of them.
fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("`{text}`") } else { format!("{fence} {text} {fence}") }
}
