//! A history as it was read, with all that was guessed on the way.

use super::{
    FailedCas, Format, ModelGuess, Options, ReadError, answers, budget::Budget, clients, draft::Draft,
    failed_cas, fault::Fault, independent, model, order, order::Order, processes, readers::note_others,
    stamp,
};
use history::{
    Converted, Event, FORMAT_VERSION, Header, Kind, Operation, Operations, PairError, Process,
    RegisterAccess, RegisterTransactions, pair, pair_columns, register_events, register_operations,
};
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::borrow::Cow;

/// A file that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The format it is in.
    pub format: Format,
    /// What the events belong to; made up where the file does not say (spec `converted`, seed 0, the year
    /// 1970).
    pub header: Header,
    events: Vec<Event>,
    /// The operations, where they were read without events.
    in_columns: Option<Operations>,
    /// The transactions of a file that has sessions of them, and no events.
    transactions: RegisterTransactions,
    /// What is known of the model.
    pub model: ModelGuess,
    /// What was guessed and why, and what was left out or changed; a sentence each.
    pub notes: Vec<String>,
    /// What the events say that no check judges; a clause each, for the verdict's sentence.
    pub unjudged: Vec<String>,
    /// Whether the file ends inside an event.
    pub unfinished: bool,
    /// What the order of the events is taken from.
    pub order: Order,
    /// Whether the last line has no end and was left out, so that a reading with it may differ.
    pub open_end: bool,
    /// Whether events of the same time have an order that was chosen, and that [`Options::ties`] changes.
    pub reorders: bool,
    lines: Vec<u32>,
}

impl Read {
    /// The model's name; the error lists what can be said.
    pub fn model(&self) -> Result<&str, ReadError> {
        self.model.name()
    }

    /// The events in their order. Times never decrease; where a file has none they count the events. There are none where
    /// [`read_operations`](crate::read_operations) gave the operations.
    pub fn events(&self) -> Cow<'_, [Event]> {
        if self.transactions.is_empty() {
            Cow::Borrowed(&self.events)
        } else {
            Cow::Owned(register_events(self.transactions.iter()))
        }
    }

    /// The operations, paired process by process.
    pub fn operations(&self) -> Result<Vec<Operation>, ReadError> {
        if let Some(operations) = &self.in_columns {
            return Ok(operations.to_vec());
        }
        let events = self.events();
        let operations = pair(&events).map_err(|error| self.located(&error))?;
        Ok(self.ordered(operations, events.len()))
    }

    /// The operations, as [`operations`](Self::operations) gives them, in columns. The events move into them and are
    /// gone.
    pub fn take_operations(&mut self) -> Result<Operations, ReadError> {
        if let Some(operations) = self.in_columns.take() {
            return Ok(operations);
        }
        let events = std::mem::take(&mut self.events);
        let transactions = std::mem::take(&mut self.transactions);
        if !transactions.is_empty() {
            let count = 2 * transactions.len();
            let mut operations = register_operations(&transactions);
            operations.end_later(count);
            return Ok(operations);
        }
        let count = events.len();
        let mut operations = pair_columns(events).map_err(|error| self.located(&error))?;
        if self.order == Order::Sessions {
            operations.end_later(count);
        }
        Ok(operations)
    }

    fn located(&self, error: &PairError) -> ReadError {
        let line = self.line(error.event()).unwrap_or(0);
        ReadError { line, column: line.min(1), message: error.to_string() }
    }

    /// Of sessions, every operation ends after all have begun, so that no real-time order is made up; what a process did
    /// first is still what it began first.
    fn ordered(&self, mut operations: Vec<Operation>, events: usize) -> Vec<Operation> {
        if self.order == Order::Sessions {
            for operation in &mut operations {
                operation.completed = operation.completed.map(|event| event + events);
            }
        }
        operations
    }

    /// The line of the file an event stands on, counted from 1.
    pub fn line(&self, event: usize) -> Option<usize> {
        self.lines.get(event).map(|&line| line as usize)
    }
}

