//! Whether all that was acknowledged is in the final reads of a set.

use super::ledger::Ledger;
use super::presence::{self, Element, Read};
use super::verdict::Class;
use crate::words;

pub(super) fn judge(own: &[usize], once: bool, ledger: &mut Ledger<'_>) {
    let (mut elements, reads) = presence::read_set(own, ledger);
    let finals = final_reads(&reads);
    elements.watch(&finals);
    let last = finals.last().map(|read| read.invoked);
    let mut owed = 0;
    for name in ["attempted", "acknowledged", "ok", "lost", "unexpected", "recovered"] {
        ledger.count(name, 0);
    }
    for element in &elements.all {
        ledger.count("attempted", usize::from(element.attempted()));
        ledger.count("acknowledged", usize::from(element.acknowledged.is_some()));
        owed += usize::from(element.acknowledged.is_some_and(|ack| last.is_some_and(|last| ack < last)));
        if let Some((operations, text)) = presence::unexpected(element, &finals) {
            ledger.count("unexpected", 1);
            ledger.breaks(Class::Unexpected, element.value, operations, text);
        } else if !element.seen.is_empty() {
            ledger.count("ok", 1);
            recovered(element, &finals, ledger);
        }
        lost(element, &finals, ledger);
        if once && element.most.0 > 1 {
            duplicated(element, &finals, ledger);
        }
    }
    if finals.is_empty() {
        ledger.doubt("the set was never read");
    } else if owed == 0 {
        ledger.doubt("no add was acknowledged before the final read, so nothing had to be in it");
    }
}

/// Those of the phase `final`, or the read that completed last.
fn final_reads<'a>(reads: &[Read<'a>]) -> Vec<Read<'a>> {
    let marked: Vec<Read<'a>> = reads.iter().filter(|read| read.is_final).copied().collect();
    if marked.is_empty() {
        reads.iter().max_by_key(|read| read.completed).copied().into_iter().collect()
    } else {
        marked
    }
}

fn duplicated(element: &Element<'_>, finals: &[Read<'_>], ledger: &mut Ledger<'_>) {
    let (times, read) = element.most;
    let index = finals[read].completed.index;
    let value = words::shown(element.value);
    let text = format!("element {value} is in the final read of operation {index} {times} times");
    ledger.breaks(Class::Duplicated, element.value, vec![index], text);
}

fn recovered(element: &Element<'_>, finals: &[Read<'_>], ledger: &mut Ledger<'_>) {
    let (None, Some(exists), Some(&seen)) = (element.acknowledged, element.exists, element.seen.last())
    else {
        return;
    };
    ledger.count("recovered", 1);
    let text = format!(
        "element {} was recovered: its add was never acknowledged, but the final read has it",
        words::shown(element.value)
    );
    let operations = vec![exists.index, finals[seen].completed.index];
    ledger.remarks(Class::Recovered, element.value, operations, text);
}

fn lost(element: &Element<'_>, finals: &[Read<'_>], ledger: &mut Ledger<'_>) {
    let Some(acknowledged) = element.acknowledged else { return };
    let absent = presence::last_absent(element.seen.iter().rev().copied(), (0..finals.len()).rev());
    let Some(read) = absent.map(|index| &finals[index]).filter(|read| acknowledged < read.invoked) else {
        return;
    };
    ledger.count("lost", 1);
    let text = format!(
        "element {} is lost: operation {} added it, and the final read of operation {} does not have it",
        words::shown(element.value),
        acknowledged.index,
        read.invoked.index
    );
    let operations = vec![acknowledged.index, read.invoked.index];
    ledger.breaks(Class::Lost, element.value, operations, text);
}
