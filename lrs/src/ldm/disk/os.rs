//! A directory of the operating system, through one handle of it: what happens to its path later does not matter, and
//! no symlink or mount below it is followed.

mod open_file;
mod together;
mod write_back;

pub use open_file::DIRECT_FROM;

use super::{Disk, DiskResult, FileId, Kind, ROOT, Replace, Role, Room, Standing, Stat};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{
    AtFlags, OFlag, OpenHow, PosixFadviseAdvice, RenameFlags, ResolveFlag, open, openat, openat2, posix_fadvise,
    renameat, renameat2,
};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat, stat};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{UnlinkatFlags, unlinkat};
use open_file::{Bypass, OpenFile};
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use together::Together;
use write_back::write_back;

/// Files that only their owner may write; the folder above decides who may come near.
const FILE_MODE: Mode = Mode::from_bits_truncate(0o640);
const READABLE_MODE: Mode = Mode::from_bits_truncate(0o644);
const FOLDER_MODE: Mode = Mode::from_bits_truncate(0o750);

/// One directory of this host.
#[derive(Debug)]
pub struct OsDisk {
    root: OwnedFd,
    path: PathBuf,
    identity: (u64, u64),
    files: HashMap<FileId, OpenFile>,
    next: u64,
    beneath: Beneath,
    bypass: Bypass,
    together: Together,
    file_mode: Mode,
}

/// How a path is kept below the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beneath {
    /// By the kernel, in one call.
    Kernel,
    /// Part by part, where the kernel does not know `openat2` or a sandbox forbids it.
    Walk,
}

impl OsDisk {
    /// Opens a directory. `ENOTDIR` or `ELOOP` when the path names anything else, a symlink included.
    pub fn open(path: &Path) -> DiskResult<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let root = open(path, flags, Mode::empty())?;
        let found = fstat(&root)?;
        Ok(Self {
            bypass: Bypass::Offered,
            together: Together::of(&root),
            root,
            path: path.to_owned(),
            identity: (found.st_dev, found.st_ino),
            files: HashMap::new(),
            next: 0,
            beneath: Beneath::Kernel,
            file_mode: FILE_MODE,
        })
    }

    /// Files that are created from here on may be read by whoever the folder lets near: another program of the host is
    /// to read them.
    pub fn readable_by_all(mut self) -> Self {
        self.file_mode = READABLE_MODE;
        self
    }

    fn open_beneath(&mut self, path: &str, flags: OFlag, mode: Mode) -> DiskResult<OwnedFd> {
        let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        if self.beneath == Beneath::Kernel {
            let resolve = ResolveFlag::RESOLVE_BENEATH
                | ResolveFlag::RESOLVE_NO_SYMLINKS
                | ResolveFlag::RESOLVE_NO_MAGICLINKS
                | ResolveFlag::RESOLVE_NO_XDEV;
            let how = OpenHow::new().flags(flags).mode(mode).resolve(resolve);
            match openat2(&self.root, path, how) {
                // A sandbox answers EPERM for a call it does not know; a real EPERM comes again from openat.
                Err(Errno::ENOSYS | Errno::EPERM) => self.beneath = Beneath::Walk,
                // The kernel could not finish because of a rename elsewhere in the tree: once more, then give up.
                Err(Errno::EAGAIN) => return openat2(&self.root, path, how),
                answer => return answer,
            }
        }
        self.walk(path, flags, mode)
    }

    fn walk(&self, path: &str, flags: OFlag, mode: Mode) -> DiskResult<OwnedFd> {
        let folder = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let parts: Vec<&str> = path.split('/').collect();
        let (last, folders) = parts.split_last().ok_or(Errno::EINVAL)?;
        let mut here = openat(&self.root, ROOT, folder, Mode::empty())?;
        for part in folders {
            if matches!(*part, "" | "..") {
                return Err(Errno::EXDEV);
            }
            here = openat(&here, *part, folder, Mode::empty())?;
            if fstat(&here)?.st_dev != self.identity.0 {
                return Err(Errno::EXDEV);
            }
        }
        if matches!(*last, "" | "..") {
            return Err(Errno::EXDEV);
        }
        openat(&here, *last, flags, mode)
    }

    fn folder(&mut self, path: &str) -> DiskResult<OwnedFd> {
        self.open_beneath(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty())
    }

    fn parent<'a>(&mut self, path: &'a str) -> DiskResult<(OwnedFd, &'a str)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or((ROOT, path));
        if matches!(name, "" | "." | "..") {
            return Err(Errno::EINVAL);
        }
        Ok((self.folder(folder)?, name))
    }

    fn keep(&mut self, file: OwnedFd) -> FileId {
        self.next += 1;
        let id = FileId(self.next);
        self.files.insert(id, OpenFile::new(file));
        id
    }

    fn file(&self, file: FileId) -> DiskResult<&File> {
        self.files.get(&file).map(OpenFile::file).ok_or(Errno::EBADF)
    }
}

