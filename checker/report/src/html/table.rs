//! A table of a page. On a narrow screen each row stands alone, with the heading beside each cell.

use super::escape;
use std::fmt::Write;

/// How the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// Words.
    Left,
    /// Figures.
    Right,
    /// Sentences, which may be broken.
    Prose,
}

/// A table that grows row by row.
pub(crate) struct Table {
    columns: Vec<(String, Column)>,
    html: String,
}

impl Table {
    /// With these headings, as text.
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Column)>) -> Self {
        let columns: Vec<_> =
            columns.into_iter().map(|(heading, column)| (escape(heading), column)).collect();
        let mut html = "<div class=\"wide\"><table><thead><tr>".to_owned();
        for (heading, column) in &columns {
            let class = if *column == Column::Right { "" } else { " class=\"left\"" };
            // A `String` takes every write, here and below.
            let _ = write!(html, "<th{class}>{heading}</th>");
        }
        html.push_str("</tr></thead><tbody>");
        Self { columns, html }
    }

    /// Adds a row: a cell of HTML for each heading.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.html.push_str("<tr>");
        for ((heading, column), cell) in self.columns.iter().zip(cells) {
            let class = match column {
                Column::Left => " class=\"left\"",
                Column::Right => "",
                Column::Prose => " class=\"prose\"",
            };
            let _ = write!(self.html, "<td{class} data-label=\"{heading}\"><span>{cell}</span></td>");
        }
        self.html.push_str("</tr>");
    }

    /// The whole table.
    pub(crate) fn finish(self) -> String {
        self.html + "</tbody></table></div>"
    }
}
