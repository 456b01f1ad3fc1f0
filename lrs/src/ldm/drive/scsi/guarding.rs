//! The drive's own guard against writing over anything: its append-only mode (SSC-4, 8.5.3). Whoever sends it elsewhere
//! between two of our records, it is the drive that refuses the next one then.

use super::loading::MODE_BYTES;
use super::{Clock, DriveFault, ScsiDrive, WriteMode, timeouts};
use crate::ldm::scsi::mode::{self, Mode};
use crate::ldm::scsi::{Cdb, Transfer, Transport};

impl<T: Transport, C: Clock> ScsiDrive<T, C> {
    /// From the beginning of the tape. A drive that has no such mode, or does not change it for this cartridge, writes
    /// anywhere, as before: then where it stands is all there is to go by.
    pub(super) fn set_write_mode(&mut self, wanted: WriteMode) -> Result<(), DriveFault> {
        let cdb = Cdb::mode_sense(mode::page::DEVICE_CONFIGURATION, 1, MODE_BYTES as u16);
        let Some(answer) = self.ask_if_known(cdb, MODE_BYTES)? else {
            return Ok(());
        };
        let mode = Mode::read(&answer)?;
        let Ok(page) = mode.page(mode::page::DEVICE_CONFIGURATION, 1) else {
            return Ok(());
        };
        let list = mode::with_write_mode(page, mode.device_specific, wanted);
        let length = u16::try_from(list.len()).unwrap_or(u16::MAX);
        match self.done(Cdb::mode_select(length), Transfer::Out(&list), timeouts::QUESTION) {
            Ok(_) => self.write_mode = wanted,
            // Whatever it has against it, a cartridge that is only to be read among the reasons.
            Err(DriveFault::Sense(_)) => {}
            Err(fault) => return Err(fault),
        }
        Ok(())
    }
}
