//! Shares with their intervals, one row each: a point on a line from 0 to 100 %.

use super::ResultsError;
use super::curves::wilson;
use super::plot::canvas::{Anchor, Canvas, Pen, Rect};
use super::plot::frame::{self, Area, Head, Sign};
use super::plot::scale::Scale;
use super::plot::style::{DARK, GRID, LABEL, PROSE, WHITE, WIDTH, variant};
use super::plot::{PictureOptions, pixels, write};
use std::path::Path;

const LEFT: f64 = 560.0;
const ROW: f64 = 46.0;
/// Room for the figures on the right of the plot.
const FIGURES: f64 = 190.0;

/// A picture of shares.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    /// What stands above it.
    pub title: String,
    /// Where its figures come from, on the right of the title.
    pub origin: String,
    /// What it shows, in a sentence.
    pub sentence: String,
    /// The names of the shares of each row.
    pub names: Vec<String>,
    /// The rows from top to bottom.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// What it is about.
    pub label: String,
    /// For each name, how many were seen of how many; none of none is left out.
    pub shares: Vec<(u64, u64)>,
}

/// Draws shares into a PNG file.
///
/// # Errors
/// When it cannot be written.
pub fn draw(rates: &Rates, path: &Path) -> Result<(), ResultsError> {
    write(path, Some(&picture(rates)), &PictureOptions::default())
}

fn picture(rates: &Rates) -> Canvas {
    let entry = |(index, name): (usize, &String)| (Sign::Dot(variant(index)), name.clone());
    let legend: Vec<_> = rates.names.iter().enumerate().map(entry).collect();
    let head = Head::new(WIDTH, &rates.title, &rates.origin, &rates.sentence, &legend);
    let top = head.height() + 30.0;
    let height = top + rates.rows.len() as f64 * ROW + 110.0;
    let mut canvas = Canvas::new(WIDTH, pixels(height));
    head.draw(&mut canvas);
    let width = canvas.right() - LEFT - FIGURES;
    let rect = Rect { left: LEFT, top, width, height: rates.rows.len() as f64 * ROW };
    let area = Area { rect, x: Scale::Linear(0.0, 100.0), y: Scale::Linear(0.0, 1.0) };
    for tick in area.x.ticks(10.0) {
        let x = area.px(tick.value);
        canvas.line((x, rect.top), (x, rect.bottom()), 1.5, GRID);
    }
    frame::x_labels(&mut canvas, &area);
    for (index, row) in rates.rows.iter().enumerate() {
        let y = rect.top + (index as f64 + 0.5) * ROW;
        canvas.text(LEFT - 20.0, y + 9.0, Anchor::Right, Pen { ink: DARK, ..PROSE }, &row.label);
        let count = row.shares.len().max(1) as f64;
        let mut figures = Vec::new();
        for (series, (seen, of)) in row.shares.iter().copied().enumerate().filter(|(_, (_, of))| *of > 0) {
            let y = y + (series as f64 - (count - 1.0) / 2.0) * 14.0;
            let (low, high) = wilson(seen, of);
            let share = 100.0 * seen as f64 / of as f64;
            canvas.line(
                (area.px(100.0 * low), y),
                (area.px(100.0 * high), y),
                4.0,
                variant(series).faded(0.5),
            );
            canvas.dot((area.px(share), y), 9.0, WHITE);
            canvas.dot((area.px(share), y), 7.0, variant(series));
            figures.push(format!("{seen} of {of}"));
        }
        canvas.text(canvas.right(), y + 9.0, Anchor::Right, LABEL, &figures.join("  "));
    }
    frame::x_title(&mut canvas, height - 24.0, "% of the runs");
    canvas
}

#[cfg(test)]
mod tests {
    use super::{Rates, Row, picture};

    #[test]
    fn each_row_has_room() {
        let height = |count: usize| {
            let rows = vec![Row { label: "one".to_owned(), shares: vec![(1, 10), (0, 0)] }; count];
            picture(&Rates { names: vec!["a".to_owned(), "b".to_owned()], rows, ..Rates::default() }).height
        };
        assert!(height(9) > height(2) + 200);
    }
}