/// Does what all formats have in common, once the events are there.
pub(super) fn finish(
    mut draft: Draft<'_>,
    format: Format,
    how: Option<String>,
    options: &Options,
) -> Result<Read, Fault> {
    if let Some(how) = how {
        draft.notes.insert(0, how);
    }
    match format {
        Format::JepsenEdn | Format::JepsenLog | Format::ElleJson | Format::PorcupineKv => {
            draft.ties = options.ties;
            stamp::settle(&mut draft);
            independent::tell_keys_apart(&mut draft);
            clients::settle(&mut draft)?;
            order::settle(&mut draft)?;
            if format != Format::PorcupineKv {
                split(&mut draft, options)?;
            }
            answers::settle(&mut draft);
            processes::settle(&mut draft)?;
        }
        Format::History
        | Format::OperationsCsv
        | Format::EtcdJson
        | Format::Dbcop
        | Format::Cobra
        | Format::Plume
        | Format::Awdit => {}
    }
    note_unjudged_answers(&mut draft);
    let meaning = options.failed_cas.unwrap_or_else(|| FailedCas::default_of(format));
    failed_cas::apply(&mut draft.events, meaning);
    note_failed_cas(&mut draft, meaning);
    let model = match (&options.model, &draft.header) {
        (Some(said), _) => ModelGuess::Said(said.clone()),
        (None, Some(header)) => ModelGuess::Said(header.model.clone()),
        (None, None) if draft.transactions.is_empty() => model::guess(&draft.events, options.initial),
        (None, None) => model::guess(&sample(&draft.transactions), options.initial),
    };
    if let (Some(said), true) = (&options.model, format.is_foreign()) {
        model::refuse(said, &draft)?;
    }
    Ok(finished(draft, None, format, model, options))
}

/// What was settled while operations were read without events.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// How many events were no clients'.
    pub(super) others: usize,
    /// Whether values were found to be keys with values.
    pub(super) split: bool,
    /// How many failures and unknown outcomes have answers.
    pub(super) unjudged_answers: usize,
    /// Whether a compare-and-set failed without the error that says why.
    pub(super) failed_cas: bool,
}

/// What [`finish`] makes of the events of the same operations, which leave nothing else to settle; none if they are to be read
/// as events.
pub(super) fn of_operations(
    operations: Operations,
    settled: &Settled,
    how: Option<String>,
    options: &Options,
) -> Option<Read> {
    let format = Format::JepsenEdn;
    let mut draft = Draft::new(&[], Budget::new(0, None));
    draft.notes.extend(how);
    note_others(&mut draft, settled.others);
    if settled.split {
        draft.notes.push(SPLIT.to_owned());
    }
    note_answers_of_others(&mut draft, settled.unjudged_answers);
    if settled.failed_cas {
        draft.notes.push(FAILED_CAS_AS_SAID.to_owned());
    }
    let model = match &options.model {
        Some(said) if model::fits(said, &operations) => ModelGuess::Said(said.clone()),
        Some(_) => return None,
        None => model::guess_of_operations(&operations, options.initial)?,
    };
    Some(finished(draft, Some(operations), format, model, options))
}

fn finished(
    mut draft: Draft<'_>,
    in_columns: Option<Operations>,
    format: Format,
    model: ModelGuess,
    options: &Options,
) -> Read {
    note_model(&mut draft, &model);
    let converted = converted(&mut draft, format, &model, options);
    let mut header = draft.header.unwrap_or_else(|| Header {
        history: FORMAT_VERSION,
        spec: "converted".to_owned(),
        variant: "main".to_owned(),
        model: model.name().unwrap_or("unknown").to_owned(),
        seed: 0,
        started: "1970-01-01T00:00:00Z".to_owned(),
        initial: draft.initial,
        converted: None,
    });
    header.converted = converted;
    Read {
        format,
        header,
        events: draft.events,
        in_columns,
        transactions: draft.transactions,
        model,
        notes: draft.notes,
        unjudged: draft.unjudged,
        unfinished: draft.end.unfinished,
        order: draft.order,
        open_end: draft.end.open,
        reorders: draft.ties_chosen,
        lines: draft.lines,
    }
}

/// The events of the first transactions that do each thing, from which the model is guessed.
fn sample(transactions: &RegisterTransactions) -> Vec<Event> {
    let accesses = [RegisterAccess::Write, RegisterAccess::Read, RegisterAccess::ReadNothing];
    let pairs = accesses.into_iter().flat_map(|access| [(access, true), (access, false)]);
    let first = |(access, committed)| {
        transactions.iter().find(|transaction| {
            transaction.committed == committed && transaction.steps.iter().any(|step| step.access == access)
        })
    };
    register_events(pairs.filter_map(first))
}

