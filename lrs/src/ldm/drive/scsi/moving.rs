//! Going to places. Wherever the drive was sent, it is asked where it stands.

use super::{Clock, DriveFault, Partition, Position, ScsiDrive, Standing, timeouts};
use crate::ldm::scsi::cdb::SpaceCode;
use crate::ldm::scsi::{Cdb, Transfer, Transport, position};
use std::time::Duration;

impl<T: Transport, C: Clock> ScsiDrive<T, C> {
    /// Where the drive stands, by its own word.
    pub(super) fn ask_position(&mut self) -> Result<Position, DriveFault> {
        let answer = self.ask(Cdb::read_position(), position::BYTES)?;
        Ok(position::long(&answer)?.position)
    }

    /// Moves, and asks where that led. A position that was lost stays lost: the cartridge may be another one.
    fn go(&mut self, cdb: Cdb, timeout: Duration) -> Result<Position, DriveFault> {
        self.unsure();
        self.done(cdb, Transfer::None, timeout)?;
        self.arrive()
    }

    /// Asks for the position after a movement that succeeded, and knows it then.
    pub(super) fn arrive(&mut self) -> Result<Position, DriveFault> {
        let found = self.ask_position()?;
        if self.standing == Standing::Unsure {
            self.standing = Standing::Known;
        }
        Ok(found)
    }

    /// Moves to a place, and is there, or has failed.
    fn go_to(&mut self, wanted: Position, cdb: Cdb, timeout: Duration) -> Result<(), DriveFault> {
        let found = self.go(cdb, timeout)?;
        if found != wanted {
            self.unsure();
            return Err(DriveFault::Astray { found, wanted });
        }
        Ok(())
    }

    pub(super) fn go_to_beginning(&mut self) -> Result<(), DriveFault> {
        let beginning = Position::at(0, 0);
        // REWIND goes to the beginning of the partition it is in.
        let found = self.go(Cdb::rewind(), timeouts::REWIND)?;
        match found == beginning {
            true => Ok(()),
            false => self.go_to_block(beginning),
        }
    }

    pub(super) fn go_to_block(&mut self, to: Position) -> Result<(), DriveFault> {
        self.go_to(to, Cdb::locate(to), timeouts::LOCATE)
    }

    pub(super) fn go_to_end(&mut self, partition: Partition) -> Result<Position, DriveFault> {
        let found = self.go(Cdb::locate_end(partition), timeouts::LOCATE)?;
        if found.partition != partition {
            self.unsure();
            let wanted = Position { partition, ..found };
            return Err(DriveFault::Astray { found, wanted });
        }
        Ok(found)
    }

    /// From where it stands, which must be known.
    pub(super) fn over_filemarks(&mut self, count: i64) -> Result<Position, DriveFault> {
        self.known()?;
        self.go(Cdb::space(SpaceCode::Filemarks, count), timeouts::LOCATE)
    }
}
