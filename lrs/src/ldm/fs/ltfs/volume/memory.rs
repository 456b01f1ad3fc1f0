//! What the cartridge's memory says of a volume, and what it is told after a commit.

use super::{Labels, LtfsResult};
use crate::ldm::drive::{Drive, DriveFault, Partition};
use crate::ldm::fs::ltfs::attributes;
use crate::ldm::fs::ltfs::coherency::{self, Coherency, CoherencyFault};
use crate::ldm::scsi::SenseClass;

/// The coherency attribute of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Memory {
    /// There is none. That is legal.
    Absent,
    /// It cannot be used.
    Unusable(CoherencyFault),
    /// It is of another volume.
    OtherVolume(Coherency),
    /// The cartridge was changed since: not to be trusted.
    Stale(Coherency),
    /// As far as it tells by itself, it holds. The index it names must still be found there.
    Current(Coherency),
}

/// The volume change reference now; None: the cartridge tells none by which anything can be told.
pub(super) fn change_reference(drive: &mut dyn Drive) -> LtfsResult<Option<u64>> {
    let attribute = drive.attribute(Partition(0), attributes::CHANGE_REFERENCE)?;
    Ok(attribute.and_then(|attribute| coherency::change_reference(&attribute.value)))
}

/// Reads the coherency attribute of a partition.
pub(super) fn read(drive: &mut dyn Drive, labels: &Labels, partition: Partition) -> LtfsResult<Memory> {
    let Some(attribute) = drive.attribute(partition, attributes::COHERENCY)? else {
        return Ok(Memory::Absent);
    };
    let coherency = match coherency::decode(&attribute.value) {
        Ok(coherency) => coherency,
        Err(fault) => return Ok(Memory::Unusable(fault)),
    };
    if coherency.volume != labels.label.volume {
        return Ok(Memory::OtherVolume(coherency));
    }
    Ok(if change_reference(drive)? == Some(coherency.change_reference) {
        Memory::Current(coherency)
    } else {
        Memory::Stale(coherency)
    })
}

/// Tells the cartridge where a partition's last index is. Where it tells no change reference nothing is written, as such
/// an attribute could never be trusted.
pub(super) fn tell(
    drive: &mut dyn Drive,
    labels: &Labels,
    partition: Partition,
    generation: u64,
    block: u64,
) -> LtfsResult<Option<u64>> {
    let reference = change_reference(drive)?;
    let value = reference.map_or_else(Vec::new, |change_reference| {
        coherency::encode(&Coherency {
            change_reference,
            generation,
            block,
            volume: labels.label.volume,
        })
    });
    match drive.set_attribute(partition, &attributes::binary(attributes::COHERENCY, value)) {
        Ok(()) => Ok(reference),
        // A drive that keeps no such memory: the tape says everything without it.
        Err(error) if is_unknown(&error.fault) => Ok(reference),
        Err(error) => Err(error.into()),
    }
}

/// Whether the drive knows no such command: it keeps no memory of cartridges.
pub(in crate::ldm::fs::ltfs) fn is_unknown(fault: &DriveFault) -> bool {
    matches!(fault, DriveFault::Sense(sense) if sense.class() == SenseClass::UnknownCommand)
}
