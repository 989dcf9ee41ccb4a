//! A process that removes sockets in the file system when the bench that made them is gone, however it went.

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

/// A process that removes the sockets of this one when it is gone, however it went. It ends when this is dropped.
#[derive(Debug)]
pub struct Sweeper(Child);

impl Sweeper {
    /// Starts it, for these sockets, which need not be there yet.
    pub fn start(sockets: &[PathBuf]) -> io::Result<Self> {
        // What ends this process gently (Ctrl-C) is not for it.
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
        // Its input is closed before it is waited for. It fails only where it was killed.
        let _ = self.0.wait();
    }
}

/// Part of the sweeper: reads paths until its input closes, and removes those that are sockets.
pub(crate) fn sweep() -> u8 {
    let mut paths = Vec::new();
    if io::stdin().lock().read_to_end(&mut paths).is_err() {
        return 1;
    }
    for path in paths.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        let path = Path::new(OsStr::from_bytes(path));
        if std::fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket()) {
            // Somebody else may have removed it.
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
    fn sockets_go_with_the_bench_and_files_stay() {
        assert!(crate::lab_entry().is_none(), "as every program begins that may be started again");
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
