//! Hop 1: a request becomes a job, or is refused with nothing touched.

use super::planning::look;
use super::targets::{Reads, awaited_for, targets_for};
use crate::api::media::out_of_quarantine;
use crate::api::standing::in_doubt;
use crate::api::{Problem, exit};
use crate::host::Host;
use crate::repack::awaited::wait_for;
use dss::model::{AdmState, ExtentState, Job, JobKind, JobSpec, JobState, MediumId, Quarantine};
use lrs::core::{Priority, Request};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Checks that the job can be done as far as can be told now, then makes it *queued* and its sources *read_only*.
pub async fn submit(host: &Arc<Host>, kind: JobKind, spec: JobSpec) -> Result<Job, Problem> {
    match kind {
        JobKind::Repack => may_be_emptied(host, &spec).await?,
        JobKind::Migrate => {
            check(host, &spec).await?;
            check_taken(host, &spec).await?;
        }
    }
    check_extents(host, &spec).await?;
    for source in &spec.sources {
        reach(host, *source).await?;
    }
    let manifest = look(host, &spec, &BTreeSet::new()).await?;
    if !manifest.items.is_empty() {
        let mut targets = targets_for(host, &spec).await?;
        let routed = targets.route(host, &manifest, Reads::Sources).await?;
        if let Some(problem) = targets.explain_unplaced(&routed.plan) {
            let awaited = awaited_for(host, &spec, None).await?;
            if wait_for(&manifest, &routed.plan, &awaited).is_none() {
                return Err(problem);
            }
        }
    }
    Ok(host.catalogue.create_job(kind, spec, host.clock.now()).await?)
}

/// Whether a job might empty these sources as they are now, whatever lives on them.
pub async fn may_be_emptied(host: &Arc<Host>, spec: &JobSpec) -> Result<(), Problem> {
    check(host, spec).await?;
    check_taken(host, spec).await?;
    check_named(host, spec).await
}

/// What can be refused without looking at extents.
pub(super) async fn check(host: &Arc<Host>, spec: &JobSpec) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    let mut docks: BTreeMap<String, String> = BTreeMap::new();
    for source in &spec.sources {
        let medium = host.catalogue.medium_by_id(*source).await?;
        if !seen.insert(*source) {
            return Err(
                Problem::refused("twice", &medium.name, format!("medium {} is named twice", medium.name))
                    .next("name each medium once"),
            );
        }
        let dock = medium.location.dock.clone();
        if let Some((dock, other)) =
            dock.and_then(|dock| Some((dock.clone(), docks.insert(dock, medium.name.clone())?)))
        {
            let message = format!(
                "dock {dock} holds one disk at a time, and {other} and {} would be read at once",
                medium.name
            );
            return Err(Problem::refused("shared_dock", &medium.name, message).next("repack them one after the other"));
        }
        if let Some(problem) = in_doubt([&medium], "nothing was moved") {
            return Err(problem);
        }
        let shut = medium.locked || matches!(medium.adm_state, AdmState::Erasing | AdmState::Dead);
        if shut {
            let why = if medium.locked {
                "locked"
            } else {
                medium.adm_state.as_str()
            };
            let message = format!("medium {} cannot be read: it is {why}", medium.name);
            return Err(Problem::refused("medium_unusable", &medium.name, message)
                .next("`respool medium show` tells its state; nothing was touched"));
        }
        if spec.to == Some(*source) {
            return Err(Problem::refused(
                "own_target",
                &medium.name,
                format!("medium {} cannot be its own target; nothing was touched", medium.name),
            )
            .next("name another medium with --to, or none"));
        }
    }
    if let Some(target) = spec.to {
        let target = host.catalogue.medium_by_id(target).await?;
        if let Some(problem) = in_doubt([&target], "nothing was moved to it") {
            return Err(problem);
        }
    }
    if spec.only.is_empty() && spec.quarantine == Quarantine::None {
        // It would end with an erasure that is refused.
        host.may_destroy().await?;
    }
    if spec.drop_deleted && spec.quarantine == Quarantine::Forever {
        return Err(Problem::refused(
            "contradiction",
            "--drop-deleted",
            "--drop-deleted drops versions when the source is erased, and --keep-source never erases it",
        )
        .next("leave out one of the two"));
    }
    Ok(())
}

