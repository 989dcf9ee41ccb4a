//! Memory by construction: judging a history from its file holds a fixed number of bytes for each operation.
//!
//! `cargo test --release -p checker --test memory -- --ignored` judges ten million operations, and a million transactions.

#![allow(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]
mod counting;

use checker::Answer;
use checker::limits::Limits;
use checker::linearizability::{self, Model, Verdict};
use checker::transactions::{self, Options, Workload};
use counting::Measurement;
use history::{Operations, read_operations};
use std::fmt::Write as _;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// Clients of the history; each has keys of its own.
const CLIENTS: usize = 10;
const KEYS_A_CLIENT: usize = 100;

/// What a history has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// In even rounds clients write a unique value, in odd ones they read it again.
    Register,
    /// The same as Jepsen's EDN.
    RegisterEdn,
    /// Transactions read a list and append to it; a list ends at this many elements.
    Lists(usize),
    /// The same with registers: a transaction reads what the last one wrote, and writes.
    Registers(usize),
}

/// The bytes of a history that is made while it is read. In each round every client begins an operation, then every
/// one ends it.
struct Generated {
    load: Load,
    operations: usize,
    next: usize,
    line: String,
    at: usize,
}

impl Generated {
    fn new(load: Load, operations: usize) -> Self {
        let model = match load {
            Load::Register | Load::RegisterEdn => "register",
            Load::Lists(_) => "list-append",
            Load::Registers(_) => "rw-register",
        };
        let mut line = format!(
            r#"{{"history":1,"spec":"large","variant":"main","model":"{model}","seed":7,"started":"2026-11-23T10:00:00Z"}}"#
        );
        line.push('\n');
        if load == Load::RegisterEdn {
            line.clear();
        }
        Self { load, operations, next: 0, line, at: 0 }
    }

