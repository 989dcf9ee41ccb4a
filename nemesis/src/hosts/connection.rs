//! The connection to the agent on a host: orders, answers, ends of processes and output.

use super::error::HostError;
use super::message::{Abilities, EndedProcess, Line, Order, Request, text_to_bytes};
use super::session::{HostAddress, LastWords, Session};
use super::{BEAT, SILENCE};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// Longest wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Longest wait for the agent to heal its host and end.
const LEAVE_WITHIN: Duration = Duration::from_secs(10);
/// Interval of checks for the end of `ssh`.
const CHECK: Duration = Duration::from_millis(10);

/// Called with the end of a process; none if the connection was lost.
type OnEnd = Box<dyn FnOnce(Option<EndedProcess>) + Send>;

/// A host with an agent.
pub struct HostConnection {
    to: HostAddress,
    address: Ipv4Addr,
    folder: PathBuf,
    abilities: Abilities,
    /// The difference of the host's wall clock to the bench's, in seconds.
    clock_ahead: f64,
    orders: Mutex<Option<Sender<Request>>>,
    next: AtomicU64,
    shared: Arc<Shared>,
    child: Mutex<Child>,
    words: LastWords,
}

/// What the thread that reads the agent's lines shares with the bench.
struct Shared {
    answers: Mutex<BTreeMap<u64, oneshot::Sender<Result<Value, String>>>>,
    ends: Mutex<Ends>,
    /// The local copies of followed files.
    copies: Mutex<BTreeMap<PathBuf, PathBuf>>,
    leaving: AtomicBool,
    /// The last line of the agent.
    over: Mutex<Option<String>>,
    /// Set when the connection has ended.
    ended: watch::Sender<bool>,
}

#[derive(Default)]
struct Ends {
    awaited: BTreeMap<u64, OnEnd>,
    /// Ends that the agent reported before [`HostConnection::on_end`] was called.
    early: BTreeMap<u64, EndedProcess>,
    is_lost: bool,
}

