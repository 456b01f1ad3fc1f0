//! The end of a source: quarantine, the fence of I6, and the erased medium's return to service.

use super::record::fenced;
use super::tables::{Tables, conflict};
use crate::catalogue::{Fence, Result};
use crate::model::{
    AdmState, CopyNo, Epoch, ExtentId, ExtentState, FsState, Generation, Hold, JobId, Medium, MediumFormat, MediumId,
    ObjectId,
};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;

impl Tables {
    pub(super) fn quarantine(&mut self, job: JobId, id: MediumId, hold: Hold, now: Timestamp) -> Result<()> {
        let spec = &self.job(job)?.spec;
        let medium = self.medium(id)?;
        if !spec.sources.contains(&id) {
            return Err(conflict(&medium.name, format!("it is no source of job {job}")));
        }
        match medium.adm_state {
            AdmState::Quarantined if medium.emptied_by == Some(job) => {}
            AdmState::Quarantined | AdmState::Erasing | AdmState::Dead => {
                return Err(conflict(&medium.name, format!("it is {}", medium.adm_state)));
            }
            AdmState::InService => return Err(conflict(&medium.name, "it still takes new extents")),
            AdmState::ReadOnly | AdmState::Draining | AdmState::AbandonShip | AdmState::Retired => {}
        }
        let in_use = self.extents_on(id).any(|extent| match extent.state {
            ExtentState::Pending => true,
            ExtentState::Sync => !(spec.drop_deleted && self.is_deleted_only(extent.id)),
            ExtentState::Orphan => false,
        });
        if in_use {
            return Err(conflict(&medium.name, "it has live or pending extents"));
        }
        let until = match hold {
            Hold::None => Some(now),
            Hold::Until(until) => Some(until),
            Hold::Forever => None,
        };
        self.keep_operator_state(id)?;
        let medium = self.medium_mut(id)?;
        medium.adm_state = AdmState::Quarantined;
        medium.quarantined_until = until;
        medium.emptied_by = Some(job);
        let name = medium.name.clone();
        // As long as nobody asked for a hold, it is over at once.
        let hold = until.map_or(Hold::Forever, Hold::Until);
        for old in self.left_behind(job) {
            let extent = self.extent_mut(old);
            if extent.medium == id && extent.hold != Hold::None {
                extent.hold = hold;
            }
        }
        self.log("medium.quarantined", name, json!({ "job": job, "until": until }), now);
        Ok(())
    }

    /// Before a job's own state takes the place of the operator's.
    fn keep_operator_state(&mut self, id: MediumId) -> Result<()> {
        let state = self.medium(id)?.adm_state;
        if state != AdmState::Quarantined {
            self.operator_states.entry(id).or_insert(state);
        }
        Ok(())
    }

    fn orphans_on(&self, medium: MediumId) -> Vec<ExtentId> {
        self.extents_on(medium)
            .filter(|extent| extent.state == ExtentState::Orphan)
            .map(|extent| extent.id)
            .collect()
    }

    pub(super) fn end_quarantine(&mut self, job: JobId, now: Timestamp) -> Result<()> {
        self.job(job)?;
        let theirs = |medium: &&Medium| medium.adm_state == AdmState::Quarantined && medium.emptied_by == Some(job);
        let media: Vec<MediumId> = self.media.values().filter(theirs).map(|medium| medium.id).collect();
        for id in media {
            let said = self.operator_states.get(&id).copied();
            let to = said.filter(|said| matches!(said, AdmState::Draining | AdmState::AbandonShip | AdmState::Retired));
            if said != Some(AdmState::InService) {
                self.operator_states.remove(&id);
            }
            let medium = self.medium_mut(id)?;
            medium.adm_state = to.unwrap_or(AdmState::ReadOnly);
            medium.quarantined_until = None;
            medium.emptied_by = None;
            let name = medium.name.clone();
            self.log("medium.quarantine_ended", name, json!({ "job": job }), now);
        }
        Ok(())
    }

