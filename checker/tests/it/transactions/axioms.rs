//! Every consistency model by its definition: is there an order of the versions under which it holds?
//!
//! Tries every order of the versions of every key and checks the definition with matrices. It shares no code with the
//! checker, and is only for a few transactions.

use checker::transactions::{Consistency as C, Workload};
use history::{Operation, Outcome};
use serde_json::Value;
use std::collections::BTreeMap;

/// A relation between nodes, a bit for each target.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Relation(Vec<u64>);

impl Relation {
    fn empty(nodes: usize) -> Self {
        Self(vec![0; nodes])
    }

    fn add(&mut self, from: usize, to: usize) {
        self.0[from] |= 1 << to;
    }

    fn has(&self, from: usize, to: usize) -> bool {
        self.0[from] >> to & 1 == 1
    }

    fn with(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one | other).collect())
    }

    fn closure(&self) -> Self {
        let mut all = self.clone();
        for middle in 0..all.0.len() {
            for from in 0..all.0.len() {
                if all.has(from, middle) {
                    all.0[from] |= all.0[middle];
                }
            }
        }
        all
    }

    fn is_acyclic(&self) -> bool {
        let all = self.closure();
        (0..all.0.len()).all(|node| !all.has(node, node))
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        let nodes = 0..self.0.len();
        nodes
            .clone()
            .flat_map(|from| nodes.clone().map(move |to| (from, to)))
            .filter(|(a, b)| self.has(*a, *b))
            .collect()
    }
}

/// A read of what another transaction wrote; without a writer, of what was there at first.
#[derive(Debug, Clone, Copy)]
struct Read {
    txn: usize,
    key: usize,
    writer: Option<usize>,
    first: bool,
}

/// Where a read comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Initial,
    Writer(usize),
}

impl Source {
    fn writer(self) -> Option<usize> {
        match self {
            Self::Initial => None,
            Self::Writer(writer) => Some(writer),
        }
    }
}

/// A history of a few transactions.
struct Axioms<'o> {
    txns: Vec<&'o Operation>,
    keys: Vec<String>,
    /// By transaction and key: what it wrote, in order.
    writes: Vec<BTreeMap<usize, Vec<Value>>>,
    lists: bool,
    sessions: Relation,
    real_time: Relation,
}

/// What the versions of one order say.
struct World<'a, 'o> {
    axioms: &'a Axioms<'o>,
    /// By key: the writers.
    versions: &'a [Vec<usize>],
    reads: &'a [Read],
    /// Whether a transaction contradicts its own reads and writes.
    internal: bool,
    ww: Relation,
    wr: Relation,
    rw: Relation,
}

/// The models that hold under some order of the versions; none if there are too many orders.
pub(crate) fn models(operations: &[Operation], workload: Workload) -> Option<Vec<C>> {
    let axioms = Axioms::new(operations, workload);
    let mut holds: Vec<C> = Vec::new();
    let writers: Vec<Vec<usize>> = (0..axioms.keys.len()).map(|key| axioms.writers(key)).collect();
    let count: usize = writers.iter().map(|writers| (1..=writers.len()).product::<usize>()).product();
    if count > 3_000 {
        return None;
    }
    let mut versions = Vec::new();
    axioms.try_all(&writers, &mut versions, &mut holds);
    Some(C::ALL.into_iter().filter(|model| holds.contains(model)).collect())
}

fn steps(operation: &Operation) -> &[Value] {
    let steps = match &operation.outcome {
        Outcome::Ok(steps) => steps,
        Outcome::Fail { .. } | Outcome::Info { .. } => &operation.argument,
    };
    steps.as_array().expect("steps")
}

fn is_ok(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Ok(_))
}

