//! The drive in which such a volume lies, and how what it answers becomes errors that name the medium.

use crate::ldm::drive::{Drive, DriveFault, DriveResult, Tenure};
use crate::ldm::fs::ltfs::faults::{SharedDrive, locked, of_drive, of_volume};
use crate::ldm::fs::ltfs::volume::{LtfsResult, ReadError};
use crate::ldm::{Fault, MediaError, MediaResult, Op};
use std::sync::MutexGuard;

/// A drive and the name of the medium in it. Whoever else takes the drive up ends what was known of the cartridge here.
pub(super) struct Seat {
    drive: SharedDrive,
    tenure: Tenure,
    medium: String,
}

impl Seat {
    /// Takes a drive up: what is in it is found out from here on.
    pub(super) fn new(drive: &SharedDrive, medium: &str) -> Self {
        Self {
            tenure: locked(drive).take_up(),
            drive: drive.clone(),
            medium: medium.to_owned(),
        }
    }

    /// The drive, as others share it.
    pub(super) fn shared(&self) -> &SharedDrive {
        &self.drive
    }

    /// The drive, if it is still as it was left.
    pub(super) fn drive(&self, op: Op) -> MediaResult<MutexGuard<'_, dyn Drive + 'static>> {
        let drive = locked(&self.drive);
        if drive.tenure() == self.tenure {
            return Ok(drive);
        }
        Err(self.fault(op, None, Fault::NeedsReopen))
    }

    /// Whether what is known of the cartridge still holds.
    pub(super) fn holds(&self) -> bool {
        locked(&self.drive).tenure() == self.tenure
    }

    pub(super) fn fault(&self, op: Op, at: Option<&str>, fault: Fault) -> MediaError {
        MediaError {
            op,
            medium: self.medium.clone(),
            at: at.map(str::to_owned),
            fault,
        }
    }

    /// One command, its failure named.
    pub(super) fn ask<T>(&self, op: Op, work: impl FnOnce(&mut dyn Drive) -> DriveResult<T>) -> MediaResult<T> {
        work(&mut *self.drive(op)?).map_err(|error| self.fault(op, None, of_drive(error)))
    }

    /// Work of the file system, its failure named.
    pub(super) fn work<T>(&self, op: Op, work: impl FnOnce(&mut dyn Drive) -> LtfsResult<T>) -> MediaResult<T> {
        work(&mut *self.drive(op)?).map_err(|error| self.fault(op, None, of_volume(error)))
    }

    /// Why bytes of a file cannot be had. `expected` is its size, and `position` how many of them came. But for what the
    /// drive says of itself it is one file's fault: the others are read all the same.
    pub(super) fn unread(&self, path: &str, expected: u64, position: u64, error: ReadError) -> MediaError {
        let fault = match error {
            ReadError::Drive(error) if matches!(error.fault, DriveFault::TooLong { .. }) => {
                return self.fault(Op::Read, Some(path), Fault::NotThisExtent(error.to_string()));
            }
            ReadError::Drive(error) => {
                let at = format!("{path} byte {position}");
                return self.fault(Op::Read, Some(&at), of_drive(error));
            }
            ReadError::NoRecord(_) | ReadError::Short { .. } => Fault::Short {
                expected,
                got: position,
            },
            ReadError::Extents(words) => Fault::NotThisExtent(words),
        };
        self.fault(Op::Read, Some(path), fault)
    }
}
