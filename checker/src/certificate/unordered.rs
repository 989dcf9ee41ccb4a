//! A container that gives its elements back in any order, where it need not be said which one went.

use serde_json::Value;
use std::collections::HashMap;

/// The elements inside, and the number of removals that do not name their element.
///
/// A removal without a name takes an element that was inside at that time and that no operation finds later. So it
/// is only settled at the end, or when nothing is left, and what is found in between counts as new.
#[derive(Debug, Default)]
pub(super) struct Unordered {
    /// Since when each element has been inside, as far as nameless removals are concerned; youngest last.
    inside: HashMap<Value, Vec<usize>>,
    /// When elements went without a name.
    nameless: Vec<usize>,
    now: usize,
}

impl Unordered {
    pub(super) fn put(&mut self, element: &Value) {
        self.now += 1;
        self.inside.entry(element.clone()).or_default().push(self.now);
    }

    /// Takes an element or looks at it; null means that there was none, none that the element is unknown.
    pub(super) fn take(&mut self, element: Option<&Value>, away: bool) -> bool {
        self.now += 1;
        match element {
            None => {
                self.nameless.push(self.now);
                true
            }
            Some(Value::Null) => {
                let empty = self.since().len() == self.nameless.len() && self.ends_well();
                self.inside.clear();
                self.nameless.clear();
                empty
            }
            Some(element) => {
                let Some(since) = self.inside.get_mut(element) else { return false };
                let found = since.pop().is_some();
                if found && !away {
                    since.push(self.now);
                }
                found
            }
        }
    }

    /// Whether each nameless removal can have had an element of its own.
    pub(super) fn ends_well(&self) -> bool {
        let since = self.since();
        since.len() >= self.nameless.len()
            && since.iter().zip(&self.nameless).all(|(since, gone)| since < gone)
    }

    /// The elements inside that are known by name, each as often as it is inside.
    pub(super) fn elements(&self) -> Vec<Value> {
        let repeated = |(element, since): (&Value, &Vec<usize>)| vec![element.clone(); since.len()];
        self.inside.iter().flat_map(repeated).collect()
    }

    fn since(&self) -> Vec<usize> {
        let mut since: Vec<usize> = self.inside.values().flatten().copied().collect();
        since.sort_unstable();
        since
    }
}
