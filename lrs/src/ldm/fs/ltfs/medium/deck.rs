//! The drive that all parts of one mounted volume share with whoever loads it, and how what it answers becomes errors that
//! name the medium.

use crate::ldm::drive::{Drive, DriveError, DriveResult};
use crate::ldm::fs::ltfs::volume::{LtfsError, LtfsResult, ReadError};
use crate::ldm::{Fault, MediaError, MediaResult, Op};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A drive that outlives what is mounted in it.
pub type SharedDrive = Arc<Mutex<dyn Drive>>;

/// A drive and the name of the medium in it. One thread works with it at a time.
pub(super) struct Deck {
    drive: SharedDrive,
    medium: Arc<str>,
}

impl Deck {
    pub(super) fn new(drive: SharedDrive, medium: &str) -> Self {
        Self {
            drive,
            medium: medium.into(),
        }
    }

    pub(super) fn drive(&self) -> MutexGuard<'_, dyn Drive + 'static> {
        // A panic between two commands leaves nothing here half changed.
        self.drive.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// One command, its failure named.
    pub(super) fn ask<T>(&self, op: Op, work: impl FnOnce(&mut dyn Drive) -> DriveResult<T>) -> MediaResult<T> {
        work(&mut *self.drive()).map_err(|error| self.fault(op, None, of_drive(error)))
    }

    /// Work of the file system, its failure named.
    pub(super) fn work<T>(&self, op: Op, work: impl FnOnce(&mut dyn Drive) -> LtfsResult<T>) -> MediaResult<T> {
        work(&mut *self.drive()).map_err(|error| self.fault(op, None, of_volume(error)))
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

fn of_drive(error: DriveError) -> Fault {
    Fault::Drive(Box::new(error))
}

fn of_volume(error: LtfsError) -> Fault {
    match error {
        LtfsError::Drive(error) => of_drive(error),
        LtfsError::Unformatted | LtfsError::NotLtfs(_) => Fault::Unlabelled(error.to_string()),
        LtfsError::Newer(_) | LtfsError::NotWritable(_) | LtfsError::Refused(_) => Fault::Unfit(error.to_string()),
        LtfsError::LabelDamaged(_) | LtfsError::LabelsDisagree(_) | LtfsError::NoIndex(_) | LtfsError::Moved { .. } => {
            Fault::Damaged(error.to_string())
        }
        LtfsError::Full(_) => Fault::NoSpace,
    }
}
