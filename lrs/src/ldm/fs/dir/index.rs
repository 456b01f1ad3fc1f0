//! What a mounted medium keeps in memory of its extents: where each one's line is in the manifest, and which names were
//! used. Tags and digests stay on the medium. About 170 bytes an extent, in two maps.

use crate::ldm::fs::name::{Names, Owner};
use dss::model::ExtentId;
use std::collections::HashMap;

/// Where an extent's line is in the manifest, and how large the extent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) segment: u32,
    pub(super) length: u32,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// The extents and names of one generation of one medium.
#[derive(Debug, Default)]
pub(super) struct Index {
    extents: HashMap<ExtentId, Slot>,
    names: Names,
    bytes: u64,
}

impl Index {
    /// The index names this extent from now on.
    pub(super) fn add(&mut self, extent: ExtentId, slot: Slot) {
        self.bytes += slot.bytes;
        let before = self.extents.insert(extent, slot);
        assert!(before.is_none(), "extent {extent} is in the index once");
    }

    /// The index names this extent no longer.
    pub(super) fn remove(&mut self, extent: ExtentId) {
        if let Some(slot) = self.extents.remove(&extent) {
            self.bytes -= slot.bytes;
        }
    }

    pub(super) fn get(&self, extent: ExtentId) -> Option<Slot> {
        self.extents.get(&extent).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.extents.len()
    }

    /// The bytes of all extents it names.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn owner(&self, name: &str) -> Owner {
        self.names.owner(name)
    }

    /// The name is this extent's, and nobody else's in this generation.
    pub(super) fn claim(&mut self, name: &str, extent: ExtentId) {
        self.names.claim(name, extent);
    }

    /// The name is nobody's, and nothing ever lay under it.
    pub(super) fn free(&mut self, name: &str) {
        self.names.forget(name);
    }

    /// The name is nobody's and is not given out again.
    pub(super) fn spend(&mut self, name: &str) {
        self.names.spend(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldm::fs::name::NameKey;

    #[test]
    fn an_extent_costs_less_than_200_bytes_of_memory() {
        // A hash map is at least 7/16 full after it grew and has one byte of control a place.
        let place = size_of::<(ExtentId, Slot)>() + size_of::<(NameKey, ExtentId)>() + 2;
        assert!(place * 16 / 7 < 200, "{place}");
    }
}
