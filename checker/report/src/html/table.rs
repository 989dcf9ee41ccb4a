//! A table of a page. On a narrow screen each row stands alone, with the heading beside each cell.

use maud::{Markup, Render, html};

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

impl Column {
    /// The class of its heading; none where figures stand, as they do by default.
    fn of_heading(self) -> Option<&'static str> {
        (self != Self::Right).then_some("left")
    }

    /// The class of its cells.
    fn of_cell(self) -> Option<&'static str> {
        match self {
            Self::Left => Some("left"),
            Self::Right => None,
            Self::Prose => Some("prose"),
        }
    }
}

/// A table that grows row by row.
pub(crate) struct Table<'a> {
    columns: Vec<(&'a str, Column)>,
    rows: Vec<Markup>,
}

impl<'a> Table<'a> {
    /// With these headings.
    pub(crate) fn new(columns: impl IntoIterator<Item = (&'a str, Column)>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row: a cell for each heading.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Render>) {
        let row = html! {
            tr {
                @for ((heading, column), cell) in self.columns.iter().zip(cells) {
                    td class=[column.of_cell()] data-label=(heading) { span { (cell) } }
                }
            }
        };
        self.rows.push(row);
    }
}

impl Render for Table<'_> {
    fn render(&self) -> Markup {
        html! {
            div.wide {
                table {
                    thead {
                        tr {
                            @for (heading, column) in &self.columns {
                                th class=[column.of_heading()] { (heading) }
                            }
                        }
                    }
                    tbody {
                        @for row in &self.rows { (row) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_with_a_meaning_in_html_passes() {
        let text = "<a href='x'>\"&";
        let mut table = Table::new([(text, Column::Left)]);
        table.row([text]);
        let escaped = "&lt;a href='x'&gt;&quot;&amp;";
        let html = table.render().into_string();
        assert!(html.contains(&format!("<th class=\"left\">{escaped}</th>")), "{html}");
        assert!(html.contains(&format!("data-label=\"{escaped}\"><span>{escaped}</span>")), "{html}");
    }
}
