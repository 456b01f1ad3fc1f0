//! Opening a library: its changer, its bays, and the drives in them.

use super::arm::Arm;
use super::bay::{Bay, Use, Way};
use super::error::{LibraryError, LibraryResult, Trouble};
use super::host::Host;
use super::matching::{Match, matches};
use super::spec::{Spec, Terms};
use super::wires::{Patience, Wire, Wires};
use super::{Library, Make};
use crate::ldm::changer::ScsiChanger;
use crate::ldm::drive::scsi::link::Link;
use crate::ldm::drive::{Drive, DriveFault, Generation, ScsiDrive};
use crate::ldm::holders;
use crate::ldm::scsi::inquiry::{self, DeviceType};
use crate::ldm::scsi::reservation::Key;
use crate::ldm::scsi::sg::SgError;
use crate::ldm::scsi::{Cdb, Transport};
use crate::ldm::virt::{Rehearsal, VirtualLibrary};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Room for INQUIRY's answers.
const INQUIRY_BYTES: usize = 252;

impl Library {
    /// Opens a library for this process alone, and finds out what is where. Nothing is moved, and nothing is loaded.
    ///
    /// # Errors
    /// `NotToBeHad`, `Unusable`, `Folder` or `Changer`. A drive that cannot be reached is a bay that says so, and no error.
    pub fn open(spec: &Spec, terms: &Terms) -> LibraryResult<Self> {
        let opened = match spec {
            Spec::Virtual { name, folder } => open_virtual(name, folder, terms),
            Spec::Scsi { name, changer } => open_scsi(name, changer, terms),
        };
        opened.map_err(|trouble| LibraryError {
            library: spec.name().to_owned(),
            trouble,
        })
    }

    /// A library whose devices are reached by these ways, as `open` makes one of those that it found.
    ///
    /// # Errors
    /// As of `open`.
    pub fn over(name: &str, wires: Wires, key: Key, patience: Patience) -> LibraryResult<Self> {
        let devices = Devices { wires, key, patience };
        assemble(name, devices, Make::Hardware).map_err(|trouble| LibraryError {
            library: name.to_owned(),
            trouble,
        })
    }
}

/// What a library is made of.
struct Devices {
    wires: Wires,
    key: Key,
    patience: Patience,
}

fn open_virtual(name: &str, folder: &Path, terms: &Terms) -> Result<Library, Trouble> {
    let alone = lock(folder)?;
    let rehearsal = Rehearsal {
        name: name.to_owned(),
        drives: Vec::new(),
        faults: terms.faults.clone(),
        pace: terms.pace,
    };
    let model = VirtualLibrary::rehearse(folder, &rehearsal)?;
    let ways = (0..model.drive_count()).filter_map(|number| model.drive_transport(number));
    let wires = Wires {
        changer: Box::new(model.changer_transport()),
        drives: ways.map(|way| Box::new(way) as Wire).collect(),
        passed: Vec::new(),
    };
    let devices = Devices {
        wires,
        key: terms.key,
        patience: terms.patience(),
    };
    assemble(name, devices, Make::Virtual { model, _alone: alone })
}

/// Two processes that keep an inventory in memory would each undo what the other did.
fn lock(folder: &Path) -> Result<Flock<File>, Trouble> {
    let told = |why: &dyn std::fmt::Display| format!("{}: {why}", folder.display());
    let opened = File::open(folder).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied => {
            Trouble::NotToBeHad(told(&error))
        }
        _ => Trouble::Unusable(told(&error)),
    })?;
    Flock::lock(opened, FlockArg::LockExclusiveNonblock).map_err(|(own, errno)| {
        // Not counted among those who have it open.
        drop(own);
        match errno {
            Errno::EWOULDBLOCK => {
                let by = holders::told(folder);
                Trouble::NotToBeHad(told(&format!("another program has this library open: {by}")))
            }
            errno => Trouble::Unusable(told(&errno)),
        }
    })
}

