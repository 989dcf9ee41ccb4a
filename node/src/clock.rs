//! The wall clock, read through one function, so that the bench can shift it.
//!
//! No decision of a node depends on it: a node measures time with a monotonic clock.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the clock"
)]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Length of the file: `ahead`, `faster` and `since` as in [`WallClock::now_ns`], then a checksum.
///
/// The checksum is the exclusive or of all three and [`SEAL`]. Each is a little-endian word of eight bytes.
const LENGTH: usize = 32;
/// Seal of a complete file; a file that is being written does not match it.
const SEAL: u64 = 0x636c_6f63_6b73_6574;
/// Number of attempts to read a file that is being written.
const TRIES: usize = 100;

/// A wall clock that may be shifted by a file.
#[derive(Debug)]
pub struct WallClock {
    file: Option<File>,
}

impl WallClock {
    /// Opens a clock that this file shifts, or that is never shifted.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        Ok(Self { file: path.map(File::open).transpose()? })
    }

    /// The node's nanoseconds since 1970.
    ///
    /// From the true ones `t` it computes `t + ahead + (t - since) * faster / 2^32`.
    pub fn now_ns(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        let shift = self.file.as_ref().and_then(|file| (0..TRIES).find_map(|_| read(file)));
        shift.map_or(now, |[ahead, faster, since]| {
            let gained = (i128::from(now - since) * i128::from(faster)) >> 32;
            let shifted = i128::from(now) + i128::from(ahead) + gained;
            i64::try_from(shifted.max(0)).unwrap_or(i64::MAX)
        })
    }
}

/// The content of the file; none while it is being written.
fn read(file: &File) -> Option<[i64; 3]> {
    let mut bytes = [0; LENGTH];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let shift = [word(0)?, word(8)?, word(16)?];
    let seal = shift.into_iter().fold(SEAL, |seal, word| seal ^ word);
    (seal == word(24)?).then_some(shift.map(u64::cast_signed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, ahead: i64, faster: i64, since: i64) {
        let [ahead, faster, since] = [ahead, faster, since].map(i64::cast_unsigned);
        let words = [ahead, faster, since, ahead ^ faster ^ since ^ SEAL];
        std::fs::write(path, words.map(u64::to_le_bytes).concat()).unwrap();
    }

    #[test]
    fn a_file_shifts_the_clock_and_stops_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clock");
        write(&path, 0, 0, 0);
        let (clock, truth) = (WallClock::open(Some(&path)).unwrap(), WallClock::open(None).unwrap());
        let hour = 3_600_000_000_000;
        let (before, now, after) = (truth.now_ns(), clock.now_ns(), truth.now_ns());
        assert!(before <= now && now <= after);
        write(&path, hour, 0, 0);
        let (before, now, after) = (truth.now_ns(), clock.now_ns(), truth.now_ns());
        assert!(before + hour <= now && now <= after + hour);
        write(&path, hour, -(1 << 32), before);
        assert_eq!([clock.now_ns(), clock.now_ns()], [before + hour; 2], "it is frozen");
        std::fs::write(&path, b"not a shift at all, and long enough for one").unwrap();
        assert!(clock.now_ns() >= before, "an invalid file shifts nothing");
    }
}