impl Disk for OsDisk {
    fn create(&mut self, path: &str, _role: &Role) -> DiskResult<FileId> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL;
        let file = self.open_beneath(path, flags, self.file_mode)?;
        Ok(self.keep(file))
    }

    fn open(&mut self, path: &str, _role: &Role) -> DiskResult<FileId> {
        // O_NONBLOCK: a pipe that somebody put there must not hold the drive's thread for ever.
        let file = self.open_beneath(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty())?;
        if kind_of(&fstat(&file)?) != Kind::File {
            return Err(Errno::EINVAL);
        }
        Ok(self.keep(file))
    }

    fn close(&mut self, file: FileId) {
        self.files.remove(&file);
    }

    fn stat_file(&mut self, file: FileId) -> DiskResult<Stat> {
        Ok(stat_of(&fstat(self.file(file)?)?))
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        let file = self.files.get_mut(&file).ok_or(Errno::EBADF)?;
        file.read_at(offset, buffer, &mut self.bypass)
    }

    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        let file = self.files.get_mut(&file).ok_or(Errno::EBADF)?;
        file.write_at(offset, bytes, &mut self.bypass)
    }

    fn sync_file(&mut self, file: FileId) -> DiskResult<()> {
        self.file(file)?.sync_all().map_err(|error| errno(&error))
    }

    fn sync_files(&mut self, files: &[FileId]) -> DiskResult<()> {
        let open: Vec<&File> = files.iter().map(|file| self.file(*file)).collect::<DiskResult<_>>()?;
        self.together.sync(&self.root, &open)
    }

    fn read_ahead(&mut self, path: &str) {
        // Advice: whoever reads the file soon finds out what is wrong with it.
        if let Ok(file) = self.open_beneath(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty()) {
            let _ = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_WILLNEED);
        }
    }

    fn write_back(&mut self, file: FileId) -> DiskResult<()> {
        write_back(self.file(file)?).map(|_| ())
    }

    fn drop_cache(&mut self, file: FileId, offset: u64, bytes: u64) {
        let Ok(file) = self.file(file) else { return };
        let range = (i64::try_from(offset), i64::try_from(bytes));
        if let (Ok(offset), Ok(bytes)) = range {
            // Advice: a file system that does not take it serves from memory, which the digests do not mind.
            let _ = posix_fadvise(file, offset, bytes, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        }
    }

    fn stat(&mut self, path: &str) -> DiskResult<Option<Stat>> {
        let (folder, name) = match self.parent(path) {
            Err(Errno::ENOENT) => return Ok(None),
            answer => answer?,
        };
        match fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(stat_of(&found))),
            Err(Errno::ENOENT) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn unlink(&mut self, path: &str, _role: &Role) -> DiskResult<()> {
        let (folder, name) = self.parent(path)?;
        unlinkat(&folder, name, UnlinkatFlags::NoRemoveDir)
    }

    fn rename(&mut self, from: &str, to: &str, replace: Replace) -> DiskResult<()> {
        let (from_folder, from_name) = self.parent(from)?;
        let (to_folder, to_name) = self.parent(to)?;
        match replace {
            Replace::Yes => renameat(&from_folder, from_name, &to_folder, to_name),
            Replace::No => {
                let flags = RenameFlags::RENAME_NOREPLACE;
                match renameat2(&from_folder, from_name, &to_folder, to_name, flags) {
                    // Not every file system knows the flag. Nobody else writes here, so looking first is enough.
                    Err(Errno::EINVAL | Errno::ENOSYS) => {
                        match fstatat(&to_folder, to_name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                            Err(Errno::ENOENT) => renameat(&from_folder, from_name, &to_folder, to_name),
                            Ok(_) => Err(Errno::EEXIST),
                            Err(other) => Err(other),
                        }
                    }
                    answer => answer,
                }
            }
        }
    }

    fn mkdir(&mut self, path: &str) -> DiskResult<()> {
        let (folder, name) = self.parent(path)?;
        mkdirat(&folder, name, FOLDER_MODE)
    }

    fn rmdir(&mut self, path: &str) -> DiskResult<()> {
        let (folder, name) = self.parent(path)?;
        unlinkat(&folder, name, UnlinkatFlags::RemoveDir)
    }

    fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        let folder = File::from(self.folder(path)?);
        folder.sync_all().map_err(|error| errno(&error))
    }

    fn list(&mut self, path: &str, visit: &mut dyn FnMut(String)) -> DiskResult<()> {
        let mut folder = Dir::from_fd(self.folder(path)?)?;
        for entry in folder.iter() {
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                visit(name.to_string_lossy().into_owned());
            }
        }
        Ok(())
    }

    fn room(&mut self) -> DiskResult<Room> {
        let found = fstatvfs(self.root.as_fd())?;
        let unit = found.fragment_size();
        Ok(Room {
            total: found.blocks().saturating_mul(unit),
            free: found.blocks_available().saturating_mul(unit),
        })
    }

    fn standing(&mut self) -> DiskResult<Standing> {
        match stat(&self.path) {
            Ok(found) if (found.st_dev, found.st_ino) == self.identity => Ok(Standing::InPlace),
            Ok(_) | Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(Standing::Gone),
            Err(other) => Err(other),
        }
    }
}

