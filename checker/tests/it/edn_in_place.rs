//! EDN that is read straight into operations against the same EDN read as events.

use formats::{Options, read, read_operations};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rand::rngs::ChaCha8Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use std::io::Cursor;

/// Reads the bytes in both ways. Where they are read in place, both give the same; returns whether they were.
fn both(bytes: &[u8], options: &Options) -> bool {
    let Some(mut in_place) = read_operations(Cursor::new(bytes), "history.edn", options) else {
        return false;
    };
    let text = || String::from_utf8_lossy(bytes);
    let mut events = match read(bytes, "history.edn", options) {
        Ok(events) => events,
        // Operations need less memory than events.
        Err(error) if error.message.contains("of memory") => return false,
        Err(error) => panic!("{error}\n{}", text()),
    };
    let operations = match events.take_operations() {
        Ok(operations) => operations.to_vec(),
        Err(error) => panic!("{error}\n{}", text()),
    };
    assert_eq!(in_place.take_operations().unwrap().to_vec(), operations, "{}", text());
    assert_eq!(in_place.notes, events.notes, "{}", text());
    assert_eq!(in_place.model, events.model, "{}", text());
    assert_eq!(in_place.unjudged, events.unjudged, "{}", text());
    assert_eq!(in_place.header, events.header, "{}", text());
    let state = |read: &formats::Read| {
        (read.format, read.unfinished, read.order, read.open_end, read.reorders, read.events().len())
    };
    assert_eq!(state(&in_place), state(&events), "{}", text());
    true
}

/// What clients do in a history.
const LOADS: [&str; 12] =
    ["register", "cas", "texts", "kv", "set", "counter", "queue", "mutex", "append", "rw", "bank", "multi"];

/// How a history is written, and what is odd about it.
#[allow(clippy::struct_excessive_bools, reason = "each is one thing that is written or not")]
struct Style {
    load: &'static str,
    /// Whether values are keys with values.
    keyed: bool,
    /// Out of a hundred: how often something unusual is written.
    odd: u32,
    indexes: bool,
    times: bool,
    ordered: bool,
    list: Option<(&'static str, &'static str)>,
}

/// A history as a text, drawn from a seed.
struct Writer {
    rng: ChaCha8Rng,
    style: Style,
    text: String,
    time: u64,
    index: u64,
}

