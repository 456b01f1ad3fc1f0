//! A granted allocation: the way to its media's drives, until it is released.

use super::mounting::{Trouble, mount};
use super::{Context, Desk, Message};
use crate::core::drive::DriveId;
use crate::core::request::Grant;
use crate::core::scheduler::Event;
use crate::ldm::{Fault, MediaError, Op};
use crate::worker::{DriveGone, DriveHandle, LeaseGuard, Pass, Worker};
use dss::model::{Medium, MediumId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// One medium of an allocation.
pub(super) struct Seat {
    pub(super) row: Medium,
    pub(super) drive: DriveId,
    pub(super) worker: Worker,
    /// For media that may be written.
    pub(super) lease: Option<LeaseGuard>,
}

/// Granted media. Released when dropped; [`Allocation::release`] says so aloud.
pub struct Allocation {
    grant: Grant,
    seats: BTreeMap<MediumId, Seat>,
    released: Arc<AtomicBool>,
    yielding: watch::Receiver<bool>,
    context: Arc<Context>,
    desk: Desk,
}

impl Allocation {
    pub(super) fn new(
        grant: Grant,
        seats: BTreeMap<MediumId, Seat>,
        yielding: watch::Receiver<bool>,
        context: Arc<Context>,
        desk: Desk,
    ) -> Self {
        Self {
            grant,
            seats,
            released: Arc::new(AtomicBool::new(false)),
            yielding,
            context,
            desk,
        }
    }

    /// What was granted.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The drive of a granted medium, for its present mount. Panics when the medium was not granted.
    pub fn volume(&self, medium: MediumId) -> DriveHandle {
        let seat = self.seat(medium);
        seat.worker.handle(Pass {
            released: Arc::clone(&self.released),
            lease: seat.lease.clone(),
        })
    }

    /// Whether to release at the next extent boundary.
    pub fn should_yield(&self) -> bool {
        *self.yielding.borrow()
    }

    /// The same for a closure on a drive's thread.
    pub fn yielding(&self) -> impl Fn() -> bool + Clone + Send + 'static + use<> {
        let yielding = self.yielding.clone();
        move || *yielding.borrow()
    }

    /// Returns when [`Self::should_yield`] becomes true.
    pub async fn yield_asked(&self) {
        // A scheduler that is gone wants its allocations back.
        let _ = self.yielding.clone().wait_for(|asked| *asked).await;
    }

    /// Unmounts a medium, mounts it again and checks its label: after a failed sync, a reset, or a possible change of
    /// medium. It stays in the same drive. Earlier handles are void; take a new one from [`Self::volume`].
    pub async fn reopen(&self, medium: MediumId) -> Result<(), MediaError> {
        let seat = self.seat(medium);
        if seat.lease.as_ref().is_some_and(|lease| !lease.holds()) {
            let ended = DriveGone::LeaseEnded {
                drive: seat.drive.to_string(),
            };
            return Err(ended.on(&seat.row.name));
        }
        // Without the catalogue the row of the grant will do: a wrong one fails to mount.
        let fresh = self.context.catalogue.medium_by_id(medium).await;
        let row = fresh.unwrap_or_else(|_| seat.row.clone());
        let mounted = mount(&self.context, &self.desk, &seat.worker, &seat.drive, row).await;
        let outcome = mounted.map_err(|trouble| match trouble {
            Trouble::Media(error) => error,
            // Without knowing where its data end nothing may be appended.
            Trouble::Catalogue(error) => MediaError {
                op: Op::Mount,
                medium: seat.row.name.clone(),
                at: Some(error.to_string()),
                fault: Fault::NeedsReopen,
            },
        });
        let event = match &outcome {
            Ok(()) => Event::Reopened(medium),
            Err(error) => Event::LoadFailed {
                drive: seat.drive.clone(),
                medium,
                why: error.to_string(),
            },
        };
        self.tell(event);
        outcome
    }

    /// Whether commands may still be issued to a medium of this grant: the lease on it has not ended.
    pub fn is_held(&self, medium: MediumId) -> bool {
        self.seat(medium).lease.as_ref().is_none_or(|lease| lease.holds())
    }

    /// Has a medium mounted again before its next use by anybody else: after a failure that makes its mount doubtful.
    pub fn distrust(&self, medium: MediumId) {
        self.tell(Event::Distrust(self.seat(medium).row.id));
    }

    /// Gives everything back. Closures that were asked for and have not begun do not run any more.
    pub async fn release(self) {
        drop(self);
    }

    fn seat(&self, medium: MediumId) -> &Seat {
        self.seats.get(&medium).expect("only granted media are used")
    }

    fn tell(&self, event: Event) {
        // Without an owner there is nobody left to schedule for.
        let _ = self.desk.send(Message::Event(event));
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        self.released.store(true, Ordering::Release);
        self.tell(Event::Release(self.grant.id));
    }
}

impl std::fmt::Debug for Allocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Allocation")
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}
