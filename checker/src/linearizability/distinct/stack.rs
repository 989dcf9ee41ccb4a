//! Last in, first out: elements are taken away one by one, whenever both their operations have an instant
//! at which no other element that is left is certainly inside.
//!
//! Such an element may be the lowest on the stack for a while, and everything else fits before, between
//! or after. A linearizable history always has one: the lowest element of any order.

use super::super::depth_first::count;
use super::{
    lives::Life,
    order::shortest,
    stab::{Cover, Straddling},
};
use std::collections::BTreeSet;

pub(super) fn linearizable(lives: &[Life]) -> bool {
    // Where push and pop overlap they may follow one another at once, whatever else is on the stack.
    let lives: Vec<&Life> = lives.iter().filter(|life| life.inside().is_some()).collect();
    let times = times(&lives);
    taken_away(&lives, &times, |_, _, _| {})
}

/// When each element goes in and comes out; none if the history is not linearizable. Of two stays one
/// contains the other, or they share at most an instant.
pub(super) fn stays(lives: &[Life]) -> Option<Vec<(u32, u32)>> {
    let long: Vec<usize> = (0..lives.len()).filter(|&number| lives[number].inside().is_some()).collect();
    let kept: Vec<&Life> = long.iter().map(|&number| &lives[number]).collect();
    let times = times(&kept);
    let mut stays: Vec<(u32, u32)> = lives.iter().map(shortest).collect();
    let mut free: BTreeSet<u32> = BTreeSet::new();
    let mut known = 0;
    // As close as possible to the time inside: then nothing that was taken away earlier lies between.
    let found = taken_away(&kept, &times, |life, all_free, [push, pop]| {
        free.extend(&all_free[known..]);
        known = all_free.len();
        let last = free.range(push.0..=push.1).next_back();
        let first = free.range(pop.0..=pop.1).next();
        let (last, first) = last.zip(first).expect("both operations have a free instant");
        stays[long[life]] = (times[*last as usize], times[*first as usize]);
    });
    found.then_some(stays)
}

fn times(lives: &[&Life]) -> Vec<u32> {
    let all = lives.iter().flat_map(|life| [life.add.0, life.add.1, life.remove.0, life.remove.1]);
    let mut times: Vec<u32> = all.collect();
    times.sort_unstable();
    times.dedup();
    times
}

/// Whether all elements can be taken away. Each time one is, `taken` hears which, what instants are free
/// by then, and between which its push and pop lie, as places among the times.
fn taken_away(lives: &[&Life], times: &[u32], mut taken: impl FnMut(usize, &[u32], [(u32, u32); 2])) -> bool {
    let place = placer(times);
    // Operation 2i is the push of life i, 2i + 1 its pop.
    let spans: Vec<(u32, u32)> =
        lives.iter().flat_map(|life| [life.add, life.remove]).map(|(a, b)| (place(a), place(b))).collect();
    let inside = |life: usize| (spans[2 * life].1 + 1, spans[2 * life + 1].0);
    let mut cover = Cover::new(times.len(), (0..lives.len()).map(inside));
    let mut waiting = Straddling::new(times.len(), &spans);
    let mut half = vec![false; lives.len()];
    let (mut left, mut found) = (lives.len(), Vec::new());
    let (mut free, mut next) = (Vec::new(), 0);
    while left > 0 {
        while let Some(place) = cover.take_free() {
            free.push(count(place));
        }
        let Some(&place) = free.get(next) else { return false };
        next += 1;
        found.clear();
        waiting.take(place, &mut found);
        for &operation in &found {
            let life = operation as usize / 2;
            if std::mem::replace(&mut half[life], true) {
                taken(life, &free, [spans[2 * life], spans[2 * life + 1]]);
                cover.remove(inside(life));
                left -= 1;
            }
        }
    }
    true
}

/// The place of a moment among the sorted moments that occur.
fn placer(times: &[u32]) -> impl Fn(u32) -> u32 {
    // What is left at the very end has one moment that is far from the others.
    let (origin, end) = (times.first().copied().unwrap_or(0), times.last().copied());
    let span = times.iter().rev().nth(1).map_or(0, |&time| (time - origin) as usize);
    // Most histories use nearly all moments; then a table is much faster than a search.
    let table = (span <= 8 * times.len()).then(|| {
        let mut table = vec![0; span + 1];
        for (&time, place) in times.iter().zip(0..).filter(|&(&time, _)| Some(time) != end) {
            table[(time - origin) as usize] = place;
        }
        table
    });
    let times = times.to_vec();
    move |time| match &table {
        Some(table) if Some(time) != end => table[(time - origin) as usize],
        Some(_) => count(times.len() - 1),
        None => count(times.partition_point(|&other| other < time)),
    }
}