impl Writer {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let style = Style {
            load: LOADS.choose(&mut rng).unwrap(),
            keyed: rng.random_bool(0.4),
            odd: *[0, 0, 2, 15].choose(&mut rng).unwrap(),
            indexes: rng.random_bool(0.7),
            times: rng.random_bool(0.8),
            ordered: rng.random_bool(0.7),
            list: [None, None, Some(("[", "]")), Some(("(", ")"))].choose(&mut rng).copied().unwrap(),
        };
        Self { rng, style, text: String::new(), time: 0, index: 0 }
    }

    fn odd(&mut self) -> bool {
        self.rng.random_range(0..100) < self.style.odd
    }

    fn pick(&mut self, choices: &[&str]) -> String {
        (*choices.choose(&mut self.rng).unwrap()).to_owned()
    }

    fn history(mut self, events: usize) -> String {
        if let Some((open, _)) = self.style.list {
            self.text.push_str(open);
        }
        let mut open: Vec<Option<(String, String, String)>> = vec![None; self.rng.random_range(1..5)];
        let mut names: Vec<u64> = (0..open.len() as u64).collect();
        for _ in 0..events {
            let client = self.rng.random_range(0..open.len());
            if self.rng.random_bool(0.03) {
                self.nemesis();
                continue;
            }
            match open[client].take() {
                None => {
                    let (f, value) = self.request();
                    let key = self.rng.random_range(0..3).to_string();
                    let key = if self.odd() { self.pick(&[":a", "\"1\"", "1N", "nil", "[1]"]) } else { key };
                    self.event("invoke", names[client], &f, &key, &value, "");
                    open[client] = Some((f, key, value));
                }
                Some((f, key, value)) => {
                    let kind = ["ok", "ok", "ok", "fail", "info"].choose(&mut self.rng).unwrap();
                    let answer = if *kind == "ok" { self.answer(&f, &value) } else { value };
                    let error = if *kind == "ok" { String::new() } else { self.error() };
                    let key = if self.odd() { self.pick(&["7", ":timeout"]) } else { key };
                    self.event(kind, names[client], &f, &key, &answer, &error);
                    if *kind == "info" && !self.odd() {
                        names[client] += 10;
                    }
                }
            }
        }
        if let Some((_, close)) = self.style.list {
            self.text.push_str(close);
        }
        self.text
    }

    fn scalar(&mut self) -> String {
        if self.odd() {
            return self.pick(&[
                "-1",
                "1.0",
                "1.5",
                "nil",
                "true",
                "false",
                ":a",
                "\"a\"",
                "\"\\n\"",
                "1N",
                "007",
                "1/2",
                "#{1}",
                "18446744073709551615",
                "99999999999999999999",
                "[1 2]",
                "{:a 1}",
                "\\a",
                "#inst \"x\"",
                "a",
                ":empty",
                "[:w 1]",
                "1e3",
                "-0",
                "+3",
                "\"é\"",
                "4000000000",
                "12345678901234567890",
                ":",
            ]);
        }
        self.rng.random_range(0..6).to_string()
    }

    fn request(&mut self) -> (String, String) {
        let scalar = self.scalar();
        let (f, value) = match self.style.load {
            "register" => {
                [("read", "nil".to_owned()), ("write", scalar)].choose(&mut self.rng).unwrap().clone()
            }
            "cas" => {
                let pair = format!("[{scalar} {}]", self.scalar());
                [("read", "nil".to_owned()), ("write", scalar), ("cas", pair)]
                    .choose(&mut self.rng)
                    .unwrap()
                    .clone()
            }
            "texts" => [("read", "nil".to_owned()), ("write", format!(":v{scalar}"))]
                .choose(&mut self.rng)
                .unwrap()
                .clone(),
            "kv" => [("get", "nil".to_owned()), ("put", scalar.clone()), ("append", scalar)]
                .choose(&mut self.rng)
                .unwrap()
                .clone(),
            "set" | "counter" => {
                [("read", "nil".to_owned()), ("add", scalar)].choose(&mut self.rng).unwrap().clone()
            }
            "queue" => {
                [("dequeue", "nil".to_owned()), ("enqueue", scalar)].choose(&mut self.rng).unwrap().clone()
            }
            "mutex" => [("acquire", "nil".to_owned()), ("release", "nil".to_owned())]
                .choose(&mut self.rng)
                .unwrap()
                .clone(),
            "bank" => {
                [("read", "nil".to_owned()), ("transfer", format!("{{:from 0, :to 1, :amount {scalar}}}"))]
                    .choose(&mut self.rng)
                    .unwrap()
                    .clone()
            }
            load => {
                let names: &[&str] = match load {
                    "append" => &[":r", ":append"],
                    "rw" => &[":r", ":w"],
                    _ => &[":read", ":write"],
                };
                let steps = self.rng.random_range(1..4);
                let steps: Vec<String> = (0..steps).map(|_| self.step(names)).collect();
                (if self.odd() { "write" } else { "txn" }, format!("[{}]", steps.join(" ")))
            }
        };
        if self.odd() { (self.pick(&["read", "foo", "cas", "write"]), value) } else { (f.to_owned(), value) }
    }

    fn step(&mut self, names: &[&str]) -> String {
        let name = self.pick(names);
        let name = if self.odd() { self.pick(&["\"r\"", ":x", "r", ":append"]) } else { name };
        let key = self.scalar();
        match name.as_str() {
            ":r" | ":read" if self.odd() => format!("[{name} {key}]"),
            ":r" | ":read" => format!("[{name} {key} nil]"),
            _ => format!("[{name} {key} {}]", self.scalar()),
        }
    }

    fn answer(&mut self, f: &str, value: &str) -> String {
        if self.odd() {
            return self.scalar();
        }
        match (f, self.style.load) {
            ("read", "set") => {
                let items: Vec<String> = (0..self.rng.random_range(0..4)).map(|_| self.scalar()).collect();
                let items = items.join(" ");
                if self.rng.random_bool(0.5) { format!("[{items}]") } else { format!("#{{{items}}}") }
            }
            ("read", "bank") => format!("{{0 {}, 1 {}}}", self.scalar(), self.scalar()),
            ("read", "texts") => format!(":v{}", self.scalar()),
            ("read" | "get" | "dequeue", _) => self.scalar(),
            ("txn", "append") => value.replace("nil", &self.pick(&["[1 2]", "[]", "nil", "[3, 1]"])),
            ("txn", _) => value.replace("nil", &self.pick(&["1", "2", "nil"])),
            _ => value.to_owned(),
        }
    }

    fn error(&mut self) -> String {
        self.pick(&["", "", ":timeout", "\"no\"", "[:a \"b\"]", ":precondition", "nil"])
    }

    fn nemesis(&mut self) {
        let process =
            if self.odd() { self.pick(&["\"nemesis\"", ":nemesis-2", "nil"]) } else { ":nemesis".to_owned() };
        let value = self.pick(&["nil", "[:isolated {\"n1\" #{\"n2\"}}]", ":x", "[[:w 1 2]]"]);
        self.put(vec![
            format!(":process {process}"),
            ":type :info".to_owned(),
            ":f :start".to_owned(),
            format!(":value {value}"),
        ]);
    }

    fn event(&mut self, kind: &str, process: u64, f: &str, key: &str, value: &str, error: &str) {
        let value =
            if self.style.keyed && !self.odd() { format!("[{key} {value}]") } else { value.to_owned() };
        let process =
            if self.odd() { self.pick(&["nil", ":a", "-1", "1.0", "007"]) } else { process.to_string() };
        let kind = if self.odd() { self.pick(&["invoke", "ok", "odd"]) } else { kind.to_owned() };
        let mut fields = vec![format!(":type :{kind}"), format!(":process {process}"), format!(":f :{f}")];
        if value != "nil" || self.rng.random_bool(0.7) {
            fields.push(format!(":value {value}"));
        }
        if !error.is_empty() {
            fields.push(format!(":error {error}"));
        }
        if self.odd() {
            let field = [
                ":extra {:a [1 2]}",
                ":key 1",
                ":key \"a\"",
                ":actual 3",
                ":final? true",
                ":node \"n1\"",
                ":client 4",
                ":type :ok",
                "\"type\" 1",
                ":value 3",
                ":phase :final",
            ];
            let field = self.pick(&field);
            fields.push(field);
        }
        self.put(fields);
    }

    fn put(&mut self, mut fields: Vec<String>) {
        self.time += self.rng.random_range(0..5);
        self.index += 1;
        if self.style.times && !self.odd() {
            let time = if self.odd() { self.rng.random_range(0..100) } else { self.time };
            let time = time.to_string();
            let time = if self.odd() {
                self.pick(&["nil", "1.5", "\"2020-01-01T00:00:00Z\"", "\"x\""])
            } else {
                time
            };
            fields.push(format!(":time {time}"));
        }
        if self.style.indexes && !self.odd() {
            let index = if self.odd() { self.rng.random_range(0..100) } else { self.index };
            fields.push(format!(":index {index}"));
        }
        if !self.style.ordered {
            fields.shuffle(&mut self.rng);
        }
        let blank = self.pick(&[" ", ", ", "  ", "\n ", "\t"]);
        if self.odd() {
            let before = self.pick(&[
                "; {:type :invoke}\n",
                "#_{:a 1} ",
                "#jepsen.history.Op",
                "#other/tag ",
                "^:meta ",
                ",,",
            ]);
            self.text.push_str(&before);
        }
        self.text.push('{');
        self.text.push_str(&fields.join(&blank));
        self.text.push('}');
        let end = if self.style.list.is_some() { self.pick(&[" ", "\n", ""]) } else { "\n".to_owned() };
        self.text.push_str(&end);
    }
}

