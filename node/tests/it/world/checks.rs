//! What must be true of a cluster in virtual time: of its memory, of what clients were told, and of its service.

use super::{END, World};
use std::collections::BTreeMap;
use std::time::Duration;

impl World {
    /// What an acceptor has forgotten, one replica more than may fail must have told to have on disk.
    pub(super) fn check_collected(&mut self, place: usize) {
        let collected = self.nodes[place].roles.acceptor.collected();
        let rose = collected > std::mem::replace(&mut self.nodes[place].collected, collected);
        // Whoever knows an older membership may count on nodes that are gone: the new ones have it then.
        if !rose || self.nodes[place].roles.roster.version < self.version {
            return;
        }
        for group in self.nodes[place].roles.roster.groups.clone() {
            let has = |id| self.place_of(place, id).is_some_and(|place| self.nodes[place].told >= collected);
            let safe = group.replicas.iter().filter(|&&id| has(id)).count();
            if safe < group.replicas.len() / 2 + 1 {
                self.broken =
                    Some(format!("slots below {collected} were collected, and {safe} replicas have them"));
            }
        }
    }

    /// The counter is linearizable: each increment has a result of its own, nothing that began after a
    /// call ended is told less than that call was, and nothing is told of more increments than had begun.
    pub(super) fn check_calls(&mut self) {
        let mut ended: Vec<_> = self.calls.values().filter_map(|call| Some((call, call.ended?))).collect();
        let mut seen = BTreeMap::new();
        for (call, (_, value)) in &ended {
            if !call.reads && seen.insert(*value, call.began).is_some() {
                self.broken = Some(format!("two increments were both told {value}"));
            }
        }
        ended.sort_by_key(|(_, (end, _))| *end);
        for (later, (end, value)) in &ended {
            let before = ended.iter().take_while(|(_, (end, _))| *end < later.began);
            let begun = self.calls.values().filter(|call| !call.reads && call.began <= *end);
            let most = i64::try_from(begun.count()).unwrap();
            if *value > most {
                self.broken = Some(format!("a call was told {value} when {most} increments had begun"));
            }
            let least = before.map(|(_, (_, value))| *value).max().unwrap_or(0);
            if *value < least + i64::from(!later.reads) {
                self.broken = Some(format!("a call that began after {least} was told {value}"));
            }
        }
    }

    /// Long after the last fault every call to a living node is answered.
    pub(super) fn check_service(&mut self) {
        let late = self.calls.values().filter(|call| call.taken && call.began + Duration::from_secs(2) > END);
        let (answered, all) =
            late.fold((0, 0), |(answered, all), call| (answered + u32::from(call.ended.is_some()), all + 1));
        if answered < all {
            self.broken = Some(format!("long after the faults {answered} of {all} calls were answered"));
        }
    }
}
