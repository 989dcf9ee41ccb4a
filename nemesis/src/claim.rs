//! Who holds a fault.

/// The number of the fault in the plan; 0 for what was done by hand.
pub type Claim = u32;
