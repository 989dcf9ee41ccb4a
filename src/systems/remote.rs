//! Servers that already run: their addresses, and the commands through which faults reach them.

use super::words;
use crate::spec::life::Commands;
use crate::spec::sections::Cluster;
use nemesis::{ByCommand, RemoteCommands};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

/// The words of a command, for messages.
pub(crate) const WORDS: &str = "{name}, {number}, {address}, {ip}, {port}, {env:NAME}";

/// The address of a server, whose host may be a name.
///
/// # Errors
/// When there is none; the error is a sentence.
pub(crate) fn resolve(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().map(|mut addresses| addresses.next());
    match found {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(format!("the name in \"{text}\" has no address")),
        Err(error) => Err(format!(
            "\"{text}\" is no address ({error}); it is a host and a port, for example \"10.0.0.5:8080\""
        )),
    }
}

/// An unknown word in a command, with its key.
pub(crate) fn unknown_word(commands: &Commands) -> Option<(&'static str, String)> {
    let known = |word: &str| {
        matches!(word, "name" | "number" | "address" | "ip" | "port") || words::variable(word).is_some()
    };
    let unknown = |text: &str| words::unknown_in(text, known).map(str::to_owned);
    commands.each().into_iter().find_map(|(key, text)| Some((key, unknown(text.as_deref()?)?)))
}

/// A variable of the caller that a command needs and that is not set, with the command's key.
pub(crate) fn unset_variable(commands: &Commands) -> Option<(&'static str, String)> {
    let unset = |text: &str| words::unset_variable(text).map(str::to_owned);
    commands.each().into_iter().find_map(|(key, text)| Some((key, unset(text.as_deref()?)?)))
}

/// The commands for a server; `number` counts from 1.
pub(crate) fn commands(
    cluster: &Cluster,
    name: &str,
    number: usize,
    address: SocketAddr,
    folder: &Path,
) -> RemoteCommands {
    let word = |word: &str| match word {
        "name" => name.to_owned(),
        "number" => number.to_string(),
        "address" => address.to_string(),
        "ip" => address.ip().to_string(),
        "port" => address.port().to_string(),
        _ => words::variable_of_caller(word),
    };
    let filled = |text: &Option<String>| text.as_ref().map(|text| words::fill(text, word));
    let commands = &cluster.commands;
    RemoteCommands {
        kill: filled(&commands.kill),
        stop: filled(&commands.stop),
        start: filled(&commands.start),
        pause: filled(&commands.pause),
        resume: filled(&commands.resume),
        log: folder.join("nodes").join(name).join("commands.log"),
    }
}

/// The faults that the commands allow; none if the bench starts the nodes itself.
pub(crate) fn allowed(cluster: &Cluster) -> Option<ByCommand> {
    let any = SocketAddr::from(([0, 0, 0, 0], 0));
    (!cluster.addresses.is_empty()).then(|| commands(cluster, "", 0, any, Path::new("")).by_command())
}
