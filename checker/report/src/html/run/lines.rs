//! The lines of all logs of a variant by time, as many as a page can carry.

use super::log_time::{Stamp, read};
use crate::evidence::brief;
use crate::exits::NodeEnd;
use crate::observed::Observed;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes at the end of a file that are read.
const READ: u64 = 16_000_000;
/// Lines, and letters of a line, that a page carries.
const LINES: usize = 20_000;
const LETTERS: usize = 320;
/// Letters of the evidence of a fault among the lines.
const EVIDENCE: usize = 110;
/// Zones differ by multiples of this.
const QUARTER_NS: i128 = 900_000_000_000;

/// All lines that the page carries, column by column.
#[derive(Debug, Default, Serialize)]
pub(super) struct Lines {
    /// The files, by node and name.
    sources: Vec<(String, String)>,
    /// Microseconds since the run's start; none where neither the line nor one before it says when.
    at: Vec<Option<i64>>,
    /// Which file each is from.
    from: Vec<usize>,
    text: Vec<String>,
    /// Lines that found no room, which were further from any fault or violation.
    left_out: usize,
}

struct Line {
    at: Option<i64>,
    from: usize,
    text: String,
}

/// Reads the logs of a variant. `moments` are times near which lines are kept first, in nanoseconds.
pub(super) fn read_lines(folder: &Path, observed: &Observed, moments: &[u64]) -> Lines {
    let mut sources = Vec::new();
    let mut lines = Vec::new();
    for (node, file, path) in files(folder, &observed.plan.nodes) {
        // A log that cannot be read is not worth a report that is not made.
        let Ok(text) = tail(&path) else { continue };
        let from = sources.len();
        sources.push((node, file));
        let first = lines.len();
        lines.extend(text.lines().map(|line| Line { at: None, from, text: plain(line) }));
        if let Some(zero) = observed.zero {
            date(&mut lines[first..], zero, observed.end_ns());
        }
    }
    let from = sources.len();
    sources.push(("bench".to_owned(), "history.jsonl".to_owned()));
    lines.extend(noted(observed).into_iter().map(|(ns, text)| Line {
        at: Some((ns / 1000).cast_signed()),
        from,
        text: plain(&text),
    }));
    let all = lines.len();
    if all > LINES {
        let distance = |line: &Line| {
            let at = line.at?;
            moments.iter().map(|moment| at.abs_diff((moment / 1000).cast_signed())).min()
        };
        let far: Vec<u64> = lines.iter().map(|line| distance(line).unwrap_or(u64::MAX)).collect();
        let limit = *far.clone().select_nth_unstable(LINES).1;
        let (mut far, mut room) = (far.into_iter(), LINES);
        lines.retain(|_| {
            let kept = room > 0 && far.next().is_some_and(|distance| distance <= limit);
            room -= usize::from(kept);
            kept
        });
    }
    let left_out = all - lines.len();
    // Lines without a time stay behind the others, in the order of their files.
    lines.sort_by_key(|line| (line.at.is_none(), line.at));
    let mut read = Lines { sources, left_out, ..Lines::default() };
    for line in lines {
        read.at.push(line.at);
        read.from.push(line.from);
        read.text.push(line.text);
    }
    read
}

/// What the bench itself did or saw, as lines among the others.
fn noted(observed: &Observed) -> Vec<(u64, String)> {
    let mut noted = Vec::new();
    for fault in &observed.faults {
        let evidence = |lines: &[String]| {
            let few = brief(lines);
            let cut = few.char_indices().nth(EVIDENCE).map_or(few.len(), |(at, _)| at);
            if few.is_empty() {
                few
            } else {
                format!(" ({}{})", &few[..cut], if cut < few.len() { "…" } else { "" })
            }
        };
        noted.extend(fault.start_ns.map(|at| {
            (at, format!("fault {} begins: {}{}", fault.fault, fault.label, evidence(&fault.evidence)))
        }));
        noted.extend(fault.end_ns.map(|at| {
            (at, format!("fault {} is healed: {}{}", fault.fault, fault.label, evidence(&fault.healed)))
        }));
    }
    let ended =
        |end: &NodeEnd| (end.time_ns, format!("{} ended by itself: {}", end.node, end.how.join("; ")));
    noted.extend(observed.exits.iter().map(ended));
    noted
}

