//! A host whose media are real directories, with a drill's faults below them.

use crate::choosy::{Choosy, Refusals};
use bytes::Bytes;
use dss::catalogue::{Catalogue, ExtentFilter, MediumChange, NewMedium, Overwrite, Page};
use dss::mem::MemCatalogue;
use dss::model::{
    AdmState, Blake3, ByteCount, CatalogueId, Checkpoints, Extent, ExtentState, Family, FsState, Generation, Holder,
    HolderId, Job, JobKind, JobSpec, Location, Medium, MediumId, Metadata, NoDrill, Oid, Quarantine, Revision, Step,
    VerifyMode, Version,
};
use jiff::Timestamp;
use lrs::ldm::MediaResult;
use lrs::ldm::faults::{FaultPlan, FaultyDisk};
use lrs::ldm::fs::{Label, Volume, dir};
use lrs::ldm::spool::SpoolPlace;
use lrs::service::{AgeClock, Berth, Drives, Lrs, Mounter, Settings};
use respool::api::requests::{PutHeader, StreamEnd};
use respool::config::Config;
use respool::engine::{self, Controls};
use respool::host::Host;
use respool::repack::machine::Stop;
use respool::store::put::{PutFrame, PutOptions, PutSession};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

#[derive(Clone)]
struct Devices {
    faults: FaultPlan,
    refusals: Refusals,
}

impl Mounter for Devices {
    fn mount(&self, medium: &Medium, _berth: &Berth) -> MediaResult<Box<dyn Volume>> {
        let generation = medium.generation;
        let generations = match medium.adm_state {
            AdmState::Erasing => vec![generation, Generation(generation.0 - 1)],
            _ => vec![generation],
        };
        let disk = dir::open_disk(&medium.name, Path::new(&medium.location.path))?;
        let faults = self.faults.clone();
        let expected = dir::Expected {
            medium: medium.id,
            name: medium.name.clone(),
            generations,
            capacity: medium.capacity,
        };
        let volume = dir::mount(Box::new(FaultyDisk::new(disk, faults, &medium.name)), expected)?;
        Ok(Box::new(Choosy::new(volume, self.refusals.clone())))
    }
}

/// One second later whenever it is asked.
#[derive(Default)]
pub struct Ticking(AtomicI64);

impl AgeClock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + self.0.fetch_add(1, Ordering::Relaxed)).unwrap()
    }
}

impl Ticking {
    /// As when somebody sets the host's clock.
    pub fn jump(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

type Hook = Box<dyn FnMut(Step) + Send>;

/// Lets a test do something at a named step.
#[derive(Default)]
pub struct Hooks(Mutex<Option<Hook>>);

impl Checkpoints for Hooks {
    fn reach(&self, step: Step) {
        // One that ends a drive panics.
        if let Some(hook) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            hook(step);
        }
    }
}

pub struct Rig {
    pub clock: Arc<Ticking>,
    /// What media refuse for what is said of it.
    pub refusals: Refusals,
    pub hooks: Arc<Hooks>,
    pub host: Arc<Host>,
    pub catalogue: Arc<MemCatalogue>,
    pub folder: tempfile::TempDir,
}

fn start(
    catalogue: &Arc<MemCatalogue>,
    (faults, refusals): (FaultPlan, Refusals),
    clock: Arc<dyn AgeClock>,
    config: Arc<Config>,
    catalogue_id: CatalogueId,
    checkpoints: Arc<Hooks>,
) -> Arc<Host> {
    let settings = Settings {
        holder: Holder {
            id: HolderId::fresh(),
            seat: "test".to_owned(),
        },
        lease_seconds: 60,
        margin_seconds: 1,
        drives: Drives::Threads,
    };
    let lrs = Lrs::start(
        settings,
        catalogue.clone(),
        Arc::new(Devices {
            faults: faults.clone(),
            refusals,
        }),
        clock.clone(),
    );
    Arc::new(Host {
        catalogue: catalogue.clone(),
        lrs,
        clock,
        checkpoints,
        config,
        catalogue_id,
        spool: SpoolPlace::in_memory(faults),
        stopping: Default::default(),
    })
}

impl Rig {
    pub async fn new(media: &[&str]) -> Self {
        let mut config = Config::default();
        config.repack.sync_bytes = ByteCount(1 << 20);
        config.repack.batch_extents = 16;
        let id = CatalogueId::fresh();
        let catalogue = Arc::new(MemCatalogue::new(id, true, Arc::new(NoDrill)));
        let clock = Arc::new(Ticking::default());
        let hooks = Arc::new(Hooks::default());
        let refusals = Refusals::default();
        let host = start(
            &catalogue,
            (FaultPlan::none(), refusals.clone()),
            clock.clone(),
            Arc::new(config),
            id,
            hooks.clone(),
        );
        let folder = tempfile::tempdir().unwrap();
        let rig = Self {
            clock,
            refusals,
            hooks,
            host,
            catalogue,
            folder,
        };
        for name in media {
            rig.add(name, None).await;
        }
        rig
    }

