//! A sweep: every variant at every value of an axis, in rounds; each measurement is written at once.

mod axis;
mod conditions;
mod measure;
mod usage;

pub(crate) use axis::Axis;

use crate::ci::Results;
use crate::cli::RunOptions;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::folder::{Latest, RunFolder, write_json};
use crate::run::{Destination, interrupt, judge, machine, point};
use crate::spec::{Experiment, Loaded};
use crate::terminal::{DOUBT, FAINT, STRONG, Screen, sweep as output};
use jiff::Timestamp;
use report::sweep::{self, MEASUREMENTS, Measurement, SWEEP, SweepPlan, SweepReport};
use serde_json::json;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// The folder of the current measurement's cluster, inside the folder of the sweep.
const RUNNING: &str = "running";

/// The parameters of a sweep.
pub(crate) struct Sweep<'a> {
    /// The axis.
    pub(crate) axis: Axis,
    /// The spec at each of its values, in the same order.
    pub(crate) points: Vec<Loaded>,
    /// Number of rounds.
    pub(crate) rounds: u32,
    /// Whether operations are recorded and judged.
    pub(crate) recorded: bool,
    /// The seed of all random choices.
    pub(crate) seed: u64,
    /// The command that repeats it in its folder.
    pub(crate) command: String,
    /// The output for people.
    pub(crate) screen: &'a Screen,
}

