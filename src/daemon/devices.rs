//! Finds media for the scheduler, with a drill's faults below them.

use dss::model::{AdmState, Family, Generation, Medium};
use lrs::ldm::faults::{FaultPlan, FaultyDisk};
use lrs::ldm::fs::{Volume, dir};
use lrs::ldm::{Fault, MediaError, MediaResult, Op};
use lrs::service::{Berth, Mounter};
use std::path::Path;

/// Mounts this host's media.
pub struct Devices {
    faults: FaultPlan,
}

impl Devices {
    /// With a drill's faults, or with none.
    pub fn new(faults: FaultPlan) -> Self {
        Self { faults }
    }
}

impl Mounter for Devices {
    fn mount(&self, medium: &Medium, _berth: &Berth) -> MediaResult<Box<dyn Volume>> {
        match medium.family {
            Family::Dir => self.mount_dir(medium),
            Family::Tape => Err(MediaError {
                op: Op::Mount,
                medium: medium.name.clone(),
                at: None,
                fault: Fault::Unfit("this build drives no tapes".into()),
            }),
        }
    }
}

impl Devices {
    fn mount_dir(&self, medium: &Medium) -> MediaResult<Box<dyn Volume>> {
        let generation = medium.generation;
        let generations = match medium.adm_state {
            // Erased or not: a crash may have come before the new label.
            AdmState::Erasing => vec![generation, Generation(generation.0 - 1)],
            _ => vec![generation],
        };
        let expected = dir::Expected {
            medium: medium.id,
            name: medium.name.clone(),
            generations,
            capacity: medium.capacity,
        };
        let path = Path::new(&medium.location.path);
        let disk = dir::open_disk(&medium.name, path)?;
        if self.faults.is_empty() {
            return dir::mount(disk, expected);
        }
        let mut faulty = FaultyDisk::new(disk, self.faults.clone(), &medium.name);
        if let Some(dock) = &medium.location.dock {
            faulty = faulty.in_dock(dock);
        }
        dir::mount(Box::new(faulty), expected)
    }
}
