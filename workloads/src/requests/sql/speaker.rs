//! Carries operations out as transactions, each client on a connection of its own.

use super::SqlTable;
use super::link::{Connect, Link, Trouble, connect};
use super::table::Body;
use crate::adapter::{Adapter, CommandName, Performed, Speaker};
use crate::exchange::answer_in_words;
use crate::operation::Operation;
use crate::outcome::{Answer, Happened};
use crate::session::Target;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;

/// The clients of a load.
pub(crate) struct SqlClients(Arc<Shared>);

struct Shared {
    table: SqlTable,
    connect: Connect,
}

impl SqlClients {
    pub(crate) fn new(table: SqlTable) -> Self {
        let connect = connect(table.login.clone());
        Self::over(table, connect)
    }

    /// The same over connections that are made in another way.
    pub(super) fn over(table: SqlTable, connect: Connect) -> Self {
        Self(Arc::new(Shared { table, connect }))
    }
}

impl Adapter for SqlClients {
    fn speaker(&self) -> Box<dyn Speaker> {
        Box::new(SqlSpeaker { shared: Arc::clone(&self.0), linked: None, last: None, began: false })
    }
}

/// A connection with the address that it leads to, and what the server refused of the set-up.
struct Linked {
    address: SocketAddr,
    link: Box<dyn Link>,
    refused: Option<String>,
}

/// Speaks for one client.
struct SqlSpeaker {
    shared: Arc<Shared>,
    /// Taken out while an operation is open: where that is given up, the connection is closed.
    linked: Option<Linked>,
    last: Option<String>,
    /// Whether the operation reached the server, though no `COMMIT` was sent.
    began: bool,
}

impl Shared {
    async fn connect(&self, address: SocketAddr) -> Result<Linked, (Happened, String)> {
        let mut link = (self.connect)(address).await.map_err(Trouble::at_connect)?;
        let mut refused = None;
        for statement in &self.table.setup {
            match link.command(statement).await {
                Ok(()) => {}
                Err(trouble @ Trouble::Broken(_)) => return Err(trouble.at_connect()),
                Err(trouble) => refused = Some(format!("{statement}: {}", trouble.json())),
            }
        }
        Ok(Linked { address, link, refused })
    }

    /// Begins a transaction.
    async fn begin(&self, link: &mut dyn Link) -> Result<(), Trouble> {
        let (begin, others) = &self.table.begin;
        link.command(begin).await?;
        for statement in others {
            link.run(statement, Vec::new()).await?;
        }
        Ok(())
    }

    /// Ends a transaction whose statements came to this. Returns also whether the connection is fit for another one.
    async fn end(
        &self,
        link: &mut dyn Link,
        operation: &Operation,
        body: Body,
        (sent, last): (&mut bool, &mut Option<Value>),
    ) -> (Happened, bool) {
        let answer = match body {
            Body::Done(
                answer @ (Answer::Applied | Answer::Value(_) | Answer::Precondition(_) | Answer::Differs),
            ) => answer,
            Body::Done(answer) | Body::Failed(answer) => {
                let fit = link.command("rollback").await.is_ok();
                return (Happened::Answered(answer), fit);
            }
            Body::Broken => return (uncommitted(), false),
        };
        *sent = true;
        match link.command("commit").await {
            Ok(()) => (Happened::Answered(answer), true),
            Err(trouble) => {
                *last = Some(trouble.json());
                let happened = match trouble {
                    Trouble::Refused { code, message } => {
                        Happened::Answered(self.table.refused_at_commit(operation, &code, &message))
                    }
                    Trouble::Unreadable(_) => Happened::Garbled,
                    Trouble::Broken(happened) => happened,
                };
                (happened, false)
            }
        }
    }
}

/// What happened to an operation whose `COMMIT` was not sent: it never takes effect.
fn uncommitted() -> Happened {
    Happened::Answered(Answer::Failed("uncommitted".to_owned()))
}

impl SqlSpeaker {
    /// A connection on which a transaction has begun, unless the server refused that.
    async fn begin(&mut self, address: SocketAddr) -> Result<(Linked, Result<(), Trouble>), Happened> {
        let shared = Arc::clone(&self.shared);
        let kept = self.linked.take().filter(|linked| linked.address == address && linked.link.is_open());
        if let Some(mut linked) = kept {
            self.began = true;
            match shared.begin(&mut *linked.link).await {
                // The server closed it while it was idle; nothing was asked.
                Err(Trouble::Broken(_)) => self.began = false,
                begun => return Ok((linked, begun)),
            }
        }
        let mut linked = shared.connect(address).await.map_err(|(happened, words)| {
            self.last = Some(format!("could not be asked: {words}"));
            happened
        })?;
        self.began = true;
        let begun = shared.begin(&mut *linked.link).await;
        Ok((linked, begun))
    }

    async fn attempt(&mut self, target: &Target, operation: &Operation, sent: &mut bool) -> Happened {
        (self.last, self.began) = (None, false);
        let shared = Arc::clone(&self.shared);
        let (mut linked, begun) = match self.begin(target.address).await {
            Ok(begun) => begun,
            Err(happened) => return happened,
        };
        let mut last = None;
        let body = match begun {
            Ok(()) => shared.table.body(&mut *linked.link, operation, &mut last).await,
            Err(trouble) => {
                last = Some(trouble.json());
                shared.table.failed(operation, &trouble)
            }
        };
        let (happened, fit) = shared.end(&mut *linked.link, operation, body, (sent, &mut last)).await;
        self.last = last.map(|last| {
            let asked = format!("a {}", operation.function);
            let answer = answer_in_words(&asked, None, last.to_string().as_bytes());
            let refused = linked.refused.as_ref().map(|refused| format!("; it had refused {refused}"));
            answer + &refused.unwrap_or_default()
        });
        self.linked = Some(linked).filter(|_| fit);
        happened
    }
}

impl Speaker for SqlSpeaker {
    fn perform<'a>(
        &'a mut self,
        target: &'a Target,
        operation: &'a Operation,
        _name: Option<&'a CommandName>,
        sent: &'a mut bool,
    ) -> Performed<'a> {
        Box::pin(self.attempt(target, operation, sent))
    }

    fn disconnect(&mut self) {
        self.linked = None;
    }

    fn unsent(&self) -> Happened {
        if self.began { uncommitted() } else { Happened::ConnectTimeout }
    }

    fn last_answer(&self) -> Option<String> {
        self.last.clone()
    }
}
