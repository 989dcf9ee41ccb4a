//! The kernel's requests to a mounted disk, answered from its store.

use super::super::store::{About, CAPACITY, Ino, InodeKind, New, Owner, ROOT, Refusal, Special};
use super::disk::{Disk, State};
use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Time for which the kernel may cache attributes.
///
/// Only the kernel changes them while the disk is mounted.
const REMEMBER: Duration = Duration::from_secs(3600);
const BLOCK: u32 = 4096;

/// A mount of a disk.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) disk: Arc<Disk>,
    /// The number of the mount. A disk that has lost its power has a new number.
    pub(super) generation: u64,
    pub(super) owner: (u32, u32),
    pub(super) listings: Mutex<Listings>,
}

/// Open folder listings, each a snapshot of the time at which it was opened.
#[derive(Debug, Default)]
pub(super) struct Listings {
    next: u64,
    open: HashMap<u64, Vec<(OsString, Ino, InodeKind)>>,
}

fn errno(refusal: Refusal) -> Errno {
    match refusal {
        Refusal::NotThere => Errno::ENOENT,
        Refusal::Exists => Errno::EEXIST,
        Refusal::NotAFolder => Errno::ENOTDIR,
        Refusal::IsAFolder => Errno::EISDIR,
        Refusal::NotEmpty => Errno::ENOTEMPTY,
        Refusal::NoSpace => Errno::ENOSPC,
    }
}

/// The mode of a new entry and its owner.
#[derive(Debug, Clone, Copy)]
struct Creation {
    mode: u32,
    owner: Owner,
}

impl Creation {
    fn by(request: &Request, mode: u32) -> Self {
        Self { mode, owner: Owner { user: request.uid(), group: request.gid() } }
    }
}

fn file_type(kind: InodeKind) -> FileType {
    match kind {
        InodeKind::File => FileType::RegularFile,
        InodeKind::Folder => FileType::Directory,
        InodeKind::Link => FileType::Symlink,
        InodeKind::Special(Special::Pipe) => FileType::NamedPipe,
        InodeKind::Special(Special::Socket) => FileType::Socket,
    }
}

