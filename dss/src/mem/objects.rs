//! Objects changed: from the commit of a put to the end of a deleted version.

use super::tables::{Tables, conflict, invariant, not_found};
use crate::catalogue::{CatalogueError, NewObject, Overwrite, Result};
use crate::model::{
    ByteCount, CopyNo, Digests, Extent, ExtentId, ExtentIndex, ExtentState, Hold, JobState, MediumId, Object, ObjectId,
    Oid, Owner, Recorded, Standing, Synced, Version, Versions,
};
use jiff::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

impl Tables {
    pub(super) fn commit_put(&mut self, objects: Vec<NewObject>, now: Timestamp) -> Vec<Result<Object>> {
        objects
            .into_iter()
            .map(|new| {
                let extents: Vec<(ExtentId, Owner)> = new
                    .places
                    .iter()
                    .map(|(_, synced)| (synced.extent().id, synced.owner()))
                    .collect();
                let answer = self.check_put(&new).map(|()| self.commit_one(new, now));
                if answer.is_err() {
                    for (id, owner) in extents {
                        self.abandon(owner, Some(&[id]));
                    }
                }
                answer
            })
            .collect()
    }

    /// Every reason to refuse an object, before anything is changed.
    fn check_put(&self, new: &NewObject) -> Result<()> {
        let object = &new.object;
        if self.objects.contains(&object.id) {
            return Err(CatalogueError::Exists {
                what: "object",
                name: object.id.to_string(),
            });
        }
        if new.overwrite == Overwrite::Refuse && self.live_version(&object.oid).is_some() {
            return Err(CatalogueError::Exists {
                what: "object",
                name: object.oid.to_string(),
            });
        }
        let filled = new
            .places
            .iter()
            .map(|(place, synced)| ((place.copy, place.index), synced.digests().bytes));
        if !is_complete(object, filled.collect()) {
            return Err(invariant("I5", format!("a copy of {} is not whole", object.oid)));
        }
        let mut seen = BTreeSet::new();
        for (place, synced) in &new.places {
            self.check_synced(synced)?;
            let extent = self.extent(synced.extent().id)?;
            let origin = &extent.origin;
            if (origin.object, origin.copy, origin.index) != (object.id, place.copy, place.index)
                || !seen.insert(extent.id)
            {
                return Err(invariant("I3", format!("{} was written for another place", extent.id)));
            }
            let next = self.next_version(&object.oid);
            if origin.version != next {
                let why = format!(
                    "it was written as version {}, and another put came first: the next one is {next}",
                    origin.version
                );
                return Err(conflict(&object.oid, why));
            }
        }
        Ok(())
    }

    pub(super) fn versions_now(&self, oid: &Oid) -> Versions {
        Versions {
            live: self.live_version(oid).map(|object| object.version),
            next: self.next_version(oid),
        }
    }

    pub(super) fn next_version(&self, oid: &Oid) -> Version {
        Version(self.versions(oid).next_back().map_or(0, |last| last.version.0) + 1)
    }

    /// Whether durable bytes are still ours to reference.
    pub(super) fn check_synced(&self, synced: &Synced) -> Result<()> {
        let extent = self.extent(synced.extent().id)?;
        self.check_epoch(extent.medium, Some(synced.epoch()))?;
        self.check_reference(extent)?;
        if extent.state != ExtentState::Pending || extent.owner != Some((synced.owner(), synced.epoch())) {
            return Err(conflict(extent.id, "it is not pending under this owner"));
        }
        Ok(())
    }

    fn commit_one(&mut self, new: NewObject, now: Timestamp) -> Object {
        let mut object = new.object;
        object.version = self.next_version(&object.oid);
        object.deleted_at = None;
        if let Some(older) = self.live_version(&object.oid).map(|older| older.id) {
            self.objects.get_mut(&older).expect("it was just read").deleted_at = Some(object.created_at);
        }
        self.insert_object(object.clone());
        for (place, synced) in &new.places {
            self.make_sync(synced);
            self.fill((object.id, place.copy, place.index), synced.extent().id);
        }
        let detail = json!({ "version": object.version, "bytes": object.bytes });
        self.log("object.put", &object.oid, detail, now);
        object
    }

    pub(super) fn make_sync(&mut self, synced: &Synced) {
        let extent = self.extent_mut(synced.extent().id);
        extent.state = ExtentState::Sync;
        extent.owner = None;
        extent.digests = Some(synced.digests().clone());
        extent.inode = synced.inode();
        extent.span = synced.span().cloned();
    }

    pub(super) fn abandon(&mut self, owner: Owner, only: Option<&[ExtentId]>) -> u64 {
        let is_theirs = |extent: &&Extent| {
            extent.state == ExtentState::Pending && extent.owner.is_some_and(|(theirs, _)| theirs == owner)
        };
        let ids: Vec<ExtentId> = match only {
            Some(ids) => {
                let named = ids.iter().collect::<BTreeSet<_>>();
                let rows = named.into_iter().filter_map(|id| self.extents.get(id));
                rows.filter(is_theirs).map(|extent| extent.id).collect()
            }
            None => self
                .extents
                .values()
                .filter(is_theirs)
                .map(|extent| extent.id)
                .collect(),
        };
        for id in &ids {
            self.orphan(*id, Hold::None);
        }
        ids.len() as u64
    }

    pub(super) fn withdraw(&mut self, recorded: &[Recorded]) -> u64 {
        let mut gone = 0;
        for one in recorded {
            let id = one.extent().id;
            let row = self.extents.get(&id);
            // Only what is pending has an owner.
            let Some((owner, _)) = row.and_then(|extent| extent.owner) else {
                continue;
            };
            if let Owner::Move(job) = owner {
                self.forget_move(job, id);
            }
            self.remove_extent(id);
            gone += 1;
        }
        gone
    }

