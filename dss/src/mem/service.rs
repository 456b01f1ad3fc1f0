//! The trait, word by word: which change each method makes, and between which steps.

use super::MemCatalogue;
use super::tables::Tables;
use crate::catalogue::*;
use crate::model::event::NewEvent;
use crate::model::loss::Loss;
use crate::model::medium::Usage;
use crate::model::object::{LayoutEntry, ObjectDetail, Place};
use crate::model::{
    Address, ByteCount, Compared, Digested, DriveSeen, Epoch, Event, Extent, ExtentId, Generation, Hold, Holder,
    Holding, Job, JobControl, JobError, JobId, JobKind, JobSpec, JobState, KnownDrive, KnownHash, Lease, Library,
    Medium, MediumId, Move, MoveState, NewExtent, Object, ObjectId, Oid, Owner, ReadBack, Recorded, Resource, Revision,
    Seen, SessionId, Skip, Stamp, Standing, Step, Substitution, Tally, Version, Versions,
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

#[async_trait]
impl Catalogue for MemCatalogue {
    async fn identity(&self) -> Result<Identity> {
        Ok(self.read(|tables| tables.identity.clone()))
    }
    async fn observe_clock(&self, now: Timestamp) -> Result<ClockVerdict> {
        let bad = |verdict: &ClockVerdict| *verdict != ClockVerdict::Good;
        self.change_unless(&[], &[], bad, |tables| Ok(tables.observe_clock(now)))
    }
    async fn accept_clock(&self, now: Timestamp) -> Result<()> {
        self.change(|tables| {
            tables.accept_clock(now);
            Ok(())
        })
    }
    async fn findings(&self, now: Timestamp) -> Result<Vec<Finding>> {
        let mut found = self.read(|tables| [tables.violations(), tables.oddities(now), tables.lost_objects()].concat());
        found.sort_by(|a, b| (b.severity, &a.invariant, &a.subject).cmp(&(a.severity, &b.invariant, &b.subject)));
        Ok(found)
    }
    async fn seal_events(&self, limit: u32) -> Result<u64> {
        self.change_unless(&[], &[], |sealed| *sealed == 0, |tables| Ok(tables.seal_events(limit)))
    }
    async fn events(&self, page: Page<i64>) -> Result<Vec<Event>> {
        Ok(self.read(|tables| tables.events_page(page)))
    }
    async fn note(&self, event: NewEvent, now: Timestamp) -> Result<()> {
        self.change(|tables| {
            tables.note(event, now);
            Ok(())
        })
    }

    async fn stamp(&self) -> Result<Stamp> {
        self.change(|tables| Ok(tables.stamp()))
    }
    async fn compare_medium(&self, medium: MediumId, seen: Seen, now: Timestamp) -> Result<Compared> {
        let level = |compared: &Compared| *compared == Compared::Level;
        self.change_unless(&[], &[], level, |tables| tables.compare_medium(medium, seen, now))
    }
    async fn set_standing(
        &self,
        medium: MediumId,
        step: (Standing, Standing),
        why: &str,
        now: Timestamp,
    ) -> Result<Medium> {
        self.change(|tables| tables.set_standing(medium, step, why, now))
    }
    async fn raise_revision(&self, above: Revision) -> Result<()> {
        self.change(|tables| {
            tables.raise_revision(above);
            Ok(())
        })
    }
    async fn repoint_found(&self, pairs: &[(ExtentId, ReadBack)], now: Timestamp) -> Result<Vec<bool>> {
        self.change(|tables| tables.repoint_found(pairs, now))
    }
    async fn take_generation(&self, medium: MediumId, generation: Generation, now: Timestamp) -> Result<Medium> {
        self.change(|tables| tables.take_generation(medium, generation, now))
    }
    async fn stand_ins(&self, gone: &[ExtentId]) -> Result<Vec<(ExtentId, Extent)>> {
        Ok(self.read(|tables| tables.stand_ins(gone)))
    }
    async fn give_up(&self, medium: MediumId, why: &str, now: Timestamp) -> Result<Medium> {
        self.change(|tables| tables.give_up(medium, why, now))
    }
    async fn forget_gone(&self, medium: MediumId, extents: &[ExtentId], now: Timestamp) -> Result<Gone> {
        self.change(|tables| tables.forget_gone(medium, extents, now))
    }

    async fn add_medium(&self, medium: NewMedium, now: Timestamp) -> Result<Medium> {
        self.change(|tables| tables.add_medium(medium, now))
    }
    async fn forget_medium(&self, id: MediumId) -> Result<()> {
        self.change(|tables| tables.forget_medium(id))
    }
    async fn media(&self) -> Result<Vec<Medium>> {
        Ok(self.read(|tables| tables.media_by_name()))
    }
    async fn medium(&self, name: &str) -> Result<Medium> {
        self.read(|tables| tables.medium_named(name))
    }
    async fn medium_by_id(&self, id: MediumId) -> Result<Medium> {
        self.read(|tables| tables.medium(id).cloned())
    }
    async fn usage(&self, id: MediumId, now: Timestamp) -> Result<Usage> {
        self.read(|tables| tables.usage(id, now))
    }
    async fn used(&self) -> Result<BTreeMap<MediumId, ByteCount>> {
        Ok(self.read(Tables::used))
    }
    async fn holdings(&self, now: Timestamp) -> Result<Vec<Holding>> {
        Ok(self.read(|tables| tables.holdings(now)))
    }
    async fn stranded(&self, targets: &BTreeSet<MediumId>) -> Result<BTreeMap<MediumId, ByteCount>> {
        Ok(self.read(|tables| tables.stranded(targets)))
    }
    async fn what_if_lost(&self, media: &BTreeSet<MediumId>, limit: u32) -> Result<Loss> {
        Ok(self.read(|tables| tables.what_if_lost(media, limit)))
    }
    async fn change_medium(&self, id: MediumId, change: MediumChange, now: Timestamp) -> Result<Medium> {
        self.change(|tables| tables.change_medium(id, change, now))
    }

    async fn medium_at(&self, library: &str, barcode: &str) -> Result<Option<Medium>> {
        Ok(self.read(|tables| tables.medium_at(library, barcode).cloned()))
    }
    async fn durable_end(&self, medium: MediumId) -> Result<u64> {
        self.read(|tables| tables.durable_end(medium))
    }

    async fn add_library(&self, library: NewLibrary, now: Timestamp) -> Result<Library> {
        self.change(|tables| tables.add_library(library, now))
    }
    async fn libraries(&self) -> Result<Vec<Library>> {
        Ok(self.read(|tables| tables.libraries.values().cloned().collect()))
    }
    async fn library(&self, name: &str) -> Result<Library> {
        self.read(|tables| tables.library(name).cloned())
    }
    async fn forget_library(&self, name: &str, now: Timestamp) -> Result<()> {
        self.change(|tables| tables.forget_library(name, now))
    }
    async fn note_drives(&self, library: &str, drives: &[DriveSeen]) -> Result<()> {
        let noted = |tables: &mut Tables| tables.note_drives(library, drives);
        self.change_unless(&[], &[], |changed| !changed, noted).map(|_| ())
    }
    async fn lock_drive(&self, library: &str, bay: &str, why: Option<String>, now: Timestamp) -> Result<KnownDrive> {
        let locked = |tables: &mut Tables| tables.lock_drive(library, bay, why, now);
        let (drive, _) = self.change_unless(&[], &[], |(_, changed)| !changed, locked)?;
        Ok(drive)
    }
    async fn drives(&self, library: &str) -> Result<Vec<KnownDrive>> {
        self.read(|tables| tables.drives_of(library))
    }

    async fn take_lease(
        &self,
        resource: &Resource,
        holder: &Holder,
        seconds: u32,
        margin_seconds: u32,
        now: Timestamp,
    ) -> Result<Lease> {
        self.change(|tables| tables.take_lease(resource, holder, seconds, margin_seconds, now))
    }
    async fn renew_leases(&self, holder: &Holder, seconds: u32, now: Timestamp) -> Result<Vec<Lease>> {
        self.change(|tables| Ok(tables.renew_leases(holder, seconds, now)))
    }
    async fn release_lease(&self, lease: &Lease) -> Result<()> {
        self.change(|tables| {
            tables.release_lease(lease);
            Ok(())
        })
    }

    async fn record_put(
        &self,
        session: SessionId,
        extents: Vec<NewExtent>,
        epochs: &BTreeMap<MediumId, Epoch>,
        now: Timestamp,
    ) -> Result<Vec<Recorded>> {
        let draft = self.change(|tables| tables.record_put(session, extents, epochs, now))?;
        Ok(draft.committed())
    }
    async fn commit_put(&self, objects: Vec<NewObject>, now: Timestamp) -> Result<Vec<Result<Object>>> {
        self.change(|tables| Ok(tables.commit_put(objects, now)))
    }
    async fn versions(&self, oids: &[Oid]) -> Result<Vec<Versions>> {
        Ok(self.read(|tables| oids.iter().map(|oid| tables.versions_now(oid)).collect()))
    }
    async fn withdraw(&self, recorded: Vec<Recorded>) -> Result<u64> {
        self.change(|tables| Ok(tables.withdraw(&recorded)))
    }
    async fn taken(
        &self,
        medium: MediumId,
        generation: Generation,
        addresses: &[Address],
    ) -> Result<BTreeSet<Address>> {
        Ok(self.read(|tables| tables.taken(medium, generation, addresses)))
    }
    async fn abandon(&self, owner: Owner, only: Option<&[ExtentId]>, _now: Timestamp) -> Result<u64> {
        self.change(|tables| Ok(tables.abandon(owner, only)))
    }
    async fn object(&self, oid: &Oid, version: Option<Version>) -> Result<ObjectDetail> {
        self.read(|tables| tables.object(oid, version))
    }
    async fn object_by_id(&self, id: ObjectId) -> Result<ObjectDetail> {
        self.read(|tables| tables.object_by_id(id))
    }
    async fn objects_by_id(&self, ids: &[ObjectId]) -> Result<BTreeMap<ObjectId, ObjectDetail>> {
        Ok(self.read(|tables| tables.objects_by_id(ids)))
    }
    async fn list_objects(
        &self,
        filter: &ObjectFilter,
        after: Option<(Oid, Version)>,
        limit: u32,
    ) -> Result<Vec<ObjectDetail>> {
        Ok(self.read(|tables| tables.list_objects(filter, after, limit)))
    }
    async fn delete_object(&self, oid: &Oid, now: Timestamp) -> Result<Object> {
        let before = [Step::DeleteBeforeCommit];
        self.change_unless(&before, &[], |_| false, |tables| tables.delete_object(oid, now))
    }
    async fn undelete_object(&self, oid: &Oid, now: Timestamp) -> Result<Object> {
        self.change(|tables| tables.undelete_object(oid, now))
    }
    async fn purge(&self, deleted_before: Timestamp, limit: u32, now: Timestamp) -> Result<u64> {
        self.change(|tables| {
            tables.refuse_in_doubt()?;
            Ok(tables.purge(deleted_before, limit, now))
        })
    }
    async fn doubtful(&self, medium: MediumId) -> Result<Vec<Extent>> {
        Ok(self.read(|tables| tables.doubtful(medium)))
    }

    async fn fallbacks(&self, object: ObjectId, entry: Place) -> Result<Vec<Extent>> {
        Ok(self.read(|tables| tables.fallbacks(object, entry)))
    }
    async fn release_copy(&self, extent: ExtentId, sure: Sure, now: Timestamp) -> Result<Released> {
        self.change_unless(
            &[],
            &[],
            |_| sure == Sure::No,
            |tables| tables.release_copy(extent, now),
        )
    }
    async fn headers(&self, extents: &[ExtentId]) -> Result<BTreeMap<ExtentId, ObjectHeader>> {
        Ok(self.read(|tables| tables.headers(extents)))
    }
    async fn references(&self, extents: &[ExtentId]) -> Result<Vec<(ObjectId, LayoutEntry)>> {
        Ok(self.read(|tables| tables.references(extents)))
    }

    async fn extent(&self, id: ExtentId) -> Result<Extent> {
        self.read(|tables| tables.extent(id).cloned())
    }
    async fn extents_by_id(&self, ids: &[ExtentId]) -> Result<BTreeMap<ExtentId, Extent>> {
        Ok(self.read(|tables| tables.extents_by_id(ids)))
    }

    async fn unindexed(&self, ids: &[ExtentId]) -> Result<BTreeSet<ExtentId>> {
        Ok(self.read(|tables| tables.unindexed_of(ids)))
    }

    async fn extents(&self, filter: &ExtentFilter, page: Page<ExtentId>) -> Result<Vec<Extent>> {
        Ok(self.read(|tables| tables.extents_page(filter, page)))
    }
    async fn manifest(&self, source: MediumId, page: Page<ExtentId>) -> Result<Vec<ManifestRow>> {
        self.read(|tables| tables.manifest(source, page))
    }
    async fn sweep_pending(
        &self,
        medium: Option<MediumId>,
        now: Timestamp,
    ) -> Result<BTreeMap<Owner, (u64, ByteCount)>> {
        self.change(|tables| Ok(tables.sweep_pending(medium, now)))
    }
    async fn removable(&self, medium: MediumId, page: Page<ExtentId>, now: Timestamp) -> Result<Vec<Extent>> {
        self.read(|tables| {
            tables.refuse_in_doubt()?;
            tables.removable(medium, page, now)
        })
    }
    async fn forget_orphans(&self, medium: MediumId, generation: Generation, extents: &[ExtentId]) -> Result<u64> {
        self.change(|tables| tables.forget_orphans(medium, generation, extents))
    }
    async fn mark_indexed(&self, medium: MediumId, revision: Revision, extents: &[ExtentId]) -> Result<u64> {
        self.change(|tables| tables.mark_indexed(medium, revision, extents))
    }
    async fn suspect(&self, medium: MediumId, why: &str, now: Timestamp) -> Result<()> {
        self.change(|tables| tables.suspect(medium, why, now))
    }

    async fn create_job(&self, kind: JobKind, spec: JobSpec, now: Timestamp) -> Result<Job> {
        let (before, after) = (Step::RequestBeforeCommit, Step::RequestAfterCommit);
        self.stepped(before, after, |tables| tables.create_job(kind, spec, now))
    }
    async fn job(&self, id: JobId) -> Result<Job> {
        self.read(|tables| tables.job(id).map(|job| tables.told(job)))
    }
    async fn jobs(&self, limit: u32) -> Result<Vec<Job>> {
        Ok(self.read(|tables| tables.jobs_newest(limit)))
    }
    async fn active_jobs(&self) -> Result<Vec<Job>> {
        Ok(self.read(|tables| tables.jobs_active()))
    }
    async fn jobs_of_sources(&self, media: &[MediumId], states: &[JobState]) -> Result<Vec<Job>> {
        Ok(self.read(|tables| tables.jobs_of_sources(media, states)))
    }
    async fn advance_job(
        &self,
        id: JobId,
        expected: &[JobState],
        to: JobState,
        tally: &Tally,
        error: Option<&JobError>,
        now: Timestamp,
    ) -> Result<Job> {
        self.change(|tables| tables.advance_job(id, expected, to, tally, error, now))
    }
    async fn control_job(&self, id: JobId, control: JobControl, now: Timestamp) -> Result<Job> {
        self.change(|tables| tables.control_job(id, control, now))
    }
    async fn add_skips(&self, id: JobId, skips: &[Skip], _now: Timestamp) -> Result<()> {
        self.change(|tables| tables.add_skips(id, skips))
    }
    async fn clear_skips(&self, id: JobId) -> Result<()> {
        self.change(|tables| tables.clear_skips(id))
    }
    async fn record_moves(
        &self,
        job: JobId,
        moves: Vec<MoveIntent>,
        epochs: &BTreeMap<MediumId, Epoch>,
        now: Timestamp,
    ) -> Result<Vec<Recorded>> {
        let (before, after) = (Step::RecordBeforeCommit, Step::RecordAfterCommit);
        let draft = self.stepped(before, after, |tables| tables.record_moves(job, moves, epochs, now))?;
        Ok(draft.committed())
    }
    async fn note_substitutions(&self, job: JobId, substitutions: &[Substitution]) -> Result<()> {
        self.change(|tables| tables.note_substitutions(job, substitutions))
    }
    async fn swap_batch(&self, terms: SwapTerms, entries: &[SwapEntry]) -> Result<Vec<SwapOutcome>> {
        let (before, after) = (Step::SwapBeforeCommit, Step::SwapAfterCommit);
        self.stepped(before, after, |tables| tables.swap_batch(terms, entries))
    }
    async fn moves(&self, job: JobId, states: &[MoveState], page: Page<ExtentId>) -> Result<Vec<Move>> {
        self.read(|tables| tables.moves_page(job, states, page))
    }
    async fn mark_read_back(&self, job: JobId, medium: &Medium, extents: &[ReadBack], now: Timestamp) -> Result<bool> {
        self.change(|tables| tables.mark_read_back(job, medium, extents, now))
    }
    async fn return_batch(
        &self,
        job: JobId,
        entries: &[(Move, ReadBack)],
        now: Timestamp,
    ) -> Result<Vec<ReturnOutcome>> {
        let (before, after) = (Step::RestoreBeforeCommit, Step::RestoreAfterCommit);
        self.stepped(before, after, |tables| tables.return_batch(job, entries, now))
    }
    async fn quarantine(&self, job: JobId, medium: MediumId, hold: Hold, now: Timestamp) -> Result<()> {
        let (before, after) = (Step::QuarantineBeforeCommit, Step::QuarantineAfterCommit);
        self.stepped(before, after, |tables| tables.quarantine(job, medium, hold, now))
    }
    async fn end_quarantine(&self, job: JobId, now: Timestamp) -> Result<()> {
        self.change(|tables| tables.end_quarantine(job, now))
    }
    async fn fence_medium(
        &self,
        medium: MediumId,
        job: Option<JobId>,
        drop_deleted: bool,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<Fence> {
        let in_vain = |fence: &Fence| matches!(fence, Fence::InUse { .. } | Fence::LastGood(_));
        self.change_unless(&[], &[], in_vain, |tables| {
            tables.fence_medium(medium, job, drop_deleted, epoch, now)
        })
    }
    async fn finish_erase(&self, medium: MediumId, generation: Generation, now: Timestamp) -> Result<()> {
        self.change(|tables| tables.finish_erase(medium, generation, now))
    }

    async fn import(&self, medium: MediumId, found: Vec<Found>, adopt: Adopt, now: Timestamp) -> Result<Imported> {
        self.change(|tables| tables.import(medium, found, adopt, now))
    }
    async fn adopt_volume(&self, volume: &NewVolume, now: Timestamp) -> Result<VolumeAdopted> {
        let refused = |adopted: &VolumeAdopted| matches!(adopted, VolumeAdopted::Clashes(_));
        self.change_unless(&[], &[], refused, |tables| tables.adopt_volume(volume, now))
    }
    async fn known_hashes(&self, extents: &[ExtentId]) -> Result<BTreeMap<ExtentId, Vec<KnownHash>>> {
        Ok(self.read(|tables| tables.known_hashes(extents)))
    }
    async fn note_digests(&self, medium: MediumId, digested: &[Digested], now: Timestamp) -> Result<u64> {
        self.change(|tables| Ok(tables.note_digests(medium, digested, now)))
    }
}
