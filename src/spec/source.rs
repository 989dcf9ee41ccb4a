//! Sources of specs: files, and the specs built into the binary, which work in any folder.

use super::{Document, explain};
use crate::failure::Failure;
use std::path::Path;

/// A spec inside the binary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuiltIn {
    /// Its path in the repository, by which it can be named anywhere.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! built_in {
    ($($path:literal),* $(,)?) => {
        &[$(BuiltIn { path: $path, text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)) }),*]
    };
}

/// The specs inside the binary.
pub(crate) const BUILT_IN: &[BuiltIn] = built_in![
    "workloads/smoke.toml",
    "workloads/audit.toml",
    "workloads/backoff.toml",
    "workloads/recovery.toml",
    "workloads/partition.toml",
    "workloads/chaos.toml",
    "workloads/storm.toml",
    "workloads/etcd.toml",
    "workloads/etcd-faults.toml",
    "workloads/power-loss.toml",
    "workloads/bank.toml",
    "workloads/transactions.toml",
    "workloads/speed.toml",
    "workloads/redis.toml",
    "workloads/redis-loss.toml",
    "workloads/reconfigure.toml",
    "workloads/flaws/acceptor-answers-before-sync.toml",
    "workloads/flaws/acceptor-answers-during-sync.toml",
    "workloads/flaws/acceptor-answers-before-write.toml",
    "workloads/flaws/acceptor-forgets-promise.toml",
    "workloads/flaws/commander-minority-quorum.toml",
    "workloads/flaws/leader-fills-gaps.toml",
    "workloads/flaws/leader-keeps-lease.toml",
    "workloads/flaws/log-takes-torn.toml",
    "workloads/flaws/replica-applies-twice.toml",
    "workloads/flaws/replica-compares-on-propose.toml",
    "workloads/flaws/replica-reads-own-state.toml",
    "workloads/flaws/scout-ignores-pvalues.toml",
];

/// What `bench nemesis` runs.
pub(crate) const RECOVERY: &str = "workloads/recovery.toml";

impl BuiltIn {
    /// The last part of its path without the ending, for example `smoke`.
    pub(crate) fn name(&self) -> &'static str {
        let file = self.path.rsplit('/').next().unwrap_or(self.path);
        file.strip_suffix(".toml").unwrap_or(file)
    }

    /// Its text with its path as the name for messages.
    pub(crate) fn document(&self) -> Document {
        Document { name: self.path.to_owned(), text: self.text.to_owned() }
    }
}

/// The built-in spec with this path or name.
pub(crate) fn built_in(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|spec| spec.path == name || spec.name() == name)
}

/// The spec that was asked for: a file, or a built-in one by path or name.
///
/// # Errors
/// When there is neither, with the nearest name there is.
pub(crate) fn open(path: &Path) -> Result<Document, Failure> {
    let name = path.display().to_string();
    let read_error = match std::fs::read_to_string(path) {
        Ok(text) => return Ok(Document { name, text }),
        Err(error) => error,
    };
    if let Some(spec) = built_in(&name) {
        return Ok(spec.document());
    }
    if read_error.kind() != std::io::ErrorKind::NotFound {
        return Err(Failure::usage(name, format!("the spec cannot be read: {read_error}")));
    }
    let wanted = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let near = explain::nearest(&wanted, BUILT_IN.iter().map(BuiltIn::name)).and_then(built_in);
    let help = match near {
        Some(near) => format!("did you mean {}? `bench list` shows all specs", near.path),
        None => "`bench list` shows all specs".to_owned(),
    };
    Err(Failure::usage(name, "there is no such file, and no built-in spec of this name").help(help))
}

#[cfg(test)]
mod tests {
    use super::{BUILT_IN, BuiltIn, built_in, open};
    use crate::spec::{Loaded, Wishes, load};
    use std::path::Path;

    /// Reads a spec; none if it needs a lab, in which this program cannot be started again.
    fn read(spec: &BuiltIn, sets: &[String]) -> Option<Loaded> {
        match load(spec.document(), &Wishes { sets, ..Wishes::default() }) {
            Ok(loaded) => Some(loaded),
            Err(failure) if failure.what.contains("network = \"lab\"") => None,
            Err(failure) => panic!("{}", failure.render()),
        }
    }

    #[test]
    fn every_built_in_spec_is_valid_and_named() {
        for spec in BUILT_IN {
            // Any program will do for being read.
            let program = match spec.name() {
                "etcd" | "etcd-faults" | "speed" => Some("cluster.program=/bin/true"),
                "redis" => Some("variant.2.set.cluster.program=/bin/true"),
                _ => None,
            };
            let sets: Vec<_> = program.into_iter().map(str::to_owned).collect();
            let Some(loaded) = read(spec, &sets) else { continue };
            assert_eq!(loaded.spec.name, spec.name(), "{}", spec.path);
            assert!(!loaded.spec.about.is_empty(), "{} says what it is for", spec.path);
        }
    }

    #[test]
    fn every_flaw_of_a_run_has_a_spec() {
        for flaw in node::flaw::Flaw::ALL.into_iter().filter(|flaw| !flaw.needs_simulation()) {
            let spec = built_in(&format!("workloads/flaws/{flaw}.toml")).expect("a spec for the flaw");
            let set = [format!("cluster.paxos.flaw={flaw}")];
            let _ = read(spec, &set);
        }
    }

    #[test]
    fn a_missing_file_gets_the_nearest_spec() {
        let failure = open(Path::new("workloads/somke.toml")).unwrap_err();
        assert!(failure.help.unwrap().contains("workloads/smoke.toml"));
    }
}
