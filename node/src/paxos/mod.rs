//! The roles of "Paxos Made Moderately Complex" as pure state machines.
//!
//! A client's command enters at a [`Replica`](replica::Replica), which gives it the next free *slot* and
//! proposes the pair to every leader. A [`Scout`](scout::Scout) gets the *ballot* of its
//! [`Leader`](leader::Leader) *adopted* by a majority of acceptors. For each slot, a
//! [`Commander`](commander::Commander) of the leader gets a proposal accepted by a majority, and sends the
//! *decision* to the replicas. Replicas apply decisions in the order of their slots. A leader that meets a
//! ballot higher than its own is *preempted*.
//!
//! | message | from → to | meaning |
//! |---|---|---|
//! | `Request` | replica → replica | give this command a slot: the leader on your node is active |
//! | `Propose` | replica → leaders | decide this command for this slot |
//! | `P1a` | scout → acceptors | promise my ballot, and report the pvalues that you accepted from this slot on
//! |
//! | `P1b` | acceptor → scout | my promise, and the pvalue with the highest ballot for each slot; in parts if
//! large |
//! | `P2a` | commander → acceptors | accept this pvalue |
//! | `P2b` | acceptor → commander | the ballot that I have promised: yours if I accepted |
//! | `Decision` | commander → replicas | this command is chosen for this slot |
//! | `Progress` | replica → all nodes | everything below this slot is applied and on my disk |
//! | `Learn`, `Learned` | replica ↔ replica | catch-up: decisions from a slot on |
//! | `Fetch`, `State` | replica ↔ replica | catch-up beyond the retained decisions: the state itself, in parts
//! |
//! | `Ask`, `Highest` | replica ↔ acceptors | the slots that a read must see (section 4.5) |
//! | `Lease`, `Leased` | leader ↔ acceptors | support no other leader for this time (section 4.5) |
//! | `Ping`, `Pong` | leader ↔ leader | are you alive, and do you lead? (section 3) |
//! | `Knows`, `Who`, `Members` | node ↔ node | which membership do you know? (section 2.1) |
//!
//! A role is a function of its state, the time and an input. The result is a [`Step`](step::Step): records to save, messages that
//! may be sent once the records are durable, and answers to clients. A role knows no clock, file, socket or randomness of its own.
//!
//! The network may lose, repeat and reorder messages. A role therefore repeats an unanswered message after a
//! while, which the paper leaves to the network. That interval grows with the bytes in flight, and a replica
//! proposes at most 16 MiB before some of it is decided (`pace`).
//!
//! Memory is bounded. Acceptors keep only the highest pvalue of each slot (section 4.1), and forget slots that
//! f + 1 replicas have on disk. `P1b` names the forgotten slots, so that no leader proposes a new command for
//! them (section 4.2). Replicas keep only their last decisions, and send their state to a replica that lacks
//! older ones. The durable state of a node is a [`Snapshot`](snapshot::Snapshot) and the records since.
//!
//! If leaders watch one another, a replica forwards commands to the replica beside the active leader. That
//! replica gives them slots and proposes to its own leader (section 4.4). Replicas propose commands that stay
//! undecided to all leaders. If leaders compete, replicas propose to all of them, as in the paper.
//!
//! A command changes the members, WINDOW slots after its decision ([`membership`]). A majority of the acceptors
//! of a slot's own configuration decides it. A ballot needs a majority of each configuration with undecided
//! slots. One rule between nodes ensures that no node acts for a slot whose configuration it does not know:
//! every message has the version of its sender's membership. A receiver with an older version requests the
//! newer one and drops the message. So an acceptor never reports pvalues accepted under new members to a leader
//! that does not know them.
//!
//! The roles assert the paper's invariants that a single role can observe, in release builds too. They hold
//! only for nodes without a [flaw](crate::flaw::Flaw).
//!
//! | invariant | asserted by |
//! |---|---|
//! | R1: a slot has one decision | the replica that learns a second one |
//! | R4: a replica never returns to an earlier slot | the replica that adopts a state |
//! | R5: proposals are for slots within WINDOW of the next one to apply | the replica that proposes |
//! | A1: an acceptor's promises rise | the acceptor, after each message |
//! | A2: an acceptor accepts a pvalue only under the ballot it has promised | the acceptor that accepts |
//! | A3: an acceptor drops a pvalue only for one with a higher ballot, or when its slot is collected | the acceptor |
//! | A4: a ballot and a slot have one command | the acceptor, and the scout with the answers of two acceptors |
//! | L1: a leader's ballots rise | the leader that starts a scout |
//! | C1: a ballot and a slot have one commander | the leader that starts one |
//! | C2: no other command is proposed for a decided slot | the adopted leader |
//!
//! R2 and R3 hold by construction: one function applies decisions in the order of slots. A5 needs several
//! roles: the [simulator](crate::sim) compares the decisions of all replicas. Those that need several nodes, several
//! lives or the log are validated over [traces](crate::invariants).

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
