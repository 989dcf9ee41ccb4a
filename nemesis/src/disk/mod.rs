//! What happens to the nodes' data: the files of a node that is down are damaged or removed.

mod damage;
mod empty;

pub(crate) use damage::apply;
pub use damage::{Damage, DamageError, Harm};
pub(crate) use empty::empty;
