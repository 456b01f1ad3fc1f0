//! Objects looked up: by name, by id, by page, and by the extents that they need.

use super::tables::{Tables, not_found};
use crate::catalogue::{ObjectFilter, ObjectHeader, Result};
use crate::model::object::{LayoutEntry, Place};
use crate::model::{AdmState, CopyNo, Extent, ExtentId, ExtentState, MoveState, ObjectDetail, ObjectId, Oid, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

impl Tables {
    pub(super) fn object(&self, oid: &Oid, version: Option<Version>) -> Result<ObjectDetail> {
        let found = match version {
            None => self.live_version(oid),
            Some(version) => {
                let id = self.names.get(&(oid.clone(), version));
                id.filter(|id| !self.is_ended(**id)).and_then(|id| self.objects.get(id))
            }
        };
        found.map(|object| self.detail(object)).ok_or_else(|| match version {
            None => not_found("object", oid),
            Some(version) => not_found("version", format!("{oid}@{version}")),
        })
    }

    pub(super) fn object_by_id(&self, id: ObjectId) -> Result<ObjectDetail> {
        match self.objects.get(&id) {
            Some(object) if !self.is_ended(id) => Ok(self.detail(object)),
            _ => Err(not_found("object", id)),
        }
    }

    pub(super) fn objects_by_id(&self, ids: &[ObjectId]) -> BTreeMap<ObjectId, ObjectDetail> {
        let found = ids.iter().filter_map(|id| Some((*id, self.object_by_id(*id).ok()?)));
        found.collect()
    }

    pub(super) fn list_objects(
        &self,
        filter: &ObjectFilter,
        after: Option<(Oid, Version)>,
        limit: u32,
    ) -> Vec<ObjectDetail> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.names
            .range((after, Bound::Unbounded))
            .filter(|((oid, _), _)| {
                let prefix = filter.prefix.as_deref().unwrap_or("");
                oid.as_str().starts_with(prefix)
            })
            .filter_map(|(_, id)| self.objects.get(id))
            .filter(|object| object.deleted_at.is_none() || (filter.deleted && !self.is_ended(object.id)))
            .take(limit as usize)
            .map(|object| self.detail(object))
            .collect()
    }

    pub(super) fn fallbacks(&self, object: ObjectId, place: Place) -> Vec<Extent> {
        let Some(present) = self.layouts.get(&(object, place.copy, place.index)) else {
            return Vec::new();
        };
        let present = self.extents.get(present).expect("I1: a layout names a row");
        let of_place = |extent: &&Extent| {
            let origin = &extent.origin;
            (origin.object, origin.copy, origin.index)
                == (present.origin.object, present.origin.copy, present.origin.index)
        };
        let mut found: Vec<Extent> = self
            .extents_written_for(present.origin.object)
            .filter(of_place)
            .filter(|extent| extent.digests == present.digests && self.may_hold_bytes(extent))
            .cloned()
            .collect();
        found.sort_by_key(|extent| std::cmp::Reverse((extent.created_at, extent.id)));
        found
    }

    /// Whether an orphan was durable once and its medium was not erased or given up since.
    pub(super) fn still_holds_bytes(&self, extent: &Extent) -> bool {
        let was_swapped_away = self
            .moves_from(extent.id)
            .any(|entry| matches!(entry.state, MoveState::Swapped | MoveState::ReadBack));
        let was_good = was_swapped_away || extent.verified_at.is_some();
        extent.state == ExtentState::Orphan && self.is_where_it_was(extent) && was_good
    }

    /// Whether its medium was neither erased nor given up since.
    pub(super) fn is_where_it_was(&self, extent: &Extent) -> bool {
        self.media.get(&extent.medium).is_some_and(|medium| {
            medium.generation == extent.generation && !matches!(medium.adm_state, AdmState::Erasing | AdmState::Dead)
        })
    }

    pub(super) fn headers(&self, extents: &[ExtentId]) -> BTreeMap<ExtentId, ObjectHeader> {
        let mut headers = BTreeMap::new();
        for id in extents {
            let Some(extent) = self.extents.get(id) else { continue };
            let own = (extent.origin.object, extent.origin.copy);
            // The version it was written for may have ended while another one still uses it.
            let whose = std::iter::once(own).chain(self.seats_of(*id).map(|seat| (seat.0, seat.1)));
            let mut known = whose.filter(|(object, _)| !self.is_ended(*object));
            if let Some((object, copy)) = known.next() {
                headers.insert(*id, self.header(object, copy));
            }
        }
        headers
    }

    fn header(&self, object: ObjectId, copy: CopyNo) -> ObjectHeader {
        let row = self.objects.get(&object).expect("a seat names a row");
        let entries = self.seats(object).filter(|(seat, _)| seat.1 == copy).count();
        ObjectHeader {
            bytes: row.bytes,
            copies: row.copies,
            copy_extents: i32::try_from(entries).expect("an index is an i32"),
            grouping: row.grouping.clone(),
            metadata: row.metadata.clone(),
            created_at: row.created_at,
        }
    }

    pub(super) fn references(&self, extents: &[ExtentId]) -> Vec<(ObjectId, LayoutEntry)> {
        let ids: BTreeSet<_> = extents.iter().copied().collect();
        let mut found: Vec<(ObjectId, LayoutEntry)> = Vec::new();
        for id in ids {
            for (object, copy, index) in self.seats_of(id) {
                let extent = self.extents.get(&id).expect("I1: a layout names a row").clone();
                found.push((object, LayoutEntry { copy, index, extent }));
            }
        }
        found.sort_by_key(|(object, entry)| (*object, entry.copy, entry.index));
        found
    }
}
