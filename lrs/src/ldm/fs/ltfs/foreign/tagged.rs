//! Files of a volume that respool wrote, read as the plain volume that it is to others: their tags say which extents they
//! are. Files of other software have none. Pure.

use super::place;
use crate::ldm::fs::ltfs::index::File;
use crate::ldm::fs::ltfs::volume::Labels;
use crate::ldm::fs::{IndexEntry, line};
use serde::Deserialize;

/// Keys of respool's attributes (see `medium/FORMAT.md`).
pub(super) const LABEL: &str = "respool.label";
const EXTENT: &str = "respool.extent";

/// The line of an extent's file.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Extent(Box<IndexEntry>),
}

/// The entry that a file's tag says, where it agrees with the file.
pub(super) fn entry(path: &str, file: &File, labels: &Labels) -> Option<IndexEntry> {
    let tag = file.meta.xattrs.iter().find(|xattr| xattr.key == EXTENT)?;
    let Line::Extent(entry) = line::read(tag.value.bytes())?;
    let agrees = entry.address.0 == path
        && entry.tag.bytes.0 == file.length
        && place::span(&file.extents, labels) == Some(entry.span.clone().unwrap_or_default())
        && file.symlink.is_none();
    agrees.then_some(*entry)
}
