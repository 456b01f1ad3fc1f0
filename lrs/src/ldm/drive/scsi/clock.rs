//! Waiting, so that tests need not wait.

use std::fmt;
use std::time::{Duration, Instant};

/// A monotonic clock, and waiting by it.
pub trait Clock: Send + fmt::Debug {
    /// Since a moment that stays the same.
    fn now(&self) -> Duration;

    /// Lets so much time pass.
    fn sleep(&self, time: Duration);
}

/// The host's.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
