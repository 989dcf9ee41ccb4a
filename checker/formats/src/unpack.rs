//! Unpacks files that are compressed, by their first bytes.

use super::ReadError;
use std::borrow::Cow;
use std::io::Read;

/// How much a file may grow to, beyond what the user allows in memory.
const LARGEST: u64 = 8 << 30;

/// The content of a file.
#[derive(Debug)]
pub struct Unpacked<'a> {
    /// What the file holds, as far as it goes.
    pub bytes: Cow<'a, [u8]>,
    /// Whether it was packed, and ends before its content does.
    pub cut: bool,
}

/// Unpacks a file if it is gzip (RFC 1952) or Zstandard (RFC 8878). One that is cut off gives what came before the cut.
pub fn unpack(bytes: &[u8]) -> Result<Unpacked<'_>, ReadError> {
    let refused = |message: String| ReadError { line: 0, column: 0, message };
    let (kind, (unpacked, end)) = if bytes.starts_with(&[0x1f, 0x8b]) {
        ("gzip", all(flate2::read::MultiGzDecoder::new(bytes)))
    } else if bytes.starts_with(&ZSTD) {
        ("zstd", frames(bytes))
    } else if let Some((_, kind, remedy)) = OTHERS.iter().find(|(start, ..)| bytes.starts_with(start)) {
        return Err(refused(format!("it is {kind}, which is not read; {remedy}")));
    } else {
        return Ok(Unpacked { bytes: Cow::Borrowed(bytes), cut: false });
    };
    if unpacked.len() as u64 == LARGEST {
        return Err(refused(format!("it begins like {kind} and grows beyond {} GiB", LARGEST >> 30)));
    }
    match end {
        Err(error) if unpacked.is_empty() => {
            Err(refused(format!("it begins like {kind} and cannot be unpacked: {error}")))
        }
        Err(error) if !ends_early(&error) => {
            Err(refused(format!("it is {kind} and damaged, so that what it holds may not be true: {error}")))
        }
        end => Ok(Unpacked { bytes: Cow::Owned(unpacked), cut: end.is_err() }),
    }
}

/// The first bytes of a frame of Zstandard.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The content of all frames of Zstandard, one behind the other, and how the last of them ended.
fn frames(mut bytes: &[u8]) -> (Vec<u8>, Result<(), std::io::Error>) {
    let mut unpacked = Vec::new();
    while !bytes.is_empty() {
        let mut decoder = match ruzstd::decoding::StreamingDecoder::new(&mut bytes) {
            Ok(decoder) => decoder,
            Err(error) => return (unpacked, Err(std::io::Error::other(error))),
        };
        let rest = LARGEST.saturating_sub(unpacked.len() as u64);
        let end = Read::by_ref(&mut decoder).take(rest).read_to_end(&mut unpacked);
        let (said, is) =
            (decoder.decoder.get_checksum_from_data(), decoder.decoder.get_calculated_checksum());
        if let Err(error) = end {
            return (unpacked, Err(error));
        }
        if unpacked.len() as u64 >= LARGEST {
            break;
        }
        if said.is_some() && said != is {
            return (unpacked, Err(std::io::Error::other("its checksum differs")));
        }
    }
    (unpacked, Ok(()))
}

/// Whether the packed file ends before its content does; any other error is damage. Errors of unpackers hide the kind of
/// their cause, and print it.
fn ends_early(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::UnexpectedEof || format!("{error:?}").contains("UnexpectedEof")
}

/// First bytes of files that are refused, what they are, and what to do.
const OTHERS: [(&[u8], &str, &str); 4] = [
    (b"\xfd7zXZ\x00", "packed with xz", "unpack it first"),
    (b"BZh", "packed with bzip2", "unpack it first"),
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (b"JEPSEN", "Jepsen's binary form of a test", "give the history.edn or history.txt beside it"),
];

/// What can be read, and how that ended.
fn all(reader: impl Read) -> (Vec<u8>, Result<(), std::io::Error>) {
    let mut unpacked = Vec::new();
    let end = reader.take(LARGEST).read_to_end(&mut unpacked).map(|_| ());
    (unpacked, end)
}

/// The name without the extension of a compressed file.
pub(super) fn plain_name(name: &str) -> &str {
    [".gz", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}
