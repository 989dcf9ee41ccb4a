//! One line of `history.jsonl`, read in place: texts stay in the line, and no tree is built for a number or a string.
//!
//! It understands the lines that clients write: no escapes, no floats, integers of at most 18 digits. For every other
//! line the answer is none, and the general parser decides what it is.

use super::operations::{Atom, Given, Packer, StepKind};
use super::pair::ClientEvent;
use super::{Kind, Phase};
use serde_json::Value;

/// How deep arrays nest here; deeper ones are left to the general parser.
const MAX_DEPTH: usize = 8;
/// How deep the values of a micro-operation stand.
const ATOM_DEPTH: usize = 2;
/// Digits of an integer that surely fits.
const DIGITS: usize = 18;

/// The event of a client that a line holds, without its line feed; none if the line is unusual in any way.
/// Micro-operations are packed.
pub(crate) fn client_event<'a>(line: &'a [u8], packer: &mut Packer<'_>) -> Option<ClientEvent<'a>> {
    let mark = packer.mark();
    let event = event(line, packer);
    if event.is_none() {
        packer.reset(mark);
    }
    event
}

fn event<'a>(line: &'a [u8], packer: &mut Packer<'_>) -> Option<ClientEvent<'a>> {
    let mut scan = Scan { line, at: 0 };
    let mut fields = Fields::default();
    scan.skip(b'{')?;
    loop {
        scan.skip(b'"')?;
        let name = scan.until_quote()?;
        scan.skip(b':')?;
        fields.read(name, &mut scan, packer)?;
        match scan.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    (scan.at == line.len()).then(|| fields.event())?
}

/// What was read of an event.
#[derive(Default)]
struct Fields<'a> {
    /// A bit for each field that was there.
    seen: u16,
    time: u64,
    process: u64,
    kind: Option<Kind>,
    f: &'a str,
    key: Option<&'a str>,
    value: Option<Given<'a>>,
    error: Option<&'a str>,
    actual: Option<Given<'a>>,
    client: Option<u32>,
    node: Option<&'a str>,
    intended: Option<u64>,
    phase: Option<Phase>,
}

/// The bits of the fields that every event has.
const REQUIRED: u16 = 0b1111;

impl<'a> Fields<'a> {
    fn read(&mut self, name: &str, scan: &mut Scan<'a>, packer: &mut Packer<'_>) -> Option<()> {
        let field = match name {
            "time" => {
                self.time = scan.number()?;
                0
            }
            "process" => {
                self.process = scan.number()?;
                1
            }
            "type" => {
                self.kind = Some(kind(scan.text()?)?);
                2
            }
            "f" => {
                self.f = scan.text()?;
                3
            }
            "key" => {
                self.key = Some(scan.text()?);
                4
            }
            "value" => {
                self.value = Some(match scan.steps(packer) {
                    Some(steps) => steps,
                    None => scan.given()?,
                });
                5
            }
            "error" => {
                self.error = Some(scan.text()?);
                6
            }
            "actual" => {
                self.actual = Some(scan.given()?);
                7
            }
            "client" => {
                self.client = Some(scan.number()?.try_into().ok()?);
                8
            }
            "node" => {
                self.node = Some(scan.text()?);
                9
            }
            "intended" => {
                self.intended = Some(scan.number()?);
                10
            }
            "phase" => {
                self.phase = Some(phase(scan.text()?)?);
                11
            }
            _ => return None,
        };
        // A field that is there twice is an error, which the general parser names.
        let bit = 1 << field;
        let twice = self.seen & bit != 0;
        self.seen |= bit;
        (!twice).then_some(())
    }

    fn event(self) -> Option<ClientEvent<'a>> {
        if self.seen & REQUIRED != REQUIRED {
            return None;
        }
        Some(ClientEvent {
            time: self.time,
            process: self.process,
            kind: self.kind?,
            f: self.f,
            key: self.key,
            value: self.value.unwrap_or(Given::Null),
            error: self.error,
            actual: self.actual,
            client: self.client,
            node: self.node,
            intended: self.intended,
            phase: self.phase,
        })
    }
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "invoke" => Kind::Invoke,
        "ok" => Kind::Ok,
        "fail" => Kind::Fail,
        "info" => Kind::Info,
        _ => return None,
    })
}

