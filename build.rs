//! Lets the linker fold functions whose code is the same, which generic code makes by the thousand.

use std::path::Path;
use std::process::{Command, Stdio};

const FOLD: &str = "-Wl,--icf=all";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") && linker_folds() {
        println!("cargo::rustc-link-arg-bins={FOLD}");
    }
}

/// Whether a program is linked with this option: LLD knows it, which rustc brings along for x86-64 Linux, and GNU's linker
/// does not.
fn linker_folds() -> bool {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let folder = variable("OUT_DIR");
    let linker = std::env::var("RUSTC_LINKER").map(|linker| format!("-Clinker={linker}"));
    let source = Path::new(&folder).join("empty.rs");
    std::fs::write(&source, "fn main() {}\n").is_ok()
        && Command::new(variable("RUSTC"))
            .args(["--target", &variable("TARGET"), "--out-dir", &folder, "-C", &format!("link-arg={FOLD}")])
            .args(variable("CARGO_ENCODED_RUSTFLAGS").split('\x1f').filter(|flag| !flag.is_empty()))
            .args(linker.ok())
            .arg(&source)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}
