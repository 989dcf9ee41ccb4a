//! Client of the process of the disks, in the lab.

use super::super::error::DiskError;
use super::super::message::{Answer, Catch, Condition, DiskCounters, OpenSync, Request};
use super::super::model::DiskModel;
use super::super::store::{Image, Loss};
use crate::claim::Claim;
use crate::reexec::again_as;
use rustix::fd::OwnedFd;
use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// The part of the process that serves the disks of a lab.
pub(crate) const PART: &str = "disk";

/// The process that serves the disks of a lab. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Disks {
    stream: Mutex<BufReader<UnixStream>>,
    child: Child,
}

impl Disks {
    /// Starts the process: this program again, to play another part.
    pub(crate) fn start() -> Result<Arc<Self>, DiskError> {
        let start = || {
            let (here, there) = UnixStream::pair()?;
            let child = again_as(PART)?
                .stdin(Stdio::from(OwnedFd::from(there)))
                // A signal to the bench's process group (Ctrl-C) must not end the disks under its nodes.
                .process_group(0)
                .spawn()?;
            Ok(Arc::new(Self { stream: Mutex::new(BufReader::new(here)), child }))
        };
        start().map_err(DiskError::Process)
    }

    fn ask(&self, node: &str, request: &Request) -> Result<Answer, DiskError> {
        let talk = || -> io::Result<Answer> {
            let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
            let mut line = serde_json::to_string(&(node, request))?;
            line.push('\n');
            stream.get_mut().write_all(line.as_bytes())?;
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err(io::Error::other("it has ended"));
            }
            Ok(serde_json::from_str(&line)?)
        };
        match talk().map_err(DiskError::Process)? {
            Answer::Failed(reason) => Err(DiskError::Failed { node: node.to_owned(), reason }),
            answer => Ok(answer),
        }
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It fails only if the process has ended; `wait` reaps it in either case.
        let _ = stream.get_ref().shutdown(Shutdown::Both);
        let _ = self.child.wait();
    }
}

/// One node's disk. Every call but mounting and saving takes about 50 µs.
#[derive(Debug, Clone)]
pub(crate) struct NodeDisk {
    disks: Arc<Disks>,
    node: String,
    seed: u64,
    model: DiskModel,
}

impl NodeDisk {
    pub(crate) fn new(disks: &Arc<Disks>, node: &str, seed: u64, model: DiskModel) -> Self {
        Self { disks: Arc::clone(disks), node: node.to_owned(), seed, model }
    }

    fn order(&self, request: &Request) -> Result<(), DiskError> {
        self.disks.ask(&self.node, request).map(drop)
    }

    fn unexpected(&self, answer: &Answer) -> DiskError {
        let reason = format!("its answer is not one to this request: {answer:?}");
        DiskError::Failed { node: self.node.clone(), reason }
    }

    /// Mounts it at a folder unless it is mounted; creates a missing folder.
    pub(crate) fn mount(&self, path: &Path) -> Result<(), DiskError> {
        self.order(&Request::Mount { path: path.to_owned(), seed: self.seed, model: self.model })
    }

    pub(crate) fn apply(&self, claim: Claim, condition: Condition) -> Result<(), DiskError> {
        self.order(&Request::Apply { claim, condition })
    }

    pub(crate) fn release(&self, claim: Claim) -> Result<(), DiskError> {
        self.order(&Request::Release { claim })
    }

    /// Ends every fault.
    pub(crate) fn release_all(&self) -> Result<(), DiskError> {
        self.order(&Request::ReleaseAll)
    }

    /// Arms the disk, which then holds these syncs; none disarms it.
    pub(crate) fn arm(&self, catch: Option<Catch>) -> Result<(), DiskError> {
        self.order(&catch.map_or(Request::Disarm, Request::Arm))
    }

    /// Counts syncs with changes for a fault that waits for the `count`-th of them, and holds that one and those after it.
    /// With `together`, those of all disks that wait for this fault are counted.
    pub(crate) fn wait_for_sync(&self, claim: Claim, count: u64, together: bool) -> Result<(), DiskError> {
        self.order(&Request::Await { claim, count, together })
    }

    /// Answers what it holds for a fault that waited, and waits no longer.
    pub(crate) fn release_awaited(&self, claim: Claim) -> Result<(), DiskError> {
        self.order(&Request::ReleaseAwaited { claim })
    }

    /// The open syncs that it holds for a fault that waits for them, the oldest first.
    pub(crate) fn awaited(&self, claim: Claim) -> Result<Vec<OpenSync>, DiskError> {
        match self.disks.ask(&self.node, &Request::Awaited { claim })? {
            Answer::Caught(open) => Ok(open),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Begins or ends maintenance: the bench itself works on the disk, and no fault of the disk hits it.
    pub(crate) fn maintain(&self, begin: bool) -> Result<(), DiskError> {
        self.order(&Request::Maintain { begin })
    }

    /// The open syncs that it holds, the oldest first.
    pub(crate) fn caught(&self) -> Result<Vec<OpenSync>, DiskError> {
        match self.disks.ask(&self.node, &Request::Caught)? {
            Answer::Caught(open) => Ok(open),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Answers all held syncs; the process that waited has been killed.
    pub(crate) fn let_go(&self) -> Result<(), DiskError> {
        self.order(&Request::LetGo)
    }

    /// Discards all data that is not durable, and unmounts the disk.
    pub(crate) fn lose_power(&self, tear: Option<u64>) -> Result<Loss, DiskError> {
        match self.disks.ask(&self.node, &Request::LosePower { tear })? {
            Answer::Lost(loss) => Ok(loss),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Loses the power, and keeps a legal state that the seed chooses; unmounts the disk.
    pub(crate) fn leave_image(&self, seed: u64) -> Result<Image, DiskError> {
        match self.disks.ask(&self.node, &Request::LeaveImage { seed })? {
            Answer::Left(image) => Ok(image),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Its counters so far.
    pub(crate) fn counters(&self) -> Result<DiskCounters, DiskError> {
        match self.disks.ask(&self.node, &Request::Count)? {
            Answer::Counted(counters) => Ok(counters),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Unmounts it and writes its content into the folder at which it was mounted.
    pub(crate) fn save(&self) -> Result<(), DiskError> {
        self.order(&Request::Save)
    }
}
