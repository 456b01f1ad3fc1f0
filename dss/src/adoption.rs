//! Which of the extents found on a medium make up a copy. Pure; every catalogue's import asks it.

use crate::catalogue::{Found, Imported};
use crate::model::{Blake3, ByteCount, CopyNo, ExtentIndex, Oid};
use std::collections::{BTreeMap, BTreeSet};

/// So many names an import's report tells; the rest are counted.
const NAMED: usize = 20;

/// What the bytes of a place are known to digest to.
pub(crate) type Bytes = BTreeSet<(ByteCount, Blake3)>;

/// What extents of one copy come to.
#[derive(Debug)]
pub(crate) enum Choice<'a> {
    /// One verified extent for each place, in order.
    Whole(Vec<&'a Found>),
    /// Something is missing, unread or not of the copy's size.
    Part,
    /// Verified extents of one place have different bytes, which no write of ours makes: none is to be believed.
    Contradiction,
}

/// Chooses among the extents found of one copy of an object of this size and number of copies. A place may have several,
/// of attempts that were undone: the newest is taken. `known` are the bytes on record for these places.
pub(crate) fn choose<'a>(
    found: &[&'a Found],
    known: &BTreeMap<ExtentIndex, Bytes>,
    (bytes, copies): (ByteCount, CopyNo),
) -> Choice<'a> {
    let mut places: BTreeMap<ExtentIndex, &'a Found> = BTreeMap::new();
    let mut digests = known.clone();
    for one in found.iter().filter(|one| one.read.is_some()) {
        let index = one.origin.index;
        digests
            .entry(index)
            .or_default()
            .insert((one.digests.bytes, one.digests.blake3));
        let newest = places.entry(index).or_insert(one);
        if one.extent > newest.extent {
            *newest = one;
        }
    }
    if places.keys().any(|index| digests[index].len() > 1) {
        return Choice::Contradiction;
    }
    let count = i32::try_from(places.len()).unwrap_or(i32::MAX);
    let whole = count > 0
        && places.keys().map(|index| index.0).eq(0..count)
        && places.values().all(|one| one.header.copy_extents == count)
        && places.values().all(|one| (0..copies.0).contains(&one.origin.copy.0))
        && places.values().map(|one| one.digests.bytes).sum::<ByteCount>() == bytes;
    if whole {
        Choice::Whole(places.into_values().collect())
    } else {
        Choice::Part
    }
}

/// The newest extent of a copy, whose header is the one to go by.
pub(crate) fn newest<'a>(found: &[&'a Found]) -> Option<&'a Found> {
    let newest = found
        .iter()
        .filter(|one| one.read.is_some())
        .max_by_key(|one| one.extent);
    newest.copied()
}

/// The names that an import tells of.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Names that are another object's.
    pub clashes: BTreeSet<Oid>,
    /// Names with a contradiction.
    pub contradictions: BTreeSet<Oid>,
    /// Names of which something found serves nothing.
    pub unadopted: BTreeSet<Oid>,
}

impl Names {
    /// Puts them into the report.
    pub(crate) fn tell(self, imported: &mut Imported) {
        imported.clashes = self.clashes.into_iter().collect();
        imported.contradictions = self.contradictions.into_iter().collect();
        imported.unadopted = self.unadopted.len() as u64;
        imported.unadopted_names = self.unadopted.into_iter().take(NAMED).collect();
    }
}

impl Imported {
    /// Adds what another part of the same medium came to.
    pub fn add(&mut self, part: Self) {
        self.known += part.known;
        self.added += part.added;
        self.objects_adopted += part.objects_adopted;
        self.copies_adopted += part.copies_adopted;
        self.unknown += part.unknown;
        self.clashes.extend(part.clashes);
        self.contradictions.extend(part.contradictions);
        self.unadopted += part.unadopted;
        self.unadopted_names.extend(part.unadopted_names);
        self.unadopted_names.truncate(NAMED);
    }

    /// Whether all that was found serves, or is spare, or belongs to what was deleted.
    pub fn is_complete(&self) -> bool {
        self.unknown == 0 && self.unadopted == 0 && self.clashes.is_empty() && self.contradictions.is_empty()
    }
}
