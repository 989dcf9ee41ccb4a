//! An HTTP client for JSON: one persistent connection to a node, and a deadline per request.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, header};
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::time::Duration;
use workloads::outcome::Happened;
use workloads::{HttpConnection, NoAnswer};

/// The largest answer that is read; ten thousand decisions of ordinary values are far smaller.
const LARGEST_BODY: usize = 256 << 20;

/// The reason why a node gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// It did not answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// It could not be reached, or the connection broke.
    #[error("{}", .0.in_words())]
    Lost(Happened),
    /// It answered with an error.
    #[error("it answered {status}: {body}")]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// The beginning of its body.
        body: String,
    },
    /// The body is not the expected JSON.
    #[error("its answer is not the expected JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// A client of one node. It reconnects when the connection breaks, as at each restart of the node.
#[derive(Debug)]
pub(crate) struct HttpClient {
    address: SocketAddr,
    connection: Option<HttpConnection>,
}

impl HttpClient {
    /// A client for the node at `address`; connects at the first request.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// `GET path`, parsed as JSON.
    pub(crate) async fn get<T: DeserializeOwned>(
        &mut self,
        path: &str,
        timeout: Duration,
    ) -> Result<T, HttpError> {
        self.ask(Request::get(path), Bytes::new(), timeout).await
    }

    /// `GET path`, as it comes.
    pub(crate) async fn get_bytes(&mut self, path: &str, timeout: Duration) -> Result<Bytes, HttpError> {
        self.ask_bytes(Request::get(path), Bytes::new(), timeout).await
    }

    /// `POST path` with a body of JSON, parsed as JSON.
    pub(crate) async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: impl Into<Bytes>,
        timeout: Duration,
    ) -> Result<T, HttpError> {
        let body = body.into();
        self.ask(Request::post(path).header(header::CONTENT_TYPE, "application/json"), body, timeout).await
    }

    async fn ask<T: DeserializeOwned>(
        &mut self,
        request: hyper::http::request::Builder,
        body: Bytes,
        timeout: Duration,
    ) -> Result<T, HttpError> {
        Ok(serde_json::from_slice(&self.ask_bytes(request, body, timeout).await?)?)
    }

    async fn ask_bytes(
        &mut self,
        request: hyper::http::request::Builder,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, HttpError> {
        let request = request
            .header(header::HOST, self.address.to_string())
            .body(Full::new(body))
            .expect("a path of our own and an address make a request");
        let answer = match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::Timeout(timeout)),
        };
        if answer.is_err() {
            // A late answer on this connection would be mistaken for that of the next request.
            self.connection = None;
        }
        answer
    }

    async fn exchange(&mut self, mut request: Request<Full<Bytes>>) -> Result<Bytes, HttpError> {
        let response = loop {
            let (mut connection, fresh) = match self.connection.take() {
                Some(connection) => (connection, false),
                None => (HttpConnection::open(self.address).await.map_err(HttpError::Lost)?, true),
            };
            match connection.exchange(request, LARGEST_BODY).await {
                Ok(answer) => {
                    self.connection = Some(connection);
                    break answer;
                }
                // The node had closed the idle connection.
                Err(NoAnswer::NotSent(returned)) if !fresh => request = *returned,
                Err(NoAnswer::NotSent(_)) => return Err(HttpError::Lost(Happened::NotSent)),
                Err(NoAnswer::Broken(happened)) => return Err(HttpError::Lost(happened)),
            }
        };
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response.into_body());
        }
        let body = String::from_utf8_lossy(response.body()).chars().take(200).collect();
        Err(HttpError::Refused { status, body })
    }
}
