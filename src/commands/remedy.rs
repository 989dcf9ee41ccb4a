//! A command that enables the faults which this machine cannot inject.

use std::path::Path;

/// What kind of system this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// The distribution, as it calls itself.
    pub(crate) distribution: String,
    /// Whether it is a container, whose host decides what it may do.
    pub(crate) container: bool,
    /// Whether this is root already.
    pub(crate) root: bool,
}

impl Machine {
    /// Looks around.
    pub(crate) fn here() -> Self {
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let marks = ["/.dockerenv", "/run/.containerenv"];
        let groups = std::fs::read_to_string("/proc/1/cgroup").unwrap_or_default();
        let container = marks.iter().any(|mark| Path::new(mark).exists())
            || ["docker", "kubepods", "containerd"].iter().any(|name| groups.contains(name));
        Self { distribution: distribution(&release), container, root: rustix::process::geteuid().is_root() }
    }

    /// What to type, given why each thing that is missing is so.
    pub(crate) fn remedy(&self, reasons: &[&str]) -> Option<String> {
        if reasons.is_empty() {
            return None;
        }
        // Some virtual machines look like containers too, but forbid nothing.
        if self.container && reasons.iter().any(|reason| reason.contains("start the container")) {
            // A new /proc may only be mounted where none of the old one is hidden.
            return Some(
                "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt \
                 systempaths=unconfined --device /dev/fuse …"
                    .to_owned(),
            );
        }
        let mut commands: Vec<&str> = Vec::new();
        for command in reasons.iter().filter_map(|reason| command(reason)) {
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
        let together = commands.join(" && ");
        match (commands.is_empty(), self.root) {
            (true, true) => None,
            (true, false) => Some("sudo bench …".to_owned()),
            (false, true) => Some(together),
            (false, false) => Some(format!("sudo sh -c '{together}'")),
        }
    }
}

/// The command among the words in backticks of a reason.
fn command(reason: &str) -> Option<&str> {
    let quoted = reason.split('`').skip(1).step_by(2);
    quoted
        .into_iter()
        .find(|words| ["sysctl ", "modprobe ", "chmod "].iter().any(|tool| words.starts_with(tool)))
}

fn distribution(release: &str) -> String {
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or("this system", |name| name.trim_matches('"')).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Machine, distribution};

    const CLOSED: &str =
        "user namespaces are switched off here (…); `sysctl -w user.max_user_namespaces=10000` as root";
    const FORBIDDEN: &str = "forbidden; start the container with `--security-opt seccomp=unconfined`, or on old Debian set `sysctl -w k=1`";
    const FUSE: &str = "/dev/fuse may not be opened by this user; `chmod 666 /dev/fuse` as root allows it";

    fn machine(container: bool, root: bool) -> Machine {
        Machine { distribution: "Debian".to_owned(), container, root }
    }

    #[test]
    fn remedy_is_one_line_to_type() {
        let user = machine(false, false);
        assert_eq!(user.remedy(&[]), None);
        let both = "sudo sh -c 'sysctl -w user.max_user_namespaces=10000 && chmod 666 /dev/fuse'";
        assert_eq!(user.remedy(&[CLOSED, "not tried", FUSE, FUSE]).unwrap(), both);
        assert_eq!(user.remedy(&[FORBIDDEN]).unwrap(), "sudo sh -c 'sysctl -w k=1'");
        assert_eq!(user.remedy(&["no namespaces can be made"]).unwrap(), "sudo bench …");
        assert_eq!(machine(false, true).remedy(&[FUSE]).unwrap(), "chmod 666 /dev/fuse");
        assert!(machine(true, true).remedy(&[FORBIDDEN]).unwrap().starts_with("docker run"));
        assert_eq!(machine(true, true).remedy(&[FUSE]).unwrap(), "chmod 666 /dev/fuse");
    }

    #[test]
    fn a_distribution_is_called_what_it_calls_itself() {
        assert_eq!(distribution("ID=ubuntu\nPRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\n"), "Ubuntu 24.04.1 LTS");
        assert_eq!(distribution(""), "this system");
    }
}
