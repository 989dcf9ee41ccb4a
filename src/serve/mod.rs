//! `bench serve`: the results of a folder in a browser, on the loopback interface, read-only.
//!
//! What it must withstand: another page in the same browser that sends requests here (it can, so nothing here changes
//! anything, and no answer is readable from another origin); DNS rebinding (the `Host` must be an address of this machine);
//! results from somebody else with scripts in them (a report runs in a sandbox without an origin and without network,
//! anything else is shown as text); and paths or links that lead out of the folder.

mod answer;
mod folder;
mod hunts;
mod live;
mod pages;
mod results;
mod route;
mod side;

#[cfg(test)]
mod tests;

use crate::failure::Failure;
use answer::Answered;
use folder::Folder;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, body::Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use results::Shelf;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Connections at the same time; browsers open six for each page.
const CONNECTIONS: usize = 128;
/// How long a client may take to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// The server with the folder that it shows.
pub(crate) struct Server {
    folder: Folder,
    shelf: Shelf,
    address: SocketAddr,
}

impl Server {
    /// Listens on the loopback interface; with port 0 on a free port.
    ///
    /// # Errors
    /// When there is no such folder, or the port is taken (exit code 2).
    pub(crate) async fn bind(folder: &Path, port: u16) -> Result<(Self, TcpListener), Failure> {
        let folder = Folder::open(folder)?;
        let taken = |error: std::io::Error| {
            Failure::usage(format!("--port {port}"), format!("it cannot be listened on: {error}"))
                .help("choose another, or --port 0 for a free one")
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        Ok((Self { folder, shelf: Shelf::default(), address }, listener))
    }

    /// The address to open.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers requests until the future is dropped.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let server = Arc::new(self);
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok((socket, _)) = listener.accept().await else {
                // No file descriptors are left, for example.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let service = service_fn(|request| answered(Arc::clone(&server), request));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIMEOUT)
                    .serve_connection(TokioIo::new(socket), service);
                // A browser that leaves is no failure.
                let _ = connection.await;
                drop(permit);
            });
        }
    }
}

async fn answered(server: Arc<Server>, request: Request<Incoming>) -> Result<Answered, Infallible> {
    // No question has a body that matters.
    let request = request.map(|_| ());
    Ok(route::answer_or_head(&server, &request).await)
}
