//! Behaviour of a disk in memory for programs, through the kernel.
//!
//! Each test starts itself again inside a lab of its own. It is skipped, with the reason, where no lab or mount
//! works.

use super::super::message::{Catch, Condition, OpenSync};
use super::super::model::{DiskModel, Folders, Tear, WriteBack};
use super::*;
use crate::delay::Delay;
use crate::network::{disk_possible, inside_a_lab_of_its_own};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, chown};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Whether this is the process inside the lab, with a working disk.
fn inside(test: &str) -> bool {
    inside_a_lab_of_its_own(&format!("disk::memory::tests::{test}")) && disk_possible(test)
}

struct Mounted {
    folder: tempfile::TempDir,
    disk: NodeDisk,
}

impl Mounted {
    fn new() -> Self {
        Self::with(DiskModel::default())
    }

    fn with(model: DiskModel) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("before"), b"it was there").unwrap();
        let disk = NodeDisk::new(&Disks::start().unwrap(), "n1", 7, model);
        disk.mount(folder.path()).unwrap();
        Self { folder, disk }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn sync_folder(&self) {
        File::open(self.folder.path()).unwrap().sync_all().unwrap();
    }

    fn lose_power(&self) {
        self.disk.lose_power(None).unwrap();
        self.disk.mount(self.folder.path()).unwrap();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.disk.save().unwrap();
    }
}

#[test]
fn synced_data_survives_a_power_loss() {
    if !inside("synced_data_survives_a_power_loss") {
        return;
    }
    let mounted = Mounted::with(DiskModel::STRICT);
    assert_eq!(mounted.read("before"), b"it was there");
    fs::create_dir(mounted.path("deep")).unwrap();
    let mut log = File::create(mounted.path("deep/log")).unwrap();
    log.write_all(b"kept").unwrap();
    log.sync_data().unwrap();
    File::open(mounted.path("deep")).unwrap().sync_all().unwrap();
    mounted.sync_folder();
    log.write_all(b"lost").unwrap();
    fs::write(mounted.path("unnamed"), b"never synced").unwrap();
    let at_once = OpenOptions::new().append(true).custom_flags(libc::O_DSYNC).open(mounted.path("before"));
    at_once.unwrap().write_all(b", and this is durable at once").unwrap();
    fs::rename(mounted.path("deep/log"), mounted.path("moved")).unwrap();
    mounted.lose_power();
    assert_eq!(mounted.read("deep/log"), b"kept");
    assert_eq!(mounted.read("before"), b"it was there, and this is durable at once");
    for lost in ["unnamed", "moved"] {
        assert_eq!(fs::metadata(mounted.path(lost)).unwrap_err().kind(), ErrorKind::NotFound, "{lost}");
    }
    let old = log.write_all(b"from before the power loss").unwrap_err();
    assert_eq!(old.raw_os_error(), Some(libc::EIO));
}

#[test]
fn ordered_folders_keep_names_before_a_sync() {
    if !inside("ordered_folders_keep_names_before_a_sync") {
        return;
    }
    let mounted = Mounted::new();
    fs::create_dir(mounted.path("deep")).unwrap();
    let mut log = File::create(mounted.path("deep/log")).unwrap();
    log.write_all(b"kept").unwrap();
    fs::write(mounted.path("unsynced"), b"its name is kept").unwrap();
    fs::rename(mounted.path("deep/log"), mounted.path("before")).unwrap();
    log.sync_data().unwrap();
    log.write_all(b"lost").unwrap();
    fs::write(mounted.path("later"), b"lost with its name").unwrap();
    mounted.lose_power();
    assert_eq!(mounted.read("before"), b"kept", "it replaced the old file");
    assert_eq!(mounted.read("unsynced"), b"");
    assert!(!mounted.path("later").exists() && mounted.path("deep").exists());
}

#[test]
fn old_writes_are_durable_without_a_sync() {
    if !inside("old_writes_are_durable_without_a_sync") {
        return;
    }
    let age = Duration::from_millis(100);
    for folders in [Folders::Ordered, Folders::Strict] {
        let model = DiskModel { folders, write_back: WriteBack::After(age), ..DiskModel::default() };
        let mounted = Mounted::with(model);
        fs::create_dir(mounted.path("deep")).unwrap();
        fs::write(mounted.path("deep/log"), b"old").unwrap();
        std::thread::sleep(age * 20);
        mounted.lose_power();
        assert_eq!(mounted.read("deep/log"), b"old", "{folders:?}");
    }
}

