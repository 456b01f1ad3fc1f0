//! The fence of I6: lock the medium, look again, persist *erasing* with the next generation, each a statement of its
//! own. After it, device work may destroy what the catalogue no longer needs.

use super::PgCatalogue;
use super::events::append;
use super::locks;
use super::media;
use super::objects::{end_holds, forget_tombstones, orphan_unreferenced};
use super::quarantine::in_use;
use super::retry::{Stop, repeat};
use crate::catalogue::{CatalogueError, Fence, Result};
use crate::model::{AdmState, Epoch, FsState, Generation, JobId, Medium, MediumId, Step};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::BTreeMap;

/// Fences a medium.
pub(super) async fn fence(
    catalogue: &PgCatalogue,
    medium: MediumId,
    job: Option<JobId>,
    drop_deleted: bool,
    epoch: Epoch,
    now: Timestamp,
) -> Result<Fence> {
    catalogue.checkpoints.reach(Step::ReclaimBeforeFence);
    let found = repeat!(catalogue, "fence_medium", tx => {
        locks::leases(tx.on(), &BTreeMap::from([(medium, epoch)])).await?;
        super::reconcile::refuse_in_doubt(tx.on()).await?;
        let row = media::lock(tx.on(), medium).await?;
        if row.adm_state == AdmState::Erasing {
            Fence::Erasing(row.generation)
        } else {
            if row.locked {
                return Err(CatalogueError::Fenced { medium, why: "it is locked".into() }.into());
            }
            refuse(tx.on(), &row, job, now).await?;
            if drop_deleted {
                drop_deleted_versions(tx.on(), medium, now).await?;
            }
            let (live, pending) = in_use(tx.on(), medium, false).await?;
            if live + pending > 0 {
                // Nothing is kept of this transaction: what was deleted stays until the fence holds.
                Fence::InUse { live, pending }
            } else if let needed @ 1.. = super::doubt::count(tx.on(), medium).await? {
                Fence::LastGood(needed)
            } else {
                let generation = erase(tx.on(), &row, job, now).await?;
                tx.commit().await?;
                Fence::Erasing(generation)
            }
        }
    });
    if matches!(found, Fence::Erasing(_)) {
        catalogue.checkpoints.reach(Step::ReclaimAfterFence);
    }
    Ok(found)
}

/// A quarantined medium belongs to its job until its time is over; a source belongs to its active job. A job that ended
/// without erasing leaves this to an operator.
async fn refuse(
    on: &mut PgConnection,
    medium: &Medium,
    job: Option<JobId>,
    now: Timestamp,
) -> std::result::Result<(), Stop> {
    let holder = sqlx::query_scalar!("SELECT job FROM job_source WHERE medium = $1 AND active", medium.id.0)
        .fetch_optional(&mut *on)
        .await?
        .map(JobId);
    let sources = match job {
        Some(id) => Some((id, super::job_rows::fetch(&mut *on, id).await?.spec.sources)),
        None => None,
    };
    let why = match (medium.adm_state, holder) {
        _ if sources
            .as_ref()
            .is_some_and(|(_, sources)| !sources.contains(&medium.id)) =>
        {
            sources.map(|(id, _)| format!("it is no source of job {id}"))
        }
        (AdmState::Quarantined, Some(_)) if job.is_none() => {
            Some("it is quarantined for the job that emptied it".to_owned())
        }
        (AdmState::Quarantined, _) if job.is_some() && medium.emptied_by != job => {
            Some("it is quarantined for another job".to_owned())
        }
        (AdmState::Quarantined, _) if medium.quarantined_until.is_none_or(|end| end > now) => {
            Some("its quarantine is not over".to_owned())
        }
        (AdmState::Dead, _) => Some("it is dead".to_owned()),
        (_, Some(holder)) if job != Some(holder) => Some(format!("it is a source of job {holder}")),
        _ => None,
    };
    match why {
        None => Ok(()),
        Some(why) => Err(CatalogueError::Conflict {
            subject: format!("medium {}", medium.name),
            why,
        }
        .into()),
    }
}

