//! An operator decides about bytes that are kept for ever: a repack of media that a job emptied with `--keep-source` has
//! nothing to move, and says how long their bytes are held from now on. Nothing is erased here: that job goes on when the
//! time has come, as after any quarantine.

use super::reclaim::hold_for;
use crate::api::Problem;
use crate::host::Host;
use dss::model::{Job, JobSpec, JobState, MediumId, Quarantine};
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
    if asked == Quarantine::None {
        host.may_destroy().await?;
    }
    let now = host.clock.now();
    for source in &job.spec.sources {
        let hold = hold_for(asked, now);
        host.catalogue.quarantine(job.id, *source, hold, now).await?;
        host.lrs.medium_changed(*source).await?;
    }
    Ok(Some(job))
}

/// The job that keeps one of these for ever.
async fn keeper(host: &Host, wanted: &BTreeSet<MediumId>) -> Result<Option<Job>, Problem> {
    let jobs = host.catalogue.active_jobs().await?;
    let mut keepers = jobs.into_iter().filter(|job| job.state == JobState::Quarantined);
    let keeper = keepers.find(|job| job.spec.sources.iter().any(|source| wanted.contains(source)));
    let Some(job) = keeper else { return Ok(None) };
    for source in &job.spec.sources {
        if host.catalogue.medium_by_id(*source).await?.quarantined_until.is_none() {
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
