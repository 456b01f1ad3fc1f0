//! Cartridges that come into a library: each is made under a name that is nobody's, gets its own when it is whole, and is in
//! the inventory last. Whoever dies in between leaves a folder that the next one to come takes away.

use super::cartridge::{Card, Cartridge, FolderCartridge, is_block};
use super::inventory::{LibraryError, LibraryResult, io};
use super::technology::Technology;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What begins and ends the name of a folder that is being made. No barcode has such characters.
const DRAFT: (&str, &str) = (".", ".new");

/// The folder in which a cartridge is made.
pub(super) fn draft(cartridges: &Path, barcode: &str) -> PathBuf {
    cartridges.join(format!("{}{barcode}{}", DRAFT.0, DRAFT.1))
}

/// Takes away what earlier attempts left.
pub(super) fn sweep(cartridges: &Path) -> LibraryResult<()> {
    let failed = |source| io(cartridges, source);
    for entry in std::fs::read_dir(cartridges).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let left = name
            .to_str()
            .is_some_and(|name| name.starts_with(DRAFT.0) && name.ends_with(DRAFT.1));
        if left {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Takes a folder away, if there is one.
pub(super) fn remove(folder: &Path) -> LibraryResult<()> {
    match std::fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io(folder, error)),
    }
}

/// Gives a cartridge its name, durably.
pub(super) fn name(draft: &Path, path: &Path, cartridges: &Path) -> LibraryResult<()> {
    remove(path)?;
    std::fs::rename(draft, path)
        .and_then(|()| File::open(cartridges)?.sync_all())
        .map_err(|source| io(path, source))
}

/// Makes a blank cartridge.
pub(super) fn blank(into: &Path, card: &Card) -> LibraryResult<()> {
    let failed = |source| io(into, source);
    std::fs::create_dir(into).map_err(failed)?;
    FolderCartridge::create(into, card.clone()).map_err(|error| failed(error.into()))
}

/// A cartridge that other software made.
pub(super) struct Stranger<'a> {
    /// Its folder.
    pub(super) from: &'a Path,
    /// The barcode that it gets.
    pub(super) barcode: &'a str,
    /// What it is; None: what its folder says.
    pub(super) technology: Option<Technology>,
    /// What it is where nobody says.
    pub(super) fallback: Technology,
}

/// Copies a cartridge, and writes down what it is.
pub(super) fn copied(into: &Path, stranger: &Stranger<'_>) -> LibraryResult<()> {
    copy(stranger.from, into)?;
    let failed = |errno: nix::errno::Errno| match errno {
        nix::errno::Errno::EINVAL => not_one(stranger.from, "what it says of itself cannot be read"),
        errno => io(into, errno.into()),
    };
    let opened = FolderCartridge::open(into, stranger.barcode, stranger.fallback).map_err(failed)?;
    let mut card = opened.card().clone();
    card.barcode = stranger.barcode.to_owned();
    if let Some(technology) = stranger.technology {
        card.technology = technology;
    }
    FolderCartridge::label(into, &card).map_err(failed)
}

fn not_one(folder: &Path, why: impl Into<String>) -> LibraryError {
    LibraryError::NoCartridge {
        path: folder.to_owned(),
        why: why.into(),
    }
}

/// Copies the regular files of a folder, with modes that let them be read, and makes them durable. A folder without a
/// single block is no cartridge; nor is one in which a block is something else than a file: it would be missing here.
fn copy(from: &Path, to: &Path) -> LibraryResult<()> {
    let entries = match std::fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(not_one(from, "it is no folder"));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(not_one(from, "there is none")),
        Err(error) => return Err(io(from, error)),
    };
    std::fs::create_dir(to).map_err(|source| io(to, source))?;
    let mut blocks = 0_u64;
    for entry in entries {
        let entry = entry.map_err(|source| io(from, source))?;
        let name = entry.file_name();
        let block = name.to_str().is_some_and(is_block);
        let kind = entry.file_type().map_err(|source| io(&entry.path(), source))?;
        if !kind.is_file() {
            if block {
                return Err(not_one(from, format!("{} is no file", name.to_string_lossy())));
            }
            continue;
        }
        blocks += u64::from(block);
        copy_file(&entry.path(), &to.join(&name))?;
    }
    if blocks == 0 {
        return Err(not_one(
            from,
            "it has no file of a record, a filemark or an end of data",
        ));
    }
    File::open(to)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| io(to, source))
}

fn copy_file(from: &Path, to: &Path) -> LibraryResult<()> {
    let mut source = File::open(from).map_err(|source| io(from, source))?;
    let copied = File::create_new(to).and_then(|mut target| {
        std::io::copy(&mut source, &mut target)?;
        target.sync_all()
    });
    copied.map_err(|source| io(to, source))
}
