//! Where the values of a sweep's axis stand in a picture: as numbers where they are, else side by side.

use crate::plot::scale::Scale;

/// The x axis of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    /// Where each value stands, from 0 to 1, in the order of the plan.
    pub positions: Vec<f64>,
}

/// The ratio of largest to smallest value from which a logarithmic axis is used.
const POWERS_FROM: f64 = 8.0;
/// What is left free on both sides.
const EDGE: f64 = 0.08;

impl Axis {
    pub(super) fn new(values: &[String]) -> Self {
        let numbers: Option<Vec<f64>> = values.iter().map(|value| number(value)).collect();
        let shares = match numbers {
            Some(numbers) if numbers.len() > 1 && numbers.is_sorted_by(|a, b| a < b) => by_number(&numbers),
            Some(_) | None => side_by_side(values.len()),
        };
        Self { positions: shares.into_iter().map(|share| EDGE + share * (1.0 - 2.0 * EDGE)).collect() }
    }
}

fn by_number(numbers: &[f64]) -> Vec<f64> {
    let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
    let scale = if first > 0.0 && last / first >= POWERS_FROM {
        Scale::Log(first, last)
    } else {
        Scale::Linear(first, last)
    };
    numbers.iter().map(|number| scale.position(*number)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "an axis has few values")]
fn side_by_side(count: usize) -> Vec<f64> {
    (0..count).map(|position| if count < 2 { 0.5 } else { position as f64 / (count - 1) as f64 }).collect()
}

/// A plain number, or a duration in seconds.
fn number(value: &str) -> Option<f64> {
    let duration = |text: &str| text.parse::<jiff::SignedDuration>().ok().map(|it| it.as_secs_f64());
    value.parse().ok().filter(|number: &f64| number.is_finite()).or_else(|| duration(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(values: &[&str]) -> Vec<f64> {
        Axis::new(&values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>()).positions
    }

    #[test]
    fn numbers_and_durations_stand_where_they_belong_and_words_side_by_side() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        let clients = positions(&["1", "16", "256"]);
        assert!(
            near(clients[1], 0.5) && near(clients[0], EDGE) && near(clients[2], 1.0 - EDGE),
            "{clients:?}"
        );
        let delays = positions(&["0ms", "10ms", "40ms"]);
        assert!(near(delays[1], EDGE + 0.25 * (1.0 - 2.0 * EDGE)), "{delays:?}");
        assert_eq!(positions(&["none", "exponential", "aimd"]), positions(&["1", "2", "3"]));
        assert_eq!(positions(&["9", "1", "5"]), positions(&["1", "2", "3"]), "the order of the plan is kept");
        assert_eq!(positions(&["3"]), [0.5]);
    }
}
