//! Reads EDN straight into operations, block by block: without a list of events, and without the whole file in memory.
//!
//! *Problem*: a history of a million operations took five times its size in memory, for events that became operations at
//! once, and most of the time went into them.
//!
//! *Idea*: each event goes into the columns as it comes. What every usual history has is settled on the way: the order of
//! times and indexes, whether values are keys with values, what was answered to failures. Wherever the reader of events
//! would change something (an order that is not that of the file, processes without numbers, answers with another meaning),
//! or would report an error, this one gives up, and the file is read again as events. There is one place that says what
//! is wrong, and nothing is guessed here.
//!
//! *Cost*: one pass. Values that may be keys with values, and turn out not to be, cost a second one.

use super::super::super::{
    FailedCas, Format, Options, Read, answers,
    budget::Budget,
    clients::Who,
    draft::Placed,
    edn::{Edn, Parser},
    failed_cas::PRECONDITION,
    independent::{self, Second, Sign},
    result::{self, Settled},
    sniff,
    stamp::Stamp,
};
use super::super::raw::{self, Raw};
use super::usual::{self, Fields, Usual};
use super::values::{Found, Values};
use super::window::{BLOCK, Window};
use history::{ClientEvent, Event, Given, Kind, Operations, Pairs, Scalar};
use serde_json::Value;
use std::borrow::Cow;
use std::io::{self, Seek, SeekFrom};

/// What an event takes in the columns, at most, beside a value of its own.
const EVENT: usize = 64;

/// Why the events were not read into columns.
enum Stop {
    /// Something is for the reader of events.
    Unusual,
    /// Values that were taken to be keys with values are none.
    NoTuples,
}

/// Reads the operations of a file; none if anything about it is unusual.
pub(in super::super::super) fn read_operations(
    input: &mut (impl io::Read + Seek),
    name: &str,
    options: &Options,
) -> Option<Read> {
    in_blocks(input, name, options, BLOCK)
}

pub(super) fn in_blocks(
    input: &mut (impl io::Read + Seek),
    name: &str,
    options: &Options,
    block: usize,
) -> Option<Read> {
    if !matches!(options.failed_cas, None | Some(FailedCas::AsSaid)) {
        return None;
    }
    let length = usize::try_from(input.seek(SeekFrom::End(0)).ok()?).ok()?;
    input.rewind().ok()?;
    let how = match options.format {
        Some(Format::JepsenEdn) => None,
        Some(_) => return None,
        None => how(Window::new(&mut *input, block)?.text()?, name).ok()?,
    };
    let mut tuples = Tuples::of(options);
    loop {
        input.rewind().ok()?;
        let filler = Filler::new(Budget::new(length, options.memory), tuples);
        match filler.fill(Window::new(&mut *input, block)?) {
            Ok((operations, settled)) => return result::of_operations(operations, &settled, how, options),
            Err(Stop::NoTuples) => tuples = Tuples::None,
            Err(Stop::Unusual) => return None,
        }
    }
}

/// How the format of a file was found; none if it is another one, or may be, by the beginning of the file.
fn how(start: &str, name: &str) -> Result<Option<String>, Stop> {
    let mut parser = Parser::of(start, Budget::new(start.len(), None));
    opened(&mut parser)?;
    match parser.form() {
        Ok(Edn::Map(entries)) if matches!(entries.first(), Some((Edn::Keyword(_), _))) => {}
        Ok(_) | Err(_) => return Err(Stop::Unusual),
    }
    match sniff::format(start.as_bytes(), name) {
        Ok((Format::JepsenEdn, how)) => Ok(how),
        Ok(_) | Err(_) => Err(Stop::Unusual),
    }
}

/// Whether values are keys with values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tuples {
    None,
    /// So far all may be; whether one of them can be nothing else. With versions, plain values are pairs.
    Perhaps {
        proven: bool,
        versioned: bool,
    },
    /// The user says so.
    Said,
}

impl Tuples {
    fn of(options: &Options) -> Self {
        match options.independent {
            Some(true) => Self::Said,
            Some(false) => Self::None,
            None => Self::Perhaps {
                proven: false,
                versioned: options.model.as_deref() == Some("versioned-register"),
            },
        }
    }
}

/// Operations while their events are read.
struct Filler {
    pairs: Pairs,
    /// How many events of clients there are, and how many others.
    events: usize,
    others: usize,
    tuples: Tuples,
    /// Whether keys are texts, once there is one.
    text_keys: Option<bool>,
    last_time: Option<u64>,
    /// Whether all events have an index, and that of the last one.
    indexed: bool,
    last_index: u64,
    settled: Settled,
    budget: Budget,
}

