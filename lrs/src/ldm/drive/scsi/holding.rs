//! Taking a drive for this host alone.

use super::{Clock, DriveFault, Key, ScsiDrive, is_refusal, timeouts};
use crate::ldm::scsi::cdb::{Removal, ReserveAction};
use crate::ldm::scsi::{Cdb, Transfer, Transport, reservation};

/// How this host holds a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It does not.
    Nothing,
    /// By PERSISTENT RESERVE, exclusive access: no other host reads or writes.
    Reserved,
    /// By PREVENT MEDIUM REMOVAL, on a drive that knows no reservations: nobody takes the cartridge out.
    Prevented,
}

impl<T: Transport, C: Clock> ScsiDrive<T, C> {
    pub(super) fn take_hold(&mut self) -> Result<(), DriveFault> {
        let registered = self.reserve_out(ReserveAction::RegisterIgnoringExisting, None, Some(self.key));
        match registered {
            Ok(()) => {}
            Err(fault) if is_refusal(&fault) => return self.prevent(),
            Err(fault) => return Err(fault),
        }
        if let Err(fault) = self.reserve_out(ReserveAction::Reserve, Some(self.key), None) {
            // A host that holds nothing should not stay registered. Failing to leave changes nothing of the first failure.
            let _ = self.reserve_out(ReserveAction::RegisterIgnoringExisting, Some(self.key), None);
            return Err(fault);
        }
        self.hold = Hold::Reserved;
        Ok(())
    }

    fn prevent(&mut self) -> Result<(), DriveFault> {
        self.done(Cdb::removal(Removal::Prevent), Transfer::None, timeouts::QUESTION)?;
        self.hold = Hold::Prevented;
        Ok(())
    }

    pub(super) fn let_go(&mut self) -> Result<(), DriveFault> {
        match self.hold {
            Hold::Nothing => return Ok(()),
            Hold::Reserved => {
                self.reserve_out(ReserveAction::Release, Some(self.key), None)?;
                self.reserve_out(ReserveAction::RegisterIgnoringExisting, Some(self.key), None)?;
            }
            Hold::Prevented => {
                self.done(Cdb::removal(Removal::Allow), Transfer::None, timeouts::QUESTION)?;
            }
        }
        self.hold = Hold::Nothing;
        Ok(())
    }

    fn reserve_out(
        &mut self,
        action: ReserveAction,
        registered: Option<Key>,
        to_register: Option<Key>,
    ) -> Result<(), DriveFault> {
        let list = reservation::list(registered, to_register);
        let cdb = Cdb::persistent_reserve(action);
        self.done(cdb, Transfer::Out(&list), timeouts::QUESTION).map(drop)
    }
}
