//! Swapping layouts to new extents, and back.

use super::objects::same_bytes;
use super::tables::{Seat, Tables, conflict, invariant};
use crate::catalogue::{Result, ReturnOutcome, SWAP_MAX, SwapEntry, SwapOutcome, SwapTerms};
use crate::model::{ExtentId, ExtentState, Hold, JobId, Move, MoveState, Owner, ReadBack};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;

impl Tables {
    pub(super) fn swap_batch(&mut self, terms: SwapTerms, entries: &[SwapEntry]) -> Result<Vec<SwapOutcome>> {
        if !self.job(terms.job)?.state.is_active() {
            return Err(conflict(terms.job, "the job is not active"));
        }
        if entries.len() > SWAP_MAX {
            return Err(conflict(terms.job, format!("a swap has at most {SWAP_MAX} entries")));
        }
        let outcomes: Result<Vec<_>> = entries.iter().map(|entry| self.swap_one(terms, entry)).collect();
        let outcomes = outcomes?;
        let swapped = outcomes.iter().filter(|outcome| **outcome == SwapOutcome::Swapped);
        let detail = json!({ "swapped": swapped.count(), "entries": entries.len() });
        self.log("job.swapped", terms.job, detail, terms.now);
        self.log_substitutions(terms, entries, &outcomes);
        Ok(outcomes)
    }

    fn log_substitutions(&mut self, terms: SwapTerms, entries: &[SwapEntry], outcomes: &[SwapOutcome]) {
        let noted = self.jobs.get(&terms.job).map(|job| job.substitutions.clone());
        let swapped = entries
            .iter()
            .zip(outcomes)
            .filter(|(_, outcome)| **outcome == SwapOutcome::Swapped);
        let swapped: BTreeSet<ExtentId> = swapped.map(|(entry, _)| entry.new.extent().id).collect();
        for one in noted
            .unwrap_or_default()
            .iter()
            .filter(|one| swapped.contains(&one.new))
        {
            self.log("extent.substituted", one.extent, json!(one), terms.now);
        }
    }

    fn swap_one(&mut self, terms: SwapTerms, entry: &SwapEntry) -> Result<SwapOutcome> {
        let new = entry.new.extent().id;
        let known = self.moves.get(&(terms.job, new)).filter(|known| known.old == entry.old);
        let Some(known) = known else {
            return Err(conflict(
                new,
                format!("it is no move of {} by job {}", entry.old, terms.job),
            ));
        };
        // A commit whose answer was lost is asked again: what it did is the answer.
        if matches!(known.state, MoveState::Swapped | MoveState::ReadBack) {
            return Ok(SwapOutcome::Swapped);
        }
        self.check_synced(&entry.new)?;
        if entry.new.owner() != Owner::Move(terms.job) {
            return Err(conflict(new, "another job owns it"));
        }
        let seats = self.live_seats(entry.old);
        if seats.is_empty() {
            self.orphan(new, Hold::None);
            return Ok(SwapOutcome::Vanished);
        }
        let old = self.extent(entry.old)?;
        let unread = old.digests.is_none() && old.bytes == entry.new.digests().bytes;
        if !unread && !same_bytes(old, entry.new.digests()) {
            return Err(invariant(
                "I3",
                format!("{new} does not digest to what {} does", entry.old),
            ));
        }
        self.make_sync(&entry.new);
        if unread {
            // They were read whole for the move, and agree with all that was known of them.
            self.know_digests(entry.old, entry.new.digests());
        }
        self.repoint(&seats, entry.old, new, terms.hold);
        self.moves.get_mut(&(terms.job, new)).expect("it was just read").state = MoveState::Swapped;
        Ok(SwapOutcome::Swapped)
    }

    fn live_seats(&self, extent: ExtentId) -> Vec<Seat> {
        self.seats_of(extent).collect()
    }

    fn repoint(&mut self, seats: &[Seat], from: ExtentId, to: ExtentId, hold: Hold) {
        for seat in seats {
            self.fill(*seat, to);
        }
        self.orphan(from, hold);
    }

    pub(super) fn return_batch(
        &mut self,
        job: JobId,
        entries: &[(Move, ReadBack)],
        now: Timestamp,
    ) -> Result<Vec<ReturnOutcome>> {
        self.job(job)?;
        let outcomes: Result<Vec<_>> = entries
            .iter()
            .map(|(entry, proof)| self.return_one(job, entry, proof, now))
            .collect();
        let outcomes = outcomes?;
        let returned = outcomes.iter().filter(|outcome| **outcome == ReturnOutcome::Returned);
        let detail = json!({ "returned": returned.count(), "entries": entries.len() });
        self.log("job.returned", job, detail, now);
        Ok(outcomes)
    }

    fn return_one(&mut self, job: JobId, entry: &Move, proof: &ReadBack, now: Timestamp) -> Result<ReturnOutcome> {
        let (old, new) = (entry.old, entry.new);
        let known = self.moves.get(&(job, new)).filter(|known| known.old == old);
        let Some(state) = known.map(|known| known.state) else {
            return Err(conflict(new, format!("it is no move of {old} by job {job}")));
        };
        if proof.extent() != old {
            return Err(conflict(old, "other bytes were read back"));
        }
        match state {
            MoveState::Returned => return Ok(ReturnOutcome::Returned),
            MoveState::Recorded | MoveState::Dropped => return Ok(ReturnOutcome::MovedOn),
            MoveState::Swapped | MoveState::ReadBack => {}
        }
        let seats = self.live_seats(new);
        if seats.is_empty() {
            return Ok(ReturnOutcome::MovedOn);
        }
        let row = self.extent(old)?;
        self.check_reference(row)?;
        if row.state != ExtentState::Orphan {
            return Err(conflict(old, "it is no orphan"));
        }
        let medium = row.medium;
        let shared = |seat: &Seat| self.media_of_other_copies(seat.0, seat.1).contains(&medium);
        if seats.iter().any(shared) {
            return Err(invariant("I10", format!("{medium} holds another copy by now")));
        }
        let old_row = self.extent_mut(old);
        old_row.state = ExtentState::Sync;
        old_row.hold = Hold::None;
        old_row.verified_at = Some(now);
        self.repoint(&seats, new, old, Hold::None);
        self.moves.get_mut(&(job, new)).expect("it was just read").state = MoveState::Returned;
        Ok(ReturnOutcome::Returned)
    }
}
