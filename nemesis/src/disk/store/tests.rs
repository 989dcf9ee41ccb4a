//! What is there after a power loss, against a naive disk that remembers every change and replays those it must.

use super::loss::Usage;
use super::*;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::time::UNIX_EPOCH;

/// Remembers all changes of every file and folder, and how many of them were synced.
#[derive(Default)]
struct Naive {
    changes: BTreeMap<Ino, Vec<Event>>,
    synced: BTreeMap<Ino, usize>,
}

#[derive(Clone)]
enum Event {
    Write(usize, Vec<u8>),
    Length(usize),
    Insert(OsString, Ino),
    Remove(OsString),
}

impl Naive {
    fn note(&mut self, ino: Ino, event: Event) {
        self.changes.entry(ino).or_default().push(event);
    }

    fn count(&self, ino: Ino) -> usize {
        self.changes.get(&ino).map_or(0, Vec::len)
    }

    fn sync(&mut self, ino: Ino, until: usize) {
        let synced = self.synced.entry(ino).or_default();
        *synced = until.max(*synced);
    }

    fn entries(&self, ino: Ino) -> BTreeMap<OsString, Ino> {
        let mut entries = BTreeMap::new();
        for event in self.kept(ino) {
            match event {
                Event::Insert(name, ino) => drop(entries.insert(name.clone(), *ino)),
                Event::Remove(name) => drop(entries.remove(name)),
                Event::Write(..) | Event::Length(_) => unreachable!("folders are not written"),
            }
        }
        entries
    }

    fn bytes(&self, ino: Ino) -> Vec<u8> {
        let mut bytes: Vec<u8> = Vec::new();
        for event in self.kept(ino) {
            match event {
                Event::Write(at, new) => {
                    let mut longer = vec![0; (at + new.len()).max(bytes.len())];
                    longer[..bytes.len()].copy_from_slice(&bytes);
                    longer[*at..at + new.len()].copy_from_slice(new);
                    bytes = longer;
                }
                Event::Length(length) => bytes.resize(*length, 0),
                Event::Insert(..) | Event::Remove(_) => unreachable!("files have no entries"),
            }
        }
        bytes
    }

    fn kept(&self, ino: Ino) -> &[Event] {
        let synced = self.synced.get(&ino).copied().unwrap_or(0);
        &self.changes.get(&ino).map_or(&[][..], Vec::as_slice)[..synced]
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
    PowerLoss,
}

fn op() -> impl Strategy<Value = Op> {
    let (place, name) = (0..6_usize, 0..4_u8);
    prop_oneof![
        4 => (place.clone(), name.clone(), prop::bool::weighted(0.3)).prop_map(|(p, n, f)| Op::Make(p, n, f)),
        1 => (place.clone(), name.clone()).prop_map(|(p, n)| Op::Remove(p, n)),
        2 => (place.clone(), name.clone(), place.clone(), name.clone()).prop_map(|(a, b, c, d)| Op::Rename(a, b, c, d)),
        1 => (place.clone(), place.clone(), name).prop_map(|(f, p, n)| Op::Link(f, p, n)),
        6 => (place.clone(), 0..40_u16, prop::collection::vec(1..=255_u8, 1..12)).prop_map(|(p, a, b)| Op::Write(p, a, b)),
        1 => (place.clone(), 0..40_u16).prop_map(|(p, l)| Op::Length(p, l)),
        5 => place.clone().prop_map(Op::Ask),
        5 => place.prop_map(Op::Answer),
        1 => Just(Op::PowerLoss),
    ]
}

/// The store beside the naive disk, with the syncs that were asked for and not answered yet.
struct Both {
    store: Store,
    naive: Naive,
    asked: Vec<(Ino, Mark, usize)>,
}

impl Both {
    fn new() -> Self {
        Self { store: Store::new(UNIX_EPOCH), naive: Naive::default(), asked: Vec::new() }
    }

    /// Something of this kind, by its place among all of them.
    fn pick(&self, what: What, place: usize) -> Option<Ino> {
        let tree = self.store.tree().into_iter().map(|(_, ino)| ino).chain([ROOT]);
        let of_kind: BTreeSet<Ino> =
            tree.filter(|ino| self.store.about(*ino).unwrap().what == what).collect();
        of_kind.iter().nth(place % of_kind.len().max(1)).copied()
    }

