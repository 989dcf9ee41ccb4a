//! Swapped disks in real runs: the own store refuses the disk of another node.

use crate::support::{bench, lab_possible, stderr, stdout, write_spec};

#[test]
fn swapped_disks_are_refused_and_nodes_recover() {
    let folder = tempfile::tempdir().unwrap();
    let swap =
        "[[fault]]\nkind = \"disk-swap\"\ntarget = [\"n1\", \"n2\"]\nat = \"500ms\"\nfor = \"1500ms\"\n";
    let spec = write_spec(folder.path(), "4s", swap);
    let run = bench(folder.path()).args(["run", "--seed", "3", "--out", "out"]).arg(&spec).output().unwrap();
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert_eq!(run.status.code(), Some(0), "{said}");
    let faults = std::fs::read_to_string(folder.path().join("out/main/faults.csv")).unwrap();
    for seen in
        ["n1: has the data of n2: ", "n2: has the data of n1: ", "n1: it ended by itself: exit code 4"]
    {
        assert!(faults.contains(seen), "{seen}: {faults}");
    }
    let printed = std::fs::read_to_string(folder.path().join("out/main/nodes/n1/output.log")).unwrap();
    assert!(printed.contains("these are the data of node \"n2\", and this is node \"n1\""), "{printed}");
    let history = std::fs::read_to_string(folder.path().join("out/main/history.jsonl")).unwrap();
    assert!(history.contains("\"excuse\":\"fault 1 (disk-swap)\""), "{said}");
    assert!(history.contains("each has its own data again"), "{said}");
}

#[test]
fn program_that_cannot_start_leaves_no_disk() {
    use std::os::unix::fs::PermissionsExt;
    if !lab_possible("program_that_cannot_start_leaves_no_disk") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    std::fs::write(&program, b"\x7fELF and nothing else").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let spec = "name = \"dead\"\n[cluster]\nsystem = \"command\"\nprogram = \"./program\"\nnodes = 3\n\
                network = \"lab\"\ndisk = \"memory\"\n[load]\nduration = \"1s\"\n";
    std::fs::write(folder.path().join("dead.toml"), spec).unwrap();
    let hunt = bench(folder.path()).args(["hunt", "dead.toml", "--runs", "9", "--out", "out"]).output();
    let hunt = hunt.unwrap();
    let said = format!("{}{}", stdout(&hunt), stderr(&hunt));
    assert_eq!(hunt.status.code(), Some(4), "{said}");
    // Each run fails for its own reason, and none because the run before left a disk in its folder.
    assert!(said.contains("could not be started") && !said.contains("os error 107"), "{said}");
}
