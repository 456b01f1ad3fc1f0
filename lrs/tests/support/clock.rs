//! A clock that passes only by waiting.

use lrs::ldm::drive::scsi::Clock;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The clock; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct TestClock(Arc<Mutex<Duration>>);

impl Clock for TestClock {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}
