//! The time that hardware would have taken. Each device adds up its own; nothing waits unless it is asked to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Whether a device takes the time it says it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// It only counts.
    #[default]
    Virtual,
    /// It sleeps as long as hardware would work.
    Real,
}

/// One device's time, shared by its clones. Counted in microseconds from the first power-on.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    pace: Pace,
    micros: Arc<AtomicU64>,
}

impl Clock {
    /// A clock that stands at zero.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            micros: Arc::default(),
        }
    }

    /// Another clock, which stands where this one does.
    pub(super) fn standing(&self) -> Self {
        Self {
            pace: self.pace,
            micros: Arc::new(AtomicU64::new(self.micros.load(Ordering::Relaxed))),
        }
    }

    /// How long the device has worked.
    pub fn now(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }

    /// The device works for so long.
    pub fn spend(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        if self.pace == Pace::Real {
            std::thread::sleep(time);
        }
    }
}
