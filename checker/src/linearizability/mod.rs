//! Is there one order of all operations that explains every result and respects real time?
//!
//! [`check`] decides it exactly, key by key. *Valid* and *invalid* are always right; where limits end the
//! work the answer is *unknown*. Operations that failed did not happen, except that a failed compare-and-set
//! whose precondition did not hold is an observation. Operations of unknown outcome may have happened at any
//! time after their invocation, or never.
//!
//! ```
//! use history::{pair, read_jsonl};
//! use checker::limits::Limits;
//! use checker::linearizability::{Model, Verdict, check};
//!
//! let file = r#"{"history":1,"spec":"doc","variant":"main","model":"register","seed":1,"started":"2026-11-23T10:00:00Z"}
//! {"time":1,"process":0,"type":"invoke","f":"write","key":"k1","value":17}
//! {"time":2,"process":0,"type":"ok","f":"write","key":"k1","value":17}
//! {"time":3,"process":1,"type":"invoke","f":"read","key":"k1"}
//! {"time":4,"process":1,"type":"ok","f":"read","key":"k1","value":null}
//! "#;
//! let operations = pair(&read_jsonl(file.as_bytes())?.events)?;
//! let Verdict::Invalid(witness) = check(&operations, Model::Register, &Limits::DEFAULT) else {
//!     panic!("a read after a write finds nothing")
//! };
//! assert_eq!(witness.operations, [0, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod call;
mod depth_first;
mod distinct;
mod encode;
mod frontier;
mod judge;
mod keys;
mod marks;
mod method;
mod model;
mod object;
mod objects;
mod read_registers;
mod registers;
mod repeated_queue;
mod specification;
#[cfg(test)]
mod tests;
mod texts;
mod value_method;
mod values;
mod verdict;
mod witness;

pub(crate) use call::{Call, NEVER};
pub(crate) use frontier::{Halt, LiveSearch};
pub(crate) use object::Action;
pub(crate) use registers::{Contradiction, LiveZones, Repeated, Token};

pub use judge::check_against;
pub use model::{Model, UnknownModel};
pub use specification::Specification;
pub use verdict::{Pending, Verdict, Witness};

use crate::certificate::Linearization;
use crate::limits::Limits;
use history::{Operations, ToOperations};

/// Whether the operations are linearizable under the model, each key starting absent.
///
/// Operations come from [`pair`](history::pair) or elsewhere; only the order of
/// [`Operation::invoked`](history::Operation::invoked) and
/// [`completed`](history::Operation::completed) matters, and equal ones are concurrent.
/// An invalid key beats an unknown one.
pub fn check(operations: &(impl ToOperations + ?Sized), model: Model, limits: &Limits<'_>) -> Verdict {
    let operations = &*operations.to_operations();
    judge(operations, model, limits, false).0
}

/// The same check, and with a valid verdict an order of the operations of each key that explains every
/// result, for [`confirm`](crate::certificate::confirm). It takes up to twice as long, and about 40 bytes
/// more for each operation. None where the limits did not suffice to find the order too.
pub fn check_certified(
    operations: &(impl ToOperations + ?Sized),
    model: Model,
    limits: &Limits<'_>,
) -> (Verdict, Option<Linearization>) {
    let operations = &*operations.to_operations();
    let (verdict, orders) = judge(operations, model, limits, true);
    (verdict, orders.map(|orders| Linearization { orders }))
}

/// A verdict and, if it is valid and orders were asked for, an order for each key.
type Judged = (Verdict, Option<Vec<Vec<u32>>>);

fn judge(operations: &Operations, model: Model, limits: &Limits<'_>, ordered: bool) -> Judged {
    let judge = judge::Judge { operations, limits, ordered };
    match model {
        Model::Register | Model::CasRegister | Model::Kv => judge.values(model),
        Model::MultiRegister => judge.subjects(|indexes| objects::MultiRegister::encode(operations, indexes)),
        Model::Mutex => judge.specified(&objects::Mutex),
        Model::OwnedMutex => judge.specified(&objects::Lock { reentrant: false, fenced: false }),
        Model::ReentrantMutex => judge.specified(&objects::Lock { reentrant: true, fenced: false }),
        Model::FencedMutex => judge.specified(&objects::Lock { reentrant: false, fenced: true }),
        Model::ReentrantFencedMutex => judge.specified(&objects::Lock { reentrant: true, fenced: true }),
        Model::Semaphore => judge.specified(&objects::Semaphore::of(operations)),
        Model::VersionedRegister => judge.specified(&objects::VersionedRegister),
        Model::Set => judge.subjects(|indexes| objects::Set::encode(operations, indexes)),
        Model::Counter => judge.specified(&objects::Counter),
        Model::FifoQueue => judge.container(objects::Discipline::Fifo),
        Model::UnorderedQueue => judge.container(objects::Discipline::Unordered),
        Model::Stack => judge.container(objects::Discipline::Stack),
        Model::PriorityQueue => judge.container(objects::Discipline::Priority),
    }
}