    fn go(&mut self, op: &Op) {
        let name = |name: u8| OsString::from(format!("f{name}"));
        let folder = |place| self.pick(What::Folder, place).unwrap();
        match op {
            Op::Make(place, own, is_folder) => {
                let (parent, new) = (folder(*place), if *is_folder { New::Folder } else { New::File });
                if let Ok(ino) = self.store.make(parent, &name(*own), new, 0o644, UNIX_EPOCH) {
                    self.naive.note(parent, Event::Insert(name(*own), ino));
                }
            }
            Op::Remove(place, own) => {
                let parent = folder(*place);
                let removed =
                    [true, false].map(|folder| self.store.remove(parent, &name(*own), folder).is_ok());
                if removed[0] || removed[1] {
                    self.naive.note(parent, Event::Remove(name(*own)));
                }
            }
            Op::Rename(from, old, to, new) => {
                let (from, to) = (folder(*from), folder(*to));
                let moved = self.store.lookup(from, &name(*old));
                // The kernel never lets a folder be moved into itself, so only files are moved here.
                let Ok(moved) = moved.and_then(|ino| self.store.file(ino).map(|_| ino)) else { return };
                let same = self.store.lookup(to, &name(*new)) == Ok(moved);
                if self.store.rename((from, &name(*old)), (to, &name(*new)), true).is_ok() && !same {
                    self.naive.note(from, Event::Remove(name(*old)));
                    self.naive.note(to, Event::Insert(name(*new), moved));
                }
            }
            Op::Link(file, place, own) => {
                let parent = folder(*place);
                let Some(ino) = self.pick(What::File, *file) else { return };
                if self.store.link(ino, parent, &name(*own)).is_ok() {
                    self.naive.note(parent, Event::Insert(name(*own), ino));
                }
            }
            Op::Write(place, at, bytes) => {
                let Some(ino) = self.pick(What::File, *place) else { return };
                self.store.write(ino, u64::from(*at), bytes, UNIX_EPOCH).unwrap();
                self.naive.note(ino, Event::Write(usize::from(*at), bytes.clone()));
            }
            Op::Length(place, length) => {
                let Some(ino) = self.pick(What::File, *place) else { return };
                self.store.set_length(ino, u64::from(*length), UNIX_EPOCH).unwrap();
                self.naive.note(ino, Event::Length(usize::from(*length)));
            }
            Op::Ask(place) => {
                let what = if place % 2 == 0 { What::File } else { What::Folder };
                let Some(ino) = self.pick(what, place / 2) else { return };
                self.asked.push((ino, self.store.mark(ino), self.naive.count(ino)));
            }
            Op::Answer(place) => {
                if self.asked.is_empty() {
                    return;
                }
                let (ino, mark, until) = self.asked.remove(place % self.asked.len());
                self.store.sync(ino, mark);
                self.naive.sync(ino, until);
            }
            Op::PowerLoss => {
                self.store.lose_power(None);
                self.asked.clear();
                self.agree();
                for (ino, events) in &mut self.naive.changes {
                    events.truncate(self.naive.synced.get(ino).copied().unwrap_or(0));
                }
            }
        }
    }

