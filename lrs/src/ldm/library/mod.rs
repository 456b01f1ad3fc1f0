//! One library of this host, real or virtual: its arm, its bays, and cartridges by their barcodes. It brings a cartridge
//! into a bay, makes sure that it is the one, mounts what is on it, and takes it away again; it says what is where, what is on
//! a tape, and how a drive is.
//!
//! It decides nothing about what is loaded when. It must never load a cartridge of which it is not known which it is, take
//! one out from under a volume, or believe that a move which failed did nothing. Called by whoever mounts media, one thread
//! for each bay; questions may come from any.
//!
//! A claim on a bay is never waited for, and only one is held with the arm: nobody waits for another in a circle.

mod arm;
pub mod barcode;
mod bare;
mod bay;
mod checking;
mod error;
mod folder;
mod found;
mod host;
mod inventory;
mod loaded;
mod matching;
mod mounting;
mod moving;
mod opening;
mod spec;
mod status;
mod wires;
mod words;

pub use bare::Bare;
pub use checking::Checked;
pub use error::{LibraryError, LibraryResult, Trouble};
pub use found::{Found, Holds, Writing};
pub use inventory::{Inventory, Missing};
pub use loaded::{Loaded, Moved};
pub use spec::{NewLibrary, Spec, Terms};
pub use status::{BayState, BayView, DriveStatus};
pub use wires::{Patience, Wire, Wires};
pub use words::Now;

use crate::ldm::fs::ltfs::medium::SharedDrive;
use crate::ldm::virt::VirtualLibrary;
use arm::Arm;
use bay::{Bay, locked};
use nix::fcntl::Flock;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard};

/// A library.
pub struct Library {
    name: String,
    /// In order of their elements' addresses: drv0, drv1 and so on.
    bays: Vec<Bay>,
    arm: Mutex<Arm>,
    /// What was where when somebody looked last.
    last: Mutex<Arc<Inventory>>,
    /// Goes last: a folder is locked as long as anything of it is open.
    make: Make,
}

/// What a library is.
enum Make {
    /// A folder, and the lock on it.
    Virtual { model: VirtualLibrary, _alone: Flock<File> },
    /// Devices.
    Hardware,
}

impl Library {
    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Looks what is where. Waits for the arm.
    ///
    /// # Errors
    /// `Changer`.
    pub fn inventory(&self) -> LibraryResult<Arc<Inventory>> {
        self.told(|library| {
            let inventory = library.arm().look()?;
            Ok(library.keep(inventory))
        })
    }

    /// The same after the changer looked at all its slots. Takes minutes.
    ///
    /// # Errors
    /// `Changer`.
    pub fn scan(&self) -> LibraryResult<Arc<Inventory>> {
        self.told(|library| {
            let inventory = library.arm().scan()?;
            Ok(library.keep(inventory))
        })
    }

    /// What was where when somebody looked last. Waits for nobody.
    pub fn last_inventory(&self) -> Arc<Inventory> {
        locked(&self.last).clone()
    }

    /// The drive in a bay, as volumes share it. Whoever uses it knows what is in it.
    ///
    /// # Errors
    /// `NoSuchBay` or `Unreachable`.
    pub fn drive(&self, bay: &str) -> LibraryResult<SharedDrive> {
        self.told(|library| Ok(library.bay(bay)?.way()?.shared()))
    }

    /// The model below a virtual library, for drills and for what only a folder has.
    pub fn model(&self) -> Option<&VirtualLibrary> {
        match &self.make {
            Make::Virtual { model, .. } => Some(model),
            Make::Hardware => None,
        }
    }

    /// Does something, and says in which library it failed.
    fn told<R>(&self, work: impl FnOnce(&Self) -> Result<R, Trouble>) -> LibraryResult<R> {
        work(self).map_err(|trouble| LibraryError {
            library: self.name.clone(),
            trouble,
        })
    }

    fn arm(&self) -> MutexGuard<'_, Arm> {
        locked(&self.arm)
    }

    fn keep(&self, inventory: Inventory) -> Arc<Inventory> {
        let inventory = Arc::new(inventory);
        locked(&self.last).clone_from(&inventory);
        inventory
    }

    fn bay(&self, name: &str) -> Result<&Bay, Trouble> {
        let found = self.bays.iter().find(|bay| bay.name == name);
        found.ok_or_else(|| Trouble::NoSuchBay(name.to_owned()))
    }
}