#[test]
fn files_behave_like_regular_files() {
    if !inside("files_behave_like_regular_files") {
        return;
    }
    let mounted = Mounted::new();
    let file =
        File::options().create(true).truncate(true).read(true).write(true).open(mounted.path("a")).unwrap();
    file.try_lock().unwrap();
    assert!(File::open(mounted.path("a")).unwrap().try_lock().is_err(), "locks hold between programs");
    file.write_all_at(b"end", 70_000).unwrap();
    file.set_len(70_002).unwrap();
    let bytes = mounted.read("a");
    assert_eq!((bytes.len(), &bytes[69_999..]), (70_002, &b"\0en"[..]));
    fs::hard_link(mounted.path("a"), mounted.path("b")).unwrap();
    fs::remove_file(mounted.path("a")).unwrap();
    assert_eq!(mounted.read("b").len(), 70_002);
    fs::remove_file(mounted.path("b")).unwrap();
    let mut still = [0; 3];
    file.read_exact_at(&mut still, 69_999).unwrap();
    assert_eq!(&still, b"\0en", "an open file outlives its names");
    std::os::unix::fs::symlink("before", mounted.path("link")).unwrap();
    assert_eq!(mounted.read("link"), b"it was there");
    fs::create_dir(mounted.path("folder")).unwrap();
    for number in 0..500 {
        fs::write(mounted.path(&format!("folder/{number}")), b"x").unwrap();
    }
    assert_eq!(fs::read_dir(mounted.path("folder")).unwrap().count(), 500);
    assert_eq!(fs::remove_dir(mounted.path("folder")).unwrap_err().raw_os_error(), Some(libc::ENOTEMPTY));
    fs::remove_dir_all(mounted.path("folder")).unwrap();
    let names: Vec<_> =
        fs::read_dir(mounted.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["before", "link"]);
    let big = vec![7; 9 << 20];
    fs::write(mounted.path("big"), &big).unwrap();
    assert!(mounted.read("big") == big);
    mounted.disk.save().unwrap();
    assert!(mounted.read("big") == big, "the content in memory is in the folder under it");
    mounted.disk.mount(mounted.folder.path()).unwrap();
}

#[test]
fn owners_of_files_can_be_changed() {
    if !inside("owners_of_files_can_be_changed") {
        return;
    }
    let mounted = Mounted::new();
    fs::write(mounted.path("own"), b"x").unwrap();
    let owner =
        |name: &str| fs::metadata(mounted.path(name)).map(|about| (about.uid(), about.gid())).unwrap();
    let own = owner("own");
    assert_eq!(own, (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()));
    chown(mounted.path("own"), Some(own.0), Some(own.1)).unwrap();
    assert_eq!(owner("own"), own);
    // In namespaces of an ordinary user no other users exist.
    match chown(mounted.path("own"), Some(65_534), None) {
        Ok(()) => assert_eq!(owner("own"), (65_534, own.1)),
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}"),
    }
    assert_eq!(owner("before"), own);
}

