//! Encoded records on their way to the log.

use crate::paxos::step::Record;

/// Records that are written together, in the order of their arrival.
///
/// Their creator encodes them, because the thread that writes already waits for the disk.
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

    /// Takes the content and leaves an empty batch with the same capacity.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let next = Self { count: 0, bytes: Vec::with_capacity(self.bytes.len()) };
        std::mem::replace(self, next)
    }

    /// The decoded records, for a shell that shows them.
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

    /// Encodes one list of all records, in two parts.
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
