//! Gives clients that go on after an unknown outcome a new process number, as the rules of a history ask.

use super::{draft::Draft, fault::Fault};
use history::{Kind, Process};
use rustc_hash::FxHashMap;

struct Now {
    number: u64,
    ended: bool,
}

/// Renumbers the processes of a draft where they act again after an `info`. The old number stays as the
/// client.
pub(super) fn settle(draft: &mut Draft<'_>) -> Result<(), Fault> {
    let mut free = Fresh::after(draft.events.iter().map(|event| event.process));
    let mut processes: FxHashMap<u64, Now> = FxHashMap::default();
    let mut renumbered = 0;
    for event in &mut draft.events {
        let Process::Client(original) = event.process else { continue };
        let now = processes.entry(original).or_insert(Now { number: original, ended: false });
        if event.kind == Kind::Invoke && now.ended {
            *now = Now { number: free.next()?, ended: false };
            renumbered += 1;
        }
        if now.number != original {
            event.process = Process::Client(now.number);
            if event.kind == Kind::Invoke && event.client.is_none() {
                event.client = u32::try_from(original).ok();
            }
        }
        now.ended |= event.kind == Kind::Info;
    }
    draft.count_note(
        renumbered,
        "operation follows one of unknown outcome in its process: it got a process number of its own",
        "operations follow others of unknown outcome in their processes: they got new process numbers",
    );
    Ok(())
}

/// Process numbers that are free.
#[derive(Debug)]
pub(super) struct Fresh(Option<u64>);

impl Fresh {
    pub(super) fn after(taken: impl Iterator<Item = Process>) -> Self {
        let largest = taken
            .filter_map(|process| match process {
                Process::Client(number) => Some(number),
                Process::Nemesis => None,
            })
            .max();
        Self(largest.map_or(Some(0), |largest| largest.checked_add(1)))
    }

    pub(super) fn next(&mut self) -> Result<u64, Fault> {
        let number = self.0.ok_or_else(|| {
            Fault::whole_file("process numbers go up to 2^64-1, so that no new one is left; use smaller ones")
        })?;
        self.0 = number.checked_add(1);
        Ok(number)
    }
}
