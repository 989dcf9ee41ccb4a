//! The state after a power loss, compared with a naive disk that replays every durable change.

use super::super::model::{BLOCK, SECTOR, Tear};
use super::loss::Usage;
use super::tear::{Part, Unit, units};
use super::*;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::time::UNIX_EPOCH;

const BOTH: [Folders; 2] = [Folders::Ordered, Folders::Strict];

/// Records all changes in order. After a power loss it replays the durable ones.
struct Naive {
    folders: Folders,
    changes: Vec<Noted>,
}

struct Noted {
    event: Event,
    durable: bool,
    /// A sync of its file failed.
    lost: bool,
}

enum Event {
    Write(Ino, usize, Vec<u8>),
    Length(Ino, usize),
    /// An entry of a folder: the inode that it names from then on, and the one affected.
    Name {
        folder: Ino,
        name: OsString,
        now: Option<Ino>,
        ino: Ino,
    },
}

impl Event {
    /// Whether a sync of the inode concerns the change.
    fn touches(&self, wanted: Ino) -> bool {
        match self {
            Self::Write(ino, ..) | Self::Length(ino, _) => *ino == wanted,
            Self::Name { folder, ino, .. } => *ino == wanted || *folder == wanted,
        }
    }
}

impl Naive {
    fn note(&mut self, event: Event) {
        self.changes.push(Noted { event, durable: false, lost: false });
    }

    fn name(&mut self, folder: Ino, name: OsString, now: Option<Ino>, ino: Ino) {
        self.note(Event::Name { folder, name, now, ino });
    }

    /// Whether a sync that is requested now would have changes to write.
    fn is_dirty(&self, ino: Ino) -> bool {
        let open = |change: &&Noted| !change.durable && !change.lost;
        self.changes.iter().filter(open).any(|change| change.event.touches(ino))
    }

    fn sync(&mut self, ino: Ino, until: usize, dirty: bool) {
        let commits = dirty && self.folders == Folders::Ordered;
        for index in 0..until {
            let change = &mut self.changes[index];
            let own = match &change.event {
                Event::Write(of, ..) => *of == ino,
                Event::Length(of, _) => *of == ino || commits,
                Event::Name { folder, .. } => *folder == ino || commits,
            };
            change.durable |= own && !change.lost;
            if commits && let Event::Length(of, length) = change.event {
                self.cut_off(of, length, index);
            }
        }
    }

    /// Marks writes that a durable length cut off entirely: no sync needs to write them.
    fn cut_off(&mut self, ino: Ino, length: usize, index: usize) {
        for change in &mut self.changes[..index] {
            if let Event::Write(of, at, _) = &change.event {
                change.lost |= *of == ino && *at >= length && !change.durable;
            }
        }
    }

    fn write_back(&mut self, until: usize) {
        self.changes[..until].iter_mut().for_each(|change| change.durable |= !change.lost);
    }

    fn fail_sync(&mut self, ino: Ino) {
        for change in &mut self.changes {
            change.lost |= matches!(&change.event, Event::Write(of, ..) if *of == ino) && !change.durable;
        }
    }

    fn entries(&self, ino: Ino) -> BTreeMap<OsString, Ino> {
        let mut entries = BTreeMap::new();
        for change in self.changes.iter().filter(|change| change.durable) {
            match &change.event {
                Event::Name { folder, name, now: Some(now), .. } if *folder == ino => {
                    entries.insert(name.clone(), *now);
                }
                Event::Name { folder, name, now: None, .. } if *folder == ino => drop(entries.remove(name)),
                Event::Name { .. } | Event::Write(..) | Event::Length(..) => {}
            }
        }
        entries
    }

    fn bytes(&self, ino: Ino) -> Vec<u8> {
        let mut bytes: Vec<u8> = Vec::new();
        for change in self.changes.iter().filter(|change| change.durable) {
            match &change.event {
                Event::Write(of, at, new) if *of == ino => {
                    let mut longer = vec![0; (at + new.len()).max(bytes.len())];
                    longer[..bytes.len()].copy_from_slice(&bytes);
                    longer[*at..at + new.len()].copy_from_slice(new);
                    bytes = longer;
                }
                Event::Length(of, length) if *of == ino => bytes.resize(*length, 0),
                Event::Write(..) | Event::Length(..) | Event::Name { .. } => {}
            }
        }
        bytes
    }
}

#[derive(Debug, Clone)]
enum Op {
    Make(usize, u8, bool),
    Remove(usize, u8),
    Rename(usize, u8, usize, u8),
    Link(usize, usize, u8),
    Write(usize, u16, Vec<u8>),
    Length(usize, u16),
    Ask(usize),
    Answer(usize),
    FailSync(usize),
    WriteBack(usize),
    PowerLoss,
}