/// The event of a client with what the file says of its place.
struct InPlace<'a> {
    kind: Kind,
    f: &'a str,
    process: u64,
    value: Found<'a>,
    error: Option<Cow<'a, str>>,
    time: Stamp,
    index: Option<u64>,
    /// What only unusual events have.
    rest: Option<&'a Event>,
}

impl Filler {
    fn new(budget: Budget, tuples: Tuples) -> Self {
        Self {
            pairs: Pairs::for_events(0),
            events: 0,
            others: 0,
            tuples,
            text_keys: None,
            last_time: None,
            indexed: true,
            last_index: 0,
            settled: Settled::default(),
            budget,
        }
    }

    fn fill<R: io::Read>(mut self, mut window: Window<R>) -> Result<(Operations, Settled), Stop> {
        let mut close = None;
        let mut first = true;
        loop {
            let text = window.text().ok_or(Stop::Unusual)?;
            let mut parser = Parser::of(text, self.budget);
            if std::mem::take(&mut first) {
                close = opened(&mut parser)?;
            }
            let (passed, closed) = self.events(&mut parser, close, window.ended)?;
            if window.ended {
                let whole = closed == close.is_some() && passed == text.len();
                return if whole { self.finish() } else { Err(Stop::Unusual) };
            }
            if closed || !window.move_on(passed) {
                return Err(Stop::Unusual);
            }
        }
    }

    /// Reads the events up to the end of the text; returns where that was, and whether they were closed there. An event that
    /// may go on behind the text is left.
    fn events(
        &mut self,
        parser: &mut Parser<'_>,
        close: Option<u8>,
        ended: bool,
    ) -> Result<(usize, bool), Stop> {
        loop {
            let passed = parser.offset();
            let cut = || if ended { Err(Stop::Unusual) } else { Ok((passed, false)) };
            if parser.skip_blank().is_err() {
                return cut();
            }
            let start = parser.offset();
            match (parser.peek(), close) {
                (None, _) => return Ok((if ended { start } else { passed }, false)),
                (Some(byte), Some(close)) if byte == close => {
                    parser.bump();
                    let blank = parser.skip_blank().is_ok() && parser.peek().is_none();
                    return if ended && blank { Ok((parser.offset(), true)) } else { cut() };
                }
                (Some(_), _) => {}
            }
            if self.usual(parser)? {
                continue;
            }
            parser.rewind(start);
            match parser.form_within(self.budget) {
                Ok(form @ Edn::Map(_)) => self.form(form)?,
                Ok(_) | Err(_) => return cut(),
            }
        }
    }
}

/// Passes the bracket that opens the events, if there is one; returns the one that closes them.
fn opened(parser: &mut Parser<'_>) -> Result<Option<u8>, Stop> {
    parser.skip_blank().map_err(|_| Stop::Unusual)?;
    let close = match parser.peek() {
        Some(b'[') => b']',
        Some(b'(') => b')',
        Some(_) => return Ok(None),
        None => return Err(Stop::Unusual),
    };
    parser.bump();
    Ok(Some(close))
}

impl Filler {
    /// Adds the next event, if it is a usual one; says whether it was.
    fn usual(&mut self, parser: &mut Parser<'_>) -> Result<bool, Stop> {
        let tuples = self.tuples != Tuples::None;
        let mut packer = self.pairs.packer();
        let mark = packer.mark();
        let event = usual::event(parser, self.budget, |parser, depth| {
            Values { parser, packer: &mut packer }.found(depth, tuples)
        });
        let fields = match event {
            Some(Usual::Client(fields)) => fields,
            other => {
                packer.reset(mark);
                self.others += usize::from(other.is_some());
                return Ok(other.is_some());
            }
        };
        let Fields { kind, f, process, value, error, time, index } = fields;
        let mut value = value.unwrap_or(Found::Plain(Given::Null));
        let mut error = raw::error(error).map(Cow::Owned);
        if let (Kind::Fail | Kind::Info, None, Found::Plain(Given::Text(text))) = (kind, &error, &value)
            && let Some(reason) = text.strip_prefix(':')
        {
            error = Some(Cow::Borrowed(reason));
            value = Found::Plain(Given::Null);
        }
        self.add(InPlace { kind, f, process, value, error, time, index, rest: None })?;
        Ok(true)
    }

