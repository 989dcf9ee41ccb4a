//! Phrases that stand in the evidence of a fault and that a verdict looks for.

/// A loss that a file system with ordered folders does not know.
pub const ONLY_FOLDERS: &str = "lost only because a folder was not synced (folders = \"strict\")";
/// A torn write that no disk with atomic sectors knows.
pub const INSIDE_SECTOR: &str = "cut inside a sector (tear = \"byte\")";
/// A state of a disk after a power loss that it had after no earlier one.
pub const CRASH_IMAGE: &str = "crash image";
