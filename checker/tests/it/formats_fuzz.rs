//! No bytes whatever make a reader panic or hang, and what it accepts can be paired and written on.

use formats::{Format, Options, read, write};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::time::{Duration, Instant};

/// Reads the bytes as what they look like and as every format. How many readings succeeded.
fn all_readers(bytes: &[u8]) -> usize {
    readers(bytes, std::iter::once(None).chain(Format::ALL.map(Some)))
}

/// Reads the bytes as each of these formats. How many readings succeeded.
fn readers(bytes: &[u8], formats: impl Iterator<Item = Option<Format>>) -> usize {
    let accepted = formats.filter(|&format| {
        let options = Options { format, ..Options::default() };
        match read(bytes, "history.edn", &options) {
            Ok(history) => {
                let _ = (history.operations(), history.model());
                for target in Format::ALL {
                    let _ = write(&history.events(), &history.header, target);
                }
                true
            }
            Err(error) => {
                assert!(!error.message.is_empty());
                let lines = bytes.split(|&byte| byte == b'\n').count();
                assert!(error.line <= lines, "{error}: there are {lines} lines");
                false
            }
        }
    });
    accepted.count()
}

/// The hand-written files, which are all valid.
fn corpus() -> Vec<Vec<u8>> {
    let folder = format!("{}/tests/formats", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    files.sort();
    files.into_iter().map(|path| std::fs::read(path).expect("the file can be read")).collect()
}

/// Pieces that mean something in one of the formats.
const PIECES: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "#{",
    "#_",
    "#inst ",
    "#:a",
    "^",
    "\"",
    "\\",
    "\\u12",
    "\\newline",
    ";",
    "\n",
    "\r\n",
    ",",
    " ",
    "\t",
    ":",
    ":type",
    ":invoke",
    ":ok",
    ":info",
    ":process",
    "0",
    "-1",
    "9223372036854775808",
    "1e9",
    "1/2",
    "##NaN",
    "nil",
    ":f",
    ":read",
    ":value",
    "null",
    "\"type\":",
    "\"process\":",
    "\"Call\":",
    "\"Input\":",
    "{\"history\":1",
    "f,process,outcome",
    "INFO  jepsen.util - 4\t",
    "\u{e9}",
    ":key",
    "true",
];

#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Remove(usize, usize),
    Repeat(usize, usize),
    Insert(usize, usize),
    Cut(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(index, byte)| Change::Flip(index, byte)),
        (any::<usize>(), 0_usize..20).prop_map(|(index, length)| Change::Remove(index, length)),
        (any::<usize>(), 0_usize..80).prop_map(|(index, length)| Change::Repeat(index, length)),
        (any::<usize>(), any::<usize>()).prop_map(|(index, piece)| Change::Insert(index, piece)),
        any::<usize>().prop_map(Change::Cut),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let length = bytes.len();
        let part = |index: usize, size: usize| {
            let start = index % (length + 1);
            start..(start + size).min(length)
        };
        match *change {
            Change::Flip(index, byte) if length > 0 => bytes[index % length] ^= byte,
            Change::Flip(..) => {}
            Change::Remove(index, size) => drop(bytes.drain(part(index, size))),
            Change::Repeat(index, size) => {
                let copy = bytes[part(index, size)].to_vec();
                bytes.splice(part(index, 0), copy);
            }
            Change::Insert(index, piece) => {
                bytes.splice(part(index, 0), PIECES[piece % PIECES.len()].bytes());
            }
            Change::Cut(index) => bytes.truncate(index % (length + 1)),
        }
    }
    bytes
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    (proptest::sample::select(corpus()), proptest::collection::vec(change(), 0..6))
        .prop_map(|(file, changes)| changed(file, &changes))
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..40)
        .prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        all_readers(&bytes);
    }

    #[test]
    fn arbitrary_pieces_of_the_formats_never_panic(bytes in pieces()) {
        all_readers(&bytes);
    }

    #[test]
    fn changed_files_never_panic(bytes in mutated()) {
        all_readers(&bytes);
    }
}

#[test]
fn the_files_that_are_changed_are_valid_to_begin_with() {
    let corpus = corpus();
    assert!(corpus.len() >= 11);
    assert!(corpus.iter().all(|file| all_readers(file) > 0));
}

/// `FUZZ_SECONDS=600 FUZZ_SEED=1 FUZZ_FORMAT=jepsen-edn cargo test -p checker --test it -- --ignored --nocapture for_a_long_time`;
/// without a format, all of them.
#[test]
#[ignore = "takes as long as FUZZ_SECONDS says"]
fn changed_files_never_panic_for_a_long_time() {
    let number = |name: &str, default| {
        std::env::var(name).map_or(default, |text| text.parse().expect("it should be a number"))
    };
    let (seconds, seed) = (number("FUZZ_SECONDS", 60), number("FUZZ_SEED", 1));
    let end = Instant::now() + Duration::from_secs(seconds);
    let only: Option<Format> =
        std::env::var("FUZZ_FORMAT").ok().map(|name| name.parse().expect("it should be a format"));
    let (mut cases, mut accepted) = (0_u64, 0_u64);
    for round in seed.. {
        let config = Config {
            cases: 1000,
            rng_seed: RngSeed::Fixed(round),
            failure_persistence: None,
            ..Config::default()
        };
        let mut runner = TestRunner::new(config);
        let inputs =
            prop_oneof![6 => mutated(), 2 => pieces(), 1 => proptest::collection::vec(any::<u8>(), 0..400)];
        let counts = std::cell::Cell::new((0, 0));
        runner
            .run(&inputs, |bytes| {
                let readings =
                    only.map_or_else(|| all_readers(&bytes), |it| readers(&bytes, std::iter::once(Some(it))));
                let readings = readings as u64;
                counts.set((counts.get().0 + 1, counts.get().1 + readings));
                Ok(())
            })
            .unwrap_or_else(|error| panic!("seed {round}: {error}"));
        cases += counts.get().0;
        accepted += counts.get().1;
        if Instant::now() >= end {
            break;
        }
    }
    println!("{cases} files, {accepted} readings accepted");
    assert!(accepted > 0, "nothing was ever read, so nothing was tried");
}
