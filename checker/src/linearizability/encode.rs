//! Turns what the operations of one key say into actions on one value.

use super::{
    call::{Call, NEVER},
    marks::{Datum, Mark, Marks},
    object::Action,
    read_registers::{Meaning, NotedKey},
    values::{IMPOSSIBLE, Values},
};

/// Which values keep a number of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Those some operation looks for: all that a verdict needs.
    Observed,
    /// Those that are written as well, so that a witness can name what was there.
    All,
}

/// Turns the notes of one key into actions in the order of invocation.
/// The error says which operation is not understood.
pub(super) fn encode<'a>(
    key: &NotedKey<'a>,
    marks: &[Marks<'a>],
    names: Names,
) -> Result<(Values<'a>, Vec<Call<Action>>), String> {
    if let Some(strange) = &key.strange {
        return Err(strange.clone());
    }
    let values = number(key, marks, names);
    let mut ops = Vec::with_capacity(key.len());
    for (part, notes) in &key.notes {
        for note in notes {
            let action = action(note.meaning, &marks[*part], &values);
            if note.when.completed != NEVER || !action.is_observation() {
                ops.push(note.when.call(action));
            }
        }
    }
    // Ours are in order already; those of other formats need not be.
    if !ops.is_sorted_by_key(|op| op.invoked) {
        ops.sort_by_key(|op| op.invoked);
    }
    Ok((values, ops))
}

/// Numbers the values of a key.
fn number<'a>(key: &NotedKey<'a>, marks: &[Marks<'a>], names: Names) -> Values<'a> {
    let all = || {
        let notes = key.notes.iter().flat_map(|(part, notes)| notes.iter().map(|note| (*part, note.meaning)));
        notes.map(|(part, meaning)| (&marks[part], meaning))
    };
    let appends = || {
        all().filter_map(|(marks, meaning)| match meaning {
            Meaning::Append(suffix) => Some(marks.datum(suffix)),
            Meaning::Read(_)
            | Meaning::Found(..)
            | Meaning::Not(_)
            | Meaning::Write(_)
            | Meaning::Cas(..) => None,
        })
    };
    let sought = all().flat_map(|(marks, meaning)| {
        let pair: [Option<Mark>; 2] = match meaning {
            Meaning::Read(value) | Meaning::Not(value) | Meaning::Cas(value, _) => [Some(value), None],
            Meaning::Found(from, actual) => [Some(from), Some(actual)],
            Meaning::Write(_) | Meaning::Append(_) => [None, None],
        };
        pair.into_iter().flatten().map(|mark| marks.datum(mark))
    });
    let left = all().filter(|_| names == Names::All).filter_map(|(marks, meaning)| match meaning {
        Meaning::Write(value) | Meaning::Cas(_, value) => Some(marks.datum(value)),
        Meaning::Read(_) | Meaning::Found(..) | Meaning::Not(_) | Meaning::Append(_) => None,
    });
    let observed = sought.chain(left);
    if appends().next().is_some() {
        return Values::text(observed, appends());
    }
    let largest = all().flat_map(|(marks, meaning)| small(marks, meaning)).max();
    Values::plain(observed, largest, key.len())
}

/// The small integers an operation speaks of, as far as they may be looked for.
fn small(marks: &Marks<'_>, meaning: Meaning) -> impl Iterator<Item = u32> {
    let pair = match meaning {
        Meaning::Read(a) | Meaning::Not(a) | Meaning::Write(a) | Meaning::Append(a) => [Some(a), None],
        Meaning::Found(a, b) | Meaning::Cas(a, b) => [Some(a), Some(b)],
    };
    pair.into_iter().flatten().filter_map(|mark| match marks.datum(mark) {
        Datum::Small(number) => Some(number),
        Datum::Absent | Datum::Other(_) => None,
    })
}

/// The action behind a meaning, once all values that are looked for have numbers.
fn action(meaning: Meaning, marks: &Marks<'_>, values: &Values<'_>) -> Action {
    let find = |mark| values.find(marks.datum(mark));
    match meaning {
        Meaning::Read(value) => Action::Read(find(value)),
        Meaning::Found(from, actual) => match (find(from), find(actual)) {
            (from, actual) if from == actual => Action::Read(IMPOSSIBLE),
            (_, actual) => Action::Read(actual),
        },
        Meaning::Not(value) => Action::Not(find(value)),
        Meaning::Write(value) => Action::Write(find(value)),
        Meaning::Cas(from, to) => match (find(from), find(to)) {
            (from, to) if from == to => Action::Read(from),
            (from, to) => Action::Cas(from, to),
        },
        Meaning::Append(suffix) => Action::Append(values.suffix(marks.datum(suffix))),
    }
}
