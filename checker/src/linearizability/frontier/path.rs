//! The updates that led to a configuration, where an order is asked for.

use std::rc::Rc;

/// An update that was taken where others could see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// The completion it was taken for, as an index in the plan's steps.
    pub(super) step: u32,
    pub(super) update: Update,
}

/// Which update it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Update {
    /// The operation with this number.
    Operation(u32),
    /// One of this class of operations of unknown outcome.
    Class(u32),
}

/// Remembers what was taken, or not: `()` costs nothing.
pub(super) trait Path: Clone + Default {
    /// This path and one update more.
    fn then(&self, taken: Taken) -> Self;
}

impl Path for () {
    fn then(&self, _: Taken) -> Self {}
}

/// Everything taken, the latest first. Configurations share what they have in common, and what no
/// configuration holds any more is gone, so all of them together are little more than one order.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail(Option<Rc<Link>>);

#[derive(Debug)]
struct Link {
    taken: Taken,
    before: Trail,
}

impl Path for Trail {
    fn then(&self, taken: Taken) -> Self {
        Self(Some(Rc::new(Link { taken, before: self.clone() })))
    }
}

impl Trail {
    /// What was taken, the earliest first.
    pub(super) fn taken(&self) -> Vec<Taken> {
        let mut all = Vec::new();
        let mut link = &self.0;
        while let Some(here) = link {
            all.push(here.taken);
            link = &here.before.0;
        }
        all.reverse();
        all
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        // Link by link: left to itself, a long trail would be dropped by as deep a recursion.
        let mut link = self.0.take();
        while let Some(mut last) = link.and_then(Rc::into_inner) {
            link = last.before.0.take();
        }
    }
}
