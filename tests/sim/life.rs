//! One life of respoold in a universe: starts, recovers as respoold does, serves, and ends with the runtime it is in.

use crate::around::{Devices, SHELF, Surroundings};
use crate::catalogue::Overheard;
use crate::disk::SimDisk;
use crate::robot;
use crate::universe::Universe;
use bytes::Bytes;
use dss::catalogue::{ExtentFilter, MediumChange, NewMedium, Overwrite, Page, Severity};
use dss::mint;
use dss::model::{
    Blake3, ByteCount, Extent, ExtentId, ExtentState, Family, FsState, Generation, Holder, HolderId, Job, JobId,
    JobKind, JobSpec, Location, Medium, MediumId, Metadata, Oid, Quarantine, Revision, VerifyMode, Version,
};
use jiff::SignedDuration;
use lrs::ldm::disk::{Disk, Role};
use lrs::ldm::faults::FaultPlan;
use lrs::ldm::fs::{Label, dir};
use lrs::ldm::library::Terms;
use lrs::service::{AgeClock, Drives, Lrs, Settings};
use respool::api::Problem;
use respool::api::requests::{PutHeader, StreamEnd};
use respool::daemon::devices;
use respool::daemon::libraries::Libraries;
use respool::engine::{self, Controls};
use respool::host::Host;
use respool::store::put::{PutFrame, PutOptions, PutResult, PutSession};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// No job of a simulation takes longer, by its own clock: then it waits for what never comes.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Runs one life to its end, where nothing goes wrong. Whatever it left undone is cut off with the runtime.
pub fn live<T>(universe: &Arc<Universe>, work: impl AsyncFnOnce(&Life) -> T) -> T {
    live_in(universe, Surroundings::calm(universe), work)
}

/// Runs one life to its end: one thread, a clock that goes on only when everybody waits, and ids and pauses that the
/// universe's seed decides. The same life in the same universe is the same to the last call.
pub fn live_in<T>(universe: &Arc<Universe>, around: Surroundings, work: impl AsyncFnOnce(&Life) -> T) -> T {
    let ids = Arc::clone(universe);
    let _minting = mint::from(move || ids.fresh_id());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        universe.begin_life();
        let life = Life::begin(universe, around);
        life.open_library().await;
        let answer = work(&life).await;
        universe.end_life();
        answer
    })
}

/// What may lie on media beside what is live, when all is at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Nothing,
    /// Bytes that are kept until a later time, or until somebody decides.
    HeldOrphans,
}

pub struct Life {
    pub universe: Arc<Universe>,
    pub host: Arc<Host>,
    pub libraries: Arc<Libraries>,
    devices: Arc<Devices>,
    holder: Holder,
}

impl Life {
    fn begin(universe: &Arc<Universe>, around: Surroundings) -> Self {
        let Surroundings {
            ear,
            disks,
            pace,
            config,
        } = around;
        let holder = Holder {
            id: HolderId::fresh(),
            seat: "sim".to_owned(),
        };
        let settings = Settings {
            holder: holder.clone(),
            lease_seconds: config.daemon.lease_seconds,
            margin_seconds: config.daemon.lease_seconds,
            drives: Drives::Tasks(pace),
        };
        let clock: Arc<dyn AgeClock> = universe.clone();
        let libraries = Arc::new(Libraries::new(Terms::usual(robot::key())));
        let devices = Arc::new(Devices {
            universe: Arc::clone(universe),
            disks,
            tapes: devices::Devices::new(FaultPlan::none(), Arc::clone(&libraries), (clock.clone(), universe.id)),
        });
        let catalogue = Arc::new(Overheard {
            catalogue: Arc::clone(&universe.catalogue),
            ear,
        });
        let host = Host {
            catalogue: catalogue.clone(),
            lrs: Lrs::start(settings, catalogue, devices.clone(), clock.clone()),
            clock,
            checkpoints: universe.checkpoints(),
            config: Arc::new(config),
            catalogue_id: universe.id,
            spool: Default::default(),
            stopping: Default::default(),
        };
        Self {
            universe: Arc::clone(universe),
            host: Arc::new(host),
            libraries,
            devices,
            holder,
        }
    }

    /// What respoold does by itself after it started.
    pub async fn recover(&self) -> Result<(), Problem> {
        engine::take_over(&self.host, &self.holder).await?;
        engine::erase_fenced(&self.host).await?;
        for job in engine::unfinished(&self.host).await? {
            self.run(job).await?;
        }
        self.upkeep().await?;
        engine::sweep(&self.host).await?;
        Ok(())
    }