impl<'o> Axioms<'o> {
    fn new(operations: &'o [Operation], workload: Workload) -> Self {
        let lists = workload == Workload::ListAppend;
        let shown: Vec<(String, &Value)> = operations
            .iter()
            .filter(|operation| is_ok(operation))
            .flat_map(steps)
            .filter(|step| step[0] == "r")
            .flat_map(|step| {
                let values: Vec<&Value> =
                    step[2].as_array().map_or_else(|| vec![&step[2]], |list| list.iter().collect());
                values.into_iter().map(|value| (step[1].to_string(), value))
            })
            .collect();
        // One of unknown outcome that nobody saw need not have happened.
        let seen = |operation: &Operation| {
            let mut writes = steps(operation).iter().filter(|step| step[0] != "r");
            writes.any(|step| shown.contains(&(step[1].to_string(), &step[2])))
        };
        let happened = |operation: &&Operation| match operation.outcome {
            Outcome::Ok(_) => true,
            Outcome::Fail { .. } => false,
            Outcome::Info { .. } => seen(operation),
        };
        let txns: Vec<&Operation> = operations.iter().filter(happened).collect();
        let mut keys: Vec<String> =
            txns.iter().flat_map(|txn| steps(txn)).map(|step| step[1].to_string()).collect();
        keys.sort();
        keys.dedup();
        let key = |step: &Value| keys.binary_search(&step[1].to_string()).expect("a key");
        let writes = txns.iter().map(|txn| {
            let mut writes: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
            for step in steps(txn).iter().filter(|step| step[0] != "r") {
                writes.entry(key(step)).or_default().push(step[2].clone());
            }
            writes
        });
        let writes = writes.collect();
        let (mut sessions, mut real_time) = (Relation::empty(txns.len()), Relation::empty(txns.len()));
        for (one, before) in txns.iter().enumerate().filter(|(_, txn)| is_ok(txn)) {
            for (other, after) in txns.iter().enumerate() {
                if one != other && before.completed.is_some_and(|completed| completed < after.invoked) {
                    real_time.add(one, other);
                    if before.process == after.process {
                        sessions.add(one, other);
                    }
                }
            }
        }
        Self { txns, keys, writes, lists, sessions, real_time }
    }

    fn writers(&self, key: usize) -> Vec<usize> {
        (0..self.txns.len()).filter(|txn| self.writes[*txn].contains_key(&key)).collect()
    }

    fn wrote(&self, txn: usize, key: usize) -> bool {
        self.writes[txn].contains_key(&key)
    }

    fn try_all(&self, writers: &[Vec<usize>], versions: &mut Vec<Vec<usize>>, holds: &mut Vec<C>) {
        let Some(of_key) = writers.get(versions.len()) else {
            self.judge(versions, holds);
            return;
        };
        let mut orders = vec![Vec::new()];
        for _ in of_key {
            orders = orders
                .into_iter()
                .flat_map(|order: Vec<usize>| {
                    let left =
                        of_key.iter().filter(|writer| !order.contains(writer)).copied().collect::<Vec<_>>();
                    left.into_iter().map(move |writer| order.iter().copied().chain([writer]).collect())
                })
                .collect();
        }
        for order in orders {
            versions.push(order);
            self.try_all(writers, versions, holds);
            versions.pop();
        }
    }

    /// The reads under an order of the versions, and whether a transaction contradicts itself; none where a read shows
    /// what is no version.
    fn reads(&self, versions: &[Vec<usize>]) -> Option<(Vec<Read>, bool)> {
        let mut reads = Vec::new();
        let mut internal = false;
        for (txn, operation) in self.txns.iter().enumerate().filter(|(_, txn)| is_ok(txn)) {
            let mut own: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
            let mut met: BTreeMap<usize, Option<usize>> = BTreeMap::new();
            for step in steps(operation) {
                let key = self.keys.binary_search(&step[1].to_string()).expect("a key");
                if step[0] != "r" {
                    own.entry(key).or_default().push(step[2].clone());
                    continue;
                }
                let own = own.get(&key).map_or(&[][..], Vec::as_slice);
                let writer = if self.lists {
                    self.read_list(txn, key, &step[2], own, &versions[key])?.writer()
                } else if own.contains(&step[2]) {
                    // An own write that was replaced by another.
                    internal |= own.last() != Some(&step[2]);
                    continue;
                } else {
                    internal |= !own.is_empty();
                    self.read_register(txn, key, &step[2])?.writer()
                };
                let first = !met.contains_key(&key) && own.is_empty();
                internal |= *met.entry(key).or_insert(writer) != writer;
                reads.push(Read { txn, key, writer, first });
            }
        }
        Some((reads, internal))
    }

    fn read_register(&self, txn: usize, key: usize, value: &Value) -> Option<Source> {
        if value.is_null() {
            return Some(Source::Initial);
        }
        let writer = (0..self.txns.len())
            .find(|writer| self.writes[*writer].get(&key).is_some_and(|values| values.last() == Some(value)));
        // What it writes itself, only later, cannot be read.
        writer.filter(|writer| *writer != txn).map(Source::Writer)
    }