#[test]
fn programs_see_full_failing_and_slow_disks() {
    if !inside("programs_see_full_failing_and_slow_disks") {
        return;
    }
    let mounted = Mounted::new();
    let mut log = File::create(mounted.path("log")).unwrap();
    log.sync_all().unwrap();
    mounted.sync_folder();
    let before = mounted.disk.counters().unwrap();
    mounted.disk.apply(1, Condition::Full).unwrap();
    assert_eq!(log.write_all(b"x").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(File::create(mounted.path("more")).unwrap_err().kind(), ErrorKind::StorageFull);
    mounted.disk.release(1).unwrap();
    log.write_all(b"kept").unwrap();
    log.sync_all().unwrap();
    mounted.disk.apply(2, Condition::SyncError).unwrap();
    log.write_all(b"lost").unwrap();
    assert_eq!(log.sync_all().unwrap_err().raw_os_error(), Some(libc::EIO));
    mounted.disk.release(2).unwrap();
    log.sync_all().unwrap();
    assert_eq!(mounted.read("log"), b"keptlost", "the page cache has it");
    let slow = Delay { mean: Duration::from_millis(60), ..Delay::default() };
    mounted.disk.apply(3, Condition::DelaySyncs(slow)).unwrap();
    let began = Instant::now();
    log.write_all_at(b"ed", 4).unwrap();
    log.sync_all().unwrap();
    assert!(began.elapsed() >= slow.mean);
    let since = mounted.disk.counters().unwrap() - before;
    assert_eq!((since.refused, since.failed, since.delayed), (2, 1, 1));
    mounted.lose_power();
    assert_eq!(mounted.read("log"), b"kepted", "a later sync writes later data only, not the failed write");
}

#[test]
fn held_sync_is_answered_after_disarming() {
    if !inside("held_sync_is_answered_after_disarming") {
        return;
    }
    let mounted = Mounted::with(DiskModel { tear: Tear::Byte, ..DiskModel::default() });
    let (log, folder) = (File::create(mounted.path("log")).unwrap(), mounted.folder.path().to_owned());
    log.sync_all().unwrap();
    mounted.sync_folder();
    let forever = Delay { mean: Duration::from_secs(1 << 20), ..Delay::default() };
    mounted.disk.apply(1, Condition::DelaySyncs(forever)).unwrap();
    let write = |bytes: &'static [u8]| {
        let mut log = log.try_clone().unwrap();
        std::thread::spawn(move || log.write_all(bytes).and_then(|()| log.sync_data()))
    };
    let slow = write(b"slow");
    let delayed = || mounted.disk.counters().unwrap().delayed;
    while delayed() == 0 {
        std::thread::yield_now();
    }
    mounted.disk.release(1).unwrap();
    slow.join().unwrap().unwrap();
    mounted.disk.arm(Some(Catch::Bytes)).unwrap();
    let caught = write(b"caught");
    while mounted.disk.caught().unwrap().is_empty() {
        std::thread::yield_now();
    }
    let loss = mounted.disk.lose_power(Some(3)).unwrap();
    assert!(caught.join().unwrap().is_err());
    let lines = loss.in_words();
    assert!(lines[1].starts_with("log: of a write of 6 bytes at 4 the "), "{lines:?}");
    assert!(lines[1].contains("inside a sector"), "{lines:?}");
    mounted.disk.mount(&folder).unwrap();
    let mut bytes = Vec::new();
    File::open(mounted.path("log")).unwrap().read_to_end(&mut bytes).unwrap();
    assert!(bytes.starts_with(b"slow") && bytes.len() > 4 && bytes != b"slowcaught", "{bytes:?}");
}