impl Files {
    /// The disk, if this mount is still the current one.
    fn disk(&self) -> Result<MutexGuard<'_, State>, Errno> {
        let state = self.disk.lock();
        if state.generation == self.generation { Ok(state) } else { Err(Errno::EIO) }
    }

    /// The disk, if it accepts changes.
    fn writable(&self) -> Result<MutexGuard<'_, State>, Errno> {
        let mut state = self.disk()?;
        if state.is_full() { Err(Errno::ENOSPC) } else { Ok(state) }
    }

    fn listings(&self) -> MutexGuard<'_, Listings> {
        self.listings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attr(&self, ino: Ino, about: About) -> FileAttr {
        let time = about.modified;
        FileAttr {
            ino: INodeNo(ino),
            size: about.bytes,
            blocks: about.bytes.div_ceil(512),
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind: file_type(about.kind),
            perm: u16::try_from(about.mode & 0o7777).unwrap_or(0o644),
            nlink: if about.kind == InodeKind::Folder { 2 } else { 1 },
            uid: about.owner.map_or(self.owner.0, |owner| owner.user),
            gid: about.owner.map_or(self.owner.1, |owner| owner.group),
            rdev: 0,
            blksize: BLOCK,
            flags: 0,
        }
    }

    /// The attributes of an entry; the kernel then holds a reference to it.
    fn tell(&self, state: &mut State, ino: Ino) -> Result<FileAttr, Errno> {
        let about = state.store.about(ino).map_err(errno)?;
        *state.lookups.entry(ino).or_default() += 1;
        Ok(self.attr(ino, about))
    }

    fn make(&self, parent: INodeNo, name: &OsStr, new: New, by: Creation) -> Result<FileAttr, Errno> {
        let mut state = self.writable()?;
        let ino = state.store.make(parent.0, name, new, by.mode, SystemTime::now()).map_err(errno)?;
        state.store.set_owner(ino, by.owner).map_err(errno)?;
        self.tell(&mut state, ino)
    }

    fn remove(&self, parent: INodeNo, name: &OsStr, folder: bool) -> Result<(), Errno> {
        let mut state = self.disk()?;
        let ino = state.store.remove(parent.0, name, folder).map_err(errno)?;
        forget_unknown(&mut state, ino);
        Ok(())
    }

    /// Sets the user or the group of an entry, where given.
    fn own(&self, ino: Ino, user: Option<u32>, group: Option<u32>) -> Result<(), Errno> {
        if user.is_none() && group.is_none() {
            return Ok(());
        }
        let mut state = self.disk()?;
        let before = state.store.about(ino).map_err(errno)?.owner;
        let before = before.unwrap_or(Owner { user: self.owner.0, group: self.owner.1 });
        let owner = Owner { user: user.unwrap_or(before.user), group: group.unwrap_or(before.group) };
        state.store.set_owner(ino, owner).map_err(errno)
    }

    fn set(&self, ino: Ino, mode: Option<u32>, size: Option<u64>) -> Result<FileAttr, Errno> {
        let mut state = if size.is_some() { self.writable()? } else { self.disk()? };
        if let Some(mode) = mode {
            state.store.set_mode(ino, mode & 0o7777).map_err(errno)?;
        }
        if let Some(size) = size {
            state.store.set_length(ino, size, SystemTime::now()).map_err(errno)?;
        }
        Ok(self.attr(ino, state.store.about(ino).map_err(errno)?))
    }

    fn forget_times(&self, ino: Ino, times: u64) -> Result<(), Errno> {
        let mut state = self.disk()?;
        let left = state.lookups.get(&ino).copied().unwrap_or(0).saturating_sub(times);
        if left > 0 {
            state.lookups.insert(ino, left);
        } else {
            state.lookups.remove(&ino);
            state.store.let_go(ino);
        }
        Ok(())
    }

    fn sync(&self, ino: INodeNo, reply: ReplyEmpty) {
        match self.disk() {
            Ok(mut state) => self.disk.sync(&mut state, ino.0, reply),
            Err(error) => reply.error(error),
        }
    }
}

/// Removes a file without a name, unless the kernel still holds a reference.
fn forget_unknown(state: &mut State, ino: Ino) {
    if !state.lookups.contains_key(&ino) {
        state.store.let_go(ino);
    }
}