impl fmt::Debug for HostConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostConnection")
            .field("to", &self.to)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HostConnection {
    /// Opens the session, copies this program to the host, and asks the agent what the host can do.
    ///
    /// # Errors
    /// When the host cannot be reached, or the agent cannot run there.
    pub async fn connect(to: HostAddress) -> Result<Arc<Self>, HostError> {
        let opening = tokio::task::spawn_blocking(move || {
            // It may take long, and the agent of an open session ends when the bench is silent.
            let address = to.resolve();
            // A host that cannot be reached is told in the words of ssh.
            let session = to.open()?;
            Ok::<_, HostError>((to, address?, session))
        });
        let (to, address, session) =
            opening.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let Session { child, stdin, lines, folder, words } = session;
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            ends: Mutex::default(),
            copies: Mutex::default(),
            leaving: AtomicBool::new(false),
            over: Mutex::default(),
            ended: watch::channel(false).0,
        });
        let (orders, inbox) = channel();
        let reading = Arc::clone(&shared);
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let started = thread("host-orders").spawn(move || write(stdin, &inbox));
        let started = started.and_then(|_| thread("host-lines").spawn(move || reading.read(&lines)));
        let nothing = super::message::Ability { name: String::new(), outcome: Err(String::new()) };
        let mut connection = Self {
            to,
            address,
            folder,
            abilities: Abilities {
                kernel: String::new(),
                guards: nothing.clone(),
                cut: nothing.clone(),
                delay: nothing,
                free_bytes: 0,
                clock_ns: 0,
                reached: None,
            },
            clock_ahead: 0.0,
            orders: Mutex::new(Some(orders)),
            next: AtomicU64::new(0),
            shared,
            child: Mutex::new(child),
            words,
        };
        started.map_err(|error| connection.to.unusable(format!("no thread for it: {error}")))?;
        let before = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        connection.abilities = connection.ask(Order::Abilities).await?;
        // The trial comes before the reading of the clock, and takes longer than the way back.
        let after = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let clock = Duration::from_nanos(connection.abilities.clock_ns);
        let (ahead, behind) = (clock.saturating_sub(after), before.saturating_sub(clock));
        connection.clock_ahead = ahead.as_secs_f64() - behind.as_secs_f64();
        Ok(Arc::new(connection))
    }

    /// The destination.
    pub fn name(&self) -> &str {
        &self.to.destination
    }

    /// The address for nodes and clients.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The temporary folder on the host.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the host can do.
    pub fn abilities(&self) -> &Abilities {
        &self.abilities
    }

    /// By how many seconds the host's wall clock is ahead of the bench's, as far as the connection shows.
    pub fn clock_ahead(&self) -> f64 {
        self.clock_ahead
    }

    /// Reserves the host, whose programs are to listen at these addresses.
    ///
    /// # Errors
    /// When another bench uses the host, or an address is in use or not the host's.
    pub async fn reserve(&self, addresses: Vec<SocketAddr>) -> Result<(), HostError> {
        self.ask(Order::Reserve { addresses }).await
    }

    /// Whether packets to these hosts leave from the host's address.
    ///
    /// # Errors
    /// When they leave from another address, or there is no route.
    pub async fn reaches(&self, peers: Vec<Ipv4Addr>) -> Result<(), HostError> {
        self.ask(Order::Routes { own: self.address, peers }).await
    }

    /// A program on the host: one with the name there, or a copy of the bench's own.
    ///
    /// # Errors
    /// When neither exists.
    pub async fn program(&self, named: &Path, own: Option<&Path>) -> Result<PathBuf, HostError> {
        let by_name = named.components().count() == 1;
        let there: Option<PathBuf> = self.ask(Order::Find { program: named.to_owned() }).await?;
        let (Some(own), false) = (own, by_name && there.is_some()) else {
            return there
                .ok_or_else(|| self.refused(format!("there is no program {}, nor here", named.display())));
        };
        let file = own.file_name().unwrap_or_default().to_string_lossy();
        let plain: String =
            file.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
        let to = self.folder.join(format!("program-{plain}"));
        let (session, own, target) = (self.to.clone(), own.to_owned(), to.clone());
        let copying = tokio::task::spawn_blocking(move || session.copy(&own, &target));
        copying.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        Ok(to)
    }

    /// Writes a file on the host.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn write(&self, path: &Path, text: String) -> Result<(), HostError> {
        self.ask(Order::Write { path: path.to_owned(), text }).await
    }

    /// Copies the bytes of a file of the host into a local one from now on, as they are written.
    pub fn follow(&self, file: &Path, copy: &Path) {
        lock(&self.shared.copies).insert(file.to_owned(), copy.to_owned());
        self.post(Order::Follow { file: file.to_owned() });
    }

    /// Copies what was written until now.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn flush(&self) -> Result<(), HostError> {
        self.ask(Order::Flush).await
    }

    /// Sends an order and waits for its answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, order: Order) -> Result<T, HostError> {
        let id = self.next.fetch_add(1, SeqCst);
        let (sender, answer) = oneshot::channel();
        lock(&self.shared.answers).insert(id, sender);
        self.send(Request { id: Some(id), order });
        if *self.shared.ended.borrow() {
            return Err(self.lost());
        }
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(Ok(value))) => serde_json::from_value(value)
                .map_err(|error| self.refused(format!("its answer cannot be read: {error}"))),
            Ok(Ok(Err(reason))) => Err(self.refused(reason)),
            Ok(Err(_)) => Err(self.lost()),
            Err(_) => {
                Err(HostError::Silent { host: self.name().to_owned(), seconds: ANSWER_WITHIN.as_secs() })
            }
        }
    }

    /// Sends an order without an answer.
    pub(crate) fn post(&self, order: Order) {
        self.send(Request { id: None, order });
    }

    fn send(&self, request: Request) {
        if let Some(orders) = &*lock(&self.orders) {
            // It fails only if the connection has ended, which every question notices.
            let _ = orders.send(request);
        }
    }

    /// Calls `tell` with the end of a process.
    pub(crate) fn on_end(&self, process: u64, tell: impl FnOnce(Option<EndedProcess>) + Send + 'static) {
        let mut ends = lock(&self.shared.ends);
        if let Some(ended) = ends.early.remove(&process) {
            drop(ends);
            tell(Some(ended));
        } else if ends.is_lost {
            drop(ends);
            tell(None);
        } else {
            ends.awaited.insert(process, Box::new(tell));
        }
    }

    fn refused(&self, reason: String) -> HostError {
        HostError::Refused { host: self.name().to_owned(), reason }
    }

    /// The error of an ended connection.
    fn lost(&self) -> HostError {
        let over = lock(&self.shared.over).clone();
        HostError::Lost {
            host: self.name().to_owned(),
            reason: over.unwrap_or_else(|| self.words.in_words()),
        }
    }

    /// Waits until the connection is lost.
    pub async fn until_lost(&self) -> HostError {
        let mut ended = self.shared.ended.subscribe();
        // The sender lives as long as this.
        let _ = ended.wait_for(|ended| *ended).await;
        if self.shared.leaving.load(SeqCst) {
            return std::future::pending().await;
        }
        self.lost()
    }

    /// Has the agent heal its host and end.
    ///
    /// # Errors
    /// When it does not confirm that nothing is left.
    pub async fn leave(&self) -> Result<(), HostError> {
        self.shared.leaving.store(true, SeqCst);
        self.post(Order::Leave);
        let mut ended = self.shared.ended.subscribe();
        let waited = tokio::time::timeout(LEAVE_WITHIN, ended.wait_for(|ended| *ended)).await;
        let over = lock(&self.shared.over).clone();
        match over {
            Some(reason) if !reason.contains("left behind") => Ok(()),
            Some(reason) => Err(self.refused(reason)),
            None if waited.is_err() => {
                Err(HostError::Silent { host: self.name().to_owned(), seconds: LEAVE_WITHIN.as_secs() })
            }
            None => Err(self.lost()),
        }
    }
}

