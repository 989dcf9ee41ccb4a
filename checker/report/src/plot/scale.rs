//! Axes: where a value stands between 0 and 1, and which ticks people can read.

/// One tick of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    /// Its value.
    pub value: f64,
    /// What stands beside it; none for fine ticks.
    pub label: Option<String>,
}

/// How values are laid out along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// Evenly from the first to the second value.
    Linear(f64, f64),
    /// By powers of ten from the first to the second value, both in seconds and above 0.
    Duration(f64, f64),
    /// By powers of ten from the first to the second value, both above 0.
    Log(f64, f64),
    /// A share of all, from 0 up to 1 - 10^-n: each further nine takes as much room as the one before.
    Nines(f64),
}

impl Scale {
    /// A linear axis from 0 to a round value not below `max`.
    pub(crate) fn from_zero(max: f64) -> Self {
        let max = if max > 0.0 { max } else { 1.0 };
        let step = nice_step(max / 4.0);
        Self::Linear(0.0, (max / step).ceil() * step)
    }

    /// A logarithmic axis around the given seconds, from and to a round value.
    pub(crate) fn durations(min: f64, max: f64) -> Self {
        let (min, max) = if min > 0.0 && max >= min { (min, max) } else { (1e-3, 1.0) };
        let low = 10_f64.powf(min.log10().floor());
        let low = [5.0, 2.0, 1.0].map(|times| low * times).into_iter().find(|low| *low <= min).unwrap_or(low);
        let high = 10_f64.powf(max.log10().floor());
        let high = [1.0, 2.0, 5.0, 10.0].map(|times| high * times);
        let high = high.into_iter().find(|high| *high >= max * 1.02).unwrap_or(max * 2.0);
        Self::Duration(low, high.max(low * 10.0))
    }

    /// A logarithmic axis of numbers above 0, from and to a power of ten or its double or half.
    pub(crate) fn logarithmic(min: f64, max: f64) -> Self {
        match Self::durations(min, max) {
            Self::Duration(from, to) => Self::Log(from, to),
            other => other,
        }
    }

    /// Where a value stands: 0 at the beginning of the axis, 1 at its end, clamped between.
    pub(crate) fn position(self, value: f64) -> f64 {
        let position = match self {
            Self::Linear(from, to) => (value - from) / (to - from),
            Self::Duration(from, to) | Self::Log(from, to) => {
                (value.max(1e-12) / from).ln() / (to / from).ln()
            }
            Self::Nines(nines) => -(1.0 - value).max(1e-12).log10() / nines,
        };
        if position.is_nan() { 0.0 } else { position.clamp(0.0, 1.0) }
    }

    /// Whether a value lies on the axis, not beyond its ends.
    pub(crate) fn holds(self, value: f64) -> bool {
        match self {
            Self::Linear(from, to) | Self::Duration(from, to) | Self::Log(from, to) => {
                (from..=to).contains(&value)
            }
            Self::Nines(nines) => (0.0..=1.0 - 10_f64.powf(-nines)).contains(&value),
        }
    }

    /// The ticks, about `wanted` of them with a label.
    pub(crate) fn ticks(self, wanted: f64) -> Vec<Tick> {
        match self {
            Self::Linear(from, to) => linear(from, to, wanted),
            Self::Duration(from, to) => powers(from, to, duration),
            Self::Log(from, to) => powers(from, to, |value| number(value, value.min(1.0))),
            Self::Nines(nines) => shares(nines),
        }
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below the value.
pub(crate) fn nice_step(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-9).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|times| power * times);
    steps.into_iter().find(|step| *step >= value * 0.999_999).unwrap_or(power * 10.0)
}

