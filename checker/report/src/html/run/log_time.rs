//! When a line of a log was written, where it says so.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// Bytes of a line in which a time is looked for.
const SEARCHED: usize = 160;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time as a log gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// In nanoseconds since 1970, as if it were UTC where no zone is given.
    pub ns: i128,
    /// Whether it says in which time zone it is.
    pub zoned: bool,
}

/// The first time in a line: `2026-11-29T08:28:47.123Z`, `29 Nov 2026 08:28:47.123`, `I1129 08:28:47.123456`, or
/// seconds since 1970. A time without a date gets that of `day`.
pub(super) fn read(line: &str, day: Date) -> Option<Stamp> {
    let end = line.char_indices().map(|(at, _)| at).take_while(|at| *at <= SEARCHED).last()?;
    let head = if line.len() <= SEARCHED { line } else { &line[..end] };
    clock(head, day).or_else(|| seconds(head))
}

/// A time of day, and the date that stands before it.
fn clock(head: &str, day: Date) -> Option<Stamp> {
    let bytes = head.as_bytes();
    let starts = (0..bytes.len().checked_sub(7)?).find(|at| {
        shape(&bytes[*at..*at + 8]) && !at.checked_sub(1).is_some_and(|at| bytes[at].is_ascii_digit())
    })?;
    let number = |from: usize| head.get(from..from + 2)?.parse::<i8>().ok();
    let [hour, minute, second] = [number(starts)?, number(starts + 3)?, number(starts + 6)?];
    let (fraction, rest) = fraction(&head[starts + 8..]);
    let time = Time::new(hour, minute, second.min(59), fraction).ok()?;
    let date = date(&head[..starts]).unwrap_or(day);
    let offset = zone(rest);
    let moment = offset.unwrap_or(Offset::UTC).to_timestamp(DateTime::from_parts(date, time)).ok()?;
    Some(Stamp { ns: moment.as_nanosecond(), zoned: offset.is_some() })
}

/// Whether eight bytes look like `08:28:47`.
fn shape(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(at, byte)| if at % 3 == 2 { *byte == b':' } else { byte.is_ascii_digit() })
}

/// Nanoseconds after a dot or comma, and what follows them.
fn fraction(text: &str) -> (i32, &str) {
    let Some(rest) = text.strip_prefix(['.', ',']) else { return (0, text) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let shown = &rest[..digits.min(9)];
    let value: i32 = shown.parse().unwrap_or(0);
    (value * 10_i32.pow(9 - u32::try_from(shown.len()).unwrap_or(9)), &rest[digits..])
}

/// The offset that follows a time: `Z`, ` UTC`, `+01:00`.
fn zone(rest: &str) -> Option<Offset> {
    if rest.starts_with('Z') || rest.starts_with(" UTC") || rest.starts_with(" GMT") {
        return Some(Offset::UTC);
    }
    let sign = if rest.starts_with('+') {
        1
    } else if rest.starts_with('-') {
        -1
    } else {
        return None;
    };
    let hours: i32 = rest.get(1..3)?.parse().ok()?;
    let minutes: i32 = rest
        .get(3..6)
        .map(|text| text.trim_start_matches(':'))
        .and_then(|text| text.get(..2))?
        .parse()
        .ok()?;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// The date at the end of what stands before a time.
fn date(before: &str) -> Option<Date> {
    let before = before.strip_suffix(['T', ' ', '-', ':'])?;
    if let Some(text) = before.get(before.len().checked_sub(10)?..) {
        let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
        if let [year, month, day] = parts[..] {
            return Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok();
        }
    }
    let mut words = before.rsplit(' ');
    let [year, month, day] = [words.next()?, words.next()?, words.next()?];
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month)?.1;
    Date::new(year.parse().ok()?, month, day.parse().ok()?).ok()
}

/// Seconds since 1970 with a fraction, as some write into `"ts":1764404927.123`.
fn seconds(head: &str) -> Option<Stamp> {
    let numbers = head.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let whole =
        |text: &&str| text.split('.').next().is_some_and(|whole| whole.len() == 10) && text.contains('.');
    let (seconds, rest) = numbers.into_iter().find(whole)?.split_once('.')?;
    let ns = Timestamp::from_second(seconds.parse().ok()?).ok()?.as_nanosecond();
    let (fraction, _) = fraction(&format!(".{rest}"));
    Some(Stamp { ns: ns + i128::from(fraction), zoned: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_known_systems_are_read() {
        let day = Date::new(2026, 11, 29).unwrap();
        let expected = "2026-11-29T08:28:47.123Z".parse::<Timestamp>().unwrap().as_nanosecond();
        for (line, zoned) in [
            (r#"{"level":"info","ts":"2026-11-29T08:28:47.123Z","caller":"etcdmain"}"#, true),
            (r#"{"level":"info","ts":"2026-11-29T09:28:47.123000+0100"}"#, true),
            ("2026-11-29 08:28:47,123 [myid:1] - INFO", false),
            ("[7] 2026/11/29 08:28:47.123000 [INF] Starting", false),
            ("4711:M 29 Nov 2026 08:28:47.123 * Ready", false),
            ("I1129 08:28:47.123000 7 server.go:12] up", false),
            ("2026-11-29 08:28:47.123 UTC [70] LOG:  ready", true),
            (r#"{"ts":1795940927.123,"msg":"up"}"#, true),
        ] {
            let stamp = read(line, day).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(stamp, Stamp { ns: expected, zoned }, "{line}");
        }
        for line in ["", "listening on 10.117.0.1:8000", "slot 12:34 of 5", "é".repeat(200).as_str()] {
            assert_eq!(read(line, day), None, "{line}");
        }
    }
}
