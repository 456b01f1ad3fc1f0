//! Hop 1: a request becomes a job, or is refused with nothing touched.

use super::planning::{look, targets_for};
use crate::api::Problem;
use crate::host::Host;
use crate::repack::plan::assign;
use dss::model::{ExtentState, Job, JobKind, JobSpec, Quarantine};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Checks that the job can be done as far as can be told now, then makes it *queued* and its sources *read_only*.
pub async fn submit(host: &Arc<Host>, kind: JobKind, spec: JobSpec) -> Result<Job, Problem> {
    check(host, &spec).await?;
    check_extents(host, &spec).await?;
    let manifest = look(host, &spec, &BTreeSet::new()).await?;
    if !manifest.items.is_empty() {
        let targets = targets_for(host, &spec).await?;
        let plan = assign(&manifest, &targets.usable);
        if let Some(problem) = targets.explain_unplaced(&plan) {
            return Err(problem);
        }
    }
    Ok(host.catalogue.create_job(kind, spec, host.clock.now()).await?)
}

/// What can be refused without looking at extents.
pub(super) async fn check(host: &Arc<Host>, spec: &JobSpec) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    for source in &spec.sources {
        let medium = host.catalogue.medium_by_id(*source).await?;
        if !seen.insert(*source) {
            return Err(
                Problem::refused("twice", &medium.name, format!("medium {} is named twice", medium.name))
                    .next("name each medium once"),
            );
        }
        if !medium.may_be_read() {
            let why = if medium.locked {
                "locked".to_owned()
            } else {
                medium.adm_state.to_string()
            };
            return Err(Problem::refused(
                "medium_unusable",
                &medium.name,
                format!(
                    "medium {} cannot be read: it is {why}, {}",
                    medium.name, medium.presence
                ),
            )
            .next("unlock or attach it, then repeat; nothing was touched"));
        }
        if spec.to == Some(*source) {
            return Err(Problem::refused(
                "own_target",
                &medium.name,
                format!("medium {} cannot be its own target", medium.name),
            )
            .next("name another medium with --to, or none"));
        }
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
