//! What an operator wishes of a job: stopped, taken up again, undone. The wish is noted in the catalogue first, so that it
//! holds even if respoold is killed in the next instant.

use super::jobs::unsaid;
use super::lists::names;
use super::runner::Runner;
use crate::api::Problem;
use crate::api::jobs::at_rest;
use crate::api::paused::go_on;
use crate::engine::{self, Restored};
use crate::host::Host;
use crate::repack::job::{JobEvent, next, sources_of};
use crate::repack::machine::Stop;
use dss::catalogue::CatalogueError;
use dss::model::{Job, JobControl, JobId, JobState};
use std::sync::Arc;

/// Stops a job at its next extent boundary; it stays resumable.
pub async fn pause(host: &Arc<Host>, jobs: &Runner, id: JobId) -> Result<Job, Problem> {
    halt(host, jobs, id, (JobEvent::Pause, JobControl::Pause, Stop::Pause)).await
}

/// Stops a job at its next extent boundary, for good.
pub async fn cancel(host: &Arc<Host>, jobs: &Runner, id: JobId) -> Result<Job, Problem> {
    halt(host, jobs, id, (JobEvent::Cancel, JobControl::Cancel, Stop::Cancel)).await
}

type Halt = (JobEvent, JobControl, Stop);

async fn halt(host: &Arc<Host>, jobs: &Runner, id: JobId, (event, control, stop): Halt) -> Result<Job, Problem> {
    let job = host.catalogue.job(id).await?;
    let Some(to) = next(job.state, event) else {
        return Err(at_odds(&job, control));
    };
    let job = host.catalogue.control_job(id, control, host.clock.now()).await?;
    if jobs.stop(id, stop) || job.state == to {
        return Ok(job);
    }
    let (from, now) = (sources_of(event), host.clock.now());
    Ok(host.catalogue.advance_job(id, &from, to, &job.tally, None, now).await?)
}

/// Takes a job up where it is.
pub async fn resume(host: &Arc<Host>, jobs: &Runner, id: JobId) -> Result<Job, Problem> {
    let job = host.catalogue.job(id).await?;
    if at_rest(job.state) && next(job.state, JobEvent::Start).is_none()
        || job.state == JobState::Quarantined
        // It is coming to its end: what was stopped for good does not go on.
        || job.control == JobControl::Cancel
    {
        return Err(not_resumable(host, &job).await?);
    }
    let job = host
        .catalogue
        .control_job(id, JobControl::Run, host.clock.now())
        .await?;
    // Whoever is told that it goes on finds it going on, also if respoold is killed in the next instant.
    let job = match (job.state, next(job.state, JobEvent::Start)) {
        (JobState::Paused, Some(to)) => {
            let now = host.clock.now();
            let taken_up = host
                .catalogue
                .advance_job(id, &[JobState::Paused], to, &job.tally, None, now)
                .await;
            let job = match taken_up {
                // Somebody else was faster with the same wish.
                Err(CatalogueError::Conflict { .. }) => host.catalogue.job(id).await?,
                taken_up => taken_up?,
            };
            jobs.start_again(id);
            job
        }
        _ => {
            jobs.start(id);
            job
        }
    };
    Ok(job)
}

/// Puts the layouts back on the old bytes of a job that rests.
pub async fn restore(host: &Arc<Host>, jobs: &Runner, id: JobId) -> Result<Restored, Problem> {
    if jobs.watch(id).is_some() {
        let job = host.catalogue.job(id).await?;
        return Err(Problem::refused(
            "job_at_work",
            format!("job {}", job.id),
            format!("job {} is {}: only a job that rests can be restored", job.id, job.state),
        )
        .next(format!("run `respool job pause {}` first, or wait", job.id)));
    }
    engine::restore(host, id).await
}

fn at_odds(job: &Job, wish: JobControl) -> Problem {
    refusal(
        job,
        wish,
        format!("`respool job show {}` tells what became of it", job.id),
    )
}

fn refusal(job: &Job, wish: JobControl, next: String) -> Problem {
    Problem::refused(
        "job_state",
        format!("job {}", job.id),
        format!(
            "job {} is {}: there is nothing to {}",
            job.id,
            state_of(job),
            verb(wish)
        ),
    )
    .next(next)
}

/// How far a job is, and where it is told to go.
fn state_of(job: &Job) -> String {
    match job.control {
        JobControl::Cancel if job.state.is_active() => format!("{} and comes to its end", job.state),
        JobControl::Cancel | JobControl::Pause | JobControl::Run => job.state.to_string(),
    }
}

/// What is not taken up again goes on by another command, or not at all.
async fn not_resumable(host: &Host, job: &Job) -> Result<Problem, Problem> {
    let next = match go_on(job, &names(host).await?, unsaid(host)) {
        Some(command) if !job.state.is_active() => format!("`{command}` goes on with what it left"),
        Some(_) | None => instead_of_resuming(job),
    };
    Ok(refusal(job, JobControl::Run, next))
}

/// What there is to do with a job that no command goes on with.
fn instead_of_resuming(job: &Job) -> String {
    let id = job.id;
    match job.state {
        JobState::Done => "nothing: all that was asked of it is done".to_owned(),
        JobState::Quarantined => format!(
            "nothing: it has moved everything, and `respool job show {id}` tells when it erases its sources; until \
             then `respool job restore {id}` goes back to their old bytes"
        ),
        JobState::Restored => {
            "nothing: its objects are read from their old bytes again; repack its sources to begin anew".to_owned()
        }
        JobState::DoneWithSkips | JobState::Cancelled => {
            "repack its sources anew for what it left, with the options that it had".to_owned()
        }
        JobState::Failed => match &job.error {
            Some(error) => error.next.clone(),
            None => format!("`respool job show {id}` tells what became of it"),
        },
        JobState::Queued | JobState::Running | JobState::Paused | JobState::Verifying | JobState::Reclaiming => {
            format!("wait for its end with `respool job wait {id}`; that tells the command which goes on from there")
        }
    }
}

/// What an operator types to wish this.
fn verb(wish: JobControl) -> &'static str {
    match wish {
        JobControl::Run => "resume",
        JobControl::Pause => "pause",
        JobControl::Cancel => "cancel",
    }
}
