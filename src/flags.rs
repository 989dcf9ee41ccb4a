//! The faults that `bench nemesis` takes as options: one table, from a flag and its value to a fault.

use crate::failure::Failure;
use crate::spec::explain;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, FromArgMatches};
use nemesis::{FaultSpec, Kind, MemberChange, Shape, Target};
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use std::time::Duration;

/// The name of the group of all these options.
const GROUP: &str = "faults";
const HEADING: &str = "Faults (at least one; all of them at the same time)";

/// One option.
struct Flag {
    /// What follows the two dashes.
    name: &'static str,
    /// What its value is called; empty where it takes none.
    value: &'static str,
    /// A value that means something on every cluster of five, for tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is what tests type"))]
    example: &'static str,
    /// What it does, for `--help`.
    about: &'static str,
    /// The fault that a value asks for, or what is wrong with the value.
    make: fn(&str) -> Result<FaultSpec, String>,
}

const fn flag(
    name: &'static str,
    value: &'static str,
    example: &'static str,
    about: &'static str,
    make: fn(&str) -> Result<FaultSpec, String>,
) -> Flag {
    Flag { name, value, example, about, make }
}

#[rustfmt::skip]
static FLAGS: &[Flag] = &[
    flag("kill-replica", "", "", "End a replica with kill -9, and start it again on the same data", |_| aimed(Kind::Kill, "random-replica")),
    flag("kill-leader", "", "", "End the active leader with kill -9, and start it again", |_| aimed(Kind::Kill, "leader")),
    flag("kill-acceptor", "", "", "End an acceptor with kill -9, and start it again", |_| aimed(Kind::Kill, "random-acceptor")),
    flag("pause-replica", "", "", "Stop a replica (SIGSTOP), and let it go on later", |_| aimed(Kind::Pause, "random-replica")),
    flag("kill", "TARGET", "minority", "kill -9 for these nodes: n2, random, minority, leader, all, any-acceptor, or several: n1,n3", |on| aimed(Kind::Kill, on)),
    flag("stop", "TARGET", "random", "End nodes with SIGTERM, and start them again", |on| aimed(Kind::Stop, on)),
    flag("pause", "TARGET", "n2", "Stop nodes (SIGSTOP), and let them go on later", |on| aimed(Kind::Pause, on)),
    flag("slow", "TARGET", "leader", "Let nodes stand still for half of the time, ten times a second", |on| aimed(Kind::Slow, on)),
    flag("lose-node", "TARGET", "random", "Kill nodes and empty their disks; they start again knowing nothing", |on| aimed(Kind::LoseNode, on)),
    flag("bit-flip", "TARGET", "random", "Kill nodes and flip a bit of their stored data; they start again on that", |on| aimed(Kind::BitFlip, on)),
    flag("truncate", "TARGET", "random", "Kill nodes and cut off the end of a file of theirs; they start again on that", |on| aimed(Kind::Truncate, on)),
    flag("power-loss", "TARGET", "all", "Kill nodes, and everything that was not synced is gone; they start again on the rest", |on| aimed(Kind::PowerLoss, on)),
    flag("torn-write", "TARGET", "minority", "The same in the middle of a write, of which a part is there", |on| aimed(Kind::TornWrite, on)),
    flag("disk-swap", "TARGET", "n1,n2", "Start these nodes again with one another's disks: n1,n2, all; they get their own back at the end", |on| aimed(Kind::DiskSwap, on)),
    flag("full", "TARGET", "random", "Let no write of these nodes find space", |on| aimed(Kind::Full, on)),
    flag("slow-sync", "TIME", "20ms", "Delay every sync of every node by this", |text| {
        Ok(FaultSpec { delay: Some(read(text)?), target: Some(target("all")), ..FaultSpec::new(Kind::SlowSync) })
    }),
    flag("sync-error", "TARGET", "random", "Let every sync of these nodes fail", |on| aimed(Kind::SyncError, on)),
    flag("clock-jump", "BY[:TARGET]", "1h", "Put the clock of a node (or of these nodes) ahead by this, for example 1h; back: --clock-jump=-1h", |text| {
        clock(Kind::Jump, text, |fault, by| { fault.by = Some(read(by)?); Ok(()) })
    }),
    flag("clock-drift", "SPEED[:TARGET]", "1.5:leader", "Let the clock of a node go so many times as fast, for example 1.5 or 0.5", |text| {
        clock(Kind::Drift, text, |fault, speed| { fault.speed = Some(number(speed)?); Ok(()) })
    }),
    flag("clock-strobe", "BY[:TARGET]", "200ms:all", "Put the clock of a node ahead by this and back, ten times a second", |text| {
        clock(Kind::Strobe, text, |fault, by| { fault.by = Some(read(by)?); Ok(()) })
    }),
    flag("clock-freeze", "TARGET", "minority", "Let the clocks of nodes stand still", |on| aimed(Kind::Freeze, on)),
    flag("restart-all", "", "", "kill -9 for all nodes at once, and start them again", |_| Ok(FaultSpec::new(Kind::RestartAll))),
    flag("rolling-restart", "", "", "SIGTERM to one node after another, each started again before the next", |_| Ok(FaultSpec::new(Kind::RollingRestart))),
    flag("reconfigure", "CHANGE[:TARGET]", "replace:leader", "Change the members: add, remove:leader or replace:random (any target); brought back at the end", reconfigure),
    flag("partition", "KIND", "majority-ring", "Cut the network: halves, one, minority, majority, leader, bridge, majority-ring, or groups: n1,n2|n3", partition),
    flag("one-way", "FROM[:TO]", "n1:n3", "Cut the links from some nodes to others (to all if none are named) in that direction only", one_way),
    flag("swizzle", "", "", "Cut the links one by one, and heal them in another order", |_| Ok(FaultSpec::new(Kind::Swizzle))),
    flag("delay", "TIME", "20ms", "Delay every packet between the nodes by this, each way", |text| {
        Ok(FaultSpec { delay: Some(read(text)?), ..FaultSpec::new(Kind::Delay) })
    }),
    flag("rate", "BYTES", "64KiB", "Let every link carry at most so many bytes a second", |text| {
        Ok(FaultSpec { rate: Some(read(text)?), ..FaultSpec::new(Kind::Rate) })
    }),
    flag("reset", "", "", "Close the open connections between the nodes with RST", |_| Ok(FaultSpec::new(Kind::Reset))),
    flag("loss", "SHARE", "1%", "Lose this share of the packets, for example 1%", |text| {
        Ok(FaultSpec { loss: Some(read(text)?), ..FaultSpec::new(Kind::Flaky) })
    }),
    flag("duplicate", "SHARE", "1%", "Deliver this share of the packets twice", |text| {
        Ok(FaultSpec { duplicate: Some(read(text)?), ..FaultSpec::new(Kind::Flaky) })
    }),
    flag("reorder", "SHARE", "1%", "Let others overtake this share of the packets", |text| {
        Ok(FaultSpec { reorder: Some(read(text)?), ..FaultSpec::new(Kind::Flaky) })
    }),
    flag("corrupt", "SHARE", "0.01%", "Flip a bit in this share of the packets, which its checksum gives away", |text| {
        Ok(FaultSpec { corrupt: Some(read(text)?), ..FaultSpec::new(Kind::Flaky) })
    }),
    flag("garble", "SHARE", "0.01%", "Flip a bit in this share of the packets, which the program reads", |text| {
        Ok(FaultSpec { garble: Some(read(text)?), ..FaultSpec::new(Kind::Flaky) })
    }),
];

