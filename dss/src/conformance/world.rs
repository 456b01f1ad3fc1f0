//! The world of a case: a catalogue, a few media leased to us, and the short ways of doing the usual things.

use super::support::{Backend, Put, Trap, all, at, oid, spec};
use crate::catalogue::Overwrite;
use crate::catalogue::{
    Catalogue, ExtentFilter, MediumChange, MoveIntent, NewMedium, NewObject, ObjectFilter, Result, Severity, SwapEntry,
    SwapOutcome, SwapTerms,
};
use crate::model::evidence::EvidenceError;
use crate::model::object::Place;
use crate::model::{
    Address, ByteCount, CopyNo, Digested, Epoch, Extent, ExtentId, ExtentIndex, ExtentState, FsState, Generation, Hold,
    Holder, HolderId, JobId, JobKind, JobSpec, JobState, KnownHash, Lease, Medium, MediumId, Metadata, Move, MoveState,
    NewExtent, Object, ObjectDetail, ObjectId, Origin, ReadBack, Recorded, Resource, SessionId, Span, Synced, Tally,
    Version,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A catalogue under test and what is known of it.
pub struct World {
    backend: Box<dyn Backend>,
    /// The catalogue.
    pub catalogue: Arc<dyn Catalogue>,
    /// For the cases that end a change in its middle.
    pub trap: Arc<Trap>,
    /// Who holds the leases.
    pub holder: Holder,
    epochs: Mutex<BTreeMap<MediumId, Epoch>>,
    names: AtomicU64,
}

impl World {
    /// Around a fresh catalogue.
    pub fn new(backend: Box<dyn Backend>, trap: Arc<Trap>) -> Self {
        Self {
            catalogue: backend.catalogue(),
            backend,
            trap,
            holder: Holder {
                id: HolderId::fresh(),
                seat: "seat".to_owned(),
            },
            epochs: Mutex::default(),
            names: AtomicU64::new(0),
        }
    }

    /// What every case must leave behind: no broken invariant, and nothing listed that is not there.
    pub async fn must_be_sound(&self) {
        let found = self.catalogue.findings(at(1_000_000)).await.unwrap();
        let broken: Vec<_> = found
            .into_iter()
            .filter(|found| found.severity == Severity::Error || found.invariant == "unindexed")
            .collect();
        assert!(broken.is_empty(), "{broken:#?}");
        self.must_be_counted().await;
    }

    /// What is told of all media at once is what each holds, whatever was done to it.
    pub async fn must_be_counted(&self) {
        let mut used = self.catalogue.used().await.unwrap();
        for medium in self.catalogue.media().await.unwrap() {
            let usage = self.catalogue.usage(medium.id, at(1_000_000)).await.unwrap();
            assert_eq!(
                used.remove(&medium.id).unwrap_or_default(),
                usage.used,
                "{}",
                medium.name
            );
        }
        assert_eq!(used, BTreeMap::new(), "bytes on media that are not there");
    }

    /// See [`Backend::share`].
    pub async fn share(&self, extent: ExtentId, name: &str, bytes: u64) -> ObjectId {
        let object = Object {
            id: ObjectId::fresh(),
            oid: oid(name),
            version: Version(1),
            bytes: ByteCount(bytes),
            copies: CopyNo(1),
            grouping: None,
            metadata: Metadata::default(),
            created_at: at(0),
            deleted_at: None,
        };
        let id = object.id;
        self.backend.share(extent, object).await;
        id
    }

    /// See [`Backend::synced`].
    pub fn synced(&self, recorded: Recorded, bytes: &[u8]) -> Synced {
        self.backend.synced(recorded, bytes)
    }

    /// See [`Backend::synced_at`].
    pub fn synced_at(&self, recorded: Recorded, bytes: &[u8], span: Span) -> Synced {
        self.backend.synced_at(recorded, bytes, span)
    }

    /// See [`Backend::read_back`].
    pub fn read_back(&self, extent: &Extent) -> ReadBack {
        self.backend.read_back(extent)
    }

    /// See [`Backend::digested`].
    pub fn digested(
        &self,
        extent: &Extent,
        bytes: &[u8],
        known: &[KnownHash],
    ) -> std::result::Result<Digested, EvidenceError> {
        self.backend.digested(extent, bytes, known)
    }

    // --- media and leases
    /// A medium that could be added.
    pub fn new_medium(&self, name: &str) -> NewMedium {
        super::support::new_medium(name)
    }

    /// A medium that is labelled, empty and leased to us.
    pub async fn medium(&self, name: &str) -> MediumId {
        let medium = self.catalogue.add_medium(self.new_medium(name), at(0)).await.unwrap();
        let change = MediumChange {
            fs_state: Some(FsState::Empty),
            ..MediumChange::default()
        };
        self.catalogue.change_medium(medium.id, change, at(0)).await.unwrap();
        self.lease(medium.id).await;
        medium.id
    }

    /// A medium's row.
    pub async fn row(&self, medium: MediumId) -> Medium {
        self.catalogue.medium_by_id(medium).await.unwrap()
    }

    /// Takes a medium's lease, under a new epoch, which later calls name.
    pub async fn lease(&self, medium: MediumId) -> Lease {
        let resource = Resource::Medium(medium);
        let lease = self
            .catalogue
            .take_lease(&resource, &self.holder, 60, 30, at(0))
            .await
            .unwrap();
        self.epochs.lock().unwrap().insert(medium, lease.epoch);
        lease
    }

    /// The epochs of the leases taken.
    pub fn epochs(&self) -> BTreeMap<MediumId, Epoch> {
        self.epochs.lock().unwrap().clone()
    }

    /// The epoch of one.
    pub fn epoch(&self, medium: MediumId) -> Epoch {
        self.epochs.lock().unwrap()[&medium]
    }

    // --- objects
    /// A put of one copy with one extent.
    pub fn simple(&self, name: &'static str, medium: MediumId, bytes: &'static str) -> Put {
        Put {
            oid: name,
            copies: vec![vec![(medium, bytes)]],
            grouping: None,
            overwrite: Overwrite::NewVersion,
        }
    }

    /// An extent nobody recorded yet, of an object nobody put yet.
    pub fn new_extent(&self, name: &str, medium: MediumId, bytes: &str) -> NewExtent {
        let origin = Origin {
            object: ObjectId::fresh(),
            oid: oid(name),
            version: Version(1),
            copy: CopyNo(0),
            index: ExtentIndex(0),
        };
        self.extent_for(origin, medium, bytes)
    }

    /// An extent for a place, under a name of its own, at generation 0.
    pub fn extent_for(&self, origin: Origin, medium: MediumId, bytes: &str) -> NewExtent {
        let attempt = self.names.fetch_add(1, Ordering::Relaxed);
        NewExtent {
            id: ExtentId::fresh(),
            address: Address(format!("objects/{}@{attempt}", origin.oid)),
            origin,
            medium,
            generation: Generation(0),
            bytes: ByteCount(bytes.len() as u64),
            digests: None,
        }
    }

    /// The version that the next put of a name gets.
    pub async fn next_version(&self, name: &str) -> Version {
        self.catalogue.versions(&[oid(name)]).await.unwrap()[0].next
    }

    /// Records and syncs everything a put needs, and does not commit it.
    pub async fn stage(&self, put: &Put, session: SessionId) -> NewObject {
        let version = self.next_version(put.oid).await;
        self.stage_as(put, session, version).await
    }

    /// The same, written as a version that somebody else may get first.
    pub async fn stage_as(&self, put: &Put, session: SessionId, version: Version) -> NewObject {
        let object = ObjectId::fresh();
        let mut wanted = Vec::new();
        let mut contents = Vec::new();
        for (copy, extents) in put.copies.iter().enumerate() {
            for (index, (medium, bytes)) in extents.iter().enumerate() {
                let origin = Origin {
                    object,
                    oid: oid(put.oid),
                    version,
                    copy: CopyNo(copy as i16),
                    index: ExtentIndex(index as i32),
                };
                let generation = self.row(*medium).await.generation;
                wanted.push(NewExtent {
                    generation,
                    ..self.extent_for(origin, *medium, bytes)
                });
                contents.push(*bytes);
            }
        }
        let recorded = self
            .catalogue
            .record_put(session, wanted, &self.epochs(), at(1))
            .await
            .unwrap();
        let place = |recorded: &Recorded| Place {
            copy: recorded.extent().origin.copy,
            index: recorded.extent().origin.index,
        };
        let pairs = recorded.into_iter().zip(contents);
        let places = pairs.map(|(recorded, bytes)| (place(&recorded), self.backend.synced(recorded, bytes.as_bytes())));
        let size: usize = put.copies[0].iter().map(|(_, bytes)| bytes.len()).sum();
        NewObject {
            object: Object {
                id: object,
                oid: oid(put.oid),
                version,
                bytes: ByteCount(size as u64),
                copies: CopyNo(put.copies.len() as i16),
                grouping: put.grouping.map(str::to_owned),
                metadata: Metadata::default(),
                created_at: at(2),
                deleted_at: None,
            },
            overwrite: put.overwrite,
            places: places.collect(),
        }
    }

    /// Commits one staged put.
    pub async fn commit(&self, object: NewObject) -> Result<Object> {
        let answers = self.catalogue.commit_put(vec![object], at(2)).await.unwrap();
        answers.into_iter().next().expect("one answer for each")
    }

    /// Puts an object and answers what the catalogue says of it then.
    pub async fn put(&self, put: Put) -> ObjectDetail {
        let staged = self.stage(&put, SessionId::fresh()).await;
        let object = self.commit(staged).await.unwrap();
        self.catalogue.object_by_id(object.id).await.unwrap()
    }

    /// Puts an object of one extent and answers the extent.
    pub async fn put_one(&self, name: &'static str, medium: MediumId, bytes: &'static str) -> Extent {
        let detail = self.put(self.simple(name, medium, bytes)).await;
        detail.entries[0].extent.clone()
    }

    /// The extent that fills the first place of an object's live version.
    pub async fn first(&self, name: &str) -> Extent {
        let detail = self.catalogue.object(&oid(name), None).await.unwrap();
        detail.entries[0].extent.clone()
    }

    /// An extent's state.
    pub async fn state(&self, extent: ExtentId) -> ExtentState {
        self.catalogue.extent(extent).await.unwrap().state
    }

    /// The extents of a medium in a state.
    pub async fn on(&self, medium: MediumId, state: ExtentState) -> Vec<Extent> {
        let filter = ExtentFilter {
            medium: Some(medium),
            state: Some(state),
            ..ExtentFilter::default()
        };
        self.catalogue.extents(&filter, all()).await.unwrap()
    }

    /// Every version, deleted ones too.
    pub async fn versions(&self) -> Vec<ObjectDetail> {
        let filter = ObjectFilter {
            deleted: true,
            ..ObjectFilter::default()
        };
        self.catalogue.list_objects(&filter, None, 10_000).await.unwrap()
    }

    // --- jobs
    /// A running repack of these media.
    pub async fn repack(&self, sources: &[MediumId]) -> JobId {
        self.repack_as(spec(sources)).await
    }

    /// A running repack.
    pub async fn repack_as(&self, spec: JobSpec) -> JobId {
        let job = self.catalogue.create_job(JobKind::Repack, spec, at(3)).await.unwrap();
        self.advance(job.id, JobState::Running).await;
        job.id
    }

    /// Moves a job on from whatever state it is in.
    pub async fn advance(&self, job: JobId, to: JobState) {
        let moved = self
            .catalogue
            .advance_job(job, JobState::ALL, to, &Tally::default(), None, at(3))
            .await;
        moved.unwrap();
    }

    /// What a move of an extent to a medium records.
    pub fn intent(&self, old: &Extent, target: MediumId) -> MoveIntent {
        let new = self.extent_for(old.origin.clone(), target, "");
        MoveIntent {
            old: old.id,
            new: NewExtent {
                bytes: old.bytes,
                digests: old.digests.clone(),
                ..new
            },
        }
    }

    /// Records and syncs a move; `bytes` is what the extent holds.
    pub async fn copy(&self, job: JobId, old: &Extent, target: MediumId, bytes: &str) -> SwapEntry {
        let intents = vec![self.intent(old, target)];
        let recorded = self
            .catalogue
            .record_moves(job, intents, &self.epochs(), at(4))
            .await
            .unwrap();
        let recorded = recorded.into_iter().next().expect("one for each");
        SwapEntry {
            old: old.id,
            new: self.backend.synced(recorded, bytes.as_bytes()),
        }
    }

    /// Swaps; old bytes are held for ever.
    pub async fn swap(&self, job: JobId, entries: &[SwapEntry]) -> Result<Vec<SwapOutcome>> {
        let terms = SwapTerms {
            job,
            hold: Hold::Forever,
            now: at(5),
        };
        self.catalogue.swap_batch(terms, entries).await
    }

    /// Moves one extent all the way and answers the new one.
    pub async fn relocate(&self, job: JobId, old: &Extent, target: MediumId, bytes: &str) -> Extent {
        let entry = self.copy(job, old, target, bytes).await;
        let new = entry.new.extent().id;
        assert_eq!(self.swap(job, &[entry]).await.unwrap(), [SwapOutcome::Swapped]);
        self.catalogue.extent(new).await.unwrap()
    }

    /// What a restore of one swapped move brings.
    pub async fn return_of(&self, job: JobId, old: ExtentId, new: ExtentId) -> (Move, ReadBack) {
        let state = MoveState::Swapped;
        let bytes = self.catalogue.extent(old).await.unwrap();
        (Move { job, old, new, state }, self.backend.read_back(&bytes))
    }
}
