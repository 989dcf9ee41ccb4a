//! The spec that the options of `bench maelstrom test` make: a run like any other.

use super::flags::{Name, Shape, Spread, Test, Trouble};
use crate::failure::Failure;
use crate::spec::Document;
use clap::ValueEnum;
use toml::{Table, Value};

/// The least time that a fault may have.
const LEAST_FAULT: f64 = 1.0;
/// The time after the last fault in which the load goes on, at the end of the load.
const AFTER_FAULT: f64 = 0.5;
/// How long nodes that exchange what they know have until the final reads, in seconds; as long as in Maelstrom.
const AGREE: i64 = 10;

/// Makes the spec.
///
/// # Errors
/// When the options contradict each other (exit code 2).
pub(crate) fn document(test: &Test) -> Result<Document, Failure> {
    let nodes = node_count(test)?;
    let mut spec = Table::new();
    spec.insert("name".to_owned(), Value::from(format!("maelstrom-{}", word(&test.workload))));
    spec.insert("about".to_owned(), Value::from(about(test)));
    spec.insert("cluster".to_owned(), cluster(test, nodes)?.into());
    spec.insert("client".to_owned(), client(test)?.into());
    spec.insert("load".to_owned(), load(test, nodes)?.into());
    spec.insert("check".to_owned(), check(test)?.into());
    let faults = faults(test, nodes)?;
    if !faults.is_empty() {
        spec.insert("fault".to_owned(), Value::Array(faults.into_iter().map(Value::Table).collect()));
    }
    let made = toml::to_string_pretty(&spec).expect("a table can be written as TOML");
    Ok(Document { name: "bench maelstrom".to_owned(), text: format!("# What bench maelstrom ran.\n{made}") })
}

fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn about(test: &Test) -> String {
    let troubles: Vec<String> = test.nemesis.iter().map(word).collect();
    let under = if troubles.is_empty() { String::new() } else { format!(" under {}", troubles.join(", ")) };
    format!("The workload {} of Maelstrom{under}.", word(&test.workload))
}

