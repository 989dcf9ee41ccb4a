//! A crash at every point of every operation of the log.
//!
//! No acknowledged record may be lost, and no crash may prevent a node from starting.
//!
//! A log performs every operation on a disk in memory, which records them. Each prefix of these operations is
//! then a crash: a kill of the process, or a power loss with all or any part of the unsynced data. The test
//! opens the log on the remaining data, which writes again, and crashes it again.
//!
//! The clients are hostile: their values contain frames that are forged with the salts of all earlier segments.

use super::memory::{Done, LeftOut, Memory, Volume};
use super::*;
use crate::paxos::message::{Ballot, Command, NodeId, PValue};
use crate::store::Operation;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::sync::{Arc, Mutex};

/// Segment sizes that make a log of a few hundred bytes use many of them.
const SIZES: (u64, u64) = (400, 800);

/// A forged value of a client: a frame with this salt and number in ASCII, between headers and lengths.
fn forged(salt: u64, number: u64) -> String {
    let frame = |filler: u64| frame::encode(salt, number, (format!("{filler:04}").as_bytes(), &[]));
    let ascii = (0..10_000).map(frame).find(|frame| frame.is_ascii()).unwrap();
    format!("benchlg2\0\0\u{1}\0{}benchsn2", String::from_utf8(ascii).unwrap())
}

/// A unique record with this number; if it has room, with a frame forged with one of these salts.
fn record(number: u64, salts: &[u64]) -> Record {
    let ballot = Ballot { round: number, leader: NodeId(1) };
    let mut value = "x".repeat(usize::try_from(20 + number % 3 * 30).unwrap());
    if let Some(salt) = salts.get(usize::try_from(number).unwrap() % salts.len().max(1)) {
        value.push_str(&forged(*salt, number % 7 + number / 2));
    }
    let operation = Operation::Put { key: "k".into(), value: value.into() };
    let command = Arc::new(Command { client: "c".into(), sequence: number, operation });
    let mut members = Membership::default();
    members.version = number;
    match number % 5 {
        0 => Record::Promise(ballot),
        1 => Record::Round(number),
        2 => Record::Members(members),
        3 => Record::Decided { slot: number, command: Some(command) },
        _ => Record::Accepted(PValue { ballot, slot: number, command }),
    }
}

/// The flaws of the log, and those of the disk.
#[derive(Clone)]
pub(super) struct Conditions {
    flaws: Vec<Flaw>,
    left_out: LeftOut,
}

impl Conditions {
    pub(super) const SOUND: Self = Self { flaws: Vec::new(), left_out: LeftOut::Nothing };

    fn open(&self, disk: &Memory, salts: &Drawn) -> Result<(Log<Memory>, Recovered), LogError> {
        let (drawn, mut source) = (Arc::clone(salts), super::tests::numbers());
        let draw = move || {
            let salt = source();
            drawn.lock().unwrap().push(salt);
            salt
        };
        Log::open_on(disk.clone(), (Path::new("/log"), "n1"), SIZES, Salts::new(draw), &self.flaws)
    }
}

/// The salts that a log has drawn, from which clients forge frames.
type Drawn = Arc<Mutex<Vec<u64>>>;

/// A life of a log: its disk, its operations, and all its records.
pub(super) struct Life {
    conditions: Conditions,
    pub(super) disk: Memory,
    log: Log<Memory>,
    salts: Drawn,
    pub(super) records: Vec<Record>,
}

impl Life {
    /// Begins with the content of a disk; earlier lives drew these salts.
    fn begin(conditions: &Conditions, volume: Volume, salts: &[u64]) -> Result<(Self, Recovered), LogError> {
        let disk = Memory::with(volume, conditions.left_out);
        let salts = Arc::new(Mutex::new(salts.to_vec()));
        let (log, recovered) = conditions.open(&disk, &salts)?;
        Ok((Self { conditions: conditions.clone(), disk, log, salts, records: Vec::new() }, recovered))
    }

