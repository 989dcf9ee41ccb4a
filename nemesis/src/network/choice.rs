//! The requested network of a spec, and the mode that this machine can provide for it.

use super::lab;
use super::mode::Mode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `network = …` of a spec: the request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// A lab where available, otherwise proxies.
    #[default]
    Auto,
    /// Namespaces with a network of their own.
    Lab,
    /// Loopback with a proxy in each directed link.
    Proxy,
    /// Plain loopback.
    Host,
    /// Every message between the nodes goes through the bench. For clients of kind `maelstrom` only.
    Messages,
}

/// Why a network is not available.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// `network = "lab"`, and no lab can be created here.
    #[error(
        "network = \"lab\" is not available: {0}; network = \"proxy\" works everywhere, and can cut, delay and slow \
         links but not lose, double or reorder packets"
    )]
    NoLab(String),
}

impl Network {
    /// The mode that this machine can provide for the request.
    ///
    /// A lab is probed once, in a child process, by a program that begins with [`lab_entry`](crate::lab_entry).
    pub fn choose(self) -> Result<Mode, NetworkError> {
        match self {
            Self::Auto if lab::can_be_made().is_ok() => Ok(Mode::Lab),
            Self::Auto | Self::Proxy => Ok(Mode::Proxy),
            Self::Host => Ok(Mode::Host),
            Self::Messages => Ok(Mode::Messages),
            Self::Lab => lab::can_be_made().map(|()| Mode::Lab).map_err(NetworkError::NoLab),
        }
    }

    /// Why `auto` falls back to proxies, which the caller must report to the user.
    pub fn fallback(self) -> Option<String> {
        match self {
            Self::Auto => lab::can_be_made().err(),
            Self::Lab | Self::Proxy | Self::Host | Self::Messages => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_lab_is_refused_and_auto_takes_proxies() {
        // Other tests of this process play parts of a lab; a process without that part cannot start again
        // inside one.
        let alone = "BENCH_TEST_ALONE";
        if std::env::var_os(alone).is_none() {
            let own = std::env::current_exe().unwrap();
            let test = "network::choice::tests::impossible_lab_is_refused_and_auto_takes_proxies";
            let run =
                std::process::Command::new(own).args([test, "--exact"]).env(alone, "1").output().unwrap();
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
            return;
        }
        assert_eq!(Network::Auto.choose(), Ok(Mode::Proxy));
        assert!(Network::Auto.fallback().is_some_and(|reason| reason.contains("lab_entry")));
        let error = Network::Lab.choose().unwrap_err().to_string();
        assert!(error.contains("network = \"proxy\""), "{error}");
    }
}
