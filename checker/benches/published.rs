//! Decides every history of a folder under several models, and prints what was decided and how long it took.
//!
//! `cargo bench -p checker --bench published -- FOLDER [MODEL …]`: files of any format, folders of Cobra's logs and of
//! dbcop, with the verdict and the median of three runs under each model, each with a deadline of a minute. Without a
//! model: serializable and snapshot isolation. `FILTER` in the environment keeps the names that contain it.

use checker::Answer;
use checker::limits::Limits;
use checker::transactions::{Consistency, Options, check};
use history::Operations;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const RUNS: usize = 3;
const DEADLINE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let folder = arguments.next().ok_or("name a folder with histories")?;
    let mut models = arguments.map(|name| name.parse()).collect::<Result<Vec<Consistency>, _>>()?;
    if models.is_empty() {
        models = vec![Consistency::Serializable, Consistency::SnapshotIsolation];
    }
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, Box<dyn Error>>>()?;
    let filter = std::env::var("FILTER").unwrap_or_default();
    files.retain(|file| file.to_string_lossy().contains(&filter));
    files.sort();
    println!("| history | transactions | model | verdict | median | why |");
    println!("|---|---|---|---|---|---|");
    for file in files {
        let operations = read(&file)?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        for model in &models {
            let row = decide(&operations, *model);
            println!("| {name} | {} | {model} | {row} |", operations.len());
        }
    }
    Ok(())
}

/// The operations of a file, of a folder with one of dbcop, or of a folder of logs.
fn read(path: &Path) -> Result<Operations, Box<dyn Error>> {
    let of_dbcop = path.join("history.bincode");
    let mut files = if of_dbcop.is_file() { vec![of_dbcop] } else { vec![path.to_owned()] };
    if path.is_dir() && files == [path] {
        files = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<_, Box<dyn Error>>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "log"));
        files.sort();
    }
    let mut bytes = Vec::new();
    for file in &files {
        bytes.extend(fs::read(file)?);
        if files.len() > 1 {
            bytes.push(b'\n');
        }
    }
    let name = files.first().ok_or("a folder without logs")?.to_string_lossy().into_owned();
    Ok(formats::read(&bytes, &name, &formats::Options::default())?.take_operations()?)
}

fn decide(operations: &Operations, model: Consistency) -> String {
    let mut times = Vec::new();
    let mut verdict = None;
    while times.len() < RUNS && times.iter().sum::<Duration>() < DEADLINE {
        let start = Instant::now();
        let stop = || start.elapsed() > DEADLINE;
        let workload = checker::transactions::Workload::RwRegister;
        let limits = Limits { stop: &stop, ..Limits::DEFAULT };
        let options = Options { model, limits, ..Options::new(workload) };
        verdict = Some(check(operations, &options));
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let median = times[times.len() / 2].as_secs_f64() * 1e3;
    let verdict = verdict.expect("it ran");
    let answer = match verdict.answer {
        Answer::Valid => "valid",
        Answer::Invalid => "invalid",
        Answer::Unknown => "unknown",
    };
    let why: Vec<String> = verdict
        .anomalies
        .iter()
        .filter(|_| verdict.answer == Answer::Invalid)
        .take(1)
        .map(|anomaly| format!("{} of {}", anomaly.name, anomaly.operations.len()))
        .chain(verdict.unsure.iter().map(|unsure| unsure.chars().take(40).collect()))
        .collect();
    format!("{answer} | {median:.1} ms | {}", why.join("; "))
}