    /// What respoold does by itself every few seconds.
    pub async fn upkeep(&self) -> Result<(), Problem> {
        for job in engine::reclaim_due(&self.host).await? {
            self.run(job).await?;
        }
        self.host.may_destroy_by_age().await?;
        let now = self.host.clock.now();
        let before = now - SignedDuration::try_from(self.host.config.store.undelete_window).unwrap();
        self.host.catalogue.purge(before, 1_000, now).await?;
        Ok(())
    }

    pub async fn add_medium(&self, name: &str) {
        self.add_medium_in(name, None).await;
    }

    /// A disk in a dock, which holds one at a time.
    pub async fn add_medium_in(&self, name: &str, dock: Option<&str>) {
        self.universe.add_disk(name);
        let (id, now) = (MediumId::fresh(), self.host.clock.now());
        let medium = NewMedium {
            id,
            name: name.to_owned(),
            family: Family::Dir,
            technology: "dir".to_owned(),
            location: Location {
                path: format!("{SHELF}{name}"),
                dock: dock.map(str::to_owned),
                library: None,
            },
            tags: BTreeSet::new(),
            class: None,
            capacity: None,
        };
        self.host.catalogue.add_medium(medium, now).await.unwrap();
        let label = Label {
            format: dir::FORMAT.to_owned(),
            medium: id,
            name: name.to_owned(),
            generation: Generation(0),
            catalogue: self.universe.id,
            revision: Revision(0),
            created_at: now,
        };
        dir::format(Box::new(SimDisk::new(&self.universe, name)), &label).unwrap();
        let change = MediumChange {
            fs_state: Some(FsState::Empty),
            why: "formatted".to_owned(),
            ..MediumChange::default()
        };
        self.host.catalogue.change_medium(id, change, now).await.unwrap();
    }

    /// Puts objects in one stream; the universe is told of each answer as it comes.
    pub async fn put(&self, objects: &[(&str, Vec<u8>)], copies: u8) {
        let mut session = PutSession::begin(&self.host, PutOptions::default());
        for (name, bytes) in objects {
            for frame in frames(header(name, bytes, copies), bytes) {
                self.hear(session.feed(frame).await.unwrap());
            }
        }
        self.hear(session.finish().await);
    }

    fn hear(&self, results: Vec<PutResult>) {
        for result in results {
            let stored = result.outcome.expect("an undisturbed put succeeds");
            let name = stored.object.oid.as_str().to_owned();
            self.universe.tell(|told| _ = told.stored.insert(name));
        }
    }

    pub async fn delete(&self, name: &str) {
        self.universe.tell(|told| _ = told.deleting.insert(name.to_owned()));
        respool::store::delete::delete(&self.host, &oid(name)).await.unwrap();
        self.universe.tell(|told| _ = told.deleted.insert(name.to_owned()));
    }

    pub async fn undelete(&self, name: &str) {
        self.universe.tell(|told| _ = told.undeleting.insert(name.to_owned()));
        respool::store::delete::undelete(&self.host, &oid(name)).await.unwrap();
        self.universe.tell(|told| _ = told.undeleted.insert(name.to_owned()));
    }

    pub async fn get(&self, name: &str, version: Option<Version>) -> Result<Vec<u8>, Problem> {
        let mut stream = respool::store::get::open(&self.host, &oid(name), version).await?;
        let mut all = Vec::new();
        while let Some(piece) = stream.next().await {
            all.extend_from_slice(&piece?);
        }
        Ok(all)
    }

    pub async fn spec(&self, source: &str, quarantine: Quarantine) -> JobSpec {
        JobSpec {
            sources: vec![self.medium(source).await.id],
            only: BTreeSet::new(),
            to: None,
            to_tags: BTreeSet::new(),
            quarantine,
            verify: VerifyMode::Full,
            drop_deleted: false,
            limit_bytes: None,
            limit_seconds: None,
        }
    }

    pub async fn submit(&self, source: &str, quarantine: Quarantine) -> Job {
        let spec = self.spec(source, quarantine).await;
        engine::submit(&self.host, JobKind::Repack, spec).await.unwrap()
    }

    pub async fn run(&self, id: JobId) -> Result<Job, Problem> {
        let (_keep, stop) = watch::channel(None);
        let (tally, _watching) = watch::channel(self.host.catalogue.job(id).await?.tally);
        let running = engine::run(&self.host, id, Controls { stop, tally });
        tokio::time::timeout(PATIENCE, running)
            .await
            .expect("the job comes to rest")
    }

    pub async fn medium(&self, name: &str) -> Medium {
        self.host.catalogue.medium(name).await.unwrap()
    }

    pub async fn extents(&self, medium: &Medium) -> Vec<Extent> {
        let filter = ExtentFilter {
            medium: Some(medium.id),
            ..ExtentFilter::default()
        };
        let page = Page {
            after: None,
            limit: 10_000,
        };
        self.host.catalogue.extents(&filter, page).await.unwrap()
    }

