//! E-16: media that saw a history which this catalogue does not have.

use super::tables::{Tables, conflict};
use crate::catalogue::{CatalogueError, Gone, Result, erased_since, not_given_up, source_given_up};
use crate::model::{
    AdmState, Blake3, Compared, EventHead, Extent, ExtentId, ExtentState, FsState, Generation, Health, Hold, Job,
    JobControl, JobError, JobId, JobState, Known, Medium, MediumId, Presence, ReadBack, Revision, Seen, Stamp,
    Standing,
};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;

impl Tables {
    pub(super) fn stamp(&mut self) -> Stamp {
        self.seal_events(u32::MAX);
        let link = self.seals.last_key().copied().unwrap_or(0);
        let hash = Blake3(self.seals.get(&link).copied().unwrap_or([0; 32]));
        Stamp {
            revision: self.identity.revision,
            head: EventHead { link, hash },
        }
    }

    pub(super) fn compare_medium(&mut self, id: MediumId, seen: Seen, now: Timestamp) -> Result<Compared> {
        let row = self.medium(id)?.clone();
        let holds = |head: EventHead| head.link == 0 || self.seals.get(&head.link) == Some(&head.hash.0);
        let known = Known {
            generation: row.generation,
            written: row.revision,
            revision: self.identity.revision,
            head: seen.head.is_some_and(holds),
        };
        let compared = known.compare(&seen);
        match &compared {
            Compared::Ahead { why } if row.standing != Standing::Ahead => self.become_ahead(&row, why, now)?,
            Compared::Behind { why } => {
                self.unread(&row, why, now);
                if row.health == Health::Ok {
                    self.suspect(id, why, now)?;
                }
            }
            Compared::Level | Compared::Ahead { .. } => {}
        }
        Ok(compared)
    }

    /// What was read back from a medium was not read from the image of it that is there now.
    fn unread(&mut self, row: &Medium, why: &str, now: Timestamp) {
        let read = |extent: &&Extent| extent.verified_at.is_some();
        let read: Vec<ExtentId> = self.extents_on(row.id).filter(read).map(|one| one.id).collect();
        for id in &read {
            self.extent_mut(*id).verified_at = None;
        }
        if !read.is_empty() {
            let detail = json!({ "why": why, "unread": read.len() });
            self.log("medium.behind", &row.name, detail, now);
        }
    }

    fn become_ahead(&mut self, row: &Medium, why: &str, now: Timestamp) -> Result<()> {
        self.medium_mut(row.id)?.standing = Standing::Ahead;
        let orphan = |extent: &&Extent| extent.state == ExtentState::Orphan;
        let orphans: Vec<Extent> = self.extents_on(row.id).filter(orphan).cloned().collect();
        for extent in orphans {
            match extent.digests {
                Some(_) => self.extent_mut(extent.id).hold = Hold::Forever,
                None => self.remove_extent(extent.id),
            }
        }
        self.log("medium.ahead", &row.name, json!({ "why": why }), now);
        Ok(())
    }

    pub(super) fn set_standing(
        &mut self,
        id: MediumId,
        (from, to): (Standing, Standing),
        why: &str,
        now: Timestamp,
    ) -> Result<Medium> {
        let row = self.medium(id)?.clone();
        if row.standing != from {
            return Err(conflict(&row.name, format!("it is {}, not {from}", row.standing)));
        }
        match to {
            Standing::Ahead => self.become_ahead(&row, why, now)?,
            Standing::Level | Standing::Unseen => {
                self.forget_erased(&row, to)?;
                self.medium_mut(id)?.standing = to;
                let detail = json!({ "why": why, "from": from, "to": to });
                self.log("medium.standing", &row.name, detail, now);
            }
        }
        self.medium(id).cloned()
    }

    /// What is left of earlier generations has no bytes: before a medium is level nothing may need it, and it goes.
    fn forget_erased(&mut self, row: &Medium, to: Standing) -> Result<()> {
        if to != Standing::Level {
            return Ok(());
        }
        let earlier = |extent: &&Extent| extent.generation < row.generation;
        let earlier: Vec<Extent> = self.extents_on(row.id).filter(earlier).cloned().collect();
        if earlier.iter().any(|extent| extent.state != ExtentState::Orphan) {
            return Err(conflict(&row.name, "layouts name what it lost when it was erased"));
        }
        earlier.iter().for_each(|extent| self.remove_extent(extent.id));
        Ok(())
    }

