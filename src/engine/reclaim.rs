//! Quarantine, and reclaim: fence and recheck, erase, label, forget (I6). Idempotent at every step: a medium found
//! *erasing* is erased again and nothing else is done with it.

use super::Run;
use super::measure::measure;
use super::recognise::unknown_extents;
use super::unread::{is_due, unread};
use crate::api::{Problem, exit};
use crate::host::Host;
use crate::repack::job::{JobEvent, next};
use crate::repack::machine::Event;
use dss::catalogue::{CatalogueError, ClockVerdict, ExtentFilter, Fence, Page};
use dss::model::{
    AdmState, Checkpoints, Extent, ExtentId, ExtentState, Family, FsState, Generation, Health, Hold, Job, JobError,
    JobId, JobState, Medium, MediumFormat, MediumId, Presence, Quarantine, Step,
};
use jiff::{SignedDuration, Timestamp};
use lrs::core::{Priority, Request};
use lrs::ldm::fs::{EraseStep, IndexStamp, Label, Wanted};
use lrs::service::Allocation;
use std::sync::Arc;

/// How many rows are asked for at once.
const PAGE: u32 = 5_000;

/// A job that ends with this keeps its sources quarantined: their bytes may be the last good ones.
pub(super) const TARGET_IN_DOUBT: &str = "target_in_doubt";

/// What became of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erased {
    /// It is empty and labelled anew.
    Done,
    /// Something is live or pending on it.
    InUse,
}

/// The hold that a quarantine asked for means, from now.
pub(super) fn hold_for(quarantine: Quarantine, now: Timestamp) -> Hold {
    match quarantine {
        Quarantine::None => Hold::Until(now),
        Quarantine::Seconds(seconds) => {
            let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            now.checked_add(span).map_or(Hold::Forever, Hold::Until)
        }
        Quarantine::Forever => Hold::Forever,
    }
}

