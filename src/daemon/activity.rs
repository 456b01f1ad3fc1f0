//! Whether anybody uses respoold: requests being answered, streams being read, jobs running.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts uses. Clones share the count.
#[derive(Clone, Debug)]
pub struct Activity(Arc<Mutex<Count>>);

#[derive(Debug)]
struct Count {
    users: usize,
    last: Instant,
}

/// One use, until it is dropped.
#[derive(Debug)]
pub struct InUse(Activity);

impl Activity {
    /// Nobody, as of now.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Count {
            users: 0,
            last: Instant::now(),
        })))
    }

    /// One more.
    pub fn enter(&self) -> InUse {
        self.count().users += 1;
        InUse(self.clone())
    }

    /// How many there are.
    pub fn users(&self) -> usize {
        self.count().users
    }

    /// For how long nobody was there.
    pub fn idle_for(&self) -> Duration {
        let count = self.count();
        if count.users > 0 {
            Duration::ZERO
        } else {
            count.last.elapsed()
        }
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Activity {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut count = self.0.count();
        count.users -= 1;
        count.last = Instant::now();
    }
}