    /// Refuses what destroys bytes or rows while any medium is in doubt.
    pub(super) fn refuse_in_doubt(&self) -> Result<()> {
        let doubtful = |medium: &&Medium| medium.standing != Standing::Level && medium.adm_state != AdmState::Dead;
        let names: BTreeSet<&str> = self
            .media
            .values()
            .filter(doubtful)
            .map(|medium| medium.name.as_str())
            .collect();
        match names.is_empty() {
            true => Ok(()),
            false => Err(CatalogueError::InDoubt(
                names.into_iter().collect::<Vec<_>>().join(", "),
            )),
        }
    }

    pub(super) fn raise_revision(&mut self, above: Revision) {
        self.identity.revision = self.identity.revision.max(above);
    }

    pub(super) fn repoint_found(&mut self, pairs: &[(ExtentId, ReadBack)], now: Timestamp) -> Result<Vec<bool>> {
        let done: Vec<bool> = pairs
            .iter()
            .map(|(old, new)| self.repoint_one(*old, new.extent(), now))
            .collect();
        let count = done.iter().filter(|done| **done).count();
        self.log("layout.repointed", "reconcile", json!({ "extents": count }), now);
        Ok(done)
    }

    fn repoint_one(&mut self, old: ExtentId, new: ExtentId, now: Timestamp) -> bool {
        let (Ok(from), Ok(to)) = (self.extent(old), self.extent(new)) else {
            return false;
        };
        let place = |extent: &Extent| (extent.origin.object, extent.origin.copy, extent.origin.index);
        let same = from.digests.is_some() && from.digests == to.digests && place(from) == place(to);
        let states = (from.state, to.state) == (ExtentState::Sync, ExtentState::Orphan);
        let lost = |medium: &Medium| matches!(medium.adm_state, AdmState::Erasing | AdmState::Dead);
        let there = self
            .medium(to.medium)
            .is_ok_and(|medium| medium.generation == to.generation && !lost(medium));
        let target = to.medium;
        let seats: Vec<_> = self.seats_of(old).collect();
        let apart = seats
            .iter()
            .all(|seat| !self.media_of_other_copies(seat.0, seat.1).contains(&target));
        if !(same && states && there && apart) {
            return false;
        }
        let row = self.extent_mut(new);
        (row.state, row.hold, row.verified_at) = (ExtentState::Sync, Hold::None, Some(now));
        self.unindexed.remove(&new);
        for seat in seats {
            self.fill(seat, new);
        }
        self.orphan(old, Hold::Forever);
        true
    }

    pub(super) fn stand_ins(&self, gone: &[ExtentId]) -> Vec<(ExtentId, Extent)> {
        let mut found = vec![];
        for old in gone.iter().filter_map(|id| self.extent(*id).ok()) {
            let same = |one: &&Extent| {
                one.state == ExtentState::Orphan
                    && one.origin == old.origin
                    && one.digests.is_some()
                    && one.digests == old.digests
            };
            let written = self.extents_written_for(old.origin.object).filter(same);
            found.extend(written.map(|one| (old.id, one.clone())));
        }
        found
    }

    pub(super) fn take_generation(&mut self, id: MediumId, generation: Generation, now: Timestamp) -> Result<Medium> {
        let row = self.medium(id)?.clone();
        let on_it: Vec<Extent> = self.extents_on(id).cloned().collect();
        let pending = on_it.iter().any(|extent| extent.state == ExtentState::Pending);
        if pending || generation < row.generation || row.standing == Standing::Level {
            return Err(conflict(
                &row.name,
                format!("generation {generation} is not taken over"),
            ));
        }
        let unneeded = |extent: &&Extent| extent.generation < generation && extent.state == ExtentState::Orphan;
        for extent in on_it.iter().filter(unneeded) {
            self.remove_extent(extent.id);
        }
        let taken = matches!(row.adm_state, AdmState::Erasing | AdmState::Quarantined);
        let said = taken.then(|| self.operator_states.remove(&id)).flatten();
        let medium = self.medium_mut(id)?;
        medium.generation = generation;
        medium.fs_state = FsState::Used;
        if taken {
            medium.adm_state = said.unwrap_or(AdmState::InService);
        }
        medium.quarantined_until = None;
        medium.emptied_by = None;
        let changed = medium.clone();
        let detail = json!({ "from": row.generation, "to": generation });
        self.log("medium.generation_taken", &row.name, detail, now);
        self.end_waiting_jobs(&row, &erased_since(&row.name), now);
        Ok(changed)
    }

