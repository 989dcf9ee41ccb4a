//! Damage to the files of a node that is down: bits are flipped, ends are cut off. Works on any file system.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// More flipped bits than this are counted, not listed.
const LISTED: usize = 4;

/// What is done to a file that is drawn from the seed. Zeros at the end of a file, which programs write ahead of use,
/// are never what is hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What is done.
    pub harm: Harm,
    /// Only files whose name contains this; any file when left out.
    pub file: Option<String>,
}

/// What is done to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Bits are flipped.
    Flip {
        /// How many, at least one.
        bits: u32,
    },
    /// The end of what is in use is cut off.
    Cut {
        /// How many bytes; drawn when left out.
        bytes: Option<u64>,
    },
}

/// Why nothing could be damaged.
#[derive(Debug, thiserror::Error)]
pub enum DamageError {
    /// There is no file with anything in it.
    #[error("{folder}: there is no file{} with anything in it", filter.as_ref().map_or_else(String::new, |name| format!(" named *{name}*")))]
    Nothing {
        /// The data folder.
        folder: PathBuf,
        /// What its name had to contain.
        filter: Option<String>,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> DamageError {
    let path = path.to_owned();
    |source| DamageError::Io { path, source }
}

/// Damages one file below a folder that no process writes to, and returns what was there before and after.
pub(crate) fn apply(
    folder: &Path,
    damage: &Damage,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<String>, DamageError> {
    let mut files = Vec::new();
    find(folder, damage.file.as_deref(), &mut files)?;
    files.sort();
    let total: u64 = files.iter().map(|(_, used)| used).sum();
    if total == 0 {
        return Err(DamageError::Nothing { folder: folder.to_owned(), filter: damage.file.clone() });
    }
    // A byte of all those in use decides, so that large files are hit as often as they deserve.
    let mut drawn = rng.random_range(0..total);
    let (path, used) = files
        .into_iter()
        .find(|(_, used)| {
            let here = drawn < *used;
            drawn = drawn.saturating_sub(*used);
            here
        })
        .expect("the draw lies below the sum");
    let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed(&path))?;
    let done = match damage.harm {
        Harm::Flip { bits } => flip(&file, &name, used, bits, rng),
        Harm::Cut { bytes } => cut(&file, &name, used, bytes, rng),
    };
    // On the bench's own disk the damage must outlive a power loss too.
    done.and_then(|seen| file.sync_all().map(|()| seen)).map_err(failed(&path))
}

fn flip(file: &File, name: &str, used: u64, bits: u32, rng: &mut ChaCha8Rng) -> io::Result<Vec<String>> {
    let mut flipped = Vec::new();
    for _ in 0..bits {
        let (place, bit) = (rng.random_range(0..used), rng.random_range(0..8_u32));
        let mut byte = [0];
        file.read_exact_at(&mut byte, place)?;
        let after = byte[0] ^ 1 << bit;
        file.write_all_at(&[after], place)?;
        flipped.push(format!(
            "{name}: bit {bit} of byte {place}: 0x{:02x} before, 0x{after:02x} after",
            byte[0]
        ));
    }
    if flipped.len() > LISTED + 1 {
        let more = flipped.len() - LISTED;
        flipped.truncate(LISTED);
        flipped.push(format!("{name}: {more} more bits"));
    }
    Ok(flipped)
}

fn cut(
    file: &File,
    name: &str,
    used: u64,
    bytes: Option<u64>,
    rng: &mut ChaCha8Rng,
) -> io::Result<Vec<String>> {
    let before = file.metadata()?.len();
    let after = match bytes {
        Some(bytes) => used.saturating_sub(bytes),
        None => rng.random_range(0..used),
    };
    file.set_len(after)?;
    Ok(vec![format!("{name}: {before} bytes ({used} in use) before, {after} after")])
}

/// The files below a folder whose name fits, each with the bytes up to the last that is not zero.
fn find(folder: &Path, filter: Option<&str>, found: &mut Vec<(PathBuf, u64)>) -> Result<(), DamageError> {
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let entry = entry.map_err(failed(folder))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(failed(&path))?;
        let fits = filter.is_none_or(|filter| entry.file_name().to_string_lossy().contains(filter));
        if kind.is_dir() {
            find(&path, filter, found)?;
        } else if kind.is_file() && fits {
            let bytes = std::fs::read(&path).map_err(failed(&path))?;
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            found.push((path, used as u64));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        let bytes = [[7_u8; 100].as_slice(), &[0; 900]].concat();
        std::fs::write(folder.path().join("deep/a.log"), bytes).unwrap();
        std::fs::write(folder.path().join("empty"), []).unwrap();
        folder
    }

    fn hurt(folder: &Path, harm: Harm, file: Option<&str>, seed: u64) -> Result<Vec<String>, DamageError> {
        let damage = Damage { harm, file: file.map(str::to_owned) };
        apply(folder, &damage, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn flipped_bit_is_in_used_bytes() {
        for seed in 0..20 {
            let folder = folder();
            let seen = hurt(folder.path(), Harm::Flip { bits: 1 }, None, seed).unwrap();
            assert!(seen[0].starts_with("deep/a.log: bit ") && seen[0].contains("0x07 before"), "{seen:?}");
            let bytes = std::fs::read(folder.path().join("deep/a.log")).unwrap();
            let differing: u32 = bytes
                .iter()
                .enumerate()
                .map(|(place, byte)| (byte ^ if place < 100 { 7 } else { 0 }).count_ones())
                .sum();
            assert_eq!(differing, 1);
            assert!(bytes[100..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn truncation_cuts_used_bytes() {
        let folder = folder();
        let seen = hurt(folder.path(), Harm::Cut { bytes: Some(30) }, Some(".log"), 1).unwrap();
        assert_eq!(seen, ["deep/a.log: 1000 bytes (100 in use) before, 70 after"]);
        assert_eq!(std::fs::read(folder.path().join("deep/a.log")).unwrap(), [7; 70]);
        hurt(folder.path(), Harm::Cut { bytes: None }, None, 2).unwrap();
        assert!(std::fs::metadata(folder.path().join("deep/a.log")).unwrap().len() < 70);
    }

    #[test]
    fn nothing_to_damage_is_an_error() {
        let folder = folder();
        let error = hurt(folder.path(), Harm::Flip { bits: 1 }, Some("wal"), 1).unwrap_err();
        assert!(error.to_string().contains("no file named *wal*"), "{error}");
    }
}
