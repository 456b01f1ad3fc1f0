//! The drive that all parts of one mounted volume share with whoever loads it, and how what it answers becomes errors that
//! name the medium.

use crate::ldm::drive::{Drive, DriveError, DriveFault, DriveResult, Position, Tenure};
use crate::ldm::fs::ltfs::faults::{SharedDrive, locked, of_drive, of_volume};
use crate::ldm::fs::ltfs::volume::{LtfsResult, ReadError};
use crate::ldm::{Fault, MediaError, MediaResult, Op};
use std::sync::{Arc, MutexGuard};

/// A drive and the name of the medium in it. One thread works with it at a time. Whoever else takes the drive up, or
/// hears of a loss in our place, ends everything here: what was known of the cartridge and of the position is not any more.
pub(super) struct Deck {
    drive: SharedDrive,
    tenure: Tenure,
    medium: Arc<str>,
}

impl Deck {
    /// Takes a drive up: what is in it is found out from here on.
    pub(super) fn new(drive: SharedDrive, medium: &str) -> Self {
        let tenure = locked(&drive).take_up();
        Self {
            drive,
            tenure,
            medium: medium.into(),
        }
    }

    /// The drive, if it is still as it was left.
    pub(super) fn drive(&self, op: Op) -> MediaResult<MutexGuard<'_, dyn Drive + 'static>> {
        let drive = locked(&self.drive);
        if drive.tenure() != self.tenure {
            return Err(self.fault(op, None, Fault::NeedsReopen));
        }
        Ok(drive)
    }

    /// Whether what is known of cartridge and position still holds.
    pub(super) fn holds(&self) -> bool {
        locked(&self.drive).tenure() == self.tenure
    }

    pub(super) fn fault(&self, op: Op, at: Option<&str>, fault: Fault) -> MediaError {
        MediaError {
            op,
            medium: self.medium.to_string(),
            at: at.map(str::to_owned),
            fault,
        }
    }

    pub(super) fn damaged(&self, op: Op, what: impl Into<String>) -> MediaError {
        self.fault(op, None, Fault::Damaged(what.into()))
    }

    /// The drive stands elsewhere than it was left.
    pub(super) fn astray(&self, op: Op, found: Position, wanted: Position) -> MediaError {
        let error = DriveError {
            device: format!("the drive with serial {}", locked(&self.drive).identity().serial),
            doing: "making sure of the place".to_owned(),
            fault: DriveFault::Astray { found, wanted },
        };
        self.fault(op, None, of_drive(error))
    }

    /// One command, its failure named.
    pub(super) fn ask<T>(&self, op: Op, work: impl FnOnce(&mut dyn Drive) -> DriveResult<T>) -> MediaResult<T> {
        work(&mut *self.drive(op)?).map_err(|error| self.fault(op, None, of_drive(error)))
    }

    /// Work of the file system, its failure named.
    pub(super) fn work<T>(&self, op: Op, work: impl FnOnce(&mut dyn Drive) -> LtfsResult<T>) -> MediaResult<T> {
        work(&mut *self.drive(op)?).map_err(|error| self.fault(op, None, of_volume(error)))
    }

    /// Why bytes of an extent cannot be had. `expected` is its size and `position` how many came.
    pub(super) fn unread(&self, at: &str, expected: u64, position: u64, error: ReadError) -> MediaError {
        let fault = match error {
            ReadError::Drive(error) => of_drive(error),
            ReadError::NoRecord(_) | ReadError::Short { .. } => Fault::Short {
                expected,
                got: position,
            },
            ReadError::Extents(words) => Fault::NotThisExtent(words),
        };
        self.fault(Op::Read, Some(at), fault)
    }
}
