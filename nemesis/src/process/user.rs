//! Another user as whom the processes of a node run.

use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// A user and a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id of the user.
    pub uid: u32,
    /// The id of the group.
    pub gid: u32,
}

impl User {
    /// A user by name, by number or as `uid:gid`.
    ///
    /// A number without an entry in `/etc/passwd` is also its group.
    ///
    /// # Errors
    /// When there is no such user; the error is a sentence.
    pub fn named(text: &str) -> Result<Self, String> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let number = |text: &str| text.parse::<u32>().ok();
        if let Some((uid, gid)) = text.split_once(':') {
            let both = number(uid).zip(number(gid)).map(|(uid, gid)| Self { uid, gid });
            return both.ok_or_else(|| format!("\"{text}\" is no user; write uid:gid with two numbers"));
        }
        let entry = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find_map(|fields| {
            let [name, _, uid, gid, ..] = fields[..] else { return None };
            (name == text || uid == text).then_some(())?;
            Some(Self { uid: number(uid)?, gid: number(gid)? })
        });
        let bare = number(text).map(|uid| Self { uid, gid: uid });
        entry.or(bare).ok_or_else(|| format!("there is no user \"{text}\" here"))
    }

    /// Whether the bench may start a program as this user; the error is a sentence.
    pub fn may_be_taken(self) -> Result<(), String> {
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if own == (self.uid, self.gid) {
            return Ok(());
        }
        if own.0 != 0 {
            return Err("only root may start a program as another user".to_owned());
        }
        let mapped = |file: &str, id: u32| {
            let Ok(map) = fs::read_to_string(file) else { return true };
            map.lines().any(|line| {
                let numbers: Vec<u64> =
                    line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
                matches!(numbers[..], [first, _, count] if (first..first + count).contains(&id.into()))
            })
        };
        if mapped("/proc/self/uid_map", self.uid) && mapped("/proc/self/gid_map", self.gid) {
            Ok(())
        } else {
            Err(format!(
                "{}:{} is no user of the user namespace in which the bench is root",
                self.uid, self.gid
            ))
        }
    }

    /// The first folder on a path that this user may not enter.
    pub fn stopped_at(self, path: &Path) -> Option<&Path> {
        let may_pass = |folder: &&Path| {
            fs::metadata(folder).is_ok_and(|about| {
                let mode = about.permissions().mode();
                let bit = match () {
                    () if about.uid() == self.uid => 0o100,
                    () if about.gid() == self.gid => 0o010,
                    () => 0o001,
                };
                self.uid == 0 || mode & bit != 0
            })
        };
        let mut folders: Vec<&Path> = path.ancestors().skip(1).filter(|folder| folder.is_dir()).collect();
        folders.reverse();
        folders.into_iter().find(|folder| !may_pass(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_is_a_name_or_a_number() {
        assert_eq!(User::named("root"), Ok(User { uid: 0, gid: 0 }));
        assert_eq!(User::named("0"), Ok(User { uid: 0, gid: 0 }));
        assert_eq!(User::named("4000000:7"), Ok(User { uid: 4_000_000, gid: 7 }));
        assert_eq!(User::named("4000000"), Ok(User { uid: 4_000_000, gid: 4_000_000 }));
        assert!(User::named("no such user").unwrap_err().contains("no such user"));
        assert!(User::named("nobody:nogroup").is_err());
    }

    #[test]
    fn folder_that_cannot_be_passed_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        let stranger = User { uid: 4_000_000, gid: 4_000_000 };
        assert_eq!(stranger.stopped_at(&closed.join("data")), Some(closed.as_path()));
        assert_eq!(stranger.stopped_at(&closed), None);
    }
}
