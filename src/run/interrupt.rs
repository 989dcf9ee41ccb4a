//! Ctrl-C: the first heals, stops and judges what there is; the second ends the bench at once.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Screen;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Listens for SIGINT and SIGTERM until the process ends; the token is cancelled by the first of them.
///
/// # Errors
/// When the signals cannot be listened for.
pub(crate) fn listen(screen: &Screen) -> Result<CancellationToken, Failure> {
    let failed =
        |error: std::io::Error| Failure::bench("signals", format!("cannot be listened for: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let token = CancellationToken::new();
    let (cancelled, screen) = (token.clone(), screen.clone());
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first {
                screen.line("interrupted: healing, stopping the nodes and judging what there is (again to end at once)");
                cancelled.cancel();
            }
        }
        screen.clear();
        // The nodes die with this process: they asked the kernel for it.
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    Ok(token)
}
