//! What the catalogue in memory holds, and the few ways in which rows and their indexes change together.

use super::table::{Index, Table};
use crate::catalogue::{CatalogueError, Identity, Result};
use crate::model::event::NewEvent;
use crate::model::{
    Address, AdmState, CopyNo, Epoch, Event, Extent, ExtentId, ExtentIndex, ExtentState, FsState, Generation, Hold,
    HolderId, Job, JobId, KnownDrive, KnownHash, LayoutEntry, Library, Medium, MediumId, Move, MoveState, Object,
    ObjectDetail, ObjectId, Oid, Owner, Resource, Version,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A place in a layout of one object version.
pub(super) type Seat = (ObjectId, CopyNo, ExtentIndex);

/// A lease, given back ones included: their row keeps the epoch.
#[derive(Clone, Debug)]
pub(super) struct LeaseRow {
    pub(super) resource: Resource,
    pub(super) holder: HolderId,
    pub(super) seat: String,
    pub(super) epoch: Epoch,
    pub(super) expires_at: Timestamp,
    pub(super) held: bool,
}

/// Everything.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) identity: Identity,
    pub(super) clock: Option<Timestamp>,
    pub(super) media: Table<MediumId, Medium>,
    /// What the operator had said of media whose state is a job's now.
    pub(super) operator_states: BTreeMap<MediumId, AdmState>,
    /// Since when the health of media is what it is, where it ever changed.
    pub(super) health_since: BTreeMap<MediumId, Timestamp>,
    pub(super) libraries: Table<String, Library>,
    /// By library and bay.
    pub(super) drives: Table<(String, String), KnownDrive>,
    pub(super) leases: Table<String, LeaseRow>,
    /// A version without a layout was ended; its row stays as a tombstone.
    pub(super) objects: Table<ObjectId, Object>,
    pub(super) names: Table<(Oid, Version), ObjectId>,
    pub(super) layouts: Table<Seat, ExtentId>,
    pub(super) filled_by: Index<(ExtentId, Seat)>,
    pub(super) extents: Table<ExtentId, Extent>,
    /// What other software said of the bytes of extents of which nothing else is known.
    pub(super) hashes: Table<ExtentId, Vec<KnownHash>>,
    /// What no medium's index names.
    pub(super) unindexed: Index<ExtentId>,
    pub(super) on_medium: Index<(MediumId, ExtentId)>,
    pub(super) addresses: Table<(MediumId, Generation, Address), ExtentId>,
    pub(super) written_for: Index<(ObjectId, ExtentId)>,
    pub(super) jobs: Table<JobId, Job>,
    pub(super) moves: Table<(JobId, ExtentId), Move>,
    pub(super) moves_of: Index<(ExtentId, JobId, ExtentId)>,
    pub(super) events: Table<i64, Event>,
    pub(super) seals: Table<i64, [u8; 32]>,
}

pub(super) const LOW: Uuid = Uuid::nil();
pub(super) const HIGH: Uuid = Uuid::max();

pub(super) fn not_found(what: &'static str, name: impl ToString) -> CatalogueError {
    CatalogueError::NotFound {
        what,
        name: name.to_string(),
    }
}

pub(super) fn conflict(subject: impl ToString, why: impl ToString) -> CatalogueError {
    CatalogueError::Conflict {
        subject: subject.to_string(),
        why: why.to_string(),
    }
}

pub(super) fn invariant(invariant: &'static str, detail: impl ToString) -> CatalogueError {
    CatalogueError::Invariant {
        invariant,
        detail: detail.to_string(),
    }
}

