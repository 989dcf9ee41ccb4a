//! How the variables of a search are decided.

/// How a variable is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guide {
    /// As the present order has it.
    Order,
    /// True if it is the preferred one of its group.
    OneOf(u32),
    /// Not at all: it only follows from others.
    Implied,
}