fn linear(from: f64, to: f64, wanted: f64) -> Vec<Tick> {
    let step = nice_step((to - from) / wanted.max(1.0));
    let mut ticks = Vec::new();
    let mut position = (from / step - 1e-6).ceil();
    while position * step <= to + step * 1e-6 {
        let value = position * step;
        ticks.push(Tick { value, label: Some(number(value, step)) });
        position += 1.0;
    }
    ticks
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded before, and signed apart"
)]
fn number(value: f64, step: f64) -> String {
    let decimals = if step >= 1.0 { 0 } else { (-step.log10()).ceil() as usize };
    if decimals > 0 {
        return format!("{:.decimals$}", if value == 0.0 { 0.0 } else { value }).replace('-', "−");
    }
    let sign = if value < -0.5 { "−" } else { "" };
    format!("{sign}{}", super::super::verdict::grouped(value.abs().round() as u64))
}

/// Labels at powers of ten; also at 2 and 5 where there are fewer than three powers.
fn powers(from: f64, to: f64, written: fn(f64) -> String) -> Vec<Tick> {
    let decades = (to / from).log10();
    let mut ticks = Vec::new();
    let mut power = 10_f64.powf(from.log10().floor());
    while power <= to * 1.001 {
        for times in 1..10 {
            let value = power * f64::from(times);
            if value < from * 0.999 || value > to * 1.001 {
                continue;
            }
            let labelled = times == 1 || (decades < 3.2 && matches!(times, 2 | 5));
            ticks.push(Tick { value, label: labelled.then(|| written(value)) });
        }
        power *= 10.0;
    }
    ticks
}

/// A round duration as it stands beside a tick.
pub(crate) fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        seconds if seconds < 0.000_999e-3 => (seconds * 1e9, "ns"),
        seconds if seconds < 0.999e-3 => (seconds * 1e6, "µs"),
        seconds if seconds < 0.999 => (seconds * 1e3, "ms"),
        seconds => (seconds, "s"),
    };
    format!("{} {unit}", number(value, 1.0))
}

fn shares(nines: f64) -> Vec<Tick> {
    let mut ticks: Vec<(f64, &str)> =
        vec![(0.0, "0 %"), (0.5, "50 %"), (0.75, ""), (0.9, "90 %"), (0.95, ""), (0.99, "99 %")];
    ticks.extend([(0.995, ""), (0.999, "99.9 %"), (0.9995, ""), (0.9999, "99.99 %"), (0.999_99, "99.999 %")]);
    let label = |label: &str| (!label.is_empty()).then(|| label.to_owned());
    ticks
        .into_iter()
        .filter(|(value, _)| -(1.0 - *value).log10() <= nines * 1.001)
        .map(|(value, text)| Tick { value, label: label(text) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale) -> Vec<String> {
        scale.ticks(8.0).into_iter().filter_map(|tick| tick.label).collect()
    }

    #[test]
    fn axes_begin_and_end_on_round_values() {
        assert_eq!(Scale::from_zero(487.0), Scale::Linear(0.0, 600.0));
        assert_eq!(Scale::from_zero(0.0), Scale::Linear(0.0, 1.0));
        assert_eq!(labels(Scale::Linear(-2.0, 10.0)), ["−2", "0", "2", "4", "6", "8", "10"]);
        assert_eq!(
            labels(Scale::Linear(0.0, 0.8)),
            ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8"]
        );
        let Scale::Duration(from, to) = Scale::durations(0.0034, 0.97) else { panic!("not a duration") };
        assert!((from - 0.002).abs() < 1e-9 && (to - 1.0).abs() < 1e-9, "{from} {to}");
    }

    #[test]
    fn durations_carry_their_units_and_shares_their_nines() {
        assert_eq!(
            labels(Scale::Duration(1e-5, 10.0)),
            ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]
        );
        assert_eq!(labels(Scale::logarithmic(20.0, 90_000.0)), ["100", "1,000", "10,000", "100,000"]);
        assert_eq!(labels(Scale::Nines(2.0)), ["0 %", "50 %", "90 %", "99 %"]);
        assert!((Scale::Nines(2.0).position(0.9) - 0.5).abs() < 1e-9);
    }
}
