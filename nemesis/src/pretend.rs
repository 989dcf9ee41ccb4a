//! For tests: a node that is a real process, and a lab full of them. The process is the test binary itself.

use crate::clock::ProcessClock;
use crate::disk::{Disk, DiskModel};
use crate::lab::{Lab, LabConfig};
use crate::network::Network;
use crate::process::ProcessCommand;
use crate::spec::Links;
use crate::topology::Topology;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

const ADDRESS: &str = "PRETEND_NODE_ADDRESS";

/// Not a test: the node that the tests start. Answers every request with its own bytes.
#[test]
#[ignore = "started by other tests as a process of its own"]
fn pretend_node() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
    std::thread::spawn(|| {
        // The bench holds the other end for as long as it lives.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    for stream in TcpListener::bind(address).unwrap().incoming() {
        let mut stream = stream.unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                if stream.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
        });
    }
}

/// The command that starts the pretended node `name` of a lab.
pub(crate) fn node(lab: &Lab, name: &str, folder: &Path) -> ProcessCommand {
    ProcessCommand {
        program: std::env::current_exe().unwrap(),
        args: ["pretend::pretend_node", "--exact", "--ignored", "--nocapture"].map(Into::into).to_vec(),
        env: vec![(ADDRESS.into(), lab.listen_address(name).to_string().into())],
        output: folder.join(format!("{name}.log")),
        data: Some(folder.join(name)),
        clock: Some(ProcessClock::Foreign(folder.join(format!("{name}.clock")))),
    }
}

/// A command of the shell.
pub(crate) fn shell(script: &str, folder: &Path) -> ProcessCommand {
    ProcessCommand {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: Vec::new(),
        output: folder.join("output.log"),
        data: Some(folder.join("data")),
        clock: Some(ProcessClock::Foreign(folder.join("clock"))),
    }
}

/// A lab of `n` nodes, none of them started.
pub(crate) async fn empty_lab(n: usize, network: Network) -> Lab {
    let topology = Topology::new((1..=n).map(|i| (format!("n{i}"), ["replica", "leader"])));
    let probe = Some(b"anybody there?".to_vec());
    let config = LabConfig {
        network,
        topology,
        links: Links::default(),
        base_port: None,
        tcp_rto_max: None,
        disk: Disk::Auto,
        disk_model: DiskModel::default(),
        capture: None,
        seed: 7,
        probe,
    };
    Lab::start(config).await.unwrap()
}

/// A lab of `n` pretended nodes that answer.
pub(crate) async fn lab_of(n: usize, network: Network, folder: &Path) -> Lab {
    let lab = empty_lab(n, network).await;
    let names: Vec<String> = lab.topology().names().map(str::to_owned).collect();
    for name in &names {
        lab.spawn(name, node(&lab, name, folder)).await.unwrap();
    }
    for name in &names {
        answers(&lab, name).await;
    }
    lab
}

/// Waits until a node answers.
pub(crate) async fn answers(lab: &Lab, name: &str) {
    let asking = async {
        while !lab.probe_node(name, Duration::from_secs(1)).await.unwrap().answered() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.expect("the node never answered");
}
