//! Whether the final reads of a counter agree, on a sum the adds allow.

use super::counting::{Add, Read, read_counter};
use super::ledger::Ledger;
use super::sums::Sums;
use super::verdict::Class;
use crate::words;

pub(super) fn judge(own: &[usize], only_grows: bool, ledger: &mut Ledger<'_>) {
    let counter = read_counter(own, ledger);
    let Some((adds, reads)) = counter else { return };
    let mut finals: Vec<Read<'_>> = reads.into_iter().filter(|read| read.is_final).collect();
    finals.sort_by_key(|read| read.invoked);
    ledger.count("final reads", finals.len());
    let Some(first) = finals.first() else {
        ledger.doubt(
            "no acknowledged read is of the phase \"final\", so it is not known which reads should agree",
        );
        return;
    };
    if let Some(add) = adds.iter().find(|add| only_grows && add.delta < 0) {
        ledger.doubt(format!("operation {} takes away from a counter that only grows", add.index));
        return;
    }
    let late = |add: &&Add| add.invoked.max(add.acknowledged.unwrap_or(0)) > first.invoked;
    if let Some(add) = adds.iter().find(late) {
        ledger.doubt(format!(
            "operation {} still added while the final reads were under way, so they need not agree",
            add.index
        ));
        return;
    }
    compare(&adds, &finals, ledger);
}

fn compare(adds: &[Add], finals: &[Read<'_>], ledger: &mut Ledger<'_>) {
    let certain: i128 = adds.iter().filter(|add| add.acknowledged.is_some()).map(|add| add.delta).sum();
    let sums = Sums::of(adds.iter().filter(|add| add.acknowledged.is_none()).map(|add| add.delta));
    let acceptable = sums.in_words(certain);
    ledger.note(format!("acceptable: {acceptable}"));
    let first = &finals[0];
    for read in finals {
        let (index, value) = (read.index, words::shown(read.shown));
        match sums.contains(read.value - certain) {
            Some(true) => {}
            Some(false) => {
                let text = format!(
                    "the final read of operation {index} is {value}, and the adds make {acceptable}"
                );
                ledger.breaks(Class::Unacceptable, read.shown, vec![index], text);
            }
            None => ledger.doubt(format!(
                "adds of unknown outcome combine in too many ways to tell whether {value} (operation {index}) is one"
            )),
        }
        if read.value != first.value {
            let text = format!(
                "the final read of operation {index} is {value}, that of operation {} is {}",
                first.index,
                words::shown(first.shown)
            );
            ledger.breaks(Class::Disagreeing, read.shown, vec![first.index, index], text);
        }
    }
}