    /// As after a restart of respoold with other faults: another life in the same seat.
    pub async fn restarted(self, toml: &str) -> Self {
        self.host.lrs.stop().await;
        let faults = FaultPlan::parse(toml, "drill.toml").unwrap();
        let Self {
            clock,
            refusals,
            hooks,
            host,
            catalogue,
            folder,
        } = self;
        let (config, id) = (host.config.clone(), host.catalogue_id);
        let faulty = (faults, refusals.clone());
        let host = start(&catalogue, faulty, clock.clone(), config, id, hooks.clone());
        Self {
            clock,
            refusals,
            hooks,
            host,
            catalogue,
            folder,
        }
    }

    /// Does something at every step from now on.
    pub fn at_steps(&self, hook: impl FnMut(Step) + Send + 'static) {
        *self.hooks.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn add(&self, name: &str, capacity: Option<u64>) -> MediumId {
        self.add_in(name, capacity, None).await
    }

    /// A disk in a dock, which holds one at a time.
    pub async fn add_in(&self, name: &str, capacity: Option<u64>, dock: Option<&str>) -> MediumId {
        let (id, now) = (MediumId::fresh(), self.host.clock.now());
        std::fs::create_dir(self.path(name)).unwrap();
        let medium = NewMedium {
            id,
            name: name.to_owned(),
            family: Family::Dir,
            technology: "dir".to_owned(),
            location: Location {
                path: self.path(name).to_str().unwrap().to_owned(),
                dock: dock.map(str::to_owned),
                library: None,
            },
            tags: BTreeSet::new(),
            class: None,
            capacity: capacity.map(ByteCount),
        };
        self.catalogue.add_medium(medium, now).await.unwrap();
        let label = Label {
            format: dir::FORMAT.to_owned(),
            medium: id,
            name: name.to_owned(),
            generation: Generation(0),
            catalogue: self.host.catalogue_id,
            revision: Revision(0),
            created_at: now,
        };
        dir::format(dir::open_disk(name, &self.path(name)).unwrap(), &label).unwrap();
        self.change(name, |change| change.fs_state = Some(FsState::Empty)).await;
        id
    }

    pub async fn change(&self, name: &str, how: impl FnOnce(&mut MediumChange)) {
        let id = self.medium(name).await.id;
        let mut change = MediumChange {
            why: "test".to_owned(),
            ..MediumChange::default()
        };
        how(&mut change);
        let now = self.host.clock.now();
        self.catalogue.change_medium(id, change, now).await.unwrap();
        self.host.lrs.medium_changed(id).await.unwrap();
    }

    pub async fn medium(&self, name: &str) -> Medium {
        self.catalogue.medium(name).await.unwrap()
    }

    /// Stores objects; with one medium unlocked at a time the test decides where they go.
    pub async fn put(&self, objects: &BTreeMap<String, Vec<u8>>, copies: u8) {
        let mut session = PutSession::begin(&self.host, PutOptions::default());
        let mut results = vec![];
        for (name, bytes) in objects {
            for frame in frames(name, bytes, copies) {
                results.extend(session.feed(frame).await.unwrap());
            }
        }
        results.extend(session.finish().await);
        for result in results {
            result.outcome.unwrap();
        }
    }

    pub async fn get(&self, name: &str, version: Option<i32>) -> Vec<u8> {
        let oid = Oid::new(name).unwrap();
        let mut stream = respool::store::get::open(&self.host, &oid, version.map(Version))
            .await
            .unwrap();
        let mut all = vec![];
        while let Some(piece) = stream.next().await {
            all.extend_from_slice(&piece.unwrap());
        }
        all
    }

    pub async fn all_are_there(&self, objects: &BTreeMap<String, Vec<u8>>) {
        for (name, bytes) in objects {
            assert!(self.get(name, None).await == *bytes, "{name} differs");
        }
        assert_eq!(self.catalogue.violations(), []);
        let pending = self.extents(None, Some(ExtentState::Pending)).await;
        assert!(pending.is_empty(), "{pending:?}");
    }

    pub async fn extents(&self, medium: Option<&str>, state: Option<ExtentState>) -> Vec<Extent> {
        let medium = match medium {
            Some(name) => Some(self.medium(name).await.id),
            None => None,
        };
        let filter = ExtentFilter {
            medium,
            state,
            ..ExtentFilter::default()
        };
        let page = Page {
            after: None,
            limit: 100_000,
        };
        self.catalogue.extents(&filter, page).await.unwrap()
    }

    pub async fn spec(&self, source: &str) -> JobSpec {
        JobSpec {
            sources: vec![self.medium(source).await.id],
            only: BTreeSet::new(),
            to: None,
            to_tags: BTreeSet::new(),
            quarantine: Quarantine::None,
            verify: VerifyMode::Full,
            drop_deleted: false,
            limit_bytes: None,
            limit_seconds: None,
        }
    }

    pub async fn repack(&self, spec: JobSpec) -> Job {
        let job = engine::submit(&self.host, JobKind::Repack, spec).await.unwrap();
        self.run(job).await
    }

    pub async fn run(&self, job: Job) -> Job {
        let (_keep, stop) = watch::channel(None);
        self.run_until(job, stop).await
    }

    pub async fn run_until(&self, job: Job, stop: watch::Receiver<Option<Stop>>) -> Job {
        let (tally, _watching) = watch::channel(job.tally.clone());
        let running = engine::run(&self.host, job.id, Controls { stop, tally });
        tokio::time::timeout(std::time::Duration::from_secs(60), running)
            .await
            .expect("the job comes to rest")
            .unwrap()
    }
}

pub fn frames(name: &str, bytes: &[u8], copies: u8) -> Vec<PutFrame> {
    let header = PutHeader {
        oid: Oid::new(name).unwrap(),
        bytes: ByteCount(bytes.len() as u64),
        copies: Some(copies),
        overwrite: Overwrite::Refuse,
        tags: BTreeSet::new(),
        grouping: None,
        metadata: Metadata::default(),
    };
    let mut frames = vec![PutFrame::Begin(Box::new(header))];
    frames.extend(
        bytes
            .chunks(300_000)
            .map(|piece| PutFrame::Data(Bytes::copy_from_slice(piece))),
    );
    frames.push(PutFrame::End(StreamEnd {
        bytes: ByteCount(bytes.len() as u64),
        blake3: Blake3(*blake3::hash(bytes).as_bytes()),
    }));
    frames
}

/// Objects of mixed sizes, the empty one among them.
pub fn objects(count: usize) -> BTreeMap<String, Vec<u8>> {
    let size = |n: usize| [0, 1, 4096, 70_000, 300_000][n % 5] + n;
    (0..count)
        .map(|n| {
            let bytes = (0..if n == 0 { 0 } else { size(n) })
                .map(|at| (at * 31 + n * 7) as u8)
                .collect();
            (format!("d/{n:04}"), bytes)
        })
        .collect()
}
