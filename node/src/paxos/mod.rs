//! The roles of "Paxos Made Moderately Complex" as pure state machines.
//!
//! A client's command enters at a [`Replica`](replica::Replica), which gives it the next free *slot* and proposes the pair to
//! every leader. A [`Leader`](leader::Leader) that has been *adopted* by a majority of acceptors with its *ballot* (the work of
//! its [`Scout`](scout::Scout)) has each proposal accepted by a majority (the work of a [`Commander`](commander::Commander) per slot),
//! and tells the replicas the *decision*. Replicas apply decisions in the order of their slots. Whoever meets a ballot
//! higher than its own is *preempted*.
//!
//! | message | from → to | meaning |
//! |---|---|---|
//! | `Request` | replica → replica | please find a slot for this command: the leader beside you is active |
//! | `Propose` | replica → leaders | please decide this command for this slot |
//! | `P1a` | scout → acceptors | promise my ballot, and tell me what you accepted from this slot on |
//! | `P1b` | acceptor → scout | my promise, and for each slot the pvalue with the highest ballot; in parts where they are large |
//! | `P2a` | commander → acceptors | accept this pvalue |
//! | `P2b` | acceptor → commander | the ballot I have promised: yours if I accepted |
//! | `Decision` | commander → replicas | this command is chosen for this slot |
//! | `Progress` | replica → everybody | everything below this slot is applied, and safe on my disk |
//! | `Learn`, `Learned` | replica ↔ replica | catch-up: decisions from a slot on |
//! | `Fetch`, `State` | replica ↔ replica | catch-up where those decisions are no longer kept: the state itself, in parts |
//! | `Ask`, `Highest` | replica ↔ acceptors | how far must a read see? (section 4.5) |
//! | `Lease`, `Leased` | leader ↔ acceptors | help nobody else for so long (section 4.5) |
//! | `Ping`, `Pong` | leader ↔ leader | are you there, and do you lead? (section 3) |
//! | `Knows`, `Who`, `Members` | node ↔ node | which members do you know of? (section 2.1) |
//!
//! A role is a function: its state, the time and an input give a [`Step`](step::Step), which says what must be saved, what may be
//! sent once that is durable, and what a client may be told. It knows no clock, no file, no socket and no chance of its own.
//!
//! Messages may be lost, repeated and reordered, so whoever waits for an answer asks again after a while, which the
//! paper leaves to the network. The more bytes are under way, the longer that while is, and a replica proposes no more
//! than 16 MiB before some of it is decided (`pace`).
//!
//! Nothing grows for ever. Acceptors keep only the highest pvalue of each slot (section 4.1), and forget slots that f + 1 replicas
//! have on disk; what they collected stands in `P1b`, so that no leader proposes anew for a slot whose decision is forgotten (section
//! 4.2). Replicas keep their last decisions only, and hand their state to whoever lacks older ones. What a node must remember over a
//! restart is a [`Snapshot`](snapshot::Snapshot) and the records written since.
//!
//! Where leaders watch one another, a replica passes commands on to the one beside the active leader, which gives them their
//! slots and proposes to its own leader (section 4.4). What stays undecided is proposed to all leaders. Leaders that compete are
//! proposed to alike, as in the paper.
//!
//! The members change by a command, WINDOW slots after it was decided ([`membership`]): a slot is decided by a majority of the
//! acceptors of its own configuration, and a ballot is adopted by a majority of each configuration whose slots are still to be
//! decided. That nobody acts for a slot whose configuration it does not know is one rule between nodes: every message says which
//! version of the membership its sender knows, and whoever knows less asks for it first, and handles the message not at all.
//! What was accepted under new members is thus never told to a leader that has not heard of them.

pub mod acceptor;
pub mod backoff;
pub mod commander;
mod commanders;
mod detector;
pub mod leader;
mod lease;
pub mod membership;
pub mod message;
mod pace;
pub mod packet;
pub mod progress;
mod reads;
pub mod replica;
pub mod scout;
pub mod snapshot;
pub mod step;
mod transfer;
