//! The process of the disks: mounts them, serves the lab's requests, and ends with the lab.
//!
//! It never touches its own mounts: a process that serves a mount and waits for it waits for ever.

use super::super::message::{Answer, Request};
use super::super::model::DiskModel;
use super::super::store::{InodeKind, New, ROOT, Store};
use super::disk::Disk;
use super::files::{Files, Listings};
use crate::claim::Claim;
use fuser::{Config, Session, SessionACL};
use rustix::fd::AsRawFd;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// The device through which the kernel serves file systems in user space.
pub(super) const DEVICE: &str = "/dev/fuse";

/// A node's disk and its mount point.
struct MountedDisk {
    disk: Arc<Disk>,
    path: PathBuf,
    mounted: bool,
}

/// Serves the lab, which is at the other end of standard input, until it closes.
pub(crate) fn serve() -> u8 {
    let talk = || -> io::Result<()> {
        let stream = UnixStream::from(rustix::io::dup(rustix::stdio::stdin())?);
        let mut answers = stream.try_clone()?;
        let (mut disks, mut together) = (BTreeMap::new(), BTreeMap::new());
        for line in BufReader::new(stream).lines() {
            let (node, request): (String, Request) = serde_json::from_str(&line?)?;
            let answer = obey(&mut disks, &mut together, &node, request);
            let answer = answer.unwrap_or_else(|error| Answer::Failed(error.to_string()));
            let mut line = serde_json::to_string(&answer)?;
            line.push('\n');
            answers.write_all(line.as_bytes())?;
        }
        Ok(())
    };
    match talk() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("error: the process of the disks: {error}");
            4
        }
    }
}

/// The syncs that are still to begin, for faults that wait for one of several disks.
type Together = BTreeMap<Claim, Arc<AtomicU64>>;

fn obey(
    disks: &mut BTreeMap<String, MountedDisk>,
    all: &mut Together,
    node: &str,
    request: Request,
) -> io::Result<Answer> {
    if let Request::Mount { path, seed, model } = request {
        mount_disk(disks, node, path, (seed, model))?;
        return Ok(Answer::Done);
    }
    let Some(mounted) = disks.get_mut(node) else { return without_disk(node, &request) };
    let mut state = mounted.disk.lock();
    match request {
        Request::Mount { .. } => unreachable!("handled above"),
        Request::Apply { claim, condition } => state.apply(claim, condition),
        Request::Release { claim } => state.release(Some(claim)),
        Request::ReleaseAll => {
            state.arm(None);
            state.maintain(false);
            state.release(None);
            all.clear();
        }
        Request::Arm(catch) => state.arm(Some(catch)),
        Request::Disarm => state.arm(None),
        Request::Await { claim, count, together } => {
            let own = || Arc::new(AtomicU64::new(count));
            let left = if together { Arc::clone(all.entry(claim).or_insert_with(own)) } else { own() };
            state.wait_for_sync(claim, Some(left));
        }
        Request::ReleaseAwaited { claim } => {
            all.remove(&claim);
            state.wait_for_sync(claim, None);
        }
        Request::Awaited { claim } => return Ok(Answer::Caught(state.awaited(claim))),
        Request::Maintain { begin } => state.maintain(begin),
        Request::Caught => return Ok(Answer::Caught(state.caught())),
        Request::LetGo => state.let_go(),
        Request::Count => return Ok(Answer::Counted(state.counters)),
        Request::LosePower { tear } => {
            let loss = state.lose_power(tear);
            drop(state);
            mounted.unmount()?;
            return Ok(Answer::Lost(loss));
        }
        Request::LeaveImage { seed } => {
            let image = state.leave_image(seed);
            drop(state);
            mounted.unmount()?;
            return Ok(Answer::Left(image));
        }
        Request::Save => {
            state.release(None);
            drop(state);
            mounted.unmount()?;
            save(&mounted.disk.lock().store, &mounted.path)?;
        }
    }
    Ok(Answer::Done)
}

/// The answer for a node that was never started: healing a missing disk succeeds.
fn without_disk(node: &str, request: &Request) -> io::Result<Answer> {
    match request {
        Request::Release { .. }
        | Request::ReleaseAll
        | Request::Disarm
        | Request::ReleaseAwaited { .. }
        | Request::Maintain { begin: false }
        | Request::LetGo
        | Request::Save => Ok(Answer::Done),
        Request::Caught | Request::Awaited { .. } => Ok(Answer::Caught(Vec::new())),
        Request::Mount { .. }
        | Request::Apply { .. }
        | Request::Arm(_)
        | Request::Await { .. }
        | Request::Maintain { begin: true }
        | Request::LosePower { .. }
        | Request::LeaveImage { .. }
        | Request::Count => Err(io::Error::other(format!("{node} was never started, so it has no disk"))),
    }
}