    /// A life with every operation, on a new disk.
    pub(super) fn lived(conditions: &Conditions) -> Self {
        let (mut life, _) = Self::begin(conditions, Volume::default(), &[]).unwrap();
        life.live();
        life
    }

    fn written(&self) -> u64 {
        self.records.len() as u64
    }

    /// The salts of all segments but the current one.
    fn old_salts(&self) -> Vec<u64> {
        let salts = self.salts.lock().unwrap();
        salts.iter().copied().filter(|salt| *salt != self.log.segment.salt).collect()
    }

    /// Appends `count` records as one frame, and acknowledges them.
    pub(super) fn append(&mut self, count: u64) {
        let old = self.old_salts();
        let more: Vec<_> = (1..=count).map(|number| record(self.written() + number, &old)).collect();
        let sync = !self.conditions.flaws.contains(&Flaw::AcceptorAnswersBeforeSync);
        self.log.append(&Batch::of(&more), sync).unwrap();
        self.records.extend(more);
        self.disk.perform(Done::Acknowledged { records: self.written() });
    }

    /// Takes a snapshot of everything written so far; `meanwhile` records are written during it.
    fn snapshot(&mut self, meanwhile: u64) {
        let payload = super::tests::state(self.written() + 1);
        let index = self.log.rotate().unwrap();
        if self.conditions.flaws.contains(&Flaw::LogRemovesEarly) {
            self.log.remove_before(index).unwrap();
        }
        (0..meanwhile).for_each(|_| self.append(1));
        self.log.folder().save_on(&self.disk, index, &payload).unwrap();
        self.append(1);
        self.log.remove_before(index).unwrap();
    }

    /// Kills the process and starts it again.
    fn restart(&mut self) {
        self.log = self.conditions.open(&self.disk, &self.salts).unwrap().0;
    }

    /// Performs every operation, some of them twice.
    fn live(&mut self) {
        for count in [1, 2, 1, 1, 3, 1, 1, 2, 2, 1, 3, 1] {
            self.append(count);
        }
        self.snapshot(3);
        self.restart();
        for count in [1, 6, 1, 1] {
            self.append(count);
        }
        self.snapshot(0);
        (0..12).for_each(|_| self.append(1));
        self.restart();
        self.snapshot(1);
        (0..4).for_each(|_| self.append(2));
    }
}

/// Checks that all acknowledged records were recovered, and no unknown ones.
///
/// Returns the number of the last record.
pub(super) fn check(recovered: &Recovered, records: &[Record], acknowledged: u64) -> Result<u64, String> {
    let covered = recovered.snapshot.as_ref().map_or(0, |snapshot| snapshot.slot_out() - 1);
    let Some(first) = recovered.records.first() else {
        let lost = covered < acknowledged;
        return if lost { Err(format!("{acknowledged} acknowledged, {covered} left")) } else { Ok(covered) };
    };
    let begin = records.iter().position(|record| record == first).ok_or("a record that was never written")?;
    if !records[begin..].starts_with(&recovered.records) {
        return Err(format!("the records from {} on are not those that were written", begin + 1));
    }
    let end = (begin + recovered.records.len()) as u64;
    if begin as u64 > covered || end < acknowledged {
        return Err(format!(
            "{acknowledged} acknowledged; the snapshot has {covered}, the log {} to {end}",
            begin + 1
        ));
    }
    Ok(end.max(covered))
}

/// Opens the log on the data after a crash: it must start with all acknowledged records.
fn start(before: &Life, left: Volume, acknowledged: u64) -> Result<Life, String> {
    let salts = before.salts.lock().unwrap().clone();
    let (mut life, recovered) = Life::begin(&before.conditions, left, &salts)
        .map_err(|error| format!("a crash is refused: {error}"))?;
    let written = check(&recovered, &before.records, acknowledged)?;
    life.records = before.records[..usize::try_from(written).unwrap()].to_vec();
    Ok(life)
}

