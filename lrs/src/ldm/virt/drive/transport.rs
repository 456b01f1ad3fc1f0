//! A handle on a drive: one initiator on its bus.

use super::Drive;
use crate::ldm::scsi::{Completion, Transfer, Transport, TransportError};
use crate::ldm::virt::faulting::silence;
use crate::ldm::virt::reservation::Initiator;
use crate::ldm::virt::sense::completion;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The largest record of an LTO drive in bytes (READ BLOCK LIMITS).
pub(super) const RECORD_MAX: usize = 8 << 20;

/// One initiator's way to a drive.
pub struct DriveTransport {
    drive: Arc<Mutex<Drive>>,
    initiator: Initiator,
    name: String,
}

/// A drive, whoever panicked while it was held: each command leaves it as it stands on the tape.
pub(in crate::ldm::virt) fn lock(drive: &Mutex<Drive>) -> MutexGuard<'_, Drive> {
    drive.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DriveTransport {
    pub(in crate::ldm::virt) fn new(drive: Arc<Mutex<Drive>>) -> Self {
        let mut held = lock(&drive);
        let (initiator, name) = (held.initiators.join(), held.identity.name.clone());
        drop(held);
        Self { drive, initiator, name }
    }
}

impl Drop for DriveTransport {
    fn drop(&mut self) {
        lock(&self.drive).initiators.leave(self.initiator);
    }
}

impl Transport for DriveTransport {
    fn execute(
        &mut self,
        cdb: &[u8],
        mut transfer: Transfer<'_>,
        timeout: Duration,
    ) -> Result<Completion, TransportError> {
        let answered = lock(&self.drive).execute(self.initiator, cdb, &mut transfer);
        completion(answered).ok_or_else(|| {
            std::thread::sleep(silence(timeout));
            TransportError::TimedOut(timeout)
        })
    }

    fn transfer_max(&self) -> usize {
        RECORD_MAX
    }

    fn name(&self) -> &str {
        &self.name
    }
}
