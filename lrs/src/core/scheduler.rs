//! Who gets which media, when. One function from (state, event, now) to effects; the simulator runs the same.
//!
//! A request gets everything at once or nothing (E-01): while it is queued it holds nothing, so no two requests can wait
//! for each other. What an older request waits for is reserved for it, so nobody starves. Called by the service only.

use super::allocation::{Active, Board, Claim, Mode};
use super::drive::{Drive, DriveId, DriveStep};
use super::lease::LeaseState;
use super::placement::{Facts, Out, Verdict, judge, not_usable};
use super::queue::{Preparing, Queue, Stage};
use super::request::{AllocationId, Grant, ReadGrant, Refusal, Request, WriteGrant};
use dss::model::{ByteCount, Epoch, Medium, MediumId};
use std::collections::{BTreeMap, BTreeSet};
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
    gone: bool,
}

/// The scheduler's state.
#[derive(Debug, Default)]
pub struct Scheduler {
    pub(super) media: BTreeMap<MediumId, MediumState>,
    pub(super) drives: BTreeMap<DriveId, Drive>,
    pub(super) queue: Queue,
    pub(super) active: BTreeMap<AllocationId, Active>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Serving,
    Stopping,
    Stopped,
}

/// What one medium of a placement still needs.
enum Need {
    Nothing,
    Time,
    /// It must be mounted again and others use it: back into the queue.
    Others,
    Lost(Out),
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

    // --- what events change