/// Every log there is, with the node and the name of the file.
fn files(folder: &Path, nodes: &[String]) -> Vec<(String, String, PathBuf)> {
    let mut files = Vec::new();
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    };
    for node in nodes {
        let home = folder.join("nodes").join(node);
        files.push((node.clone(), "output.log".to_owned(), home.join("output.log")));
        for name in names(&home.join("logs")) {
            files.push((node.clone(), name.clone(), home.join("logs").join(name)));
        }
    }
    for name in names(&folder.join("clients")) {
        files.push(("clients".to_owned(), name.clone(), folder.join("clients").join(name)));
    }
    files
}

/// The end of a file, from the start of a line.
fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(READ)))?;
    let mut bytes = Vec::new();
    file.take(READ).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if length <= READ {
        return Ok(text);
    }
    Ok(text.split_once('\n').map_or(String::new(), |(_, rest)| rest.to_owned()))
}

/// A line without colours and control characters, and not too long.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len().min(LETTERS));
    let mut letters = line.chars();
    let mut count = 0;
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(char::is_ascii_alphabetic);
        } else if letter == '\t' || !letter.is_control() {
            if count == LETTERS {
                text.push('…');
                break;
            }
            text.push(letter);
            count += 1;
        }
    }
    text
}

/// Gives each line of a file its time: its own, or that of the line before, to which it then belongs.
fn date(lines: &mut [Line], zero: Timestamp, end_ns: u64) {
    let day = zero.to_zoned(TimeZone::UTC).date();
    let mut shift = None;
    let mut last = None;
    for line in lines {
        if let Some(stamp) = read(&line.text, day) {
            let ns = stamp.ns - zero.as_nanosecond();
            let shift = *shift.get_or_insert_with(|| shift_of(stamp, ns, end_ns));
            last = i64::try_from((ns - shift).div_euclid(1000)).ok();
        }
        line.at = last;
    }
}

/// How far a clock without a zone is off, which is a multiple of a quarter of an hour.
fn shift_of(stamp: Stamp, ns: i128, end_ns: u64) -> i128 {
    let about = -60_000_000_000..=i128::from(end_ns) + 60_000_000_000;
    if stamp.zoned || about.contains(&ns) {
        0
    } else {
        (ns + QUARTER_NS / 2).div_euclid(QUARTER_NS) * QUARTER_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dated(texts: &[&str]) -> Vec<Option<i64>> {
        let line = |text: &&str| Line { at: None, from: 0, text: plain(text) };
        let mut lines: Vec<Line> = texts.iter().map(line).collect();
        date(&mut lines, "2026-11-29T08:00:00.5Z".parse().unwrap(), 60_000_000_000);
        lines.iter().map(|line| line.at).collect()
    }

    #[test]
    fn a_line_without_a_time_belongs_to_the_line_before() {
        let texts = ["starting", "\u{1b}[32m2026-11-29T08:00:01.5Z\u{1b}[0m up", "  at main.c:7"];
        assert_eq!(dated(&texts), [None, Some(1_000_000), Some(1_000_000)]);
    }

    #[test]
    fn local_time_is_moved_by_whole_quarters() {
        assert_eq!(dated(&["2026-11-29 13:45:02.5 up"]), [Some(2_000_000)], "Nepal");
        assert_eq!(dated(&["2026-11-29 08:00:59.5 up"]), [Some(59_000_000)]);
        assert_eq!(dated(&["2026-11-29 09:00:02.5 up", "2026-11-29 09:00:03.5 on"])[1], Some(3_000_000));
    }

    #[test]
    fn colours_and_long_lines_are_cut() {
        assert_eq!(plain("\u{1b}[1;31merror\u{1b}[0m\u{7}: x"), "error: x");
        assert_eq!(plain(&"é".repeat(1000)).chars().count(), LETTERS + 1);
    }
}