    /// The caller throws its copy of the tables away when the answer is [`Fence::InUse`].
    pub(super) fn fence_medium(
        &mut self,
        id: MediumId,
        job: Option<JobId>,
        drop_deleted: bool,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<Fence> {
        self.check_epoch(id, Some(epoch))?;
        self.refuse_in_doubt()?;
        let medium = self.medium(id)?;
        if medium.adm_state == AdmState::Erasing {
            return Ok(Fence::Erasing(medium.generation));
        }
        if medium.locked {
            return Err(fenced(medium, "locked"));
        }
        self.check_may_erase(medium, job, now)?;
        if drop_deleted {
            for (object, copy) in self.deleted_copies_on(id) {
                self.end_deleted(object, |other| other == copy);
            }
        }
        let count = |state| self.extents_on(id).filter(|extent| extent.state == state).count() as u64;
        let (live, pending) = (count(ExtentState::Sync), count(ExtentState::Pending));
        if live + pending > 0 {
            return Ok(Fence::InUse { live, pending });
        }
        let needed = self.doubtful(id).len() as u64;
        if needed > 0 {
            return Ok(Fence::LastGood(needed));
        }
        self.keep_operator_state(id)?;
        let medium = self.medium_mut(id)?;
        medium.adm_state = AdmState::Erasing;
        medium.generation = Generation(medium.generation.0 + 1);
        medium.quarantined_until = None;
        medium.emptied_by = job;
        let (name, generation) = (medium.name.clone(), medium.generation);
        self.log(
            "medium.erasing",
            name,
            json!({ "job": job, "generation": generation }),
            now,
        );
        Ok(Fence::Erasing(generation))
    }

    fn check_may_erase(&self, medium: &Medium, job: Option<JobId>, now: Timestamp) -> Result<()> {
        if let Some(job) = job
            && !self.job(job)?.spec.sources.contains(&medium.id)
        {
            return Err(conflict(&medium.name, format!("it is no source of job {job}")));
        }
        if let Some(active) = self.active_job_of(medium.id)
            && Some(active.id) != job
        {
            return Err(conflict(&medium.name, format!("it is a source of job {}", active.id)));
        }
        match medium.adm_state {
            // Without a job it is an operator's, and only when the job that emptied it has ended.
            AdmState::Quarantined if job.is_some() && medium.emptied_by != job => {
                Err(conflict(&medium.name, "it is quarantined for another job"))
            }
            AdmState::Quarantined if medium.quarantined_until.is_none_or(|until| now < until) => {
                Err(conflict(&medium.name, "its quarantine is not over"))
            }
            AdmState::Dead => Err(conflict(&medium.name, "it is dead")),
            AdmState::Quarantined
            | AdmState::Erasing
            | AdmState::InService
            | AdmState::ReadOnly
            | AdmState::Draining
            | AdmState::AbandonShip
            | AdmState::Retired => Ok(()),
        }
    }

    fn deleted_copies_on(&self, medium: MediumId) -> BTreeSet<(ObjectId, CopyNo)> {
        let ids: Vec<ExtentId> = self.extents_on(medium).map(|extent| extent.id).collect();
        ids.into_iter()
            .flat_map(|id| self.seats_of(id))
            .filter(|seat| {
                self.objects
                    .get(&seat.0)
                    .is_some_and(|object| object.deleted_at.is_some())
            })
            .map(|seat| (seat.0, seat.1))
            .collect()
    }

    pub(super) fn finish_erase(&mut self, id: MediumId, generation: Generation, now: Timestamp) -> Result<()> {
        let medium = self.medium(id)?;
        if medium.generation != generation {
            return Err(conflict(
                &medium.name,
                format!("it is at generation {}", medium.generation),
            ));
        }
        if !matches!(medium.adm_state, AdmState::Erasing | AdmState::Quarantined) && medium.fs_state == FsState::Empty {
            return Ok(());
        }
        if medium.adm_state != AdmState::Erasing {
            return Err(conflict(&medium.name, format!("it is {}", medium.adm_state)));
        }
        for orphan in self.orphans_on(id) {
            if self
                .extents
                .get(&orphan)
                .is_some_and(|extent| extent.generation < generation)
            {
                self.remove_extent(orphan);
            }
        }
        let said = self.operator_states.remove(&id);
        let medium = self.medium_mut(id)?;
        medium.adm_state = said.unwrap_or(AdmState::InService);
        medium.fs_state = FsState::Empty;
        medium.format = MediumFormat::Respool;
        medium.groupings.clear();
        medium.emptied_by = None;
        let name = medium.name.clone();
        self.log("medium.erased", name, json!({ "generation": generation }), now);
        Ok(())
    }
}
