//! Who gets which media, when. One function from (state, event, now) to effects; the simulator runs the same.
//!
//! A request gets everything at once or nothing (E-01): while it is queued it holds nothing, so no two requests can wait
//! for each other. What an older request waits for is reserved for it, so nobody starves. Called by the service only.

use super::allocation::{Active, Claim, Mode};
use super::drive::{Drive, DriveId, DriveStep};
use super::lease::LeaseState;
use super::placement::{Out, not_usable};
use super::queue::{Queue, Stage};
use super::request::{AllocationId, Grant, Refusal, Request};
use dss::model::{ByteCount, Epoch, Medium, MediumId};
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
    /// A lease is ours.
    LeaseTaken(MediumId, Epoch),
    /// A lease was refused.
    LeaseFailed(MediumId, String),
    /// A lease of ours ended or may have ended.
    LeaseLost(MediumId),
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
}

/// The scheduler's state.
#[derive(Debug, Default)]
pub struct Scheduler {
    pub(super) media: BTreeMap<MediumId, MediumState>,
    pub(super) drives: BTreeMap<DriveId, Drive>,
    pub(super) queue: Queue,
    pub(super) active: BTreeMap<AllocationId, Active>,
    pub(super) phase: Phase,
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
        self.take(event, now, &mut effects);
        for id in self.queue.order() {
            self.advance(id, &mut effects);
        }
        while self.dispatch(&mut effects) {}
        self.ask_to_yield(&mut effects);
        self.settle(now, &mut effects);
        effects
    }

    /// The requests that wait, in the order in which they are served.
    pub fn waiting(&self) -> impl Iterator<Item = &super::queue::Waiting> {
        self.queue.order().into_iter().filter_map(|id| self.queue.get(id))
    }

    fn take(&mut self, event: Event, now: Duration, effects: &mut Vec<Effect>) {
        match event {
            Event::Submit(id, request) if self.phase == Phase::Serving => self.queue.push(id, request, now),
            Event::Submit(id, _) => effects.push(refuse(id, Refusal::Stopping, None)),
            // An unknown id is one that was granted, refused or released while the message was on its way.
            Event::Cancel(id) | Event::Release(id) => {
                self.queue.remove(id);
                self.active.remove(&id);
            }
            Event::Loaded { drive, medium } => {
                self.step(&drive, DriveStep::Loaded(medium));
            }
            Event::LoadFailed { drive, medium, why } => {
                if self.step(&drive, DriveStep::LoadFailed(medium)) {
                    self.rule_out(medium, &Out::Load(why));
                }
            }
            Event::Unloaded(drive) => {
                self.step(&drive, DriveStep::Unloaded);
            }
            Event::DriveFailed { drive, why } => {
                self.step(&drive, DriveStep::Broke(why));
            }
            Event::SpaceProbed { id, medium, free } => self.probed(id, medium, free),
            Event::MediumChanged(row) => {
                self.queue.reconsider(row.id);
                self.seen(row);
            }
            Event::MediumSeen(row) => {
                if self.media.get(&row.id).is_none_or(|known| known.row != row) {
                    self.queue.reconsider(row.id);
                }
                self.seen(row);
            }
            Event::MediumGone(id) => self.gone(id),
            Event::Distrust(id) => {
                if let Some(state) = self.media.get_mut(&id) {
                    state.stale = true;
                }
            }
            Event::Reopened(id) => {
                if let Some(state) = self.media.get_mut(&id) {
                    state.stale = false;
                }
            }
            Event::LeaseTaken(id, epoch) => self.lease(id, LeaseState::Held(epoch)),
            Event::LeaseFailed(id, why) => self.lease(id, LeaseState::Refused(why)),
            Event::LeaseLost(id) => self.lease_lost(id, effects),
            Event::Tick => {}
            Event::Stop => self.stop(effects),
        }
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

    fn seen(&mut self, row: Medium) {
        let id = row.id;
        match self.media.get_mut(&id) {
            Some(state) => {
                // Another path is another mount; the generation is checked by whoever uses the mount.
                state.stale |= state.row.location != row.location;
                state.row = row;
                state.gone = false;
            }
            None => {
                let state = MediumState {
                    row,
                    lease: LeaseState::None,
                    stale: false,
                    gone: false,
                };
                self.media.insert(id, state);
            }
        }
        let Some(state) = self.media.get(&id) else { return };
        let row = state.row.clone();
        self.put_back(|claim| claim.medium == id && not_usable(&row, claim.mode).is_some());
    }

    fn gone(&mut self, id: MediumId) {
        self.put_back(|claim| claim.medium == id);
        if let Some(state) = self.media.get_mut(&id) {
            state.gone = true;
        }
    }

    fn lease(&mut self, id: MediumId, lease: LeaseState) {
        if let Some(state) = self.media.get_mut(&id) {
            state.lease = lease;
        }
    }

    fn lease_lost(&mut self, id: MediumId, effects: &mut Vec<Effect>) {
        self.lease(id, LeaseState::None);
        for (of, active) in &mut self.active {
            let writes = active
                .claims
                .iter()
                .any(|claim| claim.medium == id && claim.mode != Mode::Read);
            if writes && !active.yield_asked {
                active.yield_asked = true;
                effects.push(Effect::AskYield(*of));
            }
        }
    }

    fn probed(&mut self, id: AllocationId, medium: MediumId, free: Result<ByteCount, String>) {
        let Some(waiting) = self.queue.get_mut(id) else { return };
        let Stage::Preparing { placement, progress } = &mut waiting.stage else {
            return;
        };
        let Some(answer) = progress.probed.get_mut(&medium) else {
            return;
        };
        let Some(place) = placement.writes.iter().position(|write| *write == medium) else {
            return;
        };
        let want = &waiting.request.writes[place];
        let out = match free {
            Ok(free) if free >= want.at_least => {
                *answer = Some(free);
                return;
            }
            Ok(free) => Out::Room(free),
            Err(why) => Out::Probe(why),
        };
        waiting.out.insert(medium, out);
        waiting.stage = Stage::Queued { wanted: None };
    }

    fn stop(&mut self, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Serving {
            self.phase = Phase::Stopping;
        }
        for id in self.queue.order() {
            self.queue.remove(id);
            effects.push(refuse(id, Refusal::Stopping, None));
        }
        for (id, active) in &mut self.active {
            if !active.yield_asked {
                active.yield_asked = true;
                effects.push(Effect::AskYield(*id));
            }
        }
    }

    /// Takes from requests being prepared what they hold, if any claim is hit: they are judged again.
    fn put_back(&mut self, hit: impl Fn(&Claim) -> bool) {
        for id in self.queue.order() {
            let waiting = self.queue.get_mut(id).expect("the order lists what is queued");
            if waiting.is_preparing() && waiting.claims().iter().any(&hit) {
                waiting.stage = Stage::Queued { wanted: None };
            }
        }
    }

    /// A medium does not do for any request being prepared with it.
    fn rule_out(&mut self, medium: MediumId, out: &Out) {
        for id in self.queue.order() {
            let waiting = self.queue.get_mut(id).expect("the order lists what is queued");
            if waiting.is_preparing() && waiting.claims().iter().any(|claim| claim.medium == medium) {
                waiting.out.insert(medium, out.clone());
                waiting.stage = Stage::Queued { wanted: None };
            }
        }
    }
}

pub(super) fn refuse(id: AllocationId, refusal: Refusal, cause: Option<Cause>) -> Effect {
    Effect::Refuse { id, refusal, cause }
}
