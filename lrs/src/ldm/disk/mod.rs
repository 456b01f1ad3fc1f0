//! The system calls on one directory: all that the layers above do to a directory medium goes through here, relative
//! to one handle of that directory, so that faults and simulations can stand below the whole of it.
//!
//! Paths are relative, `/` between their parts, and never leave the directory. Nothing here retries, and nothing here
//! knows what the bytes mean.

mod os;

pub use os::{DIRECT_FROM, OsDisk};

use dss::model::{ExtentId, Oid};
use nix::errno::Errno;

/// What a disk answers.
pub type DiskResult<T> = Result<T, Errno>;

/// The directory itself, as a path.
pub const ROOT: &str = ".";

/// An open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

/// Whose bytes a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The object's name.
    pub oid: Oid,
    /// The extent.
    pub extent: ExtentId,
}

/// When a label is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelRead {
    /// To find out which medium this is.
    Mount,
    /// To see that it is still the same one.
    Identify,
}

/// What a file is to the layers above. Faults and simulations choose by it; a real disk does not look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The bytes of an extent.
    Extent(Subject),
    /// The medium's label.
    Label(LabelRead),
    /// A segment of the medium's manifest.
    Manifest,
}

/// What lies under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symlink, device, socket or pipe: never ours.
    Other,
}

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Its inode.
    pub inode: u64,
    /// Its size.
    pub bytes: u64,
}

/// How much room the file system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// All of it.
    pub total: u64,
    /// What this process may still use.
    pub free: u64,
}

/// Whether a rename may replace what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// The target's old content goes, in one step.
    Yes,
    /// `EEXIST` when the target exists.
    No,
}

/// Whether the directory's path still names the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    InPlace,
    /// Something else is there, or nothing.
    Gone,
}

/// The system calls on one directory. A file or name is durable only after `sync_file` and `sync_dir` of its directory;
/// an implementation may lose anything else at a crash, in any order.
pub trait Disk: Send {
    /// Makes a file that did not exist and opens it for reading and writing. `EEXIST` when the name is taken.
    fn create(&mut self, path: &str, role: &Role) -> DiskResult<FileId>;

    /// Opens a regular file for reading; syncing it is permitted. `ELOOP` for a symlink, `EINVAL` for anything else.
    fn open(&mut self, path: &str, role: &Role) -> DiskResult<FileId>;

    /// Closes a file. What was not synced may be lost.
    fn close(&mut self, file: FileId);

    /// What is known of an open file.
    fn stat_file(&mut self, file: FileId) -> DiskResult<Stat>;

    /// Reads some bytes; 0 at the end of the file only.
    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> DiskResult<usize>;

    /// Writes all the bytes, or fails with an unknown part of them written.
    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> DiskResult<()>;

    /// Makes a file's content and size durable. After an error nothing is known of what was written before, and a
    /// later success proves nothing about it.
    fn sync_file(&mut self, file: FileId) -> DiskResult<()>;

    /// The same for several files, in as few waits as the file system allows: all of them, or an error after which
    /// nothing is known of any.
    fn sync_files(&mut self, files: &[FileId]) -> DiskResult<()> {
        files.iter().try_for_each(|file| self.sync_file(*file))
    }

    /// Starts writing a file back, so that its sync has less to wait for. An error is as one of `sync_file`: some file
    /// systems tell it now or never.
    fn write_back(&mut self, _file: FileId) -> DiskResult<()> {
        Ok(())
    }

    /// A file will be read whole soon. Advice.
    fn read_ahead(&mut self, _path: &str) {}

    /// Forgets what is clean, so that later reads come from the device; 0 bytes: to the end. Advice, for what was synced:
    /// what is dirty is written back, and an error of that is told to nobody.
    fn drop_cache(&mut self, file: FileId, offset: u64, bytes: u64);

    /// What lies under a name, symlinks not followed; None when nothing does.
    fn stat(&mut self, path: &str) -> DiskResult<Option<Stat>>;

    /// Removes a file's name.
    fn unlink(&mut self, path: &str, role: &Role) -> DiskResult<()>;

    /// Moves a name.
    fn rename(&mut self, from: &str, to: &str, replace: Replace) -> DiskResult<()>;

    /// Makes a directory.
    fn mkdir(&mut self, path: &str) -> DiskResult<()>;

    /// Removes an empty directory.
    fn rmdir(&mut self, path: &str) -> DiskResult<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&mut self, path: &str) -> DiskResult<()>;

    /// Tells every name in a directory, in no order. A name that is not UTF-8 is told with replacement characters.
    fn list(&mut self, path: &str, visit: &mut dyn FnMut(String)) -> DiskResult<()>;

    /// How much room there is.
    fn room(&mut self) -> DiskResult<Room>;

    /// Whether the path still names the directory.
    fn standing(&mut self) -> DiskResult<Standing>;
}

impl<D: Disk + ?Sized> Disk for Box<D> {
    fn create(&mut self, path: &str, role: &Role) -> DiskResult<FileId> {
        (**self).create(path, role)
    }
    fn open(&mut self, path: &str, role: &Role) -> DiskResult<FileId> {
        (**self).open(path, role)
    }
    fn close(&mut self, file: FileId) {
        (**self).close(file);
    }
    fn stat_file(&mut self, file: FileId) -> DiskResult<Stat> {
        (**self).stat_file(file)
    }
    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        (**self).read_at(file, offset, buffer)
    }
    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        (**self).write_at(file, offset, bytes)
    }
    fn sync_file(&mut self, file: FileId) -> DiskResult<()> {
        (**self).sync_file(file)
    }
    fn sync_files(&mut self, files: &[FileId]) -> DiskResult<()> {
        (**self).sync_files(files)
    }
    fn write_back(&mut self, file: FileId) -> DiskResult<()> {
        (**self).write_back(file)
    }

    fn read_ahead(&mut self, path: &str) {
        (**self).read_ahead(path);
    }
    fn drop_cache(&mut self, file: FileId, offset: u64, bytes: u64) {
        (**self).drop_cache(file, offset, bytes);
    }
    fn stat(&mut self, path: &str) -> DiskResult<Option<Stat>> {
        (**self).stat(path)
    }
    fn unlink(&mut self, path: &str, role: &Role) -> DiskResult<()> {
        (**self).unlink(path, role)
    }
    fn rename(&mut self, from: &str, to: &str, replace: Replace) -> DiskResult<()> {
        (**self).rename(from, to, replace)
    }
    fn mkdir(&mut self, path: &str) -> DiskResult<()> {
        (**self).mkdir(path)
    }
    fn rmdir(&mut self, path: &str) -> DiskResult<()> {
        (**self).rmdir(path)
    }
    fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        (**self).sync_dir(path)
    }
    fn list(&mut self, path: &str, visit: &mut dyn FnMut(String)) -> DiskResult<()> {
        (**self).list(path, visit)
    }
    fn room(&mut self) -> DiskResult<Room> {
        (**self).room()
    }
    fn standing(&mut self) -> DiskResult<Standing> {
        (**self).standing()
    }
}
