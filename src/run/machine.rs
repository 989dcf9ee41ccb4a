//! A description of the machine that a run ran on.

/// For example `2 cores, 4 GiB, Linux 6.18.0 x86_64`.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = if cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") };
    let system = rustix::system::uname();
    let [name, release, machine] = [system.sysname(), system.release(), system.machine()]
        .map(|text| text.to_string_lossy().into_owned());
    match memory() {
        Some(memory) => format!("{cores}, {memory}, {name} {release} {machine}"),
        None => format!("{cores}, {name} {release} {machine}"),
    }
}

/// The size of the memory, if the system has /proc.
fn memory() -> Option<String> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(format!("{:.1} GiB", kib / f64::from(1 << 20)))
}
