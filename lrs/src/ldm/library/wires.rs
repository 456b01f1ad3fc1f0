//! The ways to the devices of a library, and how long they are waited for.

use crate::ldm::drive::ScsiDrive;
use crate::ldm::drive::scsi::{Clock, SystemClock};
use crate::ldm::scsi::Transport;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A way to one device.
pub type Wire = Box<dyn Transport>;

/// A drive of a library.
pub(super) type Driver = ScsiDrive<Wire, Patience>;

/// The ways to a library's devices, as they were found.
pub struct Wires {
    /// To its changer.
    pub changer: Wire,
    /// To tape drives of this host, in any order; some may be of other libraries.
    pub drives: Vec<Wire>,
    /// Devices that may be drives and could not be looked at, each in words.
    pub passed: Vec<String>,
}

/// How a library is waited for.
#[derive(Clone, Debug, Default)]
pub struct Patience(Time);

#[derive(Clone, Debug)]
enum Time {
    /// By the host's clock.
    Host(SystemClock),
    /// Microseconds that pass by waiting alone.
    Counted(Arc<AtomicU64>),
}

impl Default for Time {
    fn default() -> Self {
        Self::Host(SystemClock::default())
    }
}

impl Patience {
    /// Of a library whose devices only count their time: waiting takes none.
    pub fn counted() -> Self {
        Self(Time::Counted(Arc::default()))
    }
}

impl Clock for Patience {
    fn now(&self) -> Duration {
        match &self.0 {
            Time::Host(clock) => clock.now(),
            Time::Counted(micros) => Duration::from_micros(micros.load(Ordering::Relaxed)),
        }
    }

    fn sleep(&self, time: Duration) {
        match &self.0 {
            Time::Host(clock) => clock.sleep(time),
            Time::Counted(micros) => {
                let more = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                micros.fetch_add(more, Ordering::Relaxed);
            }
        }
    }
}
