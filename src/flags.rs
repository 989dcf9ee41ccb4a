//! The faults that `bench nemesis` takes as options; each option stands with the kind of fault that it asks for.

use crate::failure::Failure;
use crate::spec::explain;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, FromArgMatches};
use nemesis::{Family, FaultSpec, Flag, Kind};
use std::time::Duration;

/// The name of the group of all these options.
const GROUP: &str = "faults";
const HEADING: &str = "Faults (at least one; all of them at the same time)";

/// Options about these families come first in this order, because `--help` and plans list them so.
const ORDER: [Family; 5] = [Family::Process, Family::Disk, Family::Clock, Family::Cluster, Family::Network];

/// Every option, with the kind of fault that it asks for.
fn flags() -> impl Iterator<Item = (Kind, &'static Flag)> {
    let of = |family: Family| Kind::ALL.iter().filter(move |kind| kind.entry().family == family);
    ORDER.into_iter().flat_map(of).flat_map(|kind| kind.entry().flags.iter().map(move |flag| (*kind, flag)))
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
            let names: Vec<String> = flags().map(|(_, flag)| format!("--{}", flag.name)).collect();
            let help = format!("`bench nemesis --help` says what each of these does: {}", names.join(" "));
            return Err(Failure::usage("bench nemesis", "it was given no fault").help(help));
        }
        let mut faults: Vec<FaultSpec> = Vec::new();
        for (name, value) in &self.given {
            let flag = flags().find(|(_, flag)| flag.name == *name);
            let (kind, flag) = flag.expect("it was made from the list of options");
            let parameters = (flag.make)(value).map_err(|reason| complaint(name, value, &reason))?;
            let fault = FaultSpec { kind, parameters };
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
        let args = flags().map(|(_, flag)| {
            let arg = Arg::new(flag.name).long(flag.name).help(flag.about).help_heading(HEADING);
            match flag.value {
                "" => arg.action(ArgAction::SetTrue),
                value => arg.action(ArgAction::Append).value_name(value),
            }
        });
        let group = ArgGroup::new(GROUP).args(flags().map(|(_, flag)| flag.name)).multiple(true);
        command.args(args).group(group)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FaultFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for (_, flag) in flags() {
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
    use super::{FaultFlags, flags};
    use clap::{Args, FromArgMatches};
    use nemesis::{Clocks, DiskMode, Mode, PlanOptions, Reported, Topology};
    use std::time::Duration;

    /// Every option with a value that means something on every cluster of five.
    pub(crate) fn each() -> Vec<FaultFlags> {
        let one = |flag: &nemesis::Flag| FaultFlags { given: vec![(flag.name, flag.example.to_owned())] };
        flags().map(|(_, flag)| one(flag)).collect()
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
    fn every_option_can_be_planned_alone_and_together() {
        let topology = Topology::new((1..=6).map(|i| (format!("n{i}"), ["replica", "leader", "acceptor"])));
        let topology = topology.with_spares(1);
        let options = PlanOptions {
            mode: Mode::Lab,
            disk: DiskMode::Memory,
            clocks: Clocks::Shiftable,
            duration: Duration::from_secs(12),
            at_most: None,
            by_command: None,
            reconfigurable: true,
            reported: Reported::ALL,
            simulated: false,
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
    fn packet_options_merge_but_repeated_ones_do_not() {
        let given = [("kill", "n1"), ("kill", "n2,n3"), ("loss", "1%"), ("reorder", "2%")];
        let flags = FaultFlags { given: given.map(|(name, value)| (name, value.to_owned())).to_vec() };
        let faults = flags.faults(None).unwrap();
        assert_eq!(faults.len(), 3);
        assert!(faults[2].loss.is_some() && faults[2].reorder.is_some());
    }

    #[test]
    fn unknown_value_names_option_and_nearest_word() {
        let refused = |name, value: &str| {
            let failure = FaultFlags { given: vec![(name, value.to_owned())] }.faults(None).unwrap_err();
            format!("{}: {} {}", failure.location, failure.what, failure.help.unwrap_or_default())
        };
        let said = refused("partition", "halfs");
        assert!(said.contains("--partition halfs") && said.contains("\"halves\"?"), "{said}");
        assert!(refused("delay", "soon").contains("\"250ms\""), "{}", refused("delay", "soon"));
        assert!(refused("loss", "often").contains("1%"), "{}", refused("loss", "often"));
    }
}