fn op() -> impl Strategy<Value = Op> {
    let (index, name) = (0..6_usize, 0..4_u8);
    prop_oneof![
        4 => (index.clone(), name.clone(), prop::bool::weighted(0.3)).prop_map(|(p, n, f)| Op::Make(p, n, f)),
        1 => (index.clone(), name.clone()).prop_map(|(p, n)| Op::Remove(p, n)),
        2 => (index.clone(), name.clone(), index.clone(), name.clone()).prop_map(|(a, b, c, d)| Op::Rename(a, b, c, d)),
        1 => (index.clone(), index.clone(), name).prop_map(|(f, p, n)| Op::Link(f, p, n)),
        6 => (index.clone(), 0..40_u16, prop::collection::vec(1..=255_u8, 1..12)).prop_map(|(p, a, b)| Op::Write(p, a, b)),
        1 => (index.clone(), 0..40_u16).prop_map(|(p, l)| Op::Length(p, l)),
        5 => index.clone().prop_map(Op::Ask),
        5 => index.clone().prop_map(Op::Answer),
        1 => index.prop_map(Op::FailSync),
        1 => (0..200_usize).prop_map(Op::WriteBack),
        1 => Just(Op::PowerLoss),
    ]
}

/// The store beside the naive disk, with the syncs that have no answer yet.
struct Both {
    store: Store,
    naive: Naive,
    requested: Vec<Asked>,
    /// The store's sequence number of each change of the naive disk.
    numbers: Vec<u64>,
}

/// A sync: its inode, its extent, the number of changes before it, and whether it has changes to write.
type Asked = (Ino, Mark, usize, bool);

impl Both {
    fn new(folders: Folders) -> Self {
        let naive = Naive { folders, changes: Vec::new() };
        Self { store: Store::new(folders, UNIX_EPOCH), naive, requested: Vec::new(), numbers: Vec::new() }
    }

    /// An inode of this type, by its index among all of them.
    fn pick(&self, kind: InodeKind, index: usize) -> Option<Ino> {
        let tree = self.store.tree().into_iter().map(|(_, ino)| ino).chain([ROOT]);
        let of_kind: BTreeSet<Ino> =
            tree.filter(|ino| self.store.about(*ino).unwrap().kind == kind).collect();
        of_kind.iter().nth(index % of_kind.len().max(1)).copied()
    }

    fn go(&mut self, op: &Op) {
        self.act(op);
        self.numbers.resize(self.naive.changes.len(), self.store.sequence());
    }

