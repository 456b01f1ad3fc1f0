//! A handle on the changer: one initiator on its bus.

use super::Changer;
use crate::ldm::scsi::{Completion, Transfer, Transport, TransportError};
use crate::ldm::virt::faulting::silence;
use crate::ldm::virt::reservation::Initiator;
use crate::ldm::virt::sense::completion;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// No answer of a changer is longer in bytes: that is what its allocation lengths count.
const ANSWER_MAX: usize = 0xff_ffff;

/// One initiator's way to the changer.
pub struct ChangerTransport {
    changer: Arc<Mutex<Changer>>,
    initiator: Initiator,
    name: String,
}

fn lock(changer: &Mutex<Changer>) -> MutexGuard<'_, Changer> {
    changer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ChangerTransport {
    pub(in crate::ldm::virt) fn new(changer: Arc<Mutex<Changer>>) -> Self {
        let mut held = lock(&changer);
        let (initiator, name) = (held.initiators.join(), held.name.clone());
        drop(held);
        Self {
            changer,
            initiator,
            name,
        }
    }
}

impl Drop for ChangerTransport {
    fn drop(&mut self) {
        lock(&self.changer).initiators.leave(self.initiator);
    }
}

impl Transport for ChangerTransport {
    fn execute(
        &mut self,
        cdb: &[u8],
        mut transfer: Transfer<'_>,
        timeout: Duration,
    ) -> Result<Completion, TransportError> {
        let answered = lock(&self.changer).execute(self.initiator, cdb, &mut transfer);
        completion(answered).ok_or_else(|| {
            std::thread::sleep(silence(timeout));
            TransportError::TimedOut(timeout)
        })
    }

    fn transfer_max(&self) -> usize {
        ANSWER_MAX
    }

    fn name(&self) -> &str {
        &self.name
    }
}