    fn advance(&mut self) {
        self.line.clear();
        self.at = 0;
        let event = self.next;
        if event == 2 * self.operations {
            return;
        }
        self.next += 1;
        let (round, client) = (event / (2 * CLIENTS), event % CLIENTS);
        let begins = event % (2 * CLIENTS) < CLIENTS;
        let time = event * 1000;
        let what = match self.load {
            Load::Register => register(round, client, begins),
            Load::RegisterEdn => {
                let kind = if begins { "invoke" } else { "ok" };
                let what = register_edn(round, client, begins);
                writeln!(
                    self.line,
                    "{{:index {event}, :time {time}, :type :{kind}, :process {client}, {what}}}"
                )
                .unwrap();
                return;
            }
            Load::Lists(length) => lists(round, client, begins, length),
            Load::Registers(writes) => registers(round, client, begins, writes),
        };
        let (kind, more) = if begins {
            ("invoke", format!(r#","client":{client},"node":"n1","phase":"load""#))
        } else {
            ("ok", String::new())
        };
        writeln!(self.line, r#"{{"time":{time},"process":{client},"type":"{kind}",{what}{more}}}"#).unwrap();
    }
}

/// The function, the key and the value of an event.
fn access(round: usize, client: usize, begins: bool) -> (&'static str, usize, Option<usize>) {
    let key = client * KEYS_A_CLIENT + round / 2 % KEYS_A_CLIENT;
    let written = round / 2 * CLIENTS + client;
    match (round % 2, begins) {
        (0, _) => ("write", key, Some(written)),
        (_, true) => ("read", key, None),
        (_, false) => ("read", key, Some(written)),
    }
}

fn register(round: usize, client: usize, begins: bool) -> String {
    let (f, key, value) = access(round, client, begins);
    let value = value.map_or_else(|| "null".to_owned(), |value| value.to_string());
    format!(r#""f":"{f}","key":"k{key}","value":{value}"#)
}

fn register_edn(round: usize, client: usize, begins: bool) -> String {
    let (f, key, value) = access(round, client, begins);
    let value = value.map_or_else(|| "nil".to_owned(), |value| value.to_string());
    format!(":f :{f}, :value [{key} {value}]")
}

fn lists(round: usize, client: usize, begins: bool, length: usize) -> String {
    let key = round / length * CLIENTS + client;
    let list: Vec<usize> = (round / length * length..round).collect();
    let found = if begins { "null".to_owned() } else { format!("{list:?}") };
    format!(r#""f":"txn","value":[["r",{key},{found}],["append",{key},{round}]]"#).replace(", ", ",")
}

fn registers(round: usize, client: usize, begins: bool, writes: usize) -> String {
    let key = round / writes * CLIENTS + client;
    let found = match round % writes {
        nth if nth > 0 && !begins => format!("{}", (round - 1) * CLIENTS + client),
        _ => "null".to_owned(),
    };
    let value = round * CLIENTS + client;
    format!(r#""f":"txn","value":[["r",{key},{found}],["w",{key},{value}]]"#)
}

impl Read for Generated {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.line.len() {
            self.advance();
        }
        let rest = &self.line.as_bytes()[self.at..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

impl Seek for Generated {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(0) => {
                *self = Self::new(self.load, self.operations);
                Ok(0)
            }
            // About as long as it is.
            _ => Ok(200 * self.operations as u64),
        }
    }
}

/// What the operations of a history, and the check of them, may hold.
struct Bounds {
    /// Bytes for each operation once it is read.
    in_columns: usize,
    /// Bytes for each operation at any time.
    at_the_peak: usize,
}

const REGISTER: Bounds = Bounds { in_columns: 64, at_the_peak: 160 };
const LISTS: Bounds = Bounds { in_columns: 200, at_the_peak: 600 };
const REGISTERS: Bounds = Bounds { in_columns: 100, at_the_peak: 450 };

/// What it may hold beside them, however short the history.
const BESIDE: usize = 8 << 20;

fn judged_within_its_memory(load: Load, count: usize, bounds: &Bounds) {
    assert!(count.is_multiple_of(2 * CLIENTS), "rounds are whole");
    let measurement = Measurement::begin();
    let file = Generated::new(load, count);
    let operations: Operations = match load {
        Load::Register | Load::Lists(_) | Load::Registers(_) => {
            read_operations(BufReader::new(file)).unwrap().operations
        }
        Load::RegisterEdn => {
            let read = formats::read_operations(file, "history.edn", &formats::Options::default());
            read.expect("nothing about it is unusual").take_operations().unwrap()
        }
    };
    let in_columns = measurement.held();
    match load {
        Load::Register | Load::RegisterEdn => {
            let verdict = linearizability::check(&operations, Model::Register, &Limits::DEFAULT);
            assert!(
                matches!(verdict, Verdict::Valid { operations, .. } if operations == count),
                "{verdict:?}"
            );
        }
        Load::Lists(_) | Load::Registers(_) => {
            let lists = matches!(load, Load::Lists(_));
            let workload = if lists { Workload::ListAppend } else { Workload::RwRegister };
            let verdict = transactions::check(&operations, &Options::new(workload));
            assert_eq!((verdict.answer, verdict.transactions), (Answer::Valid, count));
        }
    }
    let peak = measurement.peak();
    println!("{load:?}: {} bytes an operation, {} at the peak", in_columns / count, peak / count);
    assert!(in_columns <= BESIDE + bounds.in_columns * count, "{in_columns} bytes in columns");
    assert!(peak <= BESIDE + bounds.at_the_peak * count, "{peak} bytes at the peak");
}

#[test]
fn memory_follows_the_number_of_operations() {
    judged_within_its_memory(Load::Register, 300_000, &REGISTER);
}

#[test]
fn edn_takes_the_memory_of_its_operations() {
    judged_within_its_memory(Load::RegisterEdn, 300_000, &REGISTER);
}

#[test]
fn memory_follows_the_number_of_transactions() {
    judged_within_its_memory(Load::Lists(32), 40_000, &LISTS);
}

#[test]
fn memory_follows_the_number_of_transactions_on_registers() {
    judged_within_its_memory(Load::Registers(32), 40_000, &REGISTERS);
}

#[test]
#[ignore = "takes half a minute without optimisation"]
fn ten_million_operations_fit_too() {
    judged_within_its_memory(Load::Register, 10_000_000, &REGISTER);
}

#[test]
#[ignore = "takes half a minute without optimisation"]
fn million_transactions_fit_too() {
    judged_within_its_memory(Load::Lists(32), 1_000_000, &LISTS);
}

#[test]
#[ignore = "takes half a minute without optimisation"]
fn million_transactions_on_registers_fit_too() {
    judged_within_its_memory(Load::Registers(32), 1_000_000, &REGISTERS);
}
