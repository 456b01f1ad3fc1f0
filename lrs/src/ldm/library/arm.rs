//! The arm of a library: one, however many ask. It looks before it moves, and looks again whenever the changer says that
//! things are not as they were. What an errand needs is decided anew from each look, so that no move is made by an old one.

use super::error::Trouble;
use super::inventory::Inventory;
use super::wires::{Patience, Wire};
use super::words::Now;
use crate::ldm::changer::{Changer, Element, ElementAddress, ElementKind, ScsiChanger};
use crate::ldm::drive::scsi::{Clock, timeouts};
use crate::ldm::drive::{DriveError, DriveFault, DriveResult};
use crate::ldm::scsi::SenseClass;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two questions whether a changer that was busy with itself is ready.
const POLL: Duration = Duration::from_secs(5);

/// The arm.
pub(super) struct Arm {
    changer: ScsiChanger<Wire, Patience>,
    clock: Patience,
    /// The slots that cartridges were taken from, by barcode.
    homes: BTreeMap<String, ElementAddress>,
}

/// What an errand needs, as things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: the cartridge is where it should be.
    Done,
    /// A move.
    Move {
        /// From this element.
        from: ElementAddress,
        /// To this one.
        to: ElementAddress,
    },
}

/// An errand that was done.
pub(super) struct Carried {
    /// What is where now.
    pub(super) inventory: Inventory,
    /// The element that the arm took it from; None: it was there already.
    pub(super) from: Option<ElementAddress>,
}

/// How often an errand is begun anew, for each reason.
struct Again {
    attentions: u32,
    scans: u32,
    jams: u32,
}

/// What is done after a move that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Asking what is where, and trying again.
    Look,
    /// The same after every slot was looked at.
    Scan,
    /// Nothing.
    GiveUp,
}

impl Again {
    /// Once each, but for attentions: of a door that was opened while a library was reset two are told.
    fn usual() -> Self {
        Self {
            attentions: 2,
            scans: 1,
            jams: 1,
        }
    }

    fn next(&mut self, fault: &DriveFault) -> Next {
        let (left, next) = match fault {
            DriveFault::StaleInventory(sense) if sense.key == UNIT_ATTENTION => (&mut self.attentions, Next::Look),
            DriveFault::StaleInventory(_) => (&mut self.scans, Next::Scan),
            DriveFault::Sense(sense) if is_changed_set(sense.key, sense.asc, sense.ascq) => {
                (&mut self.scans, Next::Scan)
            }
            // Whether it moved is seen by looking; what lies where it was may be moved.
            fault if is_jam(fault) => (&mut self.jams, Next::Look),
            // Without an answer the arm may still be moving.
            DriveFault::Sense(_)
            | DriveFault::Deferred(_)
            | DriveFault::Status(_)
            | DriveFault::Transport(_)
            | DriveFault::Nonsense(_)
            | DriveFault::PositionLost(_)
            | DriveFault::PositionUnknown
            | DriveFault::Astray { .. }
            | DriveFault::TooLong { .. }
            | DriveFault::Reserved(_)
            | DriveFault::Unfit(_)
            | DriveFault::Library(_) => return Next::GiveUp,
        };
        if *left == 0 {
            return Next::GiveUp;
        }
        *left -= 1;
        next
    }
}

/// Sense key 6.
const UNIT_ATTENTION: u8 = 0x6;

/// Elements went or came: magazines taken out (5/3B/12) or put in (13), elements disabled or enabled (18, 19), drives taken
/// out or put in (1A, 1B) (SPC-4, annex D).
fn is_changed_set(key: u8, asc: u8, ascq: u8) -> bool {
    (key, asc) == (0x5, 0x3b) && matches!(ascq, 0x12 | 0x13 | 0x18 | 0x19 | 0x1a | 0x1b)
}

/// Whether the arm itself failed.
fn is_jam(fault: &DriveFault) -> bool {
    matches!(fault, DriveFault::Sense(sense) if sense.class() == SenseClass::DriveSuspect)
}

/// Whether the changer is busy with itself, as after its door was closed, and has done nothing.
fn is_becoming_ready(error: &DriveError) -> bool {
    matches!(&error.fault, DriveFault::Sense(sense) if sense.class() == SenseClass::BecomingReady)
}

impl Arm {
    pub(super) fn new(changer: ScsiChanger<Wire, Patience>, clock: Patience) -> Self {
        Self {
            changer,
            clock,
            homes: BTreeMap::new(),
        }
    }

    /// What is where.
    pub(super) fn look(&mut self) -> Result<Inventory, Trouble> {
        let elements: Vec<Element> = self.patiently(Changer::elements).map_err(Trouble::Changer)?;
        Ok(Inventory::new(elements))
    }

    /// The same after every slot was looked at. Takes minutes.
    pub(super) fn scan(&mut self) -> Result<Inventory, Trouble> {
        self.patiently(Changer::scan).map_err(Trouble::Changer)?;
        self.look()
    }

    /// The slot that a cartridge was last taken from.
    pub(super) fn home_of(&self, barcode: Option<&str>) -> Option<ElementAddress> {
        self.homes.get(barcode?).copied()
    }

