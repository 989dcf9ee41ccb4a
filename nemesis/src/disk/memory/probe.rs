//! Probes, inside a lab, whether disks in memory work, up to a power loss.

use super::super::model::DiskModel;
use super::client::{Disks, NodeDisk};
use super::serve::DEVICE;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// A folder that exists everywhere and that no process in the lab needs.
const MOUNT_POINT: &str = "/proc/tty";

/// Whether a disk can be mounted and loses unsynced data. The error is a sentence with the remedy.
pub(crate) fn probe() -> Result<(), String> {
    match File::options().read(true).write(true).open(DEVICE).map_err(|error| error.kind()) {
        Err(io::ErrorKind::NotFound) => {
            return Err(format!(
                "there is no {DEVICE}; `modprobe fuse` as root, or start the container with `--device {DEVICE}`"
            ));
        }
        Err(io::ErrorKind::PermissionDenied) => {
            return Err(format!(
                "{DEVICE} may not be opened by this user; `chmod 666 {DEVICE}` as root allows it"
            ));
        }
        Ok(_) | Err(_) => {}
    }
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("disk-probe", MOUNT_POINT, "tmpfs", safe, c"size=1m")
        .map_err(|error| format!("{MOUNT_POINT}: {error}"))?;
    let done = lose_power(Path::new(MOUNT_POINT));
    // The mount ends with the lab in any case.
    let _ = unmount(MOUNT_POINT, UnmountFlags::DETACH);
    done
}

fn lose_power(mount_point: &Path) -> Result<(), String> {
    let disks = Disks::start().map_err(|error| error.to_string())?;
    let disk = NodeDisk::new(&disks, "probe", 0, DiskModel::default());
    disk.mount(mount_point).map_err(|error| error.to_string())?;
    let write = || {
        let mut file = File::create(mount_point.join("file"))?;
        file.write_all(b"kept")?;
        file.sync_all()?;
        File::open(mount_point)?.sync_all()?;
        file.write_all(b"lost")
    };
    let written = write().map_err(|error| format!("writing: {error}"));
    written.and_then(|()| disk.lose_power(None).map_err(|error| error.to_string()))?;
    disk.mount(mount_point).map_err(|error| error.to_string())?;
    let left = std::fs::read(mount_point.join("file")).map_err(|error| format!("reading: {error}"));
    let unmounted = disk.lose_power(None);
    let left = left?;
    unmounted.map_err(|error| error.to_string())?;
    if left == b"kept" {
        Ok(())
    } else {
        Err(format!("after a power loss {} bytes were there, not 4", left.len()))
    }
}