/// A medium that another job empties is that job's until it ends, and one that was emptied holds nothing to be moved.
async fn check_taken(host: &Arc<Host>, spec: &JobSpec) -> Result<(), Problem> {
    let jobs = host.catalogue.active_jobs().await?;
    for job in &jobs {
        let Some(taken) = job.spec.sources.iter().find(|source| spec.sources.contains(source)) else {
            continue;
        };
        let (id, medium) = (job.id, host.catalogue.medium_by_id(*taken).await?);
        let (why, next) = match job.state {
            JobState::Paused => (
                "and is paused",
                format!("go on with `respool job resume {id}`, or end it with `respool job cancel {id}` and repeat"),
            ),
            JobState::Quarantined => (
                "emptied it, and holds its old bytes",
                format!("nothing is left to move: {}", out_of_quarantine(&medium, &jobs)),
            ),
            JobState::Reclaiming => (
                "and erases it",
                format!("wait for it with `respool job wait {id}`, then repeat"),
            ),
            _ => (
                "and is at work",
                format!(
                    "wait for it with `respool job wait {id}`, or end it with `respool job cancel {id}`; then repeat"
                ),
            ),
        };
        let message = format!("medium {}: job {id} has it, {why}; nothing was changed", medium.name);
        return Err(Problem::refused("conflict", format!("medium {}", medium.name), message).next(next));
    }
    check_quarantines(host, spec).await
}

/// The job that emptied a medium may have ended without erasing it.
async fn check_quarantines(host: &Arc<Host>, spec: &JobSpec) -> Result<(), Problem> {
    for source in &spec.sources {
        let medium = host.catalogue.medium_by_id(*source).await?;
        if medium.adm_state == AdmState::Quarantined {
            let message = format!(
                "medium {} is quarantined: it was emptied, and its old bytes are held; nothing was changed",
                medium.name
            );
            return Err(Problem::refused("conflict", format!("medium {}", medium.name), message)
                .next(out_of_quarantine(&medium, &[])));
        }
    }
    Ok(())
}

/// A medium that is the only target a job may have is not taken away from it: neither would ever be done.
async fn check_named(host: &Arc<Host>, spec: &JobSpec) -> Result<(), Problem> {
    for job in host.catalogue.active_jobs().await? {
        let copies = matches!(job.state, JobState::Queued | JobState::Running | JobState::Paused);
        let Some(to) = job.spec.to.filter(|to| copies && spec.sources.contains(to)) else {
            continue;
        };
        let medium = host.catalogue.medium_by_id(to).await?;
        let message = format!("medium {} is the only target of job {}", medium.name, job.id);
        return Err(Problem::refused("target_of_job", &medium.name, message)
            .next("wait for that job, or cancel it, then repeat"));
    }
    Ok(())
}

/// Single extents are moved only while a layout needs them.
async fn check_extents(host: &Arc<Host>, spec: &JobSpec) -> Result<(), Problem> {
    for id in &spec.only {
        let extent = host.catalogue.extent(*id).await?;
        if extent.state != ExtentState::Sync {
            let message = format!(
                "extent {id} of {} is {}: nothing needs it",
                extent.origin.oid, extent.state
            );
            return Err(Problem::refused("not_live", id.to_string(), message)
                .next("`respool object show` names the extents that the object is read from"));
        }
    }
    Ok(())
}

/// How long a source's drive may be busy with others before it is taken on trust that the medium is there.
const REACH_WAIT: Duration = Duration::from_secs(2);

/// A source must be there, and be the one it should be. A disk that was missing may be back.
pub(super) async fn reach(host: &Arc<Host>, source: MediumId) -> Result<(), Problem> {
    let request = Request {
        purpose: "looking for a source".to_owned(),
        priority: Priority::Get,
        reads: vec![source],
        writes: vec![],
        exclusive: vec![],
    };
    match tokio::time::timeout(REACH_WAIT, host.lrs.allocate(request)).await {
        Ok(Ok(allocation)) => allocation.release().await,
        Ok(Err(error)) => {
            let problem = Problem::from(error);
            return Err(Problem {
                exit: problem.exit.max(exit::ENVIRONMENT),
                ..problem
            });
        }
        Err(_) => {}
    }
    Ok(())
}
