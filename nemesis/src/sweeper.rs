//! A process that removes socket files of the bench once the bench has ended for any reason.

use crate::reexec::again_as;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// The part of the process that removes sockets.
pub(crate) const PART: &str = "sweep";

/// A process that removes the socket files of this one once it has ended. It ends when this is dropped.
#[derive(Debug)]
pub struct Sweeper(Child);

impl Sweeper {
    /// Starts it for these sockets, which need not exist yet.
    pub fn start(sockets: &[PathBuf]) -> io::Result<Self> {
        // A signal to this process's group (Ctrl-C) must not end it.
        let mut child = again_as(PART)?
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let paths = sockets.iter().flat_map(|path| path.as_os_str().as_bytes().iter().copied().chain([0]));
        let paths: Vec<u8> = paths.collect();
        child.stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(&paths))?;
        Ok(Self(child))
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        // `wait` closes its input first. It fails only if the sweeper was killed.
        let _ = self.0.wait();
    }
}

/// The part of the sweeper: reads paths until its input closes, then removes those that are sockets.
pub(crate) fn sweep() -> u8 {
    let mut paths = Vec::new();
    if io::stdin().lock().read_to_end(&mut paths).is_err() {
        return 1;
    }
    for path in paths.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        let path = Path::new(OsStr::from_bytes(path));
        if std::fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket()) {
            // Another process may have removed it.
            let _ = std::fs::remove_file(path);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    #[test]
    fn sockets_are_removed_files_stay() {
        assert!(crate::lab_entry().is_none(), "every restartable program begins with it");
        let folder = tempfile::tempdir().unwrap();
        let (socket, file) = (folder.path().join("a.sock"), folder.path().join("b.sock"));
        let _listener = UnixListener::bind(&socket).unwrap();
        std::fs::write(&file, "no socket").unwrap();
        let sweeper = Sweeper::start(&[socket.clone(), file.clone(), folder.path().join("none")]).unwrap();
        assert!(socket.exists());
        drop(sweeper);
        while socket.exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(file.exists());
    }
}
