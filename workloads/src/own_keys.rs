//! Keys of one run's own: for servers that keep what earlier runs have written.

use crate::adapter::{Adapter, CommandName, HelperCounts, Performed, Speaker};
use crate::operation::Operation;
use crate::outcome::Happened;
use crate::session::Target;

/// An adapter that puts a prefix before the key of each operation, of which the history knows nothing.
pub struct OwnKeys {
    adapter: Box<dyn Adapter>,
    prefix: String,
}

impl OwnKeys {
    /// The same clients with this prefix. Only for workloads whose operations have one key each.
    pub fn new(adapter: Box<dyn Adapter>, prefix: String) -> Self {
        Self { adapter, prefix }
    }
}

impl Adapter for OwnKeys {
    fn speaker(&self) -> Box<dyn Speaker> {
        Box::new(OwnKeysSpeaker {
            speaker: self.adapter.speaker(),
            prefix: self.prefix.clone(),
            renamed: None,
        })
    }

    fn is_described(&self) -> bool {
        self.adapter.is_described()
    }

    fn helpers(&self) -> Option<HelperCounts> {
        self.adapter.helpers()
    }
}

struct OwnKeysSpeaker {
    speaker: Box<dyn Speaker>,
    prefix: String,
    /// The present operation as the system sees it.
    renamed: Option<Operation>,
}

impl Speaker for OwnKeysSpeaker {
    fn perform<'a>(
        &'a mut self,
        target: &'a Target,
        operation: &'a Operation,
        name: Option<&'a CommandName>,
        sent: &'a mut bool,
    ) -> Performed<'a> {
        let key = format!("{}{}", self.prefix, operation.key);
        let renamed = self.renamed.insert(Operation { key, ..operation.clone() });
        self.speaker.perform(target, renamed, name, sent)
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
