//! The signal that asks a program to end.

use rustix::process::Signal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The signal by which a system is asked to end. A fault `stop` sends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StopSignal {
    /// What service managers send.
    #[default]
    #[serde(rename = "TERM", alias = "SIGTERM")]
    Term,
    /// What Ctrl-C sends.
    #[serde(rename = "INT", alias = "SIGINT")]
    Int,
    /// Often an end without waiting for clients.
    #[serde(rename = "QUIT", alias = "SIGQUIT")]
    Quit,
    /// What a terminal that goes away sends.
    #[serde(rename = "HUP", alias = "SIGHUP")]
    Hup,
    /// Whatever the program makes of it.
    #[serde(rename = "USR1", alias = "SIGUSR1")]
    Usr1,
    /// Whatever the program makes of it.
    #[serde(rename = "USR2", alias = "SIGUSR2")]
    Usr2,
}

impl StopSignal {
    pub(super) fn signal(self) -> Signal {
        match self {
            Self::Term => Signal::TERM,
            Self::Int => Signal::INT,
            Self::Quit => Signal::QUIT,
            Self::Hup => Signal::HUP,
            Self::Usr1 => Signal::USR1,
            Self::Usr2 => Signal::USR2,
        }
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Term => "SIGTERM",
            Self::Int => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Hup => "SIGHUP",
            Self::Usr1 => "SIGUSR1",
            Self::Usr2 => "SIGUSR2",
        })
    }
}
