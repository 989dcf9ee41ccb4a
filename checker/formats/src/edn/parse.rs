//! Reads forms, one after the other, in linear time and to a bounded depth.

use super::super::{
    budget::{self, Budget},
    fault::Fault,
};
use super::{Edn, lex};
use std::borrow::Cow;

/// How deep vectors, maps, tags and the like may nest, in EDN; JSON has the same bound.
pub const MAX_DEPTH: usize = 127;

/// What a form takes: itself, twice while a vector grows, and the slot and block of the value made of it.
pub(super) const FORM: usize = 2 * size_of::<Edn<'_>>() + budget::array(1);

/// A cursor in a text, from which forms are read.
#[derive(Debug)]
pub(in super::super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// What the present form may take.
    pub(super) budget: Budget,
}

impl<'a> Parser<'a> {
    /// Starts at the beginning. Bytes that are not UTF-8 are an error with their offset.
    pub(in super::super) fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let mut parser = Self::of(text, Budget::new(bytes.len(), None));
                parser.at = if text.starts_with('\u{feff}') { 3 } else { 0 };
                Ok(parser)
            }
            Err(error) => Err(Fault::at(error.valid_up_to(), "this is not UTF-8")),
        }
    }

    /// Starts at the beginning of a part of a file.
    pub(in super::super) fn of(text: &'a str, budget: Budget) -> Self {
        Self { text, at: 0, budget }
    }

    /// Where the next byte is read.
    pub(in super::super) fn offset(&self) -> usize {
        self.at
    }

    pub(in super::super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes one byte that [`peek`](Self::peek) showed to be a bracket.
    pub(in super::super) fn bump(&mut self) {
        self.at += 1;
    }

    /// Passes white space, comments and discarded forms.
    pub(in super::super) fn skip_blank(&mut self) -> Result<(), Fault> {
        self.blank(0)
    }

    /// The next form, which may take this much memory, with the value that is made of it.
    pub(in super::super) fn form_within(&mut self, budget: Budget) -> Result<Edn<'a>, Fault> {
        self.budget = budget;
        self.nested(0)
    }

    /// The next form.
    pub(in super::super) fn form(&mut self) -> Result<Edn<'a>, Fault> {
        self.nested(0)
    }

    fn blank(&mut self, depth: usize) -> Result<(), Fault> {
        while let Some(byte) = self.peek() {
            match byte {
                b',' | 0x0b => self.at += 1,
                b';' => {
                    self.at = self.text[self.at..].find('\n').map_or(self.text.len(), |end| self.at + end);
                }
                b'#' if self.text[self.at..].starts_with("#_") => {
                    self.at += 2;
                    let before = self.budget;
                    self.nested(depth + 1)?;
                    self.budget = before;
                }
                _ if byte.is_ascii_whitespace() => self.at += 1,
                _ => break,
            }
        }
        Ok(())
    }

    fn nested(&mut self, depth: usize) -> Result<Edn<'a>, Fault> {
        // First of all: discarded forms nest as well.
        if depth > MAX_DEPTH {
            return Err(Fault::at(self.at, format!("this nests deeper than {MAX_DEPTH} levels")));
        }
        self.blank(depth)?;
        let start = self.at;
        self.spend(start, FORM)?;
        let Some(byte) = self.peek() else {
            return Err(Fault::at(start, "the file ends where a form should be"));
        };
        match byte {
            b'[' => self.items(b']', depth).map(Edn::Vector),
            b'(' => self.items(b')', depth).map(Edn::Vector),
            b'{' => self.map(depth),
            b')' | b']' | b'}' => Err(Fault::at(start, format!("{:?} closes nothing", char::from(byte)))),
            b'"' => self.string().map(Edn::Text),
            b'\\' => self.character(),
            b'#' => self.dispatch(depth),
            b'^' => {
                self.at += 1;
                self.nested(depth + 1)?;
                self.nested(depth + 1)
            }
            _ => self.atom(),
        }
    }

    pub(super) fn spend(&mut self, start: usize, bytes: usize) -> Result<(), Fault> {
        self.budget.spend(bytes).map_err(|message| Fault::at(start, message))
    }

    fn items(&mut self, close: u8, depth: usize) -> Result<Vec<Edn<'a>>, Fault> {
        let start = self.at;
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blank(depth)?;
            match self.peek() {
                None => {
                    return Err(Fault::at(
                        start,
                        format!("no {:?} closes what begins here", char::from(close)),
                    ));
                }
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(items);
                }
                Some(_) => items.push(self.nested(depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Edn<'a>, Fault> {
        let start = self.at;
        let items = self.items(b'}', depth)?;
        if items.len() % 2 == 1 {
            return Err(Fault::at(start, "the last key of this map has no value"));
        }
        self.spend(start, budget::map(items.len() / 2))?;
        let mut entries = Vec::with_capacity(items.len() / 2);
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            entries.push((key, value));
        }
        Ok(Edn::Map(entries))
    }

    /// The token up to the next delimiter.
    pub(super) fn token(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let length = rest.bytes().position(lex::is_delimiter).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn atom(&mut self) -> Result<Edn<'a>, Fault> {
        let start = self.at;
        let token = self.token();
        match token {
            "nil" => Ok(Edn::Nil),
            "true" => Ok(Edn::Bool(true)),
            "false" => Ok(Edn::Bool(false)),
            _ if lex::looks_like_number(token) => {
                lex::number(token).map_err(|message| Fault::at(start, message))
            }
            _ => match token.strip_prefix(':') {
                Some("") => Err(Fault::at(start, "a keyword needs a name after its colon")),
                Some(name) => Ok(Edn::Keyword(Cow::Borrowed(name))),
                None => Ok(Edn::Symbol(token)),
            },
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        let bytes = &self.text.as_bytes()[start + 1..];
        let mut end = 0;
        while let Some(&byte) = bytes.get(end) {
            match byte {
                b'"' => {
                    self.at = start + 1 + end + 1;
                    let raw = &self.text[start + 1..=start + end];
                    self.spend(start, raw.len())?;
                    return lex::unescape(raw)
                        .map_err(|(offset, message)| Fault::at(start + 1 + offset, message));
                }
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        Err(Fault::at(start, "no quote closes the string that begins here"))
    }

    fn character(&mut self) -> Result<Edn<'a>, Fault> {
        let start = self.at;
        self.at += 1;
        let Some(first) = self.text[self.at..].chars().next() else {
            return Err(Fault::at(start, "the file ends where a character should be"));
        };
        let name_start = self.at;
        self.at += first.len_utf8();
        self.token();
        let name = &self.text[name_start..self.at];
        match lex::character(name) {
            Ok(character) => Ok(Edn::Text(Cow::Owned(character.to_string()))),
            Err(message) => Err(Fault::at(start, message)),
        }
    }

    /// What begins with `#`: sets, symbolic numbers, patterns, maps with a namespace, tags.
    fn dispatch(&mut self, depth: usize) -> Result<Edn<'a>, Fault> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'{') => self.items(b'}', depth).map(Edn::Set),
            Some(b'#') => {
                self.at += 1;
                Ok(Edn::Number(match self.token() {
                    "Inf" => "##Inf",
                    "-Inf" => "##-Inf",
                    "NaN" => "##NaN",
                    other => return Err(Fault::at(start, format!("##{other} is not a number"))),
                }))
            }
            // A pattern keeps its backslashes.
            Some(b'"') => {
                let before = self.at;
                self.pattern(before)
            }
            Some(b':') => self.namespaced(depth),
            Some(b'^') => {
                self.at += 1;
                self.nested(depth + 1)?;
                self.nested(depth + 1)
            }
            Some(byte) if byte.is_ascii_alphabetic() => {
                self.token();
                self.nested(depth + 1)
            }
            Some(_) | None => Err(Fault::at(start, "# should begin a set, a tag or a discarded form")),
        }
    }

    fn pattern(&mut self, start: usize) -> Result<Edn<'a>, Fault> {
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        while let Some(&byte) = bytes.get(end) {
            match byte {
                b'"' => {
                    self.at = end + 1;
                    return Ok(Edn::Text(Cow::Borrowed(&self.text[start + 1..end])));
                }
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        Err(Fault::at(start, "no quote closes the pattern that begins here"))
    }

    /// `#:ns{:a 1}` is `{:ns/a 1}`.
    fn namespaced(&mut self, depth: usize) -> Result<Edn<'a>, Fault> {
        let start = self.at;
        let namespace = self.token().trim_start_matches(':');
        self.blank(depth)?;
        if self.peek() != Some(b'{') {
            return Err(Fault::at(start, "a namespace should be followed by its map"));
        }
        let map = self.map(depth)?;
        let Edn::Map(mut entries) = map else { return Ok(map) };
        for (key, _) in &mut entries {
            if let Edn::Keyword(name) = key
                && !name.contains('/')
            {
                *key = Edn::Keyword(Cow::Owned(format!("{namespace}/{name}")));
            }
        }
        Ok(Edn::Map(entries))
    }
}