impl Run<'_> {
    /// Holds the sources' bytes. A source that is live again sends the job back to copying.
    pub(super) async fn quarantine(&mut self) -> Result<Event, Problem> {
        let now = self.host.clock.now();
        let hold = match self.job.spec.quarantine {
            Quarantine::None => hold_for(Quarantine::None, now),
            asked => hold_for(asked, self.host.hold_from(now).await?),
        };
        for source in self.job.spec.sources.clone() {
            self.tally.transactions += 1;
            match self.host.catalogue.quarantine(self.job.id, source, hold, now).await {
                Ok(()) => self.host.lrs.medium_changed(source).await?,
                Err(CatalogueError::Conflict { subject, why }) => {
                    tracing::info!(%subject, %why, "a source is in use again; copying goes on");
                    // Sources quarantined before this one are read from again, too.
                    self.let_go().await?;
                    self.advance(JobEvent::Reopen, None).await?;
                    return Ok(Event::SourceInUse(in_use(&subject, &why)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.advance(JobEvent::Quarantine, None).await?;
        Ok(Event::Quarantined)
    }

    /// Erases the sources. From the first fence on the job can only go on.
    pub(super) async fn reclaim(&mut self) -> Result<Event, Problem> {
        if self.job.state != JobState::Reclaiming {
            self.advance(JobEvent::Reclaim, None).await?;
        }
        for source in self.job.spec.sources.clone() {
            self.tally.transactions += 2;
            if let Erased::InUse = erase(self.host, source, Some(&self.job)).await? {
                self.let_go().await?;
                self.advance(JobEvent::Reopen, None).await?;
                let name = self.name_of(source).await;
                return Ok(Event::SourceInUse(in_use(&name, "something on it is live or pending")));
            }
        }
        Ok(Event::Reclaimed)
    }
}

/// Why the sources are not given free.
fn in_use(subject: &str, why: &str) -> JobError {
    JobError {
        code: "source_in_use".into(),
        blame: "operator".into(),
        subject: subject.into(),
        message: format!("{subject} is not erased: {why}; everything that was moved is safe on its targets"),
        next: "see `respool medium show` and `respool extent list --medium`, then repack it again".into(),
        exit: exit::ENVIRONMENT,
    }
}

/// Erases one medium for a job that emptied it, or for an operator. A medium that was erased for this job already is
/// left alone.
pub async fn erase(host: &Arc<Host>, id: MediumId, job: Option<&Job>) -> Result<Erased, Problem> {
    let medium = host.catalogue.medium_by_id(id).await?;
    let erased_before = job.is_some()
        && medium.fs_state == FsState::Empty
        && medium.emptied_by.is_none()
        && !matches!(medium.adm_state, AdmState::Quarantined | AdmState::Erasing);
    if erased_before {
        return Ok(Erased::Done);
    }
    host.may_destroy().await?;
    refuse_last_good(host, &medium, job).await?;
    let request = Request {
        purpose: match job {
            Some(job) => format!("job {}: erasing medium {}", job.id, medium.name),
            None => format!("erasing medium {}", medium.name),
        },
        priority: Priority::Repack,
        reads: vec![],
        writes: vec![],
        exclusive: vec![id],
    };
    let allocation = host.lrs.allocate(request).await?;
    let result = look_again_and_erase(host, &allocation, id, job).await;
    allocation.release().await;
    let noticed = host.lrs.medium_changed(id).await;
    let erased = result?;
    noticed?;
    // One of other software is a medium of respool's only now.
    let is_new = erased == Erased::Done && medium.family == Family::Tape && medium.capacity.is_none();
    if is_new && let Err(problem) = measure(host, id).await {
        tracing::warn!(medium = %medium.name, %problem, "it is asked for its room when it is written to");
    }
    Ok(erased)
}

/// The grant may have been long in coming: what was true when it was asked for need not be any more.
async fn look_again_and_erase(
    host: &Arc<Host>,
    allocation: &Allocation,
    id: MediumId,
    job: Option<&Job>,
) -> Result<Erased, Problem> {
    let medium = host.catalogue.medium_by_id(id).await?;
    refuse_last_good(host, &medium, job).await?;
    fence_and_erase(host, allocation, &medium, job).await
}

/// Nothing is erased that may be the last good bytes of something. A medium found *erasing* may only be erased again.
async fn refuse_last_good(host: &Arc<Host>, medium: &Medium, job: Option<&Job>) -> Result<(), Problem> {
    if medium.adm_state == AdmState::Erasing {
        return Ok(());
    }
    if job.is_none() {
        refuse_unread(host, medium).await?;
    }
    refuse_doubtful(host, medium).await
}

/// An operator's format is no read-back: the old bytes stay until the new ones were read.
async fn refuse_unread(host: &Arc<Host>, medium: &Medium) -> Result<(), Problem> {
    let left = unread(host, &[medium.id]).await?;
    let count = left.iter().filter(|(one, verify, _)| is_due(*verify, one.new)).count();
    if count == 0 {
        return Ok(());
    }
    let message = format!(
        "medium {} is not erased: {count} extents were moved off it by a job that ended before it read them back",
        medium.name
    );
    Err(Problem::refused("not_read_back", &medium.name, message).next(format!(
        "run `respool repack {}`: it reads them back, then erases it",
        medium.name
    )))
}

/// The old bytes stay while the medium that has them now is in doubt, however often they moved since.
async fn refuse_doubtful(host: &Arc<Host>, medium: &Medium) -> Result<(), Problem> {
    let doubtful = host.catalogue.doubtful(medium.id).await?;
    let Some(first) = doubtful.first() else { return Ok(()) };
    let target = host.catalogue.medium_by_id(first.medium).await?;
    let message = format!(
        "medium {} is not erased: {} extents that were moved off it lie on media that are in doubt, {} on {} among them, \
         which is {}; their old bytes are kept",
        medium.name,
        doubtful.len(),
        first.origin.oid,
        target.name,
        standing(&target),
    );
    Err(Problem::environment(TARGET_IN_DOUBT, "medium", &target.name, message).next(ways_out(medium, &target)))
}

/// What an operator can do when a medium's old bytes may be the last good ones.
fn ways_out(medium: &Medium, target: &Medium) -> String {
    let back = format!(
        "go back to the old bytes with `respool job restore` of the job that emptied {}, or `respool get` what they hold \
         and put it again",
        medium.name
    );
    let well = match (target.adm_state, target.presence) {
        (AdmState::Dead, _) => return back,
        (_, Presence::Missing) => "attach it, and run",
        (_, Presence::Attached | Presence::Near | Presence::Shelf | Presence::Unseen) => "if it is well, run",
    };
    format!(
        "{back}; or see to {0}: {well} `respool medium trust {0}` and `respool medium format {1}`",
        target.name, medium.name
    )
}

/// What speaks against a medium, in one word.
fn standing(medium: &Medium) -> String {
    match (medium.adm_state, medium.health) {
        (AdmState::Dead, _) => AdmState::Dead.to_string(),
        (_, Health::Ok) => medium.presence.to_string(),
        (_, health) => health.to_string(),
    }
}

/// I11: erasing removes all that the medium's own index names. What no row names may be the only bytes of something that
/// an older backup of the catalogue, or an import without `--adopt`, knows nothing of.
async fn refuse_unknown(host: &Arc<Host>, allocation: &Allocation, medium: &Medium) -> Result<(), Problem> {
    let unknown = unknown_extents(host, allocation, medium.id).await?;
    let Some(one) = unknown.first() else { return Ok(()) };
    let message = format!(
        "medium {} is not erased: its own index names {} extents that the catalogue knows nothing of, {one} among them",
        medium.name,
        unknown.len()
    );
    Err(
        Problem::integrity("unknown_bytes", "medium", &medium.name, message).next(format!(
            "run `respool medium import {0} --adopt`, then `respool repack {0}`",
            medium.name
        )),
    )
}

async fn fence_and_erase(
    host: &Arc<Host>,
    allocation: &Allocation,
    medium: &Medium,
    job: Option<&Job>,
) -> Result<Erased, Problem> {
    let epoch = allocation.grant().exclusive[0].epoch;
    let drop_deleted = job.is_some_and(|job| job.spec.drop_deleted);
    if medium.adm_state != AdmState::Erasing {
        refuse_unknown(host, allocation, medium).await?;
    }
    host.checkpoints.reach(Step::ReclaimBeforeFence);
    let now = match job {
        // Nobody asked for a hold: a clock that was set back a little since makes none.
        Some(job) if job.spec.quarantine == Quarantine::None => {
            let now = host.clock.now();
            medium.quarantined_until.map_or(now, |until| until.max(now))
        }
        Some(_) | None => host.clock.now(),
    };
    let fence = host
        .catalogue
        .fence_medium(medium.id, job.map(|job| job.id), drop_deleted, epoch, now)
        .await?;
    let generation = match fence {
        Fence::Erasing(generation) => generation,
        // A doubt that came up since it was looked for.
        Fence::LastGood(extents) => {
            refuse_doubtful(host, medium).await?;
            let message = format!(
                "medium {} is not erased: a medium with {extents} extents that were moved off it came to be in doubt",
                medium.name
            );
            return Err(Problem::environment(TARGET_IN_DOUBT, "medium", &medium.name, message)
                .next("see `respool check`, then repeat"));
        }
        Fence::InUse { live, pending } => {
            tracing::info!(medium = %medium.name, live, pending, "not erased: it is in use");
            return Ok(Erased::InUse);
        }
    };
    host.checkpoints.reach(Step::ReclaimAfterFence);
    // What a failed erasure left of the mount is not to be built upon: the next try begins with the label on the medium.
    let erased = erase_volume(host, allocation, medium, generation).await;
    let strangers = erased.inspect_err(|_| allocation.distrust(medium.id))?;
    if medium.format != MediumFormat::Respool {
        // It is a medium of another format now, and is mounted anew as that.
        allocation.distrust(medium.id);
    }
    if !strangers.is_empty() {
        tracing::warn!(
            medium = %medium.name, files = strangers.len(),
            "files that no row names were left where they are; `respool medium check-erase` lists them"
        );
    }
    host.checkpoints.reach(Step::ReclaimAfterLabel);
    host.catalogue
        .finish_erase(medium.id, generation, host.clock.now())
        .await?;
    host.checkpoints.reach(Step::ReclaimAfterCommit);
    Ok(Erased::Done)
}

/// Removes what the catalogue names as orphan and writes the label of the new generation.
async fn erase_volume(
    host: &Arc<Host>,
    allocation: &Allocation,
    medium: &Medium,
    generation: Generation,
) -> Result<Vec<dss::model::Address>, Problem> {
    let mut orphans: Vec<Wanted> = vec![];
    for_extents(host, medium.id, ExtentState::Orphan, |extent| {
        orphans.push(Wanted::of(&extent));
    })
    .await?;
    // Taken after the fence: a catalogue that does not know of it finds the medium ahead of itself, erased or half so.
    let stamp = IndexStamp::from(host.catalogue.stamp().await?);
    let label = Label {
        format: String::new(),
        medium: medium.id,
        name: medium.name.clone(),
        generation,
        catalogue: host.catalogue_id,
        revision: stamp.revision,
        created_at: host.clock.now(),
    };
    let checkpoints: Arc<dyn Checkpoints> = host.checkpoints.clone();
    let layout = medium.format;
    let strangers = allocation
        .volume(medium.id)
        .run(move |volume| {
            // Nobody writes an index to what other software made: it knows nothing of any catalogue's history.
            if volume.label().generation < label.generation && layout == MediumFormat::Respool {
                volume.commit_index(stamp)?;
            }
            let format = volume.label().format.clone();
            let mut between = |step: EraseStep| match step {
                EraseStep::Middle => checkpoints.reach(Step::ReclaimMiddle),
                EraseStep::BeforeLabel => checkpoints.reach(Step::ReclaimBeforeLabel),
            };
            volume.erase(Label { format, ..label }, &mut orphans.into_iter(), &mut between)
        })
        .await??;
    Ok(strangers)
}

/// Page by page, whatever a medium has in one state.
async fn for_extents(
    host: &Arc<Host>,
    medium: MediumId,
    state: ExtentState,
    mut visit: impl FnMut(Extent),
) -> Result<(), Problem> {
    let filter = ExtentFilter {
        medium: Some(medium),
        state: Some(state),
        ..ExtentFilter::default()
    };
    let mut after: Option<ExtentId> = None;
    loop {
        let page = host.catalogue.extents(&filter, Page { after, limit: PAGE }).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        page.into_iter().for_each(&mut visit);
    }
}

/// Media found *erasing* that no unfinished job will erase: an operator's format that was cut short, or a job that
/// failed in the middle.
pub async fn erase_fenced(host: &Arc<Host>) -> Result<Vec<MediumId>, Problem> {
    let jobs = host.catalogue.active_jobs().await?;
    let mut erased = vec![];
    for medium in host.catalogue.media().await? {
        let at_work = jobs
            .iter()
            .any(|job| job.state == JobState::Reclaiming && job.spec.sources.contains(&medium.id));
        if medium.adm_state == AdmState::Erasing && !at_work {
            match erase(host, medium.id, None).await {
                Ok(_) => erased.push(medium.id),
                Err(problem) => {
                    tracing::warn!(medium = %medium.name, %problem, "it stays fenced until it can be erased")
                }
            }
        }
    }
    Ok(erased)
}

/// Jobs whose quarantine is over by the age clock: they become *reclaiming*, to be run. None while the clock is in
/// doubt.
pub async fn reclaim_due(host: &Arc<Host>) -> Result<Vec<JobId>, Problem> {
    let now = host.clock.now();
    if host.catalogue.observe_clock(now).await? != ClockVerdict::Good {
        return Ok(vec![]);
    }
    if let Err(problem) = host.may_destroy().await {
        tracing::debug!(%problem, "quarantines are not ended");
        return Ok(vec![]);
    }
    let mut due = vec![];
    for job in host.catalogue.active_jobs().await? {
        if job.state != JobState::Quarantined || !is_over(host, &job, now).await? {
            continue;
        }
        let to = next(job.state, JobEvent::Reclaim).expect("a quarantined job may be reclaimed");
        let from = [job.state];
        let advanced = host
            .catalogue
            .advance_job(job.id, &from, to, &job.tally, None, now)
            .await;
        match advanced {
            Ok(_) => due.push(job.id),
            // Somebody else was first, and runs it.
            Err(CatalogueError::Conflict { .. }) => {}
            // Those before it are *reclaiming*, and nobody would run them.
            Err(error) if !due.is_empty() => {
                tracing::warn!(job = %job.id, %error, "its quarantine is ended when it is looked at next");
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(due)
}

/// Whether every source of a job is out of quarantine; `quarantined_until` None means never.
async fn is_over(host: &Arc<Host>, job: &Job, now: Timestamp) -> Result<bool, Problem> {
    for source in &job.spec.sources {
        let medium = host.catalogue.medium_by_id(*source).await?;
        let over = medium.quarantined_until.is_some_and(|until| until <= now);
        if medium.adm_state != AdmState::Quarantined || !over {
            return Ok(false);
        }
    }
    Ok(!job.spec.sources.is_empty())
}
