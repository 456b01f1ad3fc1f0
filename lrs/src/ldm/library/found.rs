//! What is on a cartridge, whoever wrote it. Nothing is written, and nothing is decided about it.

use super::Library;
use super::bay::{Use, Want, Way};
use super::error::{LibraryResult, Trouble};
use super::mounting::{Protection, protection, release, reserve};
use crate::ldm::drive::{Drive, DriveError, DriveFault, DriveResult, Partition};
use crate::ldm::fs::Label;
use crate::ldm::fs::ltfs::attributes;
use crate::ldm::fs::ltfs::foreign::{self, ForeignSurvey};
use crate::ldm::fs::ltfs::medium::{self, SharedDrive};
use crate::ldm::fs::ltfs::volume::{LtfsError, Mounted, read_labels};
use crate::ldm::scsi::SenseClass;
use crate::ldm::{Fault, MediaError, MediaResult};
use std::fmt;
use uuid::Uuid;

/// What a cartridge is and holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its barcode.
    pub barcode: String,
    /// What is on it.
    pub holds: Holds,
    /// Whether it can be written here.
    pub writing: Writing,
    /// What else an operator should know.
    pub remark: Option<String>,
}

/// What is on a cartridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Nothing: it may be formatted.
    Blank,
    /// A medium of respool's, whichever catalogue it belongs to.
    Ours(Label),
    /// An LTFS volume that is not respool's.
    Volume {
        /// Its serial number, by its VOL1 label.
        serial: String,
        /// Which volume.
        volume: Uuid,
        /// The same in words.
        words: String,
    },
    /// Data that are none of LTFS.
    NotLtfs(String),
    /// LTFS of a version that this program does not know.
    Newer(String),
    /// LTFS that cannot be read here as it is, or is damaged.
    Damaged(String),
    /// No label, and yet it is not blank: remains of something.
    Remains(String),
    /// It is not known: drives of this generation do not take it.
    WrongGeneration(String),
}

/// Whether a cartridge can be written in the drive that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// It can.
    Allowed,
    /// Its tab, or the drive, forbids it.
    Protected,
    /// The drive only reads this generation.
    OnlyRead,
    /// It is written once.
    Worm,
    /// It was not loaded.
    NotKnown,
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("blank"),
            Self::Ours(label) => write!(
                f,
                "medium {} of respool ({}, generation {})",
                label.name, label.medium, label.generation
            ),
            Self::Volume { serial, volume, words } => write!(f, "{words} (serial number '{serial}', volume {volume})"),
            Self::NotLtfs(words) => write!(f, "no LTFS: {words}"),
            Self::Newer(words) | Self::Damaged(words) => f.write_str(words),
            Self::Remains(words) => write!(f, "no label, and not blank: {words}"),
            Self::WrongGeneration(words) => write!(f, "not known: {words}"),
        }
    }
}

impl fmt::Display for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed => "can be written",
            Self::Protected => "write-protected",
            Self::OnlyRead => "only read by drives of this generation",
            Self::Worm => "written once",
            Self::NotKnown => "not loaded",
        })
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.barcode, self.holds, self.writing)?;
        match &self.remark {
            Some(remark) => write!(f, "; {remark}"),
            None => Ok(()),
        }
    }
}

impl Library {
    /// Brings a cartridge into a bay and reads what is on it. It stays there, unless the drive does not take it.
    ///
    /// # Errors
    /// As of `put_in`, but for `WrongGeneration`, which is an answer; `Drive` and `Media`: the drive failed.
    pub fn read_label(&self, bay: &str, barcode: &str) -> LibraryResult<Found> {
        let (found, _) = self.look(bay, barcode, |_, _| Ok(()))?;
        Ok(found)
    }

    /// The same, and with an LTFS volume of other software what it holds, to be imported: its indexes are read once for
    /// both. None: it is no such volume, or `survey` says what is wrong with it.
    ///
    /// # Errors
    /// As of `read_label` and `survey`.
    pub fn identify(&self, bay: &str, barcode: &str) -> LibraryResult<(Found, Option<ForeignSurvey>)> {
        self.look(bay, barcode, |drive, mounted| {
            foreign::survey_mounted(drive, barcode, mounted)
        })
    }

    /// Reads what is on a cartridge, and does this with a volume of other software.
    fn look<R>(
        &self,
        bay: &str,
        barcode: &str,
        of_volume: impl FnOnce(&SharedDrive, Mounted) -> MediaResult<R>,
    ) -> LibraryResult<(Found, Option<R>)> {
        self.told(|library| {
            let mut claim = library.bay(bay)?.claim(Want::Hold(barcode), "a label is read")?;
            let loaded = match library.bring(&claim, barcode) {
                Ok(loaded) => loaded,
                Err(Trouble::WrongGeneration { why, .. }) => return Ok((not_taken(barcode, why), None)),
                Err(trouble) => return Err(trouble),
            };
            claim.keep(Use::Loaded(loaded.clone()));
            let (bay, way) = (claim.bay, claim.bay.way()?);
            reserve(bay, way, barcode)?;
            let held = held(way, barcode).and_then(|(holds, mounted)| {
                let of_volume = mounted.map(|mounted| of_volume(&way.shared(), mounted)).transpose()?;
                Ok((holds, of_volume))
            });
            release(bay, way);
            let (holds, of_volume) = held.map_err(|failed| match failed {
                Failed::Drive(error) => bay.trouble(Some(barcode), error),
                Failed::Media(error) => Trouble::Media(error),
            })?;
            let found = Found {
                barcode: barcode.to_owned(),
                holds,
                writing: match protection(&loaded.cartridge, way) {
                    None => Writing::Allowed,
                    Some(Protection::Worm) => Writing::Worm,
                    Some(Protection::OnlyRead(_)) => Writing::OnlyRead,
                    Some(Protection::Protected) => Writing::Protected,
                },
                remark: loaded.remark,
            };
            Ok((found, of_volume))
        })
    }
}

