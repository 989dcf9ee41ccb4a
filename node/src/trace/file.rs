//! Traces in files: one JSON value in each line.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the edge that owns the files"
)]

use super::{TraceEvent, Tracer};
use serde::de::Error as _;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The trace of a process on its way to a file, behind those of earlier processes.
#[derive(Debug)]
pub struct TraceFile {
    file: File,
    /// Makes the events.
    pub tracer: Tracer,
    /// Empty between two writes; kept to reuse its memory.
    text: Vec<u8>,
}

impl TraceFile {
    /// Opens the file, and makes it if it is missing. Ends a line that was cut when the last process was killed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        if last != [b'\n'] {
            file.write_all(b"\n")?;
        }
        Ok(Self { file, tracer: Tracer::default(), text: Vec::new() })
    }

    /// Writes the events that have no line yet. They outlive the process when this returns.
    pub fn write(&mut self) -> io::Result<()> {
        let mut events = self.tracer.take().peekable();
        if events.peek().is_none() {
            return Ok(());
        }
        self.text.clear();
        for event in events {
            serde_json::to_writer(&mut self.text, &event)?;
            self.text.push(b'\n');
        }
        self.file.write_all(&self.text)
    }
}

/// The reason why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A line is no event, and no kill explains it.
    #[error("{path}:{line}: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// The error.
        source: serde_json::Error,
    },
}

/// How the first line of a process begins.
const START: &[u8] = b"{\"started\":";

/// Calls `each` with every event of a file and the number of its line, in order.
///
/// A kill may cut the last line of a process. Nothing that it says was carried out, so it is left out. The next process
/// may be killed in its first line.
pub fn read(path: &Path, mut each: impl FnMut(usize, TraceEvent)) -> Result<(), TraceError> {
    let failed = |source| TraceError::Read { path: path.to_owned(), source };
    let wrong = |(line, source)| Err(TraceError::Line { path: path.to_owned(), line, source });
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let (mut cut, mut begun) = (None, false);
    for (number, line) in (1..).zip(file.split(b'\n')) {
        let line = line.map_err(failed)?;
        let starts = line.starts_with(START) || START.starts_with(&line);
        if let Some(cut) = cut.take_if(|_| !starts) {
            return wrong(cut);
        }
        match serde_json::from_slice(&line) {
            Ok(event) if starts || begun => {
                (cut, begun) = (None, true);
                each(number, event);
            }
            Ok(_) => return wrong((number, serde_json::Error::custom("no process has begun before it"))),
            Err(source) if !starts && !begun => return wrong((number, source)),
            Err(source) => cut = Some((number, source)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Started;

    fn started() -> TraceEvent {
        TraceEvent::Started(Started::default())
    }

    fn write(path: &Path, events: &[TraceEvent]) {
        let mut file = TraceFile::open(path).unwrap();
        for event in events {
            file.tracer.push(event.clone());
        }
        file.write().unwrap();
    }

    fn events(path: &Path) -> Result<Vec<TraceEvent>, TraceError> {
        let mut events = Vec::new();
        read(path, |_, event| events.push(event)).map(|()| events)
    }

    #[test]
    fn cut_lines_of_killed_processes_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl");
        let life = [started(), TraceEvent::Reports(5), TraceEvent::Heard { from: "n2".into(), slot_out: 3 }];
        write(&path, &life);
        assert_eq!(events(&path).unwrap(), life);
        let whole = std::fs::read(&path).unwrap();
        // Where the second line ends.
        let end = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        for cut in end + 1..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            write(&path, &[started()]);
            let mut left = life[..2].to_vec();
            // All but the line feed of the last line may have been written.
            left.extend((cut == whole.len() - 1).then(|| life[2].clone()));
            left.push(started());
            assert_eq!(events(&path).unwrap(), left, "cut at byte {cut}");
        }
    }

    #[test]
    fn lines_that_no_kill_explains_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl");
        let start = serde_json::to_string(&started()).unwrap();
        let read = |lines: &[&str]| {
            std::fs::write(&path, lines.join("\n")).unwrap();
            events(&path).map(|events| events.len()).map_err(|error| error.to_string())
        };
        assert_eq!(read(&[&start, "{\"rep", "{\"star", "", &start, "\"removed\"", "{\"sync"]), Ok(3));
        for (lines, wrong) in [
            (&["{}", "\"removed\""][..], "trace.jsonl:1: "),
            (&["\"removed\"", &start], "trace.jsonl:1: no process has begun before it"),
            (&[&start, "{}", "\"removed\""], "trace.jsonl:2: "),
            (&[&start, "{\"rep", "{\"synced\":", &start], "trace.jsonl:2: "),
            (&[&start, "{\"rep", "{\"synced\":"], "trace.jsonl:2: "),
        ] {
            let error = read(lines).unwrap_err();
            assert!(error.contains(wrong), "{lines:?}: {error}");
        }
    }
}
