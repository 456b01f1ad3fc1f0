//! What a drive, or a volume in it, answers, as faults of a medium; and the drive itself, which several share.

use crate::ldm::Fault;
use crate::ldm::drive::{Drive, DriveError};
use crate::ldm::fs::ltfs::volume::LtfsError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A drive that outlives what is mounted in it.
pub type SharedDrive = Arc<Mutex<dyn Drive>>;

pub(super) fn locked(drive: &SharedDrive) -> MutexGuard<'_, dyn Drive + 'static> {
    // A panic between two commands leaves nothing here half changed.
    drive.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn of_drive(error: DriveError) -> Fault {
    Fault::Drive(Box::new(error))
}

pub(super) fn of_volume(error: LtfsError) -> Fault {
    match error {
        LtfsError::Drive(error) => of_drive(error),
        LtfsError::Unformatted | LtfsError::NotLtfs(_) => Fault::Unlabelled(error.to_string()),
        LtfsError::Newer(_) | LtfsError::NotWritable(_) | LtfsError::RecordsTooLong { .. } | LtfsError::Refused(_) => {
            Fault::Unfit(error.to_string())
        }
        LtfsError::LabelDamaged(_) | LtfsError::LabelsDisagree(_) | LtfsError::NoIndex(_) | LtfsError::Moved { .. } => {
            Fault::Damaged(error.to_string())
        }
        LtfsError::Full(_) => Fault::NoSpace,
    }
}
