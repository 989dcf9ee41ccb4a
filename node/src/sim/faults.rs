//! The faults: crashes, losses of power, partitions, pauses.

use super::{Cluster, Event, FAULTS_END, MS};
use crate::config::Read;
use rand::RngExt;

impl Cluster {
    /// Begins or ends a fault, and plans the next one.
    pub(super) fn fault(&mut self) {
        let size = self.nodes.len();
        if self.now > FAULTS_END {
            self.network.heal();
            return;
        }
        if self.options.read == Read::Lease && self.rng.random_range(0..4) == 0 {
            let index = self.rng.random_range(0..size);
            self.nodes[index].paused_until = self.now + self.milliseconds(20..300);
        }
        match self.rng.random_range(0..9) {
            0 => {
                self.disks_stall_until = self.now + 30 * MS;
                self.at(self.now + 25 * MS, Event::PowerFails);
            }
            1 | 2 => {
                let (index, power) = (self.rng.random_range(0..size), self.rng.random_range(0..3) > 0);
                self.crash(index, power);
            }
            3..6 => {
                let sides: Vec<bool> = (0..size).map(|_| self.rng.random()).collect();
                self.network.partition(&sides);
            }
            _ => self.network.heal(),
        }
        let pause = self.milliseconds(50..500);
        self.at(self.now + pause, Event::Fault);
    }
}
