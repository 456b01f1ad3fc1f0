//! The catalogue in memory: the same trait and the same rules as in PostgreSQL, for the simulator and for tests.
//!
//! Every change works on a copy of the tables that replaces them only when it succeeded, so that a refusal, and a drill
//! that ends a change in its middle, leave nothing behind. Debug builds assert every invariant after each change. There
//! is no clock and no randomness here: the same calls give the same catalogue.

mod check;
mod doubt;
mod erase;
mod extents;
mod holdings;
mod import;
mod jobs;
mod libraries;
mod lookups;
mod losses;
mod lost;
mod media;
mod objects;
mod reconcile;
mod record;
mod release;
mod service;
mod swap;
mod table;
mod tables;
mod volume;

use crate::catalogue::{Finding, Identity, Result};
use crate::model::{CatalogueId, Checkpoints, Revision, Step};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tables::Tables;

/// A catalogue in memory.
pub struct MemCatalogue {
    tables: Mutex<Tables>,
    steps: Arc<dyn Checkpoints>,
}

impl MemCatalogue {
    /// An empty catalogue. `steps` is told of the steps before and after its commits, the former under its lock: it
    /// must not call the catalogue from there.
    pub fn new(id: CatalogueId, testing: bool, steps: Arc<dyn Checkpoints>) -> Self {
        let revision = Revision(0);
        Self {
            tables: Mutex::new(Tables::new(Identity { id, testing, revision })),
            steps,
        }
    }

    /// The same catalogue as it is now, to go on independently: what a backup would hold. Costs next to nothing.
    pub fn snapshot(&self, steps: Arc<dyn Checkpoints>) -> Self {
        Self {
            tables: Mutex::new(self.lock().clone()),
            steps,
        }
    }

    /// Every broken invariant; empty unless this module has a bug.
    pub fn violations(&self) -> Vec<Finding> {
        self.lock().violations()
    }

    /// Makes an object version of one copy whose only extent is one that is *sync* already; see `conformance::Backend`.
    #[cfg(feature = "conformance")]
    pub fn share(&self, extent: crate::model::ExtentId, object: crate::model::Object) {
        use crate::model::{CopyNo, ExtentIndex};
        let shared = self.change(|tables| {
            let seat = (object.id, CopyNo(0), ExtentIndex(0));
            tables.insert_object(object);
            tables.fill(seat, extent);
            Ok(())
        });
        shared.expect("nothing refuses it");
    }

    /// A panic under the lock, such as a drill's, cannot have left half a change: changes are made on a copy.
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        look(&self.lock())
    }

    fn change<T>(&self, work: impl FnOnce(&mut Tables) -> Result<T>) -> Result<T> {
        self.change_unless(&[], &[], |_| false, work)
    }

    /// A change between two steps that a drill can name.
    fn stepped<T>(&self, before: Step, after: Step, work: impl FnOnce(&mut Tables) -> Result<T>) -> Result<T> {
        self.change_unless(&[before], &[after], |_| false, work)
    }

    /// A change that is thrown away when its answer says so.
    fn change_unless<T>(
        &self,
        before: &[Step],
        after: &[Step],
        in_vain: impl FnOnce(&T) -> bool,
        work: impl FnOnce(&mut Tables) -> Result<T>,
    ) -> Result<T> {
        let mut kept = self.lock();
        let mut next = kept.clone();
        let answer = work(&mut next)?;
        if in_vain(&answer) {
            return Ok(answer);
        }
        next.identity.revision.0 += 1;
        if cfg!(debug_assertions) {
            let broken = next.violations();
            assert!(broken.is_empty(), "a change breaks invariants: {broken:?}");
        }
        before.iter().for_each(|step| self.steps.reach(*step));
        *kept = next;
        drop(kept);
        after.iter().for_each(|step| self.steps.reach(*step));
        Ok(answer)
    }
}
