//! Processor time and memory of processes, from the kernel's counters.

use std::fs;

/// Processor seconds of these processes, ended threads included; none without /proc.
pub(super) fn processor_seconds(pids: &[u32]) -> Option<f64> {
    let ticks: Option<Vec<u64>> = pids.iter().map(|pid| ticks(*pid)).collect();
    Some(ticks?.into_iter().sum::<u64>() as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may contain any character, brackets too; numbers follow its last bracket.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let [user, system] = [fields.get(11)?, fields.get(12)?].map(|field| field.parse::<u64>().ok());
    Some(user? + system?)
}

/// The peak memory of the largest of these processes, in bytes.
pub(super) fn memory_bytes(pids: &[u32]) -> Option<u64> {
    pids.iter().filter_map(|pid| most_memory(*pid)).max()
}

fn most_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_measured_for_processes_that_exist() {
        let own = [std::process::id()];
        assert!(processor_seconds(&own).is_some_and(|seconds| seconds >= 0.0));
        assert!(memory_bytes(&own).is_some_and(|bytes| bytes > 100_000));
        assert_eq!((processor_seconds(&[u32::MAX]), memory_bytes(&[u32::MAX])), (None, None));
    }
}
