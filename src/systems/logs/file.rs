//! Reads a file while it grows.

use rustix::fs::OFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Size of one read, in bytes.
const CHUNK: usize = 64 << 10;

/// A file that may grow, be replaced, be truncated or be missing.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    open: Option<Open>,
    /// The content from before the run, which is not read.
    before: Option<(Identity, u64)>,
    /// Whether it existed during the run.
    was_there: bool,
}

/// Device and inode.
type Identity = (u64, u64);

#[derive(Debug)]
struct Open {
    file: File,
    identity: Identity,
    offset: u64,
}

/// A change of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// It grew by these bytes.
    Grew(&'a [u8]),
    /// It was replaced or truncated: the following bytes are its beginning.
    Anew,
}

impl LogFile {
    /// The file at a path. Its existing content was not written by this run.
    pub(crate) fn new(path: &Path) -> Self {
        let before = path.metadata().ok().map(|about| (identity(&about), about.len()));
        Self { path: path.to_owned(), open: None, before, was_there: false }
    }

    /// Whether it existed during the run.
    pub(crate) fn was_there(&self) -> bool {
        self.was_there
    }

    /// Reads new bytes, in chunks. Retries unreadable ones at the next call.
    pub(crate) fn read(&mut self, mut take: impl FnMut(Change<'_>)) {
        let there = self.path.metadata().ok().filter(Metadata::is_file).map(|about| identity(&about));
        if let Some(open) = &mut self.open {
            // The last lines of a renamed file are still read here.
            open.read(&mut take);
            if there == Some(open.identity) {
                return;
            }
            self.open = None;
            take(Change::Anew);
        }
        if there.is_some()
            && let Ok(mut open) = Open::new(&self.path)
        {
            if let Some((identity, length)) = self.before.take()
                && identity == open.identity
            {
                open.offset = length;
            }
            self.was_there = true;
            open.read(&mut take);
            self.open = Some(open);
        }
    }
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        let identity = identity(&file.metadata()?);
        Ok(Self { file, identity, offset: 0 })
    }

    /// Reads up to the current end, so that a fast-growing file does not delay the others.
    fn read(&mut self, take: &mut impl FnMut(Change<'_>)) {
        let Ok(end) = self.file.metadata().map(|about| about.len()) else { return };
        if end < self.offset {
            self.offset = 0;
            take(Change::Anew);
        }
        if self.offset == end {
            return;
        }
        let mut chunk = vec![0; CHUNK];
        while self.offset < end {
            let wanted = usize::try_from(end - self.offset).map_or(CHUNK, |left| left.min(CHUNK));
            match self.file.read_at(&mut chunk[..wanted], self.offset) {
                Ok(0) => return,
                Ok(length) => {
                    self.offset += length as u64;
                    take(Change::Grew(&chunk[..length]));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // For example after a power loss of its disk.
                Err(_) => return,
            }
        }
    }
}

fn identity(about: &Metadata) -> Identity {
    (about.dev(), about.ino())
}

/// Opens a regular file for reading; does not block on others, for example a pipe.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Copies the last `most` bytes of a file; does nothing if there is no such file.
///
/// # Errors
/// When it cannot be read or the copy cannot be written.
pub(crate) fn copy_tail(from: &Path, to: &Path, most: u64) -> io::Result<()> {
    let mut file = match open(from) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    io::copy(&mut file.take(most), &mut File::create(to)?).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    /// A file with the bytes read from it; `|` marks a new beginning.
    struct Followed {
        folder: tempfile::TempDir,
        file: LogFile,
    }

    impl Followed {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = LogFile::new(&folder.path().join("log"));
            Self { folder, file }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("log")
        }

        fn append(&self, text: &str) {
            let mut file = File::options().create(true).append(true).open(self.path()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn read(&mut self) -> String {
            let mut seen = String::new();
            self.file.read(|change| match change {
                Change::Grew(bytes) => seen += std::str::from_utf8(bytes).unwrap(),
                Change::Anew => seen.push('|'),
            });
            seen
        }
    }

    #[test]
    fn growing_file_is_read_once() {
        let mut log = Followed::new();
        assert_eq!((log.read(), log.file.was_there()), (String::new(), false));
        log.append("one\n");
        assert_eq!((log.read(), log.file.was_there()), ("one\n".to_owned(), true));
        log.append("tw");
        assert_eq!(log.read(), "tw");
        log.append("o\n");
        assert_eq!(log.read(), "o\n");
        assert_eq!(log.read(), "");
    }

    #[test]
    fn replaced_file_is_read_completely() {
        let mut log = Followed::new();
        log.append("one\n");
        assert_eq!(log.read(), "one\n");
        log.append("last\n");
        fs::rename(log.path(), log.folder.path().join("log.1")).unwrap();
        log.append("first\n");
        assert_eq!(log.read(), "last\n|first\n");
        fs::remove_file(log.path()).unwrap();
        assert_eq!(log.read(), "|");
        log.append("again\n");
        assert_eq!(log.read(), "again\n");
    }

    #[test]
    fn truncated_file_is_read_again() {
        let mut log = Followed::new();
        log.append("one, two, three\n");
        log.read();
        fs::write(log.path(), "four\n").unwrap();
        assert_eq!(log.read(), "|four\n");
    }

    #[test]
    fn text_of_earlier_run_is_left_out() {
        let mut log = Followed::new();
        log.append("panic in an earlier run\n");
        log.file = LogFile::new(&log.path());
        log.append("now\n");
        assert_eq!(log.read(), "now\n");
        log.file = LogFile::new(&log.path());
        fs::remove_file(log.path()).unwrap();
        log.append("all of it\n");
        assert!(log.read().ends_with("all of it\n"));
    }

    #[test]
    fn folder_and_pipe_are_no_logs() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [folder.path(), &pipe] {
            let mut file = LogFile::new(path);
            file.read(|change| panic!("{change:?}"));
            assert!(!file.was_there());
        }
    }

    #[test]
    fn copy_has_the_last_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("deep/b"));
        copy_tail(&from, &to, 4).unwrap();
        assert!(!to.exists());
        fs::write(&from, "0123456789").unwrap();
        copy_tail(&from, &to, 4).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "6789");
    }
}
