//! Text that fits the terminal: its width, line breaks between words, and wide tables in parts.

use super::STRONG;
use comfy_table::{CellAlignment, Table, presets};
use std::io::IsTerminal;

/// The default width, used in a pipe.
const USUAL: usize = 80;
/// The smallest width for layout.
const NARROWEST: usize = 40;

/// The available width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Width {
    /// Columns for tables.
    pub columns: usize,
    /// Whether long lines are broken between words: not in a pipe, where a program may search for them.
    pub breaks_lines: bool,
}

impl Width {
    /// The width of the terminal at standard output or standard error; else `COLUMNS`; else 80.
    pub(crate) fn of_stream(stderr: bool) -> Self {
        let size = if stderr {
            rustix::termios::tcgetwinsize(std::io::stderr()).ok().filter(|_| std::io::stderr().is_terminal())
        } else {
            rustix::termios::tcgetwinsize(std::io::stdout()).ok().filter(|_| std::io::stdout().is_terminal())
        };
        let terminal = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        let variable = || std::env::var("COLUMNS").ok()?.parse::<usize>().ok();
        let width = terminal.or_else(variable);
        Self { columns: width.unwrap_or(USUAL).max(NARROWEST), breaks_lines: width.is_some() }
    }
}

/// The text with long lines broken between words; continuation lines are indented further.
pub(crate) fn broken(text: &str, columns: usize) -> String {
    let lines = text
        .split('\n')
        .map(|line| if visible(line) <= columns { line.to_owned() } else { broken_line(line, columns) });
    lines.collect::<Vec<_>>().join("\n")
}

fn broken_line(line: &str, columns: usize) -> String {
    let own = line.len() - line.trim_start_matches(' ').len();
    let indent = (own + 2).min(columns / 2);
    let mut text = String::new();
    let mut used = 0;
    for piece in line.split_inclusive(' ') {
        let width = visible(piece.trim_end_matches(' '));
        if used + width > columns && used > indent {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            used = indent;
        }
        text.push_str(piece);
        used += visible(piece);
    }
    text
}

/// Number of visible characters: all but escape sequences.
fn visible(text: &str) -> usize {
    let mut count = 0;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            count += 1;
        }
    }
    count
}

/// A table of measurements behind columns of words.
pub(crate) struct Figures<'a> {
    /// The headings.
    pub header: Vec<&'a str>,
    /// A cell for each heading.
    pub rows: Vec<Vec<String>>,
    /// Number of columns at the left that contain words.
    pub words: usize,
    /// Number of those that repeat in each part.
    pub names: usize,
}

impl Figures<'_> {
    /// The table, split into parts one below another if it is wider than this.
    pub(crate) fn text(&self, columns: usize) -> String {
        let widths = self.table(&(0..self.header.len()).collect::<Vec<_>>()).column_max_content_widths();
        // A blank on each side of a cell.
        let width = |column: usize| usize::from(widths[column]) + 2;
        let names: Vec<usize> = (0..self.names).collect();
        let mut parts = Vec::new();
        let mut part = names.clone();
        for column in self.names..self.header.len() {
            let used: usize = part.iter().map(|column| width(*column)).sum();
            // The trailing blank of a line is removed.
            if used + width(column) > columns + 1 && part.len() > names.len() {
                parts.push(std::mem::replace(&mut part, names.clone()));
            }
            part.push(column);
        }
        parts.push(part);
        let parts = parts.iter().map(|part| self.part(part));
        parts.collect::<Vec<_>>().join("\n")
    }

    fn table(&self, columns: &[usize]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(columns.iter().map(|column| self.header[*column]));
        for row in &self.rows {
            table.add_row(columns.iter().map(|column| &row[*column]));
        }
        for (index, column) in columns.iter().enumerate() {
            if let Some(cells) = table.column_mut(index).filter(|_| *column >= self.words) {
                cells.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    fn part(&self, columns: &[usize]) -> String {
        let text = self.table(columns).to_string();
        let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
        if let Some(first) = lines.first_mut() {
            *first = format!("{STRONG}{first}{STRONG:#}");
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::{Figures, broken, visible};
    use crate::terminal::GOOD;

    #[test]
    fn long_lines_break_between_words() {
        let text = format!("short\n  {GOOD}one two three{GOOD:#} four five");
        let expected = format!("short\n  {GOOD}one two three{GOOD:#}\n    four five");
        assert_eq!(broken(&text, 15), expected);
        assert_eq!(broken("/a/path/that/is/longer than this", 11), "/a/path/that/is/longer\n  than this");
        assert_eq!(visible(&format!("{GOOD}né{GOOD:#}")), 2);
    }

    #[test]
    fn wide_table_is_split_into_parts() {
        let header = vec!["variant", "verdict", "ok", "refused", "p50 ms", "longest gap s"];
        let row = |name: &str| [name, "valid", "12345", "0", "1951.40", "0.55"].map(str::to_owned).to_vec();
        let figures = Figures { header, rows: vec![row("none"), row("exponential")], words: 2, names: 1 };
        let wide = figures.text(80);
        assert_eq!(wide.lines().count(), 3, "{wide}");
        let narrow = figures.text(40);
        assert!(narrow.lines().all(|line| visible(line) <= 40), "{narrow}");
        assert_eq!(narrow.matches("exponential").count(), 2, "{narrow}");
        for word in ["refused", "1951.40", "longest gap s"] {
            assert!(narrow.contains(word), "{word} is missing: {narrow}");
        }
    }
}
