//! With network = "lab", a second process of the bench runs inside namespaces that end with it.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::spec::Loaded;
use nemesis::Mode;
use std::ffi::OsString;

/// Whether an experiment needs a lab and this process is not in one.
///
/// # Errors
/// When no lab is available.
pub(crate) fn is_needed(loaded: &Loaded) -> Result<bool, Failure> {
    let mut needed = false;
    for experiment in &loaded.experiments {
        needed |= experiment.mode()? == Mode::Lab;
    }
    Ok(needed && !nemesis::inside_lab())
}

/// Runs this command again inside a lab, and returns its exit code.
///
/// # Errors
/// When the lab cannot be created, or a signal from outside ended it.
pub(crate) fn enter() -> Result<Exit, Failure> {
    enter_with(&[])
}

/// The same, with variables for the inner command only.
///
/// # Errors
/// As for [`enter`].
pub(crate) fn enter_with(env: &[(&str, OsString)]) -> Result<Exit, Failure> {
    let code = nemesis::enter_lab_with(env).map_err(|error| Failure::bench("lab", error.to_string()))?;
    Exit::ALL.into_iter().find(|exit| exit.code() == code).ok_or_else(|| {
        Failure::bench(
            "lab",
            format!("the bench inside ended with code {code}; its files so far are on disk"),
        )
    })
}
