//! See the package description; the parts follow.
