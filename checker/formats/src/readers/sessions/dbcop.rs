//! dbcop's `history.bincode`: numbers of 64 bits, the least byte first, and texts and lists behind their lengths.

use super::super::super::{budget::Budget, draft::Draft, fault::Fault};
use super::{Txns, draft};

/// A place in the bytes.
struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.offset.checked_add(length)?;
        let taken = self.bytes.get(self.offset..end)?;
        self.offset = end;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take(8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
    }

    fn truth(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// Id, sizes, a remark, and when the run started and ended.
    fn header(&mut self) -> Option<()> {
        for _ in 0..5 {
            self.number()?;
        }
        self.text()?;
        let is_time = |text: &str| text.get(4..5) == Some("-") && text.get(10..11) == Some("T");
        (is_time(self.text()?) && is_time(self.text()?)).then_some(())
    }

    /// A transaction, behind one of the writes in it that did not succeed, which certainly did not happen.
    fn txn(&mut self, txns: &mut Txns, session: u64) -> Option<()> {
        let (begin, count) = (self.offset, self.number()?);
        let start = self.offset;
        for succeeded in [false, true] {
            self.offset = start;
            for _ in 0..count {
                let writes = self.truth()?;
                let [key, value] = [self.number()?, self.number()?];
                if self.truth()? == succeeded && (succeeded || writes) {
                    txns.step(writes, key, value);
                }
            }
            if !succeeded {
                txns.end(begin, session, false);
            }
        }
        let committed = self.truth()?;
        txns.end(begin, session, committed);
        Some(())
    }

    fn txns(&mut self) -> Option<Txns> {
        let mut txns = Txns::default();
        for session in 0..self.number()? {
            for _ in 0..self.number()? {
                self.txn(&mut txns, session)?;
            }
        }
        Some(txns)
    }
}

/// Whether the bytes begin as such a file.
pub(in super::super::super) fn is_dbcop(bytes: &[u8]) -> bool {
    Cursor { bytes, offset: 0 }.header().is_some()
}

pub(in super::super) fn read(bytes: &[u8], budget: Budget) -> Result<Draft<'_>, Fault> {
    let mut cursor = Cursor { bytes, offset: 0 };
    let txns = cursor.header().and_then(|()| cursor.txns());
    let end = cursor.offset;
    let txns =
        txns.ok_or_else(|| Fault::at(end, format!("byte {end} does not continue a history of dbcop")))?;
    draft(bytes, budget, txns, Some(0))
}
