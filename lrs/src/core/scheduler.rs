//! Who gets which media, when. One function from (state, event, now) to effects; the simulator runs the same.
//!
//! A request gets everything at once or nothing (E-01): while it is queued it holds nothing, so no two requests can wait
//! for each other. What an older request waits for is reserved for it, so nobody starves. Called by the service only.

use super::allocation::Active;
use super::drive::{Drive, DriveId, DriveStep};
use super::health::{Failure, Records};
use super::lease::LeaseState;
use super::library::{Libraries, LibraryFacts};
use super::queue::Queue;
use super::request::{AllocationId, Grant, Refusal, Request};
use super::stall::{Order, Orders};
use dss::model::{ByteCount, Epoch, Family, Medium, MediumId};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a medium that nobody uses stays mounted, so that the next small request finds it and the operator who wants
/// to unplug it need not ask.
pub const IDLE_MAX: Duration = Duration::from_secs(300);

/// What happens to the scheduler.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request, under an id never used before.
    Submit(AllocationId, Request),
    /// Whoever asked is gone.
    Cancel(AllocationId),
    /// An allocation ends.
    Release(AllocationId),
    /// A medium is mounted.
    Loaded {
        /// In which drive.
        drive: DriveId,
        /// Which.
        medium: MediumId,
    },
    /// A medium could not be mounted, or is mounted no more.
    LoadFailed {
        /// In which drive.
        drive: DriveId,
        /// Which.
        medium: MediumId,
        /// In words.
        why: String,
    },
    /// A drive is empty.
    Unloaded(DriveId),
    /// A drive is not to be used any more.
    DriveFailed {
        /// Which.
        drive: DriveId,
        /// In words.
        why: String,
    },
    /// A medium's free space, or why it is unknown.
    SpaceProbed {
        /// For which request.
        id: AllocationId,
        /// By which drive.
        drive: DriveId,
        /// Of which medium.
        medium: MediumId,
        /// The answer.
        free: Result<ByteCount, String>,
    },
    /// A medium was added or changed: whoever gave it up may try it again.
    MediumChanged(Medium),
    /// A medium's row was read again.
    MediumSeen(Medium),
    /// A medium is no longer in the catalogue.
    MediumGone(MediumId),
    /// A mount is not to be trusted any more: mount again before the next use.
    Distrust(MediumId),
    /// Its holder had a medium mounted again.
    Reopened(MediumId),
    /// A medium failed in a drive.
    Failed(Failure),
    /// A lease is ours.
    LeaseTaken(MediumId, Epoch),
    /// A lease was refused.
    LeaseFailed(MediumId, String),
    /// A lease of ours ended or may have ended.
    LeaseLost(MediumId),
    /// A library was added, or its drives changed. A drive that is not named any more serves nobody.
    Library(LibraryFacts),
    /// The operator locks a drive, or unlocks it: no new claims in it, and who uses it is asked to give way.
    DriveLock {
        /// Which.
        drive: DriveId,
        /// Why; None unlocks it.
        locked: Option<String>,
    },
    /// A medium is to be unloaded as soon as nobody uses it.
    LetGo(MediumId),
    /// Time passes.
    Tick,
    /// Refuse what waits, ask everybody to give way, and end when all is released.
    Stop,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Mount a medium.
    Load {
        /// In which drive.
        drive: DriveId,
        /// Which.
        medium: MediumId,
    },
    /// Unmount what a drive holds.
    Unload(DriveId),
    /// Ask a mounted medium for its free space.
    ProbeSpace {
        /// For which request.
        id: AllocationId,
        /// Where.
        drive: DriveId,
        /// Which.
        medium: MediumId,
    },
    /// Take the lease on a medium.
    TakeLease(MediumId),
    /// Give a lease back.
    ReleaseLease(MediumId),
    /// A request is granted.
    Grant(Grant),
    /// A request is refused.
    Refuse {
        /// Which.
        id: AllocationId,
        /// Why.
        refusal: Refusal,
        /// Which failed operation is behind it.
        cause: Option<Cause>,
    },
    /// Ask an allocation to end at its next extent boundary.
    AskYield(AllocationId),
    /// A medium is to blame for its failures: the catalogue calls it suspect.
    Suspect {
        /// Which.
        medium: MediumId,
        /// In words.
        why: String,
    },
    /// A drive is to blame for the failures of its media and serves nobody from now on.
    DriveOut {
        /// Which.
        drive: DriveId,
        /// In words.
        why: String,
    },
    /// After `Stop`: nothing is mounted, leased, granted or queued.
    Stopped,
}

