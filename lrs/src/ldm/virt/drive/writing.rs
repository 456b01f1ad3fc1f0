//! Everything that changes what is on the tape: records, filemarks, flushes, and erasing (SSC-5, chapter 6).

use super::{Drive, RECORD_MAX};
use crate::ldm::Op;
use crate::ldm::drive::{Attribute, AttributeFormat, Position};
use crate::ldm::scsi::Transfer;
use crate::ldm::virt::bytes::{number, taken};
use crate::ldm::virt::cartridge::{Cartridge, Kind, Tab};
use crate::ldm::virt::faulting::{Twist, flip};
use crate::ldm::virt::sense::{Answered, Check, Say};
use crate::ldm::virt::technology::Access;
use nix::errno::Errno;
use std::borrow::Cow;

/// Volume change reference (MAM 0009h, SSC-5, 4.2.20): another number after each mount that wrote.
const CHANGE_REFERENCE: u16 = 0x0009;

impl Drive {
    pub(super) fn write(&mut self, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let (fixed, asked) = (cdb[1] & 1 == 1, number(&cdb[2..5]));
        let length = if fixed {
            u64::from(self.modes.block_length)
        } else {
            asked
        };
        if fixed && length == 0 || length as usize > RECORD_MAX {
            return Err(Say::BAD_FIELD.into());
        }
        let count = if fixed { asked } else { u64::from(asked > 0) };
        let bytes = taken(transfer, count * length)?;
        if count == 0 {
            return Ok(0);
        }
        self.writable(self.position)?;
        for (done, record) in bytes.chunks(length as usize).enumerate() {
            let left = if fixed { count - done as u64 } else { asked };
            let warned = self
                .write_record(record)
                .map_err(|check| at_rest(check, left, done * record.len()))?;
            if let Some(say) = warned {
                let left = if fixed { left - 1 } else { 0 };
                return Err(Check::Condition(
                    say.about(left.cast_signed()),
                    (done + 1) * record.len(),
                ));
            }
        }
        Ok(bytes.len())
    }

    /// Takes one record; answers what is to be said of it all the same.
    fn write_record(&mut self, record: &[u8]) -> Result<Option<Say>, Check> {
        let (at, length) = (self.position, record.len() as u64);
        let cartridge = self.cartridge()?;
        let (size, reserve) = room(cartridge.as_ref(), at.partition.0);
        let after = cartridge.map(at.partition.0).bytes_before(at.block) + length;
        if after > size {
            return Err(Say::OVERFLOW.into());
        }
        let twist = self
            .faults
            .strike(Op::Write, self.barcode().as_deref(), Some(at.block))?;
        let mut record = Cow::Borrowed(record);
        match twist {
            Twist::Flip => flip(record.to_mut()),
            Twist::Lost => record.to_mut().fill(0),
            Twist::None | Twist::Short | Twist::Remark(_) => {}
        }
        self.touch()?;
        self.cartridge()?.write(at, &record).map_err(storage)?;
        self.stream();
        self.statistics.write(length);
        self.position.block += 1;
        Ok(match twist {
            Twist::Remark(say) => Some(say),
            _ if after > size - reserve => Some(Say::EARLY_WARNING),
            _ => None,
        })
    }

    /// WRITE FILEMARKS (SSC-5, 6.11). Of none, and not immediate, it is a flush.
    pub(super) fn write_filemarks(&mut self, cdb: &[u8]) -> Answered {
        let (immediate, set, count) = (cdb[1] & 1 == 1, cdb[1] & 2 == 2, number(&cdb[2..5]));
        if set {
            return Err(Say::BAD_FIELD.into());
        }
        let at = self.position;
        if count > 0 {
            self.writable(at)?;
            let cartridge = self.cartridge()?;
            let (size, _) = room(cartridge.as_ref(), at.partition.0);
            if cartridge.map(at.partition.0).bytes_before(at.block) >= size {
                return Err(Say::OVERFLOW.about(count.cast_signed()).into());
            }
            self.touch()?;
            let marked = self.cartridge()?.mark(at, count).map_err(storage);
            marked.map_err(|check| at_rest(check, count, 0))?;
            self.position.block += count;
        }
        let buffered = self.buffered();
        if !immediate {
            self.flush()?;
        }
        let cartridge = self.cartridge()?;
        let (size, reserve) = room(cartridge.as_ref(), at.partition.0);
        let used = cartridge.map(at.partition.0).bytes_before(at.block);
        // The information field: how many were not written.
        if used > size - reserve && (count > 0 || buffered > 0) {
            return Err(Say::EARLY_WARNING.about(0).into());
        }
        Ok(0)
    }

    /// ERASE(6): from the position on nothing is left, quickly or thoroughly; here both are the same.
    pub(super) fn erase(&mut self) -> Answered {
        let at = self.position;
        self.writable(at)?;
        self.settle_buffer()?;
        self.touch()?;
        self.cartridge()?.cut(at).map_err(storage)?;
        self.flush()?;
        self.streaming = false;
        Ok(0)
    }

