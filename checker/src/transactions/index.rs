//! Finds keys and elements by what they are called.
//!
//! Integers below the number of micro-operations stand in an array, as keys and unique values usually count from 0; an
//! array is several times as fast as a hash table. All others stand in a table.

use super::parse::NONE;
use hashbrown::HashTable;
use history::Atom;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher;

/// Numbers by small integer.
#[derive(Debug)]
struct Dense {
    numbers: Vec<u32>,
    /// What is not below it does not stand here.
    bound: usize,
}

impl Dense {
    fn new(bound: usize) -> Self {
        Self { numbers: Vec::new(), bound }
    }

    /// The number of an integer, [`NONE`] if it has none; nothing for what does not stand here.
    fn get(&self, name: Atom) -> Option<u32> {
        let integer = name.integer()? as usize;
        (integer < self.bound).then(|| self.numbers.get(integer).copied().unwrap_or(NONE))
    }

    /// Gives an integer that stands here a number.
    fn set(&mut self, name: Atom, number: u32) {
        let integer = name.integer().expect("it is an integer") as usize;
        if integer >= self.numbers.len() {
            self.numbers.resize((integer + integer / 4 + 1).min(self.bound), NONE);
        }
        self.numbers[integer] = number;
    }
}

/// The numbers of keys, by object and name.
#[derive(Debug)]
pub(super) struct KeyIndex {
    /// Keys of the first object.
    dense: Dense,
    others: FxHashMap<(u32, Atom), u32>,
}

impl KeyIndex {
    /// An index of the keys of this many micro-operations.
    pub(super) fn new(steps: usize) -> Self {
        Self { dense: Dense::new(steps), others: FxHashMap::default() }
    }

    /// The number of a key, which is `next` if it has none yet.
    pub(super) fn number(&mut self, object: u32, name: Atom, next: u32) -> u32 {
        match self.dense.get(name).filter(|_| object == 0) {
            Some(NONE) => {
                self.dense.set(name, next);
                next
            }
            Some(known) => known,
            None => *self.others.entry((object, name)).or_insert(next),
        }
    }
}

/// The numbers of elements, by key and name.
#[derive(Debug)]
pub(super) struct ElementIndex {
    /// Of elements with the same name, the first.
    dense: Dense,
    others: HashTable<u32>,
}

impl ElementIndex {
    /// An index of the elements of this many micro-operations.
    pub(super) fn new(steps: usize) -> Self {
        Self { dense: Dense::new(steps), others: HashTable::new() }
    }

    /// The number of an element; `key_and_name` gives those of a number.
    pub(super) fn get(&self, key: u32, name: Atom, key_and_name: impl Fn(u32) -> (u32, Atom)) -> Option<u32> {
        match self.dense.get(name) {
            Some(NONE) => None,
            Some(first) if key_and_name(first).0 == key => Some(first),
            Some(_) | None => {
                let same = |element: &u32| key_and_name(*element) == (key, name);
                self.others.find(hash((key, name)), same).copied()
            }
        }
    }

    /// Adds an element that is new.
    pub(super) fn add(&mut self, name: Atom, element: u32, key_and_name: impl Fn(u32) -> (u32, Atom)) {
        if self.dense.get(name) == Some(NONE) {
            self.dense.set(name, element);
        } else {
            let hash_of = |element: &u32| hash(key_and_name(*element));
            self.others.insert_unique(hash_of(&element), element, hash_of);
        }
    }
}

fn hash(key_and_name: (u32, Atom)) -> u64 {
    FxBuildHasher.hash_one(key_and_name)
}

#[cfg(test)]
mod tests {
    use super::super::parse::small;
    use super::*;
    use history::{Content, Operations, Steps, read_operations};

    /// The atoms of the values that one transaction writes.
    fn atoms(values: &str) -> (Operations, Vec<Atom>) {
        let header = r#"{"history":1,"spec":"a","variant":"main","model":"rw-register","seed":1,"started":"2026-11-23T10:00:00Z"}"#;
        let writes: Vec<String> = values.split(' ').map(|value| format!(r#"["w",1,{value}]"#)).collect();
        let event = |kind, time| {
            let value = writes.join(",");
            format!(r#"{{"time":{time},"process":0,"type":"{kind}","f":"txn","value":[{value}]}}"#)
        };
        let file = format!("{header}\n{}\n{}\n", event("invoke", 1), event("ok", 2));
        let operations = read_operations(file.as_bytes()).unwrap().operations;
        let Steps::Packed(steps) = operations.transaction(0).steps else { panic!("no micro-operations") };
        let value = |content| match content {
            Content::One(value) => value,
            other => panic!("{other:?}"),
        };
        let atoms = steps.map(|step| value(step.content)).collect();
        (operations, atoms)
    }

    #[test]
    fn names_keep_their_numbers() {
        let (_operations, names) = atoms(r#"0 3 4 5 1000000 4000000000 -1 "a" 1.5"#);
        let mut keys = KeyIndex::new(5);
        let mut elements = ElementIndex::new(5);
        let mut all: Vec<(u32, Atom)> = Vec::new();
        for object in 0..3 {
            for name in &names {
                let next = small(all.len());
                assert_eq!(elements.get(object, *name, |element| all[element as usize]), None);
                assert_eq!(keys.number(object, *name, next), next);
                all.push((object, *name));
                elements.add(*name, next, |element| all[element as usize]);
            }
        }
        for (number, (object, name)) in (0..).zip(&all) {
            assert_eq!(keys.number(*object, *name, NONE - 1), number);
            assert_eq!(elements.get(*object, *name, |element| all[element as usize]), Some(number));
        }
    }
}