/// Mounts a node's disk unless it is mounted; a new disk begins with the content of the folder.
fn mount_disk(
    disks: &mut BTreeMap<String, MountedDisk>,
    node: &str,
    path: PathBuf,
    (seed, model): (u64, DiskModel),
) -> io::Result<()> {
    let mounted = match disks.entry(node.to_owned()) {
        std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
        std::collections::btree_map::Entry::Vacant(entry) => {
            let disk = Disk::start(seed, model)?;
            let mode = std::fs::metadata(&path)?.permissions().mode();
            let mut state = disk.lock();
            // It fails only for a missing root.
            let _ = state.store.set_mode(ROOT, mode & 0o7777);
            load(&mut state.store, ROOT, &path)?;
            drop(state);
            entry.insert(MountedDisk { disk, path, mounted: false })
        }
    };
    mounted.disk.lock().begin_use();
    if !mounted.mounted {
        mounted.mount()?;
    }
    Ok(())
}

impl MountedDisk {
    fn mount(&mut self) -> io::Result<()> {
        let generation = self.disk.lock().generation;
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let listings = Mutex::new(Listings::default());
        attach(&self.path, Files { disk: Arc::clone(&self.disk), generation, owner, listings })?;
        self.mounted = true;
        Ok(())
    }

    /// Unmounts the disk, also for processes that still have files open.
    fn unmount(&mut self) -> io::Result<()> {
        if self.mounted {
            unmount(&*self.path, UnmountFlags::DETACH)?;
            self.mounted = false;
        }
        Ok(())
    }
}

/// Mounts a file system; a thread serves it while the kernel has it mounted.
fn attach(path: &Path, files: Files) -> io::Result<()> {
    let device = OpenOptions::new().read(true).write(true).open(DEVICE);
    let device = device.map_err(|error| io::Error::new(error.kind(), format!("{DEVICE}: {error}")))?;
    let (uid, gid) = files.owner;
    let fd = device.as_raw_fd();
    let options = format!("fd={fd},rootmode=40000,user_id={uid},group_id={gid},allow_other");
    let options = CString::new(options).expect("numbers have no zero bytes");
    let safe = MountFlags::NOSUID | MountFlags::NODEV;
    mount("bench", path, "fuse.bench", safe, &*options).map_err(|error| {
        io::Error::new(io::Error::from(error).kind(), format!("mount at {}: {error}", path.display()))
    })?;
    Session::from_fd(files, device.into(), SessionACL::All, Config::default())?.spawn()?;
    Ok(())
}

/// Loads the content of a folder as synced data.
fn load(store: &mut Store, ino: u64, folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (kind, mode) = (entry.file_type()?, entry.metadata()?.permissions().mode());
        let mut make = |new| {
            let result = store.make(ino, &entry.file_name(), new, mode & 0o7777, SystemTime::now());
            result.map_err(|refusal| io::Error::other(format!("{}: {refusal:?}", entry.path().display())))
        };
        if kind.is_dir() {
            let inner = make(New::Folder)?;
            load(store, inner, &entry.path())?;
        } else if kind.is_symlink() {
            make(New::Link(std::fs::read_link(entry.path())?.into()))?;
        } else if kind.is_file() {
            let file = make(New::File)?;
            let bytes = std::fs::read(entry.path())?;
            let written = store.write(file, 0, &bytes, SystemTime::now());
            written
                .map_err(|refusal| io::Error::other(format!("{}: {refusal:?}", entry.path().display())))?;
        }
    }
    store.write_back(store.sequence());
    Ok(())
}

/// Writes the content of a disk into a folder, in place of the folder's content.
fn save(store: &Store, folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    for (path, ino) in store.tree() {
        let path = folder.join(path);
        let broken = |_| io::Error::other("every path of the tree exists");
        match store.about(ino).map_err(broken)?.kind {
            InodeKind::Folder => std::fs::create_dir(path)?,
            InodeKind::Link => std::os::unix::fs::symlink(store.target(ino).map_err(broken)?, path)?,
            // No process is left that could answer there.
            InodeKind::Special(_) => {}
            InodeKind::File => {
                File::create(path)?.write_all(store.read(ino, 0, usize::MAX).map_err(broken)?)?;
            }
        }
    }
    Ok(())
}
