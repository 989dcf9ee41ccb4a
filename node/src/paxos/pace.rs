//! The pace of retransmissions: slower with more bytes in flight, and within a budget of bytes.
//!
//! A large command takes longer than a small one to travel and to be written. With the retransmission interval
//! of small commands, copies would delay their originals, and the cluster would never finish.

use std::time::Duration;

/// Bytes that travel and are written within the option `resend`; also the limit of copies in that time.
const BYTES: usize = 1 << 20;

/// Limit of a replica's undecided proposals, in bytes; further commands wait.
pub(super) const UNDER_WAY: usize = 16 << 20;

/// Time for an answer while `under_way` bytes are in flight.
pub(super) fn patience(resend: Duration, under_way: usize) -> Duration {
    let sixteenths = u32::try_from(under_way / (BYTES / 16)).unwrap_or(u32::MAX);
    resend.saturating_add(resend.saturating_mul(sixteenths) / 16)
}

/// The budget of retransmitted bytes.
#[derive(Debug, Default)]
pub(super) struct Budget {
    renewed: Option<Duration>,
    left: usize,
}

impl Budget {
    /// Whether a copy of `bytes` bytes may be sent now.
    pub(super) fn take(&mut self, now: Duration, resend: Duration, bytes: usize) -> bool {
        let over = self.renewed.is_none_or(|renewed| now >= renewed.saturating_add(resend));
        if self.left == 0 && over {
            self.renewed = Some(now);
            self.left = BYTES;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(bytes);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESEND: Duration = Duration::from_millis(200);

    #[test]
    fn small_commands_are_resent_after_resend() {
        assert_eq!(patience(RESEND, 1000), RESEND);
        assert_eq!(patience(RESEND, BYTES), 2 * RESEND);
        assert_eq!(patience(RESEND, UNDER_WAY), 17 * RESEND);
        assert!(patience(Duration::MAX, usize::MAX) > RESEND);
    }

    #[test]
    fn copies_are_bounded_over_time() {
        let mut budget = Budget::default();
        let mut sent = |from: u64, to: u64, bytes| {
            (from..to).filter(|&ms| budget.take(Duration::from_millis(ms), RESEND, bytes)).count()
        };
        assert_eq!(sent(200, 1200, BYTES), 5, "a large one every 200 ms");
        assert_eq!(sent(1200, 1400, 100), 200, "small ones are not delayed");
    }
}
