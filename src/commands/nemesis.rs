//! `bench nemesis`: chosen faults in the middle of a standard load, told as a story in five phases.

use crate::cli::{FaultFlags, Nemesis};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::{self, Telling};
use crate::spec::{self, Document, explain, source};
use crate::terminal::Screen;
use nemesis::{FaultSpec, Kind, Shape, Target};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use std::time::Duration;
use toml::{Table, Value};

/// When the faults start and how long they last, where the spec does not say.
const AT: Duration = Duration::from_secs(4);
const LASTS: Duration = Duration::from_secs(4);

/// Runs the spec of the recovery study with the faults that were asked for.
///
/// # Errors
/// When the faults or overrides are wrong (exit code 2), or the bench cannot do its work (4).
pub(crate) fn run(arguments: &Nemesis) -> Result<Exit, Failure> {
    let faults = faults(&arguments.faults)?;
    let loaded = spec::load(document(&faults), &arguments.options.sets)?;
    let screen = Screen::new(arguments.options.json);
    run::run(&loaded, &arguments.options, &screen, Telling::Story)
}

/// The faults that the flags ask for, with times still to be set.
fn faults(flags: &FaultFlags) -> Result<Vec<FaultSpec>, Failure> {
    let aimed =
        |kind: Kind, target: &str| FaultSpec { target: Some(Target::from(target)), ..FaultSpec::new(kind) };
    let mut faults = Vec::new();
    if flags.kill_replica {
        faults.push(aimed(Kind::Kill, "random-replica"));
    }
    if flags.kill_leader {
        faults.push(aimed(Kind::Kill, "leader"));
    }
    if flags.kill_acceptor {
        faults.push(aimed(Kind::Kill, "random-acceptor"));
    }
    if flags.pause_replica {
        faults.push(aimed(Kind::Pause, "random-replica"));
    }
    if let Some(word) = &flags.partition {
        let words: StrDeserializer<'_, Error> = word.as_str().into_deserializer();
        let shape = Shape::deserialize(words).map_err(|error| {
            let explained = explain::explain(&error.to_string());
            let mut failure = Failure::usage(format!("--partition {word}"), explained.reason);
            failure.help = explained.help;
            failure
        })?;
        faults.push(FaultSpec { shape: Some(shape), ..FaultSpec::new(Kind::Partition) });
    }
    Ok(faults)
}

/// The spec of the recovery study with these faults in place of its own, and enough nodes for them.
fn document(faults: &[FaultSpec]) -> Document {
    let text = source::built_in(source::RECOVERY).expect("the recovery study is built in").text;
    let mut table: Table = text.parse().expect("a test reads every built-in spec");
    let own = table.get("fault").and_then(|faults| faults.get(0)?.clone().try_into::<FaultSpec>().ok());
    let (at, lasts) = own.map_or((None, None), |own| (own.at, own.lasts));
    let faults: Vec<Value> = faults
        .iter()
        .map(|fault| FaultSpec { at: at.or(Some(AT)), lasts: lasts.or(Some(LASTS)), ..fault.clone() })
        .map(|fault| Value::try_from(fault).expect("a fault can be written as TOML"))
        .collect();
    // With two nodes for each fault and one more, a majority survives them all.
    let nodes = i64::try_from(2 * faults.len() + 1).unwrap_or(i64::MAX);
    if let Some(cluster) = table.get_mut("cluster").and_then(Value::as_table_mut)
        && let Some(there) = cluster.get("nodes").and_then(Value::as_integer)
    {
        cluster.insert("nodes".to_owned(), Value::Integer(there.max(nodes)));
    }
    table.insert("fault".to_owned(), Value::Array(faults));
    let text = toml::to_string_pretty(&table).expect("what was read as TOML can be written as TOML");
    Document { name: "bench nemesis".to_owned(), text: format!("# What bench nemesis ran.\n{text}") }
}

#[cfg(test)]
mod tests {
    use super::{document, faults};
    use crate::cli::FaultFlags;
    use crate::spec;

    const NONE: FaultFlags = FaultFlags {
        kill_replica: false,
        kill_leader: false,
        kill_acceptor: false,
        pause_replica: false,
        partition: None,
    };

    #[test]
    fn every_combination_of_flags_makes_a_spec_that_is_fit_to_run() {
        for bits in 1_u8..32 {
            let flags = FaultFlags {
                kill_replica: bits & 1 != 0,
                kill_leader: bits & 2 != 0,
                kill_acceptor: bits & 4 != 0,
                pause_replica: bits & 8 != 0,
                partition: (bits & 16 != 0).then(|| "one".to_owned()),
            };
            let faults = faults(&flags).unwrap();
            let loaded =
                spec::load(document(&faults), &[]).unwrap_or_else(|failure| panic!("{}", failure.render()));
            assert_eq!(loaded.spec.faults.len(), bits.count_ones() as usize);
            assert!(loaded.spec.cluster.node_count() > 2 * bits.count_ones());
        }
    }

    #[test]
    fn an_unknown_shape_gets_the_nearest_one() {
        let flags = FaultFlags { partition: Some("halfs".to_owned()), ..NONE };
        let failure = faults(&flags).unwrap_err();
        assert!(failure.help.unwrap().contains("\"halves\"?"));
    }
}