/// Notes a model that was guessed.
fn note_model(draft: &mut Draft<'_>, model: &ModelGuess) {
    if let ModelGuess::Plain(name) = *model {
        let mut note = format!("the model is taken to be {name}, by the names and values of the operations");
        let stricter = model::stricter(name);
        if !stricter.is_empty() {
            note = format!("{note}; --model {} asks for more", stricter.join(" or "));
        }
        draft.notes.push(note);
    }
}

/// What is not certain about the file, with what it says itself.
fn converted(
    draft: &mut Draft<'_>,
    format: Format,
    model: &ModelGuess,
    options: &Options,
) -> Option<Converted> {
    let said = draft.header.as_mut().and_then(|header| header.converted.take()).or(draft.converted.take());
    let ours = said.is_none() && !format.is_foreign();
    let mut converted =
        said.unwrap_or_else(|| Converted { from: format.name().to_owned(), ..Converted::default() });
    let hides = draft.end.hides || draft.order != Order::File || !draft.added.is_empty();
    let cas = |event: &Event| event.kind == Kind::Fail && event.f == "cas";
    let guesses_cas =
        options.failed_cas.is_none() && FailedCas::default_of(format) == FailedCas::ValueDiffered;
    converted.unknown_start |= format.is_foreign();
    converted.guessed_model |= matches!(model, ModelGuess::Plain(_));
    converted.guessed_model &= options.model.is_none();
    converted.guessed_failed_cas |= guesses_cas && draft.events.iter().any(cas);
    converted.guessed_failed_cas &= options.failed_cas.is_none();
    converted.chosen_order |= draft.ties_chosen;
    converted.lone_client = converted.lone_client.or(draft.lone_client);
    converted.unfinished |= draft.end.unfinished;
    converted.cut_hides |= draft.end.unfinished && hides;
    (!ours || !converted.is_certain()).then_some(converted)
}

const SPLIT: &str = "every value is taken to be [key value], as in independent tests: all are pairs, and some can be nothing else";

fn split(draft: &mut Draft<'_>, options: &Options) -> Result<(), Fault> {
    let versioned = options.model.as_deref() == Some("versioned-register");
    let splits = match options.independent {
        Some(said) => said,
        None => independent::guess(draft, versioned)?,
    };
    if splits {
        independent::split(draft)?;
        if options.independent.is_none() {
            draft.notes.push(SPLIT.to_owned());
        }
    }
    Ok(())
}

/// Notes answers beside an unknown outcome or a failure, which no check uses.
fn note_unjudged_answers(draft: &mut Draft<'_>) {
    let count = answers_of_others(&draft.events);
    note_answers_of_others(draft, count);
}

fn note_answers_of_others(draft: &mut Draft<'_>, count: usize) {
    if count > 0 {
        draft.unjudged.push(format!("answers of {count} operations that failed or whose outcome is unknown"));
    }
}

/// How many failures and unknown outcomes have lists or maps that are not what was asked.
fn answers_of_others(events: &[Event]) -> usize {
    let mut open: FxHashMap<Process, &Value> = FxHashMap::default();
    let mut count = 0;
    for event in events {
        match event.kind {
            Kind::Invoke => {
                open.insert(event.process, &event.value);
            }
            Kind::Fail | Kind::Info => {
                let asked = open.remove(&event.process);
                let structured = event.value.is_array() || event.value.is_object();
                count += usize::from(structured && asked.is_some_and(|asked| *asked != event.value));
            }
            Kind::Ok => {}
        }
    }
    count
}

const FAILED_CAS_AS_SAID: &str =
    "a compare-and-set that failed without the error precondition is taken not to have happened";

fn note_failed_cas(draft: &mut Draft<'_>, meaning: FailedCas) {
    let said = |event: &Event| event.error.as_deref() == Some(failed_cas::PRECONDITION);
    let failed = || draft.events.iter().filter(|event| event.kind == Kind::Fail && event.f == "cas");
    let note = match meaning {
        FailedCas::ValueDiffered if failed().any(said) => {
            "a compare-and-set that failed is taken to have found another value"
        }
        FailedCas::AsSaid if failed().any(|event| !said(event)) => FAILED_CAS_AS_SAID,
        FailedCas::DidNotHappen if failed().next().is_some() => {
            "a compare-and-set that failed is taken not to have happened"
        }
        FailedCas::ValueDiffered | FailedCas::AsSaid | FailedCas::DidNotHappen => return,
    };
    draft.notes.push(note.to_owned());
}
