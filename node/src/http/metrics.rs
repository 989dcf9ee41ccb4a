//! `GET /metrics`: the status as Prometheus text.

use crate::status::Status;
use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use std::fmt::Write;

/// The status as a response in Prometheus' text format.
pub(super) fn respond(status: &Status) -> Response<Full<Bytes>> {
    let rows: [(&str, &str, &str, f64); 11] = [
        (
            "bench_node_active",
            "gauge",
            "Whether the node's leader is active.",
            f64::from(u8::from(status.active)),
        ),
        ("bench_node_round", "gauge", "Round of the leader's ballot.", status.round as f64),
        ("bench_node_slot_in", "gauge", "Next slot to propose for.", status.slot_in as f64),
        ("bench_node_slot_out", "gauge", "Next slot to apply.", status.slot_out as f64),
        (
            "bench_node_preemptions_total",
            "counter",
            "Times the leader was preempted.",
            status.preemptions as f64,
        ),
        ("bench_node_adoptions_total", "counter", "Times the leader was adopted.", status.adoptions as f64),
        ("bench_node_log_bytes", "gauge", "Bytes of the log in use.", status.log_bytes as f64),
        ("bench_node_snapshot_bytes", "gauge", "Bytes of the last snapshot.", status.snapshot_bytes as f64),
        ("bench_node_snapshots_total", "counter", "Snapshots taken.", status.snapshots as f64),
        ("bench_node_collected", "gauge", "Slots below it are forgotten.", status.collected as f64),
        ("bench_node_syncs_total", "counter", "Syncs of the log.", status.syncs as f64),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{{node=\"{}\"}} {value}",
            status.name
        );
    }
    let mut response = Response::new(Full::new(text.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
    response
}
