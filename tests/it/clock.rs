//! Clock faults in real runs: shown by the nodes' own clocks, and harmless to a store that uses monotonic time.

use crate::support::{bench, stderr, stdout, write_spec};

#[test]
fn clock_faults_are_read_back_and_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let faults = "[[fault]]\nkind = \"jump\"\nby = \"-1h\"\ntarget = \"n1\"\nat = \"200ms\"\nfor = \"2s\"\n\
                  [[fault]]\nkind = \"kill\"\ntarget = \"n1\"\nat = \"600ms\"\nfor = \"200ms\"\n\
                  [[fault]]\nkind = \"freeze\"\ntarget = \"leader\"\nat = \"1s\"\nfor = \"500ms\"\n\
                  [[fault]]\nkind = \"drift\"\nspeed = 2.0\ntarget = \"n2\"\nat = \"1600ms\"\nfor = \"500ms\"\n\
                  [[fault]]\nkind = \"strobe\"\nby = \"1s\"\nperiod = \"40ms\"\ntarget = \"n3\"\nat = \"1600ms\"\nfor = \"500ms\"\n";
    let spec = write_spec(folder.path(), "3s", faults);
    let run = bench(folder.path()).args(["run", "--seed", "3", "--out", "out"]).arg(&spec).output().unwrap();
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert_eq!(run.status.code(), Some(0), "{said}");
    let faults = std::fs::read_to_string(folder.path().join("out/main/faults.csv")).unwrap();
    for seen in [" s behind", "its clock went 0.000 s", " s ahead in "] {
        assert!(faults.contains(seen), "{seen}: {faults}");
    }
    let history = std::fs::read_to_string(folder.path().join("out/main/history.jsonl")).unwrap();
    assert!(history.contains(" s behind, and is true"), "a new process has it too: {faults}");
}
