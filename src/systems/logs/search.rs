//! Patterns that are searched in lines.

use super::lines::Piece;
use history::{LogCount, LogRule};
use regex_lite::Regex;
use std::borrow::Cow;

/// Number of recorded matches per pattern; all are counted.
const RECORDED: u64 = 20;
/// Number of shown characters of a line.
const SHOWN: usize = 200;
/// Number of shown characters before a match deep inside a line.
const BEFORE: usize = 40;

/// Patterns, each with its number of matching lines.
#[derive(Debug)]
pub(crate) struct Search(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    rule: LogRule,
    text: String,
    regex: Regex,
    count: u64,
}

/// A line that matched a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Match {
    /// The rule of the pattern.
    pub(crate) rule: LogRule,
    /// The regular expression.
    pub(crate) pattern: String,
    /// The line, or the part of it around the match.
    pub(crate) line: String,
    /// Whether it is the first line that matched this pattern.
    pub(crate) is_first: bool,
}

/// Compiles a pattern.
///
/// # Errors
/// Why it is invalid, with the remedy.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.is_empty() {
        return Err("the pattern is empty, which every line matches; write one, or remove it".to_owned());
    }
    Regex::new(pattern).map_err(|error| {
        format!("this is not a regular expression: {error}; write a \\ before a literal ( [ {{ * + ? | .")
    })
}

impl Search {
    /// A search for these patterns.
    ///
    /// # Panics
    /// If one cannot be compiled.
    pub(crate) fn new<'a>(patterns: impl Iterator<Item = (LogRule, &'a str)>) -> Self {
        let pattern = |(rule, text): (LogRule, &str)| {
            let regex = compile(text).expect("a pattern is compiled when its spec is checked");
            Pattern { rule, text: text.to_owned(), regex, count: 0 }
        };
        Self(patterns.map(pattern).collect())
    }

    /// Whether there are no patterns.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Marks for one file: the patterns that its current line has matched.
    pub(crate) fn marks(&self) -> Vec<bool> {
        vec![false; self.0.len()]
    }

    /// Searches a piece of a line. A line counts once per pattern, however many pieces match.
    pub(crate) fn search(&mut self, piece: Piece<'_>, marks: &mut [bool], mut found: impl FnMut(Match)) {
        if self.is_empty() {
            return;
        }
        let mut text = readable(piece.bytes);
        if !piece.ends {
            // This character represents the rest of the line, so that `$` does not match here.
            text.to_mut().push(char::REPLACEMENT_CHARACTER);
        }
        // The first character of a later piece only prevents `^` from matching.
        let from = if piece.begins { 0 } else { text.char_indices().nth(1).map_or(0, |(index, _)| index) };
        for (pattern, mark) in self.0.iter_mut().zip(marks.iter_mut()) {
            if *mark || !pattern.regex.is_match_at(&text, from) {
                continue;
            }
            (*mark, pattern.count) = (true, pattern.count + 1);
            if pattern.count <= RECORDED {
                let start = pattern.regex.find_at(&text, from).map_or(0, |found| found.start());
                found(Match {
                    rule: pattern.rule,
                    pattern: pattern.text.clone(),
                    line: excerpt(&text, start),
                    is_first: pattern.count == 1,
                });
            }
        }
        if piece.ends {
            marks.fill(false);
        }
    }

    /// Number of matching lines per pattern.
    pub(crate) fn counts(&self) -> Vec<LogCount> {
        let count = |pattern: &Pattern| LogCount {
            rule: pattern.rule,
            pattern: pattern.text.clone(),
            count: pattern.count,
        };
        self.0.iter().map(count).collect()
    }
}

/// The text of some bytes, without colours.
fn readable(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.contains(&0x1b) {
        let plain = anstream::adapter::strip_bytes(bytes).into_vec();
        return Cow::Owned(String::from_utf8_lossy(&plain).into_owned());
    }
    String::from_utf8_lossy(bytes)
}

/// At most [`SHOWN`] characters of a line around the start of the match, without control characters.
fn excerpt(line: &str, start: usize) -> String {
    let before = line[..start].chars().count();
    let skipped = if before + BEFORE > SHOWN { before - BEFORE } else { 0 };
    let mut letters = line.chars().skip(skipped);
    let shown: String =
        letters.by_ref().take(SHOWN).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let cut = if letters.next().is_some() { "…" } else { "" };
    format!("{}{}{cut}", if skipped > 0 { "…" } else { "" }, shown.trim())
}

#[cfg(test)]
mod tests {
    use super::super::lines::Lines;
    use super::*;

    /// The results of a search for these patterns in a file that grows by these parts.
    fn found(patterns: &[&str], parts: &[&[u8]]) -> (Vec<String>, Vec<u64>) {
        let mut search = Search::new(patterns.iter().map(|pattern| (LogRule::Never, *pattern)));
        let (mut lines, mut marks, mut seen) = (Lines::default(), search.marks(), Vec::new());
        for part in parts {
            lines.add(part, |piece| search.search(piece, &mut marks, |found| seen.push(found.line)));
        }
        lines.end(|piece| search.search(piece, &mut marks, |found| seen.push(found.line)));
        let counts = search.counts().into_iter().map(|count| count.count).collect();
        (seen, counts)
    }

    #[test]
    fn match_between_two_reads_is_found() {
        let (lines, counts) = found(&["panic: .*", "x$"], &[b"all is well\npan", b"ic: x", b"y\n"]);
        assert_eq!((lines, counts), (vec!["panic: xy".to_owned()], vec![1, 0]));
    }

    #[test]
    fn binary_and_coloured_lines_are_searched() {
        let (lines, counts) = found(&["fatal error"], &[b"\xff\xfe\0fatal \x1b[31merror\x1b[0m\xc3\n\xc3"]);
        assert_eq!(counts, [1]);
        assert!(lines[0].ends_with("fatal error\u{fffd}") && !lines[0].contains('\0'), "{lines:?}");
    }

    #[test]
    fn long_line_counts_once_and_has_one_beginning() {
        let mut line = vec![b'a'; 1 << 20];
        line.extend_from_slice(b"panic\n");
        let mut parts: Vec<&[u8]> = line.chunks(65_536).collect();
        let (lines, counts) = found(&["panic", "a", "^a", "a$", "^panic"], &parts);
        assert_eq!(counts, [1, 1, 1, 0, 0]);
        assert!(lines[2].ends_with("aaapanic") && lines[2].starts_with("…a"), "{}", lines[2]);
        let between = vec![b'a'; 65_536 - 3];
        parts = vec![&between, b"panic", b"!\n"];
        assert_eq!(found(&["panic"], &parts).1, [1]);
    }

    #[test]
    fn first_matches_are_recorded_all_counted() {
        let text = "panic\n".repeat(50);
        let (lines, counts) = found(&["panic"], &[text.as_bytes()]);
        assert_eq!((lines.len(), counts), (20, vec![50]));
    }

    #[test]
    fn empty_and_bad_patterns_are_refused() {
        assert!(compile("").unwrap_err().contains("empty"));
        assert!(compile("data (race").unwrap_err().contains("not a regular expression"));
        assert!(compile("data (race|loss)").is_ok());
    }

    #[test]
    fn excerpt_is_short_and_shows_the_match() {
        let long = format!("{}panic{}", "é".repeat(500), "z".repeat(500));
        let shown = excerpt(&long, 1000);
        assert!(shown.contains("épanicz") && shown.chars().count() <= SHOWN + 2, "{shown}");
        assert_eq!(excerpt("\tpanic\x07: x", 0), "panic : x");
    }
}