    /// Does an errand with a cartridge. `plan` says what it needs as things are, or why it cannot be done; it is asked after
    /// every look.
    pub(super) fn run(
        &mut self,
        barcode: Option<&str>,
        plan: impl Fn(&Inventory) -> Result<Step, Trouble>,
    ) -> Result<Carried, Trouble> {
        let mut inventory = self.look()?;
        let (mut again, mut jam) = (Again::usual(), None);
        loop {
            let (from, to) = match (plan(&inventory), jam.take()) {
                (Ok(Step::Move { from, to }), _) => (from, to),
                (Ok(Step::Done), failed) => {
                    // It said that it failed, and the cartridge is there.
                    let from = failed.map(|(from, _, _)| from);
                    from.into_iter()
                        .for_each(|from| self.remember(&inventory, barcode, from));
                    return Ok(Carried { inventory, from });
                }
                // What the arm did with it weighs more than what cannot be done with it now.
                (Err(_), Some((from, to, cause))) => {
                    let now = whereabouts(&inventory, barcode);
                    return Err(arm(barcode, (from, to), cause, now));
                }
                (Err(trouble), None) => return Err(trouble),
            };
            let cause = match self.patiently(|changer| changer.move_medium(from, to)) {
                Ok(()) => {
                    self.remember(&inventory, barcode, from);
                    let inventory = self.look()?;
                    let from = Some(from);
                    return Ok(Carried { inventory, from });
                }
                Err(cause) => cause,
            };
            tracing::warn!(%cause, barcode, "the arm did not carry a cartridge");
            let next = again.next(&cause.fault);
            let looked = match next {
                Next::Scan => self.scan(),
                Next::Look | Next::GiveUp => self.look(),
            };
            match (next, looked) {
                (Next::Look | Next::Scan, Ok(found)) => {
                    jam = is_jam(&cause.fault).then_some((from, to, cause));
                    inventory = found;
                }
                (Next::GiveUp, Ok(found)) => {
                    return Err(arm(barcode, (from, to), cause, whereabouts(&found, barcode)));
                }
                // The first failure is the one to be told.
                (_, Err(_)) => return Err(arm(barcode, (from, to), cause, Now::Unknown)),
            }
        }
    }

    fn remember(&mut self, inventory: &Inventory, barcode: Option<&str>, from: ElementAddress) {
        let slot = inventory
            .at(from)
            .is_some_and(|element| element.kind == ElementKind::Slot);
        if let (true, Some(barcode)) = (slot, barcode) {
            self.homes.insert(barcode.to_owned(), from);
        }
    }

    /// Asks again while the changer is busy with itself, as long as its own inventory may take.
    fn patiently<R>(
        &mut self,
        mut ask: impl FnMut(&mut ScsiChanger<Wire, Patience>) -> DriveResult<R>,
    ) -> DriveResult<R> {
        let started = self.clock.now();
        loop {
            match ask(&mut self.changer) {
                Err(error)
                    if is_becoming_ready(&error) && self.clock.now().saturating_sub(started) < timeouts::ELEMENTS =>
                {
                    self.clock.sleep(POLL);
                }
                answer => return answer,
            }
        }
    }
}

fn arm(barcode: Option<&str>, (from, to): (ElementAddress, ElementAddress), cause: DriveError, now: Now) -> Trouble {
    Trouble::Arm {
        barcode: barcode.map(str::to_owned),
        from,
        to,
        cause,
        now,
    }
}

/// Where a cartridge is; one without a barcode is not told from others.
fn whereabouts(inventory: &Inventory, barcode: Option<&str>) -> Now {
    match barcode.map(|barcode| inventory.find(barcode)) {
        Some(Ok(element)) if element.kind != ElementKind::Transport => Now::At(element.address),
        Some(_) => Now::Nowhere,
        None => Now::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldm::scsi::{Sense, TransportError};

    #[test]
    fn each_reason_to_begin_anew_counts_by_itself() {
        let mut again = Again::usual();
        let sense = |key, asc, ascq| DriveFault::Sense(Sense::of(key, asc, ascq));
        let stale = |key, asc, ascq| DriveFault::StaleInventory(Sense::of(key, asc, ascq));
        let door = stale(6, 0x28, 1);
        let answers = [&door, &door, &door].map(|fault| again.next(fault));
        assert_eq!(answers, [Next::Look, Next::Look, Next::GiveUp]);
        let (full, magazine) = (stale(5, 0x3b, 0x0d), sense(5, 0x3b, 0x12));
        assert_eq!(
            [&full, &magazine].map(|fault| again.next(fault)),
            [Next::Scan, Next::GiveUp]
        );
        let jam = sense(4, 0x15, 1);
        assert_eq!([&jam, &jam].map(|fault| again.next(fault)), [Next::Look, Next::GiveUp]);
    }

    #[test]
    fn what_another_try_does_not_help_is_not_tried_again() {
        let faults = [
            DriveFault::Sense(Sense::of(5, 0x53, 2)),
            DriveFault::Sense(Sense::of(5, 0x21, 1)),
            DriveFault::Transport(TransportError::TimedOut(timeouts::MOVE)),
            DriveFault::Reserved("another host".to_owned()),
        ];
        for fault in faults {
            assert_eq!(Again::usual().next(&fault), Next::GiveUp, "{fault}");
        }
    }
}
