//! READ(6): records of any length, or of one fixed length (SSC-5, 6.4).

use super::Drive;
use crate::ldm::Op;
use crate::ldm::scsi::Transfer;
use crate::ldm::virt::bytes::number;
use crate::ldm::virt::cartridge::BlockKind;
use crate::ldm::virt::faulting::{Twist, flip};
use crate::ldm::virt::sense::{Answered, Check, Say};

/// What one block gave.
struct Taken {
    /// The record's length on tape.
    bytes: usize,
    remark: Option<Say>,
}

impl Drive {
    pub(super) fn read(&mut self, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let (fixed, suppress) = (cdb[1] & 1 == 1, cdb[1] & 2 == 2);
        let asked = number(&cdb[2..5]);
        let block_length = self.modes.block_length;
        if fixed && (suppress || block_length == 0) {
            return Err(Say::BAD_FIELD.into());
        }
        if asked == 0 {
            return Ok(0);
        }
        let nothing: &mut [u8] = &mut [];
        let buffer = match transfer {
            Transfer::In(buffer) => &mut **buffer,
            Transfer::None | Transfer::Out(_) => nothing,
        };
        if fixed {
            self.read_fixed(asked, block_length as usize, buffer)
        } else {
            // A length of other than block length is worth telling even so, where there is a block length.
            let quiet = suppress.then_some(block_length == 0);
            self.read_variable(asked, quiet, buffer)
        }
    }

    /// One record. `quiet`: short ones are not told (SILI); inside, whether long ones are not either.
    fn read_variable(&mut self, asked: u64, quiet: Option<bool>, buffer: &mut [u8]) -> Answered {
        let room = buffer.len().min(asked as usize);
        let taken = self.read_block(&mut buffer[..room], asked.cast_signed(), 0)?;
        let moved = taken.bytes.min(room);
        let difference = asked.cast_signed() - taken.bytes as i64;
        let tells = match (difference.signum(), quiet) {
            (0, _) | (1, Some(_)) => false,
            (_, Some(quiet)) => !quiet,
            (_, None) => true,
        };
        match taken.remark {
            _ if tells => Err(Check::Condition(
                Say::default().incorrect_length().about(difference),
                moved,
            )),
            Some(say) => Err(Check::Condition(say, moved)),
            None => Ok(moved),
        }
    }

    /// Many records of one length.
    fn read_fixed(&mut self, count: u64, length: usize, buffer: &mut [u8]) -> Answered {
        let mut moved = 0;
        for done in 0..count {
            let left = (count - done).cast_signed();
            let end = (moved + length).min(buffer.len());
            let taken = self.read_block(&mut buffer[moved.min(end)..end], left, moved)?;
            if taken.bytes != length {
                moved = (moved + taken.bytes.min(length)).min(buffer.len());
                return Err(Check::Condition(Say::default().incorrect_length().about(left), moved));
            }
            moved = end;
            if let Some(say) = taken.remark {
                return Err(Check::Condition(say.about(left - 1), moved));
            }
        }
        Ok(moved)
    }

    /// The block at the position, into a buffer that may be shorter. `left` is what stands in the information field, and
    /// `moved` what was moved before.
    fn read_block(&mut self, buffer: &mut [u8], left: i64, moved: usize) -> Result<Taken, Check> {
        let at = self.position;
        let cartridge = self.cartridge()?;
        let stop = |say: Say| Err(Check::Condition(say.about(left), moved));
        let bytes = match cartridge.map(at.partition.0).kind(at.block) {
            Some(BlockKind::Record(bytes)) => bytes as usize,
            Some(BlockKind::Filemark) => {
                self.position.block += 1;
                return stop(Say::FILEMARK);
            }
            Some(BlockKind::Unreadable) => return stop(Say::READ_ERROR),
            None if cartridge.end_known(at.partition.0) => return stop(Say::END_OF_DATA),
            None => return stop(Say::END_NOT_FOUND),
        };
        let struck = self.faults.strike(Op::Read, self.barcode().as_deref(), Some(at.block));
        let twist = struck.map_err(|check| match check {
            Check::Condition(say, _) => Check::Condition(say.about(left), moved),
            other => other,
        })?;
        let wanted = buffer.len().min(bytes);
        if self.cartridge()?.read(at, &mut buffer[..wanted]).is_err() {
            return stop(Say::READ_ERROR);
        }
        self.stream();
        self.statistics.read(bytes as u64);
        self.position.block += 1;
        let (bytes, remark) = match twist {
            Twist::Short => (bytes / 2, None),
            Twist::Flip => {
                flip(&mut buffer[..wanted]);
                (bytes, None)
            }
            Twist::Remark(say) => (bytes, Some(say)),
            Twist::None | Twist::Lost => (bytes, None),
        };
        Ok(Taken { bytes, remark })
    }
}
