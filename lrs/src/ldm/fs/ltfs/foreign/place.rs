//! Where a file's bytes lie, as the catalogue says it. Pure.

use crate::ldm::fs::ltfs::index::Extent;
use crate::ldm::fs::ltfs::volume::Labels;
use dss::model::{Span, Stretch};

/// The places of a file's extents, in the order of the file; None: they name a partition that the volume has not, or
/// blocks that no tape has. Holes are no part of it: the index alone says where in the file a stretch belongs.
pub(super) fn span(extents: &[Extent], labels: &Labels) -> Option<Span> {
    let stretch = |one: &Extent| {
        Some(Stretch {
            partition: labels.number(one.partition)?.0,
            start_block: one.block,
            byte_offset: one.byte_offset,
            blocks: one.end_block(labels.label.block_size)?.checked_sub(one.block)?,
            bytes: one.bytes,
        })
    };
    extents.iter().map(stretch).collect::<Option<_>>().map(Span)
}

/// Whether some bytes of a file are in no extent.
pub(super) fn has_holes(length: u64, extents: &[Extent]) -> bool {
    let covered = extents
        .iter()
        .fold(0_u64, |sum, extent| sum.saturating_add(extent.bytes));
    covered < length
}
