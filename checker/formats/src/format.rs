//! The formats there are, with their names.

use std::{fmt, str::FromStr};

/// A history format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Our own `history.jsonl`.
    History,
    /// Our own `operations.csv`.
    OperationsCsv,
    /// Jepsen's `history.edn`: one map a line, or one vector of maps.
    JepsenEdn,
    /// The log lines of Jepsen runs, as in Porcupine's test data and in `history.txt`.
    JepsenLog,
    /// Porcupine's key-value lines.
    PorcupineKv,
    /// The JSON of elle-cli: an array of operations.
    ElleJson,
    /// `operations.json` of etcd's robustness tests.
    EtcdJson,
    /// dbcop's `history.bincode`.
    Dbcop,
    /// Cobra's logs, one a session.
    Cobra,
    /// Plume's lines.
    Plume,
    /// AWDIT's text.
    Awdit,
}

impl Format {
    /// Every format, in the order in which help texts list them.
    pub const ALL: [Self; 11] = [
        Self::History,
        Self::OperationsCsv,
        Self::JepsenEdn,
        Self::JepsenLog,
        Self::PorcupineKv,
        Self::ElleJson,
        Self::EtcdJson,
        Self::Dbcop,
        Self::Cobra,
        Self::Plume,
        Self::Awdit,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::OperationsCsv => "operations-csv",
            Self::JepsenEdn => "jepsen-edn",
            Self::JepsenLog => "jepsen-log",
            Self::PorcupineKv => "porcupine-kv",
            Self::ElleJson => "elle-json",
            Self::EtcdJson => "etcd-json",
            Self::Dbcop => "dbcop",
            Self::Cobra => "cobra",
            Self::Plume => "plume",
            Self::Awdit => "awdit",
        }
    }

    /// What it is, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Self::History => "our history.jsonl: a header line, then one event a line",
            Self::OperationsCsv => "our operations.csv: one row an operation",
            Self::JepsenEdn => "Jepsen's and Knossos' history.edn: one map a line, or one vector of maps",
            Self::JepsenLog => {
                "log lines of Jepsen runs, as in Porcupine's test data: process, type, f, value"
            }
            Self::PorcupineKv => "Porcupine's key-value lines: get, put and append with a key",
            Self::ElleJson => "the JSON of elle-cli: an array of operations",
            Self::EtcdJson => "operations.json of etcd's robustness tests: one object an operation",
            Self::Dbcop => "dbcop's history.bincode: sessions of register transactions; read only",
            Self::Cobra => "Cobra's logs, a folder of one a session: register transactions; read only",
            Self::Plume => "Plume's lines, r(key,value,session,transaction) and w(…); read only",
            Self::Awdit => "AWDIT's text: r and w with key and value, --- between transactions; read only",
        }
    }

    /// Whether another tool writes it, so that the state before its first operation is not known to be empty.
    pub fn is_foreign(self) -> bool {
        !matches!(self, Self::History | Self::OperationsCsv)
    }

    /// Usual extensions of its files, the most usual first, without dots.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::History => &["jsonl"],
            Self::OperationsCsv => &["csv"],
            Self::JepsenEdn => &["edn"],
            Self::JepsenLog => &["log", "txt"],
            Self::ElleJson | Self::EtcdJson => &["json"],
            Self::Dbcop => &["bincode"],
            Self::Cobra => &["log"],
            Self::PorcupineKv | Self::Plume | Self::Awdit => &["txt"],
        }
    }

    /// All names, for messages.
    pub(super) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no format's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no format \"{0}\"; formats are {names}", names = Format::names())]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_name_and_named_in_the_error() {
        let error = "edm".parse::<Format>().unwrap_err().to_string();
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert!(error.contains(format.name()), "{error}");
            assert!(!format.about().is_empty() && !format.extensions().is_empty());
        }
    }
}