    /// Adds an event that was read as a form.
    fn form(&mut self, form: Edn<'_>) -> Result<(), Stop> {
        let placed = super::raw(form).and_then(Raw::event).map_err(|_| Stop::Unusual)?;
        let Some(Placed { mut event, time, index, who, text_key }) = placed else {
            self.others += 1;
            return Ok(());
        };
        let (Who::Number(process), true) = (who, text_key) else { return Err(Stop::Unusual) };
        let value = Found::Plain(Given::Owned(std::mem::take(&mut event.value)));
        let error = event.error.as_deref().map(Cow::Borrowed);
        let (kind, f) = (event.kind, event.f.as_str());
        self.add(InPlace { kind, f, process, value, error, time, index, rest: Some(&event) })
    }

    fn add(&mut self, event: InPlace<'_>) -> Result<(), Stop> {
        let InPlace { kind, f, process, value, error, time, index, rest } = event;
        let time = self.place(time, index)?;
        let open = self.pairs.open(process);
        let (key, value) = match (self.tuples, open) {
            (Tuples::None, _) => plain(value, rest)?,
            (Tuples::Perhaps { .. } | Tuples::Said, None) => self.asked(f, value, rest)?,
            (Tuples::Perhaps { .. } | Tuples::Said, Some(open)) => self.answered(open, value, rest)?,
        };
        match open {
            Some(open) => self.answer(open, kind, f, &value, error.as_deref())?,
            None if kind == Kind::Invoke => {}
            None => return Err(Stop::Unusual),
        }
        let own = if let Given::Owned(value) = &value { Some(value) } else { None };
        self.budget.spend_row(EVENT, own).map_err(|_| Stop::Unusual)?;
        let event = ClientEvent {
            time,
            process,
            kind,
            f,
            key: key.as_deref(),
            value,
            error: error.as_deref(),
            actual: rest.and_then(|event| event.actual.as_ref()).map(Given::Borrowed),
            client: rest.and_then(|event| event.client),
            node: rest.and_then(|event| event.node.as_deref()),
            intended: rest.and_then(|event| event.intended),
            phase: rest.and_then(|event| event.phase),
        };
        self.pairs.add(self.events, event).map_err(|_| Stop::Unusual)?;
        self.events += 1;
        Ok(())
    }

    /// The time of an event, where neither times nor indexes go back.
    fn place(&mut self, time: Stamp, index: Option<u64>) -> Result<u64, Stop> {
        let time = match (time, self.last_time) {
            (Stamp::Nanoseconds(time), last) if Some(time) >= last => time,
            (Stamp::Missing, last) => last.map_or(0, |last| last.saturating_add(1)),
            (Stamp::Nanoseconds(_) | Stamp::Other(_) | Stamp::Unreadable, _) => return Err(Stop::Unusual),
        };
        self.last_time = Some(time);
        match index.filter(|_| self.indexed) {
            Some(index) if index < self.last_index => return Err(Stop::Unusual),
            Some(index) => self.last_index = index,
            None => self.indexed = false,
        }
        Ok(time)
    }

    /// Splits the value of an invocation.
    fn asked<'a>(&mut self, f: &str, value: Found<'a>, rest: Option<&'a Event>) -> Result<Split<'a>, Stop> {
        let has_key = rest.is_some_and(|event| event.key.is_some());
        if let Tuples::Perhaps { proven, versioned } = &mut self.tuples {
            let sign = sign(f, &value, *versioned)?;
            if has_key || sign == Sign::Plain {
                return Err(Stop::NoTuples);
            }
            *proven |= sign == Sign::Tuple;
        }
        let (key, value) = match value {
            Found::Tuple(key, value) => {
                self.note_key(key.is_text)?;
                (Cow::Borrowed(key.text), value)
            }
            Found::Plain(Given::Owned(Value::Array(mut pair))) if pair.len() == 2 => {
                let value = pair.pop().unwrap_or_default();
                let text = independent::text(&pair[0]);
                self.note_key(pair[0].is_string())?;
                (Cow::Owned(text), Given::Owned(value))
            }
            Found::Plain(_) => return Err(Stop::Unusual),
        };
        if has_key { Err(Stop::Unusual) } else { Ok((Some(key), value)) }
    }

    /// Notes a key. Of texts and numbers some may look alike.
    fn note_key(&mut self, is_text: bool) -> Result<(), Stop> {
        let same = *self.text_keys.get_or_insert(is_text) == is_text;
        if same { Ok(()) } else { Err(Stop::Unusual) }
    }