/// Ends the copies of deleted or overwritten versions that have an extent here. A version without any other copy
/// becomes a tombstone.
async fn drop_deleted_versions(
    on: &mut PgConnection,
    medium: MediumId,
    now: Timestamp,
) -> std::result::Result<(), Stop> {
    let rows = sqlx::query!(
        "SELECT DISTINCT l.object_id, l.copy_no FROM extent e JOIN layout l ON l.extent = e.id
           JOIN object o ON o.id = l.object_id
          WHERE e.medium = $1 AND e.state = 'sync' AND o.deleted_at IS NOT NULL",
        medium.0
    )
    .fetch_all(&mut *on)
    .await?;
    let objects: Vec<Uuid> = rows.iter().map(|row| row.object_id).collect();
    let copies: Vec<i16> = rows.iter().map(|row| row.copy_no).collect();
    locks::objects(on, &objects).await?;
    let extents = sqlx::query_scalar!(
        "SELECT l.extent FROM layout l JOIN unnest($1::uuid[], $2::smallint[]) AS d (object_id, copy_no)
             USING (object_id, copy_no)",
        &objects,
        &copies
    )
    .fetch_all(&mut *on)
    .await?;
    locks::extents(on, &extents).await?;
    // Undeleted meanwhile: its layouts stay, and the fence will find the medium in use.
    let freed = sqlx::query_scalar!(
        "DELETE FROM layout l USING unnest($1::uuid[], $2::smallint[]) AS d (object_id, copy_no), object o
          WHERE l.object_id = d.object_id AND l.copy_no = d.copy_no AND o.id = l.object_id
            AND o.deleted_at IS NOT NULL RETURNING l.extent",
        &objects,
        &copies
    )
    .fetch_all(&mut *on)
    .await?;
    orphan_unreferenced(on, &freed).await?;
    sqlx::query!(
        "UPDATE object SET purged_at = $2 WHERE id = ANY ($1) AND deleted_at IS NOT NULL AND purged_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM layout l WHERE l.object_id = object.id)",
        &objects,
        super::codec::stamp(now) as _
    )
    .execute(&mut *on)
    .await?;
    end_holds(on, &objects, &freed).await?;
    Ok(())
}

async fn erase(
    on: &mut PgConnection,
    medium: &Medium,
    job: Option<JobId>,
    now: Timestamp,
) -> std::result::Result<Generation, Stop> {
    let generation = sqlx::query_scalar!(
        "UPDATE medium SET adm_state = 'erasing', generation = generation + 1, quarantined_until = NULL,
                emptied_by = $2,
                operator_state = CASE WHEN adm_state = 'quarantined' THEN operator_state
                                      ELSE coalesce(operator_state, adm_state) END
          WHERE id = $1 RETURNING generation",
        medium.id.0,
        job.map(|job| job.0)
    )
    .fetch_one(&mut *on)
    .await?;
    append(
        on,
        now,
        "medium.erasing",
        &medium.name,
        json!({ "job": job, "generation": generation }),
    )
    .await?;
    Ok(Generation(generation))
}

/// The new label was read back: what was on the medium before is forgotten, and it is again what the operator had said.
pub(super) async fn finish(
    catalogue: &PgCatalogue,
    medium: MediumId,
    generation: Generation,
    now: Timestamp,
) -> Result<()> {
    catalogue.checkpoints.reach(Step::ReclaimAfterLabel);
    repeat!(catalogue, "finish_erase", tx => {
        let row = media::lock(tx.on(), medium).await?;
        // Asked again after a lost answer: nothing has landed on it since.
        let done = !matches!(row.adm_state, AdmState::Erasing | AdmState::Quarantined)
            && row.generation == generation
            && row.fs_state == FsState::Empty;
        if !done {
            if row.adm_state != AdmState::Erasing || row.generation != generation {
                let why = format!("it is {} at generation {}, not erasing at {generation}", row.adm_state, row.generation);
                return Err(CatalogueError::Conflict { subject: format!("medium {}", row.name), why }.into());
            }
            let objects = sqlx::query_scalar!(
                "DELETE FROM extent WHERE medium = $1 AND generation < $2 AND state = 'orphan' RETURNING object_id",
                medium.0, generation.0
            )
            .fetch_all(tx.on())
            .await?;
            forget_tombstones(tx.on(), &objects).await?;
            sqlx::query!("DELETE FROM medium_grouping WHERE medium = $1", medium.0).execute(tx.on()).await?;
            sqlx::query!(
                "UPDATE medium SET adm_state = coalesce(operator_state, 'in_service'), operator_state = NULL,
                        fs_state = 'empty', format = 'respool', emptied_by = NULL WHERE id = $1",
                medium.0
            )
            .execute(tx.on())
            .await?;
            let detail = json!({ "generation": generation, "forgotten": objects.len() });
            append(tx.on(), now, "medium.erased", &row.name, detail).await?;
            tx.commit().await?;
        }
    });
    catalogue.checkpoints.reach(Step::ReclaimAfterCommit);
    Ok(())
}
