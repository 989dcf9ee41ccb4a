//! From a request to its response: the security checks, then the pages.

use super::answer::{Answered, Content, Trust, answer, complete, page};
use super::folder::decoded;
use super::results::Filter;
use super::{Server, hunts, live, pages, side};
use bytes::Bytes;
use hyper::header::{ALLOW, CONTENT_LENGTH, HOST, HeaderValue, LOCATION};
use hyper::{Method, Request, StatusCode};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Size of a piece of a sent file, in bytes.
const PIECE: usize = 256 << 10;

/// The parameters of a URL.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Self {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?))
        };
        Self(text.split('&').filter_map(pair).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The response to a request.
pub(super) async fn answer_to(server: &Arc<Server>, request: &Request<()>) -> Answered {
    if let Some(refused) = refused(server, request) {
        return refused;
    }
    let Some(path) = decoded(request.uri().path()) else { return not_found() };
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let (first, rest) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_matches('/'), ""));
    match first {
        "" => {
            let filter = Filter::of(&query);
            blocking(server, move |server| {
                let (entries, hunts) = (server.shelf.entries(&server.folder), hunts::all(&server.folder));
                page(StatusCode::OK, pages::list(&entries, &filter, &hunts))
            })
            .await
        }
        "style.css" => complete(StatusCode::OK, "text/css; charset=utf-8", Trust::Own, pages::STYLE),
        "live.js" => complete(StatusCode::OK, "text/javascript; charset=utf-8", Trust::Own, live::SCRIPT),
        // Browsers request it by themselves.
        "favicon.ico" => complete(StatusCode::NO_CONTENT, "image/png", Trust::Own, ""),
        "run" => {
            let rest = rest.to_owned();
            blocking(server, move |server| run(server, &rest)).await
        }
        "hunt" => {
            let rest = rest.to_owned();
            blocking(server, move |server| hunts::page(server, &rest)).await
        }
        "side" => {
            let [a, b] = ["a", "b"].map(|name| query.get(name).unwrap_or_default().to_owned());
            blocking(server, move |server| side::page(server, &a, &b)).await
        }
        "events" => live::events(server, rest),
        "files" => {
            let (rest, slash) = (rest.to_owned(), path.ends_with('/'));
            blocking(server, move |server| file(server, &rest, slash)).await
        }
        _ => not_found(),
    }
}

/// The same, without the body for a HEAD request.
pub(super) async fn answer_or_head(server: &Arc<Server>, request: &Request<()>) -> Answered {
    let mut answered = answer_to(server, request).await;
    if request.method() == Method::HEAD {
        *answered.body_mut() = Content::Whole(None);
    }
    answered
}

/// Refuses all requests but plain ones from a page of this machine.
fn refused(server: &Server, request: &Request<()>) -> Option<Answered> {
    let port = server.address.port();
    let known = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
    let is_known = |host: &str| known.iter().any(|known| known.eq_ignore_ascii_case(host));
    let hosts: Vec<_> = request.headers().get_all(HOST).iter().collect();
    let host_fits = matches!(hosts.as_slice(), [host] if host.to_str().is_ok_and(is_known));
    let authority_fits = request.uri().authority().is_none_or(|authority| is_known(authority.as_str()));
    if !host_fits || !authority_fits {
        // A page elsewhere may use a name that resolves to this machine (DNS rebinding).
        let text = "This server answers only at its own address.\n";
        return Some(complete(
            StatusCode::MISDIRECTED_REQUEST,
            "text/plain; charset=utf-8",
            Trust::File,
            text,
        ));
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if header("sec-fetch-site") == Some("cross-site") && header("sec-fetch-mode") != Some("navigate") {
        // It could not read the response, but it could keep this machine busy.
        let text = "Other sites may link to this server, but not send requests to it.\n";
        return Some(complete(StatusCode::FORBIDDEN, "text/plain; charset=utf-8", Trust::File, text));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let text = "This server is read-only.\n";
        let mut refused =
            complete(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", Trust::File, text);
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(refused);
    }
    None
}

/// Runs work that reads files on a thread that may block.
async fn blocking(server: &Arc<Server>, work: impl FnOnce(&Server) -> Answered + Send + 'static) -> Answered {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || work(&server)).await.unwrap_or_else(|_| {
        page(StatusCode::INTERNAL_SERVER_ERROR, pages::message("This page could not be created."))
    })
}

pub(super) fn not_found() -> Answered {
    page(StatusCode::NOT_FOUND, pages::message("The folder has no file of this name."))
}

fn run(server: &Server, path: &str) -> Answered {
    let Some(found) = server.folder.find(path).filter(|found| found.is_dir()) else { return not_found() };
    let Some(entry) = server.shelf.entry(&server.folder, &found) else { return not_found() };
    let snapshot = live::snapshot(&found);
    page(StatusCode::OK, pages::run(&entry, &found, snapshot.as_ref()))
}

/// A file, or the listing of a folder.
fn file(server: &Server, path: &str, slash: bool) -> Answered {
    let Some(found) = server.folder.find(path) else { return not_found() };
    if found.is_dir() {
        if !slash {
            let mut moved = complete(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Trust::File, "");
            let inside = super::folder::encoded(path.trim_matches('/'));
            let location = if inside.is_empty() { "/files/".to_owned() } else { format!("/files/{inside}/") };
            if let Ok(location) = HeaderValue::from_str(&location) {
                moved.headers_mut().insert(LOCATION, location);
            }
            return moved;
        }
        return page(StatusCode::OK, pages::files(&server.folder, path.trim_matches('/'), &found));
    }
    // Reading a pipe or a socket would block for ever, and may disturb its owner.
    if !found.is_file() {
        return not_found();
    }
    let Ok(opened) = File::open(&found) else { return not_found() };
    let length = opened.metadata().map(|metadata| metadata.len()).ok();
    let (kind, trust) = kind(&found);
    let mut answered = answer(StatusCode::OK, kind, trust, Content::Pieces(pieces(opened, length)));
    if let Some(length) = length {
        answered.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    answered
}

/// Reads a file on a thread of its own, as fast as the client reads, up to its initial length.
fn pieces(file: File, length: Option<u64>) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut file = file.take(length.unwrap_or(u64::MAX));
        loop {
            let mut piece = vec![0; PIECE];
            match file.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(read) => piece.truncate(read),
            }
            if sender.blocking_send(piece.into()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The content type of a file, by its name.
///
/// Only a report may run scripts; other pages are shown as text.
fn kind(path: &Path) -> (&'static str, Trust) {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending {
        "html" if path.file_name().is_some_and(|name| name == "report.html") => {
            ("text/html; charset=utf-8", Trust::Report)
        }
        "png" => ("image/png", Trust::File),
        "svg" => ("image/svg+xml", Trust::File),
        "json" => ("application/json", Trust::File),
        "csv" | "jsonl" | "toml" | "log" | "txt" | "html" | "md" | "xml" => {
            ("text/plain; charset=utf-8", Trust::File)
        }
        _ => ("application/octet-stream", Trust::File),
    }
}
