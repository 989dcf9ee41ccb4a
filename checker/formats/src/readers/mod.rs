//! One reader a format; each gives the events as the file has them.

mod csv;
mod edn;
mod elle;
mod etcd;
mod history;
mod kv;
mod log;
mod raw;

pub(super) use log::is_log_line;

use super::{Format, budget::Budget, draft::Draft, fault::Fault};

/// Reads a file that is known to be in a format.
pub(super) fn read(format: Format, bytes: &[u8], budget: Budget) -> Result<Draft<'_>, Fault> {
    match format {
        Format::History => history::read(bytes, budget),
        Format::OperationsCsv => csv::read(bytes, budget),
        Format::JepsenEdn => edn::read(bytes, budget),
        Format::JepsenLog => log::read(bytes, budget),
        Format::PorcupineKv => kv::read(bytes, budget),
        Format::ElleJson => elle::read(bytes, budget),
        Format::EtcdJson => etcd::read(bytes, budget),
    }
}

/// The note for events that no client did.
fn note_others(draft: &mut Draft<'_>, others: usize) {
    draft.count_note(
        others,
        "event of the nemesis, or of another process that is no client, was left out",
        "events of the nemesis, or of other processes that are no clients, were left out",
    );
}
