//! A model of one's own: a bank account that must not be overdrawn, judged in about thirty lines.
//!
//! `cargo run -p checker --example own_model`

use checker::limits::Limits;
use checker::linearizability::{Specification, Verdict, check_against};
use history::{OperationRef, OutcomeRef, pair, read_jsonl};

/// Money goes in, and comes out as long as there is some: `deposit n`, `withdraw n` → true or false.
struct Account;

#[derive(Clone, PartialEq, Eq, Hash)]
enum Action {
    Deposit(u64),
    Withdraw(u64),
    /// A withdrawal that was refused.
    Refuse(u64),
}

impl Specification for Account {
    type State = u64;
    type Action = Action;

    fn initial(&self) -> u64 {
        0
    }

    fn action(&self, operation: OperationRef<'_>) -> Result<Option<Action>, String> {
        let amount = operation.argument.as_u64().ok_or("the amount is no number")?;
        Ok(match (operation.f, operation.outcome) {
            (_, OutcomeRef::Fail { .. }) => None,
            ("deposit", _) => Some(Action::Deposit(amount)),
            ("withdraw", OutcomeRef::Ok(given)) if given.as_bool() == Some(false) => {
                Some(Action::Refuse(amount))
            }
            ("withdraw", _) => Some(Action::Withdraw(amount)),
            (other, _) => return Err(format!("an account does not know {other:?}")),
        })
    }

    fn step(&self, state: &u64, action: &Action) -> impl IntoIterator<Item = u64> {
        match *action {
            Action::Deposit(amount) => Some(state + amount),
            Action::Withdraw(amount) => state.checked_sub(amount),
            Action::Refuse(amount) => (*state < amount).then_some(*state),
        }
    }

    fn is_pure(&self, action: &Action) -> bool {
        matches!(action, Action::Refuse(_))
    }
}

/// Two clients withdraw 80 of 100 at the same time, and both get the answer that they have them.
const HISTORY: &str = r#"{"history":1,"spec":"account","variant":"main","model":"account","seed":1,"started":"2026-11-23T10:00:00Z"}
{"time":1,"process":0,"type":"invoke","f":"deposit","value":100}
{"time":2,"process":0,"type":"ok","f":"deposit","value":100}
{"time":3,"process":0,"type":"invoke","f":"withdraw","value":80}
{"time":4,"process":1,"type":"invoke","f":"withdraw","value":80}
{"time":5,"process":0,"type":"ok","f":"withdraw","value":true}
{"time":6,"process":1,"type":"ok","f":"withdraw","value":true}
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let operations = pair(&read_jsonl(HISTORY.as_bytes())?.events)?;
    match check_against(&operations, &Account, &Limits::DEFAULT) {
        Verdict::Valid { operations, .. } => println!("{operations} operations fit one order"),
        Verdict::Invalid(witness) => println!("{}", witness.summary),
        Verdict::Unknown { reason } => println!("unknown: {reason}"),
    }
    Ok(())
}
