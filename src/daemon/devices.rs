//! Finds media for the scheduler, with a drill's faults below them.

use super::libraries::Libraries;
use dss::model::{AdmState, CatalogueId, Family, FsState, Generation, Medium, MediumFormat};
use jiff::Timestamp;
use lrs::core::DriveId;
use lrs::ldm::faults::{FaultPlan, FaultyDisk};
use lrs::ldm::fs::ltfs::foreign::ForeignExpected;
use lrs::ldm::fs::ltfs::medium::{self, Erasing};
use lrs::ldm::fs::{Volume, dir};
use lrs::ldm::library::{Bare, Library, LibraryError, LibraryResult, Trouble};
use lrs::ldm::{Fault, MediaError, MediaResult, Op};
use lrs::service::{AgeClock, Berth, Mounter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Mounts this host's media.
pub struct Devices {
    faults: FaultPlan,
    libraries: Arc<Libraries>,
    clock: Arc<dyn AgeClock>,
    catalogue: CatalogueId,
}

impl Devices {
    /// With a drill's faults, or with none.
    pub fn new(
        faults: FaultPlan,
        libraries: Arc<Libraries>,
        (clock, catalogue): (Arc<dyn AgeClock>, CatalogueId),
    ) -> Self {
        Self {
            faults,
            libraries,
            clock,
            catalogue,
        }
    }
}

impl Mounter for Devices {
    fn mount(&self, medium: &Medium, berth: &Berth) -> MediaResult<Box<dyn Volume>> {
        match medium.family {
            Family::Dir => self.mount_dir(medium),
            Family::Tape => self.mount_tape(medium, berth),
        }
    }

    fn unmount(&self, drive: &DriveId) -> MediaResult<()> {
        let DriveId::Bay { library, bay } = drive else {
            return Ok(());
        };
        let taken_out = self.libraries.get(library).and_then(|library| {
            library.unmount(bay)?;
            library.take_out(bay)
        });
        taken_out.map(drop).map_err(|error| error.into_media(Op::Unload, bay))
    }

    fn folder_of(&self, medium: &Medium) -> Option<PathBuf> {
        let library = medium.location.library.as_ref()?;
        self.libraries.get(library).ok()?.cartridge_path(&medium.location.path)
    }
}

/// Does something in a bay. What an earlier life of respoold left in it is put away first, which only its own barcode tells.
fn cleared<R>(library: &Library, bay: &str, work: impl Fn(&Library) -> LibraryResult<R>) -> LibraryResult<R> {
    match work(library) {
        Err(LibraryError {
            trouble: Trouble::Occupied { .. },
            ..
        }) => {
            library.take_out(bay)?;
            work(library)
        }
        done => done,
    }
}

/// Erased or not: a crash may have come before the new label.
fn generations(medium: &Medium) -> Vec<Generation> {
    let generation = medium.generation;
    match medium.adm_state {
        AdmState::Erasing => vec![generation, Generation(generation.0.saturating_sub(1))],
        AdmState::InService
        | AdmState::ReadOnly
        | AdmState::Draining
        | AdmState::AbandonShip
        | AdmState::Quarantined
        | AdmState::Retired
        | AdmState::Dead => vec![generation],
    }
}

/// The volume that was imported: the medium has its identity.
fn foreign(row: &Medium) -> ForeignExpected {
    ForeignExpected {
        medium: row.id,
        name: row.name.clone(),
        volume: row.id.0,
        generation: generations(row).last().copied().unwrap_or(row.generation),
        index_generation: None,
    }
}

impl Devices {
    fn mount_dir(&self, medium: &Medium) -> MediaResult<Box<dyn Volume>> {
        let expected = dir::Expected {
            medium: medium.id,
            name: medium.name.clone(),
            generations: generations(medium),
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

    fn mount_tape(&self, row: &Medium, berth: &Berth) -> MediaResult<Box<dyn Volume>> {
        let barcode = &row.location.path;
        let DriveId::Bay { library, bay } = &berth.drive else {
            let fault = Fault::Unfit(format!("{} is no drive of a library", berth.drive));
            return Err(MediaError {
                op: Op::Mount,
                medium: row.name.clone(),
                at: None,
                fault,
            });
        };
        let mounted = self.libraries.get(library).and_then(|library| match row.fs_state {
            // What it is, or becomes, is for whoever was granted it.
            FsState::Blank => {
                cleared(&library, bay, |library| library.put_in(bay, barcode))?;
                let bare: Box<dyn Volume> = Box::new(Bare::new(row.id, &row.name));
                Ok(bare)
            }
            FsState::Empty | FsState::Used | FsState::Full => {
                // Whoever mounts it anew has it mounted still: nobody works with that volume any more.
                library.unmount(bay)?;
                cleared(&library, bay, |library| self.mount_volume(library, bay, row, berth))
            }
        });
        mounted.map_err(|error| error.into_media(Op::Mount, &row.name))
    }

    fn mount_volume(
        &self,
        library: &Library,
        bay: &str,
        row: &Medium,
        berth: &Berth,
    ) -> LibraryResult<Box<dyn Volume>> {
        let barcode = &row.location.path;
        let ours = || library.mount(bay, barcode, self.expected(row, berth.durable_end));
        match (row.format, row.adm_state == AdmState::Erasing) {
            (MediumFormat::Respool, _) => ours(),
            (MediumFormat::Ltfs, false) => library.mount_foreign(bay, barcode, foreign(row)),
            // An erasure that was cut short may have come as far as a volume of ours, or to its middle.
            (MediumFormat::Ltfs, true) => ours().or_else(|error| {
                tracing::debug!(medium = %row.name, %error, "it is not one of ours yet");
                library.mount_foreign(bay, barcode, foreign(row))
            }),
        }
    }

    fn expected(&self, row: &Medium, least_end: u64) -> medium::Expected {
        let clock = Arc::clone(&self.clock);
        medium::Expected {
            medium: row.id,
            name: row.name.clone(),
            generations: generations(row),
            erasing: match row.adm_state {
                AdmState::Erasing => Erasing::Begun,
                AdmState::InService
                | AdmState::ReadOnly
                | AdmState::Draining
                | AdmState::AbandonShip
                | AdmState::Quarantined
                | AdmState::Retired
                | AdmState::Dead => Erasing::No,
            },
            least_end,
            catalogue: Some(self.catalogue),
            clock: Arc::new(move || -> Timestamp { clock.now() }),
        }
    }
}
