//! Reads `operations.json` of etcd's robustness tests: one object an operation, one after the other.
//!
//! Files of all clients of a run belong together: their bytes one after the other are one history. What a
//! store of keys and texts cannot say is weakened, never strengthened, and noted: an invalid verdict stays
//! right.

mod meaning;
mod modified;
mod projections;
mod request;
mod revisions;
mod snapshots;

use super::super::{Options, budget::Budget, draft::Draft, fault::Fault, intervals};
use history::{Event, Kind, Process};
use meaning::{Left, Part, Parts};
use modified::Modified;
use projections::Counter;
pub use projections::REVISION as STORE_REVISION;
use request::Entry;
use revisions::Revisions;
use snapshots::Snapshots;

pub(super) fn read<'a>(bytes: &'a [u8], budget: Budget, options: &Options) -> Result<Draft<'a>, Fault> {
    let mut draft = Draft::new(bytes, budget);
    draft.ties = options.ties;
    let mut largest = 0;
    let (mut revisions, mut counter) = (Revisions::default(), Counter::default());
    let (mut modified, mut snapshots) = (Modified::default(), Snapshots::default());
    let mut miscounts = 0;
    draft.end.unfinished = each(bytes, |_, entry| {
        revisions.learn(&entry);
        counter.learn(&entry);
        modified.learn(&entry);
        snapshots.learn(&entry);
        let read = entry.input.range.as_ref().zip(entry.output.range.as_ref());
        miscounts += usize::from(read.is_some_and(|(range, found)| found.miscounts(range)));
        largest = largest.max(entry.client);
        Ok(())
    })?;
    let mut left = Left::default();
    if miscounts > 0 {
        draft.unjudged.push(format!("{miscounts} counts of reads that differ from what these found"));
    }
    let start = Times { call: 0, end: Some(0) };
    let beside = largest.saturating_add(1);
    counter.start().map_or(Ok(()), |part| push(&mut draft, 0, beside, &start, part))?;
    for part in revisions.first_values() {
        push(&mut draft, 0, beside, &start, part)?;
    }
    for (call, part) in counter.unanswered().chain(modified.unanswered()) {
        push(&mut draft, 0, beside, &Times { call, end: None }, part)?;
    }
    let mut clients: Vec<u64> = Vec::new();
    each(bytes, |offset, entry| {
        let times = Times::of(&entry).map_err(|message| Fault::at(offset, message))?;
        let client = entry.client;
        if clients.last() != Some(&client) {
            clients.push(client);
        }
        let mut parts = Parts::default();
        meaning::parts(&entry, &revisions, &mut parts, &mut left)
            .map_err(|message| Fault::at(offset, message))?;
        for [before, read] in snapshots.contradictions(&entry) {
            push(&mut draft, offset, beside, &start, before)?;
            push(&mut draft, offset, client, &times, read)?;
        }
        let presence = parts.0.iter().filter_map(|part| projections::presence(part, &revisions));
        let changed = modified.parts(&entry, &revisions);
        let contradictions = revisions.contradictions(&entry);
        let beside: Vec<Part> =
            presence.chain(counter.part(&entry)).chain(changed).chain(contradictions).collect();
        left.count_unjudged(&entry);
        let own = parts.0.into_iter().map(projections::own);
        own.chain(beside).try_for_each(|part| push(&mut draft, offset, client, &times, part))
    })?;
    if draft.end.unfinished {
        draft.note_cut();
    }
    intervals::settle(&mut draft, true)?;
    draft.end.hides = true;
    left.note(&mut draft);
    clients.sort_unstable();
    clients.dedup();
    if let [only] = clients.as_slice() {
        draft.notes.push(format!(
            "all operations are client {only}'s: the files of all clients of a run make one history together"
        ));
        draft.lone_client = Some(*only);
    }
    Ok(draft)
}

/// Hands over every object with its offset; returns whether the file ends inside one.
fn each(bytes: &[u8], mut take: impl FnMut(usize, Entry) -> Result<(), Fault>) -> Result<bool, Fault> {
    let start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut any = false;
    let mut objects = serde_json::Deserializer::from_slice(&bytes[start..]).into_iter::<Entry>();
    loop {
        let before = start + objects.byte_offset();
        let blank = bytes[before..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match objects.next() {
            None => return Ok(false),
            Some(Ok(entry)) => {
                any = true;
                take(before + blank, entry)?;
            }
            Some(Err(error)) if error.is_eof() && any => return Ok(true),
            Some(Err(error)) => return Err(Fault::json(start, &bytes[start..], &error)),
        }
    }
}

/// When an operation began and ended.
struct Times {
    call: u64,
    /// None where no response was seen.
    end: Option<u64>,
}

impl Times {
    fn of(entry: &Entry) -> Result<Self, String> {
        let call =
            u64::try_from(entry.call).map_err(|_| "the Call lies before the start of the run".to_owned())?;
        // Operations without an answer have Return 0 or the largest number there is.
        let end = u64::try_from(entry.end).ok().filter(|&end| end >= call && entry.end != i64::MAX);
        if end.is_none() && entry.output.answered() {
            return Err("the operation was answered, but its Return lies before its Call".to_owned());
        }
        Ok(Self { call, end })
    }
}

fn push(draft: &mut Draft<'_>, offset: usize, client: u64, times: &Times, part: Part) -> Result<(), Fault> {
    let process = Process::Client(client);
    let mut begin = Event::new(process, Kind::Invoke, part.f);
    begin.time = times.call;
    begin.key = Some(part.key);
    begin.value = part.argument;
    begin.client = u32::try_from(client).ok();
    let end = times.end.filter(|_| part.kind != Kind::Info).map(|time| {
        let mut end = Event::new(process, part.kind, part.f);
        end.time = time;
        end.key.clone_from(&begin.key);
        end.value = part.result;
        end.error = (part.kind == Kind::Fail).then(|| "precondition".to_owned());
        end
    });
    draft.push_as_is(offset, begin)?;
    end.map_or(Ok(()), |end| draft.push_as_is(offset, end))
}
