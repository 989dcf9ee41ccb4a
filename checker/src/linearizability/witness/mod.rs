//! Makes a witness out of an operation that cannot complete.

mod object;
mod shrinker;
mod value;
mod words;

pub(super) use object::prove_object;
pub(super) use value::prove_value;

use super::{
    Pending, Witness,
    call::Call,
    method::{Method, standing, until},
};
use crate::limits::Limits;
use crate::order::sort_by_key;
use history::Operations;
use rustc_hash::FxHashSet;
use words::summary;

/// The operation with whose completion a key became impossible.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blamed {
    pub(super) completed: u32,
    /// Its index in the caller's operations.
    pub(super) origin: u32,
}

/// Explains why an operation, the earliest of its kind among the calls of a key, cannot have completed. All values
/// written must have names.
pub(super) fn explain<M: Method>(
    operations: &Operations,
    key: Option<&str>,
    method: &M,
    calls: &[Call<M::Action>],
    blamed: Blamed,
    limits: &Limits<'_>,
) -> Witness {
    let needed = until(method, calls, blamed.completed);
    let origins: FxHashSet<u32> = needed.iter().map(|call| call.origin).collect();
    let mut unneeded = standing(calls, blamed.completed);
    unneeded.retain(|call| !origins.contains(&call.origin));
    let proof = method.proof(&needed, &unneeded, limits);
    // Of several that completed at the same time, the part that is left may blame another one.
    let blamed = proof.stuck.as_ref().map_or(blamed.origin, |stuck| stuck.blamed) as usize;
    let mut part: Vec<usize> = proof.part.iter().map(|call| call.origin as usize).collect();
    if !part.contains(&blamed) {
        part.push(blamed);
        sort_by_key(&mut part, |&index| operations.at(index).invoked as u64);
    }
    let summary = summary(key, operations.at(blamed), part.len(), &proof);
    let (values, pending) =
        proof.stuck.map_or_else(Default::default, |stuck| (stuck.possible, stuck.pending));
    let pending = pending.into_iter().map(|(origin, why)| Pending { operation: origin as usize, why });
    Witness {
        key: key.map(str::to_owned),
        operation: blamed,
        operations: part,
        values,
        pending: pending.collect(),
        summary,
        other_keys: Vec::new(),
    }
}