    pub(super) fn delete_object(&mut self, oid: &Oid, now: Timestamp) -> Result<Object> {
        let id = self.live_version(oid).ok_or_else(|| not_found("object", oid))?.id;
        let object = self.objects.get_mut(&id).expect("it was just read");
        object.deleted_at = Some(now);
        let object = object.clone();
        self.log("object.deleted", oid, json!({ "version": object.version }), now);
        Ok(object)
    }

    pub(super) fn undelete_object(&mut self, oid: &Oid, now: Timestamp) -> Result<Object> {
        if self.live_version(oid).is_some() {
            return Err(conflict(oid, "it is not deleted"));
        }
        let newest = self.versions(oid).rev().find(|object| !self.is_ended(object.id));
        let id = newest.ok_or_else(|| not_found("object", oid))?.id;
        let object = self.objects.get_mut(&id).expect("it was just read");
        object.deleted_at = None;
        let object = object.clone();
        self.log("object.undeleted", oid, json!({ "version": object.version }), now);
        Ok(object)
    }

    pub(super) fn purge(&mut self, deleted_before: Timestamp, limit: u32, now: Timestamp) -> u64 {
        let suspended = self.media_without_purge();
        let is_due = |object: &&Object| {
            object.deleted_at.is_some_and(|at| at <= deleted_before)
                && !self.is_ended(object.id)
                && !self
                    .seats(object.id)
                    .any(|(_, extent)| suspended.contains(&self.extents.get(&extent).expect("I1").medium))
        };
        let due: Vec<ObjectId> = self
            .names
            .values()
            .filter_map(|id| self.objects.get(id))
            .filter(is_due)
            .take(limit as usize)
            .map(|object| object.id)
            .collect();
        for id in &due {
            let object = self.objects.get(id).expect("it was just read");
            let (oid, version) = (object.oid.clone(), object.version);
            self.end_deleted(*id, |_| true);
            self.log("object.purged", oid, json!({ "version": version }), now);
        }
        due.len() as u64
    }

    /// Empties the seats of some copies of a version, and orphans what nothing references any more.
    pub(super) fn end_copies(&mut self, object: ObjectId, which: impl Fn(CopyNo) -> bool) {
        let seats: Vec<_> = self.seats(object).filter(|(seat, _)| which(seat.1)).collect();
        for (seat, _) in &seats {
            self.empty_seat(seat);
        }
        self.orphan_unreferenced(seats.into_iter().map(|(_, extent)| extent).collect::<BTreeSet<_>>());
    }

    /// Ends copies of a deleted version for good: once it has none, it is a tombstone.
    pub(super) fn end_deleted(&mut self, object: ObjectId, which: impl Fn(CopyNo) -> bool) {
        let freed = self.seats(object).filter_map(|(_, extent)| self.extents.get(&extent));
        let mut origins: BTreeSet<ObjectId> = freed.map(|extent| extent.origin.object).collect();
        origins.insert(object);
        self.end_copies(object, which);
        origins.into_iter().for_each(|origin| self.end_holds(origin));
    }

    /// Nothing goes back to the old bytes of a tombstone any more: whatever they were held for, they are held no longer.
    /// Unless another object needs what was written for it: then they wait for the end of that one. A version that was
    /// forgotten has no row, and its bytes stay held: an import may bring it back. So do those on a medium that is not
    /// level.
    fn end_holds(&mut self, object: ObjectId) {
        if !self.objects.contains(&object) || !self.is_ended(object) {
            return;
        }
        let written: Vec<(ExtentId, MediumId, ExtentState)> = self
            .extents_written_for(object)
            .map(|extent| (extent.id, extent.medium, extent.state))
            .collect();
        if written.iter().any(|(id, ..)| self.seats_of(*id).next().is_some()) {
            return;
        }
        for (id, medium, state) in written {
            let level = self.medium(medium).is_ok_and(|row| row.standing == Standing::Level);
            if state == ExtentState::Orphan && level {
                self.extent_mut(id).hold = Hold::None;
            }
        }
    }

    /// Sources of an active job, and those whose newest job failed or left something behind.
    fn media_without_purge(&self) -> BTreeSet<MediumId> {
        let mut newest: BTreeMap<MediumId, JobState> = BTreeMap::new();
        let mut media = BTreeSet::new();
        for job in self.jobs.values() {
            for source in &job.spec.sources {
                newest.insert(*source, job.state);
                if job.state.is_active() {
                    media.insert(*source);
                }
            }
        }
        let unfinished = [JobState::Failed, JobState::DoneWithSkips];
        let failed = newest.into_iter().filter(|(_, state)| unfinished.contains(state));
        media.extend(failed.map(|(medium, _)| medium));
        media
    }
}

/// Whether these places are exactly the copies asked for, each without a gap and of the object's size.
pub(super) fn is_complete(object: &Object, filled: BTreeMap<(CopyNo, ExtentIndex), ByteCount>) -> bool {
    let mut copies: BTreeMap<CopyNo, (i32, ByteCount)> = BTreeMap::new();
    for ((copy, index), bytes) in filled {
        let (next, sum) = copies.entry(copy).or_default();
        if index.0 != *next {
            return false;
        }
        *next += 1;
        *sum += bytes;
    }
    let numbers = copies.keys().map(|copy| copy.0);
    numbers.eq(0..object.copies.0) && copies.values().all(|(_, sum)| *sum == object.bytes)
}

/// Whether these digests are the ones on record.
pub(super) fn same_bytes(extent: &Extent, digests: &Digests) -> bool {
    extent.digests.as_ref() == Some(digests)
}
