//! Answers in progress: large ones reserve bytes of a budget before they are encoded.

use super::Server;
use super::budget::SMALL;
use super::respond::{self, Failure};
use crate::paxos::message::Slot;
use crate::store::Answer;
use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;

/// Largest JSON overhead of each part of an answer, in bytes.
const AROUND: usize = 100;

/// The reason for a missing answer of a read-only command.
pub(super) const NO_ROOM: &str = "too many bytes of other answers are under way";

/// The response for the answer of an applied command and its slot.
///
/// `reads` says that the client may repeat the command.
pub(super) async fn answered(
    server: &Server,
    (answer, slot): (Answer, Slot),
    reads: bool,
) -> Result<Response<Full<Bytes>>, Failure> {
    let size = answer.size();
    if size <= SMALL {
        let (status, body) = respond::answered(answer, slot)?;
        return Ok(respond::encoded(status, body.into()));
    }
    match server.answers.hold(weight(&answer), size).await {
        Some(held) => {
            let (status, body) = respond::answered(answer, slot)?;
            Ok(respond::encoded(status, held.around(body)))
        }
        None if reads => Err(Failure::busy(NO_ROOM)),
        None => {
            let (status, body) = respond::answered(answer.left_out(), slot)?;
            Ok(respond::encoded(status, body.into()))
        }
    }
}

/// Largest size of an answer as JSON, in bytes.
pub(super) fn weight(answer: &Answer) -> usize {
    AROUND
        + match answer {
            Answer::Value(Some(value)) | Answer::Differs(Some(value)) | Answer::NotANumber(value) => {
                escaped(value)
            }
            Answer::Balances(balances) => balances.iter().map(|(account, _)| escaped(account) + AROUND).sum(),
            Answer::Results(answers) => answers.iter().map(weight).sum(),
            Answer::Aborted(_, answer) => weight(answer),
            Answer::Refused(reason) => escaped(reason),
            Answer::Done
            | Answer::Value(None)
            | Answer::Differs(None)
            | Answer::Absent
            | Answer::Forgotten
            | Answer::Reconfigured { .. }
            | Answer::NotKept { .. }
            | Answer::TooLarge => AROUND,
        }
}

/// Size of a text as JSON, in bytes.
fn escaped(text: &str) -> usize {
    let takes = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(takes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn no_answer_is_longer_than_its_weight() {
        let text = "\u{1}\"\\é\n\u{7f}".repeat(50);
        let value = Arc::new(text.clone());
        let answers = [
            Answer::Done,
            Answer::Value(Some(value.clone())),
            Answer::Differs(Some(value.clone())),
            Answer::NotANumber(value.clone()),
            Answer::Balances(vec![(text.clone(), i64::MIN), ("b".to_owned(), 1)]),
            Answer::Results(vec![Answer::Value(Some(value.clone())), Answer::Done, Answer::Absent]),
            Answer::Aborted(1 << 60, Box::new(Answer::Differs(Some(value)))),
            Answer::Refused(text),
            Answer::NotKept { changed: true },
            Answer::NotKept { changed: false },
            Answer::TooLarge,
            Answer::Reconfigured { version: u64::MAX, from: u64::MAX },
        ];
        for answer in answers {
            let weight = weight(&answer);
            let (_, body) = respond::answered(answer, u64::MAX).unwrap();
            assert!(body.len() <= weight, "{weight}: {}", String::from_utf8_lossy(&body));
        }
    }
}
