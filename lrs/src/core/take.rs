//! What an event changes at once, before anything is decided from it.

use super::allocation::{Claim, Mode};
use super::drive::{DriveId, DriveStep};
use super::health::Failure;
use super::lease::LeaseState;
use super::library::LibraryFacts;
use super::placement::{Out, not_usable};
use super::queue::Stage;
use super::request::{AllocationId, Refusal};
use super::scheduler::{Effect, Event, MediumState, Phase, Scheduler, refuse};
use dss::model::{ByteCount, Health, Medium, MediumId};

impl Scheduler {
    pub(super) fn take(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Submit(id, request) if self.phase == Phase::Serving => self.queue.push(id, request, self.now),
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
            Event::SpaceProbed { id, medium, free, .. } => self.probed(id, medium, free),
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
            Event::Failed(failure) => self.failed(failure, effects),
            Event::LeaseTaken(id, epoch) => self.lease(id, LeaseState::Held(epoch)),
            Event::LeaseFailed(id, why) => self.lease(id, LeaseState::Refused(why)),
            Event::LeaseLost(id) => self.lease_lost(id, effects),
            Event::Library(facts) => self.learn(facts),
            Event::DriveLock {
                drive,
                locked: Some(why),
            } => drop(self.locked.insert(drive, why)),
            Event::DriveLock { drive, locked: None } => drop(self.locked.remove(&drive)),
            Event::LetGo(id) => {
                if let Some(state) = self.media.get_mut(&id) {
                    state.let_go = true;
                }
            }
            Event::Tick => {}
            Event::Stop => self.stop(effects),
        }
    }

    fn seen(&mut self, row: Medium) {
        let id = row.id;
        match self.media.get_mut(&id) {
            Some(state) => {
                if state.row.health != Health::Ok && row.health == Health::Ok {
                    self.health.forget(id);
                }
                // Another path is another mount, and a mount keeps the capacity that it was made with; the generation
                // is checked by whoever uses the mount.
                let mounted_as = (&state.row.location, state.row.capacity);
                state.stale |= mounted_as != (&row.location, row.capacity);
                state.row = row;
                state.gone = false;
            }
            None => {
                let state = MediumState {
                    row,
                    lease: LeaseState::None,
                    stale: false,
                    gone: false,
                    let_go: false,
                };
                self.media.insert(id, state);
            }
        }
        let Some(state) = self.media.get(&id) else { return };
        let row = state.row.clone();
        self.put_back(|claim| claim.medium == id && not_usable(&row, claim.mode).is_some());
    }

    /// Counts a failure, and tells whom it speaks against.
    fn failed(&mut self, failure: Failure, effects: &mut Vec<Effect>) {
        let (medium, drive) = (failure.medium, failure.drive.clone());
        let known = self.health.against_drive(&drive, self.now).is_some();
        self.health.note(failure, self.now);
        match self.health.against_drive(&drive, self.now) {
            Some(why) if !known => effects.push(Effect::DriveOut { drive, why }),
            Some(_) | None => {}
        }
        let known = self.media.get(&medium).is_some_and(|of| of.row.health != Health::Ok);
        if let Some(why) = self.health.against_medium(medium, self.now).filter(|_| !known) {
            effects.push(Effect::Suspect { medium, why });
        }
    }

    /// Whom the failures of a medium in a drive speak against: the medium, or the drive.
    pub fn verdict(&self, medium: MediumId, drive: &DriveId) -> (Option<String>, Option<String>) {
        let of_medium = self.health.against_medium(medium, self.now);
        (of_medium, self.health.against_drive(drive, self.now))
    }

    /// What is true of a library from now on. Whoever is prepared in a drive that does not take his tape any more is judged
    /// again.
    fn learn(&mut self, facts: LibraryFacts) {
        self.libraries.learn(facts);
        let preparing = self.queue.iter().filter(|waiting| waiting.is_preparing());
        let claims = preparing.flat_map(|waiting| waiting.claims());
        let lost: Vec<Claim> = claims
            .filter(|claim| {
                let technology = self.media.get(&claim.medium).map(|state| &state.row.technology);
                technology.is_none_or(|technology| !self.libraries.takes(&claim.drive, technology, claim.mode))
            })
            .cloned()
            .collect();
        self.put_back(|claim| lost.contains(claim));
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
            if writes && active.yield_asked.is_none() {
                active.yield_asked = Some(self.now);
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
            if active.yield_asked.is_none() {
                active.yield_asked = Some(self.now);
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
