//! How long each value can matter: until the last operation that may look for it has completed.

use super::super::{
    call::{Call, NEVER},
    object::Action,
    values::Values,
};
use rustc_hash::{FxHashMap, FxHashSet};

/// Pairs of a suffix and a text looked at, to find out where a suffix may matter. With more, it matters
/// for good.
const SUFFIX_LOOKS: usize = 20_000_000;

/// By value: the first moment at which no operation looks for it any more; 0 if none ever does.
pub(super) struct LastUses<'a> {
    values: &'a Values<'a>,
    by_value: Vec<u32>,
    /// The same for operations that look for any value other than a certain one.
    any: u32,
    /// The same for what appends of unknown outcome leave, by suffix.
    by_suffix: FxHashMap<u32, u32>,
}

impl<'a> LastUses<'a> {
    pub(super) fn new(values: &'a Values<'a>, ops: &[Call<Action>]) -> Self {
        let by_value = vec![0; values.len()];
        let mut uses = Self { values, by_value, any: 0, by_suffix: FxHashMap::default() };
        let mut chains: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        let mut suffixes = FxHashSet::default();
        for op in ops {
            match op.action {
                Action::Read(value) => uses.look(value, op.completed),
                Action::Not(_) => uses.any = uses.any.max(op.completed.saturating_add(1)),
                Action::Cas(from, _) if op.certain() => uses.look(from, op.completed),
                Action::Cas(from, to) => chains.entry(to).or_default().push(from),
                Action::Append(suffix) if !op.certain() => {
                    suffixes.insert(suffix);
                }
                Action::Write(_) | Action::Append(_) => {}
            }
        }
        uses.pass_down();
        uses.pass_back(&chains);
        uses.end_with(&suffixes);
        uses
    }

    fn look(&mut self, value: u32, time: u32) {
        // The impossible value has no entry.
        if let Some(end) = self.by_value.get_mut(value as usize) {
            *end = time.saturating_add(1).max(*end);
        }
    }

    /// A text matters as long as a longer one that starts with it: appends lead there.
    fn pass_down(&mut self) {
        for value in (0..self.by_value.len()).rev() {
            let end = self.by_value[value];
            if let Some(shorter) = self.values.shorter(value) {
                self.by_value[shorter] = self.by_value[shorter].max(end);
            }
        }
    }

    /// A compare-and-set that may have happened looks for its old value as long as its new one matters.
    fn pass_back(&mut self, chains: &FxHashMap<u32, Vec<u32>>) {
        let mut open: Vec<u32> = chains.keys().copied().collect();
        while let Some(to) = open.pop() {
            let end = self.until(to);
            for &from in chains.get(&to).map_or(&[][..], Vec::as_slice) {
                let mut value = Some(from as usize);
                while let Some(index) = value.filter(|&index| self.by_value[index] < end) {
                    self.by_value[index] = end;
                    open.extend(u32::try_from(index));
                    value = self.values.shorter(index);
                }
            }
        }
    }

    /// An append matters as long as a text that ends with its suffix.
    fn end_with(&mut self, suffixes: &FxHashSet<u32>) {
        let affordable = suffixes.len().saturating_mul(self.by_value.len()) <= SUFFIX_LOOKS;
        for &suffix in suffixes {
            let ends = self.by_value.iter().zip(0..);
            let end = if affordable {
                ends.filter(|&(&end, value)| end > 0 && self.values.ends_with(value, suffix))
                    .map(|(&end, _)| end)
                    .max()
                    .unwrap_or(0)
            } else {
                NEVER
            };
            self.by_suffix.insert(suffix, end.max(self.any));
        }
    }

    fn until(&self, value: u32) -> u32 {
        self.by_value.get(value as usize).copied().unwrap_or(0).max(self.any)
    }

    /// The moment from which what an update leaves helps no operation.
    pub(super) fn end(&self, action: Action) -> u32 {
        match action {
            Action::Write(to) | Action::Cas(_, to) => self.until(to),
            Action::Append(suffix) => self.by_suffix.get(&suffix).copied().unwrap_or(NEVER),
            Action::Read(_) | Action::Not(_) => 0,
        }
    }

    /// Whether an operation can matter at all.
    pub(super) fn matters(&self, op: &Call<Action>) -> bool {
        op.certain() || self.end(op.action) > op.invoked
    }

    /// The moments from which values matter no more, with the values.
    pub(super) fn ends(&self) -> impl Iterator<Item = (u32, u32)> {
        self.by_value.iter().map(|&end| end.max(self.any)).zip(0..)
    }
}
