//! Logs of messages by requests about one key each: a send of a message, and a poll from an offset on.
//!
//! Each client is a consumer of all logs. It remembers the next offset of each key. A poll asks for one key after the other, until
//! one has messages; one that finds no message at all has seen the end of every log. A new process begins at offset 0.

use crate::adapter::{Adapter, CommandName, HelperCounts, Performed, Speaker};
use crate::operation::{Function, Operation};
use crate::outcome::{Answer, Happened};
use crate::session::Target;
use crate::spec::LoadSpec;
use hyper::header::HeaderValue;
use serde_json::{Map, Value, json};

/// An adapter whose clients read logs key by key.
pub(crate) struct LogClients {
    adapter: Box<dyn Adapter>,
    keys: u32,
}

impl LogClients {
    pub(crate) fn new(adapter: Box<dyn Adapter>, load: &LoadSpec) -> Self {
        Self { adapter, keys: load.keys }
    }
}

impl Adapter for LogClients {
    fn speaker(&self) -> Box<dyn Speaker> {
        Box::new(LogSpeaker {
            speaker: self.adapter.speaker(),
            process: None,
            next: vec![0; self.keys as usize],
            turn: 0,
        })
    }

    fn is_described(&self) -> bool {
        self.adapter.is_described()
    }

    fn helpers(&self) -> Option<HelperCounts> {
        self.adapter.helpers()
    }
}

struct LogSpeaker {
    speaker: Box<dyn Speaker>,
    /// What the process of the last operation is called.
    process: Option<HeaderValue>,
    /// By key: the offset that the next poll begins at.
    next: Vec<i64>,
    /// The key that is polled first.
    turn: usize,
}

impl LogSpeaker {
    async fn attempt(
        &mut self,
        target: &Target,
        operation: &Operation,
        name: Option<&CommandName>,
        sent: &mut bool,
    ) -> Happened {
        let process = name.map(|name| name.client.clone());
        if process != self.process {
            self.process = process;
            self.next.fill(0);
        }
        if operation.function == Function::Send {
            return self.send(target, &operation.argument[0], name, sent).await;
        }
        let mut found = Map::new();
        for _ in 0..self.next.len() {
            let key = self.turn;
            self.turn = (key + 1) % self.next.len();
            let poll = Operation {
                function: Function::Poll,
                key: LoadSpec::key_name(u32::try_from(key).expect("keys are counted in 32 bits")),
                argument: json!(self.next[key]),
            };
            let messages = match self.speaker.perform(target, &poll, name, sent).await {
                Happened::Answered(Answer::Value(messages)) => messages,
                happened => return happened,
            };
            let last = messages.as_array().into_iter().flatten().filter_map(|pair| pair[0].as_i64()).max();
            found.insert(poll.key, messages);
            if let Some(last) = last {
                self.next[key] = self.next[key].max(last + 1);
                break;
            }
        }
        Happened::Answered(Answer::Value(json!([["poll", found]])))
    }

    /// Sends a message: `["send", key, message]`.
    async fn send(
        &mut self,
        target: &Target,
        part: &Value,
        name: Option<&CommandName>,
        sent: &mut bool,
    ) -> Happened {
        let key = part[1].as_str().unwrap_or_default().to_owned();
        let operation = Operation { function: Function::Send, key, argument: part[2].clone() };
        match self.speaker.perform(target, &operation, name, sent).await {
            Happened::Answered(Answer::Value(offset)) => {
                let sent = json!([["send", operation.key, [offset, operation.argument]]]);
                Happened::Answered(Answer::Value(sent))
            }
            happened => happened,
        }
    }
}

impl Speaker for LogSpeaker {
    fn perform<'a>(
        &'a mut self,
        target: &'a Target,
        operation: &'a Operation,
        name: Option<&'a CommandName>,
        sent: &'a mut bool,
    ) -> Performed<'a> {
        Box::pin(self.attempt(target, operation, name, sent))
    }

    fn disconnect(&mut self) {
        self.speaker.disconnect();
    }

    fn unsent(&self) -> Happened {
        self.speaker.unsent()
    }

    fn last_answer(&self) -> Option<String> {
        self.speaker.last_answer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// Two logs of which the first has three messages, two an answer.
    struct Fake(Vec<(String, Value)>);

    impl Speaker for Fake {
        fn perform<'a>(
            &'a mut self,
            _: &'a Target,
            operation: &'a Operation,
            _: Option<&'a CommandName>,
            _: &'a mut bool,
        ) -> Performed<'a> {
            self.0.push((operation.key.clone(), operation.argument.clone()));
            let from = operation.argument.as_i64().unwrap();
            let log: Vec<i64> = if operation.key == "k1" { (from..3).take(2).collect() } else { Vec::new() };
            let answer = if operation.function == Function::Send {
                json!(9)
            } else {
                log.into_iter().map(|offset| json!([offset, offset + 10])).collect()
            };
            Box::pin(async move { Happened::Answered(Answer::Value(answer)) })
        }

        fn disconnect(&mut self) {}

        fn last_answer(&self) -> Option<String> {
            None
        }
    }

    fn perform(speaker: &mut LogSpeaker, process: &'static str, operation: &Operation) -> Value {
        let target = Target { name: "n1".to_owned(), address: ([127, 0, 0, 1], 1).into(), spare: false };
        let name = CommandName { client: HeaderValue::from_static(process), sequence: 1 };
        let mut sent = false;
        let future = speaker.perform(&target, operation, Some(&name), &mut sent);
        let Poll::Ready(happened) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("nothing waits here")
        };
        match happened {
            Happened::Answered(Answer::Value(value)) => value,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn consumer_reads_on_where_it_was() {
        let speaker = Box::new(Fake(Vec::new()));
        let mut speaker = LogSpeaker { speaker, process: None, next: vec![0; 2], turn: 0 };
        let poll = Operation { function: Function::Poll, key: String::new(), argument: json!([["poll"]]) };
        let mut polled = |process| perform(&mut speaker, process, &poll);
        assert_eq!(polled("p1"), json!([["poll", {"k1": [[0, 10], [1, 11]]}]]));
        assert_eq!(polled("p1"), json!([["poll", {"k2": [], "k1": [[2, 12]]}]]));
        assert_eq!(polled("p1"), json!([["poll", {"k2": [], "k1": []}]]));
        assert_eq!(polled("p2"), json!([["poll", {"k2": [], "k1": [[0, 10], [1, 11]]}]]), "a new process");
        let argument = json!([["send", "k2", 5]]);
        let send = Operation { function: Function::Send, key: String::new(), argument };
        assert_eq!(perform(&mut speaker, "p2", &send), json!([["send", "k2", [9, 5]]]));
    }
}
