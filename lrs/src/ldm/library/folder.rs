//! Virtual libraries: made whole or not at all, and cartridges of others brought in.

use super::barcode;
use super::error::{LibraryError, LibraryResult, Trouble};
use super::spec::NewLibrary;
use super::{Library, Make};
use crate::ldm::changer::ElementKind;
use crate::ldm::virt::{LibrarySpec, Technology, VirtualLibrary};
use std::fs::File;
use std::path::{Path, PathBuf};

impl Library {
    /// Whether a folder is a virtual library already.
    pub fn is_virtual(folder: &Path) -> bool {
        VirtualLibrary::is_one(folder)
    }

    /// Makes a virtual library in a folder that does not exist or is empty. Whoever dies meanwhile leaves no library there.
    ///
    /// # Errors
    /// `Refused`: such a one cannot be, or the folder is not empty. `Folder`: it failed.
    pub fn create(folder: &Path, new: &NewLibrary) -> LibraryResult<()> {
        make(folder, new).map_err(|trouble| LibraryError {
            library: folder.display().to_string(),
            trouble,
        })
    }

    /// Copies the folder of a cartridge that other LTFS software made into a free slot of a virtual library. What generation
    /// it is: as told, else as its folder says, else the library's. Work goes on meanwhile.
    ///
    /// # Errors
    /// `Refused`: no slot is free, the barcode is there already or is none, it is no folder of a cartridge, or this library
    /// is no folder. `Folder`: reading or writing failed. Nothing was brought in then.
    pub fn insert(&self, cartridge: &Path, barcode: &str, technology: Option<Technology>) -> LibraryResult<()> {
        self.told(|library| {
            let Make::Virtual { model, .. } = &library.make else {
                let why = "only a virtual library takes cartridges as folders: put this one into the mail slot";
                return Err(Trouble::Refused(why.to_owned()));
            };
            if barcode::is_cleaning(barcode) {
                return Err(Trouble::Cleaning(barcode.to_owned()));
            }
            let inventory = library.arm().look()?;
            let away = inventory.of(ElementKind::Drive).filter(|drive| drive.full).count();
            if away > 0 && inventory.free_slots().len() <= away {
                let why = "no slot is free: those that are empty are the places of the cartridges in the drives";
                return Err(Trouble::Refused(why.to_owned()));
            }
            model.insert(cartridge, barcode, technology)?;
            Ok(())
        })
    }

    /// The folder of a cartridge; None: it has none, as it is of a real library, or is not here.
    pub fn cartridge_path(&self, barcode: &str) -> Option<PathBuf> {
        self.model()?.cartridge_path(barcode).ok()
    }
}

/// Makes it beside its place, and gives it its name when it is whole.
fn make(folder: &Path, new: &NewLibrary) -> Result<(), Trouble> {
    if new.cartridges > new.slots {
        return Err(Trouble::Refused(format!(
            "{} cartridges do not fit into {} slots",
            new.cartridges, new.slots
        )));
    }
    let failed = |error: std::io::Error| {
        let words = format!("{}: {error}", folder.display());
        match error.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Trouble::Refused(words),
            _ => Trouble::Folder(words),
        }
    };
    let place = std::path::absolute(folder).map_err(failed)?;
    let (Some(parent), Some(name)) = (place.parent(), place.file_name()) else {
        return Err(Trouble::Refused(format!("{} cannot be a library", folder.display())));
    };
    let is_empty = match std::fs::read_dir(&place) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(Trouble::Refused(format!("{} is no folder", folder.display())));
        }
        Err(error) => return Err(failed(error)),
    };
    if !is_empty {
        return Err(Trouble::Refused(format!("{} is not empty", folder.display())));
    }
    std::fs::create_dir_all(parent).map_err(failed)?;
    let draft = parent.join(format!(".{}.new", name.to_string_lossy()));
    if draft.exists() {
        // Of somebody who died while he made it.
        std::fs::remove_dir_all(&draft).map_err(failed)?;
    }
    std::fs::create_dir(&draft).map_err(failed)?;
    let made = fill(&draft, new).and_then(|()| {
        std::fs::rename(&draft, &place)
            .and_then(|()| File::open(parent)?.sync_all())
            .map_err(failed)
    });
    if made.is_err() {
        // What is left of it goes with the next attempt at the latest.
        let _ = std::fs::remove_dir_all(&draft);
    }
    made
}

fn fill(draft: &Path, new: &NewLibrary) -> Result<(), Trouble> {
    let spec = LibrarySpec {
        technology: new.technology,
        drives: new.drives,
        slots: new.slots,
        mail_slots: new.mail_slots,
    };
    VirtualLibrary::create(draft, &spec)?;
    let library = VirtualLibrary::open(draft)?;
    for number in 0..new.cartridges {
        library.blank(&barcode::new(number, new.technology))?;
    }
    Ok(())
}