    /// All that the first writers appended, and then what it appended itself.
    fn read_list(
        &self,
        txn: usize,
        key: usize,
        value: &Value,
        own: &[Value],
        versions: &[usize],
    ) -> Option<Source> {
        let list = value.as_array().map_or(&[][..], Vec::as_slice);
        let mut held: Vec<Value> = Vec::new();
        let mut source = Source::Initial;
        let mut next = versions.iter();
        loop {
            let all: Vec<Value> = held.iter().chain(own).cloned().collect();
            // What it appended itself stands where its version stands.
            let stands = own.is_empty() || next.clone().next() == Some(&txn);
            if all == list && stands {
                return Some(source);
            }
            let after = *next.next()?;
            if after == txn {
                return None;
            }
            source = Source::Writer(after);
            held.extend(self.writes[after][&key].iter().cloned());
        }
    }

    fn judge(&self, versions: &[Vec<usize>], holds: &mut Vec<C>) {
        let Some((reads, internal)) = self.reads(versions) else { return };
        let nodes = self.txns.len();
        let (mut ww, mut wr, mut rw) =
            (Relation::empty(nodes), Relation::empty(nodes), Relation::empty(nodes));
        for order in versions {
            for (index, writer) in order.iter().enumerate() {
                order[index + 1..].iter().for_each(|later| ww.add(*writer, *later));
            }
        }
        for read in &reads {
            let order = &versions[read.key];
            let start = read.writer.map_or(0, |writer| {
                wr.add(writer, read.txn);
                1 + order.iter().position(|other| *other == writer).expect("it wrote the key")
            });
            order[start..]
                .iter()
                .filter(|later| **later != read.txn)
                .for_each(|later| rw.add(read.txn, *later));
        }
        let world = World { axioms: self, versions, reads: &reads, internal, ww, wr, rw };
        let new = C::ALL.into_iter().filter(|model| !holds.contains(model) && world.holds(*model));
        let new: Vec<C> = new.collect();
        holds.extend(new);
    }
}

impl World<'_, '_> {
    fn none(&self) -> Relation {
        Relation::empty(self.axioms.txns.len())
    }

    fn holds(&self, model: C) -> bool {
        let (none, sessions, real_time) = (&self.none(), &self.axioms.sessions, &self.axioms.real_time);
        let consistent = !self.internal;
        match model {
            C::ReadUncommitted => self.ww.is_acyclic(),
            C::StrongSessionReadUncommitted => self.ww.with(sessions).is_acyclic(),
            C::StrongReadUncommitted => self.ww.with(real_time).is_acyclic(),
            C::ReadCommitted => self.committed(none),
            C::StrongSessionReadCommitted => self.committed(sessions),
            C::StrongReadCommitted => self.committed(real_time),
            C::CursorStability => {
                self.committed(none) && self.reads.iter().all(|read| self.keeps_cursor(read))
            }
            C::MonotonicAtomicView => self.committed(none) && self.monotonic(),
            C::StrongSessionMonotonicAtomicView => self.committed(sessions) && self.monotonic(),
            C::ReadYourWrites => self.committed(none) && self.sees(sessions),
            C::MonotonicReads => self.committed(none) && self.sees(&after(&self.wr, sessions)),
            C::MonotonicWrites => {
                self.committed(none) && self.sees(&after(sessions, &self.wr)) && self.ordered(sessions)
            }
            C::WritesFollowReads => {
                let read = self.wr.with(&after(&self.wr, sessions));
                self.committed(none) && self.sees(&after(&read, &self.wr)) && self.ordered(&read)
            }
            C::ReadAtomic => consistent && self.committed(none) && self.sees(&self.wr),
            C::StrongSessionReadAtomic => {
                consistent && self.committed(sessions) && self.sees(&self.wr.with(sessions))
            }
            C::Causal => {
                consistent && self.committed(sessions) && self.sees(&self.wr.with(sessions).closure())
            }
            C::ParallelSnapshotIsolation => consistent && self.parallel(none),
            C::StrongSessionParallelSnapshotIsolation => consistent && self.parallel(sessions),
            C::Prefix => consistent && self.snapshots(none, false),
            C::StrongSessionPrefix => consistent && self.snapshots(sessions, false),
            C::UpdateSerializable => consistent && self.updates(),
            C::SnapshotIsolation => consistent && self.snapshots(none, true),
            C::StrongSessionSnapshotIsolation => consistent && self.snapshots(sessions, true),
            C::StrongSnapshotIsolation => consistent && self.snapshots(real_time, true),
            C::RepeatableRead | C::Serializable => consistent && self.serial(none),
            C::StrongSessionSerializable => consistent && self.serial(sessions),
            C::StrictSerializable => consistent && self.serial(real_time),
        }
    }

