//! Volumes in bays: mounted, unmounted and made. The drive is this host's alone as long as somebody works with what is on
//! the tape.

use super::Library;
use super::bay::{Bay, Use, Want, Way};
use super::error::{LibraryResult, Trouble};
use super::loaded::Loaded;
use crate::ldm::MediaResult;
use crate::ldm::drive::generation::{Access, Density};
use crate::ldm::drive::{Cartridge, Drive};
use crate::ldm::fs::ltfs::foreign::{self, ForeignExpected};
use crate::ldm::fs::ltfs::medium::{self, Expected, Shape, SharedDrive};
use crate::ldm::fs::{Label, Volume};

impl Library {
    /// Brings a cartridge into a bay, takes the drive for this host alone, and mounts the medium that is expected on it.
    /// The bay is the volume's until `unmount`.
    ///
    /// # Errors
    /// As of `put_in`; `Drive`: another host has it; `Media`: another medium is on it, or it cannot be mounted. The
    /// cartridge stays in the bay then.
    pub fn mount(&self, bay: &str, barcode: &str, expected: Expected) -> LibraryResult<Box<dyn Volume>> {
        let medium = expected.name.clone();
        self.mounted(bay, barcode, medium, |drive| medium::mount(drive, expected))
    }

    /// The same of an LTFS volume that other software wrote: it is only read.
    ///
    /// # Errors
    /// As of `mount`.
    pub fn mount_foreign(&self, bay: &str, barcode: &str, expected: ForeignExpected) -> LibraryResult<Box<dyn Volume>> {
        let medium = expected.name.clone();
        self.mounted(bay, barcode, medium, |drive| foreign::mount(drive, expected))
    }

    /// Brings a cartridge into a bay and has what is on it mounted there under the medium's name.
    fn mounted(
        &self,
        bay: &str,
        barcode: &str,
        medium: String,
        mount: impl FnOnce(&SharedDrive) -> MediaResult<Box<dyn Volume>>,
    ) -> LibraryResult<Box<dyn Volume>> {
        self.told(|library| {
            let mut claim = library.bay(bay)?.claim(Want::Hold(barcode), "a volume is mounted")?;
            let loaded = library.bring(&claim, barcode)?;
            claim.keep(Use::Loaded(loaded.clone()));
            let (bay, way) = (claim.bay, claim.bay.way()?);
            reserve(bay, way, barcode)?;
            match mount(&way.shared()) {
                Ok(volume) => {
                    claim.keep(Use::Mounted { loaded, medium });
                    Ok(volume)
                }
                Err(error) => {
                    release(bay, way);
                    Err(error.into())
                }
            }
        })
    }

    /// Ends whatever volume is mounted in a bay, and gives the drive back; the cartridge stays in it. Who still holds the
    /// volume can do nothing with it any more, and what he had not synced does not count. Nothing mounted is success.
    ///
    /// # Errors
    /// `InUse`: something else is under way. `Drive`: the drive was not given back.
    pub fn unmount(&self, bay: &str) -> LibraryResult<()> {
        self.told(|library| {
            let mut claim = library.bay(bay)?.claim(Want::Unmount, "a volume is unmounted")?;
            let (Use::Mounted { loaded, .. } | Use::Loaded(loaded)) = claim.before.clone() else {
                return Ok(());
            };
            let (bay, way) = (claim.bay, claim.bay.way()?);
            let barcode = loaded.barcode.clone();
            claim.keep(Use::Loaded(loaded));
            let mut drive = way.drive();
            drive.take_up();
            drive.release().map_err(|error| bay.trouble(Some(&barcode), error))
        })
    }

    /// Makes a medium of the blank tape in a cartridge, which stays in the bay. Takes minutes, and up to an hour.
    ///
    /// # Errors
    /// As of `put_in`; `Unfit`: it cannot be written; `Media`: the tape holds something, in words. Nothing was touched then.
    pub fn format(&self, bay: &str, barcode: &str, label: &Label, shape: &Shape) -> LibraryResult<()> {
        self.told(|library| {
            if shape.barcode != barcode {
                return Err(Trouble::Unfit {
                    barcode: barcode.to_owned(),
                    why: format!("it was to be given the barcode {}", shape.barcode),
                });
            }
            let mut claim = library.bay(bay)?.claim(Want::Hold(barcode), "a tape is formatted")?;
            let loaded = library.bring(&claim, barcode)?;
            claim.keep(Use::Loaded(loaded.clone()));
            let (bay, way) = (claim.bay, claim.bay.way()?);
            writable(&loaded, way)?;
            reserve(bay, way, barcode)?;
            let formatted = medium::format(&way.shared(), label, shape);
            release(bay, way);
            formatted.map_err(Trouble::Media)
        })
    }
}

/// Takes the drive for this host alone.
pub(super) fn reserve(bay: &Bay, way: &Way, barcode: &str) -> Result<(), Trouble> {
    let reserved = way.drive().reserve();
    reserved.map_err(|error| bay.trouble(Some(barcode), error))
}

/// Gives it back after something that succeeded or failed by itself: that this fails changes nothing of that, and the next
/// one to mount is told.
pub(super) fn release(bay: &Bay, way: &Way) {
    if let Err(error) = way.drive().release() {
        tracing::warn!(bay = bay.name, %error, "a drive was not released");
    }
}

/// Why a cartridge is not written in this drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// It is written once.
    Worm,
    /// The drive only reads this generation.
    OnlyRead(Density),
    /// The tab, or the drive, forbids it.
    Protected,
}

/// Why a cartridge is not written in a drive; None: it can be. What is true of it everywhere comes first.
pub(super) fn protection(cartridge: &Cartridge, way: &Way) -> Option<Protection> {
    if cartridge.worm {
        return Some(Protection::Worm);
    }
    if let (Some(generation), Some(density)) = (way.generation, Density::of_code(cartridge.density)) {
        match generation.access(density) {
            Access::ReadWrite => {}
            Access::Read | Access::None => return Some(Protection::OnlyRead(density)),
        }
    }
    cartridge.write_protected.then_some(Protection::Protected)
}

fn writable(loaded: &Loaded, way: &Way) -> Result<(), Trouble> {
    let why = match protection(&loaded.cartridge, way) {
        None => return Ok(()),
        Some(Protection::Worm) => "it is a cartridge that is written once, and can never be erased".to_owned(),
        Some(Protection::OnlyRead(density)) => format!("this drive only reads {density} cartridges: use an older one"),
        Some(Protection::Protected) => {
            "it is write-protected: move its tab, unless it is protected on purpose".to_owned()
        }
    };
    Err(Trouble::Unfit {
        barcode: loaded.barcode.clone(),
        why,
    })
}
