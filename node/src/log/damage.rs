//! Damage to every file of a log, one at a time: detected, or without loss of acknowledged records.
//!
//! The process was killed, so all marks are present. After a power loss the last mark may be old: damage to the
//! last records then looks like a torn write. The last test of this file shows that limit.

use super::crash::{Conditions, Life, check};
use super::memory::{LeftOut, Memory, Volume};
use super::*;

/// A life that ends with a snapshot and several segments.
fn lived() -> Life {
    let mut life = Life::lived(&Conditions::SOUND);
    (0..9).for_each(|_| life.append(2));
    life
}

/// Opens the log on damaged data; returns the number of cut bytes, or the refusal.
///
/// No acknowledged record may be lost.
fn open(life: &Life, left: Volume, damage: &str) -> Result<u64, LogError> {
    let disk = Memory::with(left, LeftOut::Nothing);
    let salts = Salts::new(super::tests::numbers());
    let (log, recovered) = Log::open_on(disk, (Path::new("/log"), "n1"), (400, 800), salts, &[])?;
    let acknowledged = life.records.len() as u64;
    let kept = check(&recovered, &life.records, acknowledged);
    assert_eq!(kept, Ok(acknowledged), "{damage} is not detected");
    drop(log);
    Ok(recovered.torn_bytes)
}

/// Damages each file of a life in all these ways; returns the number of refusals.
fn everywhere(ways: impl Fn(&Path, &[u8]) -> Vec<(String, Option<Vec<u8>>)>) -> u64 {
    let life = lived();
    let volume = life.disk.volume();
    let mut refused = 0;
    for (name, bytes) in volume.files().into_iter().filter(|(name, _)| name != Path::new("/log")) {
        for (way, after) in ways(&name, &bytes) {
            let damage = format!("{}: {way}", name.display());
            match open(&life, volume.with_file(&name, after), &damage) {
                Ok(_) => {}
                Err(LogError::Damaged { .. } | LogError::Missing { .. }) => refused += 1,
                Err(error) => unreachable!("{damage}: {error}"),
            }
        }
    }
    refused
}

#[test]
fn no_flipped_bit_loses_a_record() {
    let refused = everywhere(|_, bytes| {
        let flip = |at: usize, bit: usize| {
            let mut after = bytes.to_vec();
            after[at] ^= 1_u8 << bit;
            (format!("bit {bit} of byte {at}"), Some(after))
        };
        (0..bytes.len()).map(|at| flip(at, at % 8)).collect()
    });
    assert!(refused > 1_000, "only {refused} refusals");
}

#[test]
fn no_cut_loses_a_record() {
    let refused = everywhere(|_, bytes| {
        (0..bytes.len()).map(|length| (format!("{length} bytes"), Some(bytes[..length].to_vec()))).collect()
    });
    assert!(refused > 1_000, "only {refused} refusals");
}

#[test]
fn no_run_of_zeros_loses_a_record() {
    let refused = everywhere(|_, bytes| {
        let zero = |(at, length): (usize, usize)| {
            let mut after = bytes.to_vec();
            let end = bytes.len().min(at + length);
            after[at..end].fill(0);
            (format!("{length} zeros at {at}"), Some(after))
        };
        let offsets = (0..bytes.len()).step_by(3);
        offsets.flat_map(|at| [(at, 16), (at, 100), (at, 4096)]).map(zero).collect()
    });
    assert!(refused > 1_000, "only {refused} refusals");
}

#[test]
fn no_missing_file_loses_a_record() {
    let refused = everywhere(|_, _| vec![("removed".to_owned(), None)]);
    assert!(refused >= 4, "owner, snapshot and two segments are needed, and {refused} were missed");
}

#[test]
fn a_file_of_another_folder_is_refused() {
    let (one, other) = (lived(), lived());
    let foreign = other.disk.volume().files();
    let volume = one.disk.volume();
    let mut refused = 0;
    for (name, _) in volume.files() {
        let Some((_, bytes)) = foreign.iter().find(|(it, _)| *it == name && name != Path::new("/log")) else {
            continue;
        };
        match open(&one, volume.with_file(&name, Some(bytes.clone())), &name.display().to_string()) {
            Ok(_) => assert!(
                name.extension().is_some_and(|it| it == "spare" || it == "ahead"),
                "{}",
                name.display()
            ),
            Err(_) => refused += 1,
        }
    }
    assert!(refused >= 4, "only {refused} refusals");
}

#[test]
fn old_mark_lets_last_record_be_cut() {
    let life = lived();
    let volume = life.disk.volume();
    let files = volume.files();
    let (owner, mut bytes) = files.iter().find(|(name, _)| name.ends_with("owner")).cloned().unwrap();
    let latest = u64::from_le_bytes(bytes[3 * 512 + 16..3 * 512 + 24].try_into().unwrap());
    bytes[3 * 512..].fill(0);
    let volume = volume.with_file(&owner, Some(bytes));
    let (last, mut bytes) =
        files.into_iter().rfind(|(name, _)| name.extension().is_some_and(|it| it == "log")).unwrap();
    bytes[usize::try_from(latest).unwrap() - 1] ^= 1;
    let disk = Memory::with(volume.with_file(&last, Some(bytes)), LeftOut::Nothing);
    let salts = Salts::new(super::tests::numbers());
    let (_, recovered) = Log::open_on(disk, (Path::new("/log"), "n1"), (400, 800), salts, &[]).unwrap();
    let acknowledged = life.records.len() as u64;
    assert!(recovered.torn_bytes > 0);
    assert!(check(&recovered, &life.records, acknowledged).is_err());
    assert_eq!(check(&recovered, &life.records, acknowledged - 2), Ok(acknowledged - 2));
}