    #[expect(clippy::too_many_lines, reason = "one short arm for each operation")]
    fn act(&mut self, op: &Op) {
        let name = |name: u8| OsString::from(format!("f{name}"));
        let folder = |index| self.pick(InodeKind::Folder, index).unwrap();
        match op {
            Op::Make(index, own, is_folder) => {
                let (parent, new) = (folder(*index), if *is_folder { New::Folder } else { New::File });
                if let Ok(ino) = self.store.make(parent, &name(*own), new, 0o644, UNIX_EPOCH) {
                    self.naive.name(parent, name(*own), Some(ino), ino);
                }
            }
            Op::Remove(index, own) => {
                let parent = folder(*index);
                let removed = [true, false].map(|folder| self.store.remove(parent, &name(*own), folder).ok());
                if let Some(ino) = removed.into_iter().flatten().next() {
                    self.naive.name(parent, name(*own), None, ino);
                    self.store.let_go(ino);
                }
            }
            Op::Rename(from, old, to, new) => {
                let (from, to) = (folder(*from), folder(*to));
                let moved = self.store.lookup(from, &name(*old));
                // The kernel prevents moving a folder into itself, so this test moves only files.
                let Ok(moved) = moved.and_then(|ino| self.store.file(ino).map(|_| ino)) else { return };
                let same = self.store.lookup(to, &name(*new)) == Ok(moved);
                let renamed = self.store.rename((from, &name(*old)), (to, &name(*new)), true);
                let Ok(replaced) = renamed else { return };
                if !same {
                    self.naive.name(from, name(*old), None, moved);
                    self.naive.name(to, name(*new), Some(moved), moved);
                }
                if let Some(ino) = replaced {
                    self.store.let_go(ino);
                }
            }
            Op::Link(file, index, own) => {
                let parent = folder(*index);
                let Some(ino) = self.pick(InodeKind::File, *file) else { return };
                if self.store.link(ino, parent, &name(*own)).is_ok() {
                    self.naive.name(parent, name(*own), Some(ino), ino);
                }
            }
            Op::Write(index, at, bytes) => {
                let Some(ino) = self.pick(InodeKind::File, *index) else { return };
                self.store.write(ino, u64::from(*at), bytes, UNIX_EPOCH).unwrap();
                self.naive.note(Event::Write(ino, usize::from(*at), bytes.clone()));
            }
            Op::Length(index, length) => {
                let Some(ino) = self.pick(InodeKind::File, *index) else { return };
                self.store.set_length(ino, u64::from(*length), UNIX_EPOCH).unwrap();
                self.naive.note(Event::Length(ino, usize::from(*length)));
            }
            Op::Ask(index) => {
                let kind = if index % 2 == 0 { InodeKind::File } else { InodeKind::Folder };
                let Some(ino) = self.pick(kind, index / 2) else { return };
                let (count, dirty) = (self.naive.changes.len(), self.naive.is_dirty(ino));
                self.requested.push((ino, self.store.mark(ino), count, dirty));
            }
            Op::Answer(index) => {
                if self.requested.is_empty() {
                    return;
                }
                let (ino, mark, until, dirty) = self.requested.remove(index % self.requested.len());
                self.store.sync(ino, mark);
                self.naive.sync(ino, until, dirty);
            }
            Op::FailSync(index) => {
                let Some(ino) = self.pick(InodeKind::File, *index) else { return };
                self.store.fail_sync(ino);
                self.naive.fail_sync(ino);
            }
            Op::WriteBack(_) if self.numbers.is_empty() => {}
            Op::WriteBack(index) => {
                let until = self.numbers[index % self.numbers.len()];
                self.store.write_back(until);
                self.naive.write_back(self.numbers.partition_point(|number| *number <= until));
            }
            Op::PowerLoss => {
                self.store.lose_power(None);
                self.requested.clear();
                self.agree();
                let mut durable = self.naive.changes.iter().map(|change| change.durable);
                self.numbers.retain(|_| durable.next().unwrap_or_default());
                self.naive.changes.retain(|change| change.durable);
            }
        }
    }

