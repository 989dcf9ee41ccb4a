//! `bench serve`: the results of a folder in a browser, on the loopback interface, read-only.
//!
//! Threats: a page of another site in the same browser sends requests here; so no request changes anything, and
//! no answer is readable from another origin. DNS rebinding: the `Host` must be an address of this machine.
//! Results of other people contain scripts: a report runs in a sandbox without an origin and without network,
//! and any other file is shown as text. Paths or links lead out of the folder: they are refused.

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

/// Limit of simultaneous connections; browsers open six per page.
const CONNECTIONS: usize = 128;
/// Time limit of a client's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// The server with its folder.
pub(crate) struct Server {
    folder: Folder,
    shelf: Shelf,
    address: SocketAddr,
}

impl Server {
    /// Listens on the loopback interface; port 0 means a free port.
    ///
    /// # Errors
    /// When there is no such folder, or the port is in use (exit code 2).
    pub(crate) async fn bind(folder: &Path, port: u16) -> Result<(Self, TcpListener), Failure> {
        let folder = Folder::open(folder)?;
        let unavailable = |error: std::io::Error| {
            Failure::usage(format!("--port {port}"), format!("it cannot be listened on: {error}"))
                .help("choose another, or --port 0 for a free one")
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(unavailable)?;
        let address = listener.local_addr().map_err(unavailable)?;
        Ok((Self { folder, shelf: Shelf::default(), address }, listener))
    }

    /// The URL to open.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves requests until the future is dropped.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let server = Arc::new(self);
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok((socket, _)) = listener.accept().await else {
                // For example, too many open files.
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
                // A disconnect of the browser is no failure.
                let _ = connection.await;
                drop(permit);
            });
        }
    }
}

async fn answered(server: Arc<Server>, request: Request<Incoming>) -> Result<Answered, Infallible> {
    // Requests need no body here.
    let request = request.map(|_| ());
    Ok(route::answer_or_head(&server, &request).await)
}
