//! A media changer (SMC-3): element status, moves, and who may ask for them.

mod moves;
mod status;

use super::bytes::{give, number};
use super::clock::{Clock, Pace};
use super::drive::{Command, Need, action, command, designator, look_up, report_codes, standard_inquiry, vital};
use super::faulting::Faults;
use super::handle::Device;
use super::inventory::Place;
use super::library::Frame;
use super::reservation::{Initiator, Initiators, Passage};
use super::sense::{Answered, Say};
use crate::ldm::scsi::Transfer;
use std::time::Duration;

/// A changer and its frame.
pub(super) struct Changer {
    name: String,
    pub(super) frame: Frame,
    faults: Faults,
    clock: Clock,
    initiators: Initiators,
}

use Need::{Heard, Nothing};
use Passage::{Always, Excluded, Reads};

const COMMANDS: &[Command] = &[
    command(0x00, 6, Always, Heard),
    command(0x03, 6, Always, Nothing),
    command(0x07, 6, Excluded, Heard),
    command(0x12, 6, Always, Nothing),
    command(0x16, 6, Always, Heard),
    command(0x17, 6, Always, Heard),
    command(0x1a, 6, Reads, Heard),
    command(0x1e, 6, Excluded, Heard),
    command(0x2b, 10, Excluded, Heard),
    command(0x37, 10, Excluded, Heard),
    command(0x5a, 10, Reads, Heard),
    command(0x5e, 10, Always, Heard),
    command(0x5f, 10, Always, Heard),
    command(0xa0, 12, Always, Nothing),
    action(0xa3, 0x0c, 12, Always, Heard),
    command(0xa5, 12, Excluded, Heard),
    command(0xb8, 12, Reads, Heard),
];

/// Device type.
const CHANGER: u8 = 8;

const PRODUCT: &str = "VIRTUAL LIBRARY";

/// No answer is longer in bytes: that is what its allocation lengths count.
const ANSWER_MAX: usize = 0xff_ffff;

impl Device for Changer {
    fn name(&self) -> &str {
        &self.name
    }

    fn transfer_max(&self) -> usize {
        ANSWER_MAX
    }

    fn initiators(&mut self) -> &mut Initiators {
        &mut self.initiators
    }

    fn execute(&mut self, from: Initiator, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        self.perform(from, cdb, transfer)
    }
}

impl Changer {
    pub(super) fn new(name: &str, frame: Frame, faults: Faults, pace: Pace) -> Self {
        Self {
            name: name.to_owned(),
            frame,
            faults,
            clock: Clock::new(pace),
            initiators: Initiators::default(),
        }
    }

    /// A changer of another frame that is just like this one.
    pub(super) fn copy(&self, frame: Frame) -> Self {
        Self {
            name: self.name.clone(),
            frame,
            faults: self.faults.clone(),
            clock: self.clock.standing(),
            initiators: self.initiators.clone(),
        }
    }

    /// How long the arm has worked.
    pub(super) fn time(&self) -> Duration {
        self.clock.now()
    }

    /// Its host is gone.
    pub(super) fn host_ends(&mut self) {
        self.initiators.leave_all();
    }

    /// Power on.
    pub(super) fn reset(&mut self) {
        self.initiators.reset();
    }

    /// The operator opened the mail slots or the door: everybody hears that elements may have changed.
    pub(super) fn tell_change(&mut self) {
        self.initiators.tell_all(Say::new(0x6, 0x28, 0x01));
    }

    fn perform(&mut self, from: Initiator, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let command = look_up(COMMANDS, cdb)?;
        self.initiators.check(from, command.passage)?;
        if command.need != Nothing
            && let Some(say) = self.initiators.attention(from)
        {
            return Err(say.into());
        }
        match command.code {
            0x00 => Ok(0),
            0x03 => {
                let say = self.initiators.attention(from).unwrap_or_default();
                give(transfer, u64::from(cdb[4]), &say.encode())
            }
            0x07 | 0x37 => self.scan(),
            0x12 => self.inquiry(cdb, transfer),
            0x16 => self.initiators.reserve(from),
            0x17 => self.initiators.release(from),
            0x1a | 0x5a => self.mode_sense(cdb, transfer),
            0x1e => self.initiators.prevent(from, cdb),
            0x2b => self.position_arm(cdb),
            0x5e => self.initiators.persistent_in(cdb, transfer),
            0x5f => self.initiators.persistent_out(from, cdb, transfer),
            0xa0 => give(
                transfer,
                number(&cdb[6..10]),
                &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            0xa3 => report_codes(COMMANDS, cdb, transfer),
            0xa5 => self.move_medium(cdb),
            0xb8 => self.element_status(cdb, transfer),
            _ => Err(Say::UNKNOWN_COMMAND.into()),
        }
    }

    fn inquiry(&self, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let (vpd, page, allowed) = (cdb[1] & 1 == 1, cdb[2], number(&cdb[3..5]));
        // Its serial number is its first drive's with another letter.
        let serial = self.frame.inventory.drives[0].replacen("VD", "VL", 1);
        let answer = match (vpd, page) {
            (false, 0) => standard_inquiry(CHANGER, PRODUCT),
            (true, 0x00) => vital(CHANGER, page, &[0x00, 0x80, 0x83]),
            (true, 0x80) => vital(CHANGER, page, serial.as_bytes()),
            (true, 0x83) => vital(CHANGER, page, &designator(PRODUCT, &serial)),
            _ => return Err(Say::BAD_FIELD.into()),
        };
        give(transfer, allowed, &answer)
    }

    /// Pages 1Dh (addresses), 1Eh (geometry) and 1Fh (capabilities) (SMC-3, 7.3).
    fn mode_sense(&self, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let long = cdb[0] == 0x5a;
        let allowed = if long { number(&cdb[7..9]) } else { u64::from(cdb[4]) };
        let ranges =
            [Place::Arm, Place::Slot, Place::MailSlot, Place::Drive].map(|place| self.frame.inventory.range(place));
        let mut addresses = vec![0x1d, 0x12];
        addresses.extend(
            ranges
                .iter()
                .flat_map(|(first, count)| [first.to_be_bytes(), count.to_be_bytes()].concat()),
        );
        addresses.extend([0, 0]);
        // Slots, mail slots and drives store; every pair of them can be moved between.
        let mut capabilities = vec![0x1f, 0x12, 0x0e, 0, 0, 0x0e, 0x0e, 0x0e];
        capabilities.resize(20, 0);
        let pages: Vec<u8> = match cdb[2] & 0x3f {
            0x1d => addresses,
            0x1e => vec![0x1e, 2, 0, 0],
            0x1f => capabilities,
            0x3f => [addresses, vec![0x1e, 2, 0, 0], capabilities].concat(),
            _ => return Err(Say::BAD_FIELD.into()),
        };
        let head = if long {
            [&((6 + pages.len()) as u16).to_be_bytes()[..], &[0; 6]].concat()
        } else {
            vec![(3 + pages.len()) as u8, 0, 0, 0]
        };
        give(transfer, allowed, &[head, pages].concat())
    }
}
