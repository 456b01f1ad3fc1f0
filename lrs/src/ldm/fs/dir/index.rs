//! What a mounted medium keeps in memory of its extents: where each one's line is in the manifest, and which names were
//! used. Tags and digests stay on the medium. About 170 bytes an extent, in two maps.

use dss::model::ExtentId;
use std::collections::HashMap;
use uuid::Uuid;

/// Where an extent's line is in the manifest, and how large the extent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) segment: u32,
    pub(super) length: u32,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// 128 bits of a name's BLAKE3: two names never share it, at a cost that does not grow with the name.
type NameKey = [u8; 16];

/// Who has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody, ever, in this generation.
    Free,
    /// Nobody now: it was deleted or isolated, or a stranger lies there.
    Spent,
    /// This extent.
    Extent(ExtentId),
}

/// The extents and names of one generation of one medium.
#[derive(Debug, Default)]
pub(super) struct Index {
    extents: HashMap<ExtentId, Slot>,
    names: HashMap<NameKey, ExtentId>,
    bytes: u64,
}

/// Stands for "spent" among the owners: no extent has this id.
const NOBODY: ExtentId = ExtentId(Uuid::nil());

fn key(name: &str) -> NameKey {
    *blake3::hash(name.as_bytes())
        .as_bytes()
        .first_chunk()
        .expect("a digest is longer than a key")
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
        match self.names.get(&key(name)) {
            None => Owner::Free,
            Some(&NOBODY) => Owner::Spent,
            Some(extent) => Owner::Extent(*extent),
        }
    }

    /// The name is this extent's, and nobody else's in this generation.
    pub(super) fn claim(&mut self, name: &str, extent: ExtentId) {
        self.names.insert(key(name), extent);
    }

    /// The name is nobody's and is not given out again.
    pub(super) fn spend(&mut self, name: &str) {
        self.names.insert(key(name), NOBODY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_free_once() {
        let mut index = Index::default();
        let extent = ExtentId::fresh();
        assert_eq!(index.owner("a"), Owner::Free);
        index.claim("a", extent);
        assert_eq!(index.owner("a"), Owner::Extent(extent));
        index.spend("a");
        assert_eq!(index.owner("a"), Owner::Spent);
    }

    #[test]
    fn an_extent_costs_less_than_200_bytes_of_memory() {
        // A hash map is at least 7/16 full after it grew and has one byte of control a place.
        let place = size_of::<(ExtentId, Slot)>() + size_of::<(NameKey, ExtentId)>() + 2;
        assert!(place * 16 / 7 < 200, "{place}");
    }
}
