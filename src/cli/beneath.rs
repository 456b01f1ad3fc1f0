//! Folders below one that is held open: made where they are missing, and never gone to through a symlink, so that whatever
//! lies there leads no file out of it.

use super::get::{may_write, missing_folder};
use super::landing::{Existing, FOLDER, Place, folder_of, sync_folder};
use super::visible::on_one_line;
use crate::api::Problem;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{AccessFlags, access};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A folder, and everything below it.
pub struct Beneath {
    root: OwnedFd,
    shown: PathBuf,
}

impl Beneath {
    /// Whether a folder can be one, before anything is asked for; it may be missing.
    pub fn check(dir: &Path) -> Result<(), Problem> {
        match fs::metadata(dir) {
            Ok(found) if found.is_dir() => {
                access(dir, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|errno| not_made(dir, &errno.into()))
            }
            Ok(_) => Err(not_made(dir, &ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => match folder_of(dir).is_dir() {
                true => may_write(folder_of(dir), dir),
                false => Err(missing_folder(dir)),
            },
            Err(error) => Err(not_made(dir, &error)),
        }
    }

    /// Opens a folder, which is made when it is missing; the one it lies in is not.
    pub fn make(dir: &Path) -> Result<Self, Problem> {
        match fs::create_dir(dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(not_made(dir, &error)),
            Err(_) => {}
            Ok(()) => {
                if let Ok(above) = open(folder_of(dir), FOLDER, Mode::empty()) {
                    sync_folder(&above);
                }
            }
        }
        let root = open(dir, FOLDER, Mode::empty()).map_err(|errno| not_made(dir, &errno.into()))?;
        Ok(Self {
            root,
            shown: dir.to_owned(),
        })
    }

    /// The place of a file, by its path below: parts between slashes, as in the names of objects. The folders on the way
    /// are made.
    pub fn place(&self, below: &str, existing: Existing) -> Result<Place, Problem> {
        let (folders, name) = below.rsplit_once('/').unwrap_or(("", below));
        let mut shown = self.shown.clone();
        let mut folder = self.root.try_clone().map_err(|error| not_entered(&shown, &error))?;
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            shown.push(part);
            folder = enter(&folder, part).map_err(|errno| not_entered(&shown, &errno.into()))?;
        }
        shown.push(name);
        Ok(Place {
            folder,
            name: name.into(),
            shown,
            existing,
        })
    }
}

/// Into a folder of this one, made if it is missing.
fn enter(here: &OwnedFd, part: &str) -> nix::Result<OwnedFd> {
    let folder = FOLDER | OFlag::O_NOFOLLOW;
    match openat(here, part, folder, Mode::empty()) {
        Err(Errno::ENOENT) => {}
        entered => return entered,
    }
    match mkdirat(here, part, Mode::S_IRWXU | Mode::S_IRWXG | Mode::S_IRWXO) {
        // Somebody else may have been faster.
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    // A file outlasts a power cut only where the folders on its way do.
    sync_folder(here);
    openat(here, part, folder, Mode::empty())
}

fn not_made(dir: &Path, error: &io::Error) -> Problem {
    let path = on_one_line(&dir.display().to_string());
    let message = format!("the folder {path} cannot be used: {error}; nothing was read");
    Problem::refused("no_folder", path, message).next("name a folder that can be written")
}

/// Why a file finds no place, where it is not its name or the folders on its way that are to blame.
fn not_entered(folder: &Path, error: &io::Error) -> Problem {
    let path = on_one_line(&folder.display().to_string());
    let refused = |code: &str, message: String| Problem::refused(code, path.clone(), message);
    match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
        Errno::ELOOP | Errno::ENOTDIR => refused(
            "no_folder",
            format!("{path} is no folder, and symlinks are not followed there; nothing was written"),
        )
        .next("move it away, or read into another folder"),
        Errno::ENAMETOOLONG => too_long(folder),
        Errno::EACCES | Errno::EPERM | Errno::EROFS => refused(
            "no_place",
            format!("the folder {path} cannot be used: {error}; nothing was written"),
        )
        .next("correct its permissions, or read into another folder"),
        _ => Problem::environment(
            "file_failed",
            "operator",
            path.clone(),
            format!("the folder {path} cannot be made: {error}; nothing was written"),
        )
        .next("correct its folder, permissions or room, and repeat"),
    }
}

/// Parts of a name may be longer than what a file system takes.
pub fn too_long(path: &Path) -> Problem {
    let path = on_one_line(&path.display().to_string());
    let message = format!("{path} is too long a name for a file there; nothing was written");
    Problem::refused("no_place", path, message)
        .next("read it alone, into a file of another name: `respool get OID FILE`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn place(root: &Beneath, below: &str) -> Result<PathBuf, String> {
        let place = root.place(below, Existing::Stays);
        place.map(|place| place.shown).map_err(|problem| problem.code)
    }

    #[test]
    fn folders_are_made_below_and_no_symlink_leads_out() {
        let beside = tempfile::tempdir().unwrap();
        let (dir, out) = (beside.path().join("dir"), beside.path().join("out"));
        fs::create_dir(&out).unwrap();
        let root = Beneath::make(&dir).unwrap();
        assert_eq!(place(&root, "a/b/file"), Ok(dir.join("a/b/file")));
        assert!(dir.join("a/b").is_dir());
        assert_eq!(place(&root, "file"), Ok(dir.join("file")));
        symlink(&out, dir.join("link")).unwrap();
        fs::write(dir.join("plain"), "").unwrap();
        for below in ["link/file", "link/made/file", "plain/file"] {
            assert_eq!(place(&root, below), Err("no_folder".to_owned()), "{below}");
        }
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
        let long = format!("{}/file", "x".repeat(300));
        assert_eq!(place(&root, &long), Err("no_place".to_owned()));
    }

    #[test]
    fn one_folder_is_made_and_none_above_it() {
        let beside = tempfile::tempdir().unwrap();
        assert!(Beneath::make(&beside.path().join("no/such")).is_err());
        let dir = beside.path().join("dir");
        assert!(Beneath::make(&dir).is_ok() && Beneath::make(&dir).is_ok());
        fs::write(beside.path().join("file"), "").unwrap();
        assert!(Beneath::make(&beside.path().join("file")).is_err());
    }
}
