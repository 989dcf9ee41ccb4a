//! Databases in their own protocols: what an isolation level lets happen is found, and a server that is killed loses nothing.

#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::support::{lab_possible, program, skip};
use crate::support::{output, stderr, stdout};
use std::path::Path;

/// A spec of this system with four variants: a level at which lists are sound, one at which they are not, and two other
/// workloads.
const SPEC: &str = r#"
name = "database"
[cluster]
system       = "SYSTEM"
network      = "lab"
start-within = "40s"
[load]
workload     = "list-append"
clients      = 8
keys         = 3
warmup       = "300ms"
duration     = "4s"
recovery     = "1s"
timeout      = "2s"
minimum-rate = 5
[[fault]]
kind   = "kill"
target = "n1"
at     = "2s"
for    = "300ms"
[[variant]]
name = "sound"
set.client.isolation = "serializable"
[[variant]]
name = "broken"
set.client.isolation = "read-committed"
[[variant]]
name = "bank"
set.client.isolation = "serializable"
set.load.workload    = "bank"
[[variant]]
name = "registers"
set.client.isolation = "serializable"
set.load.workload    = "register"
set.load.rate        = 100
"#;

/// Writes the spec into a folder that the user of the database can enter.
fn write(system: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spec.toml"), SPEC.replace("SYSTEM", system)).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

fn run(folder: &Path) -> (Option<i32>, String) {
    let done = output(folder, &["run", "spec.toml", "--seed", "1", "--out", "out"]);
    (done.status.code(), format!("{}{}", stdout(&done), stderr(&done)))
}

/// Runs the spec, of which just the variant `broken` must be invalid.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn assert_levels_differ(test: &str, system: &str, programs: &[&str]) {
    if programs.iter().any(|name| program(test, name).is_none()) {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return skip(test, "only root can start a server as another user");
    }
    if !lab_possible(test) {
        return;
    }
    let folder = write(system);
    let (code, said) = run(folder.path());
    assert_eq!(code, Some(1), "{said}");
    let verdict = std::fs::read_to_string(folder.path().join("out/verdict.json")).unwrap();
    let verdict: serde_json::Value = serde_json::from_str(&verdict).unwrap();
    let variants = verdict["variants"].as_array().unwrap();
    assert_eq!(variants.len(), 4, "{said}");
    for variant in variants {
        let expected = if variant["variant"] == "broken" { "invalid" } else { "valid" };
        assert_eq!(variant["answer"], expected, "{}: {said}", variant["variant"]);
    }
}

#[cfg(feature = "postgres")]
#[test]
fn levels_of_postgres_differ() {
    assert_levels_differ("levels_of_postgres_differ", "postgres", &["postgres", "initdb"]);
}

#[cfg(feature = "mysql")]
#[test]
fn levels_of_mariadb_differ() {
    assert_levels_differ("levels_of_mariadb_differ", "mariadb", &["mariadbd"]);
}

#[cfg(not(all(feature = "postgres", feature = "mysql")))]
#[test]
fn missing_protocol_is_told_with_its_feature() {
    let left_out = [("postgres", cfg!(feature = "postgres")), ("mysql", cfg!(feature = "mysql"))];
    for (feature, _) in left_out.into_iter().filter(|(_, built)| !built) {
        let folder = write("command");
        let spec = format!(
            "name = \"database\"\n[cluster]\nsystem = \"command\"\nprogram = \"/bin/true\"\n[client]\nkind = \"{feature}\"\n[load]\n"
        );
        std::fs::write(folder.path().join("spec.toml"), spec).unwrap();
        let (code, said) = run(folder.path());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(&format!("cargo build --release --features {feature}")), "{said}");
    }
}
