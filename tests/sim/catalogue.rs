//! The catalogue as a life sees it: every call is told to somebody before and after it, and may be kept from happening,
//! or from being heard of.

use async_trait::async_trait;
use dss::catalogue::*;
use dss::mem::MemCatalogue;
use dss::model::loss::Loss;
use dss::model::medium::Usage;
use dss::model::object::Place;
use dss::model::*;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

/// Told of every call. Each is one transaction, or a look.
#[async_trait]
pub trait Ear: Send + Sync {
    /// Before the call. An error is what it answers, and nothing is done.
    async fn before(&self, call: &'static str) -> Result<()>;

    /// After the call, with what it answers. An error is answered in place of that: the answer is lost.
    async fn after(&self, call: &'static str, answer: &(dyn Debug + Sync)) -> Result<()>;
}

/// A catalogue that says what is asked of it.
pub struct Overheard {
    pub catalogue: Arc<MemCatalogue>,
    pub ear: Arc<dyn Ear>,
}

macro_rules! overhear {
    ($(fn $name:ident($($arg:ident: $kind:ty),* $(,)?) -> $answer:ty;)*) => {
        #[async_trait]
        impl Catalogue for Overheard {
            $(async fn $name(&self, $($arg: $kind),*) -> $answer {
                self.ear.before(stringify!($name)).await?;
                let answer = self.catalogue.$name($($arg),*).await;
                self.ear.after(stringify!($name), &answer).await?;
                answer
            })*
        }
    };
}

overhear! {
    fn identity() -> Result<Identity>;
    fn observe_clock(now: Timestamp) -> Result<ClockVerdict>;
    fn accept_clock(now: Timestamp) -> Result<()>;
    fn findings(now: Timestamp) -> Result<Vec<Finding>>;
    fn seal_events(limit: u32) -> Result<u64>;
    fn events(page: Page<i64>) -> Result<Vec<Event>>;
    fn note(event: NewEvent, now: Timestamp) -> Result<()>;
    fn stamp() -> Result<Stamp>;
    fn compare_medium(medium: MediumId, seen: Seen, now: Timestamp) -> Result<Compared>;
    fn set_standing(
        medium: MediumId,
        step: (Standing, Standing),
        why: &str,
        now: Timestamp,
    ) -> Result<Medium>;
    fn raise_revision(above: Revision) -> Result<()>;
    fn repoint_found(pairs: &[(ExtentId, ReadBack)], now: Timestamp) -> Result<Vec<bool>>;
    fn take_generation(medium: MediumId, generation: Generation, now: Timestamp) -> Result<Medium>;
    fn give_up(medium: MediumId, why: &str, now: Timestamp) -> Result<Medium>;
    fn stand_ins(gone: &[ExtentId]) -> Result<Vec<(ExtentId, Extent)>>;
    fn forget_gone(medium: MediumId, extents: &[ExtentId], now: Timestamp) -> Result<Gone>;
    fn add_medium(medium: NewMedium, now: Timestamp) -> Result<Medium>;
    fn forget_medium(id: MediumId) -> Result<()>;
    fn media() -> Result<Vec<Medium>>;
    fn medium(name: &str) -> Result<Medium>;
    fn medium_by_id(id: MediumId) -> Result<Medium>;
    fn usage(id: MediumId, now: Timestamp) -> Result<Usage>;
    fn used() -> Result<BTreeMap<MediumId, ByteCount>>;
    fn holdings(now: Timestamp) -> Result<Vec<Holding>>;
    fn stranded(targets: &BTreeSet<MediumId>) -> Result<BTreeMap<MediumId, ByteCount>>;
    fn what_if_lost(media: &BTreeSet<MediumId>, limit: u32) -> Result<Loss>;
    fn change_medium(id: MediumId, change: MediumChange, now: Timestamp) -> Result<Medium>;
    fn medium_at(library: &str, barcode: &str) -> Result<Option<Medium>>;
    fn durable_end(medium: MediumId) -> Result<u64>;
    fn add_library(library: NewLibrary, now: Timestamp) -> Result<Library>;
    fn libraries() -> Result<Vec<Library>>;
    fn library(name: &str) -> Result<Library>;
    fn forget_library(name: &str, now: Timestamp) -> Result<()>;
    fn note_drives(library: &str, drives: &[DriveSeen]) -> Result<()>;
    fn lock_drive(library: &str, bay: &str, why: Option<String>, now: Timestamp) -> Result<KnownDrive>;
    fn drives(library: &str) -> Result<Vec<KnownDrive>>;
    fn take_lease(
        resource: &Resource,
        holder: &Holder,
        seconds: u32,
        margin_seconds: u32,
        now: Timestamp,
    ) -> Result<Lease>;
    fn renew_leases(holder: &Holder, seconds: u32, now: Timestamp) -> Result<Vec<Lease>>;
    fn release_lease(lease: &Lease) -> Result<()>;
    fn record_put(
        session: SessionId,
        extents: Vec<NewExtent>,
        epochs: &BTreeMap<MediumId, Epoch>,
        now: Timestamp,
    ) -> Result<Vec<Recorded>>;
    fn commit_put(objects: Vec<NewObject>, now: Timestamp) -> Result<Vec<Result<Object>>>;
    fn versions(oids: &[Oid]) -> Result<Vec<Versions>>;
    fn abandon(owner: Owner, only: Option<&[ExtentId]>, now: Timestamp) -> Result<u64>;
    fn withdraw(recorded: Vec<Recorded>) -> Result<u64>;
    fn taken(medium: MediumId, generation: Generation, addresses: &[Address]) -> Result<BTreeSet<Address>>;
    fn object(oid: &Oid, version: Option<Version>) -> Result<ObjectDetail>;
    fn object_by_id(id: ObjectId) -> Result<ObjectDetail>;
    fn objects_by_id(ids: &[ObjectId]) -> Result<BTreeMap<ObjectId, ObjectDetail>>;
    fn list_objects(filter: &ObjectFilter, after: Option<(Oid, Version)>, limit: u32) -> Result<Vec<ObjectDetail>>;
    fn delete_object(oid: &Oid, now: Timestamp) -> Result<Object>;
    fn undelete_object(oid: &Oid, now: Timestamp) -> Result<Object>;
    fn purge(deleted_before: Timestamp, limit: u32, now: Timestamp) -> Result<u64>;
    fn doubtful(medium: MediumId) -> Result<Vec<Extent>>;
    fn fallbacks(object: ObjectId, entry: Place) -> Result<Vec<Extent>>;
    fn release_copy(extent: ExtentId, sure: Sure, now: Timestamp) -> Result<Released>;
    fn headers(extents: &[ExtentId]) -> Result<BTreeMap<ExtentId, ObjectHeader>>;
    fn references(extents: &[ExtentId]) -> Result<Vec<(ObjectId, LayoutEntry)>>;
    fn extent(id: ExtentId) -> Result<Extent>;
    fn extents_by_id(ids: &[ExtentId]) -> Result<BTreeMap<ExtentId, Extent>>;
    fn unindexed(ids: &[ExtentId]) -> Result<BTreeSet<ExtentId>>;
    fn extents(filter: &ExtentFilter, page: Page<ExtentId>) -> Result<Vec<Extent>>;
    fn manifest(source: MediumId, page: Page<ExtentId>) -> Result<Vec<ManifestRow>>;
    fn sweep_pending(medium: Option<MediumId>, now: Timestamp) -> Result<BTreeMap<Owner, (u64, ByteCount)>>;
    fn removable(medium: MediumId, page: Page<ExtentId>, now: Timestamp) -> Result<Vec<Extent>>;
    fn forget_orphans(medium: MediumId, generation: Generation, extents: &[ExtentId]) -> Result<u64>;
    fn mark_indexed(medium: MediumId, revision: Revision, extents: &[ExtentId]) -> Result<u64>;
    fn suspect(medium: MediumId, why: &str, now: Timestamp) -> Result<()>;
    fn create_job(kind: JobKind, spec: JobSpec, now: Timestamp) -> Result<Job>;
    fn job(id: JobId) -> Result<Job>;
    fn jobs(limit: u32) -> Result<Vec<Job>>;
    fn active_jobs() -> Result<Vec<Job>>;
    fn jobs_of_sources(media: &[MediumId], states: &[JobState]) -> Result<Vec<Job>>;
    fn advance_job(
        id: JobId,
        expected: &[JobState],
        to: JobState,
        tally: &Tally,
        error: Option<&JobError>,
        now: Timestamp,
    ) -> Result<Job>;
    fn control_job(id: JobId, control: JobControl, now: Timestamp) -> Result<Job>;
    fn add_skips(id: JobId, skips: &[Skip], now: Timestamp) -> Result<()>;
    fn clear_skips(id: JobId) -> Result<()>;
    fn record_moves(
        job: JobId,
        moves: Vec<MoveIntent>,
        epochs: &BTreeMap<MediumId, Epoch>,
        now: Timestamp,
    ) -> Result<Vec<Recorded>>;
    fn note_substitutions(job: JobId, substitutions: &[Substitution]) -> Result<()>;
    fn swap_batch(terms: SwapTerms, entries: &[SwapEntry]) -> Result<Vec<SwapOutcome>>;
    fn moves(job: JobId, states: &[MoveState], page: Page<ExtentId>) -> Result<Vec<Move>>;
    fn mark_read_back(job: JobId, medium: &Medium, extents: &[ReadBack], now: Timestamp) -> Result<bool>;
    fn return_batch(job: JobId, entries: &[(Move, ReadBack)], now: Timestamp) -> Result<Vec<ReturnOutcome>>;
    fn quarantine(job: JobId, medium: MediumId, hold: Hold, now: Timestamp) -> Result<()>;
    fn end_quarantine(job: JobId, now: Timestamp) -> Result<()>;
    fn fence_medium(
        medium: MediumId,
        job: Option<JobId>,
        drop_deleted: bool,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<Fence>;
    fn finish_erase(medium: MediumId, generation: Generation, now: Timestamp) -> Result<()>;
    fn adopt_volume(volume: &NewVolume, now: Timestamp) -> Result<VolumeAdopted>;
    fn known_hashes(extents: &[ExtentId]) -> Result<BTreeMap<ExtentId, Vec<KnownHash>>>;
    fn note_digests(medium: MediumId, digested: &[Digested], now: Timestamp) -> Result<u64>;
    fn import(medium: MediumId, found: Vec<Found>, adopt: Adopt, now: Timestamp) -> Result<Imported>;
}
