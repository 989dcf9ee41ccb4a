//! A crash at every point of everything the log writes: nothing that was acknowledged may be gone, and no crash may keep a
//! node from starting.
//!
//! A log lives through all that it ever does, on a disk in memory which writes down every operation. Each prefix of these is
//! then a crash: the process is killed, or the machine loses its power with all that is not synced, or with any part of it.
//! The log is opened on what is left, which writes again, and is crashed again.

use super::memory::{Done, LeftOut, Memory, Volume};
use super::*;
use crate::paxos::message::{Ballot, Command, NodeId, PValue};
use crate::store::Operation;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;

/// Sizes of segments that make a log of a few hundred bytes use many of them.
const SIZES: (u64, u64) = (400, 800);

/// The record of this number, unlike every other.
fn record(number: u64) -> Record {
    let ballot = Ballot { round: number, leader: NodeId(1) };
    let value = "x".repeat(usize::try_from(20 + number % 3 * 30).unwrap());
    let operation = Operation::Put { key: "k".into(), value };
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

/// What the log is told to do wrong, and what the disk does.
#[derive(Clone)]
struct Conditions {
    flaws: Vec<Flaw>,
    left_out: LeftOut,
}

impl Conditions {
    const SOUND: Self = Self { flaws: Vec::new(), left_out: LeftOut::Nothing };

    fn open(&self, disk: &Memory) -> Result<(Log<Memory>, Recovered), LogError> {
        Log::open_on(disk.clone(), Path::new("/log"), SIZES, &self.flaws)
    }
}

/// A life of a log: what it does, one number for each record, rising.
struct Life {
    conditions: Conditions,
    disk: Memory,
    log: Log<Memory>,
    written: u64,
}

impl Life {
    fn begin(conditions: &Conditions, volume: Volume) -> Result<(Self, Recovered), LogError> {
        let disk = Memory::with(volume, conditions.left_out);
        let (log, recovered) = conditions.open(&disk)?;
        Ok((Self { conditions: conditions.clone(), disk, log, written: 0 }, recovered))
    }

    /// Appends so many records as one frame, and acknowledges them.
    fn append(&mut self, count: u64) {
        let numbers = self.written + 1..=self.written + count;
        self.log.append(&Batch::of(&numbers.map(record).collect::<Vec<_>>())).unwrap();
        self.written += count;
        self.disk.perform(Done::Acknowledged { records: self.written });
    }

    /// Takes a snapshot of all that was written; what is written meanwhile is not in it.
    fn snapshot(&mut self, meanwhile: u64) {
        let payload = super::tests::state(self.written + 1);
        let index = self.log.rotate().unwrap();
        if self.conditions.flaws.contains(&Flaw::LogRemovesEarly) {
            self.log.remove_before(index).unwrap();
        }
        (0..meanwhile).for_each(|_| self.append(1));
        snapshot::save_on(&self.disk, Path::new("/log"), index, &payload).unwrap();
        self.append(1);
        self.log.remove_before(index).unwrap();
    }

    /// The process is killed, and started again.
    fn restart(&mut self) {
        self.log = self.conditions.open(&self.disk).unwrap().0;
    }

    /// Everything there is to do, some of it twice.
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

/// What was recovered must be all that was acknowledged, and nothing that was not written; says up to which record.
fn check(recovered: &Recovered, acknowledged: u64) -> Result<u64, String> {
    let covered = recovered.snapshot.as_ref().map_or(0, |snapshot| snapshot.slot_out() - 1);
    let Some(first) = recovered.records.first() else {
        let lost = covered < acknowledged;
        return if lost { Err(format!("{acknowledged} acknowledged, {covered} left")) } else { Ok(covered) };
    };
    let begin = (1..1_000).find(|&number| record(number) == *first).ok_or("a record that nobody wrote")?;
    let end = begin + recovered.records.len() as u64;
    if !(begin..end).map(record).eq(recovered.records.iter().cloned()) {
        return Err(format!("the records from {begin} on are not those that were written"));
    }
    if begin > covered + 1 || end - 1 < acknowledged {
        return Err(format!(
            "{acknowledged} acknowledged; the snapshot has {covered}, the log {begin} to {}",
            end - 1
        ));
    }
    Ok((end - 1).max(covered))
}

/// Opens the log on what a crash left: it must start, and have kept everything.
fn start(conditions: &Conditions, left: Volume, acknowledged: u64) -> Result<(Life, u64), String> {
    let (mut life, recovered) =
        Life::begin(conditions, left).map_err(|error| format!("a crash is refused: {error}"))?;
    life.written = check(&recovered, acknowledged)?;
    let written = life.written;
    Ok((life, written))
}

/// Crashes a life at each of its points; with `depth` again in what each restart does.
fn crash(
    conditions: &Conditions,
    (begin, done): (&Volume, &[Done]),
    (mut acknowledged, depth): (u64, u32),
    chance: &mut ChaCha8Rng,
) -> Result<u64, String> {
    let mut volume = begin.clone();
    let mut crashes = 0;
    for place in 0..=done.len() {
        let at = |why: String| format!("after {:?}: {why}", done[..place].last());
        let lives = volume.losses(chance).into_iter().map(|left| (left, false));
        for (left, killed) in [(volume.clone(), true)].into_iter().chain(lives) {
            crashes += 1;
            let (mut life, written) = start(conditions, left.clone(), acknowledged).map_err(at)?;
            if depth == 0 || !killed && chance.random_range(0..80) > 0 {
                continue;
            }
            life.disk.perform(Done::Acknowledged { records: written });
            (0..3).for_each(|_| life.append(1));
            crashes += crash(conditions, (&left, &life.disk.done()), (acknowledged, depth - 1), chance)
                .map_err(at)?;
        }
        if let Some(done) = done.get(place) {
            volume.perform(done, conditions.left_out);
            if let Done::Acknowledged { records } = done {
                acknowledged = *records;
            }
        }
    }
    Ok(crashes)
}

/// How many crashes a whole life withstood, or the first that it did not.
fn crash_everywhere(conditions: &Conditions, depth: u32) -> Result<u64, String> {
    let (mut life, _) = Life::begin(conditions, Volume::default()).unwrap();
    life.live();
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    crash(conditions, (&Volume::default(), &life.disk.done()), (0, depth), &mut chance)
}

#[test]
fn a_crash_at_any_point_loses_nothing_that_was_acknowledged_and_keeps_no_node_from_starting() {
    let crashes = crash_everywhere(&Conditions::SOUND, 1).unwrap();
    assert!(crashes > 100_000, "{crashes} crashes show too little");
}

#[test]
fn the_life_that_is_crashed_has_segments_written_ahead_recycled_ones_snapshots_and_restarts() {
    let (mut life, _) = Life::begin(&Conditions::SOUND, Volume::default()).unwrap();
    life.live();
    let done = life.disk.done();
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
fn a_file_that_is_not_synced_is_caught() {
    let conditions = Conditions { left_out: LeftOut::FileSyncs, ..Conditions::SOUND };
    assert!(crash_everywhere(&conditions, 0).is_err());
}

#[test]
fn a_folder_that_is_not_synced_is_caught() {
    let conditions = Conditions { left_out: LeftOut::FolderSyncs, ..Conditions::SOUND };
    assert!(crash_everywhere(&conditions, 0).is_err());
}

/// The crashes must find out the flaw, or they could not see it.
fn is_caught(flaw: Flaw) {
    let conditions = Conditions { flaws: vec![flaw], ..Conditions::SOUND };
    assert!(crash_everywhere(&conditions, 0).is_err(), "{flaw} was not noticed");
}

#[test]
fn an_answer_before_the_sync_is_caught_by_a_crash() {
    is_caught(Flaw::AcceptorAnswersBeforeSync);
}

#[test]
fn segments_removed_before_the_snapshot_is_durable_are_caught_by_a_crash() {
    is_caught(Flaw::LogRemovesEarly);
}

#[test]
fn a_torn_record_that_is_taken_for_a_good_one_is_caught_by_a_crash() {
    is_caught(Flaw::LogTakesTorn);
}

#[test]
fn a_good_record_that_is_dropped_with_the_torn_one_is_caught_by_a_crash() {
    is_caught(Flaw::LogDropsGood);
}
