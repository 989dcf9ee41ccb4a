//! What happens to the nodes' data: the files of a node that is down are damaged.

mod damage;

pub(crate) use damage::apply;
pub use damage::{Damage, DamageError, Harm};
