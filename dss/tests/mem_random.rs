//! No sequence of calls breaks an invariant of the catalogue in memory, or panics.

#[path = "mem_random/calls.rs"]
mod calls;
mod evidence;

use calls::{Call, call};
use dss::catalogue::*;
use dss::model::*;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

struct Run {
    catalogue: dss::mem::MemCatalogue,
    media: Vec<MediumId>,
    leases: BTreeMap<MediumId, Lease>,
    holder: Holder,
    session: SessionId,
    staged: Vec<NewObject>,
    swaps: BTreeMap<JobId, Vec<SwapEntry>>,
    names: u64,
    clock: i64,
}

const NAMES: [&str; 4] = ["a", "b", "c/d", "c"];

fn hold(word: u8, now: Timestamp) -> Hold {
    match word {
        0 => Hold::None,
        1 => Hold::Until(now),
        _ => Hold::Forever,
    }
}

impl Run {
    async fn new() -> Self {
        let catalogue = dss::mem::MemCatalogue::new(CatalogueId::fresh(), true, Arc::new(NoDrill));
        let mut run = Self {
            catalogue,
            media: Vec::new(),
            leases: BTreeMap::new(),
            holder: Holder {
                id: HolderId::fresh(),
                seat: "seat".to_owned(),
            },
            session: SessionId::fresh(),
            staged: Vec::new(),
            swaps: BTreeMap::new(),
            names: 0,
            clock: 0,
        };
        for name in ["one", "two", "three", "four"] {
            let medium = NewMedium {
                id: MediumId::fresh(),
                name: name.to_owned(),
                family: Family::Dir,
                technology: "dir".to_owned(),
                location: Location {
                    path: format!("/{name}"),
                    dock: None,
                    library: None,
                },
                tags: BTreeSet::new(),
                class: None,
                capacity: None,
            };
            let medium = run.catalogue.add_medium(medium, run.now()).await.unwrap();
            run.media.push(medium.id);
            run.lease(medium.id).await;
        }
        run
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + self.clock).unwrap()
    }
    fn medium(&self, index: &Index) -> MediumId {
        *index.get(&self.media)
    }
    fn epochs(&self) -> BTreeMap<MediumId, Epoch> {
        self.leases
            .iter()
            .map(|(medium, lease)| (*medium, lease.epoch))
            .collect()
    }
    async fn lease(&mut self, medium: MediumId) {
        let resource = Resource::Medium(medium);
        let lease = self
            .catalogue
            .take_lease(&resource, &self.holder, 60, 30, self.now())
            .await
            .unwrap();
        self.leases.insert(medium, lease);
    }
    async fn job(&self, index: &Index) -> Option<JobId> {
        let jobs = self.catalogue.jobs(100).await.unwrap();
        (!jobs.is_empty()).then(|| index.get(&jobs).id)
    }
    async fn extents(&self, filter: ExtentFilter) -> Vec<Extent> {
        let page = Page {
            after: None,
            limit: 10_000,
        };
        self.catalogue.extents(&filter, page).await.unwrap()
    }
    async fn moves(&self, job: JobId) -> Vec<Move> {
        let page = Page {
            after: None,
            limit: 10_000,
        };
        self.catalogue.moves(job, MoveState::ALL, page).await.unwrap()
    }

    async fn new_extent(&mut self, origin: Origin, medium: MediumId, bytes: &[u8], known: bool) -> NewExtent {
        self.names += 1;
        NewExtent {
            id: ExtentId::fresh(),
            // Every third name was used before, on some medium at some time.
            address: Address(format!("objects/{}", self.names - self.names / 3)),
            origin,
            medium,
            generation: self.catalogue.medium_by_id(medium).await.unwrap().generation,
            bytes: ByteCount(bytes.len() as u64),
            digests: known.then(|| Digests::of(bytes)),
        }
    }

    async fn record_put(&mut self, name: u8, media: &[Index], empty: bool) {
        let oid = Oid::new(NAMES[usize::from(name)]).unwrap();
        let object = ObjectId::fresh();
        let bytes: &[u8] = if empty { b"" } else { b"bytes" };
        let version = self.catalogue.versions(std::slice::from_ref(&oid)).await.unwrap()[0].next;
        let mut extents = Vec::new();
        for (copy, medium) in media.iter().enumerate() {
            let origin = Origin {
                object,
                oid: oid.clone(),
                version,
                copy: CopyNo(copy as i16),
                index: ExtentIndex(0),
            };
            let medium = self.medium(medium);
            extents.push(self.new_extent(origin, medium, bytes, false).await);
        }
        let epochs = self.epochs();
        let Ok(recorded) = self
            .catalogue
            .record_put(self.session, extents, &epochs, self.now())
            .await
        else {
            return;
        };
        let place = |recorded: &Recorded| object::Place {
            copy: recorded.extent().origin.copy,
            index: ExtentIndex(0),
        };
        let places = recorded
            .into_iter()
            .map(|one| (place(&one), evidence::synced(one, bytes)));
        self.staged.push(NewObject {
            object: Object {
                id: object,
                oid,
                version,
                bytes: ByteCount(bytes.len() as u64),
                copies: CopyNo(media.len() as i16),
                grouping: Some(format!("group {name}")),
                metadata: Metadata::default(),
                created_at: self.now(),
                deleted_at: None,
            },
            overwrite: Overwrite::Refuse,
            places: places.collect(),
        });
    }

    async fn record_move(&mut self, job: JobId, old: &Index, target: &Index) {
        let sources = self.catalogue.job(job).await.unwrap().spec.sources;
        let mut live = self.extents(ExtentFilter::default()).await;
        live.retain(|extent| sources.contains(&extent.medium));
        if live.is_empty() {
            return;
        }
        let old = old.get(&live).clone();
        let bytes: &[u8] = if old.bytes == ByteCount(0) { b"" } else { b"bytes" };
        let target = self.medium(target);
        let new = self.new_extent(old.origin.clone(), target, bytes, true).await;
        let moves = vec![MoveIntent { old: old.id, new }];
        let epochs = self.epochs();
        if let Ok(recorded) = self.catalogue.record_moves(job, moves, &epochs, self.now()).await {
            let entries = recorded.into_iter().map(|one| SwapEntry {
                old: old.id,
                new: evidence::synced(one, bytes),
            });
            self.swaps.entry(job).or_default().extend(entries);
        }
    }

    async fn import(&mut self, medium: MediumId, from: &[Index], adopt: bool, fresh: bool) {
        let known = self.extents(ExtentFilter::default()).await;
        let mut found = Vec::new();
        for index in from {
            let Some(extent) = (!known.is_empty()).then(|| index.get(&known)) else {
                return;
            };
            let bytes: &[u8] = if extent.bytes == ByteCount(0) { b"" } else { b"bytes" };
            let mut origin = extent.origin.clone();
            if fresh {
                origin.object = ObjectId::fresh();
                origin.version = Version(origin.version.0 + 1);
            }
            let new = self.new_extent(origin, medium, bytes, true).await;
            found.push(Found {
                extent: if adopt { new.id } else { extent.id },
                origin: new.origin,
                address: new.address,
                digests: new.digests.unwrap(),
                inode: None,
                span: None,
                header: ObjectHeader {
                    bytes: new.bytes,
                    copies: CopyNo(2),
                    copy_extents: 1,
                    grouping: None,
                    metadata: Metadata::default(),
                    created_at: self.now(),
                },
                read: Some(self.now()),
            });
        }
        let adopt = if adopt { Adopt::Yes } else { Adopt::No };
        let _ = self.catalogue.import(medium, found, adopt, self.now()).await;
    }

    /// Refusals are as good as answers here: what counts is what the catalogue holds afterwards.
    async fn make(&mut self, call: Call) {
        let now = self.now();
        match call {
            Call::RecordPut { name, media, empty } => self.record_put(name, &media, empty).await,
            Call::CommitPuts { overwrite } => {
                let mut staged = std::mem::take(&mut self.staged);
                for object in staged.iter_mut().filter(|_| overwrite) {
                    object.overwrite = Overwrite::NewVersion;
                }
                let _ = self.catalogue.commit_put(staged, now).await.unwrap();
            }
            Call::AbandonPuts => drop(
                self.catalogue
                    .abandon(Owner::Put(self.session), None, now)
                    .await
                    .unwrap(),
            ),
            Call::Delete(name) => {
                let oid = Oid::new(NAMES[usize::from(name)]).unwrap();
                let _ = self.catalogue.delete_object(&oid, now).await;
            }
            Call::Undelete(name) => {
                let oid = Oid::new(NAMES[usize::from(name)]).unwrap();
                let _ = self.catalogue.undelete_object(&oid, now).await;
            }
            Call::Purge => drop(self.catalogue.purge(now, 2, now).await.unwrap()),
            Call::CreateJob { sources, drop_deleted } => {
                let spec = JobSpec {
                    sources: sources.iter().map(|index| self.medium(index)).collect(),
                    only: BTreeSet::new(),
                    to: None,
                    to_tags: BTreeSet::new(),
                    quarantine: Quarantine::None,
                    verify: VerifyMode::Full,
                    drop_deleted,
                    limit_bytes: None,
                    limit_seconds: None,
                };
                let _ = self.catalogue.create_job(JobKind::Repack, spec, now).await;
            }
            Call::Sweep(medium) => {
                let medium = medium.map(|medium| self.medium(&medium));
                self.catalogue.sweep_pending(medium, now).await.unwrap();
            }
            Call::Later(seconds) => self.clock += i64::from(seconds),
            Call::Lease(medium) => self.lease(self.medium(&medium)).await,
            Call::Release(medium) => {
                let lease = &self.leases[&self.medium(&medium)];
                self.catalogue.release_lease(lease).await.unwrap();
            }
            Call::Import {
                medium,
                from,
                adopt,
                fresh,
            } => self.import(self.medium(&medium), &from, adopt, fresh).await,
            Call::ForgetOrphans(medium) => {
                let medium = self.medium(&medium);
                let gone = self
                    .catalogue
                    .removable(medium, Page { after: None, limit: 3 }, now)
                    .await
                    .unwrap();
                let ids: Vec<_> = gone.iter().map(|extent| extent.id).collect();
                if let Some(first) = gone.first() {
                    let forgotten = self
                        .catalogue
                        .forget_orphans(medium, first.generation, &ids)
                        .await
                        .unwrap();
                    assert_eq!(forgotten, ids.len() as u64);
                }
            }
            Call::Change { medium, to, locked } => {
                let change = MediumChange {
                    adm_state: Some(*to.get(AdmState::ALL)),
                    locked: Some(locked && to.index(3) == 0),
                    ..MediumChange::default()
                };
                let _ = self.catalogue.change_medium(self.medium(&medium), change, now).await;
            }
            Call::Suspect(medium) => self.catalogue.suspect(self.medium(&medium), "why", now).await.unwrap(),
            Call::Fence {
                medium,
                job,
                drop_deleted,
            } => {
                let medium = self.medium(&medium);
                let job = match job {
                    Some(index) => self.job(&index).await,
                    None => None,
                };
                let epoch = self.leases[&medium].epoch;
                let _ = self.catalogue.fence_medium(medium, job, drop_deleted, epoch, now).await;
            }
            Call::FinishErase(medium) => {
                let medium = self.medium(&medium);
                let generation = self.catalogue.medium_by_id(medium).await.unwrap().generation;
                let _ = self.catalogue.finish_erase(medium, generation, now).await;
            }
            of_a_job => self.make_of_a_job(of_a_job, now).await,
        }
    }

    async fn make_of_a_job(&mut self, call: Call, now: Timestamp) {
        let (Call::Advance { job, .. }
        | Call::RecordMove { job, .. }
        | Call::Swap { job, .. }
        | Call::Return { job, .. }
        | Call::ReadBack { job, .. }
        | Call::Quarantine { job, .. }
        | Call::EndQuarantine(job)) = &call
        else {
            unreachable!("{call:?} is made above");
        };
        let Some(job) = self.job(job).await else { return };
        match &call {
            Call::Advance { to, .. } => {
                let (to, tally) = (*to.get(JobState::ALL), Tally::default());
                let _ = self
                    .catalogue
                    .advance_job(job, JobState::ALL, to, &tally, None, now)
                    .await;
            }
            Call::RecordMove { old, target, .. } => self.record_move(job, old, target).await,
            Call::Swap { hold: word, .. } => {
                let entries = self.swaps.remove(&job).unwrap_or_default();
                let hold = hold(*word, now);
                let _ = self.catalogue.swap_batch(SwapTerms { job, hold, now }, &entries).await;
            }
            Call::Return { which, .. } | Call::ReadBack { which, .. } => {
                let moves = self.moves(job).await;
                if moves.is_empty() {
                    return;
                }
                let entry = which.get(&moves).clone();
                let back = matches!(call, Call::Return { .. });
                let Ok(extent) = self.catalogue.extent(if back { entry.old } else { entry.new }).await else {
                    return;
                };
                let proof = evidence::read_back(&extent);
                if back {
                    let _ = self.catalogue.return_batch(job, &[(entry, proof)], now).await;
                } else {
                    let row = self.catalogue.medium_by_id(extent.medium).await.unwrap();
                    self.catalogue.mark_read_back(job, &row, &[proof], now).await.unwrap();
                }
            }
            Call::Quarantine { medium, hold: word, .. } => {
                let _ = self
                    .catalogue
                    .quarantine(job, self.medium(medium), hold(*word, now), now)
                    .await;
            }
            _ => self.catalogue.end_quarantine(job, now).await.unwrap(),
        }
    }

    /// What I5 means to a user: the bytes of every live version are somewhere they may be read from.
    async fn must_be_sound(&self) {
        let found = self.catalogue.findings(self.now()).await.unwrap();
        // I5 holds unless all media that hold an object fail, which the calls here may say of any.
        let on_lost_media = |found: &Finding| found.invariant == "I5" && found.detail.contains("dead or failed");
        let errors = found.iter().filter(|found| found.severity == Severity::Error);
        let broken: Vec<_> = errors.filter(|found| !on_lost_media(found)).collect();
        assert!(broken.is_empty(), "{broken:#?}");
        for detail in self
            .catalogue
            .list_objects(&ObjectFilter::default(), None, 1_000)
            .await
            .unwrap()
        {
            assert!(!detail.entries.is_empty(), "{} has no copy", detail.object.oid);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_calls_breaks_an_invariant(calls in prop::collection::vec(call(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new().await;
            for call in calls {
                run.make(call).await;
                run.must_be_sound().await;
            }
        });
    }
}
