//! Open connections: at most as many as descriptors allow, besides those of the log and of other nodes.
//!
//! At the limit, the longest idle connection closes for a new one; connections that have sent no request close
//! first. If all are busy, the server still accepts a new connection, but only for another node. A client gets
//! an answer to retry later.

use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Largest number of client connections, however many descriptors there are.
const CLIENTS_MAX: usize = 4_096;

/// Number of connections beyond the limit that are accepted to find out whether they are other nodes'.
const DOORS: usize = 8;

/// Descriptors for the log, its snapshots, and the runtime.
const OWN: usize = 48;

/// Descriptors per other node: a connection each way, and an old one each way that has not ended yet.
const FOR_EACH_NODE: usize = 4;

/// Smallest number of nodes for which descriptors are reserved: members may be added.
const NODES_LEAST: usize = 8;

/// Smallest useful number of client connections.
const CLIENTS_LEAST: usize = 8;

/// Longest time without progress of an answer that its client does not read, in turns of the watch.
const STALL: u64 = 10;

/// The same while other requests wait for memory.
const STALL_WHILE_SCARCE: u64 = 2;

/// Interval of the watch's checks for stalled connections.
pub(super) const TURN: Duration = Duration::from_secs(1);

/// The limits on a node's open connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest number of client connections.
    pub clients: usize,
    /// Largest number of connections that other nodes opened.
    pub nodes: usize,
}

impl Limits {
    /// The limits of a process with this number of descriptors, in a cluster with this number of members.
    pub fn of(descriptors: usize, members: usize) -> Result<Self, String> {
        let nodes = members.max(NODES_LEAST);
        let reserved = OWN + DOORS + FOR_EACH_NODE * nodes;
        let clients = descriptors.saturating_sub(reserved).min(CLIENTS_MAX);
        if clients < CLIENTS_LEAST {
            let least = reserved + CLIENTS_LEAST;
            return Err(format!(
                "a process may have {descriptors} open files here, and a node of {members} members needs {least}; \
                 raise the limit (ulimit -n {least})"
            ));
        }
        Ok(Self { clients, nodes: 2 * nodes })
    }
}

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has sent no request yet.
    Silent,
    /// It waits for its next request.
    Idle,
    /// A request is in progress.
    Busy,
    /// It belongs to another node, with this name.
    Node,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    id: u64,
    state: Mutex<(State, u64)>,
    /// It was accepted beyond the limit, and has not been recognised as a client's that may stay.
    beyond: AtomicBool,
    /// The turn of the watch since which it is not writable; 0 while it is writable.
    stalled: AtomicU64,
    /// Signals that it must end.
    close: Notify,
}

impl Connection {
    /// Returns when it must end.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }
}

#[derive(Debug, Default)]
struct Open {
    all: FxHashMap<u64, Arc<Connection>>,
    /// The newest connection of each other node.
    nodes: FxHashMap<Arc<str>, u64>,
    node_count: usize,
}

/// All connections.
#[derive(Debug)]
pub(super) struct Connections {
    limits: Limits,
    open: Mutex<Open>,
    /// Signals that a connection has ended.
    ended: Notify,
    /// Rises with each connection and request: the last active connection has the highest number.
    clock: AtomicU64,
    turn: AtomicU64,
}

/// The registration of a connection, until it is dropped with the socket.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) connection: Arc<Connection>,
    all: Arc<Connections>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = self.all.open();
        if open.all.remove(&self.connection.id).is_some() && self.connection.state().0 == State::Node {
            open.node_count -= 1;
            open.nodes.retain(|_, id| *id != self.connection.id);
        }
        drop(open);
        self.all.ended.notify_one();
    }
}