const PIECES: [&str; 14] = ["{", "}", "[", "]", "(", "\"", ";", "#_", "#", "\n", ":", "nil ", " 1", "\0"];

/// A change of the bytes: where, and what.
fn change(bytes: &mut Vec<u8>, at: u16, how: u8) {
    if bytes.is_empty() {
        return;
    }
    let at = usize::from(at) * bytes.len() / (1 << 16);
    match how {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..(at + 5).min(bytes.len()))),
        2 => {
            let line = bytes[at..].split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default().to_vec();
            bytes.splice(at..at, line);
        }
        _ => {
            let piece = PIECES[usize::from(how) % PIECES.len()];
            bytes.splice(at..at, piece.bytes());
        }
    }
}

fn options(choice: u8) -> Options {
    let model = |name: &str| Options { model: Some(name.to_owned()), ..Options::default() };
    match choice {
        0 => model("cas-register"),
        1 => model("versioned-register"),
        2 => Options { independent: Some(true), ..Options::default() },
        3 => Options { independent: Some(false), ..Options::default() },
        4 => Options { initial: true, ..Options::default() },
        5 => Options { memory: Some(2000), ..Options::default() },
        _ => Options::default(),
    }
}

#[test]
fn operations_are_those_of_events() {
    let cases = std::env::var("EDN_HISTORIES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3000);
    let config =
        Config { cases, rng_seed: RngSeed::Fixed(17), failure_persistence: None, ..Config::default() };
    let (mut plain, mut read_plain, mut read_changed) = (0, 0, 0);
    let changes = proptest::collection::vec((any::<u16>(), 0_u8..20), 0..3);
    let strategy = (any::<u64>(), 1_usize..40, changes, 0_u8..20);
    let counts = std::cell::RefCell::new((&mut plain, &mut read_plain, &mut read_changed));
    TestRunner::new(config)
        .run(&strategy, |(seed, events, changes, choice)| {
            let writer = Writer::new(seed);
            let usual = writer.style.odd == 0;
            let mut bytes = writer.history(events).into_bytes();
            changes.iter().for_each(|&(at, how)| change(&mut bytes, at, how));
            let in_place = both(&bytes, &options(choice));
            let mut counts = counts.borrow_mut();
            if usual && changes.is_empty() && choice > 5 {
                *counts.0 += 1;
                *counts.1 += u32::from(in_place);
            } else {
                *counts.2 += u32::from(in_place);
            }
            Ok(())
        })
        .unwrap();
    assert!(read_plain * 10 > plain * 9, "{read_plain} of {plain} usual histories were read in place");
    assert!(read_changed * 20 > cases, "{read_changed} of {cases} others were read in place");
}
