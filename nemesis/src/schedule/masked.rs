//! The hash of what does not vary between two runs in a message. Pure.

/// Bytes of a message that enter the hash.
const LOOKED_AT: usize = 256;

/// A hash (FNV-1a) of a message, without what varies from run to run.
///
/// Of text: its first bytes, with each word that contains a digit masked, because numbers, ids and times vary while names of
/// fields and commands do not. Of other messages: their length, which varies little where the content is encrypted or packed.
pub(crate) fn hash(payload: &[u8]) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    let start = &payload[..payload.len().min(LOOKED_AT)];
    if !start.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        payload.len().to_le_bytes().into_iter().for_each(|byte| hash.add(byte));
        return hash.0;
    }
    for word in start.chunk_by(|one, next| one.is_ascii_alphanumeric() && next.is_ascii_alphanumeric()) {
        if word.iter().any(u8::is_ascii_digit) {
            hash.add(b'#');
        } else {
            for byte in word {
                hash.add(*byte);
            }
        }
    }
    hash.0
}

struct Fnv(u64);

impl Fnv {
    fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn words_with_digits_are_masked() {
        let one = hash(br#"{"accept":{"slot":17,"client":"5f3a-1","value":"v"}}"#);
        assert_eq!(one, hash(br#"{"accept":{"slot":4,"client":"7bc09d-22","value":"v"}}"#));
        assert_ne!(one, hash(br#"{"accepted":{"slot":4,"client":"7bc09d-22","value":"v"}}"#));
    }

    #[test]
    fn other_messages_count_by_length() {
        assert_eq!(hash(b"\x00\x07\xffab"), hash(b"\x81\x09\xfexy"));
        assert_ne!(hash(b"\x00\x07"), hash(b"\x00\x07\x01"));
    }
}