#[test]
fn sockets_and_pipes_work_and_are_not_saved() {
    if !inside("sockets_and_pipes_work_and_are_not_saved") {
        return;
    }
    let mounted = Mounted::new();
    let listener = std::os::unix::net::UnixListener::bind(mounted.path("socket")).unwrap();
    let mut client = std::os::unix::net::UnixStream::connect(mounted.path("socket")).unwrap();
    client.write_all(b"hello").unwrap();
    let mut heard = [0; 5];
    listener.accept().unwrap().0.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
    let pipe = std::process::Command::new("mkfifo").arg(mounted.path("pipe")).status().unwrap();
    assert!(pipe.success());
    assert!(std::os::unix::fs::FileTypeExt::is_fifo(
        &fs::metadata(mounted.path("pipe")).unwrap().file_type()
    ));
    fs::remove_file(mounted.path("socket")).unwrap();
    File::create(mounted.path("log")).unwrap();
    mounted.disk.save().unwrap();
    let left = fs::read_dir(mounted.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: std::collections::BTreeSet<_> = left.collect();
    assert_eq!(left, ["before".into(), "log".into()].into());
}

#[test]
fn held_syncs_return_at_the_end() {
    if !inside("held_syncs_return_at_the_end") {
        return;
    }
    let mounted = Mounted::new();
    let mut log = File::create(mounted.path("log")).unwrap();
    log.sync_all().unwrap();
    mounted.sync_folder();
    let before = mounted.disk.counters().unwrap();
    mounted.disk.apply(1, Condition::HoldSyncs).unwrap();
    log.sync_all().unwrap();
    let other = log.try_clone().unwrap();
    log.write_all(b"held").unwrap();
    let held = std::thread::spawn(move || other.sync_data());
    let open = caught(&mounted);
    assert_eq!((open.len(), open[0].path.as_str(), open[0].bytes), (1, "log", 4));
    assert_eq!((mounted.disk.counters().unwrap() - before).held, 1, "a sync without changes is not held");
    assert!(!held.is_finished());
    mounted.disk.release(1).unwrap();
    held.join().unwrap().unwrap();
    mounted.lose_power();
    assert_eq!(mounted.read("log"), b"held");
}

#[test]
fn awaited_sync_is_held_and_those_before_it_are_not() {
    if !inside("awaited_sync_is_held_and_those_before_it_are_not") {
        return;
    }
    let mounted = Mounted::new();
    let mut log = File::create(mounted.path("log")).unwrap();
    log.sync_all().unwrap();
    mounted.sync_folder();
    mounted.disk.wait_for_sync(7, 3, false).unwrap();
    for _ in 0..2 {
        log.write_all(b"free").unwrap();
        log.sync_all().unwrap();
        // It changes nothing, so it does not count.
        log.sync_all().unwrap();
    }
    assert_eq!(mounted.disk.awaited(7).unwrap(), []);
    let other = log.try_clone().unwrap();
    log.write_all(b"held").unwrap();
    let held = std::thread::spawn(move || other.sync_data());
    let open = caught(&mounted);
    assert_eq!((open[0].path.as_str(), open[0].bytes), ("log", 4));
    let paths =
        |claim| mounted.disk.awaited(claim).unwrap().into_iter().map(|open| open.path).collect::<Vec<_>>();
    assert_eq!((paths(7), paths(8)), (vec!["log".to_owned()], Vec::new()));
    assert!(!held.is_finished());
    mounted.disk.release_awaited(7).unwrap();
    held.join().unwrap().unwrap();
    mounted.lose_power();
    assert_eq!(mounted.read("log"), b"freefreeheld");
}

#[test]
fn count_of_several_disks_ends_when_all_is_healed() {
    if !inside("count_of_several_disks_ends_when_all_is_healed") {
        return;
    }
    let mounted = Mounted::new();
    mounted.disk.wait_for_sync(7, 9, true).unwrap();
    mounted.disk.release_all().unwrap();
    mounted.disk.wait_for_sync(7, 1, true).unwrap();
    let mut log = File::create(mounted.path("log")).unwrap();
    log.write_all(b"held").unwrap();
    let held = std::thread::spawn(move || log.sync_data());
    assert_eq!(caught(&mounted).len(), 1);
    mounted.disk.release_all().unwrap();
    held.join().unwrap().unwrap();
}

#[test]
fn power_loss_during_sync_takes_its_changes() {
    if !inside("power_loss_during_sync_takes_its_changes") {
        return;
    }
    let mounted = Mounted::new();
    let mut log = File::create(mounted.path("log")).unwrap();
    log.write_all(b"kept").unwrap();
    log.sync_all().unwrap();
    mounted.disk.arm(Some(Catch::Changes)).unwrap();
    log.write_all(b"lost").unwrap();
    fs::rename(mounted.path("before"), mounted.path("after")).unwrap();
    let folder = mounted.folder.path().to_owned();
    let file = std::thread::spawn(move || log.sync_all());
    assert_eq!(caught(&mounted)[0].bytes, 4);
    let names = std::thread::spawn(move || File::open(folder).unwrap().sync_all());
    while mounted.disk.caught().unwrap().len() < 2 {
        std::thread::yield_now();
    }
    mounted.lose_power();
    assert!(file.join().unwrap().is_err() && names.join().unwrap().is_err(), "no held sync succeeds");
    assert_eq!(mounted.read("log"), b"kept");
    assert!(mounted.path("before").exists() && !mounted.path("after").exists());
}

/// Waits until the disk holds a sync, and lists the open ones.
fn caught(mounted: &Mounted) -> Vec<OpenSync> {
    loop {
        let open = mounted.disk.caught().unwrap();
        if !open.is_empty() {
            return open;
        }
        std::thread::yield_now();
    }
}
