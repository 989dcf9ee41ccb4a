//! What is wrong with a file, and where.

use std::fmt;

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Counted from 1; 0 where the error is about the whole file.
    pub line: usize,
    /// Counted from 1, in bytes; 0 where the error is about the whole file.
    pub column: usize,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.message),
            line => write!(f, "line {line}, column {}: {}", self.column, self.message),
        }
    }
}

impl std::error::Error for ReadError {}

/// An error by its byte offset; lines are counted only once there is an error.
#[derive(Debug)]
pub(super) struct Fault {
    location: Location,
    message: String,
}

#[derive(Debug)]
enum Location {
    WholeFile,
    Offset(usize),
    Line { line: usize, column: usize },
}

impl Fault {
    pub(super) fn at(offset: usize, message: impl Into<String>) -> Self {
        Self { location: Location::Offset(offset), message: message.into() }
    }

    pub(super) fn whole_file(message: impl Into<String>) -> Self {
        Self { location: Location::WholeFile, message: message.into() }
    }

    pub(super) fn line(line: usize, column: usize, message: impl Into<String>) -> Self {
        Self { location: Location::Line { line, column }, message: message.into() }
    }

    /// An error of `serde_json` in the part of the file that begins at `start`.
    pub(super) fn json(start: usize, part: &[u8], error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let message = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]);
        let lines_before = error.line().saturating_sub(1);
        let line_start = match lines_before {
            0 => 0,
            lines => part
                .iter()
                .enumerate()
                .filter(|&(_, &byte)| byte == b'\n')
                .nth(lines - 1)
                .map_or(part.len(), |(newline, _)| newline + 1),
        };
        Self::at(start + line_start + error.column().saturating_sub(1), message)
    }

    /// The same error in a file of which this was the part from `start` on.
    pub(super) fn shifted(self, start: usize) -> Self {
        match self.location {
            Location::Offset(offset) => Self { location: Location::Offset(start + offset), ..self },
            Location::WholeFile | Location::Line { .. } => self,
        }
    }

    /// The error for people: line and column, counted from 1.
    pub(super) fn locate(self, bytes: &[u8]) -> ReadError {
        let (line, column) = match self.location {
            Location::WholeFile => (0, 0),
            Location::Line { line, column } => (line, column),
            Location::Offset(offset) => {
                let before = &bytes[..offset.min(bytes.len())];
                let line_start =
                    before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
                (1 + newlines(before), before.len() - line_start + 1)
            }
        };
        ReadError { line, column, message: self.message }
    }
}

/// How many line feeds there are.
pub(super) fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().map(|&byte| usize::from(byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one_and_the_whole_file_has_none() {
        let error = Fault::at(5, "odd").locate(b"ab\ncd\ne");
        assert_eq!((error.line, error.column), (2, 3));
        assert_eq!(error.to_string(), "line 2, column 3: odd");
        assert_eq!(Fault::at(99, "odd").locate(b"ab\n").line, 2);
        assert_eq!(Fault::whole_file("odd").locate(b"ab").to_string(), "odd");
    }

    #[test]
    fn errors_inside_a_part_are_placed_in_the_whole() {
        let whole = b"[1,\n {\"a\":\n  ?}]";
        let part = &whole[5..];
        let error = serde_json::from_slice::<serde_json::Value>(part).unwrap_err();
        let error = Fault::json(5, part, &error).locate(whole);
        assert_eq!((error.line, error.column), (3, 3), "{error}");
        assert!(!error.message.contains("at line"), "{error}");
    }
}
