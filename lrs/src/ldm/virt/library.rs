//! The box: a folder with an inventory and a folder of each cartridge, drives that work at the same time, one arm.
//!
//! Each drive has a lock of its own; the box's is held while the arm moves, and takes a drive's then, never the other way
//! round.

use super::cartridge::{Card, Cartridge, FolderCartridge, SparseCartridge};
use super::changer::Changer;
use super::clock::Pace;
use super::drive::{Drive, Identity};
use super::faulting::Faults;
use super::handle::{DeviceTransport, lock};
use super::intake::{self, Stranger};
use super::inventory::{Content, Inventory, Kept, LibraryError, LibraryResult, LibrarySpec, check_barcode, io};
use super::sense::Say;
use super::technology::Technology;
use crate::ldm::faults::FaultPlan;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Where the cartridges' folders are.
const CARTRIDGES: &str = "cartridges";

/// How a library is to behave: its name in fault plans and messages, what goes wrong, and whether it takes its time.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    /// What the library is called.
    pub name: String,
    /// Names of the drives, in order; those that are missing are drv0 and so on.
    pub drives: Vec<String>,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// Whether it takes its time.
    pub pace: Pace,
}

/// A tape library in a folder, or in memory alone.
pub struct VirtualLibrary {
    /// None: all of it is in memory.
    pub(super) folder: Option<PathBuf>,
    pub(super) drives: Vec<Arc<Mutex<Drive>>>,
    pub(super) changer: Arc<Mutex<Changer>>,
    /// Held by whoever brings a cartridge in, which may take long: the arm moves meanwhile.
    pub(super) intake: Mutex<()>,
}

/// What the changer and the library share: the inventory, the drives, the folder, and the cartridges in memory that are in
/// no drive, by barcode.
pub(super) struct Frame {
    pub(super) folder: Option<PathBuf>,
    pub(super) inventory: Inventory,
    pub(super) drives: Vec<Arc<Mutex<Drive>>>,
    pub(super) shelf: BTreeMap<String, Box<dyn Cartridge>>,
}

impl Frame {
    /// Opens the folder of a cartridge.
    pub(super) fn open(&self, content: &Content) -> LibraryResult<Box<dyn Cartridge>> {
        let Some(folder) = &self.folder else {
            return Err(LibraryError::Unknown(content.barcode.clone()));
        };
        let path = cartridge_folder(folder, &content.barcode);
        let opened = FolderCartridge::open(&path, &content.barcode, content.technology);
        Ok(Box::new(opened.map_err(|error| io(&path, error.into()))?))
    }

    /// Keeps what is where from now on.
    pub(super) fn store(&self, next: &Inventory) -> LibraryResult<()> {
        self.folder.as_ref().map_or(Ok(()), |folder| next.store(folder))
    }

    /// The slot for a cartridge that the library does not have.
    fn room_for(&self, barcode: &str) -> LibraryResult<u16> {
        check_barcode(barcode)?;
        if self.inventory.kept(barcode).is_some() {
            return Err(LibraryError::Twice(barcode.to_owned()));
        }
        self.inventory.free_slot()
    }
}

impl VirtualLibrary {
    /// Whether a folder is one already.
    pub fn is_one(folder: &Path) -> bool {
        Inventory::lies_in(folder)
    }

    /// Makes an empty library in a folder that does not exist or is empty.
    pub fn create(folder: &Path, spec: &LibrarySpec) -> LibraryResult<()> {
        let inventory = Inventory::new(spec)?;
        let cartridges = folder.join(CARTRIDGES);
        std::fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
        std::fs::create_dir(&cartridges).map_err(|source| io(&cartridges, source))?;
        inventory.store(folder)
    }

    /// Opens a library, and powers it on: what lies in drives is threaded.
    pub fn open(folder: &Path) -> LibraryResult<Self> {
        Self::rehearse(folder, &Rehearsal::default())
    }

    /// The same with faults, names and time.
    pub fn rehearse(folder: &Path, rehearsal: &Rehearsal) -> LibraryResult<Self> {
        Self::of(Inventory::load(folder)?, Some(folder.to_owned()), rehearsal)
    }

    pub(super) fn of(inventory: Inventory, folder: Option<PathBuf>, rehearsal: &Rehearsal) -> LibraryResult<Self> {
        let name = if rehearsal.name.is_empty() {
            "library"
        } else {
            &rehearsal.name
        };
        let drive = |(number, serial): (usize, &String)| {
            let own = rehearsal.drives.get(number).cloned().unwrap_or(format!("drv{number}"));
            let faults = Faults::of_drive(rehearsal.faults.clone(), &own, name);
            let identity = Identity {
                name: own,
                technology: inventory.technology,
                serial: serial.clone(),
            };
            Arc::new(Mutex::new(Drive::new(identity, faults, rehearsal.pace)))
        };
        let drives: Vec<_> = inventory.drives.iter().enumerate().map(drive).collect();
        let frame = Frame {
            folder: folder.clone(),
            inventory,
            drives: drives.clone(),
            shelf: BTreeMap::new(),
        };
        for (address, content) in &frame.inventory.elements {
            if let Some(number) = frame.inventory.drive(*address) {
                lock(&drives[number]).insert(frame.open(content)?);
            }
        }
        let faults = Faults::of_library(rehearsal.faults.clone(), name);
        Ok(Self {
            folder,
            drives,
            changer: Arc::new(Mutex::new(Changer::new(name, frame, faults, rehearsal.pace))),
            intake: Mutex::new(()),
        })
    }

