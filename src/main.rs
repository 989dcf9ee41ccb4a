//! The `bench` command.

mod audit;
mod ci;
mod cli;
mod commands;
mod exit;
mod failure;
mod flags;
mod hunt;
mod maelstrom;
mod recorder;
mod replay;
mod run;
mod serve;
mod sim;
mod spec;
mod sweep;
mod systems;
mod terminal;

use clap::Parser;
use cli::{Cli, Command, MaelstromCommand};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(part_of_a_lab) = nemesis::lab_entry() {
        return part_of_a_lab;
    }
    let result = match Cli::parse().command {
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Sweep(arguments) => commands::sweep::run(&arguments),
        Command::Nemesis(arguments) => commands::nemesis::run(&arguments),
        Command::Up(arguments) => commands::up::run(&arguments),
        Command::Status(arguments) => commands::attach::status(&arguments),
        Command::Down(arguments) => commands::attach::down(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Convert(arguments) => commands::convert::run(&arguments),
        Command::Export(arguments) => commands::export::run(&arguments),
        Command::Report(arguments) => commands::report::run(&arguments),
        Command::Known(arguments) => commands::known::run(&arguments),
        Command::Serve(arguments) => commands::serve::run(&arguments),
        Command::Compare(arguments) => commands::compare::run(&arguments),
        Command::Hunt(arguments) => commands::hunt::run(&arguments),
        Command::Replay(arguments) => commands::replay::run(&arguments),
        Command::Shrink(arguments) => commands::hunt::shrink(&arguments),
        Command::Sim(arguments) => commands::sim::run(&arguments),
        Command::Audit(arguments) => commands::audit::run(&arguments),
        Command::Cause(arguments) => commands::sim::cause(&arguments),
        Command::List(arguments) => Ok(commands::list::run(&arguments)),
        Command::Doctor(arguments) => commands::doctor::run(&arguments),
        Command::Completions { shell } => commands::completions::run(shell),
        Command::Man { folder } => commands::man::run(folder.as_deref()),
        Command::Maelstrom { command } => match command {
            MaelstromCommand::Test(arguments) => commands::maelstrom::run(&arguments),
            MaelstromCommand::Bridge(arguments) => return ended(maelstrom::bridge::run(&arguments)),
        },
        Command::Node(arguments) => commands::node::run(&arguments),
    };
    ended(result)
}

/// The exit code of a command, after its failure is printed.
fn ended(result: Result<impl Into<ExitCode>, failure::Failure>) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print();
            failure.exit.into()
        }
    }
}