    fn committed(&self, order: &Relation) -> bool {
        self.ww.with(&self.wr).with(order).is_acyclic()
    }

    /// Nobody wrote between a read and the reader's own write.
    fn keeps_cursor(&self, read: &Read) -> bool {
        let order = &self.versions[read.key];
        let position = |txn: usize| order.iter().position(|other| *other == txn);
        match position(read.txn) {
            Some(own) if read.first => own == read.writer.and_then(position).map_or(0, |writer| writer + 1),
            Some(_) | None => true,
        }
    }

    /// Whether a read is right if its transaction must see a writer.
    fn is_seen(&self, read: &Read, writer: usize) -> bool {
        if writer == read.txn || !self.axioms.wrote(writer, read.key) || read.writer == Some(writer) {
            return true;
        }
        read.writer.is_some_and(|instead| {
            let order = &self.versions[read.key];
            let position = |txn: usize| order.iter().position(|other| *other == txn);
            position(writer) < position(instead)
        })
    }

    fn monotonic(&self) -> bool {
        self.reads.iter().enumerate().all(|(index, read)| {
            let earlier = self.reads[..index].iter().filter(|earlier| earlier.txn == read.txn);
            earlier.filter_map(|earlier| earlier.writer).all(|writer| self.is_seen(read, writer))
        })
    }

    /// Whether every transaction sees those that precede it by a relation.
    fn sees(&self, before: &Relation) -> bool {
        before.pairs().into_iter().all(|(writer, txn)| {
            self.reads.iter().filter(|read| read.txn == txn).all(|read| self.is_seen(read, writer))
        })
    }

    /// Whether the versions of one key are in the order of a relation.
    fn ordered(&self, before: &Relation) -> bool {
        before.pairs().into_iter().all(|(one, other)| one == other || !self.ww.has(other, one))
    }

    fn parallel(&self, order: &Relation) -> bool {
        let dependencies = self.ww.with(&self.wr).with(order).closure();
        let irreflexive = (0..dependencies.0.len()).all(|node| !dependencies.has(node, node));
        irreflexive && self.rw.pairs().into_iter().all(|(reader, writer)| !dependencies.has(writer, reader))
    }

    /// Each transaction is two nodes: its reads, and then its writes.
    fn snapshots(&self, order: &Relation, first_wins: bool) -> bool {
        let nodes = self.axioms.txns.len();
        let mut graph = Relation::empty(2 * nodes);
        (0..nodes).for_each(|txn| graph.add(txn, nodes + txn));
        self.wr.with(order).pairs().into_iter().for_each(|(one, other)| graph.add(nodes + one, other));
        for (one, other) in self.ww.pairs() {
            graph.add(nodes + one, if first_wins { other } else { nodes + other });
        }
        self.rw.pairs().into_iter().for_each(|(one, other)| graph.add(one, nodes + other));
        graph.is_acyclic()
    }

    fn updates(&self) -> bool {
        let all = self.ww.with(&self.wr).with(&self.rw);
        let nodes = 0..self.axioms.txns.len();
        let writes = |txn: &usize| !self.axioms.writes[*txn].is_empty();
        nodes.clone().all(|reader| {
            let mut graph = self.none();
            for (one, other) in all.pairs() {
                if [one, other].iter().all(|txn| writes(txn) || *txn == reader) {
                    graph.add(one, other);
                }
            }
            graph.is_acyclic()
        })
    }

    fn serial(&self, order: &Relation) -> bool {
        self.ww.with(&self.wr).with(&self.rw).with(order).is_acyclic()
    }
}

/// One relation after another.
fn after(first: &Relation, second: &Relation) -> Relation {
    let mut both = Relation::empty(first.0.len());
    for (from, middle) in first.pairs() {
        both.0[from] |= second.0[middle];
    }
    both
}
