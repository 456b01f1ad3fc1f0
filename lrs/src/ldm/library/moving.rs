//! Cartridges into bays and out of them. What lies where after a failure is what the changer says it is: nothing is kept
//! in memory that a later errand would rely on.

use super::Library;
use super::arm::Step;
use super::barcode;
use super::bay::{Bay, Claim, Use, Want, Way};
use super::error::{LibraryResult, Trouble};
use super::inventory::{Inventory, Missing};
use super::loaded::{Loaded, Moved, Witness, confirm};
use crate::ldm::changer::{Element, ElementAddress, ElementKind};
use crate::ldm::drive::generation::{Access, Density};
use crate::ldm::drive::{Cartridge, Drive, DriveError, DriveFault};
use crate::ldm::scsi::SenseClass;

impl Library {
    /// Brings a cartridge into a bay, threads it, and makes sure that it is this one and stands at its beginning. One that is
    /// in the bay already is not moved; one that was left in another bay, which nobody uses, is taken from there. Takes
    /// minutes, and hours for the first load of a new LTO-9 cartridge.
    ///
    /// # Errors
    /// `NotHere`, `Twice`, `Cleaning`, `OutOfReach`, `InAnotherBay`, `Occupied`, `InUse`, `Arm`, `Drive`,
    /// `AnotherCartridge`, `WrongGeneration` and what opening tells. After a failure the cartridge is where the changer says;
    /// one that a drive does not take is put away again.
    pub fn put_in(&self, bay: &str, barcode: &str) -> LibraryResult<Loaded> {
        self.told(|library| {
            let mut claim = library.bay(bay)?.claim(Want::Hold(barcode), "a cartridge is put in")?;
            let loaded = library.bring(&claim, barcode)?;
            claim.keep(Use::Loaded(loaded.clone()));
            Ok(loaded)
        })
    }

    /// Lets the cartridge out of a bay, after everything is on the tape, and puts it into the slot that it came from, or
    /// another one. Answers which; None: nothing was in it.
    ///
    /// # Errors
    /// `InUse` (a volume is mounted), `Drive`, `NoRoom`, `Arm`. The cartridge stays in the bay, or in the drive's mouth: the
    /// same may be done again, and another bay may get it.
    pub fn take_out(&self, bay: &str) -> LibraryResult<Option<ElementAddress>> {
        self.told(|library| {
            let bay = library.bay(bay)?;
            let _claim = bay.claim(Want::Empty, "its cartridge is taken out")?;
            library.put_away(bay)
        })
    }

    /// `put_in`, by who has the bay.
    pub(super) fn bring(&self, claim: &Claim<'_>, barcode: &str) -> Result<Loaded, Trouble> {
        let bay = claim.bay;
        let way = bay.way()?;
        if barcode::is_cleaning(barcode) {
            return Err(Trouble::Cleaning(barcode.to_owned()));
        }
        suits(bay, way, barcode, barcode::density(barcode))?;
        let yielded = self.yielded(bay, barcode)?;
        let leaves = yielded.as_ref().map(|claim| claim.bay.element);
        let carried = self.arm().run(Some(barcode), |inventory| {
            into_bay(inventory, &Errand { bay, barcode, leaves })
        })?;
        drop(yielded);
        let moved = carried.from.map_or(Moved::No, Moved::From);
        if matches!(moved, Moved::From(_)) {
            bay.forget_alerts();
        }
        let inventory = self.keep(carried.inventory);
        let made_sure = make_sure(bay, way, barcode, (&inventory, moved));
        if matches!(made_sure, Err(Trouble::WrongGeneration { .. } | Trouble::Cleaning(_))) {
            // Nothing is wrong with the drive: it should not stand still for a cartridge that it does not take.
            if let Err(trouble) = self.put_away(bay) {
                tracing::warn!(library = self.name, bay = bay.name, %trouble, "a cartridge was not put away again");
            }
        }
        made_sure
    }

