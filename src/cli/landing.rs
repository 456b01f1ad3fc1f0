//! A file that is written beside its place, and takes it when it is whole: nobody ever sees a part under the file's name.
//! Its folder is held open meanwhile, so that nothing that happens to the way there leads it elsewhere.

use super::entries::Entry;
use crate::api::Problem;
use crate::api::objects::ObjectView;
use crate::api::requests::StreamEnd;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dss::model::{Blake3, ByteCount, LtfsValue, Metadata};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, RenameFlags, open, openat, renameat, renameat2};
use nix::sys::stat::{Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};
use std::ffi::{OsStr, OsString};
use std::fs::{File, FileTimes, Permissions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use xattr::FileExt;

/// How a folder is opened that is only gone through: whoever may write in it need not be able to list it.
pub const FOLDER: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays.
    Stays,
    /// It is replaced.
    Replaced,
}

/// What is at a place now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A folder, which no file replaces.
    Folder,
    /// A file, a symlink, anything else.
    Other,
}

/// Where a file is to be: a name in a folder.
#[derive(Debug)]
pub struct Place {
    pub(super) folder: OwnedFd,
    pub(super) name: OsString,
    /// The whole path, as it is told.
    pub(super) shown: PathBuf,
    pub(super) existing: Existing,
}

impl Place {
    /// The place of a path.
    pub fn at(path: &Path, existing: Existing) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self {
            folder: open(folder_of(path), FOLDER, Mode::empty())?,
            name: name.to_owned(),
            shown: path.to_owned(),
            existing,
        })
    }

    /// What is there.
    pub fn found(&self) -> Result<Found, Errno> {
        match fstatat(&self.folder, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) if found.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits() => Ok(Found::Folder),
            Ok(_) => Ok(Found::Other),
            Err(Errno::ENOENT) => Ok(Found::Nothing),
            Err(errno) => Err(errno),
        }
    }

    pub(super) fn not_written(&self, error: &io::Error) -> Problem {
        let path = self.shown.display().to_string();
        let left = match self.existing {
            Existing::Stays => "nothing was left there",
            Existing::Replaced => "what was there before is there still",
        };
        let message = format!("{path} cannot be written: {error}; {left}");
        Problem::environment("file_failed", "operator", &path, message)
            .next("correct its folder, permissions or room, and repeat")
    }

    /// Why a whole file did not get there.
    pub(super) fn not_taken(&self, errno: Errno) -> Problem {
        if errno != Errno::EEXIST {
            return self.not_written(&errno.into());
        }
        let path = self.shown.display().to_string();
        let message = format!("{path} came while the object was read; it was left as it is, and nothing was written");
        Problem::refused("file_exists", path, message).next("repeat with --overwrite, or read into another place")
    }

    fn no_way(&self) -> Problem {
        let path = self.shown.display().to_string();
        let message = format!(
            "the file system of {path} cannot give a whole file a name without replacing what may come there meanwhile \
             (it has no links, and no rename that replaces nothing); nothing was written"
        );
        Problem::refused("no_place", path, message)
            .next("repeat with --overwrite when nobody else writes there, or read to another file system")
    }
}

/// Names are durable when their folder is; a folder that cannot be synced keeps its files all the same.
pub(super) fn sync_folder(folder: &OwnedFd) {
    let readable = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    if let Ok(folder) = openat(folder, ".", readable, Mode::empty()) {
        let _ = File::from(folder).sync_all();
    }
}

/// The folder in which a path lies.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// What a file could not be given back, by name.
pub type Missed = Vec<String>;

/// A file on its way to its place.
pub struct Landing<'p> {
    place: &'p Place,
    object: ObjectView,
    file: File,
    beside: Beside<'p>,
    way: Way,
    whole: blake3::Hasher,
}

/// How a file takes its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By a rename that replaces what has it.
    Over,
    /// By a link, which fails when something has it.
    Link,
    /// By a rename that fails then: FAT and exFAT have no links.
    Fresh,
}

