//! What a run of an audit draws besides its faults: options of the store and of the load, from the same lists for every flaw.
//!
//! *Idea*: swarm testing (Groce et al., ISSTA 2012). A search that always has everything switched on misses what only shows with
//! something switched off. The lists have what the spec allows and the defaults leave alone.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use toml::{Table, Value};

/// Each dimension with its possible values: dotted keys to be set.
const DIMENSIONS: [&[&[(&str, &str)]]; 4] = [
    &[
        &[],
        &[
            ("cluster.paxos.leadership", "\"compete\""),
            ("cluster.paxos.backoff", "{ kind = \"exponential\", base = \"10ms\", max = \"200ms\" }"),
        ],
    ],
    &[&[], &[("cluster.paxos.read", "\"quorum\"")], &[("cluster.paxos.read", "\"lease\"")]],
    &[
        &[],
        &[
            ("cluster.paxos.window", "20"),
            ("cluster.paxos.keep-bytes", "2000"),
            ("cluster.paxos.snapshot-bytes", "12000"),
        ],
    ],
    &[
        &[],
        &[("load.workload", "\"kv\""), ("load.mix", "{ get = 3, put = 2, append = 3, cas = 2 }")],
        &[
            ("load.workload", "\"kv\""),
            ("load.mix", "{ get = 3, put = 2, append = 3, cas = 2 }"),
            ("load.retry", "\"30ms\""),
        ],
        &[("load.mix", "{ read = 12, write = 3, cas = 1 }")],
    ],
];

/// Draws one value of every dimension into the table of a spec.
pub(super) fn options(table: &mut Table, rng: &mut ChaCha8Rng) {
    let choices: Vec<usize> = lists().into_iter().map(|values| rng.random_range(0..values)).collect();
    choose(table, &choices);
}

/// The number of values of each dimension.
pub(super) fn lists() -> Vec<usize> {
    DIMENSIONS.iter().map(|values| values.len()).collect()
}

/// Sets the value of each dimension that has this index.
pub(super) fn choose(table: &mut Table, choices: &[usize]) {
    for (values, choice) in DIMENSIONS.iter().zip(choices) {
        for (path, value) in values[*choice] {
            set(table, path, value);
        }
    }
}

/// Sets a dotted key to a value in TOML.
pub(super) fn set(table: &mut Table, path: &str, value: &str) {
    let parsed: Table = format!("value = {value}").parse().expect("the lists are written in TOML");
    let value = parsed["value"].clone();
    let (sections, key) = path.rsplit_once('.').unwrap_or(("", path));
    let mut inner = table;
    for section in sections.split('.').filter(|section| !section.is_empty()) {
        let entry = inner.entry(section).or_insert_with(|| Value::Table(Table::new()));
        inner = entry.as_table_mut().expect("the lists name keys of tables");
    }
    inner.insert(key.to_owned(), value);
}

#[cfg(test)]
mod tests {
    use super::{DIMENSIONS, options, set};
    use node::flaw::Flaw;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;
    use toml::Table;

    #[test]
    fn lists_name_no_flaw() {
        let lists = format!("{DIMENSIONS:?}");
        assert!(Flaw::ALL.iter().all(|flaw| !lists.contains(flaw.name())) && !lists.contains("flaw"));
    }

    #[test]
    fn keys_are_set_in_their_tables() {
        let mut table: Table = "[load]\nrate = 5\n".parse().unwrap();
        set(&mut table, "cluster.paxos.window", "20");
        options(&mut table, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(table["cluster"]["paxos"]["window"].as_integer(), Some(20));
        assert_eq!(table["load"]["rate"].as_integer(), Some(5));
    }
}