fn node_count(test: &Test) -> Result<u32, Failure> {
    if let Some(count) = test.node_count {
        return Ok(count);
    }
    let odd = (1..).zip(&test.nodes).find(|(number, name)| **name != format!("n{number}"));
    match odd {
        Some((number, name)) => Err(Failure::usage("--nodes", format!("the node {number} is named {name}"))
            .help(format!("nodes are n1, n2, …; use --node-count {}", test.nodes.len()))),
        None if test.nodes.is_empty() => Ok(5),
        None => Ok(u32::try_from(test.nodes.len()).unwrap_or(u32::MAX)),
    }
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn cluster(test: &Test, nodes: u32) -> Result<Table, Failure> {
    // Braces are words in a spec.
    let plain = |text: &str| text.replace('{', "{{").replace('}', "}}");
    let mut args = Vec::new();
    for argument in &test.arguments {
        let given = argument.to_str().ok_or_else(|| {
            Failure::usage(argument.to_string_lossy(), "an argument of the program must be text")
        })?;
        args.push(Value::from(plain(given)));
    }
    let program = test.bin.to_str().ok_or_else(|| Failure::usage("--bin", "the path must be text"))?;
    let env = table([("BENCH_DATA", Value::from("{data}"))]);
    let mut cluster = table([
        ("system", Value::from("command")),
        ("program", Value::from(program)),
        ("nodes", Value::from(i64::from(nodes))),
        ("network", Value::from("messages")),
        ("env", env.into()),
    ]);
    if !args.is_empty() {
        cluster.insert("args".to_owned(), Value::Array(args));
    }
    if test.latency > 0 {
        let jitter = if test.latency_dist == Spread::Uniform { test.latency } else { 0 };
        let links = table([
            ("delay", Value::from(format!("{}ms", test.latency))),
            ("jitter", Value::from(format!("{jitter}ms"))),
        ]);
        cluster.insert("links".to_owned(), links.into());
    }
    Ok(cluster)
}

fn client(test: &Test) -> Result<Table, Failure> {
    let mut client = table([("kind", Value::from("maelstrom"))]);
    if test.workload == Name::Broadcast {
        client.insert("messages".to_owned(), Value::from("broadcast"));
        client.insert("topology".to_owned(), Value::from(word(&test.topology.unwrap_or(Shape::Grid))));
    } else if test.topology.is_some() {
        return Err(Failure::usage("--topology", "only the workload broadcast has one").help("remove it"));
    }
    Ok(client)
}

fn load(test: &Test, nodes: u32) -> Result<Table, Failure> {
    let workload = match test.workload {
        Name::Echo => "echo",
        Name::UniqueIds => "unique-ids",
        Name::Broadcast | Name::GSet => "set",
        Name::GCounter => "g-counter",
        Name::PnCounter => "pn-counter",
        Name::LinKv => "register",
        Name::TxnListAppend => "list-append",
        Name::TxnRwRegister => "rw-register",
        Name::Kafka => "kafka",
    };
    let agree = matches!(test.workload, Name::Broadcast | Name::GSet | Name::GCounter | Name::PnCounter);
    let quiet = if agree { AGREE } else { 1 };
    let mut load = table([
        ("workload", Value::from(workload)),
        ("clients", Value::from(i64::from(clients(test, nodes)?))),
        ("rate", Value::from(test.rate)),
        ("arrivals", Value::from("poisson")),
        ("duration", milliseconds(test.time_limit)),
        ("warmup", Value::from("0s")),
        ("recovery", Value::from(if test.nemesis.is_empty() { "1s" } else { "5s" })),
        ("quiet", Value::from(format!("{quiet}s"))),
        ("timeout", Value::from(format!("{}ms", test.timeout))),
        ("minimum-rate", Value::from((test.rate / 10.0).min(1.0))),
    ]);
    if let Some(keys) = test.key_count {
        load.insert("keys".to_owned(), Value::from(i64::from(keys)));
    }
    let has_transactions = matches!(test.workload, Name::TxnListAppend | Name::TxnRwRegister);
    if let Some(most) = test.max_writes_per_key.filter(|_| has_transactions) {
        load.insert("max-writes-per-key".to_owned(), Value::from(i64::from(most)));
    }
    Ok(load)
}

fn milliseconds(seconds: f64) -> Value {
    Value::from(format!("{:.0}ms", seconds * 1e3))
}

fn clients(test: &Test, nodes: u32) -> Result<u32, Failure> {
    let given = test.concurrency.trim();
    let wrong = || {
        Failure::usage("--concurrency", format!("\"{given}\" is no number of clients"))
            .help("write a number, or a multiple of the nodes such as 2n")
    };
    let count = match given.strip_suffix('n') {
        Some("") => nodes,
        Some(times) => times.parse::<u32>().map_err(|_| wrong())?.saturating_mul(nodes),
        None => given.parse::<u32>().map_err(|_| wrong())?,
    };
    if count == 0 { Err(wrong()) } else { Ok(count) }
}

fn check(test: &Test) -> Result<Table, Failure> {
    let mut check = Table::new();
    if let Some(models) = &test.consistency_models {
        if !matches!(test.workload, Name::TxnListAppend | Name::TxnRwRegister) {
            let what = format!("the workload {} has no transactions", word(&test.workload));
            return Err(Failure::usage("--consistency-models", what).help("remove it"));
        }
        if models.contains(',') {
            return Err(Failure::usage("--consistency-models", "transactions are judged by one model")
                .help("give the strongest of them"));
        }
        check.insert("promise".to_owned(), Value::from(models.trim()));
    }
    if let Some(availability) = &test.availability {
        let share = match availability.as_str() {
            "total" => Some(1.0),
            number => number.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share)),
        };
        let share = share.ok_or_else(|| {
            Failure::usage("--availability", format!("\"{availability}\" is no share of the requests"))
                .help("write total, or a number from 0 to 1")
        })?;
        check.insert("availability".to_owned(), Value::from(share));
    }
    Ok(check)
}

