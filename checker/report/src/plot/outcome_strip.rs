//! A strip along the time axis: what became of the operations that were sent at each moment.
//!
//! Each column stands for the operations sent in its time, from bottom to top: ok, refused, unknown, failed, as shares of
//! their number. Curves by the time of completion cannot show this: a lost operation never completes.

use super::canvas::{Anchor, Canvas, Rect};
use super::frame::Area;
use super::pixels;
use super::scale::Scale;
use super::style::{FAIL, INFO, LABEL, OK, REFUSED};
use crate::observed::Observed;
use history::OutcomeClass;

/// Its height.
pub(super) const HEIGHT: f64 = 40.0;
/// What is left free between the data and the strip.
pub(super) const ABOVE: f64 = 14.0;
/// The width of a column.
const COLUMN: f64 = 4.0;
/// A share that there is gets at least this much of the height: one lost operation among thousands must be seen.
const LEAST: f64 = 5.0;

/// How many operations of each class were sent in a column: ok, refused, info, fail.
type Column = [u32; 4];

/// Draws the strip into this rectangle.
pub(super) fn draw(canvas: &mut Canvas, area: &Area, rect: Rect, observed: &Observed) {
    canvas.text(rect.left - 14.0, rect.top + 28.0, Anchor::Right, LABEL, "when sent");
    let columns: Vec<[f64; 4]> = columns(area, rect, observed).into_iter().map(heights).collect();
    for (class, ink) in [OK.faded(0.55), REFUSED.faded(0.45), INFO, FAIL].into_iter().enumerate() {
        let mut left = rect.left;
        // Neighbours that look alike are one rectangle.
        for alike in columns.chunk_by(|a, b| a[..=class] == b[..=class]) {
            let width = (alike.len() as f64 * COLUMN).min(rect.right() - left);
            let bottom = rect.bottom() - alike[0][..class].iter().sum::<f64>();
            let height = alike[0][class];
            canvas.fill(Rect { left, top: bottom - height, width, height }, ink);
            left += width;
        }
    }
}

fn columns(area: &Area, rect: Rect, observed: &Observed) -> Vec<Column> {
    let mut columns = vec![Column::default(); pixels(rect.width / COLUMN) as usize];
    let Scale::Linear(from, to) = area.x else { return columns };
    for operation in observed.shown_operations() {
        let sent = observed.axis_seconds(operation.invoked_ns);
        if sent < from || sent > to {
            continue;
        }
        let index = ((area.px(sent) - rect.left) / COLUMN).max(0.0).floor();
        let class = match OutcomeClass::of(operation.outcome) {
            OutcomeClass::Ok => 0,
            OutcomeClass::Refused => 1,
            OutcomeClass::Info => 2,
            OutcomeClass::Fail => 3,
        };
        if let Some(column) = columns.get_mut(pixels(index) as usize) {
            column[class] += 1;
        }
    }
    columns
}

/// How high each class of a column is; nothing where nothing was sent.
fn heights(column: Column) -> [f64; 4] {
    let all: u32 = column.iter().sum();
    if all == 0 {
        return [0.0; 4];
    }
    let rare = |count: u32| f64::from(count) / f64::from(all) * HEIGHT < LEAST;
    let raised = column.iter().filter(|count| **count > 0 && rare(**count)).count() as f64 * LEAST;
    let common: u32 = column.iter().filter(|count| !rare(**count)).sum();
    column.map(|count| match count {
        0 => 0.0,
        count if rare(count) => LEAST,
        count => f64::from(count) / f64::from(common) * (HEIGHT - raised),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lost_operation_among_thousands_is_seen() {
        let [ok, refused, info, fail] = heights([9_999, 0, 1, 0]);
        assert_eq!((refused, info, fail), (0.0, LEAST, 0.0));
        assert!((ok + info - HEIGHT).abs() < 1e-9);
        assert!(heights([0; 4]).iter().all(|height| *height <= 0.0));
        assert!((heights([1, 0, 1, 0])[2] - HEIGHT / 2.0).abs() < 1e-9);
    }
}
