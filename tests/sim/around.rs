//! What is between a life and its universe: devices, drives' pace, whoever hears of the catalogue's calls, the config.
//! Calm surroundings let nothing go wrong; a simulation that wants trouble changes them.

use crate::catalogue::Ear;
use crate::chance::{Chance, mix};
use crate::disk::SimDisk;
use crate::universe::{Effect, Universe};
use async_trait::async_trait;
use dss::catalogue;
use dss::model::{AdmState, ByteCount, Family, Generation, Medium};
use lrs::core::DriveId;
use lrs::ldm::disk::Disk;
use lrs::ldm::fs::{Volume, dir};
use lrs::ldm::{Fault, MediaError, MediaResult, Op};
use lrs::service::{Berth, Mounter, Pace};
use nix::errno::Errno;
use respool::config::Config;
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A drive begins its next command after fewer milliseconds than this.
const SLOWEST: usize = 4;

/// Objects above this are written in several extents, as they come.
const EXTENT_MAX: u64 = 24 << 10;

/// Where disks are mounted.
pub const SHELF: &str = "/media/";

/// See the module's page.
#[derive(Clone)]
pub struct Surroundings {
    pub ear: Arc<dyn Ear>,
    /// What is put between a mount and its platter.
    pub disks: Wrap,
    pub pace: Arc<dyn Pace>,
    pub config: Config,
}

impl Surroundings {
    pub fn calm(universe: &Arc<Universe>) -> Self {
        let mut config = Config::default();
        config.store.extent_max_bytes = ByteCount(EXTENT_MAX);
        config.repack.sync_bytes = ByteCount(64 << 10);
        config.repack.batch_extents = 3;
        config.memory.chunk = ByteCount(16 << 10);
        config.memory.ring = ByteCount(64 << 10);
        Self {
            ear: Arc::new(Tells(Arc::clone(universe))),
            disks: Arc::new(|disk| Box::new(disk)),
            pace: Arc::new(Paces(Mutex::new(Chance::new(mix(universe.seed(), PACE))))),
            config,
        }
    }
}

/// What the seed of a universe is used for, beside its ids.
const PACE: u64 = 1;

/// Tells the universe of every call on the catalogue.
pub struct Tells(pub Arc<Universe>);

/// Calls that change nothing.
const LOOKS: [&str; 28] = [
    "identity",
    "findings",
    "events",
    "media",
    "medium",
    "medium_by_id",
    "usage",
    "used",
    "versions",
    "object",
    "object_by_id",
    "objects_by_id",
    "list_objects",
    "fallbacks",
    "doubtful",
    "headers",
    "references",
    "extent",
    "extents_by_id",
    "unindexed",
    "extents",
    "manifest",
    "removable",
    "job",
    "jobs",
    "active_jobs",
    "jobs_of_sources",
    "moves",
];

#[async_trait]
impl Ear for Tells {
    async fn before(&self, call: &'static str) -> catalogue::Result<()> {
        let effect = if LOOKS.contains(&call) {
            Effect::Look
        } else {
            Effect::Change
        };
        self.0.happens(effect, || format!("catalogue: before {call}"));
        Ok(())
    }

    async fn after(&self, call: &'static str, answer: &(dyn Debug + Sync)) -> catalogue::Result<()> {
        self.0.write(|| format!("catalogue: {call} answers {answer:?}"));
        self.0.happens(Effect::Look, || format!("catalogue: after {call}"));
        Ok(())
    }
}

/// Drives that take their time, as the seed says.
struct Paces(Mutex<Chance>);

impl Pace for Paces {
    fn pause(&self, _drive: &str) -> Duration {
        let millis = self.0.lock().unwrap_or_else(PoisonError::into_inner).below(SLOWEST);
        Duration::from_millis(millis as u64)
    }
}

/// Makes what a mount uses of the way to its platter.
type Wrap = Arc<dyn Fn(SimDisk) -> Box<dyn Disk> + Send + Sync>;

/// The disks of a universe, each below [`SHELF`], and its tapes, which respoold's own devices mount.
pub struct Devices {
    pub universe: Arc<Universe>,
    pub disks: Wrap,
    pub tapes: respool::daemon::devices::Devices,
}

impl Mounter for Devices {
    fn mount(&self, medium: &Medium, berth: &Berth) -> MediaResult<Box<dyn Volume>> {
        match medium.family {
            Family::Dir => self.mount_dir(medium),
            Family::Tape => self.tapes.mount(medium, berth),
        }
    }

    fn unmount(&self, drive: &DriveId) -> MediaResult<()> {
        self.tapes.unmount(drive)
    }

    fn disk(&self, name: &str, path: &Path) -> MediaResult<Box<dyn Disk>> {
        let disk = path.to_str().and_then(|path| path.strip_prefix(SHELF));
        let disk = disk.filter(|disk| self.universe.has_disk(disk));
        let disk = disk.ok_or_else(|| MediaError {
            op: Op::Load,
            medium: name.to_owned(),
            at: Some(path.display().to_string()),
            fault: Fault::Io(Errno::ENOENT),
        })?;
        Ok((self.disks)(SimDisk::new(&self.universe, disk)))
    }
}

impl Devices {
    pub fn mount_dir(&self, medium: &Medium) -> MediaResult<Box<dyn Volume>> {
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
        dir::mount(self.disk(&medium.name, Path::new(&medium.location.path))?, expected)
    }
}