    /// Splits the value of a completion, if it has the key of its invocation.
    fn answered<'a>(
        &self,
        open: usize,
        value: Found<'a>,
        rest: Option<&'a Event>,
    ) -> Result<Split<'a>, Stop> {
        let asked = self.pairs.key(open);
        if rest.is_some_and(|event| event.key.is_some()) {
            return Err(Stop::Unusual);
        }
        match value {
            Found::Tuple(key, value) if asked == Some(key.text) => Ok((Some(Cow::Borrowed(key.text)), value)),
            Found::Tuple(..) | Found::Plain(Given::Pair(..)) => Err(Stop::Unusual),
            Found::Plain(Given::Owned(Value::Array(mut pair)))
                if pair.len() == 2 && asked == Some(independent::text(&pair[0]).as_str()) =>
            {
                let value = pair.pop().unwrap_or_default();
                Ok((Some(Cow::Owned(independent::text(&pair[0]))), Given::Owned(value)))
            }
            Found::Plain(value) => Ok((None, value)),
        }
    }

    /// Notes what a completion says beside its result.
    fn answer(
        &mut self,
        open: usize,
        kind: Kind,
        f: &str,
        value: &Given<'_>,
        error: Option<&str>,
    ) -> Result<(), Stop> {
        match kind {
            Kind::Invoke => return Err(Stop::Unusual),
            Kind::Ok => {
                let text = match value {
                    Given::Text(text) => Some(*text),
                    Given::Owned(value) => value.as_str(),
                    _ => None,
                };
                let denies = matches!(value, Given::Owned(Value::Bool(false)));
                let marks = answers::removes(f) && text.is_some_and(answers::is_mark);
                let null = matches!(value, Given::Null | Given::Owned(Value::Null));
                let appends = f == "append" && !null && self.pairs.is_argument(open, &Given::Null);
                if denies || marks || appends {
                    return Err(Stop::Unusual);
                }
            }
            Kind::Fail | Kind::Info => {
                let structured = match value {
                    Given::Pair(..) | Given::Packed(_) => true,
                    Given::Owned(value) => value.is_array() || value.is_object(),
                    _ => false,
                };
                let differs = structured && !self.pairs.is_argument(open, value);
                self.settled.unjudged_answers += usize::from(differs);
                self.settled.failed_cas |= kind == Kind::Fail && f == "cas" && error != Some(PRECONDITION);
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(Operations, Settled), Stop> {
        if self.events == 0 {
            return Err(Stop::Unusual);
        }
        match self.tuples {
            Tuples::Perhaps { proven: false, .. } => return Err(Stop::NoTuples),
            Tuples::Perhaps { proven: true, .. } => self.settled.split = true,
            Tuples::None | Tuples::Said => {}
        }
        self.settled.others = self.others;
        Ok((self.pairs.finish(), self.settled))
    }
}

/// The key that an event has beside its value.
fn plain<'a>(value: Found<'a>, rest: Option<&'a Event>) -> Result<Split<'a>, Stop> {
    match value {
        Found::Plain(value) => Ok((rest.and_then(|event| event.key.as_deref()).map(Cow::Borrowed), value)),
        Found::Tuple(..) => Err(Stop::Unusual),
    }
}

/// What the value of an invocation says about whether values are keys with values.
fn sign(f: &str, value: &Found<'_>, versioned: bool) -> Result<Sign, Stop> {
    let second = match value {
        Found::Tuple(_, value) => match value {
            Given::Null => Second::Null,
            Given::Integer(_) | Given::Text(_) => Second::Other,
            Given::Pair(..) => Second::List(2),
            Given::Borrowed(value) => Second::of(value),
            Given::Owned(value) => Second::of(value),
            // Their number would count.
            Given::Packed(_) if f == "cas" || versioned => return Err(Stop::Unusual),
            Given::Packed(_) => Second::Lists(1),
        },
        Found::Plain(Given::Owned(Value::Array(pair))) => match pair.as_slice() {
            [Value::Null | Value::Array(_), _] => return Ok(Sign::Plain),
            [_, value] => Second::of(value),
            _ => return Ok(Sign::Plain),
        },
        Found::Plain(Given::Pair(Scalar::Integer(_) | Scalar::Text(_), Scalar::Null)) => Second::Null,
        Found::Plain(Given::Pair(Scalar::Integer(_) | Scalar::Text(_), _)) => Second::Other,
        Found::Plain(_) => return Ok(Sign::Plain),
    };
    Ok(second.sign(f, versioned))
}

/// A key, if there is one, and a value.
type Split<'a> = (Option<Cow<'a, str>>, Given<'a>);
