//! Which names and directories may become media. Asked before the catalogue knows anything of them; nothing is written.

use crate::api::Problem;
use crate::api::requests::DirAddRequest;
use dss::model::{Family, Medium};
use lrs::ldm::fs::dir;
use lrs::ldm::{Fault, MediaError};
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};
use std::path::{Path, PathBuf};

/// The most bytes a medium's name may have.
const NAME_MAX: usize = 64;

/// Whether a medium may be called so.
pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    let good = (1..=NAME_MAX).contains(&name.len()) && name.chars().all(plain) && !name.starts_with(['-', '.']);
    if good {
        return Ok(());
    }
    Err(Problem::refused(
        "bad_name",
        name,
        format!("'{name}' is no name for a medium: it has 1 to {NAME_MAX} letters, digits, '-', '_', '.' or '+'"),
    )
    .next("choose another name"))
}

/// The directory will not do.
pub(super) fn unfit(name: &str, why: String) -> Problem {
    Problem::refused("unfit", name, why).next("choose an empty directory of its own; nothing was touched")
}

/// Where a directory really lies. Symlinks on the way to it are followed, once and now: what is noted is the place
/// itself, and what they lead to later moves no medium. The last part is to be the directory, not a way to one.
pub(super) fn check_directory(request: &DirAddRequest) -> Result<PathBuf, Problem> {
    let path = &request.path;
    let found = std::fs::symlink_metadata(path)
        .map_err(|error| unfit(&request.name, format!("{} cannot be used: {error}", path.display())))?;
    if found.is_symlink() {
        return Err(unfit(&request.name, format!("{} is a symlink", path.display())));
    }
    if !found.is_dir() {
        return Err(unfit(&request.name, format!("{} is not a directory", path.display())));
    }
    let place = path
        .canonicalize()
        .map_err(|error| unfit(&request.name, format!("{} cannot be used: {error}", path.display())))?;
    if place.to_str().is_none() {
        return Err(unfit(&request.name, format!("{} is not UTF-8", place.display())));
    }
    Ok(place)
}

/// Whether the directory is empty and can be written, before the catalogue knows anything of it.
pub(super) async fn look(name: &str, place: &Path) -> Result<(), Problem> {
    if let Err(errno) = access(place, AccessFlags::W_OK | AccessFlags::X_OK) {
        let why = format!("{} cannot be written: {}", place.display(), errno.desc());
        let next = match errno {
            Errno::EROFS => "mount that file system for writing, or choose another directory; nothing was touched",
            _ => "let the user who runs respoold write there, or choose another directory; nothing was touched",
        };
        return Err(unfit(name, why).next(next));
    }
    let (medium, path) = (name.to_owned(), place.to_owned());
    let work = tokio::task::spawn_blocking(move || dir::look(dir::open_disk(&medium, &path)?, &medium));
    match work.await {
        Ok(Err(MediaError {
            fault: Fault::Unfit(why),
            ..
        })) => Err(unfit(name, format!("{}: {why}", place.display()))),
        Ok(looked) => Ok(looked?),
        Err(panic) => Err(Problem::bug(name, panic.to_string())),
    }
}

/// Whether one lies in the other.
pub(super) fn overlaps(place: &Path, medium: &Medium) -> bool {
    let other = Path::new(&medium.location.path);
    medium.family == Family::Dir && (place.starts_with(other) || other.starts_with(place))
}
