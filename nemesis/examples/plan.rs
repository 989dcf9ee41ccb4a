//! The crate as a library: reads faults of a spec, then draws their times and targets from a seed.
//!
//! `cargo run -p nemesis --example plan`

use nemesis::{Clocks, DiskMode, FaultSpec, Mode, PlanOptions, Topology, plan};
use std::time::Duration;

/// The `[[fault]]` tables of a spec, as JSON.
const FAULTS: &str = r#"[
    { "kind": "kill", "target": "random", "at": "1s", "every": "3s", "jitter": "500ms", "for": "1s" },
    { "kind": "partition", "shape": "halves", "at": "2s", "for": "2s" }
]"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let faults: Vec<FaultSpec> = serde_json::from_str(FAULTS)?;
    let nodes = ["n1", "n2", "n3"].map(|name| (name, ["replica", "leader", "acceptor"]));
    let options = PlanOptions {
        mode: Mode::Proxy,
        disk: DiskMode::Real,
        clocks: Clocks::Shiftable,
        duration: Duration::from_secs(10),
        at_most: None,
        by_command: None,
        reconfigurable: false,
        reported: nemesis::Reported::ALL,
        simulated: false,
        seed: 7,
    };
    for fault in plan(&faults, &Topology::new(nodes), &options)? {
        println!("{}", serde_json::to_string(&fault)?);
    }
    Ok(())
}
