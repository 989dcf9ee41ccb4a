//! The signal that requests a program's end.

use rustix::process::Signal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The signal that requests a system's end. A fault `stop` sends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StopSignal {
    /// The signal of service managers.
    #[default]
    #[serde(rename = "TERM", alias = "SIGTERM")]
    Term,
    /// The signal of Ctrl-C.
    #[serde(rename = "INT", alias = "SIGINT")]
    Int,
    /// Often a fast end that does not wait for clients.
    #[serde(rename = "QUIT", alias = "SIGQUIT")]
    Quit,
    /// The signal of a closed terminal.
    #[serde(rename = "HUP", alias = "SIGHUP")]
    Hup,
    /// Program-specific.
    #[serde(rename = "USR1", alias = "SIGUSR1")]
    Usr1,
    /// Program-specific.
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
