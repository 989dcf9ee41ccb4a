//! Whether words come back as they were said.

use super::ledger::Ledger;
use super::verdict::Class;
use crate::words;

pub(super) fn judge(own: &[usize], ledger: &mut Ledger<'_>) {
    let operations = ledger.operations;
    let (mut attempted, mut answered) = (0, 0);
    for name in ["attempted", "answered", "unexpected"] {
        ledger.count(name, 0);
    }
    for &index in own {
        let operation = operations.at(index);
        if operation.f != "echo" {
            ledger.stranger(index);
            continue;
        }
        attempted += 1;
        let Some((_, answer)) = ledger.acknowledged(index) else { continue };
        answered += 1;
        if answer != operation.argument {
            ledger.count("unexpected", 1);
            let (said, back) = (words::shown(operation.argument), words::shown(answer));
            let text = format!("operation {index} said {said}, and {back} came back");
            ledger.breaks(Class::Unexpected, answer, vec![index], text);
        }
    }
    ledger.count("attempted", attempted);
    ledger.count("answered", answered);
    if answered == 0 {
        ledger.doubt("nothing was answered");
    }
}
