//! An operator decides about bytes that are kept for ever: a repack of media that a job emptied with `--keep-source` has
//! nothing to move, and says how long their bytes are held from now on. Nothing is erased here: that job goes on when the
//! time has come, as after any quarantine.

use super::reclaim::hold_for;
use super::submit::{check, reach};
use crate::api::Problem;
use crate::host::Host;
use dss::model::{AdmState, Job, JobSpec, JobState, MediumId, Quarantine};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Ends the keeping of sources, when that is what a request means; the job that keeps them. `asked` is the quarantine that
/// was typed: what is merely configured decides nothing. None: it is a request like any other.
///
/// # Errors
/// Refused where a job emptied others with them: they are erased together or not at all. The catalogue's.
pub async fn decide(host: &Arc<Host>, spec: &JobSpec, asked: Option<Quarantine>) -> Result<Option<Job>, Problem> {
    let Some(asked) = asked.filter(|asked| *asked != Quarantine::Forever) else {
        return Ok(None);
    };
    let wanted: BTreeSet<MediumId> = spec.sources.iter().copied().collect();
    let Some(job) = keeper(host, &wanted).await? else {
        return Ok(None);
    };
    let kept: BTreeSet<MediumId> = job.spec.sources.iter().copied().collect();
    if kept != wanted {
        return Err(together(host, &job).await?);
    }
    check(host, spec).await?;
    host.may_destroy().await?;
    // How long is counted from now, so what now is must be known.
    host.may_destroy_by_age().await?;
    for source in &job.spec.sources {
        ready(host, &job, *source).await?;
    }
    let now = host.clock.now();
    for source in &job.spec.sources {
        let hold = hold_for(asked, now);
        host.catalogue.quarantine(job.id, *source, hold, now).await?;
        host.lrs.medium_changed(*source).await?;
    }
    Ok(Some(job))
}

/// Refuses before anything is changed what would be refused half-way: a source that something lives on again, and one that
/// is out of reach, which cannot be erased.
async fn ready(host: &Arc<Host>, job: &Job, source: MediumId) -> Result<(), Problem> {
    let medium = host.catalogue.medium_by_id(source).await?;
    let extents = host.catalogue.usage(source, host.clock.now()).await?.extents;
    let is_kept = medium.adm_state == AdmState::Quarantined && medium.emptied_by == Some(job.id);
    if !is_kept || extents.pending > 0 || extents.sync > 0 && !job.spec.drop_deleted {
        let message = format!(
            "medium {} is not as job {} left it ({}, {} extents on it are live); nothing was changed",
            medium.name, job.id, medium.adm_state, extents.sync
        );
        return Err(
            Problem::refused("conflict", format!("medium {}", medium.name), message).next(format!(
                "`respool medium show {}` tells its state, `respool job restore {}` goes back to the old bytes",
                medium.name, job.id
            )),
        );
    }
    reach(host, source).await
}

/// The job that keeps one of these for ever.
async fn keeper(host: &Host, wanted: &BTreeSet<MediumId>) -> Result<Option<Job>, Problem> {
    let jobs = host.catalogue.active_jobs().await?;
    let mut keepers = jobs.into_iter().filter(|job| job.state == JobState::Quarantined);
    let keeper = keepers.find(|job| job.spec.sources.iter().any(|source| wanted.contains(source)));
    let Some(job) = keeper else { return Ok(None) };
    for source in &job.spec.sources {
        let medium = host.catalogue.medium_by_id(*source).await?;
        if medium.adm_state == AdmState::Quarantined && medium.quarantined_until.is_none() {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

async fn together(host: &Host, job: &Job) -> Result<Problem, Problem> {
    let mut names = Vec::new();
    for source in &job.spec.sources {
        names.push(host.catalogue.medium_by_id(*source).await?.name);
    }
    let names = names.join(" ");
    let message = format!(
        "job {} emptied {names} and keeps their bytes: they are erased together or not at all; nothing was changed",
        job.id
    );
    Ok(
        Problem::refused("conflict", format!("job {}", job.id), message).next(format!(
            "`respool repack {names} --quarantine 0` erases them, `respool job restore {}` goes back to their bytes",
            job.id
        )),
    )
}