fn answer_entry(found: Result<FileAttr, Errno>, reply: ReplyEntry) {
    match found {
        Ok(attr) => reply.entry(&REMEMBER, &attr, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn answer_attr(found: Result<FileAttr, Errno>, reply: ReplyAttr) {
    match found {
        Ok(attr) => reply.attr(&REMEMBER, &attr),
        Err(error) => reply.error(error),
    }
}

fn answer(done: Result<(), Errno>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Files {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let find = || {
            let mut state = self.disk()?;
            let ino = state.store.lookup(parent.0, name).map_err(errno)?;
            self.tell(&mut state, ino)
        };
        answer_entry(find(), reply);
    }

    fn forget(&self, _: &Request, ino: INodeNo, nlookup: u64) {
        // A disk that has lost its power has no references.
        let _ = self.forget_times(ino.0, nlookup);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let found = self.disk().and_then(|state| state.store.about(ino.0).map_err(errno));
        answer_attr(found.map(|about| self.attr(ino.0, about)), reply);
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        user: Option<u32>,
        group: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        answer_attr(self.own(ino.0, user, group).and_then(|()| self.set(ino.0, mode, size)), reply);
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        match self.disk() {
            Ok(state) => match state.store.target(ino.0) {
                Ok(target) => reply.data(target.as_encoded_bytes()),
                Err(refusal) => reply.error(errno(refusal)),
            },
            Err(error) => reply.error(error),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let new = match mode & libc::S_IFMT {
            libc::S_IFREG => New::File,
            libc::S_IFIFO => New::Special(Special::Pipe),
            libc::S_IFSOCK => New::Special(Special::Socket),
            // The lab mounts its disks without devices.
            _ => return reply.error(Errno::EPERM),
        };
        answer_entry(self.make(parent, name, new, Creation::by(request, mode & !umask)), reply);
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        answer_entry(self.make(parent, name, New::Folder, Creation::by(request, mode & !umask)), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.remove(parent, name, false), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.remove(parent, name, true), reply);
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        answer_entry(self.make(parent, name, New::Link(target.into()), Creation::by(request, 0o777)), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            return reply.error(Errno::EINVAL);
        }
        let replace = !flags.contains(RenameFlags::RENAME_NOREPLACE);
        let rename = || {
            let mut state = self.disk()?;
            let replaced = state.store.rename((parent.0, name), (newparent.0, newname), replace);
            if let Some(ino) = replaced.map_err(errno)? {
                forget_unknown(&mut state, ino);
            }
            Ok(())
        };
        answer(rename(), reply);
    }

    fn link(&self, _: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        let link = || {
            let mut state = self.writable()?;
            state.store.link(ino.0, newparent.0, newname).map_err(errno)?;
            self.tell(&mut state, ino.0)
        };
        answer_entry(link(), reply);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.disk() {
            Ok(state) => match state.store.read(ino.0, offset, size as usize) {
                Ok(bytes) => reply.data(bytes),
                Err(refusal) => reply.error(errno(refusal)),
            },
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self
            .writable()
            .and_then(|mut state| state.store.write(ino.0, offset, data, SystemTime::now()).map_err(errno));
        match written {
            Ok(()) => {
                reply.written(u32::try_from(data.len()).expect("the kernel writes at most some megabytes"));
            }
            Err(error) => reply.error(error),
        }
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(ino, reply);
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(ino, reply);
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let listed = self.disk().and_then(|state| state.store.list(ino.0).map_err(errno));
        match listed {
            Ok(entries) => {
                let own = [(".".into(), ino.0, InodeKind::Folder), ("..".into(), ROOT, InodeKind::Folder)];
                let mut listings = self.listings();
                listings.next += 1;
                let handle = listings.next;
                listings.open.insert(handle, own.into_iter().chain(entries).collect());
                reply.opened(FileHandle(handle), FopenFlags::empty());
            }
            Err(error) => reply.error(error),
        }
    }

    fn readdir(&self, _: &Request, _: INodeNo, fh: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let listings = self.listings();
        let entries = listings.open.get(&fh.0).map_or(&[][..], Vec::as_slice);
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (index, (name, ino, kind)) in entries.iter().enumerate().skip(from) {
            if reply.add(INodeNo(*ino), index as u64 + 1, file_type(*kind), name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _: INodeNo, fh: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.listings().open.remove(&fh.0);
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let used = self.disk().map_or(0, |state| state.store.bytes());
        let (all, free) = (CAPACITY / u64::from(BLOCK), (CAPACITY - used) / u64::from(BLOCK));
        reply.statfs(all, free, free, 1 << 20, 1 << 20, BLOCK, 255, BLOCK);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.make(parent, name, New::File, Creation::by(request, mode & !umask)) {
            Ok(attr) => reply.created(&REMEMBER, &attr, Generation(0), FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if mode != 0 && mode != libc::FALLOC_FL_KEEP_SIZE {
            return reply.error(Errno::EOPNOTSUPP);
        }
        let allocate = || {
            let mut state = self.writable()?;
            let bytes = state.store.about(ino.0).map_err(errno)?.bytes;
            let end = offset.checked_add(length).ok_or(Errno::EFBIG)?;
            if mode == 0 && end > bytes {
                state.store.set_length(ino.0, end, SystemTime::now()).map_err(errno)?;
            }
            Ok(())
        };
        answer(allocate(), reply);
    }
}
