//! Objects that are no files: the directories and symbolic links of an LTFS volume, as `get` makes them again. A link is made
//! and never gone through.

use super::landing::{Existing, Found, Missed, Place, sync_folder, xattrs};
use crate::api::Problem;
use dss::model::{LtfsKind, Metadata};
use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, UtimensatFlags, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};
use std::fs::File;
use xattr::FileExt;

/// What an object is that is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'m> {
    /// A directory; what lies in it are objects of their own.
    Directory,
    /// A symbolic link that leads there.
    Symlink(&'m str),
}

impl<'m> Entry<'m> {
    /// What an object is, by its metadata; None: a file.
    pub fn of(metadata: &'m Metadata) -> Option<Self> {
        match &metadata.ltfs.as_ref()?.kind {
            LtfsKind::File => None,
            LtfsKind::Directory => Some(Self::Directory),
            LtfsKind::Symlink { target } => Some(Self::Symlink(target)),
        }
    }

    /// Makes it; answers what it could not be given back. A directory that is there already is given its time and attributes.
    pub fn make(self, place: &Place, metadata: &Metadata) -> Result<Missed, Problem> {
        match self {
            Self::Directory => make_directory(place)?,
            Self::Symlink(target) => make_symlink(place, target)?,
        }
        let mut missed = self.attribute(place, metadata);
        if metadata.mtime.is_some_and(|mtime| set_time(place, mtime).is_err()) {
            missed.push("mtime".to_owned());
        }
        sync_folder(&place.folder);
        Ok(missed)
    }

    /// Gives it its extended attributes; a link has none of a user's, and what LTFS itself notes of links is not missed.
    fn attribute(&self, place: &Place, metadata: &Metadata) -> Missed {
        let opened = match self {
            Self::Directory => {
                let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                openat(&place.folder, place.name.as_os_str(), flags, Mode::empty()).map(File::from)
            }
            Self::Symlink(_) => Err(Errno::EPERM),
        };
        let set = |name: &str, value: &[u8]| opened.as_ref().is_ok_and(|file| file.set_xattr(name, value).is_ok());
        let of_link = |name: &str| matches!(self, Self::Symlink(_)) && name.starts_with("user.ltfs.");
        let wanted = xattrs(metadata).into_iter().filter(|(name, _)| !of_link(name));
        let left = wanted.filter(|(name, value)| !set(name, value));
        left.map(|(name, _)| name).collect()
    }
}

fn make_directory(place: &Place) -> Result<(), Problem> {
    match mkdirat(
        &place.folder,
        place.name.as_os_str(),
        Mode::S_IRWXU | Mode::S_IRWXG | Mode::S_IRWXO,
    ) {
        Err(Errno::EEXIST) if place.found() == Ok(Found::Folder) => Ok(()),
        made => made.map_err(|errno| place.not_taken(errno)),
    }
}

fn make_symlink(place: &Place, target: &str) -> Result<(), Problem> {
    let name = place.name.as_os_str();
    if place.existing == Existing::Stays {
        return symlinkat(target, &place.folder, name).map_err(|errno| place.not_taken(errno));
    }
    // Beside its place first, so that what is replaced is there until the link is.
    let beside = format!(".respool-link-{}", std::process::id());
    let failed = |errno: Errno| place.not_written(&errno.into());
    symlinkat(target, &place.folder, beside.as_str()).map_err(failed)?;
    renameat(&place.folder, beside.as_str(), &place.folder, name).map_err(|errno| {
        // What could not be renamed is not wanted; why it could not is told.
        let _ = unlinkat(&place.folder, beside.as_str(), UnlinkatFlags::NoRemoveDir);
        failed(errno)
    })
}

fn set_time(place: &Place, mtime: Timestamp) -> nix::Result<()> {
    let nanoseconds = mtime.as_nanosecond();
    let second = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).map_err(|_| Errno::EOVERFLOW)?;
    let rest = i64::try_from(nanoseconds.rem_euclid(1_000_000_000)).map_err(|_| Errno::EOVERFLOW)?;
    let name = place.name.as_os_str();
    let (omit, time) = (TimeSpec::UTIME_OMIT, TimeSpec::new(second, rest));
    utimensat(&place.folder, name, &omit, &time, UtimensatFlags::NoFollowSymlink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn e05_a_directory_and_a_link_are_made_with_their_times_and_never_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry");
        fs::create_dir(folder.path().join("target")).unwrap();
        fs::write(folder.path().join("target/inside"), "x").unwrap();
        let metadata = Metadata {
            mtime: Some("1969-12-31T23:59:58.5Z".parse().unwrap()),
            ..Metadata::default()
        };
        let place = Place::at(&path, Existing::Stays).unwrap();
        let link = Entry::Symlink("target");
        assert_eq!(link.make(&place, &metadata), Ok(Missed::new()));
        let made = fs::symlink_metadata(&path).unwrap();
        assert_eq!((made.mtime(), made.mtime_nsec()), (-2, 500_000_000));
        assert_eq!(fs::read_link(&path).unwrap().to_str(), Some("target"));
        assert_eq!(link.make(&place, &metadata).unwrap_err().code, "file_exists");
        assert_eq!(
            Entry::Directory.make(&place, &metadata).unwrap_err().code,
            "file_exists"
        );
        let over = Place::at(&path, Existing::Replaced).unwrap();
        assert_eq!(Entry::Symlink("elsewhere").make(&over, &metadata), Ok(Missed::new()));
        assert_eq!(fs::read_link(&path).unwrap().to_str(), Some("elsewhere"));
        assert_eq!(fs::read_dir(folder.path().join("target")).unwrap().count(), 1);
        let place = Place::at(&folder.path().join("target"), Existing::Stays).unwrap();
        assert_eq!(Entry::Directory.make(&place, &metadata), Ok(Missed::new()));
        assert_eq!(fs::metadata(folder.path().join("target")).unwrap().mtime(), -2);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left beside them");
    }
}
