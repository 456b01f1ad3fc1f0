//! In which order extents are read. On a disk: as they were written, groupings together; seeking costs little and the
//! target keeps what belongs together in one place.

use super::manifest::{Item, Manifest};
use dss::model::Family;

/// Puts a manifest into recommended access order.
pub fn arrange(manifest: &mut Manifest, family: Family) {
    match family {
        // Extent ids are ordered by the time of their making, so this is the order of writing.
        Family::Dir | Family::Tape => manifest.items.sort_unstable_by_key(reading_key),
    }
}

fn reading_key(item: &Item) -> (u16, u32, dss::model::ExtentId) {
    (item.source, item.grouping, item.extent)
}
