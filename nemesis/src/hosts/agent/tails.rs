//! Files that the agent follows, and whose new bytes it sends to the bench.

use super::Out;
use crate::hosts::message::{Line, bytes_to_text};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Interval of reads.
const EVERY: Duration = Duration::from_millis(50);
/// The most bytes in one line.
const PIECE: usize = 1 << 16;

/// The followed files.
#[derive(Debug)]
pub(super) struct Tails {
    out: Out,
    files: Mutex<Vec<Tail>>,
}

#[derive(Debug)]
struct Tail {
    path: PathBuf,
    /// The file that was read last.
    inode: u64,
    at: u64,
}

impl Tails {
    pub(super) fn new(out: Out) -> Self {
        Self { out, files: Mutex::default() }
    }

    pub(super) fn add(&self, path: PathBuf) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if !files.iter().any(|tail| tail.path == path) {
            files.push(Tail { path, inode: 0, at: 0 });
        }
    }

    /// Sends new bytes for ever.
    pub(super) fn follow(&self) {
        loop {
            self.flush();
            std::thread::sleep(EVERY);
        }
    }

    /// Sends all new bytes.
    pub(super) fn flush(&self) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        for tail in &mut *files {
            tail.send(&self.out);
        }
    }
}

impl Tail {
    /// A file that is missing is tried again later.
    fn send(&mut self, out: &Out) {
        let Ok(mut file) = File::open(&self.path) else { return };
        let Ok(about) = file.metadata() else { return };
        let replaced = self.inode != 0 && (about.ino() != self.inode || about.len() < self.at);
        self.inode = about.ino();
        if replaced {
            self.at = 0;
            out.say(&Line::Output { file: self.path.clone(), anew: true, text: String::new() });
        }
        if about.len() == self.at || file.seek(SeekFrom::Start(self.at)).is_err() {
            return;
        }
        let mut buffer = vec![0; PIECE];
        while let Ok(length @ 1..) = file.read(&mut buffer) {
            self.at += length as u64;
            let text = bytes_to_text(&buffer[..length]);
            out.say(&Line::Output { file: self.path.clone(), anew: false, text });
        }
    }
}