impl Sweep<'_> {
    /// Measures everything, and reports the measurements so far after an interruption or a failure.
    ///
    /// # Errors
    /// When the bench failed (exit code 4).
    pub(crate) fn run(
        &self,
        text: &str,
        options: &RunOptions,
        destination: Destination<'_>,
    ) -> Result<Exit, Failure> {
        destination.ci.check()?;
        let started = Timestamp::now();
        let plan = self.plan(started);
        let folder =
            RunFolder::create(options.out.as_deref(), &plan.spec, started, self.seed, Latest::Moved)?;
        let path = folder.path.join("spec.toml");
        fs::write(&path, text).map_err(|error| Failure::io(&path, &error))?;
        write_json(&folder.path.join(SWEEP), &plan)?;
        let shown = folder.shown();
        let screen = self.screen;
        screen.line(&format!("{STRONG}{}{STRONG:#}  seed {}  {}", plan.spec, self.seed, shown.display()));
        if !plan.about.is_empty() {
            screen.line(&format!("{FAINT}{}{FAINT:#}", plan.about));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::bench("runtime", format!("cannot be started: {error}")))?;
        let (measured, interrupted) = runtime.block_on(async {
            let interrupt = interrupt::listen(screen)?;
            let measured = self.measurements(&folder.path, &interrupt).await;
            Ok::<_, Failure>((measured, interrupt.is_cancelled()))
        })?;
        screen.clear();
        let report = sweep::report(&folder.path, &destination.pictures)
            .map_err(|error| Failure::bench(shown.display().to_string(), error.to_string()))?;
        let mut exit = conclude(screen, &report, &shown, measured.as_ref().err());
        if interrupted {
            screen.line(&format!(
                "{DOUBT}Interrupted.{DOUBT:#} The measurements so far are in {}",
                shown.display()
            ));
            exit = exit.worse(Exit::Interrupted);
        }
        destination.write(&report, &folder.path, measured.as_ref().err(), exit)?;
        if options.json {
            print_json(&report, &folder.path, exit)?;
        }
        Ok(exit)
    }

    fn plan(&self, started: Timestamp) -> SweepPlan {
        let first = &self.points[0];
        let variants: Vec<String> = first.experiments.iter().map(|one| one.variant.clone()).collect();
        let mut compare = first.spec.sweep.clone().unwrap_or_default().compare;
        compare.retain(|one, with| variants.contains(one) && variants.contains(with));
        SweepPlan {
            bench: env!("CARGO_PKG_VERSION").to_owned(),
            spec: first.spec.name.clone(),
            about: first.spec.about.clone(),
            seed: self.seed,
            started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            machine: machine::describe(),
            conditions: conditions::of(&self.points),
            over: self.axis.key.clone(),
            values: self.axis.values.clone(),
            variants,
            rounds: self.rounds,
            compare,
            recorded: self.recorded,
            command: self.command.clone(),
        }
    }

    /// Makes all measurements in sequence, until the last or an interruption.
    async fn measurements(&self, folder: &Path, interrupt: &CancellationToken) -> Result<(), Failure> {
        let path = folder.join(MEASUREMENTS);
        let file = File::create(&path).map_err(|error| Failure::io(&path, &error))?;
        let mut rows = Rows { csv: csv::Writer::from_writer(file), path, made: 0 };
        for round in 1..=self.rounds {
            for (value, loaded) in self.axis.values.iter().zip(&self.points) {
                let at = Measurement { round, value: value.clone(), ..Measurement::default() };
                let going_on = if self.recorded {
                    self.judged(loaded, folder, at, &mut rows, interrupt).await?
                } else {
                    self.counted(&loaded.experiments, folder, &at, &mut rows, interrupt).await?
                };
                if !going_on {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Runs all variants at one value as an ordinary run.
    ///
    /// False if interrupted; its results then do not count.
    async fn judged(
        &self,
        loaded: &Loaded,
        folder: &Path,
        at: Measurement,
        rows: &mut Rows,
        interrupt: &CancellationToken,
    ) -> Result<bool, Failure> {
        let index = self.axis.values.iter().position(|value| *value == at.value).unwrap_or(0);
        let run = format!("runs/{}-{}", index + 1, at.round);
        // Each round has its own seed, because equal seeds would repeat the first round.
        let seed = self.seed.wrapping_add(u64::from(at.round) - 1);
        let verdict = point(loaded, seed, folder.join(&run), self.screen, interrupt).await?;
        if interrupt.is_cancelled() {
            return Ok(false);
        }
        for variant in &verdict.variants {
            let row = Measurement {
                round: at.round,
                value: at.value.clone(),
                variant: variant.variant.clone(),
                run: Some(run.clone()),
                ..Measurement::of_run(&variant.summary, variant.answer)
            };
            self.add(rows, &row, &[])?;
        }
        Ok(true)
    }

    /// Counts and times all variants at one value. False if interrupted.
    async fn counted(
        &self,
        experiments: &[Experiment],
        folder: &Path,
        at: &Measurement,
        rows: &mut Rows,
        interrupt: &CancellationToken,
    ) -> Result<bool, Failure> {
        for experiment in experiments {
            self.screen.live(format!("{} = {} · {}", self.axis.key, at.value, experiment.variant));
            let running = folder.join(RUNNING);
            let measured = measure::measure(experiment, &running, self.seed, interrupt).await?;
            // The nodes' data grow with the measured rate and are not needed any more.
            fs::remove_dir_all(&running).map_err(|error| Failure::io(&running, &error))?;
            let Some((measurement, failures)) = measured else { return Ok(false) };
            let row = Measurement {
                round: at.round,
                value: at.value.clone(),
                variant: experiment.variant.clone(),
                ..measurement
            };
            self.add(rows, &row, &failures)?;
        }
        Ok(true)
    }

    /// Writes and prints a row.
    fn add(&self, rows: &mut Rows, row: &Measurement, failures: &[String]) -> Result<(), Failure> {
        rows.write(row)?;
        let all = self.rounds as usize * self.points.len() * self.points[0].experiments.len();
        output::measured(self.screen, (rows.made, all), &self.axis.key, row, failures);
        Ok(())
    }
}

/// The file `measurements.csv`, written row by row.
struct Rows {
    csv: csv::Writer<File>,
    path: PathBuf,
    made: usize,
}

impl Rows {
    fn write(&mut self, row: &Measurement) -> Result<(), Failure> {
        let written = self.csv.serialize(row).map_err(std::io::Error::other);
        written.and_then(|()| self.csv.flush()).map_err(|error| Failure::io(&self.path, &error))?;
        self.made += 1;
        Ok(())
    }
}

/// Prints the result of a sweep, and returns the exit code.
fn conclude(screen: &Screen, report: &SweepReport, folder: &Path, failure: Option<&Failure>) -> Exit {
    output::print(screen, report, folder);
    let exit = judge::exit_of(report.answer);
    failure.map_or(exit, |failure| {
        failure.print();
        exit.worse(failure.exit)
    })
}

/// Writes the reports of the sweep in a folder again from its files.
///
/// # Errors
/// When they cannot be read or written.
pub(crate) fn report(
    folder: &Path,
    screen: &Screen,
    json: bool,
    destination: Destination<'_>,
) -> Result<Exit, Failure> {
    let report = sweep::report(folder, &destination.pictures)
        .map_err(|error| Failure::bench(folder.display().to_string(), error.to_string()))?;
    let exit = conclude(screen, &report, folder, None);
    destination.write(&report, folder, None, exit)?;
    if json {
        print_json(&report, folder, exit)?;
    }
    Ok(exit)
}

impl Destination<'_> {
    /// Writes the requested outputs of a sweep.
    fn write(
        &self,
        report: &SweepReport,
        folder: &Path,
        failure: Option<&Failure>,
        exit: Exit,
    ) -> Result<(), Failure> {
        let own = folder.join("spec.toml");
        let spec = self.spec.unwrap_or(&own);
        self.ci.write(|| Results::of_sweep(report, spec, folder, failure, exit.code()))
    }
}

/// Whether a folder is the folder of a sweep.
pub(crate) fn is_sweep(folder: &Path) -> bool {
    folder.join(SWEEP).is_file()
}

fn print_json(report: &SweepReport, folder: &Path, exit: Exit) -> Result<(), Failure> {
    let mut summary = serde_json::to_value(report).expect("our own types can be written as JSON");
    summary["exit"] = json!(exit.code());
    summary["folder"] = json!(folder.to_string_lossy());
    judge::print_value(&summary)
}
