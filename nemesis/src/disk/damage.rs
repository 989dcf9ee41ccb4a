//! Damage to the files of a node that is down: flips bits, truncates files. Works on any file system.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Up to this number, flipped bits are listed one by one.
const LISTED: usize = 4;

/// Damage to one file, which is drawn from the seed.
///
/// It never hits the zeros at the end of a file, which programs allocate ahead of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The kind of damage.
    pub harm: Harm,
    /// Only files whose name contains this; any file when left out.
    pub file: Option<String>,
}

/// The kind of damage to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Bits are flipped.
    Flip {
        /// Number of bits, at least one.
        bits: u32,
    },
    /// The end of the used part is cut off.
    Cut {
        /// Number of bytes; drawn when left out.
        bytes: Option<u64>,
    },
}

/// The reason why no file was damaged.
#[derive(Debug, thiserror::Error)]
pub enum DamageError {
    /// No file has any content.
    #[error("{folder}: there is no file{} with anything in it", filter.as_ref().map_or_else(String::new, |name| format!(" named *{name}*")))]
    Nothing {
        /// The data folder.
        folder: PathBuf,
        /// The required part of the file's name.
        filter: Option<String>,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> DamageError {
    let path = path.to_owned();
    |source| DamageError::Io { path, source }
}

/// Damages one file in a folder that no process writes to; describes the content before and after.
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
    // Draws a byte among all used bytes, so that the probability of a file is proportional to its size.
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
    // On a disk in memory the damage must survive a power loss too.
    done.and_then(|seen| file.sync_all().map(|()| seen)).map_err(failed(&path))
}

fn flip(file: &File, name: &str, used: u64, bits: u32, rng: &mut ChaCha8Rng) -> io::Result<Vec<String>> {
    let mut flipped = Vec::new();
    for _ in 0..bits {
        let (offset, bit) = (rng.random_range(0..used), rng.random_range(0..8_u32));
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset)?;
        let after = byte[0] ^ 1 << bit;
        file.write_all_at(&[after], offset)?;
        flipped.push(format!(
            "{name}: bit {bit} of byte {offset}: 0x{:02x} before, 0x{after:02x} after",
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

/// Collects the files in a folder with matching names, each with its length without trailing zeros.
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
                .map(|(index, byte)| (byte ^ if index < 100 { 7 } else { 0 }).count_ones())
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
