//! What the scheduler does after every event: it puts away what nobody uses, and ends when it was told to and nothing is
//! left.

use super::drive::{Drive, DriveId, DriveStep};
use super::lease::LeaseState;
use super::scheduler::{Effect, IDLE_MAX, Phase, Scheduler};
use dss::model::MediumId;
use std::collections::BTreeSet;
use std::time::Duration;

impl Scheduler {
    /// Unmounts what nobody uses any more, and gives back leases on what is not mounted.
    pub(super) fn settle(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let preparing = self.queue.iter().filter(|waiting| waiting.is_preparing());
        let held = self
            .active
            .values()
            .map(|active| &active.claims[..])
            .chain(preparing.map(|of| of.claims()));
        let used: BTreeSet<MediumId> = held.flatten().map(|claim| claim.medium).collect();
        let aside: BTreeSet<DriveId> = self
            .drives
            .keys()
            .filter(|id| self.aside(id).is_some())
            .cloned()
            .collect();
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
                .is_none_or(|of| of.stale || of.gone || of.row.locked || of.let_go)
                || aside.contains(id);
            if unwanted || self.phase != Phase::Serving || now.saturating_sub(since) >= IDLE_MAX {
                idle.push(id.clone());
            }
        }
        for drive in idle {
            self.unload(&drive, effects);
        }
        let inside: BTreeSet<MediumId> = self.drives.values().filter_map(Drive::medium).collect();
        self.media.retain(|id, state| {
            if used.contains(id) || inside.contains(id) {
                return true;
            }
            state.let_go = false;
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
        // What does not answer is left behind: its lease is not given back but ends by itself, with all that others
        // wait beyond that for a command still in the device.
        let silent = |drive: &DriveId| self.orders.silent(drive, self.now).is_some();
        let mut drives = self.drives.iter();
        let empty = drives.all(|(id, drive)| drive.medium().is_none() || silent(id));
        let left: BTreeSet<MediumId> = self
            .drives
            .iter()
            .filter(|(id, _)| silent(id))
            .filter_map(|(_, drive)| drive.medium())
            .collect();
        let free = self.media.values().all(|state| {
            let id = state.row.id;
            let given_up = left.contains(&id) || self.orders.lease_late(id, self.now).is_some();
            given_up || matches!(state.lease, LeaseState::None | LeaseState::Refused(_))
        });
        if self.phase == Phase::Stopping && empty && free && self.active.is_empty() {
            self.phase = Phase::Stopped;
            effects.push(Effect::Stopped);
        }
    }

    pub(super) fn unload(&mut self, drive: &DriveId, effects: &mut Vec<Effect>) {
        let medium = self.drive(drive).medium();
        if self.step(drive, DriveStep::Unload) {
            if let Some(state) = medium.and_then(|medium| self.media.get_mut(&medium)) {
                state.let_go = false;
                // The next mount asks for the lease anew.
                if matches!(state.lease, LeaseState::Refused(_)) {
                    state.lease = LeaseState::None;
                }
            }
            effects.push(Effect::Unload(drive.clone()));
        }
    }
}
