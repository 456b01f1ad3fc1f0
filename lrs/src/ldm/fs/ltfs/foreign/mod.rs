//! LTFS volumes that other software wrote: read as media, and surveyed to be imported. FORMAT of the label is `ltfs`.
//!
//! An extent of such a medium is a file of the volume's tree, and its address is the file's path. Its bytes are the file's
//! whole content, holes included. What must never happen here: a byte written to such a volume, but for an erasure of it;
//! bytes answered that are not the file's, whatever is damaged; an older tree taken for the last one without a word.
//!
//! `survey` answers what an import needs, `mount` a [`Volume`]. Called by whoever imports, and by libraries for media that
//! the catalogue knows to be such volumes. A volume of respool's own may be read so as well, as what it is to others: what
//! its log alone names is not seen then, so it is not erased as one.

mod choice;
mod entry;
mod erasing;
mod hashes;
mod place;
mod reading;
mod seat;
mod survey;
mod tree;
mod volume;

pub use choice::ForeignState;
pub use entry::{EntryFault, ForeignEntries, ForeignEntry, ForeignKind, ForeignTimes, StoredValue, in_tape_order};
pub use hashes::HashAlgorithm;
pub use survey::{ForeignSurvey, survey, survey_mounted};

use super::medium::SharedDrive;
use crate::ldm::MediaResult;
use crate::ldm::fs::Volume;
use dss::model::{Generation, MediumId};
use uuid::Uuid;

/// The format that the label of such a medium names.
pub const FORMAT: &str = "ltfs";

/// The volume that the catalogue expects in a drive.
#[derive(Clone, Debug)]
pub struct ForeignExpected {
    /// Which medium.
    pub medium: MediumId,
    /// Its name, for messages.
    pub name: String,
    /// The LTFS volume, by its labels.
    pub volume: Uuid,
    /// The medium's generation in the catalogue, which the tape does not have.
    pub generation: Generation,
    /// The generation of the index that was imported, where one was. Once the tape has another one, a path alone says no
    /// longer whose bytes are meant: then an extent is read only where the catalogue knows its place.
    pub index_generation: Option<u64>,
}

/// Mounts the volume that is expected, to be read. Nothing is written.
///
/// # Errors
/// `WrongMedium`: it is another volume; `Unlabelled`, `Unfit` or `Damaged`: there is none that can be read; the drive's.
pub fn mount(drive: &SharedDrive, expected: ForeignExpected) -> MediaResult<Box<dyn Volume>> {
    Ok(Box::new(volume::ForeignVolume::mount(drive, expected)?))
}
