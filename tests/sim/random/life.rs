//! One life of respoold, as it runs: what it takes over, the jobs that go on, the upkeep it does by itself, and the
//! clients and operators who meet in it.

use super::actors;
use super::catalogue::Line;
use super::disk::ShakyDisk;
use super::scenario::Actor;
use super::world::World;
use crate::catalogue::Overheard;
use crate::chance::{Chance, mix};
use crate::robot;
use crate::universe::Crash;
use dss::mint;
use dss::model::{AdmState, Family, Generation, Holder, HolderId, Medium};
use lrs::core::DriveId;
use lrs::ldm::disk::Disk;
use lrs::ldm::faults::FaultPlan;
use lrs::ldm::fs::{Volume, dir};
use lrs::ldm::library::Terms;
use lrs::ldm::{Fault, MediaError, MediaResult, Op};
use lrs::service::{AgeClock, Berth, Drives, Lrs, Mounter, Pace, Settings};
use respool::config::Config;
use respool::daemon::activity::Activity;
use respool::daemon::devices;
use respool::daemon::libraries::Libraries;
use respool::daemon::runner::Runner;
use respool::daemon::upkeep;
use respool::engine;
use respool::host::Host;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A drive begins its next command after fewer milliseconds than this.
const SLOWEST: usize = 5;
/// How long jobs have to hand over, and the scheduler to end.
const FAREWELL: Duration = Duration::from_secs(80);

#[derive(Clone)]
pub struct Life {
    pub world: Arc<World>,
    pub host: Arc<Host>,
    pub jobs: Runner,
    pub libraries: Arc<Libraries>,
    holder: Holder,
}

struct Devices {
    world: Arc<World>,
    /// Respoold's own, for tapes.
    tapes: devices::Devices,
}

impl Mounter for Devices {
    fn mount(&self, medium: &Medium, berth: &Berth) -> MediaResult<Box<dyn Volume>> {
        match medium.family {
            Family::Dir => mount(&self.world, medium),
            Family::Tape => self.tapes.mount(medium, berth),
        }
    }

    fn unmount(&self, drive: &DriveId) -> MediaResult<()> {
        self.tapes.unmount(drive)
    }

    fn disk(&self, _name: &str, path: &Path) -> MediaResult<Box<dyn Disk>> {
        let path = path.to_string_lossy();
        let slot = path.rsplit('/').next().unwrap_or_default();
        Ok(Box::new(disk_at(&self.world, slot, &path)?))
    }
}

fn disk_at(world: &Arc<World>, name: &str, path: &str) -> MediaResult<ShakyDisk> {
    ShakyDisk::open_at(world, name).map_err(|error| MediaError {
        op: Op::Mount,
        medium: name.to_owned(),
        at: Some(path.to_owned()),
        fault: Fault::Io(error),
    })
}

/// Mounts a disk as respoold does.
pub fn mount(world: &Arc<World>, medium: &Medium) -> MediaResult<Box<dyn Volume>> {
    let generation = medium.generation;
    let generations = match medium.adm_state {
        AdmState::Erasing => vec![generation, Generation(generation.0 - 1)],
        _ => vec![generation],
    };
    let expected = dir::Expected {
        medium: medium.id,
        name: medium.name.clone(),
        generations,
        capacity: medium.capacity,
    };
    let disk = disk_at(world, &medium.name, &medium.location.path)?;
    dir::mount(Box::new(disk), expected)
}

struct Paces(Mutex<Chance>);

impl Pace for Paces {
    fn pause(&self, _drive: &str) -> Duration {
        let millis = self.0.lock().unwrap_or_else(PoisonError::into_inner).below(SLOWEST);
        Duration::from_millis(millis as u64)
    }
}

/// Runs one life until its work is done or it ends. What is left of it goes with the runtime.
pub fn live(world: &Arc<World>, config: &Config, end: Option<(u64, Crash)>, work: impl AsyncFnOnce(&Life)) {
    let ids = Arc::clone(world);
    let _minting = mint::from(move || ids.fresh_id());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        world.begin_life(end);
        let life = Life::begin(world, config);
        tokio::select! {
            biased;
            () = world.death() => {}
            () = work(&life) => world.end_now(Crash::Kill),
        }
    });
}

impl Life {
    fn begin(world: &Arc<World>, config: &Config) -> Self {
        let lives = u64::from(world.inner().run.lives());
        let holder = Holder {
            id: HolderId::fresh(),
            seat: "ours".to_owned(),
        };
        let pace = Chance::new(mix(world.seed, 10_000 + lives));
        let settings = Settings {
            holder: holder.clone(),
            lease_seconds: config.daemon.lease_seconds,
            margin_seconds: config.daemon.lease_seconds,
            drives: Drives::Tasks(Arc::new(Paces(Mutex::new(pace)))),
        };
        let clock: Arc<dyn AgeClock> = world.clone();
        let catalogue = Arc::new(Overheard {
            catalogue: Arc::clone(&world.catalogue),
            ear: Arc::new(Line::new(world, Chance::new(mix(world.seed, 20_000 + lives)))),
        });
        let libraries = Arc::new(Libraries::new(Terms::usual(robot::key())));
        let devices = Arc::new(Devices {
            world: Arc::clone(world),
            tapes: devices::Devices::new(FaultPlan::none(), Arc::clone(&libraries), (clock.clone(), world.id)),
        });
        let host = Arc::new(Host {
            catalogue: catalogue.clone(),
            lrs: Lrs::start(settings, catalogue, devices, clock.clone()),
            clock,
            checkpoints: world.checkpoints(),
            config: Arc::new(config.clone()),
            spool: Default::default(),
            catalogue_id: world.id,
            stopping: Default::default(),
        });
        Self {
            world: Arc::clone(world),
            jobs: Runner::new(Arc::clone(&host), Activity::new()),
            host,
            libraries,
            holder,
        }
    }

    /// What respoold does before it takes requests, and begins to do by itself. Without the catalogue it does not start,
    /// and is started again.
    pub async fn start(&self) {
        while let Err(problem) = self.take_over().await {
            self.world.say(|| format!("respoold does not start: {problem}"));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::spawn(upkeep::run(Arc::clone(&self.host), self.jobs.clone()));
        tokio::spawn(upkeep::sweep(Arc::clone(&self.host)));
        let host = Arc::clone(&self.host);
        tokio::spawn(async move {
            // They stay fenced until the next start.
            let _ = engine::erase_fenced(&host).await;
        });
    }

    async fn take_over(&self) -> Result<(), respool::api::Problem> {
        self.open_library().await?;
        engine::take_over(&self.host, &self.holder).await?;
        for job in engine::unfinished(&self.host).await? {
            self.jobs.start(job);
        }
        Ok(())
    }

    /// Everybody acts, beside each other, until all have.
    pub async fn act(self: &Arc<Self>, actors: Vec<Actor>) {
        let acting: Vec<_> = actors
            .into_iter()
            .enumerate()
            .map(|(number, actor)| tokio::spawn(actors::run(Arc::clone(self), number, actor)))
            .collect();
        for one in acting {
            // A panic is told by the hook.
            let _ = one.await;
        }
    }

    /// Leaves in order.
    pub async fn stop(&self) {
        self.host.stopping.cancel();
        self.jobs.hand_over(FAREWELL).await;
        let _ = tokio::time::timeout(FAREWELL, self.host.lrs.stop()).await;
    }
}