/// Removed when it is not needed any more; after a rename nothing is there.
struct Beside<'p> {
    folder: &'p OwnedFd,
    name: String,
}

impl Beside<'_> {
    fn take(&self, name: &OsStr, way: Way) -> nix::Result<()> {
        let (folder, beside) = (self.folder, self.name.as_str());
        match way {
            Way::Over => renameat(folder, beside, folder, name),
            Way::Link => linkat(folder, beside, folder, name, AtFlags::empty()),
            Way::Fresh => renameat2(folder, beside, folder, name, RenameFlags::RENAME_NOREPLACE),
        }
    }

    /// Which way there is on this file system, tried with a name of our own: nobody should wait for bytes only to hear that
    /// they cannot stay.
    fn way(&self, place: &Place) -> Result<Way, Problem> {
        if place.existing == Existing::Replaced {
            return Ok(Way::Over);
        }
        let failed = |errno: Errno| place.not_written(&errno.into());
        let tried = OsString::from(format!("{}-tried", self.name));
        match self.take(&tried, Way::Link) {
            Ok(()) => {
                unlinkat(self.folder, tried.as_os_str(), UnlinkatFlags::NoRemoveDir).map_err(failed)?;
                return Ok(Way::Link);
            }
            Err(Errno::EPERM | Errno::EOPNOTSUPP | Errno::ENOSYS) => {}
            Err(errno) => return Err(failed(errno)),
        }
        match self.take(&tried, Way::Fresh) {
            Ok(()) => {
                renameat(self.folder, tried.as_os_str(), self.folder, self.name.as_str()).map_err(failed)?;
                Ok(Way::Fresh)
            }
            Err(Errno::EINVAL | Errno::EPERM | Errno::EOPNOTSUPP | Errno::ENOSYS) => Err(place.no_way()),
            Err(errno) => Err(failed(errno)),
        }
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        let _ = unlinkat(self.folder, self.name.as_str(), UnlinkatFlags::NoRemoveDir);
    }
}

impl<'p> Landing<'p> {
    /// Begins beside the place.
    pub fn begin(place: &'p Place, object: ObjectView) -> Result<Self, Problem> {
        let name = format!(".respool-{}-{}", object.id, std::process::id());
        let fresh = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&place.folder, name.as_str(), fresh, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(|errno| place.not_written(&errno.into()))?;
        let beside = Beside {
            folder: &place.folder,
            name,
        };
        Ok(Self {
            place,
            object,
            file: File::from(file),
            way: beside.way(place)?,
            beside,
            whole: blake3::Hasher::new(),
        })
    }

    /// How much came, and of how much.
    pub fn progress(&self) -> (ByteCount, ByteCount) {
        (ByteCount(self.whole.count()), self.object.bytes)
    }

    /// The next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.whole.update(bytes);
        self.file
            .write_all(bytes)
            .map_err(|error| self.place.not_written(&error))
    }

    /// Takes the place, when all came that was sent; answers what the file could not be given back.
    pub fn finish(self, end: &StreamEnd) -> Result<(ObjectView, Missed), Problem> {
        let received = StreamEnd {
            bytes: ByteCount(self.whole.count()),
            blake3: Blake3(*self.whole.finalize().as_bytes()),
        };
        if received != *end || received.bytes != self.object.bytes {
            return Err(self.changed_on_its_way());
        }
        // What is no file was not written beside its place: that is removed.
        if let Some(entry) = Entry::of(&self.object.metadata) {
            let missed = entry.make(self.place, &self.object.metadata)?;
            return Ok((self.object, missed));
        }
        let missed = dress(&self.file, &self.object.metadata);
        let place = self.place;
        self.file.sync_all().map_err(|error| place.not_written(&error))?;
        self.beside
            .take(&place.name, self.way)
            .map_err(|errno| place.not_taken(errno))?;
        sync_folder(&place.folder);
        Ok((self.object, missed))
    }

    fn changed_on_its_way(&self) -> Problem {
        let oid = &self.object.oid;
        let message = format!(
            "the bytes of '{oid}' changed on their way; {} was not written",
            self.place.shown.display()
        );
        Problem::integrity("digest_mismatch", "us", oid.as_str(), message).next("repeat the get")
    }
}

