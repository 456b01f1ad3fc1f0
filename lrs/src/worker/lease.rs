//! A lease as whoever works under it sees it: until when commands may be issued (I7).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Until when commands may be issued, on the monotonic clock. Clones share it.
#[derive(Clone, Debug)]
pub struct LeaseGuard(Arc<Mutex<Instant>>);

impl LeaseGuard {
    pub(crate) fn until(end: Instant) -> Self {
        Self(Arc::new(Mutex::new(end)))
    }

    pub(crate) fn prolong(&self, end: Instant) {
        *self.end() = end;
    }

    pub(crate) fn revoke(&self) {
        *self.end() = Instant::now();
    }

    /// Whether commands may still be issued. Long closures ask between commands.
    pub fn holds(&self) -> bool {
        Instant::now() < *self.end()
    }

    fn end(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
