//! `bench serve`: the results of a folder in a browser, until it is interrupted.

use crate::cli::Serve as Arguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::Server;
use crate::terminal::{STRONG, Screen};
use tokio::signal::unix::{SignalKind, signal};

/// Serves until Ctrl-C.
///
/// # Errors
/// When there is no such folder or the port is taken (exit code 2), or signals cannot be listened for (4).
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let screen = Screen::new(false);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::bench("runtime", format!("cannot be started: {error}")))?;
    let served = runtime.block_on(async {
        let failed =
            |error: std::io::Error| Failure::bench("signals", format!("cannot be listened for: {error}"));
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let (server, listener) = Server::bind(&arguments.folder, arguments.port).await?;
        screen.line(&format!("{STRONG}{}{STRONG:#}  (Ctrl-C ends it)", server.url()));
        tokio::select! {
            () = server.serve(listener) => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(Exit::Valid)
    });
    // Threads that follow a run or read a large file end with the process.
    runtime.shutdown_background();
    served
}
