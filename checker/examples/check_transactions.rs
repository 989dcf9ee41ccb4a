//! Checks the transactions of a file: `cargo run --release -p checker --example check_transactions -- FILE MODEL`.
//!
//! Reads our own `history.jsonl` and every other format, and says what holds. Its memory is that of the library alone.

use checker::transactions::{Consistency, Options, Workload, check};
use history::{Operations, read_operations};
use std::error::Error;
use std::fs::{File, read};
use std::io::BufReader;

/// Bytes of a file that are read at once.
const BLOCK: usize = 1 << 20;

/// The name of the model, and the operations.
fn read_history(file: &str) -> Result<(String, Operations), Box<dyn Error>> {
    if let Ok(recorded) = read_operations(BufReader::with_capacity(BLOCK, File::open(file)?)) {
        return Ok((recorded.header.model, recorded.operations));
    }
    let mut history = formats::read(&read(file)?, file, &formats::Options::default())?;
    Ok((history.model()?.to_owned(), history.take_operations()?))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(model)) = (arguments.next(), arguments.next()) else {
        return Err("what to check, and which consistency model it must have".into());
    };
    let model: Consistency = model.parse()?;
    let (workload, operations) = read_history(&file)?;
    let workload = match workload.as_str() {
        "list-append" => Workload::ListAppend,
        "rw-register" => Workload::RwRegister,
        other => return Err(format!("{other} has no transactions on lists or registers").into()),
    };
    let verdict = check(&operations, &Options { model, weaker: true, ..Options::new(workload) });
    println!("{:?}: {}", verdict.answer, verdict.reason());
    for line in verdict.evidence() {
        println!("{line}");
    }
    Ok(())
}
