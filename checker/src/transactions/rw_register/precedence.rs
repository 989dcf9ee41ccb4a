//! Precedence among transactions that holds in every order of the versions: saturation with a transitive closure.
//!
//! *Problem*: with registers, reads show the order of the versions only in part. Which transactions precede which
//! nevertheless?
//!
//! *Idea*: start from the known edges. If one transaction reads what another wrote, a third writer of that key
//! precedes the writer or follows the reader. Where it must follow the writer, it follows the reader; where it must
//! precede the reader, it precedes the writer. Compute a topological order and the transitive closure, derive edges
//! by that rule, and repeat until no edge is new. A cycle refutes the model.
//!
//! *Why it is right*: each rule only adds what every order has, so a cycle is a proof. It is incomplete: without a
//! cycle, the search in [`serialization_search`](super::serialization_search) decides. Under snapshot isolation a
//! transaction is two nodes, its reads and its writes, and of two that write the same key one writes before the other
//! reads.
//!
//! *Cost*: a bit matrix over at most 12,000 nodes; a closure takes n·m/64 steps.
//!
//! *Source*: the rule is that of Biswas and Enea, "On the complexity of checking transactional consistency" (OOPSLA
//! 2019), and of Cobra (Tan and others, OSDI 2020).

use super::super::anomaly::{Means, Order};
use super::super::parse::{Fate, NONE, small};
use super::super::time;
use super::Registers;
use crate::limits::Limits;

/// What was found.
#[derive(Debug)]
pub(super) enum Precedence {
    /// The first of each pair must come before the second, both with their writes.
    Pairs(Vec<(u32, u32)>),
    /// One would have to come before itself.
    Cycle,
    /// There are too many transactions, or time was up.
    Unknown,
}

/// More moments than these are left alone: what comes before what takes a bit for each two of them.
const MOST: usize = 12_000;

/// Finds them among some transactions.
pub(super) fn find(
    registers: &Registers<'_>,
    means: Means,
    order: Order,
    among: &dyn Fn(u32) -> bool,
    limits: &Limits<'_>,
) -> Precedence {
    let txns: Vec<u32> =
        (0..small(registers.live.len())).filter(|txn| registers.is_live(*txn) && among(*txn)).collect();
    let mut known = Known::new(registers, means, order, &txns);
    if known.after.len() > MOST {
        return Precedence::Unknown;
    }
    loop {
        if limits.stopped() {
            return Precedence::Unknown;
        }
        if !known.close() {
            return Precedence::Cycle;
        }
        if !known.conclude() {
            return Precedence::Pairs(known.pairs(&txns));
        }
    }
}

/// One read of a key: who read, and who wrote what was read, or [`NONE`] for what was there at first.
#[derive(Debug)]
struct Read {
    reader: u32,
    writer: u32,
}

/// Moments are numbered: the reads of each transaction, then the writes, which may be the same moment.
#[derive(Debug)]
struct Known {
    /// What is added to the number of a transaction's reads to have that of its writes.
    writing: u32,
    /// By moment: those that are known to come right after it.
    after: Vec<Vec<u32>>,
    /// By moment: a bit for each that comes after it at any distance.
    reach: Vec<u64>,
    words: usize,
    /// The index of each moment in an order that respects what is known.
    index: Vec<u32>,
    /// By key: transactions.
    writers: Vec<Vec<u32>>,
    reads: Vec<Vec<Read>>,
}

impl Known {
    fn new(registers: &Registers<'_>, means: Means, order: Order, txns: &[u32]) -> Self {
        let transactions = &registers.transactions;
        let keys = transactions.keys.len();
        let mut local = vec![NONE; registers.live.len()];
        for (index, txn) in txns.iter().enumerate() {
            local[*txn as usize] = small(index);
        }
        let (writing, moments) = match means {
            Means::OneByOne => (0, txns.len()),
            Means::Snapshots => (small(txns.len()), 2 * txns.len()),
        };
        let mut this = Self {
            writing,
            after: vec![Vec::new(); moments],
            reach: Vec::new(),
            words: moments.div_ceil(64),
            index: vec![0; moments],
            writers: vec![Vec::new(); keys],
            reads: (0..keys).map(|_| Vec::new()).collect(),
        };
        if writing > 0 {
            for txn in 0..writing {
                this.after[txn as usize].push(txn + writing);
            }
        }
        for element in transactions.elements.iter().filter(|element| element.last && element.writer != NONE) {
            if local[element.writer as usize] != NONE {
                this.writers[element.key as usize].push(local[element.writer as usize]);
            }
        }
        for seen in registers.seen.iter().filter(|seen| local[seen.txn as usize] != NONE) {
            let reader = local[seen.txn as usize];
            let mut writer = NONE;
            if seen.version != NONE {
                writer = local[transactions.writer(seen.version) as usize];
                this.whole(writer, reader);
            }
            this.reads[seen.key as usize].push(Read { reader, writer });
        }
        match order {
            Order::Data => {}
            Order::Process => {
                for (before, after) in time::processes(transactions, &|txn| local[txn as usize] != NONE) {
                    this.whole(local[before as usize], local[after as usize]);
                }
            }
            Order::RealTime => this.add_real_time(registers, txns),
        }
        this
    }