/// Gives the file back what it had when it was put. What a file system or a user may not set is told, not fatal: the
/// bytes are right.
fn dress(file: &File, metadata: &Metadata) -> Missed {
    let mut missed = Missed::new();
    for (name, value) in xattrs(metadata) {
        if file.set_xattr(&name, &value).is_err() {
            missed.push(name);
        }
    }
    let readonly = metadata.ltfs.as_ref().is_some_and(|ltfs| ltfs.readonly);
    if let Some(mode) = metadata.mode.or(readonly.then_some(READ_ONLY))
        && file.set_permissions(Permissions::from_mode(mode)).is_err()
    {
        missed.push("mode".to_owned());
    }
    if let Some(mtime) = metadata.mtime
        && file
            .set_times(FileTimes::new().set_modified(SystemTime::from(mtime)))
            .is_err()
    {
        missed.push("mtime".to_owned());
    }
    missed
}

/// What a file of an LTFS volume is that may not be changed: of permissions a volume keeps no more, and nobody else is let
/// in.
const READ_ONLY: u32 = 0o400;

/// Extended attributes with their values. Those of an LTFS volume are the users' own; mounts of other software leave the
/// prefix out of an index.
pub(super) fn xattrs(metadata: &Metadata) -> Vec<(String, Vec<u8>)> {
    let own = metadata
        .xattrs
        .iter()
        .map(|(name, hex)| (name.clone(), unhex(hex).unwrap_or_default()));
    let foreign = metadata.ltfs.iter().flat_map(|ltfs| &ltfs.xattrs).map(|one| {
        let value = match &one.value {
            LtfsValue::Text(text) => text.clone().into_bytes(),
            LtfsValue::Base64(text) => {
                let text: String = text.split_ascii_whitespace().collect();
                STANDARD.decode(text).unwrap_or_default()
            }
        };
        (format!("user.{}", one.key), value)
    });
    own.chain(foreign).collect()
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8; 2]| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn beside(place: &Place) -> Beside<'_> {
        fs::write(place.shown.with_file_name("beside"), "whole").unwrap();
        Beside {
            folder: &place.folder,
            name: "beside".to_owned(),
        }
    }

    #[test]
    fn only_one_way_replaces_what_came_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let place = Place::at(&path, Existing::Stays).unwrap();
        for way in [Way::Link, Way::Fresh, Way::Over] {
            beside(&place).take(&place.name, way).unwrap();
            assert_eq!(
                fs::read_dir(&folder).unwrap().count(),
                1,
                "{way:?} leaves only the file"
            );
            fs::write(&path, "other").unwrap();
            let taken = beside(&place).take(&place.name, way);
            let (expected, holds) = match way {
                Way::Over => (Ok(()), "whole"),
                Way::Link | Way::Fresh => (Err(Errno::EEXIST), "other"),
            };
            assert_eq!(
                (taken, &*fs::read_to_string(&path).unwrap()),
                (expected, holds),
                "{way:?}"
            );
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn the_way_is_known_before_bytes_come_and_trying_it_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (existing, way) in [(Existing::Stays, Way::Link), (Existing::Replaced, Way::Over)] {
            let place = Place::at(&path, existing).unwrap();
            let beside = beside(&place);
            assert_eq!(beside.way(&place), Ok(way));
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_file_that_came_meanwhile_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::at(&folder.path().join("file"), Existing::Stays).unwrap();
        let problem = place.not_taken(Errno::EEXIST);
        assert_eq!((&*problem.code, problem.exit), ("file_exists", 2));
        assert!(problem.message.contains("it was left as it is"), "{problem}");
        assert_eq!(place.not_taken(Errno::ENOSPC).code, "file_failed");
    }
}