impl Tables {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            identity,
            clock: None,
            media: Table::default(),
            operator_states: BTreeMap::new(),
            health_since: BTreeMap::new(),
            libraries: Table::default(),
            drives: Table::default(),
            leases: Table::default(),
            objects: Table::default(),
            names: Table::default(),
            layouts: Table::default(),
            filled_by: Index::default(),
            extents: Table::default(),
            hashes: Table::default(),
            unindexed: Index::default(),
            on_medium: Index::default(),
            addresses: Table::default(),
            written_for: Index::default(),
            jobs: Table::default(),
            moves: Table::default(),
            moves_of: Index::default(),
            events: Table::default(),
            seals: Table::default(),
        }
    }

    // --- looking things up
    pub(super) fn medium(&self, id: MediumId) -> Result<&Medium> {
        self.media.get(&id).ok_or_else(|| not_found("medium", id))
    }

    pub(super) fn medium_mut(&mut self, id: MediumId) -> Result<&mut Medium> {
        self.media.get_mut(&id).ok_or_else(|| not_found("medium", id))
    }

    pub(super) fn extent(&self, id: ExtentId) -> Result<&Extent> {
        self.extents.get(&id).ok_or_else(|| not_found("extent", id))
    }

    pub(super) fn job(&self, id: JobId) -> Result<&Job> {
        self.jobs.get(&id).ok_or_else(|| not_found("job", id))
    }

    pub(super) fn extents_on(&self, medium: MediumId) -> impl Iterator<Item = &Extent> {
        self.on_medium
            .range((medium, ExtentId(LOW))..=(medium, ExtentId(HIGH)))
            .filter_map(|(_, id)| self.extents.get(id))
    }

    pub(super) fn extents_written_for(&self, object: ObjectId) -> impl Iterator<Item = &Extent> {
        self.written_for
            .range((object, ExtentId(LOW))..=(object, ExtentId(HIGH)))
            .filter_map(|(_, id)| self.extents.get(id))
    }

    /// The seats that an extent fills.
    pub(super) fn seats_of(&self, extent: ExtentId) -> impl Iterator<Item = Seat> + '_ {
        let low = (ObjectId(LOW), CopyNo(i16::MIN), ExtentIndex(i32::MIN));
        let high = (ObjectId(HIGH), CopyNo(i16::MAX), ExtentIndex(i32::MAX));
        self.filled_by
            .range((extent, low)..=(extent, high))
            .map(|(_, seat)| *seat)
    }

    /// The seats of an object version, by copy and index.
    pub(super) fn seats(&self, object: ObjectId) -> impl Iterator<Item = (Seat, ExtentId)> + '_ {
        let low = (object, CopyNo(i16::MIN), ExtentIndex(i32::MIN));
        let high = (object, CopyNo(i16::MAX), ExtentIndex(i32::MAX));
        self.layouts.range(low..=high).map(|(seat, extent)| (*seat, *extent))
    }

    /// The moves that take layouts away from an extent.
    pub(super) fn moves_from(&self, old: ExtentId) -> impl Iterator<Item = &Move> {
        let low = (old, JobId(i64::MIN), ExtentId(LOW));
        let high = (old, JobId(i64::MAX), ExtentId(HIGH));
        self.moves_of
            .range(low..=high)
            .filter_map(|(_, job, new)| self.moves.get(&(*job, *new)))
    }

    pub(super) fn detail(&self, object: &Object) -> ObjectDetail {
        ObjectDetail {
            object: object.clone(),
            entries: self
                .seats(object.id)
                .map(|(seat, extent)| LayoutEntry {
                    copy: seat.1,
                    index: seat.2,
                    extent: self.extents.get(&extent).expect("I1: a layout names a row").clone(),
                })
                .collect(),
        }
    }

    /// Every version of a name, tombstones included, by version.
    pub(super) fn versions<'a>(&'a self, oid: &Oid) -> impl DoubleEndedIterator<Item = &'a Object> + use<'a> {
        let range = (oid.clone(), Version(i32::MIN))..=(oid.clone(), Version(i32::MAX));
        self.names.range(range).filter_map(|(_, id)| self.objects.get(id))
    }

    /// Whether a version was ended: nothing of it is referenced any more.
    pub(super) fn is_ended(&self, object: ObjectId) -> bool {
        self.seats(object).next().is_none()
    }

    pub(super) fn live_version(&self, oid: &Oid) -> Option<&Object> {
        self.versions(oid).find(|object| object.deleted_at.is_none())
    }

    /// Whether this epoch of a medium's lease may still act.
    pub(super) fn epoch_lives(&self, medium: MediumId, epoch: Epoch) -> bool {
        self.leases
            .get(&Resource::Medium(medium).key())
            .is_some_and(|lease| lease.held && lease.epoch == epoch)
    }

    pub(super) fn check_epoch(&self, medium: MediumId, epoch: Option<Epoch>) -> Result<()> {
        match epoch {
            Some(epoch) if self.epoch_lives(medium, epoch) => Ok(()),
            _ => Err(CatalogueError::LeaseLost {
                resource: Resource::Medium(medium).key(),
            }),
        }
    }

    /// The active job that has this medium as a source.
    pub(super) fn active_job_of(&self, medium: MediumId) -> Option<&Job> {
        self.jobs
            .values()
            .find(|job| job.state.is_active() && job.spec.sources.contains(&medium))
    }

    /// The media that hold, pending or sync, another copy of this version than the one named (I10).
    pub(super) fn media_of_other_copies(&self, object: ObjectId, copy: CopyNo) -> BTreeSet<MediumId> {
        let mut media = BTreeSet::new();
        let counts = |extent: &&Extent| extent.state != ExtentState::Orphan;
        let by_origin = self
            .extents_written_for(object)
            .filter(|extent| extent.origin.copy != copy);
        media.extend(by_origin.filter(counts).map(|extent| extent.medium));
        for ((_, other, _), extent) in self.seats(object).filter(|(seat, _)| seat.1 != copy) {
            debug_assert_ne!(other, copy);
            media.extend(self.extents.get(&extent).map(|extent| extent.medium));
            let coming = self.moves_from(extent).filter_map(|entry| self.extents.get(&entry.new));
            media.extend(coming.filter(counts).map(|extent| extent.medium));
        }
        media
    }

    /// The copies that an extent is, or is to become, a part of.
    pub(super) fn copies_of(&self, extent: &Extent) -> BTreeSet<(ObjectId, CopyNo)> {
        let mut copies = BTreeSet::from([(extent.origin.object, extent.origin.copy)]);
        copies.extend(self.seats_of(extent.id).map(|seat| (seat.0, seat.1)));
        copies
    }

    // --- changing rows together with their indexes
    pub(super) fn insert_extent(&mut self, extent: Extent) {
        self.on_medium.insert((extent.medium, extent.id));
        self.written_for.insert((extent.origin.object, extent.id));
        let place = (extent.medium, extent.generation, extent.address.clone());
        self.addresses.insert(place, extent.id);
        if let Some(medium) = self.media.get_mut(&extent.medium)
            && matches!(medium.fs_state, FsState::Blank | FsState::Empty)
        {
            medium.fs_state = FsState::Used;
        }
        self.extents.insert(extent.id, extent);
    }

    pub(super) fn remove_extent(&mut self, id: ExtentId) {
        let Some(extent) = self.extents.get(&id).cloned() else {
            return;
        };
        self.on_medium.remove(&(extent.medium, id));
        self.written_for.remove(&(extent.origin.object, id));
        self.addresses
            .remove(&(extent.medium, extent.generation, extent.address));
        self.unindexed.remove(&id);
        self.hashes.remove(&id);
        self.extents.remove(&id);
    }

    pub(super) fn extent_mut(&mut self, id: ExtentId) -> &mut Extent {
        self.extents.get_mut(&id).expect("the row was read in this transaction")
    }

    pub(super) fn orphan(&mut self, id: ExtentId, hold: Hold) {
        let extent = self.extent_mut(id);
        let owner = extent.owner.take();
        extent.state = ExtentState::Orphan;
        extent.hold = hold;
        if let Some((Owner::Move(job), _)) = owner
            && let Some(entry) = self.moves.get_mut(&(job, id))
        {
            entry.state = MoveState::Dropped;
        }
    }

    pub(super) fn orphan_unreferenced(&mut self, extents: impl IntoIterator<Item = ExtentId>) {
        for id in extents {
            if self.seats_of(id).next().is_none() {
                self.orphan(id, Hold::None);
            }
        }
    }

    pub(super) fn fill(&mut self, seat: Seat, extent: ExtentId) {
        self.empty_seat(&seat);
        self.layouts.insert(seat, extent);
        self.filled_by.insert((extent, seat));
        let medium = self.extents.get(&extent).map(|extent| extent.medium);
        let grouping = self.objects.get(&seat.0).and_then(|object| object.grouping.clone());
        if let (Some(medium), Some(grouping)) = (medium, grouping)
            && let Some(medium) = self.media.get_mut(&medium)
        {
            medium.groupings.insert(grouping);
        }
    }

    pub(super) fn empty_seat(&mut self, seat: &Seat) {
        if let Some(extent) = self.layouts.get(seat).copied() {
            self.filled_by.remove(&(extent, *seat));
            self.layouts.remove(seat);
        }
    }

    pub(super) fn insert_object(&mut self, object: Object) {
        self.names.insert((object.oid.clone(), object.version), object.id);
        self.objects.insert(object.id, object);
    }

    /// A move that was never begun.
    pub(super) fn forget_move(&mut self, job: JobId, new: ExtentId) {
        if let Some(entry) = self.moves.get(&(job, new)) {
            let key = (entry.old, job, new);
            self.moves_of.remove(&key);
            self.moves.remove(&(job, new));
        }
        if let Some(job) = self.jobs.get_mut(&job) {
            job.substitutions.retain(|one| one.new != new);
        }
    }

    pub(super) fn insert_move(&mut self, entry: Move) {
        self.moves_of.insert((entry.old, entry.job, entry.new));
        self.moves.insert((entry.job, entry.new), entry);
    }

    pub(super) fn log(&mut self, kind: &str, subject: impl ToString, detail: serde_json::Value, now: Timestamp) {
        let seq = self.events.last_key().map_or(1, |last| last + 1);
        self.events.insert(
            seq,
            Event {
                seq,
                at: now,
                kind: kind.to_owned(),
                subject: subject.to_string(),
                detail,
            },
        );
    }

    pub(super) fn note(&mut self, event: NewEvent, now: Timestamp) {
        self.log(event.kind, event.subject, event.detail, now);
    }
}