fn errno(error: &std::io::Error) -> Errno {
    match (error.raw_os_error(), error.kind()) {
        (Some(code), _) => Errno::from_raw(code),
        // A write that takes no byte and gives no reason.
        (None, std::io::ErrorKind::WriteZero) => Errno::ENOSPC,
        (None, _) => Errno::EIO,
    }
}

fn kind_of(found: &FileStat) -> Kind {
    match SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => Kind::File,
        SFlag::S_IFDIR => Kind::Directory,
        _ => Kind::Other,
    }
}

fn stat_of(found: &FileStat) -> Stat {
    Stat {
        kind: kind_of(found),
        inode: found.st_ino,
        bytes: u64::try_from(found.st_size).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(beneath: Beneath) -> (tempfile::TempDir, OsDisk) {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = OsDisk::open(folder.path()).unwrap();
        disk.beneath = beneath;
        (folder, disk)
    }

    #[test]
    fn nothing_leaves_the_directory_whether_the_kernel_helps_or_not() {
        for beneath in [Beneath::Kernel, Beneath::Walk] {
            let (folder, mut disk) = opened(beneath);
            let outside = tempfile::tempdir().unwrap();
            std::fs::write(outside.path().join("secret"), "x").unwrap();
            std::os::unix::fs::symlink(outside.path(), folder.path().join("way")).unwrap();
            std::os::unix::fs::symlink(outside.path().join("secret"), folder.path().join("leaf")).unwrap();
            for path in ["way/secret", "leaf", "../secret", "/etc/passwd", "a/../../x"] {
                assert!(disk.open(path, &Role::Manifest).is_err(), "{beneath:?} opened {path}");
                assert!(
                    disk.create(path, &Role::Manifest).is_err(),
                    "{beneath:?} created {path}"
                );
            }
            assert!(disk.unlink("way/secret", &Role::Manifest).is_err());
            assert!(disk.rename("leaf", "way/leaf", Replace::Yes).is_err());
            assert_eq!(disk.stat("leaf").unwrap().unwrap().kind, Kind::Other);
            assert_eq!(std::fs::read(outside.path().join("secret")).unwrap(), b"x");
        }
    }

    #[test]
    fn both_ways_do_the_same_work() {
        for beneath in [Beneath::Kernel, Beneath::Walk] {
            let (_folder, mut disk) = opened(beneath);
            disk.mkdir("a").unwrap();
            let file = disk.create("a/x", &Role::Manifest).unwrap();
            disk.write_at(file, 0, b"hello").unwrap();
            disk.sync_file(file).unwrap();
            disk.sync_dir("a").unwrap();
            disk.sync_dir(ROOT).unwrap();
            disk.drop_cache(file, 0, 5);
            let mut buffer = [0; 8];
            assert_eq!(disk.read_at(file, 1, &mut buffer).unwrap(), 4);
            disk.close(file);
            assert_eq!(disk.read_at(file, 1, &mut buffer), Err(Errno::EBADF));
            assert_eq!(disk.create("a/x", &Role::Manifest), Err(Errno::EEXIST));
            let other = disk.create("b", &Role::Manifest).unwrap();
            disk.close(other);
            assert_eq!(disk.rename("a/x", "b", Replace::No), Err(Errno::EEXIST));
            disk.rename("a/x", "b", Replace::Yes).unwrap();
            let mut names = Vec::new();
            disk.list(ROOT, &mut |name| names.push(name)).unwrap();
            names.sort();
            assert_eq!(names, ["a", "b"]);
            assert!(disk.room().unwrap().total > 0);
            disk.rmdir("a").unwrap();
        }
    }

    #[test]
    fn a_directory_that_moved_away_is_noticed() {
        let (folder, mut disk) = opened(Beneath::Kernel);
        assert_eq!(disk.standing().unwrap(), Standing::InPlace);
        let path = folder.path().to_owned();
        let aside = path.with_extension("aside");
        std::fs::rename(&path, &aside).unwrap();
        assert_eq!(disk.standing().unwrap(), Standing::Gone);
        std::fs::create_dir(&path).unwrap();
        assert_eq!(disk.standing().unwrap(), Standing::Gone);
        std::fs::remove_dir_all(aside).unwrap();
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let (folder, mut disk) = opened(Beneath::Kernel);
        nix::unistd::mkfifo(&folder.path().join("pipe"), Mode::S_IRWXU).unwrap();
        assert_eq!(disk.open("pipe", &Role::Manifest), Err(Errno::EINVAL));
    }
}
