//! Unpacks files that are compressed, by their first bytes.

use super::ReadError;
use std::borrow::Cow;
use std::io::Read;

/// How much a file may grow to, beyond what the user allows in memory.
const LARGEST: u64 = 8 << 30;

/// The content of a file: unpacked if it is gzip (RFC 1952) or Zstandard (RFC 8878), as it is otherwise.
pub fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, ReadError> {
    let (kind, unpacked) = if bytes.starts_with(&[0x1f, 0x8b]) {
        ("gzip", all(flate2::read::MultiGzDecoder::new(bytes)))
    } else if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let unpacked = ruzstd::decoding::StreamingDecoder::new(bytes).map_err(|error| error.to_string());
        ("zstd", unpacked.and_then(all))
    } else {
        return Ok(Cow::Borrowed(bytes));
    };
    unpacked.map(Cow::Owned).map_err(|error| ReadError {
        line: 0,
        column: 0,
        message: format!("it begins like {kind} and cannot be unpacked: {error}"),
    })
}

fn all(reader: impl Read) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    let length = reader.take(LARGEST).read_to_end(&mut unpacked).map_err(|error| error.to_string())?;
    if length as u64 == LARGEST {
        return Err(format!("it grows beyond {} GiB", LARGEST >> 30));
    }
    Ok(unpacked)
}

/// The name without the extension of a compressed file.
pub(super) fn plain_name(name: &str) -> &str {
    [".gz", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}