    /// How many drives it has.
    pub fn drive_count(&self) -> usize {
        self.drives.len()
    }

    /// Generation of its drives.
    pub fn technology(&self) -> Technology {
        self.changer().frame.inventory.technology
    }

    /// A new initiator of the changer.
    pub fn changer_transport(&self) -> DeviceTransport {
        DeviceTransport::new(self.changer.clone())
    }

    /// A new initiator of a drive, counted from 0. None: it has no such drive.
    pub fn drive_transport(&self, number: usize) -> Option<DeviceTransport> {
        let drive = self.drives.get(number)?;
        Some(DeviceTransport::new(drive.clone()))
    }

    /// A drive's serial number.
    pub fn drive_serial(&self, number: usize) -> Option<String> {
        self.drives.get(number).map(|drive| lock(drive).serial().to_owned())
    }

    /// How long a drive has worked, by the time model.
    pub fn drive_time(&self, number: usize) -> Duration {
        self.drives
            .get(number)
            .map_or(Duration::ZERO, |drive| lock(drive).clock().now())
    }

    /// How long the arm has worked, by the time model.
    pub fn arm_time(&self) -> Duration {
        self.changer().time()
    }

    /// Puts a blank cartridge of the library's generation into a free slot.
    pub fn blank(&self, barcode: &str) -> LibraryResult<()> {
        let technology = self.technology();
        self.add(&Card::blank(barcode, technology))
    }

    /// Puts a new cartridge into a free slot: of another generation, size or purpose than `blank`'s.
    pub fn add(&self, card: &Card) -> LibraryResult<()> {
        self.place(&card.barcode, card.technology, |path| intake::blank(path, card))
    }

    /// Copies the folder of a cartridge that other software made into a free slot. What generation it is: as told, else as
    /// its folder says, else the library's.
    pub fn insert(&self, from: &Path, barcode: &str, technology: Option<Technology>) -> LibraryResult<()> {
        let fallback = self.technology();
        let stranger = Stranger {
            from,
            barcode,
            technology,
            fallback,
        };
        self.place(barcode, technology.unwrap_or(fallback), |path| {
            intake::copied(path, &stranger)
        })
    }

    /// Puts a cartridge in memory into a free slot. It goes through drives as any other, and is gone when the library is.
    pub fn lend(&self, cartridge: SparseCartridge) -> LibraryResult<()> {
        let card = cartridge.card().clone();
        let mut changer = self.changer();
        let slot = changer.frame.room_for(&card.barcode)?;
        let content = Content {
            barcode: card.barcode.clone(),
            technology: card.technology,
            source: None,
            kept: Kept::Memory,
        };
        changer.frame.inventory.elements.insert(slot, content);
        changer.frame.shelf.insert(card.barcode, Box::new(cartridge));
        changer.tell_change();
        Ok(())
    }

    /// The folder of a cartridge that has one.
    pub fn cartridge_path(&self, barcode: &str) -> LibraryResult<PathBuf> {
        match self.changer().frame.inventory.kept(barcode) {
            Some(Kept::Folder) => match &self.folder {
                Some(folder) => Ok(cartridge_folder(folder, barcode)),
                None => Err(LibraryError::Unknown(barcode.to_owned())),
            },
            Some(Kept::Memory) | None => Err(LibraryError::Unknown(barcode.to_owned())),
        }
    }

    /// The power goes, and comes back: drives lose what they had not written.
    pub fn power_cut(&self) {
        let mut changer = self.changer();
        self.drives.iter().for_each(|drive| lock(drive).power_cut());
        changer.reset();
    }

    /// A drive fails to write what it has in its buffer, which is lost, and says so with the next command.
    pub fn lose_buffer(&self, number: usize, say: Say) {
        if let Some(drive) = self.drives.get(number) {
            lock(drive).lose_buffer(say);
        }
    }

    pub(super) fn changer(&self) -> MutexGuard<'_, Changer> {
        lock(&self.changer)
    }

    /// Makes a cartridge's folder, then says that it is there. A folder that an earlier attempt left is nobody's.
    fn place(
        &self,
        barcode: &str,
        technology: Technology,
        make: impl FnOnce(&Path) -> LibraryResult<()>,
    ) -> LibraryResult<()> {
        let Some(folder) = &self.folder else {
            let why = "a library in memory keeps no folders of cartridges";
            return Err(LibraryError::Impossible(why.to_owned()));
        };
        let _alone = lock(&self.intake);
        self.changer().frame.room_for(barcode)?;
        let cartridges = folder.join(CARTRIDGES);
        intake::sweep(&cartridges)?;
        let draft = intake::draft(&cartridges, barcode);
        if let Err(error) = make(&draft) {
            // What is left of it goes with the next attempt at the latest.
            let _ = intake::remove(&draft);
            return Err(error);
        }
        let mut changer = self.changer();
        let slot = changer.frame.room_for(barcode)?;
        intake::name(&draft, &cartridge_folder(folder, barcode), &cartridges)?;
        let content = Content {
            barcode: barcode.to_owned(),
            technology,
            source: None,
            kept: Kept::Folder,
        };
        let mut next = changer.frame.inventory.clone();
        next.elements.insert(slot, content);
        next.store(folder)?;
        changer.frame.inventory = next;
        changer.tell_change();
        Ok(())
    }
}

fn cartridge_folder(library: &Path, barcode: &str) -> PathBuf {
    library.join(CARTRIDGES).join(barcode)
}
