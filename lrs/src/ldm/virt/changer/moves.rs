//! MOVE MEDIUM (SMC-3, 6.7): the arm takes a cartridge from one element to another. The inventory says so before the drive
//! that gets it is told, so that whoever dies in between finds it in the drive.

use super::Changer;
use crate::ldm::Op;
use crate::ldm::virt::bytes::number;
use crate::ldm::virt::faulting::Twist;
use crate::ldm::virt::handle::lock;
use crate::ldm::virt::inventory::{Kept, Place};
use crate::ldm::virt::sense::{Answered, Check, Say};
use crate::ldm::virt::timing::{MOVE_S, seconds};

impl Changer {
    pub(super) fn move_medium(&mut self, cdb: &[u8]) -> Answered {
        let address = |at: usize| number(&cdb[at..at + 2]) as u16;
        let (arm, from, to) = (address(2), address(4), address(6));
        let inventory = &self.frame.inventory;
        let known = |address: u16| {
            matches!(
                inventory.place(address),
                Some(Place::Slot | Place::MailSlot | Place::Drive)
            )
        };
        // An arm of address 0 is the usual one.
        if arm != 0 && inventory.place(arm) != Some(Place::Arm) || !known(from) || !known(to) {
            return Err(Say::NO_SUCH_ELEMENT.into());
        }
        let Some(content) = inventory.elements.get(&from).cloned() else {
            return Err(Say::SOURCE_EMPTY.into());
        };
        if from == to {
            return Ok(0);
        }
        if inventory.elements.contains_key(&to) {
            return Err(Say::DESTINATION_FULL.into());
        }
        self.removal_allowed(from, to)?;
        let twist = self.jam(from)?;
        self.clock.spend(seconds(MOVE_S));
        let (from_drive, to_drive) = (inventory_drive(self, from), inventory_drive(self, to));
        // What cannot be opened is not moved: the arm drops nothing.
        let opened = match (to_drive, content.kept) {
            (Some(_), Kept::Folder) => Some(self.frame.open(&content).map_err(|_| Say::MECHANICAL)?),
            (Some(_), Kept::Memory) | (None, _) => None,
        };
        let mut next = self.frame.inventory.clone();
        next.elements.remove(&from);
        let mut moved = content.clone();
        moved.source = Some(from);
        next.elements.insert(to, moved);
        self.frame.store(&next).map_err(|_| Say::MECHANICAL)?;
        let removed = from_drive.and_then(|drive| lock(&self.frame.drives[drive]).remove());
        // One in memory is never opened anew: it is the one that was taken out, or lay on the shelf.
        let carried = match content.kept {
            Kept::Folder => opened,
            Kept::Memory => removed.or_else(|| self.frame.shelf.remove(&content.barcode)),
        };
        match (to_drive, carried) {
            (Some(drive), Some(cartridge)) => lock(&self.frame.drives[drive]).insert(cartridge),
            (None, Some(cartridge)) => drop(self.frame.shelf.insert(content.barcode, cartridge)),
            (_, None) => {}
        }
        self.frame.inventory = next;
        match twist {
            Twist::Remark(say) => Err(say.into()),
            _ => Ok(0),
        }
    }

    /// A drive must have let go, and nobody may hold the mail slots or that drive.
    fn removal_allowed(&self, from: u16, to: u16) -> Result<(), Check> {
        let mail = |address: u16| self.frame.inventory.place(address) == Some(Place::MailSlot);
        if self.initiators.prevented() && mail(to) {
            return Err(Say::REMOVAL_PREVENTED.into());
        }
        match inventory_drive(self, from) {
            Some(drive) => match lock(&self.frame.drives[drive]).holds() {
                Some(say) => Err(say.into()),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }

    fn jam(&self, from: u16) -> Result<Twist, Check> {
        let op = if inventory_drive(self, from).is_some() {
            Op::Unload
        } else {
            Op::Load
        };
        // The cartridge's own loads are counted by the drive.
        self.faults.strike(op, None, None)
    }

    /// POSITION TO ELEMENT.
    pub(super) fn position_arm(&mut self, cdb: &[u8]) -> Answered {
        match self.frame.inventory.place(number(&cdb[4..6]) as u16) {
            Some(_) => Ok(0),
            None => Err(Say::NO_SUCH_ELEMENT.into()),
        }
    }

    /// INITIALIZE ELEMENT STATUS: every barcode is looked at, a second each.
    pub(super) fn scan(&mut self) -> Answered {
        let count = self.frame.inventory.range(Place::Slot).1;
        self.clock.spend(seconds(f64::from(count)));
        Ok(0)
    }
}

fn inventory_drive(changer: &Changer, address: u16) -> Option<usize> {
    changer.frame.inventory.drive(address)
}