    pub(super) fn give_up(&mut self, id: MediumId, why: &str, now: Timestamp) -> Result<Medium> {
        let row = self.medium(id)?.clone();
        if let Some(why) = not_given_up(&row) {
            return Err(conflict(&row.name, why));
        }
        self.operator_states.remove(&id);
        let medium = self.medium_mut(id)?;
        (medium.adm_state, medium.health, medium.presence) = (AdmState::Dead, Health::Failed, Presence::Missing);
        (medium.quarantined_until, medium.emptied_by) = (None, None);
        let changed = medium.clone();
        let detail = json!({ "why": why, "from": row.adm_state });
        self.log("medium.given_up", &row.name, detail, now);
        self.end_waiting_jobs(&row, &source_given_up(&row.name), now);
        Ok(changed)
    }

    /// Jobs that waited to erase this medium, which will not happen any more, and have no other source to erase.
    fn end_waiting_jobs(&mut self, row: &Medium, error: &JobError, now: Timestamp) {
        let waits = |source: &MediumId| {
            let medium = self.media.get(source);
            medium.is_some_and(|one| matches!(one.adm_state, AdmState::Quarantined | AdmState::Erasing))
        };
        let over = |job: &&Job| {
            matches!(job.state, JobState::Quarantined | JobState::Reclaiming)
                && job.spec.sources.contains(&row.id)
                && !job.spec.sources.iter().any(waits)
        };
        let ended: Vec<JobId> = self.jobs.values().filter(over).map(|job| job.id).collect();
        for id in ended {
            let job = self.jobs.get_mut(&id).expect("it was just found");
            job.error = job.error.take().or_else(|| Some(error.clone()));
            (job.state, job.control, job.finished_at) = (JobState::Failed, JobControl::Run, Some(now));
            self.log("job.failed", id, json!({ "why": error.code }), now);
        }
    }

    pub(super) fn forget_gone(&mut self, medium: MediumId, extents: &[ExtentId], now: Timestamp) -> Result<Gone> {
        let row = self.medium(medium)?;
        if row.standing == Standing::Level {
            return Err(conflict(&row.name, "it is level: nothing on it is missing"));
        }
        let live = |one: &Extent| one.medium == medium && one.state == ExtentState::Sync;
        let extents: Vec<ExtentId> = extents
            .iter()
            .copied()
            .filter(|id| self.extent(*id).is_ok_and(live))
            .collect();
        let copies: BTreeSet<_> = extents
            .iter()
            .flat_map(|id| self.seats_of(*id))
            .map(|seat| (seat.0, seat.1))
            .collect();
        let mut gone = Gone::default();
        for (object, copy) in &copies {
            let seats: Vec<_> = self.seats(*object).filter(|(seat, _)| seat.1 == *copy).collect();
            for (seat, extent) in seats {
                self.empty_seat(&seat);
                if self.seats_of(extent).next().is_none() {
                    self.orphan(extent, Hold::Forever);
                }
            }
        }
        // The same bytes elsewhere are what an import can bring it back from.
        for (_, same) in self.stand_ins(&extents) {
            self.extent_mut(same.id).hold = Hold::Forever;
        }
        for id in &extents {
            if self.extent(*id).is_ok_and(|extent| extent.state == ExtentState::Orphan) {
                self.remove_extent(*id);
            }
        }
        for object in copies.iter().map(|(object, _)| *object).collect::<BTreeSet<_>>() {
            if self.is_ended(object) {
                let row = self.objects.get(&object).expect("it had a layout").clone();
                self.objects.remove(&object);
                self.names.remove(&(row.oid.clone(), row.version));
                self.log("object.forgotten", &row.oid, json!({ "version": row.version }), now);
                gone.versions.push((row.oid, row.version));
            }
        }
        gone.versions.sort();
        gone.copies = (copies.len() - gone.versions.len().min(copies.len())) as u64;
        self.log("copies.forgotten", "reconcile", json!({ "copies": copies.len() }), now);
        Ok(gone)
    }
}
