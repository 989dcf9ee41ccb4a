//! Interrupts: the first heals, stops and checks; the second ends the bench at once.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Screen;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Listens for SIGINT, SIGTERM and SIGHUP until the process ends; the first of them cancels the token.
///
/// Under `nohup` it ignores a hang-up.
///
/// # Errors
/// When it cannot listen for the signals.
pub(crate) fn listen(screen: &Screen) -> Result<CancellationToken, Failure> {
    let failed =
        |error: std::io::Error| Failure::bench("signals", format!("cannot be listened for: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hang_up = HangUp::listen().map_err(failed)?;
    let token = CancellationToken::new();
    let (cancelled, screen) = (token.clone(), screen.clone());
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = hang_up.recv() => {}
            }
            if first {
                screen.line("interrupted: healing, stopping the nodes and judging the history so far (again to end at once)");
                cancelled.cancel();
            }
        }
        screen.clear();
        // The kernel kills the nodes with this process, as they requested at their start.
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    Ok(token)
}

/// The hang-up signal of the terminal, unless this process ignores it.
pub(crate) struct HangUp(Option<tokio::signal::unix::Signal>);

impl HangUp {
    /// Listens for the hang-up, unless this process was started to ignore it.
    ///
    /// # Errors
    /// When it cannot listen for it.
    pub(crate) fn listen() -> std::io::Result<Self> {
        if nemesis::hang_up_is_ignored() {
            return Ok(Self(None));
        }
        signal(SignalKind::hangup()).map(|hang_up| Self(Some(hang_up)))
    }

    /// Waits for the hang-up.
    pub(crate) async fn recv(&mut self) {
        match &mut self.0 {
            Some(hang_up) => drop(hang_up.recv().await),
            None => std::future::pending().await,
        }
    }
}
