//! Records in the form in which the log keeps them, on their way to it.

use crate::paxos::step::Record;

/// Records that are to be written together, in the order in which they came.
///
/// They are encoded where they are made and not by the thread that writes, which has the disk to wait for.
#[derive(Debug, Default)]
pub struct Batch {
    count: u64,
    bytes: Vec<u8>,
}

impl Batch {
    /// Adds a record.
    pub fn push(&mut self, record: &Record) {
        self.count += 1;
        let bytes = postcard::to_extend(record, std::mem::take(&mut self.bytes));
        self.bytes = bytes.expect("records are made of types that postcard can write");
    }

    /// Leaves an empty batch, with room for as much as this one has.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let next = Self { count: 0, bytes: Vec::with_capacity(self.bytes.len()) };
        std::mem::replace(self, next)
    }

    /// The records, decoded again: for a shell that shows them.
    pub fn records(&self) -> Vec<Record> {
        let (count, bytes) = self.encoded();
        postcard::from_bytes(&[&count, bytes].concat()).expect("a batch holds what was pushed")
    }

    /// A batch of these records.
    #[cfg(test)]
    pub(super) fn of(records: &[Record]) -> Self {
        let mut batch = Self::default();
        for record in records {
            batch.push(record);
        }
        batch
    }

    /// Adds the records of another batch.
    pub(super) fn extend(&mut self, later: &Self) {
        self.count += later.count;
        self.bytes.extend_from_slice(&later.bytes);
    }

    /// What is read back as one list of all the records, in two parts.
    pub(super) fn encoded(&self) -> (Vec<u8>, &[u8]) {
        let count = postcard::to_stdvec(&self.count).expect("a number can be written");
        (count, &self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_read_back_as_one_list() {
        let records: Vec<_> = (0..300).map(Record::Round).collect();
        let mut first = Batch::of(&records[..200]);
        first.extend(&Batch::of(&records[200..]));
        let (count, bytes) = first.encoded();
        assert_eq!(postcard::from_bytes::<Vec<Record>>(&[&count, bytes].concat()).unwrap(), records);
    }
}