/// The failed operation behind a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The last attempt to mount this medium.
    Load(MediumId),
    /// The last attempt to take this medium's lease.
    Lease(MediumId),
}

/// A medium as the scheduler knows it.
#[derive(Clone, Debug)]
pub(super) struct MediumState {
    pub(super) row: Medium,
    pub(super) lease: LeaseState,
    /// The mount is not to be trusted: mount again before the next use.
    pub(super) stale: bool,
    /// No longer in the catalogue; forgotten when it is unmounted.
    pub(super) gone: bool,
    /// To be unloaded as soon as nobody uses it.
    pub(super) let_go: bool,
}

/// The scheduler's state.
#[derive(Debug, Default)]
pub struct Scheduler {
    pub(super) media: BTreeMap<MediumId, MediumState>,
    pub(super) drives: BTreeMap<DriveId, Drive>,
    pub(super) libraries: Libraries,
    /// The drives that the operator locked, and why.
    pub(super) locked: BTreeMap<DriveId, String>,
    pub(super) queue: Queue,
    pub(super) active: BTreeMap<AllocationId, Active>,
    pub(super) orders: Orders,
    pub(super) health: Records,
    pub(super) phase: Phase,
    /// The time of the event at hand.
    pub(super) now: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Serving,
    Stopping,
    Stopped,
}

impl Scheduler {
    /// A scheduler that knows no medium yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an event in and answers what is to be done, in this order. `now` never goes back.
    pub fn on(&mut self, event: Event, now: Duration) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.now = now;
        self.note_answer(&event);
        self.take(event, &mut effects);
        for id in self.queue.order() {
            self.advance(id, &mut effects);
        }
        while self.dispatch(&mut effects) {}
        self.ask_to_yield(&mut effects);
        self.settle(now, &mut effects);
        effects.iter().for_each(|effect| self.note_order(effect));
        effects
    }

    fn note_answer(&mut self, event: &Event) {
        let order = match event {
            Event::Loaded { drive, .. } | Event::LoadFailed { drive, .. } => Order::Load(drive.clone()),
            Event::Unloaded(drive) => Order::Unload(drive.clone()),
            Event::SpaceProbed { id, drive, medium, .. } => Order::Probe(drive.clone(), *medium, *id),
            Event::LeaseTaken(medium, _) | Event::LeaseFailed(medium, _) => Order::Lease(*medium),
            Event::DriveFailed { drive, .. } => return self.orders.forget(drive),
            Event::Submit(..)
            | Event::Cancel(_)
            | Event::Release(_)
            | Event::MediumChanged(_)
            | Event::MediumSeen(_)
            | Event::MediumGone(_)
            | Event::Distrust(_)
            | Event::Reopened(_)
            | Event::Failed(_)
            | Event::LeaseLost(_)
            | Event::Library(_)
            | Event::DriveLock { .. }
            | Event::LetGo(_)
            | Event::Tick
            | Event::Stop => return,
        };
        if self.orders.answered(&order, self.now) {
            self.queue.reconsider_silent();
        }
    }

    fn note_order(&mut self, effect: &Effect) {
        let (order, medium) = match effect {
            Effect::Load { drive, medium } => (Order::Load(drive.clone()), Some(*medium)),
            Effect::Unload(drive) => (Order::Unload(drive.clone()), self.drive(drive).medium()),
            Effect::ProbeSpace { id, drive, medium } => (Order::Probe(drive.clone(), *medium, *id), Some(*medium)),
            Effect::TakeLease(medium) => (Order::Lease(*medium), Some(*medium)),
            Effect::ReleaseLease(_)
            | Effect::Grant(_)
            | Effect::Refuse { .. }
            | Effect::AskYield(_)
            | Effect::Suspect { .. }
            | Effect::DriveOut { .. }
            | Effect::Stopped => return,
        };
        let state = medium.and_then(|medium| self.media.get(&medium));
        let family = state.map_or(Family::Tape, |state| state.row.family);
        self.orders.give(order, family, self.now);
    }

    /// The requests that wait, in the order in which they are served.
    pub fn waiting(&self) -> impl Iterator<Item = &super::queue::Waiting> {
        self.queue.order().into_iter().filter_map(|id| self.queue.get(id))
    }

    pub(super) fn step(&mut self, drive: &DriveId, step: DriveStep) -> bool {
        let state = self.drives.entry(drive.clone()).or_default();
        match state.after(step) {
            Some(next) => {
                *state = next;
                true
            }
            None => false,
        }
    }
}

pub(super) fn refuse(id: AllocationId, refusal: Refusal, cause: Option<Cause>) -> Effect {
    Effect::Refuse { id, refusal, cause }
}
