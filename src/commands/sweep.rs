//! `bench sweep`: a spec at each value of one key.

use crate::cli::Sweep as Arguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::{Destination, again, lab};
use crate::spec::{self, Loaded, Spec, Wishes, source};
use crate::sweep::{Axis, Sweep};
use crate::terminal::Screen;
use std::path::Path;

/// Reads the spec at each value, and measures it.
///
/// # Errors
/// When the spec or the axis is wrong (exit code 2), or the bench cannot do its work (4).
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let options = &arguments.options;
    arguments.ci.check()?;
    let document = source::open(&arguments.spec)?;
    let file = Path::new(&document.name);
    let base = spec::load(document.clone(), &options.wishes())?;
    let axis = Axis::choose(arguments.over.as_deref(), &base.spec)?;
    let points = axis
        .values
        .iter()
        .map(|value| {
            let wishes = Wishes { point: Some((&axis.key, value)), ..options.wishes() };
            spec::load(document.clone(), &wishes)
        })
        .collect::<Result<Vec<_>, _>>()?;
    compared(&base.spec)?;
    let recorded = recorded(&points)?;
    for point in &points {
        if lab::is_needed(point)? {
            return lab::enter();
        }
    }
    let rounds = arguments.rounds.or(base.spec.sweep.as_ref().map(|sweep| sweep.rounds)).unwrap_or(1).max(1);
    let seed = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let command = again(&axis, rounds, seed, &options.only, &points);
    let screen = Screen::new(options.json);
    let sweep = Sweep { axis, points, rounds, recorded, seed, command, screen: &screen };
    sweep.run(
        &base.text,
        options,
        Destination { ci: &arguments.ci, spec: Some(file), pictures: arguments.pictures.options() },
    )
}

/// The variants that are compared must be there.
fn compared(spec: &Spec) -> Result<(), Failure> {
    let names: Vec<&str> = spec.variants.iter().map(|variant| variant.name.as_str()).collect();
    let compare = spec.sweep.iter().flat_map(|sweep| &sweep.compare);
    let unknown = compare.flat_map(|(one, with)| [one, with]).find(|name| !names.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| {
        let what = format!("there is no variant \"{name}\"");
        Err(Failure::usage("[sweep] compare", what).help(format!("the variants are {}", names.join(", "))))
    })
}

/// Whether operations are recorded: all or none of them, or figures would be compared that cannot be.
fn recorded(points: &[Loaded]) -> Result<bool, Failure> {
    let experiments = || points.iter().flat_map(|point| &point.experiments);
    let recorded = experiments().all(|one| one.spec.load.record);
    match experiments().find(|one| one.spec.load.record != recorded) {
        None => Ok(recorded),
        Some(one) => {
            let what =
                "some of what would be compared is recorded and some is not; set it for all or for none";
            Err(one.complaint("load.record", what))
        }
    }
}

/// The command that does it again beside the `spec.toml` that is written.
fn again(axis: &Axis, rounds: u32, seed: u64, only: &[String], points: &[Loaded]) -> String {
    let over = again::quoted(&format!("{}={}", axis.key, axis.values.join(",")));
    let only = again::of_variants(only);
    let points: Vec<&Loaded> = points.iter().collect();
    again::command("sweep", &format!(" --over {over} --rounds {rounds} --seed {seed}{only}"), &points)
}
