//! Many files made durable at once. One fsync after the other waits for the device each time; a few thousand small
//! files are done ten times faster when the file system writes them all and waits once.

use super::errno;
use super::write_back::{Asked, write_back};
use crate::ldm::disk::DiskResult;
use nix::errno::Errno;
use nix::sys::statfs::{BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, fstatfs};
use nix::sys::utsname::uname;
use nix::unistd::syncfs;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// From this many files on the whole file system is asked; for fewer, what others have written there would be waited
/// for in vain.
const MANY: usize = 32;

/// How many files are synced at the same time where each is asked for itself: journals gather them into one commit.
const AT_ONCE: usize = 16;

/// Since this kernel an error that the device gives for anything written back on a file system makes the next syncfs(2)
/// fail, for every directory handle that was open then (the manual page's VERSIONS); before it such an error could go
/// untold.
const TOLD_SINCE: (u32, u32) = (5, 8);

/// What makes many files durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Together {
    /// One call for the file system.
    FileSystem,
    /// A call for each file.
    EachFile,
}

impl Together {
    /// Of the file system that a directory is on. One call is trusted only where its errors are known to be told, and
    /// where it writes data and journal both: ext4, XFS and Btrfs, by the kernel's own drivers. Anything else, network
    /// and FUSE file systems above all, is asked file by file.
    pub(super) fn of(root: &OwnedFd) -> Self {
        let known = fstatfs(root).is_ok_and(|found| {
            [EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC].contains(&found.filesystem_type())
        });
        let told = uname().is_ok_and(|host| {
            let release = host.release().to_string_lossy().into_owned();
            version(&release).is_some_and(|version| version >= TOLD_SINCE)
        });
        if known && told {
            Self::FileSystem
        } else {
            Self::EachFile
        }
    }

    /// Makes these files durable, or answers the first error. `root` was opened before any of them was written, so an
    /// error of the device's is told to it; one of the file system's own is told to whoever asks for the writing, so
    /// each file is asked for before. Whoever calls syncs a folder and a file afterwards, each of which has the device
    /// empty its own memory.
    ///
    /// What somebody else wrote may be what failed. Each file then says for itself whether it did: its own answer was
    /// not asked for yet, and the file system's does not take it away.
    pub(super) fn sync(self, root: &OwnedFd, files: &[&File]) -> DiskResult<()> {
        if self == Self::EachFile || files.len() < MANY || !all_written_back(files)? {
            return each(files);
        }
        syncfs(root).or_else(|_| each(files))
    }
}

/// Whether every file could be asked for; an error of any.
fn all_written_back(files: &[&File]) -> DiskResult<bool> {
    for file in files {
        if write_back(file)? == Asked::Unknown {
            return Ok(false);
        }
    }
    Ok(true)
}

fn each(files: &[&File]) -> DiskResult<()> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None::<Errno>));
    let work = || {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = file.sync_all() {
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert(errno(&error));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..files.len().min(AT_ONCE) {
            // Where the host gives no more threads there are fewer at once; this one does what is left.
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.map_or(Ok(()), Err)
}

/// The first two numbers of a kernel's release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn kernels_are_told_apart_by_number() {
        assert_eq!(version("6.18.44-fc-v669"), Some((6, 18)));
        assert_eq!(version("5.10.0-8-amd64"), Some((5, 10)));
        assert!(version("5.4.0").unwrap() < TOLD_SINCE);
        assert_eq!(version("unknown"), None);
    }

    #[test]
    fn every_file_is_synced_and_the_first_failure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = OwnedFd::from(File::open(folder.path()).unwrap());
        let files: Vec<File> = (0..2 * MANY)
            .map(|number| {
                let mut file = File::create_new(folder.path().join(number.to_string())).unwrap();
                file.write_all(b"x").unwrap();
                file
            })
            .collect();
        let all: Vec<&File> = files.iter().collect();
        for together in [Together::of(&root), Together::FileSystem, Together::EachFile] {
            for count in [0, 1, AT_ONCE + 1, all.len()] {
                together.sync(&root, &all[..count]).unwrap();
            }
        }
        // A pipe cannot be synced.
        let (pipe, _other) = nix::unistd::pipe().unwrap();
        let pipe = File::from(pipe);
        for count in [5, all.len()] {
            let mut with_pipe = all[..count].to_vec();
            with_pipe.push(&pipe);
            for together in [Together::FileSystem, Together::EachFile] {
                assert_eq!(together.sync(&root, &with_pipe), Err(Errno::EINVAL), "{count}");
            }
        }
    }
}
