//! Reads and writes the history formats of the field.
//!
//! [`read`] takes a whole file and gives the same [`Event`]s for every format; [`write()`] goes the other way
//! and refuses by name what a format cannot express. Formats are found by looking at the file, models by the
//! operations in it, and what was guessed is said in [`Read::notes`].
//!
//! ```
//! use formats::{Format, Options, read, write};
//!
//! let log = b"INFO  jepsen.util - 4\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 4\t:fail\t:cas\t[1 2]\n";
//! let history = read(log, "etcd_000.log", &Options::default())?;
//! assert_eq!(history.format, Format::JepsenLog);
//! assert_eq!(history.model()?, "cas-register");
//! // Here a failed compare-and-set means that the value differed: as good as a read.
//! assert_eq!(history.events()[1].error.as_deref(), Some("precondition"));
//! let edn = write(&history.events(), &history.header, Format::JepsenEdn)?;
//! assert!(edn.starts_with(b"{:index 0, :time 0, :type :invoke, :process 4, :f :cas, :value [1 2]}"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What readers build is bounded: structures nest at most [`MAX_DEPTH`] deep, memory stays below ten times
//! the file and 64 MiB or what [`Options::memory`] says, and numbers that could not be kept exactly are
//! refused.

mod answers;
mod budget;
mod clients;
mod draft;
mod edn;
mod exact;
mod failed_cas;
mod fault;
mod format;
mod independent;
mod intervals;
mod json;
mod model;
mod options;
mod order;
mod processes;
mod readers;
mod result;
mod sniff;
mod stamp;
mod unpack;
mod writers;

pub use edn::MAX_DEPTH;
pub use failed_cas::FailedCas;
pub use fault::ReadError;
pub use format::{Format, UnknownFormat};
pub use json::with_large_integers_as_text;
pub use model::ModelGuess;
pub use options::{Options, Ties};
pub use order::Order;
pub use readers::{STORE_REVISION, is_cobra};
pub use result::Read;
pub use unpack::{Unpacked, unpack};
pub use writers::{OPERATIONS_COLUMNS, WriteError};

use budget::Budget;
use history::{Event, Header};
use std::borrow::Cow;
use std::io;

/// Reads a whole file, which may be compressed. `name` is the file's name; its extension decides only where the content does not.
pub fn read(bytes: &[u8], name: &str, options: &Options) -> Result<Read, ReadError> {
    let Unpacked { bytes, cut } = unpack(bytes)?;
    let bytes = bytes.as_ref();
    let (bytes, zeros) = without_zeros(bytes);
    let name = unpack::plain_name(name);
    let (format, how) = match options.format {
        Some(format) => (format, None),
        None => sniff::format(bytes, name).map_err(|fault| fault.locate(bytes))?,
    };
    let exact = match format {
        Format::ElleJson | Format::History => json::with_large_integers_as_text(bytes),
        _ => Cow::Borrowed(bytes),
    };
    let bytes = exact.as_ref();
    let budget = Budget::new(bytes.len(), options.memory);
    let mut draft = readers::read(format, bytes, budget, options).map_err(|fault| fault.locate(bytes))?;
    if zeros {
        draft
            .notes
            .push("the file ends in bytes of zero, as a crash leaves it; they are passed over".to_owned());
    }
    if (cut || zeros) && !draft.end.unfinished {
        draft.note_cut();
        draft.end.hides |= format == Format::OperationsCsv;
    }
    result::finish(draft, format, how, options).map_err(|fault| fault.locate(bytes))
}

/// Reads a history of Jepsen's EDN straight into operations, in a fraction of the time and memory: what is read has the
/// [operations](Read::take_operations) that [`read`] gives, with the same notes, and no events. The file is never in memory as
/// a whole.
///
/// None is the answer to everything else: other formats, packed files, what is wrong, and what is unusual enough that its
/// events have to be seen. Then [`read`] says what it is.
pub fn read_operations(mut input: impl io::Read + io::Seek, name: &str, options: &Options) -> Option<Read> {
    readers::read_operations(&mut input, unpack::plain_name(name), options)
}

/// A text without bytes of zero at its end, and whether it had any. Formats that are not texts have theirs.
fn without_zeros(bytes: &[u8]) -> (&[u8], bool) {
    let text = bytes.iter().rposition(|byte| *byte != 0).map_or(&bytes[..0], |last| &bytes[..=last]);
    let binary = text.len() == bytes.len() || sniff::is_binary(bytes);
    if binary { (bytes, false) } else { (text, true) }
}

/// Writes a whole file. Events of the nemesis are left out where a format has only operations, and so are
/// operations that certainly did not happen where a format cannot say that; neither changes a verdict.
pub fn write(events: &[Event], header: &Header, format: Format) -> Result<Vec<u8>, WriteError> {
    writers::write(events, header, format)
}
