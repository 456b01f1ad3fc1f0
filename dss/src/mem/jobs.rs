//! Jobs: compare and set, first error kept, one active job a medium.

use super::tables::{Tables, conflict};
use crate::catalogue::{Page, Result};
use crate::model::{
    AdmState, ExtentId, ExtentState, Hold, Job, JobControl, JobError, JobId, JobKind, JobSpec, JobState, Medium,
    MediumId, Move, MoveState, ReadBack, Skip, Substitution, Tally,
};
use jiff::Timestamp;
use serde_json::json;
use std::ops::Bound;

impl Tables {
    pub(super) fn create_job(&mut self, kind: JobKind, spec: JobSpec, now: Timestamp) -> Result<Job> {
        for source in &spec.sources {
            let medium = self.medium(*source)?;
            if let AdmState::Quarantined | AdmState::Erasing | AdmState::Dead = medium.adm_state {
                return Err(conflict(&medium.name, format!("it is {}", medium.adm_state)));
            }
        }
        self.check_sources_free(&spec.sources, None)?;
        for source in &spec.sources {
            let medium = self.medium_mut(*source)?;
            if kind == JobKind::Repack && medium.adm_state == AdmState::InService {
                medium.adm_state = AdmState::ReadOnly;
                self.operator_states.insert(*source, AdmState::InService);
            }
        }
        let id = JobId(self.jobs.last_key().map_or(1, |last| last.0 + 1));
        let job = Job {
            id,
            kind,
            state: JobState::Queued,
            control: JobControl::Run,
            spec,
            tally: Tally::default(),
            skips: Vec::new(),
            substitutions: Vec::new(),
            error: None,
            created_at: now,
            finished_at: None,
        };
        self.jobs.insert(id, job.clone());
        self.log(
            "job.queued",
            id,
            json!({ "kind": kind, "sources": job.spec.sources }),
            now,
        );
        Ok(job)
    }

    fn check_sources_free(&self, sources: &[MediumId], but: Option<JobId>) -> Result<()> {
        for source in sources {
            if let Some(job) = self.active_job_of(*source)
                && Some(job.id) != but
            {
                let name = &self.medium(*source)?.name;
                return Err(conflict(name, format!("it is a source of job {}", job.id)));
            }
        }
        Ok(())
    }

    pub(super) fn jobs_newest(&self, limit: u32) -> Vec<Job> {
        let newest = self.jobs.values().rev().take(limit as usize);
        newest.map(|job| self.told(job)).collect()
    }

    pub(super) fn jobs_active(&self) -> Vec<Job> {
        let newest = self.jobs.values().rev();
        newest.filter(|job| job.state.is_active()).cloned().collect()
    }

    pub(super) fn jobs_of_sources(&self, media: &[MediumId], states: &[JobState]) -> Vec<Job> {
        let is_one =
            |job: &&Job| states.contains(&job.state) && job.spec.sources.iter().any(|source| media.contains(source));
        let newest = self.jobs.values().rev().filter(is_one);
        newest.map(|job| self.told(job)).collect()
    }

    pub(super) fn advance_job(
        &mut self,
        id: JobId,
        expected: &[JobState],
        to: JobState,
        tally: &Tally,
        error: Option<&JobError>,
        now: Timestamp,
    ) -> Result<Job> {
        let job = self.job(id)?;
        let from = job.state;
        if !expected.contains(&from) {
            return Err(conflict(id, format!("the job is {from}")));
        }
        if to.is_active() && !from.is_active() {
            self.check_sources_free(&job.spec.sources, Some(id))?;
        }
        if to == JobState::Restored {
            self.end_quarantine(id, now)?;
        }
        let job = self.jobs.get_mut(&id).expect("it was just read");
        job.state = to;
        job.tally = tally.clone();
        job.error = job.error.take().or_else(|| error.cloned());
        let rests = !to.is_active() || to == JobState::Quarantined;
        job.finished_at = match job.finished_at {
            Some(since) if rests && from == to => Some(since),
            _ => rests.then_some(now),
        };
        if !to.heeds_control() {
            job.control = JobControl::Run;
        }
        let job = job.clone();
        if job.kind == JobKind::Migrate && to == JobState::Done {
            self.let_go(id);
        }
        if from != to {
            self.log(&format!("job.{to}"), id, json!({ "from": from }), now);
        }
        Ok(self.told(&job))
    }

    /// The old bytes of a migration are held until it was read back and is done; their medium stays in use.
    fn let_go(&mut self, job: JobId) {
        for old in self.left_behind(job) {
            let extent = self.extent_mut(old);
            if extent.hold == Hold::Forever {
                extent.hold = Hold::None;
            }
        }
    }

