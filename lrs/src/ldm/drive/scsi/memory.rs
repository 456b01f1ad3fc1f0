//! What the drive remembers, and the cartridge's memory: attributes, statistics, alerts.

use super::{
    Alert, Attribute, Clock, DriveFault, Partition, PartitionRoom, ScsiDrive, VolumeStatistics, is_refusal, timeouts,
};
use crate::ldm::scsi::cdb::AttributeQuery;
use crate::ldm::scsi::log::{self, Page};
use crate::ldm::scsi::mam::{self, First};
use crate::ldm::scsi::{Cdb, Transfer, Transport};

/// Room for most attributes; a longer one is asked for again.
const ATTRIBUTE_BYTES: u32 = 1024;

/// Room for a log page.
const LOG_BYTES: usize = 16 << 10;

impl<T: Transport, C: Clock> ScsiDrive<T, C> {
    /// A drive that knows no attributes has none; nor is one there whose number the drive refuses (5/24).
    pub(super) fn read_attribute(&mut self, partition: Partition, id: u16) -> Result<Option<Attribute>, DriveFault> {
        let first = match self.first_attribute(partition, id, ATTRIBUTE_BYTES)? {
            Some(First::Cut(needed)) => self.first_attribute(partition, id, needed)?,
            first => first,
        };
        match first {
            Some(First::Whole(attribute)) if attribute.id == id && !attribute.value.is_empty() => Ok(Some(attribute)),
            // The next one that is there: this one is not.
            Some(First::Whole(_) | First::None) | None => Ok(None),
            Some(First::Cut(needed)) => Err(DriveFault::Nonsense(format!(
                "attribute {id:04x} was cut off though there was room for {needed} bytes"
            ))),
        }
    }

    fn first_attribute(
        &mut self,
        partition: Partition,
        first: u16,
        allocation: u32,
    ) -> Result<Option<First>, DriveFault> {
        // `allocation` is at most `mam::ONE_MAX`: what an attribute says of its length has 16 bits.
        let query = AttributeQuery {
            partition,
            first,
            allocation,
        };
        let answer = self.ask_if_known(Cdb::read_attribute(query), allocation as usize)?;
        Ok(answer.map(|answer| mam::first(&answer)).transpose()?)
    }

    pub(super) fn write_attribute(&mut self, partition: Partition, attribute: &Attribute) -> Result<(), DriveFault> {
        self.same_cartridge()?;
        let list = mam::list(attribute)?;
        let cdb = Cdb::write_attribute(partition, list.len() as u32);
        self.done(cdb, Transfer::Out(&list), timeouts::QUESTION).map(drop)
    }

    pub(super) fn log_page(&mut self, page: Page) -> Result<Vec<u8>, DriveFault> {
        self.ask(Cdb::log_sense(page, LOG_BYTES as u16), LOG_BYTES)
    }

    pub(super) fn ask_alerts(&mut self) -> Result<Vec<Alert>, DriveFault> {
        Ok(log::alerts::alerts(&self.log_page(Page::TapeAlert)?)?)
    }

    pub(super) fn ask_statistics(&mut self) -> Result<VolumeStatistics, DriveFault> {
        Ok(log::volume_statistics(&self.log_page(Page::VolumeStatistics)?)?)
    }

    /// By page 17h; by page 31h on drives that have no room in it. What neither tells is an error: no room is ever invented.
    pub(super) fn ask_room(&mut self, partition: Partition) -> Result<PartitionRoom, DriveFault> {
        let statistics = match self.ask_statistics() {
            Ok(statistics) => statistics,
            Err(fault) if is_refusal(&fault) => VolumeStatistics::default(),
            Err(fault) => return Err(fault),
        };
        if let Some(room) = statistics.rooms.get(&partition) {
            return Ok(*room);
        }
        let elder = match self.log_page(Page::TapeCapacity) {
            Ok(answer) => log::tape_capacity(&answer)?,
            Err(fault) if is_refusal(&fault) => Default::default(),
            Err(fault) => return Err(fault),
        };
        let none = || DriveFault::Nonsense(format!("neither log page 17h nor 31h tells the room of {partition}"));
        elder.get(&partition).copied().ok_or_else(none)
    }
}
