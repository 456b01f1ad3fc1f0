//! Who passes whom, and who gives way: the bounds within which nobody starves. The queue's order is [`Waiting::rank`].
//!
//! A request is passed by later, more urgent ones at most [`OVERTAKEN_MAX`] times once all that was granted before it
//! came is given back; then what it needs is kept for it alone. Those in its way end: a user's put or get is asked to
//! give way after [`PATIENCE`], a repack at once for whoever is more urgent; and a repack that waits for a repack waits
//! for work that ends.
//!
//! [`Waiting::rank`]: super::queue::Waiting::rank
//! [`PATIENCE`]: super::allocation::PATIENCE

use super::allocation::{Claim, go_together};
use super::drive::DriveId;
use super::queue::OVERTAKEN_MAX;
use super::request::AllocationId;
use super::scheduler::{Effect, Scheduler};
use std::collections::BTreeSet;

impl Scheduler {
    /// Notes which requests somebody holds up who came before them: passing those costs them nothing.
    pub(super) fn note_held_up(&mut self) {
        let preparing = self.queue.iter().filter(|waiting| waiting.is_preparing());
        let held: Vec<(u64, &[Claim])> = self
            .active
            .values()
            .map(|active| (active.arrival, &active.claims[..]))
            .chain(preparing.map(|of| (of.arrival, of.claims())))
            .collect();
        let queued = self.queue.iter().filter(|waiting| !waiting.is_preparing());
        let held_up: BTreeSet<AllocationId> = queued
            .filter(|waiting| {
                let wanted = self.effective(waiting.claims());
                let mut before = held.iter().filter(|(arrival, _)| *arrival < waiting.arrival);
                before.any(|(_, claims)| !go_together(claims, &wanted))
            })
            .map(|waiting| waiting.id)
            .collect();
        for waiting in self.queue.iter_mut() {
            waiting.held_up = held_up.contains(&waiting.id);
        }
    }

    /// Counts that a request is served now, for every older one that this keeps waiting. One that has not chosen its media
    /// yet may have wanted these. True when one of them is not to be passed once more.
    pub(super) fn overtake(&mut self, arrival: u64, claims: &[Claim]) -> bool {
        let older = self
            .queue
            .iter()
            .filter(|of| of.arrival < arrival && !of.is_preparing());
        let passed = older.filter(|of| of.claims().is_empty() || !go_together(&self.effective(of.claims()), claims));
        let passed: BTreeSet<AllocationId> = passed.map(|of| of.id).collect();
        let mut enough = false;
        for waiting in self.queue.iter_mut().filter(|of| passed.contains(&of.id)) {
            waiting.overtaken = waiting.overtaken.saturating_add(1);
            enough |= waiting.overtaken == OVERTAKEN_MAX;
        }
        enough
    }

    /// Asks whoever does not hurry, and holds what somebody more urgent waits for, to give way; and whoever holds what
    /// the operator locked, a drive included, or is in a drive that is out of service.
    pub(super) fn ask_to_yield(&mut self, effects: &mut Vec<Effect>) {
        let queued = self.queue.iter().filter(|waiting| !waiting.is_preparing());
        let wanted: Vec<_> = queued
            .map(|of| {
                let waited = self.now.saturating_sub(of.since);
                (of.request.priority, waited, self.effective(of.claims()))
            })
            .collect();
        let held = self.active.values().flat_map(|active| &active.claims);
        let aside: BTreeSet<DriveId> = held
            .map(|claim| &claim.drive)
            .filter(|drive| self.aside(drive).is_some())
            .cloned()
            .collect();
        for (id, active) in self
            .active
            .iter_mut()
            .filter(|(_, active)| active.yield_asked.is_none())
        {
            let in_the_way = wanted.iter().any(|(priority, waited, claims)| {
                active.yields_to(*priority, *waited) && !go_together(&active.claims, claims)
            });
            let locked = active
                .claims
                .iter()
                .any(|claim| self.media.get(&claim.medium).is_some_and(|of| of.row.locked));
            let out = active.claims.iter().any(|claim| aside.contains(&claim.drive));
            if in_the_way || locked || out {
                active.yield_asked = Some(self.now);
                effects.push(Effect::AskYield(*id));
            }
        }
    }
}
