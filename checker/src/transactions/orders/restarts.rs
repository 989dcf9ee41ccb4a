//! When a search begins anew with what it has learned: the Luby sequence (Luby, Sinclair and Zuckerman 1993).

/// Conflicts between two restarts, times the Luby sequence.
const UNIT: u64 = 128;

/// Counts conflicts.
#[derive(Debug)]
pub(super) struct Restarts {
    restarts: u64,
    left: u64,
}

impl Default for Restarts {
    fn default() -> Self {
        Self { restarts: 0, left: UNIT }
    }
}

impl Restarts {
    pub(super) fn conflict(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// Whether to begin anew; if so, counts from here.
    pub(super) fn is_due(&mut self) -> bool {
        let due = self.left == 0;
        if due {
            self.restarts += 1;
            self.left = UNIT * luby(self.restarts);
        }
        due
    }
}

/// The Luby sequence: 1, 1, 2, 1, 1, 2, 4, ….
fn luby(mut index: u64) -> u64 {
    loop {
        let bits = u64::BITS - index.leading_zeros();
        if index == (1 << bits) - 1 {
            return 1 << (bits - 1);
        }
        index -= (1 << (bits - 1)) - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_follow_the_luby_sequence() {
        let first: Vec<u64> = (1..=15).map(luby).collect();
        assert_eq!(first, [1, 1, 2, 1, 1, 2, 4, 1, 1, 2, 1, 1, 2, 4, 8]);
    }
}
