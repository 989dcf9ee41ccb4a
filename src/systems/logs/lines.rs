//! Splits the bytes of a log into lines, with bounded memory.

/// Longer lines are searched in pieces of about this length.
const PIECE: usize = 64 << 10;
/// Bytes that a piece shares with the previous one, so that a match across both is found.
const OVERLAP: usize = 1 << 10;

/// A line, or a piece of a long one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Its bytes, without the end of the line.
    pub(crate) bytes: &'a [u8],
    /// Whether the line begins with it.
    pub(crate) begins: bool,
    /// Whether the line ends with it.
    pub(crate) ends: bool,
}

/// The incomplete last line.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    held: Vec<u8>,
    /// Whether a piece of the line has been passed on.
    handed_on: bool,
}

impl Lines {
    /// Adds bytes; passes on each completed line.
    pub(crate) fn add(&mut self, bytes: &[u8], mut take: impl FnMut(Piece<'_>)) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let Some(end) = part.strip_suffix(b"\n") else {
                self.hold(part, &mut take);
                continue;
            };
            if self.held.is_empty() {
                take(Piece { bytes: without_return(end), begins: true, ends: true });
            } else {
                self.held.extend_from_slice(end);
                self.end(&mut take);
            }
        }
    }

    /// Passes on the last line, which has no end.
    pub(crate) fn end(&mut self, mut take: impl FnMut(Piece<'_>)) {
        if !self.held.is_empty() {
            take(Piece { bytes: without_return(&self.held), begins: !self.handed_on, ends: true });
        }
        self.held.clear();
        self.handed_on = false;
    }

    fn hold(&mut self, part: &[u8], take: &mut impl FnMut(Piece<'_>)) {
        for part in part.chunks(PIECE) {
            self.held.extend_from_slice(part);
            if self.held.len() >= PIECE {
                take(Piece { bytes: &self.held, begins: !self.handed_on, ends: false });
                self.handed_on = true;
                self.held.drain(..self.held.len() - OVERLAP);
            }
        }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(parts: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        let mut take = |piece: Piece<'_>| {
            assert!(piece.begins && piece.ends);
            seen.push(String::from_utf8_lossy(piece.bytes).into_owned());
        };
        for part in parts {
            lines.add(part, &mut take);
        }
        lines.end(&mut take);
        seen
    }

    #[test]
    fn lines_are_put_together_from_parts() {
        assert_eq!(lines(&[b"one\ntw", b"o\r", b"\n\nthr", b"ee"]), ["one", "two", "", "three"]);
        assert_eq!(lines(&[b"one\n"]), ["one"]);
        assert_eq!(lines(&[b""]), [""; 0]);
    }

    #[test]
    fn long_line_comes_in_overlapping_pieces() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        let mut take = |piece: Piece<'_>| seen.push((piece.bytes.len(), piece.begins, piece.ends));
        for _ in 0..1 << 8 {
            lines.add(&[b'x'; 1 << 12], &mut take);
        }
        assert!(lines.held.capacity() <= 4 * PIECE, "{}", lines.held.capacity());
        lines.add(b"\nshort\n", &mut take);
        assert_eq!(seen[0], (PIECE, true, false));
        assert!(seen[1..].iter().all(|(length, ..)| *length <= PIECE + (1 << 12)), "{seen:?}");
        let total: usize = seen[..seen.len() - 1].iter().map(|(length, ..)| length).sum();
        assert_eq!(total - (seen.len() - 2) * OVERLAP, 1 << 20);
        assert!(!seen[1].1 && seen[seen.len() - 2].2 && !seen[seen.len() - 2].1);
        assert_eq!(seen[seen.len() - 1], (5, true, true));
    }
}
