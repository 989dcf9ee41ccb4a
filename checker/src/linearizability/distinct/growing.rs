//! Sets that only grow and are read as a whole: the reads fix the order of the adds.

use super::super::{
    call::{Call, NEVER},
    objects::SetAction,
};
use super::Read;

/// Whether a set is linearizable, whose elements are numbered below `count`. None if an element is added
/// twice or removed, or asked for by itself.
pub(in super::super) fn growing_set(count: usize, calls: &[Call<SetAction>]) -> Option<bool> {
    match read(count, calls) {
        Read::Impossible => Some(false),
        Read::Ambiguous => None,
        Read::Distinct(placed) => {
            Some(in_level_order(placed.iter().map(|&(level, call)| (level, call.invoked, call.completed))))
        }
    }
}

/// The order of calls that [`growing_set`] has found linearizable, by origin.
pub(in super::super) fn growing_set_order(count: usize, calls: &[Call<SetAction>]) -> Option<Vec<u32>> {
    let Read::Distinct(mut placed) = read(count, calls) else { return None };
    placed.sort_by_key(|&(level, call)| (level, call.invoked));
    Some(placed.iter().map(|(_, call)| call.origin).collect())
}

/// A level in the order that is forced, and the call.
type Placed<'a> = (u32, &'a Call<SetAction>);

/// The calls by level, in order of levels.
fn read(count: usize, calls: &[Call<SetAction>]) -> Read<Vec<Placed<'_>>> {
    let mut added = vec![false; count];
    let mut reads: Vec<(&[u32], &Call<SetAction>)> = Vec::new();
    for call in calls {
        match &call.action {
            SetAction::Add(element) | SetAction::AddNew(element) => {
                if std::mem::replace(&mut added[*element as usize], true) {
                    return Read::Ambiguous;
                }
            }
            SetAction::Read(all) if call.certain() => reads.push((all, call)),
            SetAction::Read(_) => {}
            SetAction::Remove(_) | SetAction::RemoveOld(_) | SetAction::Contains(..) => {
                return Read::Ambiguous;
            }
        }
    }
    reads.sort_by_key(|(all, _)| all.len());
    // By element: the number of the first different read that found it.
    let mut first = vec![NEVER; count];
    let (mut level, mut size) = (0, 0);
    let mut placed: Vec<Placed<'_>> = Vec::with_capacity(calls.len());
    for (all, call) in reads {
        let known = all.iter().filter(|&&element| first[element as usize] != NEVER).count();
        if known != size {
            return Read::Impossible;
        }
        if all.len() > size {
            level += 1;
            size = all.len();
            for &element in all {
                if first[element as usize] != NEVER {
                    continue;
                }
                if !added[element as usize] {
                    return Read::Impossible;
                }
                first[element as usize] = 2 * level;
            }
        }
        placed.push((2 * level + 1, call));
    }
    let adds = calls.iter().filter_map(|call| match call.action {
        SetAction::Add(element) | SetAction::AddNew(element) => Some((first[element as usize], call)),
        SetAction::Remove(_) | SetAction::RemoveOld(_) | SetAction::Contains(..) | SetAction::Read(_) => None,
    });
    placed.extend(adds.filter(|(level, call)| call.certain() || *level != NEVER));
    placed.sort_by_key(|&(level, _)| level);
    Read::Distinct(placed)
}

/// Whether operations fit an order of levels, those of one level in any order. They
/// come as level, invocation and completion, sorted by level.
pub(in super::super) fn in_level_order(operations: impl Iterator<Item = (u32, u32, u32)>) -> bool {
    let (mut level, mut before, mut latest) = (0, 0, 0);
    for (own, invoked, completed) in operations {
        if own != level {
            level = own;
            before = latest;
        }
        if completed < before {
            return false;
        }
        latest = latest.max(invoked);
    }
    true
}