    /// The old extents of a job's moves that its swaps made orphans and that did not return.
    pub(super) fn left_behind(&self, job: JobId) -> Vec<ExtentId> {
        let moved = |entry: &&Move| matches!(entry.state, MoveState::Swapped | MoveState::ReadBack);
        let range = (job, ExtentId(super::tables::LOW))..=(job, ExtentId(super::tables::HIGH));
        let entries = self.moves.range(range).map(|(_, entry)| entry);
        let is_orphan = |id: &ExtentId| {
            let extent = self.extents.get(id);
            extent.is_some_and(|extent| extent.state == ExtentState::Orphan)
        };
        entries.filter(moved).map(|entry| entry.old).filter(is_orphan).collect()
    }

    pub(super) fn control_job(&mut self, id: JobId, control: JobControl, now: Timestamp) -> Result<Job> {
        let job = self.job(id)?;
        if control != JobControl::Run && !job.state.heeds_control() {
            return Err(conflict(id, format!("it is {} and cannot be stopped", job.state)));
        }
        let job = self.jobs.get_mut(&id).expect("it was just read");
        job.control = control;
        let job = job.clone();
        self.log("job.control", id, json!({ "control": control }), now);
        Ok(self.told(&job))
    }

    pub(super) fn add_skips(&mut self, id: JobId, skips: &[Skip]) -> Result<()> {
        self.job(id)?;
        let job = self.jobs.get_mut(&id).expect("it was just read");
        for skip in skips {
            match job.skips.iter_mut().find(|known| known.extent == skip.extent) {
                Some(known) => *known = skip.clone(),
                None => job.skips.push(skip.clone()),
            }
        }
        job.skips.sort_by_key(|skip| skip.extent);
        Ok(())
    }

    pub(super) fn clear_skips(&mut self, id: JobId) -> Result<()> {
        self.job(id)?;
        self.jobs.get_mut(&id).expect("it was just read").skips.clear();
        Ok(())
    }

    pub(super) fn note_substitutions(&mut self, id: JobId, noted: &[Substitution]) -> Result<()> {
        self.job(id)?;
        for one in noted {
            let known = self.moves.get(&(id, one.new));
            if known.is_none_or(|known| known.old != one.extent) {
                return Err(conflict(
                    one.new,
                    format!("it is no move of {} by job {id}", one.extent),
                ));
            }
        }
        let job = self.jobs.get_mut(&id).expect("it was just read");
        for one in noted {
            if job.substitutions.iter().all(|known| known.new != one.new) {
                job.substitutions.push(one.clone());
            }
        }
        job.substitutions.sort_by_key(|one| one.new);
        Ok(())
    }

    /// A job as others see it: of what was noted, only what was swapped has been substituted.
    pub(super) fn told(&self, job: &Job) -> Job {
        let mut job = job.clone();
        let id = job.id;
        job.substitutions.retain(|one| {
            self.moves
                .get(&(id, one.new))
                .is_some_and(|known| known.state.was_swapped())
        });
        job
    }

    pub(super) fn moves_page(&self, job: JobId, states: &[MoveState], page: Page<ExtentId>) -> Result<Vec<Move>> {
        self.job(job)?;
        let low = match page.after {
            Some(after) => Bound::Excluded((job, after)),
            None => Bound::Included((job, ExtentId(super::tables::LOW))),
        };
        let high = Bound::Included((job, ExtentId(super::tables::HIGH)));
        let entries = self.moves.range((low, high)).map(|(_, entry)| entry);
        let wanted = entries.filter(|entry| states.contains(&entry.state));
        Ok(wanted.take(page.limit as usize).cloned().collect())
    }

    pub(super) fn mark_read_back(
        &mut self,
        job: JobId,
        medium: &Medium,
        extents: &[ReadBack],
        now: Timestamp,
    ) -> Result<bool> {
        self.job(job)?;
        if self.medium(medium.id)?.doubts != medium.doubts {
            return Ok(false);
        }
        for proof in extents {
            let id = proof.extent();
            match self.extents.get_mut(&id) {
                Some(extent) if extent.medium == medium.id => extent.verified_at = Some(now),
                Some(_) | None => continue,
            }
            if let Some(entry) = self.moves.get_mut(&(job, id))
                && entry.state == MoveState::Swapped
            {
                entry.state = MoveState::ReadBack;
            }
        }
        Ok(true)
    }
}
