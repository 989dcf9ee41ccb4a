//! What an event says of its time: nanoseconds, any other number, or a date.
//!
//! Tools write seconds with a fraction, times before the start, or dates. Only their order and distances matter, so that all
//! of them become nanoseconds from the first one on.

use super::draft::Draft;
use serde_json::Value;

/// The time of an event as the file has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamp {
    Missing,
    Nanoseconds(u64),
    /// In billionths of the file's unit.
    Other(i128),
    /// There is a time, and no reader of numbers or dates understands it.
    Unreadable,
}

/// Parts of the file's unit.
const PARTS: i128 = 1_000_000_000;

impl Stamp {
    /// The time behind a value.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Missing,
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => Self::Nanoseconds(number),
                (_, Some(number), _) => Self::Other(i128::from(number) * PARTS),
                #[allow(clippy::cast_possible_truncation, reason = "values keep floats below 2^53")]
                (_, _, Some(float)) => Self::Other((float * PARTS as f64) as i128),
                (None, None, None) => Self::Unreadable,
            },
            Value::String(text) => decimal(text).or_else(|| date(text)).map_or(Self::Unreadable, Self::Other),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => Self::Unreadable,
        }
    }
}

/// A decimal number in billionths, for example `12`, `-1.5` or `100000000000000000000N`.
fn decimal(text: &str) -> Option<i128> {
    let text = text.strip_suffix(['N', 'M']).unwrap_or(text);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let parts: i128 = format!("{fraction:0<9.9}").parse().ok()?;
    whole.parse::<i128>().ok()?.checked_mul(PARTS)?.checked_add(parts).map(|number| sign * number)
}

/// A date of RFC 3339 in billionths of a nanosecond since 1970, also without a zone or with a space before the time.
fn date(text: &str) -> Option<i128> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let sign = |at: usize, signs: &[u8]| text.as_bytes().get(at).is_some_and(|byte| signs.contains(byte));
    if !(sign(4, b"-") && sign(7, b"-") && sign(10, b"T t") && sign(13, b":") && sign(16, b":")) {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count()),
        None => ("", rest),
    };
    let zone = match zone.as_bytes() {
        [] | b"Z" | b"z" | b"-00:00" => 0,
        [b'+' | b'-', _, _, b':', _, _] => {
            let minutes = zone.get(1..3)?.parse::<i64>().ok()? * 60 + zone.get(4..6)?.parse::<i64>().ok()?;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
        _ => return None,
    };
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = ((days * 24 + number(11, 13)?) * 60 + number(14, 16)? - zone) * 60 + number(17, 19)?;
    let nanoseconds: i64 = format!("{fraction:0<9.9}").parse().ok()?;
    (i128::from(seconds) * PARTS + i128::from(nanoseconds)).checked_mul(PARTS)
}

/// Days from 1970-01-01 to a date (Hinnant, `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Makes nanoseconds of all times of a draft, if some are written otherwise. Events without a time get the next one.
pub(super) fn settle(draft: &mut Draft<'_>) {
    let odd = std::mem::take(&mut draft.odd_times);
    if odd.is_empty() || draft.timed.len() != draft.events.len() {
        return;
    }
    let known = draft.events.iter().zip(&draft.timed);
    let mut stamps: Vec<Option<i128>> =
        known.map(|(event, timed)| timed.then(|| i128::from(event.time) * PARTS)).collect();
    for (event, stamp) in odd {
        stamps[event] = Some(stamp);
        draft.timed[event] = true;
    }
    let mut sorted: Vec<i128> = stamps.iter().flatten().copied().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let first = sorted.first().copied().unwrap_or(0);
    let whole = sorted.iter().all(|stamp| (stamp - first) % PARTS == 0);
    let unit = if whole { PARTS } else { 1 };
    let fits = sorted.last().is_none_or(|last| u64::try_from((last - first) / unit).is_ok());
    let rank = |stamp: i128| sorted.partition_point(|other| *other < stamp) as u64;
    let time = |stamp: i128| match u64::try_from((stamp - first) / unit) {
        Ok(time) if fits => time,
        Ok(_) | Err(_) => rank(stamp),
    };
    let mut last = None;
    draft.times_go_back = false;
    for (event, stamp) in draft.events.iter_mut().zip(stamps) {
        let next = || last.map_or(0, |last: u64| last.saturating_add(1));
        event.time = stamp.map_or_else(next, time);
        draft.times_go_back |= stamp.is_some() && Some(event.time) < last;
        last = Some(event.time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_and_dates_are_understood() {
        let parts = Stamp::Other;
        for (value, stamp) in [
            (json!(null), Stamp::Missing),
            (json!(7), Stamp::Nanoseconds(7)),
            (json!(-7), parts(-7_000_000_000)),
            (json!(0.15), parts(150_000_000)),
            (json!("100000000000000000000100N"), parts(100_000_000_000_000_000_000_100_000_000_000)),
            (json!("-1.5"), parts(-1_500_000_000)),
            (json!("1970-01-02T00:00:00.1Z"), parts(86_400_100_000_000 * PARTS)),
            (json!("1970-01-02 00:30:00+00:30"), parts(86_400_000_000_000 * PARTS)),
            (json!("2024-02-29T12:00:00-00:00"), parts(1_709_208_000_000_000_000 * PARTS)),
            (json!("noon"), Stamp::Unreadable),
            (json!([1]), Stamp::Unreadable),
        ] {
            assert_eq!(Stamp::of(&value), stamp, "{value}");
        }
    }
}
