//! The roles of "Paxos Made Moderately Complex" as pure state machines.
//!
//! A client's command enters at a [`Replica`](replica::Replica), which gives it the next free *slot* and proposes the pair to
//! every leader. A [`Leader`](leader::Leader) that has been *adopted* by a majority of acceptors with its *ballot* (the work of
//! its [`Scout`](scout::Scout)) has each proposal accepted by a majority (the work of a [`Commander`](commander::Commander) per slot),
//! and sends the *decision* to the replicas. Replicas apply decisions in the order of their slots. A leader that meets a ballot
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
//! | `Lease`, `Leased` | leader ↔ acceptors | help no other leader for this time (section 4.5) |
//! | `Ping`, `Pong` | leader ↔ leader | are you there, and do you lead? (section 3) |
//! | `Knows`, `Who`, `Members` | node ↔ node | which members do you know of? (section 2.1) |
//!
//! A role is a function of its state, the time and an input. The result is a [`Step`](step::Step): records to save, messages that
//! may be sent once the records are durable, and answers to clients. A role knows no clock, file, socket or randomness of its own.
//!
//! Messages may be lost, repeated and reordered, so a role sends an unanswered message again after a while, which the
//! paper leaves to the network. The more bytes are under way, the longer that while is, and a replica proposes no more
//! than 16 MiB before some of it is decided (`pace`).
//!
//! Memory is bounded. Acceptors keep only the highest pvalue of each slot (section 4.1), and forget slots that f + 1 replicas
//! have on disk; what they collected stands in `P1b`, so that no leader proposes anew for a slot whose decision is forgotten (section
//! 4.2). Replicas keep their last decisions only, and hand their state to a replica that lacks older ones. What a node must remember over a
//! restart is a [`Snapshot`](snapshot::Snapshot) and the records written since.
//!
//! Where leaders watch one another, a replica passes commands on to the one beside the active leader, which gives them their
//! slots and proposes to its own leader (section 4.4). What stays undecided is proposed to all leaders. Leaders that compete are
//! proposed to alike, as in the paper.
//!
//! The members change by a command, WINDOW slots after it was decided ([`membership`]): a slot is decided by a majority of the
//! acceptors of its own configuration, and a ballot is adopted by a majority of each configuration whose slots are still to be
//! decided. One rule between nodes ensures that no node acts for a slot whose configuration it does not know: every message says which
//! version of the membership its sender knows. A receiver that knows an older version asks for the newer one, and drops the message.
//! So an acceptor never reports what it accepted under new members to a leader that does not know them.
//!
//! The roles assert the paper's invariants where one role can see them, in release builds too. They hold for nodes without
//! a [flaw](crate::flaw::Flaw) only.
//!
//! | invariant | asserted by |
//! |---|---|
//! | R1: a slot has one decision | the replica that learns a second one |
//! | R4: a replica never goes back to an earlier slot | the replica that takes over a state |
//! | R5: proposals are for slots within WINDOW of the next one to apply | the replica that proposes |
//! | A1: an acceptor's promises rise | the acceptor, after each message |
//! | A2: an acceptor accepts a pvalue only under the ballot it has promised | the acceptor that accepts |
//! | A3: an acceptor drops a pvalue only for one with a higher ballot, or when its slot is collected | the acceptor |
//! | A4: a ballot and a slot have one command | the acceptor, and the scout that hears two acceptors |
//! | L1: a leader's ballots rise | the leader that begins to scout |
//! | C1: a ballot and a slot have one commander | the leader that begins one |
//! | C2: no other command is proposed for a decided slot | the leader that is adopted |
//!
//! R2 and R3 hold by construction (decisions are applied in the order of the slots, by one function), and A5 needs several roles: the
//! [simulator](crate::sim) compares the decisions of all replicas.

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
