//! One reader a format; each gives the events as the file has them.

mod csv;
mod edn;
mod elle;
mod etcd;
mod history;
mod kv;
mod log;
mod raw;
mod sessions;
mod timeout;

pub(super) use edn::read_operations;
pub use etcd::STORE_REVISION;
pub(super) use log::is_log_line;
pub use sessions::is_cobra;
pub(super) use sessions::{is_awdit, is_dbcop, is_plume};

use super::{Format, Options, budget::Budget, draft::Draft, fault::Fault};

/// Reads a file that is known to be in a format.
pub(super) fn read<'a>(
    format: Format,
    bytes: &'a [u8],
    budget: Budget,
    options: &Options,
) -> Result<Draft<'a>, Fault> {
    match format {
        Format::History => history::read(bytes, budget),
        Format::OperationsCsv => csv::read(bytes, budget, options),
        Format::JepsenEdn => edn::read(bytes, budget),
        Format::JepsenLog => log::read(bytes, budget, options),
        Format::PorcupineKv => kv::read(bytes, budget),
        Format::ElleJson => elle::read(bytes, budget),
        Format::EtcdJson => etcd::read(bytes, budget, options),
        Format::Dbcop => sessions::dbcop(bytes, budget),
        Format::Cobra => sessions::cobra(bytes, budget),
        Format::Plume => sessions::plume(bytes, budget),
        Format::Awdit => sessions::awdit(bytes, budget, options),
    }
}

/// The note for events that no client did.
pub(super) fn note_others(draft: &mut Draft<'_>, others: usize) {
    draft.count_note(
        others,
        "event of the nemesis, or of another process that is no client, was left out",
        "events of the nemesis, or of other processes that are no clients, were left out",
    );
}
