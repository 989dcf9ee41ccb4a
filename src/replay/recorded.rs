//! A recorded run, read from its folder: its spec, seed, violation and schedule.

use crate::failure::Failure;
use crate::hunt::{Class, Findings, Subject};
use crate::run::again::quoted;
use crate::run::taped::{SCHEDULE, program};
use crate::sim::NETWORK;
use crate::spec::{Document, Loaded, ONLY_VARIANT, Wishes};
use nemesis::Schedule;
use report::{Plan, VariantPlan};
use serde_json::Value;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// The violated variant of a run.
#[derive(Debug)]
pub(crate) struct Source {
    /// The folder of the run.
    pub folder: PathBuf,
    /// Its plan.
    pub plan: Plan,
    /// The variant.
    pub variant: VariantPlan,
    /// How it was violated.
    pub class: Class,
}

/// A run that can be replayed.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Its spec, with one variant.
    pub document: Document,
    /// The same, read.
    pub loaded: Loaded,
    /// The seed of the variant.
    pub seed: u64,
    /// How it was violated.
    pub class: Class,
    /// Its schedule.
    pub schedule: Schedule,
    /// What has changed since it was recorded.
    pub doubts: Vec<String>,
}

fn wrong(path: &Path, what: impl Into<String>) -> Failure {
    Failure::usage(path.display().to_string(), what)
}

const HELP: &str =
    "name the folder that a run wrote, for example results/latest, or that of a finding of a hunt";

/// The folder of the run itself: `folder`, or the run of a finding.
fn run_of(folder: &Path) -> PathBuf {
    if folder.join("plan.json").is_file() {
        return folder.to_owned();
    }
    let smaller = folder.join("run");
    if smaller.join("plan.json").is_file() {
        return smaller;
    }
    // A finding that was not made smaller: the first run that showed it.
    let number = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u64>().ok());
    let hunt = folder.parent().and_then(Path::parent);
    let first = hunt.zip(number).and_then(|(hunt, number)| {
        let findings = Findings::open(hunt).ok()?;
        let run = *findings.all().iter().find(|one| one.number == number)?.runs.first()?;
        Some(hunt.join("runs").join(run.to_string()))
    });
    first.unwrap_or_else(|| folder.to_owned())
}

impl Source {
    /// Finds the violated variant of a run or of a finding of a hunt.
    ///
    /// # Errors
    /// When there is no run, or it broke no promise (exit code 2).
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let run = run_of(folder);
        let plan = Plan::read(&run).map_err(|error| wrong(&run, error.to_string()).help(HELP))?;
        let path = run.join("verdict.json");
        let text =
            fs::read(&path).map_err(|error| wrong(&path, format!("cannot be read: {error}")).help(HELP))?;
        let verdict: Value =
            serde_json::from_slice(&text).map_err(|error| wrong(&path, error.to_string()))?;
        let mut variants = verdict["variants"].as_array().into_iter().flatten();
        let violated = variants.find(|variant| variant["answer"] == "invalid").ok_or_else(|| {
            wrong(&run, "no promise was broken in this run").help("name a run whose verdict is invalid")
        })?;
        let class =
            Class::of_json(violated).ok_or_else(|| wrong(&path, "its verdict names no violated check"))?;
        let name = violated["variant"].as_str().unwrap_or_default();
        let variant = plan.variants.iter().find(|variant| variant.name == name).cloned();
        let variant = variant.ok_or_else(|| wrong(&path, format!("plan.json has no variant `{name}`")))?;
        Ok(Self { folder: run, plan, variant, class })
    }

    /// Whether it was simulated.
    pub(crate) fn is_simulated(&self) -> bool {
        self.variant.network == NETWORK
    }

    /// The folder of the variant.
    pub(crate) fn variant_folder(&self) -> PathBuf {
        self.folder.join(&self.variant.name)
    }

    /// Its spec, with one variant.
    ///
    /// # Errors
    /// When it cannot be run (exit code 2).
    pub(crate) fn subject(&self) -> Result<Subject, Failure> {
        let path = self.folder.join("spec.toml");
        let text = fs::read_to_string(&path)
            .map_err(|error| wrong(&path, format!("cannot be read: {error}")).help(HELP))?;
        let name = self.variant.of.clone().unwrap_or_else(|| self.variant.name.clone());
        let only = if name == ONLY_VARIANT { Vec::new() } else { vec![name] };
        let simulated = self.is_simulated();
        let wishes = Wishes { only: &only, simulated, ..Wishes::default() };
        let document = Document { name: path.display().to_string(), text };
        Ok(Subject::read(document, &wishes)?.simulated(simulated))
    }
}

impl Recorded {
    /// Reads everything that a replay needs.
    ///
    /// # Errors
    /// When the run has no schedule, or a file is damaged (exit code 2).
    pub(crate) fn open(source: &Source) -> Result<Self, Failure> {
        let folder = source.variant_folder();
        let path = folder.join(SCHEDULE);
        let text = fs::read_to_string(&path).map_err(|error| {
            let again = if source.plan.again.is_empty() { "bench run spec.toml" } else { &source.plan.again };
            let folder = quoted(&source.folder.display().to_string());
            wrong(&path, format!("the schedule of this run cannot be read: {error}"))
                .help(format!("run it again with this bench, until it is violated: (cd {folder} && {again})"))
        })?;
        let schedule = Schedule::parse(&text)
            .map_err(|error| Failure::usage(format!("{}:{}", path.display(), error.line()), error.what()))?;
        let path = folder.join("history.jsonl");
        let file = fs::File::open(&path)
            .map_err(|error| wrong(&path, format!("the history cannot be read: {error}")).help(HELP))?;
        let history =
            history::read_jsonl(BufReader::new(file)).map_err(|error| wrong(&path, error.to_string()))?;
        let subject = source.subject()?;
        let loaded = subject.check(subject.faults())?;
        let mut doubts = doubts(&schedule, &loaded);
        if schedule.unrecorded() > 0 {
            doubts.push(format!(
                "its last {} messages were not recorded, because there were too many",
                schedule.unrecorded()
            ));
        }
        Ok(Self {
            document: subject.with(subject.faults()),
            loaded,
            seed: history.header.seed,
            class: source.class.clone(),
            schedule,
            doubts,
        })
    }
}

/// What is not as it was when a schedule was recorded.
fn doubts(schedule: &Schedule, loaded: &Loaded) -> Vec<String> {
    let mut doubts = Vec::new();
    let bench = env!("CARGO_PKG_VERSION");
    if schedule.header.bench != bench {
        doubts.push(format!("it was recorded by bench {}; this is {bench}", schedule.header.bench));
    }
    let programs = loaded.experiments.iter().map(|one| program(&one.spec.cluster));
    doubts.extend(programs.filter(|program| *program != schedule.header.program).map(|program| {
        format!("it was recorded with another program: {} then, {program} now", schedule.header.program)
    }));
    doubts
}
