//! The catalogue's trait, method by method, each kept in the file of its aggregate.

use super::{
    PgCatalogue, check, doubt, events, extents, fence, holdings, import, itself, job_rows, jobs, leases, libraries,
    lookups, losses, manifest, media, objects, puts, quarantine, reconcile, release, substitutions, swap, volume,
};
use crate::catalogue::*;
use crate::model::loss::Loss;
use crate::model::medium::Usage;
use crate::model::object::Place;
use crate::model::*;
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

#[async_trait]
impl Catalogue for PgCatalogue {
    async fn identity(&self) -> Result<Identity> {
        itself::identity(self).await
    }

    async fn observe_clock(&self, now: Timestamp) -> Result<ClockVerdict> {
        itself::observe_clock(self, now).await
    }

    async fn accept_clock(&self, now: Timestamp) -> Result<()> {
        itself::accept_clock(self, now).await
    }

    async fn findings(&self, now: Timestamp) -> Result<Vec<Finding>> {
        check::findings(self, now).await
    }

    async fn seal_events(&self, limit: u32) -> Result<u64> {
        events::seal(self, limit).await
    }

    async fn events(&self, page: Page<i64>) -> Result<Vec<Event>> {
        events::list(self, page).await
    }

    async fn note(&self, event: NewEvent, now: Timestamp) -> Result<()> {
        events::note(self, event, now).await
    }

    async fn stamp(&self) -> Result<Stamp> {
        reconcile::stamp(self).await
    }

    async fn compare_medium(&self, medium: MediumId, seen: Seen, now: Timestamp) -> Result<Compared> {
        reconcile::compare(self, medium, seen, now).await
    }

    async fn set_standing(
        &self,
        medium: MediumId,
        step: (Standing, Standing),
        why: &str,
        now: Timestamp,
    ) -> Result<Medium> {
        reconcile::set_standing(self, medium, step, why, now).await
    }

    async fn raise_revision(&self, above: Revision) -> Result<()> {
        reconcile::raise_revision(self, above).await
    }

    async fn repoint_found(&self, pairs: &[(ExtentId, ReadBack)], now: Timestamp) -> Result<Vec<bool>> {
        reconcile::repoint_found(self, pairs, now).await
    }

    async fn take_generation(&self, medium: MediumId, generation: Generation, now: Timestamp) -> Result<Medium> {
        reconcile::take_generation(self, medium, generation, now).await
    }

    async fn stand_ins(&self, gone: &[ExtentId]) -> Result<Vec<(ExtentId, Extent)>> {
        reconcile::stand_ins(self, gone).await
    }

    async fn give_up(&self, medium: MediumId, why: &str, now: Timestamp) -> Result<Medium> {
        reconcile::give_up(self, medium, why, now).await
    }

    async fn forget_gone(&self, medium: MediumId, extents: &[ExtentId], now: Timestamp) -> Result<Gone> {
        reconcile::forget_gone(self, medium, extents, now).await
    }

    async fn add_medium(&self, medium: NewMedium, now: Timestamp) -> Result<Medium> {
        media::add(self, medium, now).await
    }

    async fn forget_medium(&self, id: MediumId) -> Result<()> {
        media::forget(self, id).await
    }

    async fn media(&self) -> Result<Vec<Medium>> {
        media::list(self).await
    }

    async fn medium(&self, name: &str) -> Result<Medium> {
        media::by_name(self, name).await
    }

    async fn medium_by_id(&self, id: MediumId) -> Result<Medium> {
        media::by_id(self, id).await
    }

    async fn usage(&self, id: MediumId, now: Timestamp) -> Result<Usage> {
        media::usage(self, id, now).await
    }

    async fn used(&self) -> Result<BTreeMap<MediumId, ByteCount>> {
        media::used(self).await
    }

    async fn holdings(&self, now: Timestamp) -> Result<Vec<Holding>> {
        holdings::holdings(self, now).await
    }

    async fn stranded(&self, targets: &BTreeSet<MediumId>) -> Result<BTreeMap<MediumId, ByteCount>> {
        holdings::stranded(self, targets).await
    }

    async fn what_if_lost(&self, media: &BTreeSet<MediumId>, limit: u32) -> Result<Loss> {
        losses::what_if(self, media, limit).await
    }

    async fn change_medium(&self, id: MediumId, change: MediumChange, now: Timestamp) -> Result<Medium> {
        media::change(self, id, change, now).await
    }

    async fn medium_at(&self, library: &str, barcode: &str) -> Result<Option<Medium>> {
        media::at(self, library, barcode).await
    }

    async fn durable_end(&self, medium: MediumId) -> Result<u64> {
        media::durable_end(self, medium).await
    }

    async fn add_library(&self, library: NewLibrary, now: Timestamp) -> Result<Library> {
        libraries::add(self, library, now).await
    }

    async fn libraries(&self) -> Result<Vec<Library>> {
        libraries::list(self).await
    }

    async fn library(&self, name: &str) -> Result<Library> {
        libraries::by_name(self, name).await
    }