/// What a value of a spec would be, from the text of an option.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let words: StrDeserializer<'_, Error> = text.into_deserializer();
    T::deserialize(words).map_err(|error| error.to_string())
}

/// `n2` is a word, `n1,n3` are names.
fn target(text: &str) -> Target {
    if text.contains(',') {
        Target::Nodes(text.split(',').map(|name| name.trim().to_owned()).collect())
    } else {
        Target::from(text)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an entry of the table of flags may refuse its value")]
fn aimed(kind: Kind, on: &str) -> Result<FaultSpec, String> {
    Ok(FaultSpec { target: Some(target(on)), ..FaultSpec::new(kind) })
}

/// A fault of one node's clock, or of those that are named behind a colon.
fn clock(
    kind: Kind,
    text: &str,
    set: fn(&mut FaultSpec, &str) -> Result<(), String>,
) -> Result<FaultSpec, String> {
    let (value, on) = text.split_once(':').unwrap_or((text, "random"));
    let mut fault = aimed(kind, on)?;
    set(&mut fault, value)?;
    Ok(fault)
}

/// Members come (`add`), or those behind the colon go or make room.
fn reconfigure(text: &str) -> Result<FaultSpec, String> {
    let (change, on) = text.split_once(':').map_or((text, None), |(change, on)| (change, Some(on)));
    let change = read::<MemberChange>(change)?;
    let on = on.or((change != MemberChange::Add).then_some("random"));
    Ok(FaultSpec { change: Some(change), target: on.map(target), ..FaultSpec::new(Kind::Reconfigure) })
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number; it should be one such as 1.5"))
}

fn partition(text: &str) -> Result<FaultSpec, String> {
    let mut fault = FaultSpec::new(Kind::Partition);
    if text.contains('|') {
        let names = |group: &str| {
            let names = group.split([',', ' ']).filter(|name| !name.is_empty());
            names.map(str::to_owned).collect()
        };
        fault.groups = Some(text.split('|').map(names).collect());
    } else {
        fault.shape = Some(read::<Shape>(text)?);
    }
    Ok(fault)
}

#[expect(clippy::unnecessary_wraps, reason = "an entry of the table of flags may refuse its value")]
fn one_way(text: &str) -> Result<FaultSpec, String> {
    let (from, to) = text.split_once(':').map_or((text, None), |(from, to)| (from, Some(to)));
    Ok(FaultSpec { from: Some(target(from)), to: to.map(target), ..FaultSpec::new(Kind::OneWay) })
}

/// The faults that the options ask for, in the order of the table, with times still to be set.
#[derive(Debug, Clone)]
pub(crate) struct FaultFlags {
    /// Each option that was given, with its value or none.
    given: Vec<(&'static str, String)>,
}

impl FaultFlags {
    /// Reads the values. Everything about packets is one fault, as they strike the same ones. Those that are not over at
    /// once last this long, where that is said.
    ///
    /// # Errors
    /// When a value means nothing, with the option and what it could be.
    pub(crate) fn faults(&self, lasts: Option<Duration>) -> Result<Vec<FaultSpec>, Failure> {
        if self.given.is_empty() {
            let names: Vec<String> = FLAGS.iter().map(|flag| format!("--{}", flag.name)).collect();
            let help = format!("`bench nemesis --help` says what each of these does: {}", names.join(" "));
            return Err(Failure::usage("bench nemesis", "it was given no fault").help(help));
        }
        let mut faults: Vec<FaultSpec> = Vec::new();
        for (name, value) in &self.given {
            let flag = FLAGS.iter().find(|flag| flag.name == *name).expect("it was made from the table");
            let fault = (flag.make)(value).map_err(|reason| complaint(name, value, &reason))?;
            match faults.iter_mut().find(|other| other.kind == Kind::Flaky && fault.kind == Kind::Flaky) {
                Some(other) => {
                    other.loss = other.loss.or(fault.loss);
                    other.duplicate = other.duplicate.or(fault.duplicate);
                    other.reorder = other.reorder.or(fault.reorder);
                    other.corrupt = other.corrupt.or(fault.corrupt);
                    other.garble = other.garble.or(fault.garble);
                }
                None => faults.push(fault),
            }
        }
        for fault in faults.iter_mut().filter(|fault| !fault.kind.is_over_at_once()) {
            fault.lasts = lasts;
        }
        Ok(faults)
    }
}

fn complaint(name: &str, value: &str, reason: &str) -> Failure {
    let explained = explain::explain(reason);
    let mut failure = Failure::usage(format!("--{name} {value}"), explained.reason);
    failure.help = explained.help;
    failure
}

impl Args for FaultFlags {
    fn augment_args(command: Command) -> Command {
        let args = FLAGS.iter().map(|flag| {
            let arg = Arg::new(flag.name).long(flag.name).help(flag.about).help_heading(HEADING);
            match flag.value {
                "" => arg.action(ArgAction::SetTrue),
                value => arg.action(ArgAction::Append).value_name(value),
            }
        });
        let group = ArgGroup::new(GROUP).args(FLAGS.iter().map(|flag| flag.name)).multiple(true);
        command.args(args).group(group)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FaultFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for flag in FLAGS {
            if flag.value.is_empty() {
                given.extend(matches.get_flag(flag.name).then(|| (flag.name, String::new())));
            } else {
                let values = matches.get_many::<String>(flag.name).into_iter().flatten();
                given.extend(values.map(|value| (flag.name, value.clone())));
            }
        }
        Ok(Self { given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{FLAGS, FaultFlags};
    use clap::{Args, FromArgMatches};
    use nemesis::{Clocks, DiskMode, Mode, PlanOptions, Topology};
    use std::time::Duration;

    /// Every option with a value that means something on every cluster of five.
    pub(crate) fn each() -> Vec<FaultFlags> {
        let one = |flag: &super::Flag| FaultFlags { given: vec![(flag.name, flag.example.to_owned())] };
        FLAGS.iter().map(one).collect()
    }

    /// Those that somebody typed.
    pub(crate) fn of(words: &[&str]) -> FaultFlags {
        let command = FaultFlags::augment_args(clap::Command::new("bench"));
        FaultFlags::from_arg_matches(&command.get_matches_from(words)).unwrap()
    }

    /// All of them together.
    pub(crate) fn all() -> FaultFlags {
        FaultFlags { given: each().into_iter().flat_map(|flags| flags.given).collect() }
    }

    #[test]
    fn every_option_alone_and_all_together_are_faults_that_can_be_planned() {
        let topology = Topology::new((1..=6).map(|i| (format!("n{i}"), ["replica", "leader", "acceptor"])));
        let topology = topology.with_spares(1);
        let options = PlanOptions {
            mode: Mode::Lab,
            disk: DiskMode::Memory,
            clocks: Clocks::Shiftable,
            duration: Duration::from_secs(12),
            at_most: None,
            reconfigurable: true,
            seed: 7,
        };
        for flags in each().into_iter().chain([all()]) {
            let mut faults = flags.faults(None).unwrap();
            for fault in &mut faults {
                fault.at = Some(Duration::from_secs(4));
            }
            let planned = nemesis::plan(&faults, &topology, &options);
            let planned = planned.unwrap_or_else(|error| panic!("{flags:?}: {error}"));
            assert_eq!(planned.len(), faults.len(), "{flags:?}");
        }
    }

    #[test]
    fn options_about_packets_are_one_fault_and_the_same_option_twice_is_two() {
        let given = [("kill", "n1"), ("kill", "n2,n3"), ("loss", "1%"), ("reorder", "2%")];
        let flags = FaultFlags { given: given.map(|(name, value)| (name, value.to_owned())).to_vec() };
        let faults = flags.faults(None).unwrap();
        assert_eq!(faults.len(), 3);
        assert!(faults[2].loss.is_some() && faults[2].reorder.is_some());
    }

    #[test]
    fn a_value_that_means_nothing_names_the_option_and_the_nearest_one() {
        let refused = |name, value: &str| {
            let failure = FaultFlags { given: vec![(name, value.to_owned())] }.faults(None).unwrap_err();
            format!("{}: {} {}", failure.place, failure.what, failure.help.unwrap_or_default())
        };
        let said = refused("partition", "halfs");
        assert!(said.contains("--partition halfs") && said.contains("\"halves\"?"), "{said}");
        assert!(refused("delay", "soon").contains("\"250ms\""), "{}", refused("delay", "soon"));
        assert!(refused("loss", "often").contains("1%"), "{}", refused("loss", "often"));
    }
}
