//! What a drive counts: errors, bytes, room, and whether it wants cleaning. Questions only: nothing moves, and nothing that
//! is known of the position changes.

use super::{Clock, DriveFault, DriveResult, Partition, PartitionRoom, ScsiDrive, VolumeStatistics, is_refusal};
use crate::ldm::scsi::log::{self, ErrorCounters, Page, SequentialAccess};
use crate::ldm::scsi::{Malformed, Transport};
use std::collections::BTreeMap;

/// What the drive's log pages say. A page that the drive does not know is None, or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Page 02h: errors while writing, since the cartridge was loaded.
    pub write_errors: Option<ErrorCounters>,
    /// Page 03h: the same while reading.
    pub read_errors: Option<ErrorCounters>,
    /// Page 0Ch: bytes of hosts, and whether it wants cleaning.
    pub traffic: Option<SequentialAccess>,
    /// Page 17h: what the cartridge remembers of itself. Without a cartridge it has little to say.
    pub volume: Option<VolumeStatistics>,
    /// Page 31h: room by partition, as drives before LTO-6 tell it.
    pub capacity: BTreeMap<Partition, PartitionRoom>,
}

impl Health {
    /// Whether a log page asks for cleaning.
    pub fn wants_cleaning(&self) -> bool {
        self.traffic.is_some_and(|traffic| traffic.cleaning)
    }
}

impl<T: Transport, C: Clock> ScsiDrive<T, C> {
    /// What the drive counts.
    pub fn health(&mut self) -> DriveResult<Health> {
        self.told("asking what it counts", Self::ask_health)
    }

    fn ask_health(&mut self) -> Result<Health, DriveFault> {
        let errors = |page: Page| move |bytes: &[u8]| log::error_counters(page, bytes);
        Ok(Health {
            write_errors: self.page(Page::WriteErrors, errors(Page::WriteErrors))?,
            read_errors: self.page(Page::ReadErrors, errors(Page::ReadErrors))?,
            traffic: self.page(Page::SequentialAccess, log::sequential_access)?,
            volume: self.page(Page::VolumeStatistics, log::volume_statistics)?,
            capacity: self.page(Page::TapeCapacity, log::tape_capacity)?.unwrap_or_default(),
        })
    }

    /// A log page; None: the drive has no such one.
    fn page<R>(
        &mut self,
        page: Page,
        read: impl FnOnce(&[u8]) -> Result<R, Malformed>,
    ) -> Result<Option<R>, DriveFault> {
        match self.log_page(page) {
            Ok(bytes) => Ok(Some(read(&bytes)?)),
            Err(fault) if is_refusal(&fault) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}
