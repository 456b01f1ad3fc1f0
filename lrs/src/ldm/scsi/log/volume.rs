//! Page 17h, volume statistics (SSC-4, 8.3.9), and its elder brother 31h, tape capacity.

use super::{Page, Parameters};
use crate::ldm::drive::{Partition, PartitionRoom};
use crate::ldm::scsi::data::{Malformed, number};
use dss::model::ByteCount;
use std::collections::BTreeMap;

/// Megabytes as page 17h counts them.
const MB: u64 = 1_000_000;

/// Mebibytes as page 31h counts them.
const MIB: u64 = 1 << 20;

/// What the cartridge remembers of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeStatistics {
    /// 0001h: times it was loaded.
    pub mounts: Option<u64>,
    /// 0003h: write errors that were overcome.
    pub write_errors_temporary: Option<u64>,
    /// 0004h: write errors that were not.
    pub write_errors_permanent: Option<u64>,
    /// 0008h: read errors that were overcome.
    pub read_errors_temporary: Option<u64>,
    /// 0009h: read errors that were not.
    pub read_errors_permanent: Option<u64>,
    /// 0010h: written in its life, in megabytes of 10^6 bytes.
    pub written_mb: Option<u64>,
    /// 0011h: read in its life, in megabytes of 10^6 bytes.
    pub read_mb: Option<u64>,
    /// 0202h to 0204h: partitions of which both capacity and remaining room are told.
    pub rooms: BTreeMap<Partition, PartitionRoom>,
}

/// Reads page 17h.
pub fn volume_statistics(bytes: &[u8]) -> Result<VolumeStatistics, Malformed> {
    let parameters = Parameters::read(Page::VolumeStatistics, bytes)?;
    let capacities = by_partition(parameters.bytes(0x0202).unwrap_or_default());
    let remaining = by_partition(parameters.bytes(0x0204).unwrap_or_default());
    let room = |(partition, capacity): (Partition, u64)| {
        let remaining = remaining.get(&partition)?;
        Some((partition, room(capacity, *remaining, MB)))
    };
    Ok(VolumeStatistics {
        mounts: parameters.number(0x0001),
        write_errors_temporary: parameters.number(0x0003),
        write_errors_permanent: parameters.number(0x0004),
        read_errors_temporary: parameters.number(0x0008),
        read_errors_permanent: parameters.number(0x0009),
        written_mb: parameters.number(0x0010),
        read_mb: parameters.number(0x0011),
        rooms: capacities.into_iter().filter_map(room).collect(),
    })
}

/// Partition records (SSC-4, table 121): a length of what follows, a reserved byte, the partition, and a number. Records
/// that are cut short, and numbers that the drive does not know (all bits set, the last one aside), are left out.
fn by_partition(mut bytes: &[u8]) -> BTreeMap<Partition, u64> {
    let mut found = BTreeMap::new();
    while let [length, rest @ ..] = bytes {
        let Some((record, after)) = rest.split_at_checked(usize::from(*length)) else {
            break;
        };
        if let [_, 0, partition, value @ ..] = record
            && (1..=8).contains(&value.len())
            && value[..value.len() - 1]
                .iter()
                .chain([&(value[value.len() - 1] | 1)])
                .any(|byte| *byte != 0xff)
        {
            found.entry(Partition(*partition)).or_insert(number(value));
        }
        bytes = after;
    }
    found
}

/// Reads page 31h, which drives before LTO-6 have: remaining room of partitions 0 and 1 (parameters 1 and 2), then their
/// capacities (3 and 4), in mebibytes.
pub fn tape_capacity(bytes: &[u8]) -> Result<BTreeMap<Partition, PartitionRoom>, Malformed> {
    let parameters = Parameters::read(Page::TapeCapacity, bytes)?;
    let of = |partition: u8| {
        let remaining = parameters.number(1 + u16::from(partition))?;
        let capacity = parameters.number(3 + u16::from(partition))?;
        Some((Partition(partition), room(capacity, remaining, MIB)))
    };
    Ok([0, 1].into_iter().filter_map(of).collect())
}

/// Numbers of a device may be anything; what does not fit is as much as fits.
fn room(capacity: u64, remaining: u64, unit: u64) -> PartitionRoom {
    PartitionRoom {
        capacity: ByteCount(capacity.saturating_mul(unit)),
        remaining: ByteCount(remaining.saturating_mul(unit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldm::scsi::log::page;

    // Two partition records as the LTFS reference implementation reads them: length 7, reserved, partition, 32 bits.
    const CAPACITY: [u8; 16] = [7, 0, 0, 0, 0, 0, 0x92, 0x7c, 7, 0, 0, 1, 0x00, 0xb7, 0x1b, 0x00];
    const REMAINING: [u8; 16] = [7, 0, 0, 0, 0, 0, 0x92, 0x7b, 7, 0, 0, 1, 0x00, 0x00, 0x00, 0x02];

    #[test]
    fn room_is_told_by_partition_in_millions_of_bytes() {
        let bytes = page(0x17, &[(1, &[0, 9]), (0x202, &CAPACITY), (0x204, &REMAINING)]);
        let found = volume_statistics(&bytes).unwrap();
        assert_eq!(found.mounts, Some(9));
        assert_eq!(found.rooms[&Partition(0)].capacity, ByteCount(37_500_000_000));
        assert_eq!(found.rooms[&Partition(0)].remaining, ByteCount(37_499_000_000));
        assert_eq!(found.rooms[&Partition(1)].capacity, ByteCount(12_000_000_000_000));
        assert_eq!(found.rooms[&Partition(1)].remaining, ByteCount(2_000_000));
    }

    #[test]
    fn room_that_is_not_known_is_not_told() {
        let mut unknown = REMAINING;
        unknown[12..].copy_from_slice(&[0xff, 0xff, 0xff, 0xfe]);
        let bytes = page(0x17, &[(0x202, &CAPACITY), (0x204, &unknown)]);
        let found = volume_statistics(&bytes).unwrap();
        assert_eq!(found.rooms.keys().collect::<Vec<_>>(), [&Partition(0)]);
        let cut = page(0x17, &[(0x202, &CAPACITY), (0x204, &REMAINING[..15])]);
        assert_eq!(volume_statistics(&cut).unwrap().rooms.len(), 1);
    }

    #[test]
    fn the_elder_page_counts_in_mebibytes() {
        let mb: [&[u8]; 4] = [&[0, 0, 0, 1], &[0, 0, 0, 2], &[0, 0, 0, 3], &[0, 0, 0, 4]];
        let bytes = page(0x31, &[(1, mb[0]), (2, mb[1]), (3, mb[2]), (4, mb[3])]);
        let found = tape_capacity(&bytes).unwrap();
        assert_eq!(found[&Partition(1)].remaining, ByteCount(2 << 20));
        assert_eq!(found[&Partition(1)].capacity, ByteCount(4 << 20));
    }
}
