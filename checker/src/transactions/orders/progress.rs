//! How far a search came.

/// How far a search came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Every variable has a value.
    Complete,
    /// There is no solution; what that follows from.
    Impossible(u32),
    /// It is time for a restart.
    Restart,
    /// The caller said that time is up.
    Stopped,
}