    /// What the catalogue calls *sync* is on its medium, whole, at every instant: also before anything is recovered (I1,
    /// I5). Bytes of a medium that is being erased are nobody's any more.
    pub async fn what_is_sync_is_there(&self) {
        self.what_is_sync_is_on_its_tape().await;
        for medium in self.media_of(Family::Dir).await {
            let rows = self.extents(&medium).await.into_iter();
            for row in rows.filter(|row| row.state == ExtentState::Sync) {
                let held = self.universe.content(&medium.name, &row.address.0);
                let held = held.map(|bytes| Blake3(*blake3::hash(&bytes).as_bytes()));
                let wanted = row.digests.as_ref().expect("a sync extent has digests").blake3;
                assert_eq!(
                    held,
                    Some(wanted),
                    "I1, I5: {} on {} is sync and not there",
                    row.address.0,
                    medium.name
                );
            }
        }
    }

    /// The catalogue is sound, and the media hold what it names and nothing else.
    pub async fn is_sound(&self, left: Left) {
        assert_eq!(self.universe.catalogue.violations(), []);
        let now = self.host.clock.now();
        let mut found = self.host.catalogue.findings(now).await.unwrap();
        found.retain(|finding| finding.severity == Severity::Error);
        assert_eq!(found, []);
        for medium in self.host.catalogue.media().await.unwrap() {
            let rows = self.extents(&medium).await;
            let is_left = |row: &&Extent| match (row.state, left) {
                (ExtentState::Sync, _) => false,
                // A tape gains nothing by being swept: its orphans go when it is erased.
                (ExtentState::Orphan, _) if medium.family == Family::Tape => false,
                (ExtentState::Orphan, Left::HeldOrphans) => row.hold.is_over(now),
                (ExtentState::Orphan | ExtentState::Pending, _) => true,
            };
            let left: Vec<&Extent> = rows.iter().filter(is_left).collect();
            assert!(left.is_empty(), "left on {}: {left:?}", medium.name);
            match medium.family {
                Family::Dir => self.holds_exactly(&medium, &rows),
                Family::Tape => self.tape_holds(&medium, &rows).await,
            }
        }
    }

    /// Every copy, not the one that a get happens to take: its file, its bytes, its line in the index, and no others.
    fn holds_exactly(&self, medium: &Medium, rows: &[Extent]) {
        let mut disk = SimDisk::new(&self.universe, &medium.name);
        let mut there = BTreeSet::new();
        disk.list("objects", &mut |name| _ = there.insert(format!("objects/{name}")))
            .unwrap();
        let named: BTreeSet<String> = rows.iter().map(|row| row.address.0.clone()).collect();
        assert_eq!(there, named, "files and rows of {} differ", medium.name);
        for row in rows {
            let file = disk.open(&row.address.0, &Role::Manifest).unwrap();
            let mut bytes = vec![0; usize::try_from(row.bytes.0).unwrap() + 1];
            let count = disk.read_at(file, 0, &mut bytes).unwrap();
            let digests = row.digests.as_ref().expect("an extent at rest has digests");
            let held = Blake3(*blake3::hash(&bytes[..count]).as_bytes());
            assert_eq!(
                (count as u64, held),
                (row.bytes.0, digests.blake3),
                "{} on {}",
                row.address.0,
                medium.name
            );
        }
        let mut volume = self.devices.mount_dir(medium).unwrap();
        let indexed: BTreeSet<ExtentId> = volume.index().unwrap().map(|entry| entry.unwrap().tag.extent).collect();
        let ids: BTreeSet<ExtentId> = rows.iter().map(|row| row.id).collect();
        assert_eq!(indexed, ids, "index and rows of {} differ", medium.name);
    }
}

pub fn oid(name: &str) -> Oid {
    Oid::new(name).unwrap()
}

/// What a client says of an object of which there is nothing to say.
pub fn header(name: &str, bytes: &[u8], copies: u8) -> PutHeader {
    PutHeader {
        oid: oid(name),
        bytes: ByteCount(bytes.len() as u64),
        copies: Some(copies),
        overwrite: Overwrite::Refuse,
        tags: BTreeSet::new(),
        grouping: None,
        metadata: Metadata::default(),
    }
}

/// What a client sends.
pub fn frames(header: PutHeader, bytes: &[u8]) -> Vec<PutFrame> {
    let mut frames = vec![PutFrame::Begin(Box::new(header))];
    let pieces = bytes.chunks(16 << 10).map(Bytes::copy_from_slice);
    frames.extend(pieces.map(PutFrame::Data));
    frames.push(PutFrame::End(StreamEnd {
        bytes: ByteCount(bytes.len() as u64),
        blake3: Blake3(*blake3::hash(bytes).as_bytes()),
    }));
    frames
}