    /// After a power loss: the same entries and the same bytes.
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
            for (_, ino, what) in entries {
                match what {
                    What::Folder => folders.push(ino),
                    What::File => {
                        assert_eq!(
                            self.store.read(ino, 0, 1000).unwrap(),
                            self.naive.bytes(ino),
                            "file {ino}"
                        );
                        assert!(!self.store.is_pending(ino));
                    }
                    What::Link => unreachable!("none was made"),
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_power_loss_leaves_what_was_synced_and_nothing_else(ops in prop::collection::vec(op(), 1..60)) {
        let mut both = Both::new();
        for op in &ops {
            both.go(op);
        }
        both.go(&Op::PowerLoss);
    }

    #[test]
    fn a_torn_write_is_a_part_of_the_oldest_write_that_was_not_synced(
        first in prop::collection::vec(1..=255_u8, 1..30),
        writes in prop::collection::vec((0..40_u64, prop::collection::vec(1..=255_u8, 2..20)), 1..5),
        seed in any::<u64>(),
    ) {
        let (mut store, file) = synced_file(&first);
        for (at, bytes) in &writes {
            store.write(file, *at, bytes, UNIX_EPOCH).unwrap();
        }
        let loss = store.lose_power(Some(&mut ChaCha8Rng::seed_from_u64(seed)));
        let torn = loss.torn.unwrap();
        let (at, bytes) = &writes[0];
        prop_assert_eq!((torn.at, torn.of, torn.path.as_str()), (*at, bytes.len() as u64, "log"));
        let kept = usize::try_from(torn.from).unwrap()..usize::try_from(torn.to).unwrap();
        prop_assert!(!kept.is_empty() && kept.len() < bytes.len());
        prop_assert!(kept.start == 0 || kept.end == bytes.len());
        let mut expected = first.clone();
        put(&mut expected, usize::try_from(*at).unwrap() + kept.start, &bytes[kept]);
        prop_assert_eq!(store.read(file, 0, 1000).unwrap(), expected);
    }
}

fn synced_file(bytes: &[u8]) -> (Store, Ino) {
    let mut store = Store::new(UNIX_EPOCH);
    let file = store.make(ROOT, OsStr::new("log"), New::File, 0o644, UNIX_EPOCH).unwrap();
    store.write(file, 0, bytes, UNIX_EPOCH).unwrap();
    for ino in [file, ROOT] {
        let mark = store.mark(ino);
        store.sync(ino, mark);
    }
    (store, file)
}

#[test]
fn a_torn_write_is_in_the_file_synced_last() {
    let (mut store, log) = synced_file(b"kept");
    let note = store.make(ROOT, OsStr::new("note"), New::File, 0o644, UNIX_EPOCH).unwrap();
    let mark = store.mark(ROOT);
    store.sync(ROOT, mark);
    store.write(note, 0, b"never synced", UNIX_EPOCH).unwrap();
    store.write(log, 4, b"torn", UNIX_EPOCH).unwrap();
    let loss = store.lose_power(Some(&mut ChaCha8Rng::seed_from_u64(1)));
    assert_eq!(loss.torn.unwrap().path, "log");
}

#[test]
fn what_was_lost_is_counted() {
    let (mut store, file) = synced_file(b"kept");
    store.write(file, 4, b"lost", UNIX_EPOCH).unwrap();
    let other = store.make(ROOT, OsStr::new("other"), New::File, 0o644, UNIX_EPOCH).unwrap();
    store.write(other, 0, b"synced, but its name is not", UNIX_EPOCH).unwrap();
    let mark = store.mark(other);
    store.sync(other, mark);
    let loss = store.lose_power(None);
    assert_eq!((loss.before, loss.after), (Usage { files: 2, bytes: 35 }, Usage { files: 1, bytes: 4 }));
    assert_eq!((loss.changes, loss.bytes, loss.entries, loss.torn), (1, 4, 1, None));
    assert_eq!(store.bytes(), 4);
}

#[test]
fn what_a_failed_sync_did_not_write_no_later_one_does() {
    let (mut store, file) = synced_file(b"kept");
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
fn a_removed_file_that_is_open_can_be_read_until_it_is_let_go() {
    let (mut store, file) = synced_file(b"kept");
    store.remove(ROOT, OsStr::new("log"), false).unwrap();
    let mark = store.mark(ROOT);
    store.sync(ROOT, mark);
    assert_eq!(store.read(file, 0, 9).unwrap(), b"kept");
    store.let_go(file);
    assert_eq!(store.read(file, 0, 9), Err(Refusal::NotThere));
    assert_eq!(store.bytes(), 0);
}

#[test]
fn a_file_that_would_not_fit_is_refused_before_memory_is_taken() {
    let (mut store, file) = synced_file(b"kept");
    assert_eq!(store.set_length(file, u64::MAX, UNIX_EPOCH), Err(Refusal::NoSpace));
    assert_eq!(store.write(file, CAPACITY, b"x", UNIX_EPOCH), Err(Refusal::NoSpace));
    assert_eq!(store.bytes(), 4);
}