    /// Compares entries and bytes after a power loss.
    fn agree(&self) {
        let mut folders = vec![ROOT];
        let mut seen = BTreeSet::new();
        while let Some(ino) = folders.pop() {
            if !seen.insert(ino) {
                continue;
            }
            let entries = self.store.list(ino).unwrap();
            let found: BTreeMap<_, _> = entries.iter().map(|(name, ino, _)| (name.clone(), *ino)).collect();
            assert_eq!(found, self.naive.entries(ino), "the entries of {ino}");
            for (_, ino, kind) in entries {
                match kind {
                    InodeKind::Folder => folders.push(ino),
                    InodeKind::File => {
                        assert_eq!(
                            self.store.read(ino, 0, 1000).unwrap(),
                            self.naive.bytes(ino),
                            "file {ino}"
                        );
                        assert!(!self.store.is_pending(ino));
                    }
                    InodeKind::Link | InodeKind::Special(_) => unreachable!("none was made"),
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn power_loss_leaves_durable_data(ops in prop::collection::vec(op(), 1..60)) {
        for folders in BOTH {
            let mut both = Both::new(folders);
            for op in &ops {
                both.go(op);
            }
            both.go(&Op::PowerLoss);
        }
    }

    #[test]
    fn torn_bytes_are_part_of_oldest_write(
        first in prop::collection::vec(1..=255_u8, 1..30),
        writes in prop::collection::vec((0..40_u64, prop::collection::vec(1..=255_u8, 2..20)), 1..5),
        seed in any::<u64>(),
    ) {
        for folders in BOTH {
            let (mut store, file) = synced_file(folders, &first);
            for (at, bytes) in &writes {
                store.write(file, *at, bytes, UNIX_EPOCH).unwrap();
            }
            let torn = store.lose_power(Some((Tear::Byte, &mut ChaCha8Rng::seed_from_u64(seed)))).torn.unwrap();
            let (start, bytes) = &writes[0];
            let Part::Bytes { at, of, from, to } = torn.part else { panic!("{torn:?}") };
            prop_assert_eq!((at, of, torn.path.as_str()), (*start, bytes.len() as u64, "log"));
            let kept = usize::try_from(from).unwrap()..usize::try_from(to).unwrap();
            prop_assert!(!kept.is_empty() && kept.len() < bytes.len());
            prop_assert!(kept.start == 0 || kept.end == bytes.len());
            let mut expected = first.clone();
            put(&mut expected, usize::try_from(*start).unwrap() + kept.start, &bytes[kept]);
            prop_assert_eq!(store.read(file, 0, 1000).unwrap(), expected);
        }
    }

    #[test]
    fn torn_sectors_are_whole_and_legal(
        first in prop::collection::vec(1..128_u8, 1..9_000),
        writes in prop::collection::vec((0..12_000_u64, prop::collection::vec(128..=255_u8, 1..6_000)), 1..4),
        length in prop::option::of(0..12_000_u64),
        seed in any::<u64>(),
    ) {
        for folders in BOTH {
            let (mut store, file) = synced_file(folders, &first);
            let mut after = first.clone();
            for (at, bytes) in &writes {
                store.write(file, *at, bytes, UNIX_EPOCH).unwrap();
                put(&mut after, usize::try_from(*at).unwrap(), bytes);
            }
            // Bytes beyond a length that is not durable never survive.
            if let Some(length) = length {
                store.set_length(file, length, UNIX_EPOCH).unwrap();
                store.write(file, 0, &vec![0; 20_000], UNIX_EPOCH).unwrap();
            }
            store.lose_power(Some((Tear::Sector, &mut ChaCha8Rng::seed_from_u64(seed)))).torn.unwrap();
            let found = store.read(file, 0, 1 << 20).unwrap();
            let legal = legal(folders, &first, &after, found);
            prop_assert!(legal.is_ok(), "{folders:?}: {legal:?}");
            prop_assert!(found != first || after == first, "nothing is there");
        }
    }
}

/// Checks that each sector has its old or new content, and that the file grows by whole blocks.
fn legal(folders: Folders, before: &[u8], after: &[u8], found: &[u8]) -> Result<(), String> {
    let journaled = folders == Folders::Ordered;
    let sector = |bytes: &[u8], at: usize, end: usize| -> Vec<u8> {
        (at..end).map(|at| bytes.get(at).copied().unwrap_or(0)).collect()
    };
    let overwritten = if journaled { before.len() } else { found.len() };
    for at in (0..overwritten).step_by(SECTOR) {
        let end = (at + SECTOR).min(overwritten);
        let own = sector(found, at, end);
        if own != sector(before, at, end) && own != sector(after, at, end) {
            return Err(format!("the sector at {at} is neither as before nor as after"));
        }
    }
    if !journaled || found.len() <= before.len() {
        return (found.len() >= before.len()).then_some(()).ok_or_else(|| "it is shorter".to_owned());
    }
    if found.len() != after.len() && !found.len().is_multiple_of(BLOCK) {
        return Err(format!("it ends at {}, inside a block", found.len()));
    }
    (found == &after[..found.len()])
        .then_some(())
        .ok_or_else(|| "it is longer, and its start is missing".to_owned())
}

fn synced_file(folders: Folders, bytes: &[u8]) -> (Store, Ino) {
    let mut store = Store::new(folders, UNIX_EPOCH);
    let file = store.make(ROOT, OsStr::new("log"), New::File, 0o644, UNIX_EPOCH).unwrap();
    store.write(file, 0, bytes, UNIX_EPOCH).unwrap();
    for ino in [file, ROOT] {
        let mark = store.mark(ino);
        store.sync(ino, mark);
    }
    (store, file)
}

#[test]
fn torn_write_is_in_file_synced_last() {
    for (tear, folders) in [(Tear::Byte, Folders::Strict), (Tear::Sector, Folders::Ordered)] {
        let (mut store, log) = synced_file(folders, b"kept");
        let note = store.make(ROOT, OsStr::new("note"), New::File, 0o644, UNIX_EPOCH).unwrap();
        let mark = store.mark(ROOT);
        store.sync(ROOT, mark);
        store.write(note, 0, b"never synced", UNIX_EPOCH).unwrap();
        store.write(log, 4, b"torn", UNIX_EPOCH).unwrap();
        let loss = store.lose_power(Some((tear, &mut ChaCha8Rng::seed_from_u64(1))));
        assert_eq!(loss.torn.unwrap().path, "log");
    }
}

#[test]
fn losses_are_counted_by_their_reason() {
    let lose = |folders| {
        let (mut store, file) = synced_file(folders, b"kept");
        store.write(file, 4, b"lost", UNIX_EPOCH).unwrap();
        let other = store.make(ROOT, OsStr::new("other"), New::File, 0o644, UNIX_EPOCH).unwrap();
        store.write(other, 0, b"synced, but its name is not", UNIX_EPOCH).unwrap();
        store.rename((ROOT, OsStr::new("other")), (ROOT, OsStr::new("renamed")), true).unwrap();
        let mark = store.mark(other);
        store.sync(other, mark);
        store.make(ROOT, OsStr::new("later"), New::File, 0o644, UNIX_EPOCH).unwrap();
        let loss = store.lose_power(None);
        assert_eq!((loss.changes, loss.bytes, loss.torn.is_none()), (1, 4, true));
        assert_eq!(store.bytes(), loss.after.bytes);
        (loss.after, loss.entries, loss.only_folders)
    };
    let usage = |files, bytes| Usage { files, bytes };
    assert_eq!(lose(Folders::Ordered), (usage(2, 31), 1, usage(0, 0)));
    assert_eq!(lose(Folders::Strict), (usage(1, 4), 2, usage(1, 27)));
}

#[test]
fn clean_sync_commits_no_rename() {
    let (mut store, file) = synced_file(Folders::Ordered, b"kept");
    let other = store.make(ROOT, OsStr::new("other"), New::File, 0o644, UNIX_EPOCH).unwrap();
    let clean = store.mark(file);
    store.sync(file, clean);
    store.lose_power(None);
    assert_eq!(store.lookup(ROOT, OsStr::new("other")), Err(Refusal::NotThere));
    assert_eq!(store.about(other), Err(Refusal::NotThere));
}

#[test]
fn renames_are_atomic_where_folders_are_ordered() {
    let (mut store, file) = synced_file(Folders::Ordered, b"kept");
    let folder = store.make(ROOT, OsStr::new("folder"), New::Folder, 0o755, UNIX_EPOCH).unwrap();
    store.rename((ROOT, OsStr::new("log")), (folder, OsStr::new("moved")), true).unwrap();
    let mark = store.mark(folder);
    store.sync(folder, mark);
    store.lose_power(None);
    let names: Vec<_> = store.tree().into_iter().map(|(path, _)| path.display().to_string()).collect();
    assert_eq!(names, ["folder", "folder/moved"]);
    assert_eq!(store.read(file, 0, 9).unwrap(), b"kept");
}

#[test]
fn units_are_sectors_then_blocks() {
    let unit = |bytes, grows| Unit { bytes, grows };
    let writes = [100..1_100, 8_000..8_300, 5_000..5_001];
    let all = units(&writes, 600, Folders::Ordered);
    let expected =
        [unit(100..512, false), unit(512..600, false), unit(600..1_100, true), unit(5_000..8_192, true)];
    assert_eq!(all[..4], expected);
    assert_eq!(all[4..], [unit(8_192..8_300, true)]);
    assert_eq!(units(&writes[..1], 600, Folders::Strict).len(), 3);
}

#[test]
fn removed_files_are_freed_once_durable() {
    for folders in BOTH {
        let (mut store, file) = synced_file(folders, b"kept");
        store.remove(ROOT, OsStr::new("log"), false).unwrap();
        store.let_go(file);
        assert_eq!(store.bytes(), 4, "a power loss would bring it back");
        let mark = store.mark(ROOT);
        store.sync(ROOT, mark);
        assert_eq!(store.bytes(), 0);
    }
}

#[test]
fn later_syncs_do_not_repair_failed_ones() {
    let (mut store, file) = synced_file(Folders::default(), b"kept");
    store.write(file, 4, b"lost", UNIX_EPOCH).unwrap();
    store.fail_sync(file);
    store.write(file, 8, b"later", UNIX_EPOCH).unwrap();
    let mark = store.mark(file);
    store.sync(file, mark);
    assert_eq!(store.read(file, 0, 100).unwrap(), b"keptlostlater", "it is read as before");
    store.lose_power(None);
    assert_eq!(store.read(file, 0, 100).unwrap(), b"kept\0\0\0\0later");
}

#[test]
fn removed_open_file_can_be_read() {
    let (mut store, file) = synced_file(Folders::default(), b"kept");
    store.remove(ROOT, OsStr::new("log"), false).unwrap();
    let mark = store.mark(ROOT);
    store.sync(ROOT, mark);
    assert_eq!(store.read(file, 0, 9).unwrap(), b"kept");
    store.let_go(file);
    assert_eq!(store.read(file, 0, 9), Err(Refusal::NotThere));
    assert_eq!(store.bytes(), 0);
}

#[test]
fn oversized_file_is_refused_before_allocation() {
    let (mut store, file) = synced_file(Folders::default(), b"kept");
    assert_eq!(store.set_length(file, u64::MAX, UNIX_EPOCH), Err(Refusal::NoSpace));
    assert_eq!(store.write(file, CAPACITY, b"x", UNIX_EPOCH), Err(Refusal::NoSpace));
    assert_eq!(store.bytes(), 4);
}