impl Registration {
    /// Records whether the connection is writable.
    pub(super) fn writes(&self, can: bool) {
        let stalled = &self.connection.stalled;
        if can {
            stalled.store(0, Ordering::Relaxed);
        } else if stalled.load(Ordering::Relaxed) == 0 {
            stalled.store(self.all.turn.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    fn state(&self) -> MutexGuard<'_, (State, u64)> {
        locked(&self.state)
    }
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: Mutex::default(),
            ended: Notify::new(),
            clock: AtomicU64::new(1),
            turn: AtomicU64::new(1),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        locked(&self.open)
    }

    fn clients(open: &Open) -> usize {
        open.all.len() - open.node_count
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits until one more connection may be accepted; closes an idle one if needed.
    pub(super) async fn room(&self) {
        loop {
            {
                let open = self.open();
                let clients = Self::clients(&open);
                if clients < self.limits.clients {
                    return;
                }
                let idle = Self::longest_idle(&open);
                if idle.is_none() && clients < self.limits.clients + DOORS {
                    return;
                }
                idle.inspect(|idle| idle.close.notify_one());
            }
            // A busy connection may become idle without ending.
            let _ = tokio::time::timeout(TURN / 10, self.ended.notified()).await;
        }
    }

    /// The connection whose end costs least; none with an unread answer.
    fn longest_idle(open: &Open) -> Option<&Arc<Connection>> {
        let reads = |it: &&Arc<Connection>| it.stalled.load(Ordering::Relaxed) == 0;
        let idle = open.all.values().filter(reads).filter_map(|connection| match *connection.state() {
            (State::Silent, since) => Some(((0, since), connection)),
            (State::Idle, since) => Some(((1, since), connection)),
            (State::Busy | State::Node, _) => None,
        });
        idle.min_by_key(|(order, _)| *order).map(|(_, connection)| connection)
    }

    /// Registers an accepted connection.
    pub(super) fn enter(self: &Arc<Self>) -> Registration {
        let id = self.now();
        let mut open = self.open();
        let connection = Arc::new(Connection {
            id,
            state: Mutex::new((State::Silent, id)),
            beyond: AtomicBool::new(Self::clients(&open) >= self.limits.clients),
            stalled: AtomicU64::new(0),
            close: Notify::new(),
        });
        open.all.insert(id, Arc::clone(&connection));
        drop(open);
        Registration { connection, all: Arc::clone(self) }
    }

    /// Records the start of a request. Returns false if the connection is one too many for a client.
    pub(super) fn begin(&self, connection: &Connection) -> bool {
        if connection.beyond.load(Ordering::Relaxed) {
            if Self::clients(&self.open()) > self.limits.clients {
                return false;
            }
            connection.beyond.store(false, Ordering::Relaxed);
        }
        *connection.state() = (State::Busy, self.now());
        true
    }

    /// Records that the answer is being sent.
    pub(super) fn end(&self, connection: &Connection) {
        let mut state = connection.state();
        if state.0 == State::Busy {
            *state = (State::Idle, self.now());
        }
    }

    /// Marks it as another node's; an earlier connection of that node ends.
    ///
    /// Returns false if there are too many.
    pub(super) fn is_of_node(&self, connection: &Connection, name: &Arc<str>) -> bool {
        let mut open = self.open();
        let earlier = open.nodes.get(name).copied();
        if earlier.is_none() && open.node_count >= self.limits.nodes {
            return false;
        }
        if let Some(earlier) = earlier.and_then(|id| open.all.get(&id)) {
            earlier.close.notify_one();
        }
        *connection.state() = (State::Node, self.now());
        open.node_count += 1;
        open.nodes.insert(Arc::clone(name), connection.id);
        true
    }

    /// A turn of the watch: ends connections whose clients do not read their answers.
    pub(super) fn watch(&self, scarce: bool) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) + 1;
        let patience = if scarce { STALL_WHILE_SCARCE } else { STALL };
        for connection in self.open().all.values() {
            let since = connection.stalled.load(Ordering::Relaxed);
            if since > 0 && turn > since + patience && connection.state().0 != State::Node {
                connection.close.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { clients: 3, nodes: 2 };

    fn must_end(registration: &Registration) -> bool {
        let closed = std::pin::pin!(registration.connection.closed());
        closed.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
    }

    fn nodes(all: &Connections) -> (usize, usize) {
        let open = all.open();
        (open.node_count, open.nodes.len())
    }

    fn has_room(all: &Connections) -> bool {
        let room = std::pin::pin!(all.room());
        room.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
    }

    #[tokio::test]
    async fn silent_connections_make_room_before_idle_ones() {
        let all = Arc::new(Connections::new(LIMITS));
        let registrations: Vec<_> = (0..3).map(|_| all.enter()).collect();
        for spoke in [2, 0] {
            assert!(all.begin(&registrations[spoke].connection));
            all.end(&registrations[spoke].connection);
        }
        assert!(!has_room(&all));
        assert_eq!(registrations.iter().map(must_end).collect::<Vec<_>>(), [false, true, false]);
        assert!(all.begin(&registrations[1].connection));
        assert!(!has_room(&all));
        assert_eq!(registrations.iter().map(must_end).collect::<Vec<_>>(), [false, false, true]);
        drop(registrations);
        assert!(has_room(&all) && all.open().all.is_empty());
    }

    #[tokio::test]
    async fn nodes_come_in_where_all_are_busy() {
        let all = Arc::new(Connections::new(LIMITS));
        let clients: Vec<_> = (0..3).map(|_| all.enter()).collect();
        for client in &clients {
            assert!(all.begin(&client.connection));
        }
        assert!(has_room(&all));
        let (node, client) = (all.enter(), all.enter());
        assert!(all.is_of_node(&node.connection, &"n2".into()));
        assert!(!all.begin(&client.connection), "one too many");
        drop((clients, client));
        assert_eq!(nodes(&all), (1, 1));
        drop(node);
        assert_eq!(nodes(&all), (0, 0));
    }

    #[tokio::test]
    async fn the_newest_connection_of_a_node_stays() {
        let all = Arc::new(Connections::new(LIMITS));
        let registrations: Vec<_> = (0..4).map(|_| all.enter()).collect();
        for (registration, (name, accepted)) in
            registrations.iter().zip([("n2", true), ("n3", true), ("n2", true), ("n4", false)])
        {
            assert_eq!(all.is_of_node(&registration.connection, &name.into()), accepted);
        }
        assert_eq!(registrations.iter().map(must_end).collect::<Vec<_>>(), [true, false, false, false]);
    }

    #[tokio::test]
    async fn unread_answers_end() {
        let all = Arc::new(Connections::new(LIMITS));
        let (stuck, slow) = (all.enter(), all.enter());
        for turn in 0..=STALL {
            stuck.writes(false);
            slow.writes(turn % 5 > 0);
            assert!(!must_end(&stuck) && !must_end(&slow));
            all.watch(false);
        }
        assert!(must_end(&stuck) && !must_end(&slow));
    }

    #[test]
    fn few_descriptors_are_refused_with_a_remedy() {
        assert_eq!(Limits::of(256, 3), Ok(Limits { clients: 168, nodes: 16 }));
        assert_eq!(Limits::of(1 << 20, 3), Ok(Limits { clients: CLIENTS_MAX, nodes: 16 }));
        let error = Limits::of(64, 3).unwrap_err();
        assert!(error.contains("64 open files") && error.contains("ulimit -n 96"), "{error}");
    }
}