fn phase(name: &str) -> Option<Phase> {
    Some(match name {
        "warmup" => Phase::Warmup,
        "load" => Phase::Load,
        "recovery" => Phase::Recovery,
        "final" => Phase::Final,
        _ => return None,
    })
}

/// A line and how far it was read.
struct Scan<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.line[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    /// The rest of a string without escapes, whose first quote was read.
    fn until_quote(&mut self) -> Option<&'a str> {
        let rest = &self.line[self.at..];
        let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        if rest[length] != b'"' {
            return None;
        }
        self.at += length + 1;
        std::str::from_utf8(&rest[..length]).ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        self.skip(b'"')?;
        self.until_quote()
    }

    /// A whole number that is not negative.
    fn number(&mut self) -> Option<u64> {
        let start = self.at;
        let mut number = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if self.at - start == DIGITS {
                return None;
            }
            number = number * 10 + u64::from(digit - b'0');
            self.at += 1;
        }
        let length = self.at - start;
        let ends = matches!(self.peek(), Some(b',' | b'}' | b']'));
        let leads = length > 1 && self.line[start] == b'0';
        (length > 0 && ends && !leads).then_some(number)
    }

    fn integer(&mut self) -> Option<i64> {
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let number = i64::try_from(self.number()?).ok()?;
        // The general parser takes -0 for a float.
        if negative && number == 0 {
            return None;
        }
        Some(if negative { -number } else { number })
    }

    fn given(&mut self) -> Option<Given<'a>> {
        Some(match self.peek()? {
            b'n' => {
                self.word(b"null")?;
                Given::Null
            }
            b'"' => Given::Text(self.text()?),
            b'-' | b'0'..=b'9' => Given::Integer(self.integer()?),
            _ => Given::Owned(self.value(0)?),
        })
    }

    /// Micro-operations; for any other value none, with nothing read.
    fn steps(&mut self, packer: &mut Packer<'_>) -> Option<Given<'a>> {
        if !self.line[self.at..].starts_with(b"[[\"") {
            return None;
        }
        let (at, mark) = (self.at, packer.mark());
        let start = self.packed(packer);
        if start.is_none() {
            self.at = at;
            packer.reset(mark);
        }
        start.map(Given::Packed)
    }

    fn packed(&mut self, packer: &mut Packer<'_>) -> Option<u32> {
        let start = packer.begin()?;
        self.skip(b'[')?;
        loop {
            self.skip(b'[')?;
            let kind = StepKind::of(self.text()?)?;
            self.skip(b',')?;
            let key = self.atom(packer)?;
            packer.step(start, kind, key);
            if self.peek()? == b',' {
                self.at += 1;
                self.content(kind, packer)?;
            }
            self.skip(b']')?;
            match self.next()? {
                b',' => {}
                b']' => return Some(start),
                _ => return None,
            }
        }
    }

    /// What a micro-operation has behind its key.
    fn content(&mut self, kind: StepKind, packer: &mut Packer<'_>) -> Option<()> {
        if kind != StepKind::Read || self.peek()? != b'[' {
            let value = self.atom(packer)?;
            packer.one(value);
            return Some(());
        }
        self.at += 1;
        let list = packer.list();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            let element = self.atom(packer)?;
            packer.element(list, element);
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    fn atom(&mut self, packer: &mut Packer<'_>) -> Option<Atom> {
        match self.peek()? {
            b'0'..=b'9' => packer.natural(self.number()?),
            b'-' => packer.integer(self.integer()?),
            b'"' => packer.text(self.text()?),
            b'n' => self.word(b"null").map(|()| Atom::NULL),
            _ => packer.atom(&self.value(ATOM_DEPTH)?),
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        Some(match self.peek()? {
            b'[' if depth < MAX_DEPTH => self.array(depth)?,
            b't' => {
                self.word(b"true")?;
                Value::Bool(true)
            }
            b'f' => {
                self.word(b"false")?;
                Value::Bool(false)
            }
            b'n' => {
                self.word(b"null")?;
                Value::Null
            }
            b'"' => Value::from(self.text()?),
            b'-' | b'0'..=b'9' => Value::from(self.integer()?),
            _ => return None,
        })
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        self.skip(b'[')?;
        let mut items = Vec::new();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            match self.next()? {
                b',' => {}
                b']' => break,
                _ => return None,
            }
        }
        items.shrink_to_fit();
        Some(Value::Array(items))
    }
}