fn open_scsi(name: &str, changer: &Path, terms: &Terms) -> Result<Library, Trouble> {
    let wires = Host::default().wires(changer).map_err(|error| match error {
        SgError::Other(..) => Trouble::Unusable(error.to_string()),
        _ => Trouble::NotToBeHad(error.to_string()),
    })?;
    let devices = Devices {
        wires,
        key: terms.key,
        patience: Patience::default(),
    };
    assemble(name, devices, Make::Hardware)
}

fn assemble(name: &str, devices: Devices, make: Make) -> Result<Library, Trouble> {
    let Devices { wires, key, patience } = devices;
    let changer = ScsiChanger::with_clock(wires.changer, patience.clone()).map_err(|error| match error.fault {
        DriveFault::Unfit(_) => Trouble::NotToBeHad(error.to_string()),
        _ => Trouble::Changer(error),
    })?;
    let mut arm = Arm::new(changer, patience.clone());
    let inventory = arm.look()?;
    let found = tapes(wires.drives, wires.passed, &patience);
    let matched = matches(inventory.elements(), &found.serials, &found.passed);
    if matched.is_empty() {
        return Err(Trouble::NotToBeHad("it has no drives".to_owned()));
    }
    let mut ways: Vec<Option<Wire>> = found.wires.into_iter().map(Some).collect();
    let opener = |wire: Wire| ScsiDrive::with_clock(wire, key, patience.clone());
    let bay = |(number, one): (usize, Match)| {
        let way = one.drive.and_then(|place| {
            let wire = ways[place].take().ok_or("its drive was found in another bay")?;
            let drive = opener(wire).map_err(|error| error.to_string())?;
            let identity = drive.identity().clone();
            Ok(Way {
                generation: Generation::of_product(&identity.product),
                identity,
                drive: Arc::new(Mutex::new(drive)),
            })
        });
        Bay {
            name: format!("drv{number}"),
            element: one.element,
            serial: one.serial,
            way,
            usage: Mutex::new(Use::Free),
            alerts: Mutex::new(BTreeSet::new()),
        }
    };
    let bays: Vec<Bay> = matched.into_iter().enumerate().map(bay).collect();
    Ok(Library {
        name: name.to_owned(),
        bays,
        arm: Mutex::new(arm),
        last: Mutex::new(Arc::new(inventory)),
        make,
    })
}

/// Tape drives of this host.
#[derive(Default)]
struct Tapes {
    wires: Vec<Wire>,
    /// Of each of them.
    serials: Vec<String>,
    passed: Vec<String>,
}

/// Asks every device who it is.
fn tapes(wires: Vec<Wire>, passed: Vec<String>, patience: &Patience) -> Tapes {
    let mut tapes = Tapes {
        passed,
        ..Tapes::default()
    };
    for mut wire in wires {
        match serial(&mut wire, patience) {
            Ok(Some(serial)) => {
                tapes.wires.push(wire);
                tapes.serials.push(serial);
            }
            Ok(None) => {}
            Err(fault) => tapes.passed.push(format!("{}: {fault}", wire.name())),
        }
    }
    tapes
}

/// The serial number of a tape drive (VPD page 80h); None: it is none. Commands that nobody's attentions answer.
fn serial(wire: &mut Wire, patience: &Patience) -> Result<Option<String>, DriveFault> {
    let mut link = Link::new(wire, patience.clone());
    let mut ask = |cdb: Cdb| link.repeatable(|link| link.ask(cdb, INQUIRY_BYTES));
    let standard = inquiry::standard(&ask(Cdb::inquiry(INQUIRY_BYTES as u16))?)?;
    if standard.device_type != DeviceType::Tape {
        return Ok(None);
    }
    let page = inquiry::page::SERIAL;
    let answer = ask(Cdb::inquiry_page(page, INQUIRY_BYTES as u16))?;
    Ok(Some(inquiry::serial(page, &answer)?))
}
