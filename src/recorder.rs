//! Writes the history while the run goes on; the file is at most some milliseconds behind.

use history::{Event, Header, Kind, Process, Recorder, write_event, write_header};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest time an event stays in this process before the operating system has it.
const FLUSH_EVERY: Duration = Duration::from_millis(20);

/// How long events are collected before they are written together.
const BATCH: Duration = Duration::from_millis(5);

/// Called once, on the thread that writes, when the history cannot be written any further.
pub(crate) type WhenCut = Box<dyn FnOnce() + Send>;

/// Called with each event of the nemesis and the counts so far, on the thread that recorded it.
pub(crate) type Watcher = Box<dyn Fn(&Event, Tally) + Send + Sync>;

/// Stamps events under a lock, so that their order is the order of the lock, and hands them to a thread
/// that writes them as JSON lines.
pub(crate) struct FileRecorder {
    start: Instant,
    queue: Mutex<Option<Sender<Event>>>,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
    counts: Counts,
    watcher: Option<Watcher>,
}

/// How many operations completed in which way so far.
#[derive(Debug, Default)]
struct Counts {
    ok: AtomicU64,
    fail: AtomicU64,
    precondition: AtomicU64,
    info: AtomicU64,
}

/// How many operations completed in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// They happened.
    pub ok: u64,
    /// They certainly did not happen.
    pub fail: u64,
    /// Those of them that were answered all the same: a compare-and-set that found another value.
    pub precondition: u64,
    /// Operations with an unknown result.
    pub info: u64,
}

impl Tally {
    /// All that completed.
    pub(crate) fn total(self) -> u64 {
        self.ok + self.fail + self.info
    }

    /// What came since `before`.
    #[must_use]
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            ok: self.ok - before.ok,
            fail: self.fail - before.fail,
            precondition: self.precondition - before.precondition,
            info: self.info - before.info,
        }
    }
}

impl FileRecorder {
    /// Starts the run's clock and a new history file with its header line. What was written is passed on to the
    /// `follower`, in order. When the file takes no more, `when_cut` is called at once.
    ///
    /// # Errors
    /// When the file or the writing thread cannot be made.
    pub(crate) fn create(
        path: &Path,
        header: &Header,
        watcher: Option<Watcher>,
        follower: Option<Sender<Event>>,
        when_cut: Option<WhenCut>,
    ) -> io::Result<Arc<Self>> {
        let mut file = BufWriter::with_capacity(1 << 16, File::create(path)?);
        write_header(&mut file, header)?;
        file.flush()?;
        let (sender, receiver) = channel();
        let writer = std::thread::Builder::new().name("history".to_owned()).spawn(move || {
            let written = write_events(&receiver, file, follower.as_ref());
            if let (Err(_), Some(when_cut)) = (&written, when_cut) {
                when_cut();
            }
            written
        })?;
        Ok(Arc::new(Self {
            start: Instant::now(),
            queue: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
            counts: Counts::default(),
            watcher,
        }))
    }

    /// The moment that is 0 on the run's clock.
    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    /// How many operations completed in which way so far.
    pub(crate) fn tally(&self) -> Tally {
        Tally {
            ok: self.counts.ok.load(Ordering::Relaxed),
            fail: self.counts.fail.load(Ordering::Relaxed),
            precondition: self.counts.precondition.load(Ordering::Relaxed),
            info: self.counts.info.load(Ordering::Relaxed),
        }
    }