    async fn forget_library(&self, name: &str, now: Timestamp) -> Result<()> {
        libraries::forget(self, name, now).await
    }

    async fn note_drives(&self, library: &str, drives: &[DriveSeen]) -> Result<()> {
        libraries::note_drives(self, library, drives).await
    }

    async fn lock_drive(&self, library: &str, bay: &str, why: Option<String>, now: Timestamp) -> Result<KnownDrive> {
        libraries::lock_drive(self, library, bay, why, now).await
    }

    async fn drives(&self, library: &str) -> Result<Vec<KnownDrive>> {
        libraries::drives(self, library).await
    }

    async fn take_lease(
        &self,
        resource: &Resource,
        holder: &Holder,
        seconds: u32,
        margin_seconds: u32,
        now: Timestamp,
    ) -> Result<Lease> {
        leases::take(self, resource, holder, seconds, margin_seconds, now).await
    }

    async fn renew_leases(&self, holder: &Holder, seconds: u32, now: Timestamp) -> Result<Vec<Lease>> {
        leases::renew(self, holder, seconds, now).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<()> {
        leases::release(self, lease).await
    }

    async fn record_put(
        &self,
        session: SessionId,
        extents: Vec<NewExtent>,
        epochs: &BTreeMap<MediumId, Epoch>,
        now: Timestamp,
    ) -> Result<Vec<Recorded>> {
        puts::record(self, session, extents, epochs, now).await
    }

    async fn commit_put(&self, objects: Vec<NewObject>, now: Timestamp) -> Result<Vec<Result<Object>>> {
        puts::commit(self, objects, now).await
    }

    async fn versions(&self, oids: &[Oid]) -> Result<Vec<Versions>> {
        lookups::versions(self, oids).await
    }

    async fn withdraw(&self, recorded: Vec<Recorded>) -> Result<u64> {
        puts::withdraw(self, &recorded).await
    }

    async fn taken(
        &self,
        medium: MediumId,
        generation: Generation,
        addresses: &[Address],
    ) -> Result<BTreeSet<Address>> {
        extents::taken(self, medium, generation, addresses).await
    }

    async fn abandon(&self, owner: Owner, only: Option<&[ExtentId]>, _now: Timestamp) -> Result<u64> {
        puts::abandon(self, owner, only).await
    }

    async fn object(&self, oid: &Oid, version: Option<Version>) -> Result<ObjectDetail> {
        lookups::by_oid(self, oid, version).await
    }

    async fn object_by_id(&self, id: ObjectId) -> Result<ObjectDetail> {
        lookups::by_id(self, id).await
    }

    async fn objects_by_id(&self, ids: &[ObjectId]) -> Result<BTreeMap<ObjectId, ObjectDetail>> {
        lookups::by_ids(self, ids).await
    }

    async fn list_objects(
        &self,
        filter: &ObjectFilter,
        after: Option<(Oid, Version)>,
        limit: u32,
    ) -> Result<Vec<ObjectDetail>> {
        lookups::list(self, filter, after, limit).await
    }

    async fn delete_object(&self, oid: &Oid, now: Timestamp) -> Result<Object> {
        objects::delete(self, oid, now).await
    }

    async fn undelete_object(&self, oid: &Oid, now: Timestamp) -> Result<Object> {
        objects::undelete(self, oid, now).await
    }

    async fn purge(&self, deleted_before: Timestamp, limit: u32, now: Timestamp) -> Result<u64> {
        objects::purge(self, deleted_before, limit, now).await
    }

    async fn doubtful(&self, medium: MediumId) -> Result<Vec<Extent>> {
        doubt::doubtful(self, medium).await
    }

    async fn fallbacks(&self, object: ObjectId, entry: Place) -> Result<Vec<Extent>> {
        lookups::fallbacks(self, object, entry).await
    }

    async fn release_copy(&self, extent: ExtentId, sure: Sure, now: Timestamp) -> Result<Released> {
        release::release(self, extent, sure, now).await
    }

    async fn headers(&self, extents: &[ExtentId]) -> Result<BTreeMap<ExtentId, ObjectHeader>> {
        lookups::headers(self, extents).await
    }

    async fn references(&self, extents: &[ExtentId]) -> Result<Vec<(ObjectId, LayoutEntry)>> {
        lookups::references(self, extents).await
    }

    async fn extent(&self, id: ExtentId) -> Result<Extent> {
        extents::by_id(self, id).await
    }

    async fn extents_by_id(&self, ids: &[ExtentId]) -> Result<BTreeMap<ExtentId, Extent>> {
        extents::by_ids(self, ids).await
    }

    async fn unindexed(&self, ids: &[ExtentId]) -> Result<BTreeSet<ExtentId>> {
        extents::unindexed(self, ids).await
    }

    async fn extents(&self, filter: &ExtentFilter, page: Page<ExtentId>) -> Result<Vec<Extent>> {
        extents::list(self, filter, page).await
    }

    async fn manifest(&self, source: MediumId, page: Page<ExtentId>) -> Result<Vec<ManifestRow>> {
        manifest::page(self, source, page).await
    }

    async fn sweep_pending(
        &self,
        medium: Option<MediumId>,
        now: Timestamp,
    ) -> Result<BTreeMap<Owner, (u64, ByteCount)>> {
        extents::sweep_pending(self, medium, now).await
    }

    async fn removable(&self, medium: MediumId, page: Page<ExtentId>, now: Timestamp) -> Result<Vec<Extent>> {
        extents::removable(self, medium, page, now).await
    }

    async fn forget_orphans(&self, medium: MediumId, generation: Generation, extents: &[ExtentId]) -> Result<u64> {
        extents::forget_orphans(self, medium, generation, extents).await
    }

    async fn mark_indexed(&self, medium: MediumId, revision: Revision, extents: &[ExtentId]) -> Result<u64> {
        extents::mark_indexed(self, medium, revision, extents).await
    }

    async fn suspect(&self, medium: MediumId, why: &str, now: Timestamp) -> Result<()> {
        media::suspect(self, medium, why, now).await
    }

    async fn create_job(&self, kind: JobKind, spec: JobSpec, now: Timestamp) -> Result<Job> {
        jobs::create(self, kind, spec, now).await
    }

    async fn job(&self, id: JobId) -> Result<Job> {
        job_rows::by_id(self, id).await
    }

    async fn jobs(&self, limit: u32) -> Result<Vec<Job>> {
        job_rows::list(self, limit).await
    }

    async fn active_jobs(&self) -> Result<Vec<Job>> {
        job_rows::active(self).await
    }

    async fn jobs_of_sources(&self, media: &[MediumId], states: &[JobState]) -> Result<Vec<Job>> {
        job_rows::of_sources(self, media, states).await
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
        jobs::advance(self, id, expected, to, tally, error, now).await
    }

    async fn control_job(&self, id: JobId, control: JobControl, now: Timestamp) -> Result<Job> {
        jobs::control(self, id, control, now).await
    }

    async fn add_skips(&self, id: JobId, skips: &[Skip], now: Timestamp) -> Result<()> {
        jobs::add_skips(self, id, skips, now).await
    }

    async fn clear_skips(&self, id: JobId) -> Result<()> {
        jobs::clear_skips(self, id).await
    }

    async fn record_moves(
        &self,
        job: JobId,
        moves: Vec<MoveIntent>,
        epochs: &BTreeMap<MediumId, Epoch>,
        now: Timestamp,
    ) -> Result<Vec<Recorded>> {
        jobs::record_moves(self, job, moves, epochs, now).await
    }

    async fn note_substitutions(&self, job: JobId, substitutions: &[Substitution]) -> Result<()> {
        substitutions::note(self, job, substitutions).await
    }

    async fn swap_batch(&self, terms: SwapTerms, entries: &[SwapEntry]) -> Result<Vec<SwapOutcome>> {
        swap::batch(self, terms, entries).await
    }

    async fn moves(&self, job: JobId, states: &[MoveState], page: Page<ExtentId>) -> Result<Vec<Move>> {
        jobs::moves(self, job, states, page).await
    }

    async fn mark_read_back(&self, job: JobId, medium: &Medium, extents: &[ReadBack], now: Timestamp) -> Result<bool> {
        jobs::mark_read_back(self, job, medium, extents, now).await
    }

    async fn return_batch(
        &self,
        job: JobId,
        entries: &[(Move, ReadBack)],
        now: Timestamp,
    ) -> Result<Vec<ReturnOutcome>> {
        quarantine::return_batch(self, job, entries, now).await
    }

    async fn quarantine(&self, job: JobId, medium: MediumId, hold: Hold, now: Timestamp) -> Result<()> {
        quarantine::begin(self, job, medium, hold, now).await
    }

    async fn end_quarantine(&self, job: JobId, now: Timestamp) -> Result<()> {
        quarantine::end(self, job, now).await
    }

    async fn fence_medium(
        &self,
        medium: MediumId,
        job: Option<JobId>,
        drop_deleted: bool,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<Fence> {
        fence::fence(self, medium, job, drop_deleted, epoch, now).await
    }

    async fn finish_erase(&self, medium: MediumId, generation: Generation, now: Timestamp) -> Result<()> {
        fence::finish(self, medium, generation, now).await
    }

    async fn import(&self, medium: MediumId, found: Vec<Found>, adopt: Adopt, now: Timestamp) -> Result<Imported> {
        import::import(self, medium, found, adopt, now).await
    }

    async fn adopt_volume(&self, volume: &NewVolume, now: Timestamp) -> Result<VolumeAdopted> {
        volume::adopt(self, volume, now).await
    }

    async fn known_hashes(&self, extents: &[ExtentId]) -> Result<BTreeMap<ExtentId, Vec<KnownHash>>> {
        volume::known_hashes(self, extents).await
    }

    async fn note_digests(&self, medium: MediumId, digested: &[Digested], now: Timestamp) -> Result<u64> {
        volume::note_digests(self, medium, digested, now).await
    }
}