/// Faults take turns with quiet times of the same length, after half of such a time.
fn faults(test: &Test, nodes: u32) -> Result<Vec<Table>, Failure> {
    let mut faults = Vec::new();
    let shares = [("loss", &test.loss), ("reorder", &test.reorder), ("duplicate", &test.duplicate)];
    let mut flaky: Table = shares
        .into_iter()
        .filter_map(|(key, share)| Some((key.to_owned(), Value::from(share.as_deref()?))))
        .collect();
    let between_nodes = !flaky.is_empty() || test.nemesis.contains(&Trouble::Partition);
    if between_nodes && nodes < 2 {
        let what = "one node has no links to others, on which messages could be lost";
        return Err(Failure::usage("--node-count", what).help("use two nodes at least"));
    }
    if !flaky.is_empty() {
        flaky.insert("kind".to_owned(), Value::from("flaky"));
        flaky.insert("at".to_owned(), Value::from("0s"));
        flaky.insert("for".to_owned(), milliseconds(test.time_limit));
        faults.push(flaky);
    }
    let interval = test.nemesis_interval;
    for (turn, trouble) in test.nemesis.iter().enumerate() {
        // Faults of several kinds begin one after the other.
        let later = interval * turn as f64 / test.nemesis.len() as f64;
        let begins = (0..).map(|number| interval * (0.5 + 2.0 * f64::from(number)) + later);
        let mut count = 0;
        for at in begins.take_while(|at| at + LEAST_FAULT + AFTER_FAULT <= test.time_limit) {
            let lasts = interval.min(test.time_limit - AFTER_FAULT - at);
            let mut fault = one(*trouble, nodes, count);
            fault.insert("at".to_owned(), milliseconds(at));
            fault.insert("for".to_owned(), milliseconds(lasts));
            faults.push(fault);
            count += 1;
        }
        if count == 0 {
            let what = format!(
                "with an interval of {interval} s no {} would begin within {} s",
                word(trouble),
                test.time_limit
            );
            return Err(Failure::usage("--nemesis-interval", what)
                .help("give a shorter interval or a longer --time-limit"));
        }
    }
    Ok(faults)
}

/// The fault of a turn; partitions change their shape.
fn one(trouble: Trouble, nodes: u32, turn: usize) -> Table {
    let shapes: &[&str] = match nodes {
        0..=2 => &["halves"],
        3 => &["halves", "bridge"],
        _ => &["halves", "majority-ring", "one", "bridge"],
    };
    match trouble {
        Trouble::Partition => {
            table([("kind", Value::from("partition")), ("shape", Value::from(shapes[turn % shapes.len()]))])
        }
        Trouble::Kill => table([("kind", Value::from("kill")), ("target", Value::from("random"))]),
        Trouble::Pause => table([("kind", Value::from("pause")), ("target", Value::from("random"))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        test: Test,
    }

    fn made(words: &str) -> Result<Table, Failure> {
        let words = ["test", "--bin", "/bin/true"].into_iter().chain(words.split_whitespace());
        let test = Line::try_parse_from(words).unwrap().test;
        document(&test).map(|document| document.text.parse().unwrap())
    }

    #[test]
    fn options_of_a_course_make_a_spec() {
        let spec = made(
            "-w txn-rw-register --node-count 2 --concurrency 2n --time-limit 20 --rate 1000 --consistency-models \
             read-uncommitted --availability total --nemesis partition",
        )
        .unwrap();
        assert_eq!(spec["load"]["clients"].as_integer(), Some(4));
        assert_eq!(spec["load"]["duration"].as_str(), Some("20000ms"));
        assert_eq!(spec["check"]["promise"].as_str(), Some("read-uncommitted"));
        assert_eq!(spec["check"]["availability"].as_float(), Some(1.0));
        let faults = spec["fault"].as_array().unwrap();
        assert_eq!(faults.len(), 1);
        assert_eq!((faults[0]["at"].as_str(), faults[0]["for"].as_str()), (Some("5000ms"), Some("10000ms")));
        let spec = made("-w broadcast --node-count 25 --rate 100 --latency 100 -- --fast {x}").unwrap();
        assert_eq!(spec["cluster"]["links"]["delay"].as_str(), Some("100ms"));
        assert_eq!(spec["cluster"]["args"][1].as_str(), Some("{{x}}"));
        assert_eq!(spec["client"]["topology"].as_str(), Some("grid"));
        assert_eq!(spec["load"]["quiet"].as_str(), Some("10s"));
    }

    #[test]
    fn options_that_cannot_be_meant_are_refused() {
        for (words, place) in [
            ("--nodes a,b", "--nodes"),
            ("--concurrency 2m", "--concurrency"),
            ("--concurrency 0", "--concurrency"),
            ("--topology line", "--topology"),
            ("--consistency-models serializable", "--consistency-models"),
            ("-w txn-list-append --consistency-models a,b", "--consistency-models"),
            ("--availability most", "--availability"),
            ("--availability 1.5", "--availability"),
            ("--node-count 1 --nemesis partition", "--node-count"),
            ("--node-count 1 --loss 5%", "--node-count"),
            ("--nemesis kill --time-limit 5", "--nemesis-interval"),
        ] {
            let failure = made(words).expect_err(words);
            assert_eq!(failure.location, place, "{words}");
            assert!(failure.help.is_some(), "{words}");
        }
    }
}
