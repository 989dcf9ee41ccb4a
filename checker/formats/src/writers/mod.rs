//! One writer a format; each refuses by name what its format cannot express.

mod csv;
mod edn;
mod elle;
mod etcd;
mod history;
mod kv;
mod log;
mod story;

pub use csv::OPERATIONS_COLUMNS;

use super::Format;
use ::history::{Event, Header};

/// Why a history cannot be written in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{format} cannot hold this history: {}{message}", .event.map_or(String::new(), |event| format!("event {event}: ")))]
pub struct WriteError {
    /// The format that was asked for.
    pub format: Format,
    /// Index of the event in the history, from 0; none where it is about the whole.
    pub event: Option<usize>,
    /// What the format has no way to express.
    pub message: String,
}

/// What a format has no way to express, and where.
struct Refusal {
    event: Option<usize>,
    message: String,
}

impl Refusal {
    fn at(event: usize, message: impl Into<String>) -> Self {
        Self { event: Some(event), message: message.into() }
    }
}

pub(super) fn write(events: &[Event], header: &Header, format: Format) -> Result<Vec<u8>, WriteError> {
    if let (Some(client), true) =
        (header.converted.as_ref().and_then(|file| file.lone_client), format.is_foreign())
        && format != Format::EtcdJson
    {
        let message = format!("it has no way to say that the operations are those of client {client} alone");
        return Err(WriteError { format, event: None, message });
    }
    if format.is_foreign() && header.converted.as_ref().is_some_and(|file| file.chosen_order) {
        let message =
            "several processes go on at one time, and it has no way to say that their order is not known";
        return Err(WriteError { format, event: None, message: message.to_owned() });
    }
    let written = match format {
        Format::History => history::write(events, header),
        Format::OperationsCsv => csv::write(events, header),
        Format::JepsenEdn => edn::write(events),
        Format::JepsenLog => log::write(events),
        Format::PorcupineKv => kv::write(events),
        Format::ElleJson => elle::write(events),
        Format::EtcdJson => etcd::write(events),
        Format::Dbcop | Format::Cobra | Format::Plume | Format::Awdit => {
            Err(Refusal { event: None, message: "this format is only read".to_owned() })
        }
    };
    written.map_err(|refusal| WriteError { format, event: refusal.event, message: refusal.message })
}