/// A cartridge that the drive does not take.
fn not_taken(barcode: &str, why: String) -> Found {
    Found {
        barcode: barcode.to_owned(),
        holds: Holds::WrongGeneration(why),
        writing: Writing::NotKnown,
        remark: None,
    }
}

impl Library {
    /// Brings a cartridge into a bay and reads what the LTFS volume on it holds, to be imported. It stays there, unless the
    /// drive does not take it; what is answered needs it no longer.
    ///
    /// # Errors
    /// As of `put_in`; `Drive`: another host has it; `Media`: there is no such volume on it, or none that can be read.
    pub fn survey(&self, bay: &str, barcode: &str) -> LibraryResult<ForeignSurvey> {
        self.told(|library| {
            let mut claim = library.bay(bay)?.claim(Want::Hold(barcode), "a volume is surveyed")?;
            let loaded = library.bring(&claim, barcode)?;
            claim.keep(Use::Loaded(loaded));
            let (bay, way) = (claim.bay, claim.bay.way()?);
            reserve(bay, way, barcode)?;
            let surveyed = foreign::survey(&way.shared(), barcode);
            release(bay, way);
            surveyed.map_err(Trouble::Media)
        })
    }
}

/// Why it is not known what a tape holds.
enum Failed {
    Drive(DriveError),
    Media(MediaError),
}

impl From<DriveError> for Failed {
    fn from(error: DriveError) -> Self {
        Self::Drive(error)
    }
}

impl From<MediaError> for Failed {
    fn from(error: MediaError) -> Self {
        Self::Media(error)
    }
}

/// What a tape holds, with the volume as it was mounted where that is not respool's.
fn held(way: &Way, barcode: &str) -> Result<(Holds, Option<Mounted>), Failed> {
    let labels = {
        let mut drive = way.drive();
        drive.take_up();
        read_labels(&mut *drive)
    };
    let labels = match labels {
        Ok(labels) => labels,
        Err(error) => return Ok((unlabelled(way, error)?, None)),
    };
    let (label, mounted) = match medium::mount_unknown(&way.shared(), barcode) {
        Ok((label, mounted)) => (label, Some(mounted)),
        Err(error) => (Err(error), None),
    };
    match label {
        Ok(label) => Ok((Holds::Ours(label), None)),
        Err(MediaError {
            fault: Fault::Unlabelled(words),
            ..
        }) => {
            let (serial, volume) = (labels.serial, labels.label.volume);
            Ok((Holds::Volume { serial, volume, words }, mounted))
        }
        Err(MediaError {
            fault: Fault::Damaged(words) | Fault::Unfit(words),
            ..
        }) => Ok((Holds::Damaged(words), None)),
        Err(error) => Err(Failed::Media(error)),
    }
}

/// What a tape holds whose labels are not read.
fn unlabelled(way: &Way, error: LtfsError) -> Result<Holds, Failed> {
    match error {
        LtfsError::Unformatted => {
            let remains = remains(&mut *way.drive())?;
            Ok(remains.map_or(Holds::Blank, Holds::Remains))
        }
        LtfsError::NotLtfs(words) => Ok(Holds::NotLtfs(words)),
        LtfsError::Newer(_) => Ok(Holds::Newer(error.to_string())),
        LtfsError::Drive(error) => Err(Failed::Drive(error)),
        LtfsError::LabelDamaged(_)
        | LtfsError::LabelsDisagree(_)
        | LtfsError::NoIndex(_)
        | LtfsError::Moved { .. }
        | LtfsError::NotWritable(_)
        | LtfsError::RecordsTooLong { .. }
        | LtfsError::Full(_)
        | LtfsError::Refused(_) => Ok(Holds::Damaged(error.to_string())),
    }
}

/// Sense key 5: a drive refuses to go to a partition that the cartridge has not.
const ILLEGAL_REQUEST: u8 = 0x5;

/// What is left on a tape whose first partition begins empty; None: nothing. It is blank only if no partition holds
/// anything and the cartridge's memory knows of no volume.
fn remains(drive: &mut dyn Drive) -> DriveResult<Option<String>> {
    for partition in [Partition(0), Partition(1)] {
        match drive.locate_end(partition) {
            Ok(end) if end.block == 0 => {}
            Ok(end) => return Ok(Some(format!("the data of {partition} end at block {}", end.block))),
            Err(error) => match &error.fault {
                DriveFault::Sense(sense) if sense.class() == SenseClass::EndOfData => {}
                DriveFault::Sense(sense) if sense.key == ILLEGAL_REQUEST && partition != Partition(0) => {}
                _ => return Err(error),
            },
        }
        if drive.attribute(partition, attributes::COHERENCY)?.is_some() {
            return Ok(Some(format!(
                "the cartridge's memory names an index of LTFS in {partition}"
            )));
        }
    }
    let id = drive.attribute(Partition(0), attributes::MEDIUM_ID)?;
    Ok(id.map(|id| {
        let id = String::from_utf8_lossy(&id.value).trim_matches([' ', '\0']).to_owned();
        format!("the cartridge's memory says that it is medium {id}, whose format or erasure did not come to its end")
    }))
}
