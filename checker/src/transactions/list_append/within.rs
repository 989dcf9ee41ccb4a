//! Looks for what a transaction contradicts by itself, or together with one other.

use super::super::anomaly::Name;
use super::super::findings::Findings;
use super::super::parse::{Access, Fate, NONE};
use super::Lists;
use history::Atom;
use rustc_hash::FxHashMap;

/// What a transaction knows of a key.
#[derive(Debug, Clone, Default)]
struct Known<'a> {
    /// The transaction it belongs to, plus one.
    owner: u32,
    /// The last list it read.
    read: Option<&'a [Atom]>,
    /// What it appended since then.
    own: Vec<u32>,
    /// The longest version it read.
    seen: u32,
    /// The version it read before anything else, if it began with a read.
    first: u32,
    updated: bool,
}

/// Reports G1b, internal, future reads and lost updates.
pub(super) fn look(lists: &Lists<'_>, findings: &mut Findings) {
    let mut inspector = Inspector {
        lists,
        findings,
        known: vec![Known::default(); lists.order.len()],
        updates: Updates::new(lists),
    };
    for txn in lists.transactions.committed() {
        for index in lists.steps(txn) {
            let step = &lists.transactions.steps[index];
            if lists.transactions.unclear(step.key()) {
                continue;
            }
            let known = &mut inspector.known[step.key() as usize];
            let fresh = known.owner != txn + 1;
            if fresh {
                known.own.clear();
                *known = Known {
                    owner: txn + 1,
                    own: std::mem::take(&mut known.own),
                    first: NONE,
                    ..Known::default()
                };
            }
            match step.access() {
                Access::Read(read) => inspector.read(txn, index, lists.transactions.list(read), fresh),
                Access::Write(element) => inspector.append(txn, step.key(), element),
            }
        }
    }
    inspector.updates.report(lists, inspector.findings);
}

struct Inspector<'l, 'a> {
    lists: &'l Lists<'a>,
    findings: &'l mut Findings,
    known: Vec<Known<'a>>,
    updates: Updates,
}

impl<'a> Inspector<'_, 'a> {
    fn read(&mut self, txn: u32, index: usize, list: &'a [Atom], fresh: bool) {
        let lists = self.lists;
        let transactions = &lists.transactions;
        let key = transactions.steps[index].key();
        let known = &mut self.known[key as usize];
        if !fresh && !fits(lists, known, list) {
            self.findings.add(transactions, Name::Internal, || {
                let own: Vec<String> = known.own.iter().map(|element| lists.shown(*element)).collect();
                let before = match known.read {
                    Some(before) => format!("having read {}", transactions.shown_list(before)),
                    None => "not having read it before".to_owned(),
                };
                let own = if own.is_empty() { "nothing".to_owned() } else { own.join(", ") };
                let name = transactions.shown_key(key);
                let now = transactions.shown_list(list);
                (vec![txn], format!("T1 read key {name} as {now}, {before} and having appended {own} since"))
            });
        }
        known.own.clear();
        known.read = Some(list);
        let version = lists.version[index];
        if version != NONE {
            known.seen = known.seen.max(version);
        }
        if fresh {
            known.first = version;
        }
        let end = lists.last_foreign(txn, index, |_| true);
        let Some(end) = end.filter(|end| !transactions.elements[*end as usize].is_last()) else { return };
        let writer = lists.writer(end);
        if transactions.fate(writer) != Fate::Failed {
            self.findings.add(transactions, Name::G1b, || {
                let (name, value) = (transactions.shown_key(key), lists.shown(end));
                let summary = format!(
                    "T1 read key {name} up to {value}, which T2 appended, but not up to what T2 appended to it last"
                );
                (vec![txn, writer], summary)
            });
        }
    }

    fn append(&mut self, txn: u32, key: u32, element: u32) {
        let lists = self.lists;
        let known = &mut self.known[key as usize];
        let position = lists.position[element as usize];
        let foreseen = if position == NONE {
            {
                let same = |value: &Atom| lists.transactions.same(*value, lists.value(element));
                known.read.is_some_and(|list| list.iter().any(same))
            }
        } else {
            position < known.seen
        };
        if foreseen {
            self.findings.add(&lists.transactions, Name::FutureRead, || {
                let (name, value) = (lists.transactions.shown_key(key), lists.shown(element));
                (vec![txn], format!("T1 read {value} of key {name} before it appended it"))
            });
        }
        known.own.push(element);
        if !known.updated && known.first != NONE {
            known.updated = true;
            self.updates.note(key, known.first, txn);
        }
    }
}

/// Whether a list is what the transaction must see after what it did before.
fn fits(lists: &Lists<'_>, known: &Known<'_>, list: &[Atom]) -> bool {
    let Some(end) = list.len().checked_sub(known.own.len()) else { return false };
    let (before, own) = list.split_at(end);
    let transactions = &lists.transactions;
    known.read.is_none_or(|read| transactions.same_lists(read, before))
        && own.iter().zip(&known.own).all(|(value, element)| transactions.same(*value, lists.value(*element)))
}

/// Who replaced which version.
struct Updates {
    /// By key: where its versions begin in `first`.
    starts: Vec<usize>,
    /// By version: the first transaction that read and replaced it.
    first: Vec<u32>,
    /// The further ones, by key and version.
    more: FxHashMap<(u32, u32), Vec<u32>>,
}

impl Updates {
    fn new(lists: &Lists<'_>) -> Self {
        let mut starts = Vec::with_capacity(lists.order.len());
        let mut sum = 0;
        for order in &lists.order {
            starts.push(sum);
            sum += order.len() + 1;
        }
        Self { starts, first: vec![NONE; sum], more: FxHashMap::default() }
    }

    fn note(&mut self, key: u32, version: u32, txn: u32) {
        let start = self.starts[key as usize];
        let end = self.starts.get(key as usize + 1).copied().unwrap_or(self.first.len());
        match self.first[start..end].get_mut(version as usize) {
            Some(first) if *first == NONE => *first = txn,
            Some(_) => self.more.entry((key, version)).or_default().push(txn),
            None => {}
        }
    }

    fn report(self, lists: &Lists<'_>, findings: &mut Findings) {
        let mut more: Vec<_> = self.more.into_iter().collect();
        more.sort_unstable();
        for ((key, version), others) in more {
            let first = self.first[self.starts[key as usize] + version as usize];
            findings.add(&lists.transactions, Name::LostUpdate, || {
                let name = lists.transactions.shown_key(key);
                let what = match version {
                    0 => "empty".to_owned(),
                    _ => format!("up to {}", lists.shown(lists.order[key as usize][version as usize - 1])),
                };
                let count = others.len() + 1;
                let summary = format!("{count} transactions read key {name} {what}, and each appended to it");
                (std::iter::once(first).chain(others).collect(), summary)
            });
        }
    }
}