    /// Writes what is left and syncs the file. Events recorded later are dropped.
    ///
    /// # Errors
    /// The first error the writing thread met, with the time since which the history is cut.
    pub(crate) fn finish(&self) -> io::Result<()> {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match writer.map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(written)) => written,
            Some(Err(_)) => Err(io::Error::other("the thread that writes the history panicked")),
        }
    }

    fn count(&self, event: &Event) {
        let counter = match (event.process, event.kind) {
            (Process::Nemesis, _) | (Process::Client(_), Kind::Invoke) => return,
            (Process::Client(_), Kind::Ok) => &self.counts.ok,
            (Process::Client(_), Kind::Fail) => &self.counts.fail,
            (Process::Client(_), Kind::Info) => &self.counts.info,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if event.error.as_deref() == Some("precondition") {
            self.counts.precondition.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Recorder for FileRecorder {
    fn record(&self, mut event: Event) -> u64 {
        self.count(&event);
        if let (Process::Nemesis, Some(watcher)) = (event.process, &self.watcher) {
            event.time = self.now_ns();
            watcher(&event, self.tally());
        }
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Inside the lock: stamps must grow in the order in which events enter the file.
        let time = self.now_ns();
        event.time = time;
        if let Some(sender) = queue.as_ref() {
            // Fails only when the writer stopped on an error, which `finish` reports.
            let _ = sender.send(event);
        }
        time
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

fn write_events(
    receiver: &Receiver<Event>,
    mut file: BufWriter<File>,
    follower: Option<&Sender<Event>>,
) -> io::Result<()> {
    let mut flushed = Instant::now();
    // The first event that the system may not have yet.
    let mut unsafe_since = None;
    let cut = |since: Option<u64>, error: &io::Error| {
        let since = since.unwrap_or_default() as f64 / 1e9;
        io::Error::new(error.kind(), format!("the history is cut since {since:.3} s: {error}"))
    };
    loop {
        let wait = FLUSH_EVERY.saturating_sub(flushed.elapsed());
        match receiver.recv_timeout(wait) {
            Ok(first) => {
                for event in std::iter::once(first).chain(receiver.try_iter()) {
                    unsafe_since.get_or_insert(event.time);
                    write_event(&mut file, &event).map_err(|error| cut(unsafe_since, &error))?;
                    if let Some(follower) = follower {
                        // A follower that has found what it looks for takes no more.
                        let _ = follower.send(event);
                    }
                }
                // In batches: to be woken for each event would cost more than to write it.
                std::thread::sleep(BATCH);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let written = file.flush().and_then(|()| file.get_ref().sync_all());
                return written.map_err(|error| cut(unsafe_since, &error));
            }
        }
        if flushed.elapsed() >= FLUSH_EVERY {
            if unsafe_since.is_some() {
                file.flush().map_err(|error| cut(unsafe_since, &error))?;
            }
            unsafe_since = None;
            flushed = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FileRecorder;
    use history::{Event, Header, Kind, Process, Recorder};
    use std::time::{Duration, Instant};

    fn header() -> Header {
        Header {
            history: 1,
            spec: "t".into(),
            variant: "main".into(),
            model: "register".into(),
            seed: 1,
            started: "2026-01-01T00:00:00Z".into(),
            initial: None,
            converted: None,
        }
    }

    #[test]
    fn events_of_many_threads_are_ordered_by_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let recorder = FileRecorder::create(&path, &header(), None, None, None).unwrap();
        std::thread::scope(|scope| {
            for process in 0..4 {
                let recorder = &recorder;
                scope.spawn(move || {
                    for _ in 0..2_000 {
                        recorder.record(Event::new(Process::Client(process), Kind::Invoke, "read"));
                        recorder.record(Event::new(Process::Client(process), Kind::Ok, "read"));
                    }
                });
            }
        });
        recorder.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let times: Vec<u64> =
            text.lines().skip(1).map(|l| serde_json::from_str::<Event>(l).unwrap().time).collect();
        assert_eq!(times.len(), 16_000);
        assert!(times.is_sorted());
        assert_eq!(recorder.tally().ok, 8_000);
    }

    #[test]
    fn an_event_reaches_the_file_without_anybody_asking() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let recorder = FileRecorder::create(&path, &header(), None, None, None).unwrap();
        recorder.record(Event::new(Process::Client(1), Kind::Invoke, "read"));
        let begun = Instant::now();
        while std::fs::read_to_string(&path).unwrap().lines().count() < 2 {
            assert!(begun.elapsed() < Duration::from_secs(30), "the event never reached the file");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_full_disk_cuts_the_history_at_once() {
        let (cut, heard) = std::sync::mpsc::channel();
        let file = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let writer = std::thread::spawn(move || {
            let written = super::write_events(&receiver, std::io::BufWriter::new(file), None);
            cut.send(()).unwrap();
            written
        });
        let mut event = Event::new(Process::Client(1), Kind::Invoke, "read");
        event.time = 2_310_000_000;
        sender.send(event).unwrap();
        heard.recv_timeout(Duration::from_secs(30)).unwrap();
        let error = writer.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        assert!(error.to_string().starts_with("the history is cut since 2.310 s: "), "{error}");
    }
}
