//! Writes the history while the run goes on; the file is at most some milliseconds behind.
//!
//! Events are written in batches: to wake a thread for each of them would cost more than to write it.

use history::{Event, Header, Kind, Process, Recorder, append_event, write_header};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest time an event stays in this process before it is written.
const WRITE_EVERY: Duration = Duration::from_millis(10);

/// The largest buffer of lines that is kept for the next batch, in bytes.
const BUFFER_KEPT: usize = 1 << 20;

/// Called once, on the thread that writes, when the history cannot be written any further.
pub(crate) type WhenCut = Box<dyn FnOnce() + Send>;

/// Called with each event of the nemesis and the counts so far, on the thread that recorded it.
pub(crate) type Watcher = Box<dyn Fn(&Event, Tally) + Send + Sync>;

/// Stamps events under a lock, so that their order is the order of the lock, and hands them to a thread
/// that writes them as JSON lines.
pub(crate) struct FileRecorder {
    start: Instant,
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
    counts: Counts,
    watcher: Option<Watcher>,
}

/// Events that are not written yet, in order.
#[derive(Debug, Default)]
struct Queue(Mutex<Pending>);

#[derive(Debug, Default)]
struct Pending {
    events: Vec<Event>,
    /// Whether nothing is taken any more.
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all events, and whether these are the last ones.
    fn take(&self, room: usize) -> (Vec<Event>, bool) {
        let mut events = Vec::with_capacity(room);
        let mut pending = self.lock();
        std::mem::swap(&mut pending.events, &mut events);
        (events, pending.closed)
    }

    /// Takes no more events.
    fn close(&self) {
        self.lock().closed = true;
    }
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
        follower: Option<Sender<Vec<Event>>>,
        when_cut: Option<WhenCut>,
    ) -> io::Result<Arc<Self>> {
        let file = File::create(path)?;
        write_header(&file, header)?;
        let queue = Arc::new(Queue::default());
        let taken = Arc::clone(&queue);
        let writer = std::thread::Builder::new().name("history".to_owned()).spawn(move || {
            let written = write_events(&taken, file, follower.as_ref());
            taken.close();
            if let (Err(_), Some(when_cut)) = (&written, when_cut) {
                when_cut();
            }
            written
        })?;
        Ok(Arc::new(Self {
            start: Instant::now(),
            queue,
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
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = &writer {
            writer.thread().unpark();
        }
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
        let mut pending = self.queue.lock();
        // Inside the lock: stamps must grow in the order in which events enter the file.
        let time = self.now_ns();
        event.time = time;
        // The writer closes the queue when it stops on an error, which `finish` reports.
        if !pending.closed {
            pending.events.push(event);
        }
        time
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

fn write_events(queue: &Queue, mut file: File, follower: Option<&Sender<Vec<Event>>>) -> io::Result<()> {
    let (mut lines, mut room) = (Vec::new(), 0);
    loop {
        let (events, last) = queue.take(room);
        room = events.len();
        // All of a batch is written at once; after an error the system may have none of it.
        let cut = |error: io::Error| {
            let since = events.first().map_or(0, |event| event.time) as f64 / 1e9;
            io::Error::new(error.kind(), format!("the history is cut since {since:.3} s: {error}"))
        };
        lines.clear();
        lines.shrink_to(BUFFER_KEPT);
        for event in &events {
            append_event(&mut lines, event).map_err(cut)?;
        }
        file.write_all(&lines).map_err(cut)?;
        if let Some(follower) = follower.filter(|_| !events.is_empty()) {
            // A follower that has found what it looks for takes no more.
            let _ = follower.send(events);
        }
        if last {
            return file.sync_all();
        }
        std::thread::park_timeout(WRITE_EVERY);
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

    /// What each thread recorded stands in the file as often and in the order as it was recorded, at the time that
    /// `record` returned, and the follower gets the same.
    #[test]
    fn no_event_is_lost_or_reordered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let (sender, followed) = std::sync::mpsc::channel();
        let recorder = FileRecorder::create(&path, &header(), None, Some(sender), None).unwrap();
        let stamps: Vec<Vec<u64>> = std::thread::scope(|scope| {
            let record = |process: u64| {
                let recorder = &recorder;
                move || -> Vec<u64> {
                    let number = |number: u64| {
                        if number.is_multiple_of(1_000) {
                            std::thread::sleep(Duration::from_millis(3));
                        }
                        let mut event = Event::new(Process::Client(process), Kind::Invoke, "write");
                        event.value = number.into();
                        recorder.record(event)
                    };
                    (0..10_000).map(number).collect()
                }
            };
            let threads: Vec<_> = (0..3).map(|process| scope.spawn(record(process))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        recorder.finish().unwrap();
        recorder.record(Event::new(Process::Client(0), Kind::Invoke, "late"));
        let written = history::read_jsonl(std::fs::read(&path).unwrap().as_slice()).unwrap().events;
        for (process, stamps) in (0..).zip(&stamps) {
            let own = written.iter().filter(|event| event.process == Process::Client(process));
            let own: Vec<_> = own.map(|event| (event.value.as_u64().unwrap(), event.time)).collect();
            assert_eq!(own, (0..).zip(stamps.iter().copied()).collect::<Vec<_>>());
        }
        assert_eq!(written.len(), 30_000);
        drop(recorder);
        assert_eq!(followed.into_iter().flatten().collect::<Vec<_>>(), written);
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
        let queue = std::sync::Arc::new(super::Queue::default());
        let taken = std::sync::Arc::clone(&queue);
        let writer = std::thread::spawn(move || {
            let written = super::write_events(&taken, file, None);
            cut.send(()).unwrap();
            written
        });
        let mut event = Event::new(Process::Client(1), Kind::Invoke, "read");
        event.time = 2_310_000_000;
        queue.lock().events.push(event);
        heard.recv_timeout(Duration::from_secs(30)).unwrap();
        let error = writer.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        assert!(error.to_string().starts_with("the history is cut since 2.310 s: "), "{error}");
    }
}