    /// Takes the bay in which the cartridge was left, if it is another one that nobody uses, and has its drive let go.
    fn yielded(&self, bay: &Bay, barcode: &str) -> Result<Option<Claim<'_>>, Trouble> {
        let inventory = self.arm().look()?;
        let inventory = self.keep(inventory);
        let Ok(place) = inventory.find(barcode) else {
            return Ok(None);
        };
        let full = inventory.at(bay.element).is_some_and(|element| element.full);
        let other = self.bays.iter().find(|other| other.element == place.address);
        let Some(other) = other.filter(|other| other.element != bay.element && !full) else {
            return Ok(None);
        };
        let stays = |why: String| Trouble::InAnotherBay {
            barcode: barcode.to_owned(),
            bay: other.name.clone(),
            why,
        };
        let claim = other.claim(Want::Yield, "its cartridge is wanted in another drive");
        let claim = claim.map_err(|trouble| match trouble {
            Trouble::InUse { doing, .. } => stays(format!("that drive is in use ({doing}): take it out there first")),
            other => other,
        })?;
        if let Ok(way) = &other.way {
            let gone = let_go(other, way);
            gone.map_err(|error| stays(format!("it does not come out ({error}): take it out by hand")))?;
        }
        Ok(Some(claim))
    }

    fn put_away(&self, bay: &Bay) -> Result<Option<ElementAddress>, Trouble> {
        let inventory = self.arm().look()?;
        let inventory = self.keep(inventory);
        let Some(there) = inventory.at(bay.element).filter(|element| element.full) else {
            return Ok(None);
        };
        let barcode = there.barcode.as_deref();
        let home = self.arm().home_of(barcode);
        // Without a place to go it stays in, and is not let out for nothing.
        out_of_bay(&inventory, bay, home)?;
        if let Ok(way) = &bay.way {
            let_go(bay, way).map_err(|error| bay.trouble(barcode, error))?;
        }
        let carried = self.arm().run(barcode, |inventory| out_of_bay(inventory, bay, home))?;
        let inventory = self.keep(carried.inventory);
        // A cartridge without a barcode is not told from others.
        let place = barcode.and_then(|barcode| inventory.find(barcode).ok());
        Ok(place.map(|element| element.address).or(there.source))
    }
}

/// What a bay is to get, and the bay of another drive that has let go of it.
struct Errand<'a> {
    bay: &'a Bay,
    barcode: &'a str,
    leaves: Option<ElementAddress>,
}

/// What is to be moved for a cartridge to be in a bay.
fn into_bay(inventory: &Inventory, errand: &Errand<'_>) -> Result<Step, Trouble> {
    let Errand { bay, barcode, leaves } = *errand;
    let place = inventory.find(barcode).map_err(|missing| missed(barcode, missing))?;
    if place.address == bay.element {
        return Ok(Step::Done);
    }
    let Some(target) = inventory.at(bay.element) else {
        return Err(Trouble::NoSuchBay(bay.name.clone()));
    };
    if target.full {
        return Err(Trouble::Occupied {
            bay: bay.name.clone(),
            by: target.barcode.clone(),
        });
    }
    let out_of_reach = |why| Trouble::OutOfReach {
        barcode: barcode.to_owned(),
        at: place.address,
        why,
    };
    match place.kind {
        ElementKind::Slot | ElementKind::MailSlot if !place.accessible => Err(out_of_reach(
            "the arm does not get there: close the door, and put the magazine in",
        )),
        ElementKind::Transport => Err(out_of_reach("the arm holds it: have the library look at all its slots")),
        ElementKind::Drive if leaves != Some(place.address) => {
            Err(out_of_reach("it was put into another drive meanwhile"))
        }
        ElementKind::Slot | ElementKind::MailSlot | ElementKind::Drive => Ok(Step::Move {
            from: place.address,
            to: bay.element,
        }),
    }
}

/// What is to be moved for a bay to be empty.
fn out_of_bay(inventory: &Inventory, bay: &Bay, home: Option<ElementAddress>) -> Result<Step, Trouble> {
    let Some(there) = inventory.at(bay.element).filter(|element| element.full) else {
        return Ok(Step::Done);
    };
    match inventory.home(there, home) {
        Some(to) => Ok(Step::Move { from: bay.element, to }),
        None => Err(Trouble::NoRoom {
            barcode: there.barcode.clone(),
            bay: bay.name.clone(),
        }),
    }
}

fn missed(barcode: &str, missing: Missing) -> Trouble {
    let barcode = barcode.to_owned();
    match missing {
        Missing::NotHere { unread } => Trouble::NotHere { barcode, unread },
        Missing::Twice(at) => Trouble::Twice { barcode, at },
    }
}