    /// One transaction comes before another with all it did.
    fn whole(&mut self, before: u32, after: u32) {
        self.after[(before + self.writing) as usize].push(after);
    }

    /// What completed before another was invoked comes before it. Only those are added between which there is
    /// no third.
    fn add_real_time(&mut self, registers: &Registers<'_>, txns: &[u32]) {
        let about = |index: u32| &registers.transactions.txns[txns[index as usize] as usize];
        let mut by_invocation: Vec<u32> = (0..small(txns.len())).collect();
        by_invocation.sort_by_key(|index| about(*index).invoked);
        for index in by_invocation.iter().copied().filter(|index| about(*index).fate == Fate::Committed) {
            let first =
                by_invocation.partition_point(|after| about(*after).invoked <= about(index).completed);
            let mut soonest = usize::MAX;
            for after in &by_invocation[first..] {
                if about(*after).invoked > soonest {
                    break;
                }
                self.whole(index, *after);
                soonest = about(*after).completed.min(soonest);
            }
        }
    }

    /// What is known, as pairs of transactions of which the first comes before the second with all it did.
    fn pairs(&self, txns: &[u32]) -> Vec<(u32, u32)> {
        let mut pairs = Vec::new();
        for txn in 0..small(txns.len()) {
            let after = self.after[(txn + self.writing) as usize].iter().copied();
            let whole = after.filter(|after| self.writing == 0 || *after < self.writing);
            pairs.extend(whole.map(|after| (txns[txn as usize], txns[after as usize])));
        }
        pairs
    }

    fn row(&self, txn: u32) -> &[u64] {
        &self.reach[txn as usize * self.words..][..self.words]
    }

    fn reaches(&self, from: u32, to: u32) -> bool {
        self.row(from)[to as usize / 64] >> (to % 64) & 1 == 1
    }

    /// Sorts what is known and follows it to its end; false if it goes round.
    fn close(&mut self) -> bool {
        let count = self.after.len();
        let mut before = vec![0u32; count];
        for to in self.after.iter().flatten() {
            before[*to as usize] += 1;
        }
        let mut sorted: Vec<u32> = (0..small(count)).filter(|moment| before[*moment as usize] == 0).collect();
        let mut next = 0;
        while let Some(moment) = sorted.get(next).copied() {
            self.index[moment as usize] = small(next);
            next += 1;
            for to in &self.after[moment as usize] {
                before[*to as usize] -= 1;
                if before[*to as usize] == 0 {
                    sorted.push(*to);
                }
            }
        }
        if sorted.len() < count {
            return false;
        }
        self.reach = vec![0; count * self.words];
        for moment in sorted.iter().rev() {
            for to in &self.after[*moment as usize] {
                let (from, to) = (*moment as usize * self.words, *to as usize);
                self.reach[from + to / 64] |= 1 << (to % 64);
                for word in 0..self.words {
                    self.reach[from + word] |= self.reach[to * self.words + word];
                }
            }
        }
        true
    }

    /// Adds what follows; false if nothing does.
    fn conclude(&mut self) -> bool {
        let mut new: Vec<(u32, u32)> = Vec::new();
        let mut all = std::mem::take(&mut self.writers);
        for (writers, reads) in all.iter_mut().zip(&self.reads) {
            writers.sort_by_key(|txn| self.index[(*txn + self.writing) as usize]);
            for read in reads {
                self.after_reader(writers, read, &mut new);
                self.before_writer(writers, read, &mut new);
            }
            if self.writing > 0 {
                self.apart(writers, &mut new);
            }
        }
        self.writers = all;
        for (from, to) in &new {
            self.after[*from as usize].push(*to);
        }
        !new.is_empty()
    }

    /// Who writes after the writer comes after the reader.
    fn after_reader(&self, writers: &[u32], read: &Read, new: &mut Vec<(u32, u32)>) {
        let mut added: Vec<u32> = Vec::new();
        for other in writers.iter().copied().filter(|other| ![read.reader, read.writer].contains(other)) {
            let moment = other + self.writing;
            let must = read.writer == NONE || self.reaches(read.writer + self.writing, moment);
            if must && !self.reaches(read.reader, moment) && !added.iter().any(|to| self.reaches(*to, moment))
            {
                added.push(moment);
                new.push((read.reader, moment));
            }
        }
    }

    /// Who writes before the reader comes before the writer.
    fn before_writer(&self, writers: &[u32], read: &Read, new: &mut Vec<(u32, u32)>) {
        let mut added: Vec<u32> = Vec::new();
        for other in writers.iter().rev().copied().filter(|other| ![read.reader, read.writer].contains(other))
        {
            let moment = other + self.writing;
            let must = read.writer != NONE && self.reaches(moment, read.reader);
            let known = |from: &u32| self.reaches(moment, *from);
            if must && !known(&read.writer) && !added.iter().any(known) {
                added.push(moment);
                new.push((moment, read.writer));
            }
        }
    }

    /// Of two that write to the same key, if one reads before the other writes, it writes before the other
    /// reads.
    fn apart(&self, writers: &[u32], new: &mut Vec<(u32, u32)>) {
        for one in writers {
            for other in writers.iter().filter(|other| *other != one) {
                let moment = one + self.writing;
                if self.reaches(*one, other + self.writing) && !self.reaches(moment, *other) {
                    new.push((moment, *other));
                }
            }
        }
    }
}
