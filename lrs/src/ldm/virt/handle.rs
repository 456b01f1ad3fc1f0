//! A handle on a device of the library: one initiator on its bus. A drive and the changer differ in what they do with a
//! command, and in nothing of this.

use super::faulting::silence;
use super::reservation::{Initiator, Initiators};
use super::sense::{Answered, completion};
use crate::ldm::scsi::{Completion, Transfer, Transport, TransportError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What answers commands.
pub(super) trait Device: Send {
    /// What messages call it.
    fn name(&self) -> &str;

    /// The most bytes that one command of it carries.
    fn transfer_max(&self) -> usize;

    /// Who may use it.
    fn initiators(&mut self) -> &mut Initiators;

    /// Does a command of an initiator.
    fn execute(&mut self, from: Initiator, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered;
}

/// A device, whoever panicked while it was held: each command leaves a drive as it stands on the tape, and the changer as
/// the inventory has it.
pub(super) fn lock<D: ?Sized>(device: &Mutex<D>) -> MutexGuard<'_, D> {
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One initiator's way to a device of the library.
pub struct DeviceTransport {
    device: Arc<Mutex<dyn Device>>,
    initiator: Initiator,
    name: String,
    transfer_max: usize,
}

impl DeviceTransport {
    /// A new initiator.
    pub(super) fn new(device: Arc<Mutex<dyn Device>>) -> Self {
        let mut held = lock(&device);
        let (name, transfer_max) = (held.name().to_owned(), held.transfer_max());
        let initiator = held.initiators().join();
        drop(held);
        Self {
            device,
            initiator,
            name,
            transfer_max,
        }
    }
}

impl Drop for DeviceTransport {
    fn drop(&mut self) {
        lock(&self.device).initiators().leave(self.initiator);
    }
}

impl Transport for DeviceTransport {
    fn execute(
        &mut self,
        cdb: &[u8],
        mut transfer: Transfer<'_>,
        timeout: Duration,
    ) -> Result<Completion, TransportError> {
        let answered = lock(&self.device).execute(self.initiator, cdb, &mut transfer);
        completion(answered).ok_or_else(|| {
            std::thread::sleep(silence(timeout));
            TransportError::TimedOut(timeout)
        })
    }

    fn transfer_max(&self) -> usize {
        self.transfer_max
    }

    fn name(&self) -> &str {
        &self.name
    }
}
