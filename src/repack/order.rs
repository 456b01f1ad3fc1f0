//! In which order extents are read. On a disk: as they were written, groupings together; seeking costs little and the
//! target keeps what belongs together in one place. On a tape: as they lie, so that it is passed once; they were written
//! in that order, too.

use super::manifest::{Item, Manifest};
use dss::model::{ExtentId, Spot};

/// Puts a manifest into recommended access order.
pub fn arrange(manifest: &mut Manifest) {
    manifest.items.sort_unstable_by_key(reading_key);
}

/// Extent ids are ordered by the time of their making, so that they are in the order of writing where nothing says where
/// on a medium they lie.
fn reading_key(item: &Item) -> (u16, Option<Spot>, u32, ExtentId) {
    (item.source, item.spot, item.grouping, item.extent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{ByteCount, CopyNo, MediumId, ObjectId};

    fn item(source: u16, grouping: u32, block: Option<u64>) -> Item {
        Item {
            extent: ExtentId::fresh(),
            object: ObjectId::fresh(),
            copy: CopyNo(0),
            bytes: ByteCount(1),
            source,
            avoid: 0,
            grouping,
            deleted_only: false,
            spot: block.map(|block| Spot {
                partition: 1,
                block,
                byte: 0,
            }),
        }
    }

    /// E-09.
    #[test]
    fn e09_a_tape_is_read_as_it_lies_and_a_disk_by_groupings() {
        let items = vec![
            item(1, 0, Some(30)),
            item(0, 1, None),
            item(1, 1, Some(20)),
            item(0, 0, None),
            item(1, 0, Some(10)),
        ];
        let mut manifest = Manifest {
            sources: vec![MediumId::fresh(), MediumId::fresh()],
            items,
            ..Manifest::default()
        };
        arrange(&mut manifest);
        let order: Vec<_> = manifest
            .items
            .iter()
            .map(|item| (item.source, item.spot.map(|spot| spot.block), item.grouping))
            .collect();
        let tape = [(1, Some(10), 0), (1, Some(20), 1), (1, Some(30), 0)];
        assert_eq!(order, [&[(0, None, 0), (0, None, 1)][..], &tape].concat());
    }
}
