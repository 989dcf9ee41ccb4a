//! The holder of a fault.

/// The number of the fault in the plan; 0 for an action by hand.
pub type Claim = u32;