/// Refuses a cartridge that the drive would not take. What is not known of either is left to the drive.
fn suits(bay: &Bay, way: &Way, barcode: &str, density: Option<Density>) -> Result<(), Trouble> {
    let (Some(generation), Some(density)) = (way.generation, density) else {
        return Ok(());
    };
    match generation.access(density) {
        Access::Read | Access::ReadWrite => Ok(()),
        Access::None => Err(Trouble::WrongGeneration {
            barcode: barcode.to_owned(),
            bay: bay.name.clone(),
            why: format!("it is an {density} cartridge, and the drive is of {generation}"),
        }),
    }
}

/// Threads what is in a bay, and makes sure of it.
fn make_sure(bay: &Bay, way: &Way, barcode: &str, (inventory, moved): (&Inventory, Moved)) -> Result<Loaded, Trouble> {
    let threaded = match (thread(bay, way), moved) {
        // It was left there by a load that failed, and the drive may have said the same ever since.
        (Err(error), Moved::No) if may_be_old(&error) => let_go(bay, way).and_then(|()| thread(bay, way)),
        (threaded, _) => threaded,
    };
    let cartridge = threaded.map_err(|error| refusal(bay, barcode, error))?;
    suits(bay, way, barcode, Density::of_code(cartridge.density))?;
    let nothing = || Trouble::NoSuchBay(bay.name.clone());
    let there: &Element = inventory.at(bay.element).ok_or_else(nothing)?;
    let witness = Witness {
        asked: barcode,
        there,
        memory: cartridge.barcode.as_deref(),
        moved,
    };
    match confirm(&witness) {
        Ok(remark) => Ok(Loaded {
            barcode: barcode.to_owned(),
            cartridge,
            moved,
            remark,
        }),
        Err(why) => Err(Trouble::AnotherCartridge {
            bay: bay.name.clone(),
            asked: barcode.to_owned(),
            why,
        }),
    }
}

/// Nobody of before knows any more what is in the drive and where it stands.
fn thread(bay: &Bay, way: &Way) -> Result<Cartridge, DriveError> {
    let mut drive = way.drive();
    let loaded = drive.load().and_then(|cartridge| {
        drive.take_up();
        drive.rewind()?;
        Ok(cartridge)
    });
    if let Err(DriveError {
        fault: DriveFault::Sense(_),
        ..
    }) = &loaded
    {
        // It answers, and may have more to say. That it does not changes nothing of the failure.
        let _ = bay.ask_alerts(&mut drive);
    }
    loaded
}

/// Whether a failure to load may be one of before: the drive answers, and takes such cartridges.
fn may_be_old(error: &DriveError) -> bool {
    match &error.fault {
        DriveFault::Sense(sense) => !matches!(sense.class(), SenseClass::Incompatible | SenseClass::Cleaning),
        _ => false,
    }
}

/// What a failed load means.
fn refusal(bay: &Bay, barcode: &str, error: DriveError) -> Trouble {
    let class = match &error.fault {
        DriveFault::Sense(sense) => Some(sense.class()),
        _ => None,
    };
    match class {
        Some(SenseClass::Incompatible) => Trouble::WrongGeneration {
            barcode: barcode.to_owned(),
            bay: bay.name.clone(),
            why: error.to_string(),
        },
        Some(SenseClass::Cleaning) => Trouble::Cleaning(barcode.to_owned()),
        _ => bay.trouble(Some(barcode), error),
    }
}

/// Questions whether a drive lets go before it is believed that it does not: it threads what it has just now, or has an
/// attention of what was before.
const LET_GO_TIMES: u32 = 4;

/// Has a drive let the cartridge out, and give up its reservation. Nobody is promised anything any more of what was written
/// and not synced.
fn let_go(bay: &Bay, way: &Way) -> Result<(), DriveError> {
    let mut drive = way.drive();
    let mut times = LET_GO_TIMES;
    loop {
        times -= 1;
        match drive.unload() {
            Ok(()) => break,
            Err(error) if times == 0 => return Err(error),
            Err(error) => match &error.fault {
                DriveFault::PositionLost(_) => {}
                DriveFault::Sense(sense) if sense.class() == SenseClass::BecomingReady => {
                    // Until it has it, or has given up, which is as good.
                    let _ = drive.load();
                }
                _ => return Err(error),
            },
        }
    }
    if let Err(error) = drive.release() {
        // The cartridge is out: a reservation that is left keeps nobody from it, and the next load takes it anew.
        tracing::warn!(bay = bay.name, %error, "a drive was not released");
    }
    Ok(())
}