/// Crashes a life at each of its points; with `depth`, also each restart.
fn crash(
    life: &Life,
    begin: &Volume,
    (mut acknowledged, depth): (u64, u32),
    rng: &mut ChaCha8Rng,
) -> Result<u64, String> {
    let done = life.disk.done();
    let mut volume = begin.clone();
    let mut crashes = 0;
    for index in 0..=done.len() {
        let at = |reason: String| format!("after {:?}: {reason}", done[..index].last());
        let losses = volume.losses(rng).into_iter().map(|left| (left, false));
        for (left, killed) in [(volume.clone(), true)].into_iter().chain(losses) {
            crashes += 1;
            let mut next = start(life, left.clone(), acknowledged).map_err(at)?;
            if depth == 0 || !killed && rng.random_range(0..80) > 0 {
                continue;
            }
            next.disk.perform(Done::Acknowledged { records: next.written() });
            (0..3).for_each(|_| next.append(1));
            crashes += crash(&next, &left, (acknowledged, depth - 1), rng).map_err(at)?;
        }
        if let Some(done) = done.get(index) {
            volume.perform(done, life.conditions.left_out);
            if let Done::Acknowledged { records } = done {
                acknowledged = *records;
            }
        }
    }
    Ok(crashes)
}

/// The number of crashes that a life survived, or the first that it did not.
fn crash_everywhere(conditions: &Conditions, depth: u32) -> Result<u64, String> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    crash(&Life::lived(conditions), &Volume::default(), (0, depth), &mut rng)
}

#[test]
fn a_crash_at_any_point_loses_nothing() {
    let crashes = crash_everywhere(&Conditions::SOUND, 1).unwrap();
    assert!(crashes > 100_000, "only {crashes} crashes");
}

#[test]
fn crashed_life_performs_every_operation() {
    let done = Life::lived(&Conditions::SOUND).disk.done();
    let renamed = |from: &str, to: &str| {
        let ends = |name: &Option<PathBuf>, end: &str| {
            name.as_ref().is_some_and(|name| name.to_str().unwrap().ends_with(end))
        };
        let is =
            |done: &&Done| matches!(done, Done::Name { lost, got, .. } if ends(lost, from) && ends(got, to));
        done.iter().filter(is).count()
    };
    for (from, to) in
        [("ahead", "making"), ("log", "spare"), ("spare", "making"), ("snapshot.making", "snapshot")]
    {
        assert!(renamed(from, to) > 0, "{from} to {to}");
    }
}

#[test]
fn forged_frames_reach_the_segments_used_again() {
    let mut life = Life::lived(&Conditions::SOUND);
    (0..9).for_each(|_| life.append(2));
    let files = life.disk.volume().files();
    let segments = files.iter().filter(|(name, _)| name.extension().is_some_and(|it| it == "log"));
    let found: usize =
        segments.map(|(_, bytes)| memchr::memmem::find_iter(bytes, b"benchlg2\0\0\x01\0").count()).sum();
    assert!(found > 5, "only {found} forged values in the segments");
}

#[test]
fn a_file_that_is_not_synced_is_caught() {
    let conditions = Conditions { left_out: LeftOut::FileSyncs, ..Conditions::SOUND };
    assert!(crash_everywhere(&conditions, 0).is_err());
}

#[test]
fn a_folder_that_is_not_synced_is_caught() {
    let conditions = Conditions { left_out: LeftOut::FolderSyncs, ..Conditions::SOUND };
    assert!(crash_everywhere(&conditions, 0).is_err());
}

/// Asserts that the crashes detect the flaw; otherwise they could not detect any.
fn is_caught(flaw: Flaw) {
    let conditions = Conditions { flaws: vec![flaw], ..Conditions::SOUND };
    assert!(crash_everywhere(&conditions, 0).is_err(), "{flaw} was not noticed");
}

#[test]
fn crash_catches_answer_before_sync() {
    is_caught(Flaw::AcceptorAnswersBeforeSync);
}

#[test]
fn crash_catches_segments_removed_early() {
    is_caught(Flaw::LogRemovesEarly);
}

#[test]
fn crash_catches_torn_record_taken() {
    is_caught(Flaw::LogTakesTorn);
}

#[test]
fn crash_catches_dropped_good_record() {
    is_caught(Flaw::LogDropsGood);
}