impl Drop for HostConnection {
    /// Closes the session, and waits until the host is healed.
    fn drop(&mut self) {
        self.shared.leaving.store(true, SeqCst);
        // The agent's input closes with the thread that writes the orders.
        lock(&self.orders).take();
        let deadline = Instant::now() + LEAVE_WITHIN;
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(CHECK);
        }
        // Both fail only if it has ended.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Writes orders, and a sign of life between them.
fn write(mut stdin: ChildStdin, orders: &Receiver<Request>) {
    debug_assert!(BEAT * 4 < SILENCE, "the agent waits for several signs of life");
    loop {
        let request = match orders.recv_timeout(BEAT) {
            Ok(request) => request,
            Err(RecvTimeoutError::Timeout) => Request { id: None, order: Order::Beat },
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mut line = serde_json::to_string(&request).expect("orders can be written as JSON");
        line.push('\n');
        if stdin.write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}

impl Shared {
    /// Reads the lines of the agent until the connection ends.
    fn read(&self, lines: &Receiver<String>) {
        for line in lines {
            match serde_json::from_str(&line) {
                Ok(Line::Answer { id, answer }) => {
                    if let Some(asked) = lock(&self.answers).remove(&id) {
                        // The asker may have given up.
                        let _ = asked.send(answer);
                    }
                }
                Ok(Line::Ended(ended)) => self.end(ended),
                Ok(Line::Output { file, anew, text }) => self.copy(&file, anew, &text),
                Ok(Line::Over { reason }) => *lock(&self.over) = Some(reason),
                // A profile of the host may print more.
                Err(_) => {}
            }
        }
        let awaited = {
            let mut ends = lock(&self.ends);
            ends.is_lost = true;
            std::mem::take(&mut ends.awaited)
        };
        self.ended.send_replace(true);
        lock(&self.answers).clear();
        for tell in awaited.into_values() {
            tell(None);
        }
    }

    fn end(&self, ended: EndedProcess) {
        let mut ends = lock(&self.ends);
        match ends.awaited.remove(&ended.process) {
            Some(tell) => {
                drop(ends);
                tell(Some(ended));
            }
            None => drop(ends.early.insert(ended.process, ended)),
        }
    }

    fn copy(&self, file: &Path, anew: bool, text: &str) {
        let Some(copy) = lock(&self.copies).get(file).cloned() else { return };
        // A disk of the bench that is full shows in many other ways.
        let opened = copy.parent().map_or(Ok(()), std::fs::create_dir_all);
        let opened = opened.and_then(|()| File::options().create(true).append(true).open(&copy));
        let Ok(mut opened) = opened else { return };
        if anew {
            let _ = opened.set_len(0);
        }
        let _ = opened.write_all(&text_to_bytes(text));
    }
}