    /// ALLOW OVERWRITE (SSC-5, 6.1): 0 not at all, 1 at the position, which must be the one named, 2 FORMAT MEDIUM.
    pub(super) fn allow_overwrite(&mut self, cdb: &[u8]) -> Answered {
        let named = Position::at(cdb[3], number(&cdb[4..12]));
        self.overwrite_allowed = match cdb[2] & 0x0f {
            0 => None,
            1 if named == self.position => Some(named),
            1 => return Err(Say::new(0x5, 0x3b, 0x0c).into()),
            2 => Some(Position::at(0, 0)),
            _ => return Err(Say::BAD_FIELD.into()),
        };
        Ok(0)
    }

    /// Whether the tape may be changed from a position on.
    pub(super) fn writable(&mut self, at: Position) -> Result<(), Check> {
        let append_only = self.modes.append_only;
        let allowed = self.overwrite_allowed == Some(at);
        if self.access() == Some(Access::ReadOnly) {
            return Err(Say::CANNOT_WRITE_FORMAT.into());
        }
        let cartridge = self.cartridge()?;
        if cartridge.card().tab == Tab::Protected {
            return Err(Say::WRITE_PROTECTED.into());
        }
        let end = cartridge.map(at.partition.0).end();
        let before_end = at.block < end;
        if before_end && (cartridge.card().kind == Kind::Worm || append_only && !allowed) {
            return Err(Say::OVERWRITE.into());
        }
        if !before_end && !cartridge.end_known(at.partition.0) {
            return Err(Say::END_NOT_FOUND.into());
        }
        Ok(())
    }

    /// The first change since the load: the cartridge gets another change reference, before anything is on the tape.
    pub(super) fn touch(&mut self) -> Result<(), Check> {
        self.overwrite_allowed = None;
        let super::Bay::Ready(loaded) = &mut self.bay else {
            return Err(Say::NO_MEDIUM.into());
        };
        if loaded.touched {
            return Ok(());
        }
        let old = loaded.cartridge.attribute(0, CHANGE_REFERENCE);
        let old = old.map_or(0, |attribute| number(&attribute.value));
        let next = Attribute {
            id: CHANGE_REFERENCE,
            format: AttributeFormat::Binary,
            value: (old as u32).wrapping_add(1).max(1).to_be_bytes().to_vec(),
        };
        loaded.cartridge.set_attribute(0, &next).map_err(storage)?;
        loaded.touched = true;
        Ok(())
    }

    /// How many blocks are in the buffer, over all partitions.
    pub(super) fn buffered(&self) -> u64 {
        let Some(cartridge) = self.loaded() else { return 0 };
        let of = |partition| {
            cartridge.map(partition).end() - cartridge.durable_end(partition).min(cartridge.map(partition).end())
        };
        (0..cartridge.card().partition_count()).map(of).sum()
    }

    /// Writes the buffer out. Where that fails everything in it is lost, and the drive stands behind what is on the tape.
    pub(super) fn flush(&mut self) -> Result<(), Check> {
        if self.loaded().is_none() {
            return Ok(());
        }
        self.streaming = self.streaming && self.buffered() == 0;
        let struck = self.faults.strike(Op::Sync, self.barcode().as_deref(), None);
        let flushed = match struck {
            Ok(twist) => self.cartridge()?.flush().map_err(storage).map(|()| twist),
            Err(check) => Err(check),
        };
        match flushed {
            Ok(Twist::Remark(say)) => Err(say.into()),
            Ok(_) => Ok(()),
            Err(Check::Silence) => Err(Check::Silence),
            Err(check) => {
                self.drop_buffer()?;
                Err(check)
            }
        }
    }

    /// Writes the buffer out before the tape moves. A failure is one of earlier commands, and this one is not done.
    pub(super) fn settle_buffer(&mut self) -> Result<(), Check> {
        if self.buffered() == 0 {
            return Ok(());
        }
        self.flush().map_err(|check| match check {
            Check::Condition(say, moved) if say.key() > 1 => Check::Condition(say.deferred(), moved),
            other => other,
        })
    }

    /// Forgets what is in the buffer.
    pub(super) fn drop_buffer(&mut self) -> Result<(), Check> {
        let at = self.position;
        let cartridge = self.cartridge()?;
        cartridge.power_cut();
        let end = cartridge.map(at.partition.0).end();
        self.position.block = at.block.min(end);
        self.streaming = false;
        Ok(())
    }
}

/// The size of a partition, and how much of it lies behind early warning.
fn room(cartridge: &dyn Cartridge, partition: u8) -> (u64, u64) {
    let card = cartridge.card();
    (card.partition_size(partition), card.reserve(partition))
}

/// Adds what was left to do, and what was moved.
fn at_rest(check: Check, left: u64, moved: usize) -> Check {
    match check {
        Check::Condition(say, _) => Check::Condition(say.about(left.cast_signed()), moved),
        other => other,
    }
}

/// How storage that fails looks from outside: full storage is a full tape.
pub(super) fn storage(error: Errno) -> Check {
    match error {
        Errno::ENOSPC | Errno::EDQUOT => Say::OVERFLOW.into(),
        _ => Say::WRITE_ERROR.into(),
    }
}
