//! `bench doctor`: which faults this machine and this build can inject, and what the others need.

use super::doctor_hosts as hosts;
use super::remedy::Machine;
use crate::cli::Doctor;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::{BAD, FAINT, GOOD, STRONG, Screen};
use nemesis::{Clocks, Disk, Entry, Mode, Network};
use std::net::TcpListener;

/// Prints the table of this machine, or of the hosts.
///
/// # Errors
/// When not even a loopback port can be had, so that nothing at all could run.
pub(crate) fn run(arguments: &Doctor) -> Result<Exit, Failure> {
    let screen = Screen::new(false);
    if arguments.hosts.is_empty() { here(&screen) } else { hosts::run(arguments, &screen) }
}

/// Prints the table of this machine.
fn here(screen: &Screen) -> Result<Exit, Failure> {
    screen.line(&format!("{STRONG}machine{STRONG:#}  {}", crate::run::machine::describe()));
    TcpListener::bind("127.0.0.1:0").map_err(|error| {
        Failure::bench("127.0.0.1", format!("no port can be opened on loopback: {error}"))
            .help("the nodes and the proxies between them need loopback; allow it in this container")
    })?;
    screen.line(&format!("{STRONG}network{STRONG:#}"));
    for network in [Network::Lab, Network::Proxy, Network::Host] {
        let name = match network {
            Network::Auto => "auto",
            Network::Proxy => "proxy",
            Network::Host => "host",
            Network::Messages => "messages",
            Network::Lab => "lab",
        };
        match network.choose() {
            Ok(_) => screen.line(&format!("  {GOOD}yes{GOOD:#}  {name}")),
            Err(error) => screen.line(&format!("  {BAD}no{BAD:#}   {name}  {FAINT}{error}{FAINT:#}")),
        }
    }
    screen.line(&format!("{STRONG}lab{STRONG:#}  {FAINT}tried just now in a process of its own{FAINT:#}"));
    let probes = nemesis::probe_lab();
    for probe in &probes {
        match &probe.outcome {
            Ok(()) => screen.line(&format!("  {GOOD}yes{GOOD:#}  {:10}  {}", probe.name, probe.about)),
            Err(reason) => screen.line(&format!(
                "  {BAD}no{BAD:#}   {:10}  {}  {FAINT}{reason}{FAINT:#}",
                probe.name, probe.about
            )),
        }
    }
    guards(screen);
    clocks(screen);
    screen.line(&format!("{STRONG}faults{STRONG:#}"));
    let no_disk = Disk::Memory.choose(Mode::Lab).err().map(|error| error.to_string());
    let lacks_disk = |entry: &Entry| entry.memory_disk && no_disk.is_some();
    let (can, cannot): (Vec<&Entry>, Vec<&Entry>) =
        nemesis::vocabulary().partition(|entry| !lacks_disk(entry));
    let width = nemesis::vocabulary().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in can {
        let mut modes: Vec<String> = entry.modes.iter().map(ToString::to_string).collect();
        if entry.memory_disk {
            modes.push("disk memory".to_owned());
        }
        screen.line(&format!(
            "  {GOOD}yes{GOOD:#}  {:width$}  {} {FAINT}(network {}; evidence: {}){FAINT:#}",
            entry.name,
            entry.about,
            modes.join(if entry.memory_disk { ", " } else { " or " }),
            entry.evidence
        ));
    }
    for entry in cannot {
        screen.line(&format!(
            "  {BAD}no{BAD:#}   {:width$}  {} {FAINT}(it needs the disk that is missing above){FAINT:#}",
            entry.name, entry.about
        ));
    }
    let reasons: Vec<&str> =
        probes.iter().filter_map(|probe| probe.outcome.as_ref().err().map(String::as_str)).collect();
    let machine = Machine::here();
    if let Some(line) = machine.remedy(&reasons) {
        screen
            .line(&format!("{STRONG}to get the rest{STRONG:#}  {FAINT}on {}{FAINT:#}", machine.distribution));
        screen.line(&format!("  {line}"));
    }
    Ok(Exit::Valid)
}

/// Whether nodes end with the bench, however that ends.
fn guards(screen: &Screen) {
    screen.line(&format!("{STRONG}processes{STRONG:#}  {FAINT}tried just now on a node of its own{FAINT:#}"));
    let about = "no process of a node outlives a bench that is killed, daemons neither";
    match nemesis::nodes_are_guarded() {
        Ok(()) => screen.line(&format!("  {GOOD}yes{GOOD:#}  guard       {about}")),
        Err(reason) => {
            screen.line(&format!("  {BAD}no{BAD:#}   guard       {about}  {FAINT}{reason}{FAINT:#}"));
        }
    }
}

/// Whether the clocks of other programs can be shifted.
fn clocks(screen: &Screen) {
    screen.line(&format!("{STRONG}clocks{STRONG:#}  {FAINT}tried just now on a process of its own{FAINT:#}"));
    let about = "of programs that know nothing of the bench";
    match Clocks::choose(false) {
        Clocks::Shiftable => screen.line(&format!("  {GOOD}yes{GOOD:#}  foreign     {about}")),
        Clocks::True(reason) => {
            screen.line(&format!("  {BAD}no{BAD:#}   foreign     {about}  {FAINT}{reason}{FAINT:#}"));
        }
    }
}
