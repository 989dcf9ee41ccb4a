//! Do the replicas agree on what was decided, slot by slot?

use serde_json::Value;
use std::collections::BTreeMap;

/// What one node said was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decisions {
    /// The node's name, for example `n1`.
    pub node: String,
    /// Slots and their commands, in any order. Equal commands are equal JSON.
    pub slots: Vec<(u64, Value)>,
}

/// Whether the nodes agree.
#[derive(Debug, Clone, PartialEq)]
pub enum Agreement {
    /// They agree on every slot that two of them know, and no node knows two commands for a slot.
    Valid {
        /// Slots that at least two nodes know.
        compared: usize,
        /// Slots that at least one node knows.
        decided: usize,
    },
    /// They do not: two commands were decided for one slot.
    Invalid {
        /// The first slots that differ, at most [`DIFFERENCES_NAMED`].
        differences: Vec<Difference>,
        /// How many slots differ.
        slots: usize,
    },
    /// There is nothing to compare.
    Unknown {
        /// Why not.
        reason: String,
    },
}

/// A slot for which more than one command was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The slot.
    pub slot: u64,
    /// Each command with the nodes that say it was decided, in the order of their names in the input.
    pub said: Vec<(Value, Vec<String>)>,
}

/// The most differences a result names.
pub const DIFFERENCES_NAMED: usize = 10;

/// Compares what the nodes said, slot by slot. Slots that only one node knows agree with themselves, so a
/// replica that is behind, or has thrown old slots away, is no disagreement.
pub fn agree(nodes: &[Decisions]) -> Agreement {
    let mut slots: BTreeMap<u64, Vec<(&Value, Vec<&str>)>> = BTreeMap::new();
    for node in nodes {
        for (slot, command) in &node.slots {
            let said = slots.entry(*slot).or_default();
            match said.iter_mut().find(|(other, _)| *other == command) {
                Some((_, names)) => names.push(&node.node),
                None => said.push((command, vec![&node.node])),
            }
        }
    }
    let different: Vec<_> = slots.iter().filter(|(_, said)| said.len() > 1).collect();
    if !different.is_empty() {
        return Agreement::Invalid {
            differences: different
                .iter()
                .take(DIFFERENCES_NAMED)
                .map(|(slot, said)| difference(**slot, said))
                .collect(),
            slots: different.len(),
        };
    }
    let known_to_two = |said: &[(&Value, Vec<&str>)]| {
        said.iter().any(|(_, names)| names.iter().any(|name| *name != names[0]))
    };
    let compared = slots.values().filter(|said| known_to_two(said)).count();
    if compared == 0 {
        return Agreement::Unknown { reason: nothing_to_compare(nodes) };
    }
    Agreement::Valid { compared, decided: slots.len() }
}

fn difference(slot: u64, said: &[(&Value, Vec<&str>)]) -> Difference {
    let said = said
        .iter()
        .map(|(command, names)| ((*command).clone(), names.iter().map(|&name| name.to_owned()).collect()))
        .collect();
    Difference { slot, said }
}

fn nothing_to_compare(nodes: &[Decisions]) -> String {
    let telling: Vec<&str> =
        nodes.iter().filter(|node| !node.slots.is_empty()).map(|node| node.node.as_str()).collect();
    match telling.as_slice() {
        [] => "no node said what was decided".to_owned(),
        [one] => format!("only {one} said what was decided; it takes two to compare"),
        _ => format!("no slot is known to two of {}", telling.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(name: &str, slots: &[(u64, &str)]) -> Decisions {
        let slots = slots.iter().map(|&(slot, op)| (slot, json!({"client": "c1", "op": op}))).collect();
        Decisions { node: name.into(), slots }
    }

    #[test]
    fn replicas_that_are_behind_agree_on_what_they_know() {
        let nodes =
            [node("n1", &[(1, "a"), (2, "b"), (3, "c")]), node("n2", &[(3, "c"), (2, "b")]), node("n3", &[])];
        assert_eq!(agree(&nodes), Agreement::Valid { compared: 2, decided: 3 });
    }

    #[test]
    fn a_slot_with_two_commands_names_who_says_what() {
        let nodes =
            [node("n1", &[(1, "a"), (2, "b")]), node("n2", &[(1, "a"), (2, "x")]), node("n3", &[(2, "b")])];
        let Agreement::Invalid { differences, slots: 1 } = agree(&nodes) else { panic!("slot 2 differs") };
        let command = |op: &str| json!({"client": "c1", "op": op});
        assert_eq!(differences.len(), 1);
        assert_eq!(differences[0].slot, 2);
        assert_eq!(
            differences[0].said,
            [(command("b"), vec!["n1".into(), "n3".into()]), (command("x"), vec!["n2".into()])]
        );
    }

    #[test]
    fn one_node_that_says_two_things_of_a_slot_contradicts_itself() {
        let Agreement::Invalid { differences, .. } = agree(&[node("n1", &[(7, "a"), (7, "b")])]) else {
            panic!("slot 7 has two commands")
        };
        assert_eq!(differences[0].slot, 7);
    }

    #[test]
    fn fields_in_another_order_are_the_same_command() {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let one = Decisions { node: "n1".into(), slots: vec![(1, parse(r#"{"a":1,"b":2}"#))] };
        let two = Decisions { node: "n2".into(), slots: vec![(1, parse(r#"{"b":2,"a":1}"#))] };
        assert_eq!(agree(&[one, two]), Agreement::Valid { compared: 1, decided: 1 });
    }

    #[test]
    fn nothing_to_compare_is_unknown_and_says_why() {
        let cases: [(&[Decisions], &str); 4] = [
            (&[], "no node said"),
            (&[node("n1", &[]), node("n2", &[])], "no node said"),
            (&[node("n1", &[(1, "a"), (1, "a")]), node("n2", &[])], "only n1"),
            (&[node("n1", &[(1, "a")]), node("n2", &[(2, "b")])], "no slot"),
        ];
        for (nodes, words) in cases {
            let Agreement::Unknown { reason } = agree(nodes) else { panic!("{nodes:?} compare nothing") };
            assert!(reason.contains(words), "{reason}");
        }
    }

    #[test]
    fn only_the_first_differences_are_named_but_all_are_counted() {
        let slots = |op: &'static str| (1..=25).map(|slot| (slot, op)).collect::<Vec<_>>();
        let Agreement::Invalid { differences, slots: 25 } =
            agree(&[node("n1", &slots("a")), node("n2", &slots("b"))])
        else {
            panic!("25 slots differ")
        };
        assert_eq!(differences.iter().map(|d| d.slot).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    }
}
