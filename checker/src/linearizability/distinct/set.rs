//! Sets asked for one element at a time: each element has a history of its own.

use super::super::{
    call::{Call, NEVER},
    marks::Datum,
    method::{Decision, decide},
    object::Action,
    objects::SetAction,
    values::{ABSENT, Values},
};
use super::Read;
use crate::limits::Limits;
use rustc_hash::FxHashMap;
use serde_json::Value;

/// What is known of one element that is added and removed at most once.
#[derive(Debug, Clone, Copy)]
struct Element {
    adds: u32,
    removes: u32,
    add: (u32, u32),
    remove: (u32, u32),
    /// Whether the removal may have found nothing, or not have happened.
    remove_may_miss: bool,
    /// The earliest completion and the latest invocation of the operations that found it.
    found: (u32, u32),
    /// While it is certainly inside if it was removed, and if its removal found nothing; both ends excluded.
    inside: [Option<(u32, u32)>; 2],
}

const NOTHING: Element = Element {
    adds: 0,
    removes: 0,
    add: (0, 0),
    remove: (0, 0),
    remove_may_miss: false,
    found: (NEVER, 0),
    inside: [None; 2],
};

/// An interval that holds nothing.
const NEVER_INSIDE: (u32, u32) = (NEVER, 0);

/// Whether a set is linearizable, whose elements are numbered below `count`. None if this method cannot decide, or if
/// a read asked for all elements.
pub(in super::super) fn set(count: usize, calls: &[Call<SetAction>], limits: &Limits<'_>) -> Option<bool> {
    match learn(count, calls) {
        Read::Impossible => Some(false),
        Read::Ambiguous => None,
        Read::Distinct(elements) if elements.iter().all(Element::is_simple) => Some(true),
        Read::Distinct(elements) => {
            let mut known = true;
            let registers = Registers::new(&elements, calls);
            for (_, ops) in registers.all() {
                match decide(&registers.values, ops, limits, false).0 {
                    Decision::Linearizable => {}
                    Decision::Impossible(_) => return Some(false),
                    Decision::Unknown { .. } => known = false,
                }
            }
            known.then_some(true)
        }
    }
}

/// What is known of each element; impossible if one of the simple ones is not linearizable.
fn learn(count: usize, calls: &[Call<SetAction>]) -> Read<Vec<Element>> {
    let mut elements = vec![NOTHING; count];
    for call in calls {
        let Some(number) = element(&call.action) else { return Read::Ambiguous };
        elements[number as usize].learn(call);
    }
    for element in elements.iter_mut().filter(|element| element.is_simple()) {
        element.index();
        if element.inside == [None; 2] {
            return Read::Impossible;
        }
    }
    for call in calls {
        if let SetAction::Contains(number, false) = call.action {
            let element = &mut elements[number as usize];
            if element.is_simple() && !element.may_miss(call) {
                return Read::Impossible;
            }
        }
    }
    Read::Distinct(elements)
}

/// The order of calls that [`set`] has found linearizable, by origin.
pub(in super::super) fn set_order(
    count: usize,
    calls: &[Call<SetAction>],
    limits: &Limits<'_>,
) -> Option<Vec<u32>> {
    let Read::Distinct(elements) = learn(count, calls) else { return None };
    let mut orders: Vec<Vec<(u32, &Call<SetAction>)>> = vec![Vec::new(); count];
    for call in calls {
        let number = element(&call.action)? as usize;
        if elements[number].is_simple() {
            orders[number].extend(elements[number].rank(call).map(|rank| (rank, call)));
        }
    }
    for order in &mut orders {
        order.sort_by_key(|(rank, call)| (*rank, call.invoked));
    }
    let by_origin: FxHashMap<u32, &Call<SetAction>> = calls.iter().map(|call| (call.origin, call)).collect();
    let registers = Registers::new(&elements, calls);
    for (number, ops) in registers.all() {
        let (Decision::Linearizable, Some(origins)) = decide(&registers.values, ops, limits, true) else {
            return None;
        };
        orders[number].extend(origins.iter().map(|origin| (0, by_origin[origin])));
    }
    // The orders of elements fit together: each operation takes the first instant it can.
    let mut instants = Vec::with_capacity(calls.len());
    for order in &orders {
        let mut now = 0;
        for (_, call) in order {
            now = call.invoked.max(now);
            instants.push((now, call.origin));
        }
    }
    instants.sort_by_key(|&(instant, _)| instant);
    Some(instants.into_iter().map(|(_, origin)| origin).collect())
}

fn element(action: &SetAction) -> Option<u32> {
    match *action {
        SetAction::Add(element)
        | SetAction::AddNew(element)
        | SetAction::Remove(element)
        | SetAction::RemoveOld(element)
        | SetAction::Contains(element, _) => Some(element),
        SetAction::Read(_) => None,
    }
}

impl Element {
    fn is_simple(&self) -> bool {
        self.adds <= 1 && self.removes <= 1
    }

