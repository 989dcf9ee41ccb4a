//! The memory of another process.

use std::fmt::Display;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The memory of a process.
pub(super) struct Memory(File);

impl Memory {
    pub(super) fn open(pid: u32) -> Result<Self, String> {
        let opened = File::options().read(true).write(true).open(format!("/proc/{pid}/mem"));
        opened.map(Self).map_err(|error| refused("its memory may not be opened", &error))
    }

    pub(super) fn read(&self, bytes: &mut [u8], at: u64) -> Result<(), String> {
        self.0.read_exact_at(bytes, at).map_err(|error| refused("its memory may not be read", &error))
    }

    pub(super) fn write(&self, bytes: &[u8], at: u64) -> Result<(), String> {
        self.0.write_all_at(bytes, at).map_err(|error| refused("its memory may not be written", &error))
    }
}

/// An error message with the refused action and the remedy.
pub(super) fn refused(action: &str, error: &dyn Display) -> String {
    format!(
        "{action} ({error}); tracing must be allowed: `sysctl -w kernel.yama.ptrace_scope=1` as root, or in a container \
         `--cap-add SYS_PTRACE`"
    )
}
