//! Laying a tape out anew: FORMAT MEDIUM (SSC-5, 7.1) and SET CAPACITY (7.5). Everything on it is lost.

use super::Drive;
use super::writing::storage;
use crate::ldm::drive::Position;
use crate::ldm::virt::bytes::number;
use crate::ldm::virt::cartridge::{Card, Kind};
use crate::ldm::virt::sense::{Answered, Say};
use crate::ldm::virt::technology::Technology;

impl Drive {
    /// Format 0: one partition. 1: as mode page 11h says. 2: one partition, then as the page says, which is the same here.
    pub(super) fn format_medium(&mut self, cdb: &[u8]) -> Answered {
        let sizes = match cdb[2] & 0x0f {
            0 => None,
            1 | 2 => Some(self.modes.partitioning),
            _ => return Err(Say::BAD_FIELD.into()),
        };
        let mut card = self.changeable_card()?;
        card.partitions = match sizes {
            Some(plan) => plan.sizes(&card).ok_or(Say::BAD_FIELD)?,
            None => card.usual_sizes(1),
        };
        if self.identity.technology == Technology::Lto8
            && card.technology == Technology::Lto7
            && self.modes.density == M8
        {
            card.technology = Technology::Lto7M8;
            card.capacity = Technology::Lto7M8.capacity();
        }
        self.lay_out(card)
    }

    /// A part of 65,535 of the native capacity, in one partition.
    pub(super) fn set_capacity(&mut self, cdb: &[u8]) -> Answered {
        let part = number(&cdb[3..5]);
        if part == 0 {
            return Err(Say::BAD_FIELD.into());
        }
        let mut card = self.changeable_card()?;
        // A cartridge of another size than its generation's keeps it: it was made small on purpose.
        let native = card.technology.capacity();
        if card.capacity >= native / 0xffff * 0xff {
            card.capacity = (u128::from(native) * u128::from(part) / 0xffff) as u64;
        }
        card.partitions = card.usual_sizes(1);
        self.lay_out(card)
    }

    fn changeable_card(&mut self) -> Result<Card, crate::ldm::virt::sense::Check> {
        let beginning = Position::at(0, 0);
        if self.position != beginning {
            return Err(Say::NOT_AT_BEGINNING.into());
        }
        self.settle_buffer()?;
        if self.cartridge()?.card().kind == Kind::Worm {
            return Err(Say::OVERWRITE.into());
        }
        // The end of data need not be known for it.
        match self.writable(beginning) {
            Err(check) if check == Say::END_NOT_FOUND.into() => {}
            answer => answer?,
        }
        Ok(self.cartridge()?.card().clone())
    }

    fn lay_out(&mut self, card: Card) -> Answered {
        self.touch()?;
        self.cartridge()?.lay_out(card).map_err(storage)?;
        self.flush()?;
        self.spend_format();
        Ok(0)
    }
}

/// The density that makes an LTO-7 cartridge one of M8.
const M8: u8 = 0x5d;