    /// Where an operation stands among those of its element: before the add, with it, between, with the
    /// removal, or after. None if it need not have happened.
    fn rank(&self, call: &Call<SetAction>) -> Option<u32> {
        let removed = self.inside[0].is_some();
        let (start, _) = self.inside.iter().flatten().next().copied().unwrap_or(NEVER_INSIDE);
        let never = self.inside.contains(&Some(NEVER_INSIDE));
        match call.action {
            SetAction::Add(_) | SetAction::AddNew(_) => (!never).then_some(1),
            SetAction::Remove(_) | SetAction::RemoveOld(_) if !never && removed => Some(3),
            SetAction::Remove(_) | SetAction::RemoveOld(_) => call.certain().then_some(0),
            SetAction::Contains(_, true) => call.certain().then_some(2),
            SetAction::Contains(_, false) if never || call.invoked <= start => call.certain().then_some(0),
            SetAction::Contains(_, false) => call.certain().then_some(4),
            SetAction::Read(_) => None,
        }
    }

    fn learn(&mut self, call: &Call<SetAction>) {
        let time = (call.invoked, call.completed);
        match call.action {
            SetAction::Add(_) | SetAction::AddNew(_) => {
                self.adds += 1;
                self.add = time;
            }
            SetAction::Remove(_) | SetAction::RemoveOld(_) => {
                self.removes += 1;
                self.remove = time;
                self.remove_may_miss = matches!(call.action, SetAction::Remove(_)) || !call.certain();
            }
            SetAction::Contains(_, true) if call.certain() => {
                self.found.0 = self.found.0.min(call.completed);
                self.found.1 = self.found.1.max(call.invoked);
            }
            SetAction::Contains(..) | SetAction::Read(_) => {}
        }
    }

    /// Finds out when it is certainly inside, as short as possible.
    fn index(&mut self) {
        let found = self.found.0 != NEVER;
        let removed = self.removes > 0 && !self.remove_may_miss;
        if self.adds == 0 || (self.add.1 == NEVER && !found && !removed) {
            // It never was inside, or may never have been.
            self.inside = [(!found && !removed).then_some(NEVER_INSIDE), None];
            return;
        }
        let added = self.add.1.min(self.found.0);
        if self.removes > 0 {
            let added = added.min(self.remove.1);
            let removed = self.remove.0.max(self.found.1).max(self.add.0);
            let fits = added >= self.add.0 && removed <= self.remove.1;
            self.inside[0] = fits.then_some((added, removed));
        }
        // A removal that finds nothing has to come before the add.
        let misses = self.removes == 0 || (self.remove_may_miss && self.remove.0 <= added);
        if misses && added >= self.add.0 {
            self.inside[1] = Some((added, NEVER));
        }
    }

    /// Takes note of an operation that did not find it; false if that cannot be.
    fn may_miss(&mut self, call: &Call<SetAction>) -> bool {
        if call.certain() {
            for inside in &mut self.inside {
                if inside.is_some_and(|(start, end)| start < call.invoked && call.completed < end) {
                    *inside = None;
                }
            }
        }
        self.inside != [None; 2]
    }
}

/// Elements that come and go, as registers that hold `true` or nothing. Simple ones are left out.
struct Registers {
    values: Values<'static>,
    /// By element, each in order of invocation.
    ops: Vec<Call<Action>>,
    /// By element: where its operations end; they begin where those of the element before end.
    ends: Vec<usize>,
}

impl Registers {
    fn new(elements: &[Element], calls: &[Call<SetAction>]) -> Self {
        const THERE: &Value = &Value::Bool(true);
        let values = Values::plain(std::iter::once(Datum::Other(THERE)), None, 0);
        let there = values.find(Datum::Other(THERE));
        let mut ends = vec![0; elements.len()];
        let mut found: Vec<(u32, Call<Action>)> = Vec::new();
        for call in calls {
            let Some(number) = element(&call.action).filter(|&n| !elements[n as usize].is_simple()) else {
                continue;
            };
            let action = match call.action {
                SetAction::Add(_) => Action::Write(there),
                SetAction::AddNew(_) => Action::Cas(ABSENT, there),
                SetAction::Remove(_) => Action::Write(ABSENT),
                SetAction::RemoveOld(_) => Action::Cas(there, ABSENT),
                SetAction::Contains(_, true) => Action::Read(there),
                SetAction::Contains(_, false) => Action::Read(ABSENT),
                SetAction::Read(_) => continue,
            };
            if call.certain() || !action.is_observation() {
                let (invoked, completed, origin) = (call.invoked, call.completed, call.origin);
                found.push((number, Call { action, invoked, completed, origin }));
                ends[number as usize] += 1;
            }
        }
        let mut end = 0;
        for length in &mut ends {
            end += *length;
            *length = end;
        }
        found.sort_by_key(|&(number, _)| number);
        Self { values, ops: found.into_iter().map(|(_, op)| op).collect(), ends }
    }

    /// The operations of each element that has some, with its number.
    fn all(&self) -> impl Iterator<Item = (usize, &[Call<Action>])> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let ranges = begins.zip(&self.ends).enumerate();
        ranges.filter(|(_, (begin, end))| begin < end).map(|(n, (begin, &end))| (n, &self.ops[begin..end]))
    }
}
