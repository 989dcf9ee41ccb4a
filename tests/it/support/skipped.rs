//! Tests that cannot be done on this machine: `cargo test` lists them below the results.
//!
//! libtest hides what a passed test prints. The list is written when the test program exits, past libtest, straight to
//! standard error.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

static SKIPPED: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn skipped() -> MutexGuard<'static, Vec<String>> {
    SKIPPED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program of this name in PATH; adds the test to the list if there is none.
pub(crate) fn program(test: &str, name: &str) -> Option<PathBuf> {
    let found = in_path(name);
    if found.is_none() {
        skip(test, &format!("there is no {name} in PATH"));
    }
    found
}

/// The etcd of `BENCH_ETCD` or in PATH; adds the test to the list if there is none.
pub(crate) fn etcd(test: &str) -> Option<PathBuf> {
    let found = std::env::var_os("BENCH_ETCD").map(PathBuf::from).or_else(|| in_path("etcd"));
    if found.is_none() {
        skip(test, "there is no etcd in PATH, and BENCH_ETCD does not say where one is");
    }
    found
}

pub(super) fn in_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Adds a test to the list; fails it with `BENCH_REQUIRE_ALL`, which says that this machine can do everything.
pub(crate) fn skip(test: &str, reason: &str) {
    assert!(std::env::var_os("BENCH_REQUIRE_ALL").is_none(), "{test} may not be skipped here: {reason}");
    let mut skipped = skipped();
    if skipped.is_empty() {
        #[allow(unsafe_code, reason = "libtest has no hook for the end of all tests")]
        // SAFETY: the handler may run at any later time; it uses only statics, and does not panic.
        unsafe {
            libc::atexit(print_list);
        }
    }
    skipped.push(format!("{test}: {reason}"));
}

extern "C" fn print_list() {
    let mut skipped = std::mem::take(&mut *skipped());
    skipped.sort();
    let tests = if skipped.len() == 1 { "test was" } else { "tests were" };
    let mut text = format!("\n{} {tests} skipped on this machine:\n", skipped.len());
    for line in skipped {
        // A `String` takes every write.
        let _ = writeln!(text, "  {line}");
    }
    // A closed standard error is no reason to fail.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
