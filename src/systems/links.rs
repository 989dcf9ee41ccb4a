//! Writes the counters of every directed link into `links.csv`.

use nemesis::LinkSummary;
use serde::Serialize;
use std::io;
use std::path::Path;

/// One row. In a lab it counts frames, with a proxy the results of single reads of a socket.
#[derive(Debug, Serialize)]
struct Row<'a> {
    from: &'a str,
    to: &'a str,
    frames: u64,
    bytes: u64,
    cut: u64,
    cut_bytes: u64,
    delayed: u64,
    delayed_bytes: u64,
    lost: u64,
    duplicated: u64,
    reordered: u64,
    corrupted: u64,
    overflowed: u64,
    refused: u64,
    reset: u64,
}

/// Writes one row per link; no file if the bench controls no link.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write(path: &Path, links: &[LinkSummary]) -> io::Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    let mut table = csv::Writer::from_path(path)?;
    for LinkSummary { link, counters } in links {
        table.serialize(Row {
            from: &link.from,
            to: &link.to,
            frames: counters.chunks,
            bytes: counters.bytes,
            cut: counters.dropped + counters.held_chunks,
            cut_bytes: counters.dropped_bytes + counters.held_bytes,
            delayed: counters.delayed_chunks,
            delayed_bytes: counters.delayed_bytes,
            lost: counters.lost,
            duplicated: counters.duplicated,
            reordered: counters.reordered,
            corrupted: counters.corrupted,
            overflowed: counters.overflowed,
            refused: counters.refused,
            reset: counters.reset,
        })?;
    }
    table.flush()
}
