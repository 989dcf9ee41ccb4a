//! dbcop's `history.bincode`: numbers of 64 bits, the least byte first, and texts and lists behind their lengths.

use super::super::super::{budget::Budget, draft::Draft, fault::Fault};
use super::{Txn, draft};

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

    /// A transaction, and one of the writes in it that did not succeed, which certainly did not happen.
    fn txn(&mut self, session: u64) -> Option<[Txn; 2]> {
        let (mut txn, mut failed) = (Txn::new(self.offset, session), Txn::new(self.offset, session));
        failed.transaction.committed = false;
        for _ in 0..self.number()? {
            let writes = self.truth()?;
            let [key, value] = [self.number()?, self.number()?];
            if self.truth()? {
                txn.step(writes, key, value);
            } else if writes {
                failed.step(writes, key, value);
            }
        }
        txn.transaction.committed = self.truth()?;
        Some([failed, txn])
    }

    fn txns(&mut self) -> Option<Vec<Txn>> {
        let mut txns = Vec::new();
        for session in 0..self.number()? {
            for _ in 0..self.number()? {
                txns.extend(self.txn(session)?);
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