    fn step(&mut self, drive: &DriveId, step: DriveStep) -> bool {
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

    // --- placing

    /// One round over the queue. True when a request fell back into it and another round is needed; each fall rules a
    /// medium out for that request, so the rounds end.
    fn dispatch(&mut self, effects: &mut Vec<Effect>) -> bool {
        let mut board = self.board();
        let mut again = false;
        for id in self.queue.order() {
            let waiting = self.queue.get(id).expect("the order lists what is queued");
            let Stage::Queued { wanted } = &waiting.stage else {
                continue;
            };
            let facts = Facts {
                medium: &|id| self.media.get(&id).filter(|state| !state.gone).map(|state| &state.row),
                out: &waiting.out,
                wanted: wanted.as_ref(),
                drives: &self.drives,
            };
            let verdict = judge(&waiting.request, &facts, &|claim| {
                board.fits(&self.effective_claim(claim))
            });
            let arrival = waiting.arrival;
            match verdict {
                Verdict::Place(placement) => {
                    let claims = self.effective(&placement.claims);
                    self.queue.overtake(arrival, &claims);
                    board.add(id, &claims);
                    self.set_stage(
                        id,
                        Stage::Preparing {
                            placement,
                            progress: Preparing::default(),
                        },
                    );
                    again |= self.advance(id, effects);
                }
                Verdict::Wait(placement) => {
                    board.add(id, &self.effective(&placement.claims));
                    self.set_stage(
                        id,
                        Stage::Queued {
                            wanted: Some(placement),
                        },
                    );
                }
                Verdict::Refuse(refusal, cause) => {
                    self.queue.remove(id);
                    effects.push(refuse(id, refusal, cause));
                }
            }
        }
        again
    }

    fn set_stage(&mut self, id: AllocationId, stage: Stage) {
        self.queue.get_mut(id).expect("the request is queued").stage = stage;
    }

    /// All that is held: granted, or while a grant is prepared.
    fn board(&self) -> Board {
        let mut board = Board::default();
        for (id, active) in &self.active {
            board.add(*id, &active.claims);
        }
        for waiting in self.queue.iter().filter(|waiting| waiting.is_preparing()) {
            board.add(waiting.id, waiting.claims());
        }
        board
    }

    /// A claim that needs a new mount needs the medium to itself until then.
    fn effective_claim(&self, claim: &Claim) -> Claim {
        let mut claim = claim.clone();
        if self.needs_mounting_again(&claim) {
            claim.mode = Mode::Exclusive;
        }
        claim
    }

    pub(super) fn effective(&self, claims: &[Claim]) -> Vec<Claim> {
        claims.iter().map(|claim| self.effective_claim(claim)).collect()
    }

    /// A mount that is distrusted, or that is to be written and was made without the lease.
    fn needs_mounting_again(&self, claim: &Claim) -> bool {
        let Some(state) = self.media.get(&claim.medium) else {
            return false;
        };
        let mounted = match self.drive(&claim.drive) {
            Drive::Loading { medium } | Drive::Loaded { medium, .. } => *medium == claim.medium,
            Drive::Empty | Drive::Unloading { .. } | Drive::Failed { .. } => false,
        };
        mounted && (state.stale || (claim.mode != Mode::Read && state.lease.epoch().is_none()))
    }

    pub(super) fn drive(&self, id: &DriveId) -> &Drive {
        self.drives.get(id).unwrap_or(&Drive::Empty)
    }

    pub(super) fn name_of(&self, id: MediumId) -> String {
        self.media
            .get(&id)
            .map_or_else(|| id.to_string(), |state| state.row.name.clone())
    }

    // --- preparing a grant

    /// Takes a placed request as far as it goes now. True when it lost a medium and must be judged again.
    fn advance(&mut self, id: AllocationId, effects: &mut Vec<Effect>) -> bool {
        let Some(waiting) = self.queue.get(id).filter(|waiting| waiting.is_preparing()) else {
            return false;
        };
        let claims = waiting.claims().to_vec();
        let mut ready = true;
        for claim in &claims {
            match self.need(id, claim, effects) {
                Need::Nothing => {}
                Need::Time => ready = false,
                Need::Others => {
                    self.set_stage(id, Stage::Queued { wanted: None });
                    return true;
                }
                Need::Lost(out) => {
                    let waiting = self.queue.get_mut(id).expect("the request is queued");
                    waiting.out.insert(claim.medium, out);
                    waiting.stage = Stage::Queued { wanted: None };
                    return true;
                }
            }
        }
        if ready {
            self.grant(id, effects);
        }
        false
    }

    /// What one medium needs next, and the order for it: lease, then mount, then free space. The lease comes before the
    /// mount so that what is mounted is what nobody else writes.
    fn need(&mut self, id: AllocationId, claim: &Claim, effects: &mut Vec<Effect>) -> Need {
        match self.drive(&claim.drive).clone() {
            Drive::Failed { why } => Need::Lost(Out::Drive(why)),
            Drive::Loading { .. } | Drive::Unloading { .. } => Need::Time,
            Drive::Loaded { medium, .. } if medium != claim.medium => {
                self.unload(&claim.drive, effects);
                Need::Time
            }
            Drive::Loaded { .. } if self.needs_mounting_again(claim) => {
                if self
                    .board()
                    .against(&exclusively(claim))
                    .any(|(holder, _)| *holder != id)
                {
                    return Need::Others;
                }
                self.unload(&claim.drive, effects);
                Need::Time
            }
            Drive::Loaded { .. } => self.need_room(id, claim, effects),
            Drive::Empty => self.need_mount(claim, effects),
        }
    }

    fn need_mount(&mut self, claim: &Claim, effects: &mut Vec<Effect>) -> Need {
        let state = self.media.get_mut(&claim.medium).expect("only known media are placed");
        match (&state.lease, claim.mode) {
            (LeaseState::None, _) => {
                state.lease = LeaseState::Asked;
                effects.push(Effect::TakeLease(claim.medium));
            }
            (LeaseState::Asked, _) => {}
            (LeaseState::Refused(why), Mode::Write | Mode::Exclusive) => return Need::Lost(Out::Lease(why.clone())),
            (LeaseState::Refused(_), Mode::Read) | (LeaseState::Held(_), _) => {
                state.stale = false;
                self.step(&claim.drive, DriveStep::Load(claim.medium));
                effects.push(Effect::Load {
                    drive: claim.drive.clone(),
                    medium: claim.medium,
                });
            }
        }
        Need::Time
    }

    fn need_room(&mut self, id: AllocationId, claim: &Claim, effects: &mut Vec<Effect>) -> Need {
        if claim.mode != Mode::Write {
            return Need::Nothing;
        }
        let waiting = self.queue.get_mut(id).expect("the request is queued");
        let Stage::Preparing { progress, .. } = &mut waiting.stage else {
            return Need::Time;
        };
        match progress.probed.get(&claim.medium) {
            Some(Some(_)) => Need::Nothing,
            Some(None) => Need::Time,
            None => {
                progress.probed.insert(claim.medium, None);
                effects.push(Effect::ProbeSpace {
                    id,
                    drive: claim.drive.clone(),
                    medium: claim.medium,
                });
                Need::Time
            }
        }
    }

    fn grant(&mut self, id: AllocationId, effects: &mut Vec<Effect>) {
        let waiting = self.queue.remove(id).expect("the request is queued");
        let Stage::Preparing { placement, progress } = waiting.stage else {
            unreachable!("only a prepared request is granted")
        };
        let write = |medium: &MediumId, bytes| {
            let state = &self.media[medium];
            WriteGrant {
                medium: *medium,
                generation: state.row.generation,
                epoch: state.lease.epoch().expect("a lease is held before a write is granted"),
                bytes,
            }
        };
        let writes = placement
            .writes
            .iter()
            .zip(&waiting.request.writes)
            .map(|(medium, want)| {
                let free = progress
                    .probed
                    .get(medium)
                    .copied()
                    .flatten()
                    .expect("room is known before a write is granted");
                assert!(free >= want.at_least, "a write grant has room for one whole extent");
                write(medium, free.min(want.bytes.max(want.at_least)))
            });
        effects.push(Effect::Grant(Grant {
            id,
            reads: waiting
                .request
                .reads
                .iter()
                .map(|medium| ReadGrant { medium: *medium })
                .collect(),
            writes: writes.collect(),
            exclusive: waiting
                .request
                .exclusive
                .iter()
                .map(|medium| write(medium, ByteCount::ZERO))
                .collect(),
        }));
        let active = Active {
            purpose: waiting.request.purpose,
            priority: waiting.request.priority,
            claims: placement.claims,
            yield_asked: false,
        };
        self.active.insert(id, active);
    }

    // --- after all else

    /// Asks whoever does not hurry, and holds what somebody more urgent waits for, to give way.
    fn ask_to_yield(&mut self, effects: &mut Vec<Effect>) {
        let queued = self.queue.iter().filter(|waiting| !waiting.is_preparing());
        let wanted: Vec<_> = queued
            .map(|of| (of.request.priority, self.effective(of.claims())))
            .collect();
        for (id, active) in self.active.iter_mut().filter(|(_, active)| !active.yield_asked) {
            let in_the_way = wanted.iter().any(|(priority, claims)| {
                active.yields_to(*priority) && !super::allocation::go_together(&active.claims, claims)
            });
            let locked = active
                .claims
                .iter()
                .any(|claim| self.media.get(&claim.medium).is_some_and(|of| of.row.locked));
            if in_the_way || locked {
                active.yield_asked = true;
                effects.push(Effect::AskYield(*id));
            }
        }
    }

    /// Unmounts what nobody uses any more, and gives back leases on what is not mounted.
    fn settle(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let preparing = self.queue.iter().filter(|waiting| waiting.is_preparing());
        let held = self
            .active
            .values()
            .map(|active| &active.claims[..])
            .chain(preparing.map(|of| of.claims()));
        let used: BTreeSet<MediumId> = held.flatten().map(|claim| claim.medium).collect();
        let mut idle = Vec::new();
        for (id, drive) in &mut self.drives {
            let Drive::Loaded { medium, idle_since } = drive else {
                continue;
            };
            if used.contains(medium) {
                *idle_since = None;
                continue;
            }
            let since = *idle_since.get_or_insert(now);
            let unwanted = self
                .media
                .get(medium)
                .is_none_or(|of| of.stale || of.gone || of.row.locked);
            if unwanted || self.phase != Phase::Serving || now.saturating_sub(since) >= IDLE_MAX {
                idle.push(id.clone());
            }
        }
        for drive in idle {
            self.unload(&drive, effects);
        }
        let drives = &self.drives;
        self.media.retain(|id, state| {
            let drive = drives.get(&DriveId::of(&state.row));
            if used.contains(id) || drive.and_then(Drive::medium) == Some(*id) {
                return true;
            }
            match &state.lease {
                LeaseState::Held(_) => {
                    state.lease = LeaseState::None;
                    effects.push(Effect::ReleaseLease(*id));
                }
                LeaseState::Refused(_) => state.lease = LeaseState::None,
                LeaseState::None | LeaseState::Asked => {}
            }
            !state.gone || state.lease != LeaseState::None
        });
        self.tell_stopped(effects);
    }

    fn tell_stopped(&mut self, effects: &mut Vec<Effect>) {
        let empty = self.drives.values().all(|drive| drive.medium().is_none());
        let free = self
            .media
            .values()
            .all(|state| matches!(state.lease, LeaseState::None | LeaseState::Refused(_)));
        if self.phase == Phase::Stopping && empty && free && self.active.is_empty() {
            self.phase = Phase::Stopped;
            effects.push(Effect::Stopped);
        }
    }

    fn unload(&mut self, drive: &DriveId, effects: &mut Vec<Effect>) {
        let medium = self.drive(drive).medium();
        if self.step(drive, DriveStep::Unload) {
            // The next mount asks for the lease anew.
            let state = medium.and_then(|medium| self.media.get_mut(&medium));
            if let Some(state) = state.filter(|state| matches!(state.lease, LeaseState::Refused(_))) {
                state.lease = LeaseState::None;
            }
            effects.push(Effect::Unload(drive.clone()));
        }
    }
}

fn exclusively(claim: &Claim) -> Claim {
    Claim {
        mode: Mode::Exclusive,
        ..claim.clone()
    }
}

fn refuse(id: AllocationId, refusal: Refusal, cause: Option<Cause>) -> Effect {
    Effect::Refuse { id, refusal, cause }
}
