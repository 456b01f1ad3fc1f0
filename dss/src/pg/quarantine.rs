//! What follows the swaps: the emptied source is kept for a while, and layouts can be put back on its bytes.

use super::PgCatalogue;
use super::codec::{Stamp, hold_to_sql, stamp};
use super::events::append;
use super::job_rows;
use super::locks;
use super::media;
use super::records;
use super::retry::{Stop, repeat};
use crate::catalogue::{CatalogueError, Result, ReturnOutcome};
use crate::model::{AdmState, Hold, JobId, MediumId, Move, ReadBack, Step};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// Live and pending extents of a medium; with `ignoring_deleted`, those that only deleted or overwritten versions
/// reference do not count.
pub(super) async fn in_use(
    on: &mut PgConnection,
    medium: MediumId,
    ignoring_deleted: bool,
) -> std::result::Result<(u64, u64), Stop> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE state = 'sync' AND (NOT $2 OR EXISTS
                    (SELECT 1 FROM layout l JOIN object o ON o.id = l.object_id
                      WHERE l.extent = e.id AND o.deleted_at IS NULL))) AS "live!",
                  count(*) FILTER (WHERE state = 'pending') AS "pending!"
             FROM extent e WHERE medium = $1 AND state IN ('pending', 'sync')"#,
        medium.0,
        ignoring_deleted
    )
    .fetch_one(on)
    .await?;
    Ok((super::codec::count(row.live), super::codec::count(row.pending)))
}

/// Quarantines an emptied source.
pub(super) async fn begin(
    catalogue: &PgCatalogue,
    job: JobId,
    medium: MediumId,
    hold: Hold,
    now: Timestamp,
) -> Result<()> {
    let (until, forever) = match hold {
        Hold::None => hold_to_sql(Hold::Until(now)),
        Hold::Until(_) | Hold::Forever => hold_to_sql(hold),
    };
    repeat!(catalogue, "quarantine", tx => {
        let row = media::lock(tx.on(), medium).await?;
        let spec = job_rows::fetch(tx.on(), job).await?.spec;
        let (live, pending) = in_use(tx.on(), medium, spec.drop_deleted).await?;
        let why = match row.adm_state {
            _ if !spec.sources.contains(&medium) => Some(format!("it is no source of job {job}")),
            AdmState::Quarantined if row.emptied_by == Some(job) => None,
            AdmState::Quarantined | AdmState::Erasing | AdmState::Dead => Some(format!("it is {}", row.adm_state)),
            AdmState::InService => Some("it still takes new extents".to_owned()),
            AdmState::ReadOnly | AdmState::Draining | AdmState::AbandonShip | AdmState::Retired => None,
        };
        let why = match why {
            None if live + pending > 0 => Some(format!("{live} live and {pending} pending extents are still on it")),
            other => other,
        };
        if let Some(why) = why {
            return Err(CatalogueError::Conflict { subject: format!("medium {}", row.name), why }.into());
        }
        sqlx::query!(
            "UPDATE medium SET adm_state = 'quarantined', quarantined_until = $2, emptied_by = $3,
                    operator_state = CASE WHEN adm_state = 'quarantined' THEN operator_state
                                          ELSE coalesce(operator_state, adm_state) END
              WHERE id = $1",
            medium.0, until as _, job.0
        )
        .execute(tx.on())
        .await?;
        hold_moved(tx.on(), (job, medium), (until, forever)).await?;
        append(tx.on(), now, "medium.quarantined", &row.name, json!({ "job": job, "hold": hold })).await?;
        tx.commit_at(Some(Step::QuarantineBeforeCommit)).await?
    });
    catalogue.checkpoints.reach(Step::QuarantineAfterCommit);
    Ok(())
}

/// Holds what a job moved off a medium as long as the quarantine says; what is held so already is not written again. The
/// planner knows nothing of the moves of a young job, and would compare each of them with each extent. So it costs what
/// the medium's orphans and the job's moves cost, each looked at once.
async fn hold_moved(
    on: &mut PgConnection,
    (job, medium): (JobId, MediumId),
    (until, forever): (Option<Stamp>, bool),
) -> std::result::Result<(), Stop> {
    sqlx::query("SET LOCAL enable_nestloop TO off")
        .execute(&mut *on)
        .await?;
    sqlx::query!(
        "UPDATE extent SET hold_until = $2, hold_forever = $3
          WHERE medium = $1 AND state = 'orphan' AND (hold_forever OR hold_until IS NOT NULL)
            AND (hold_forever <> $3 OR hold_until IS DISTINCT FROM $2)
            AND id IN (SELECT old_extent FROM job_move WHERE job = $4 AND state IN ('swapped', 'read_back'))",
        medium.0,
        until as _,
        forever,
        job.0
    )
    .execute(&mut *on)
    .await?;
    sqlx::query("SET LOCAL enable_nestloop TO DEFAULT").execute(on).await?;
    Ok(())
}

/// Ends the quarantine of a job's sources: they take nothing new, as the operator or the job had it.
pub(super) async fn end(catalogue: &PgCatalogue, job: JobId, now: Timestamp) -> Result<()> {
    repeat!(catalogue, "end_quarantine", tx => {
        end_within(tx.on(), job, now).await?;
        tx.commit().await?
    });
    Ok(())
}

/// The same, in a transaction that does more. It takes rows of media: before rows of jobs.
pub(super) async fn end_within(on: &mut PgConnection, job: JobId, now: Timestamp) -> std::result::Result<(), Stop> {
    let names = sqlx::query_scalar!(
        "UPDATE medium SET quarantined_until = NULL, emptied_by = NULL,
                    adm_state = CASE WHEN operator_state IN ('draining', 'abandon_ship', 'retired') THEN operator_state
                                     ELSE 'read_only' END,
                    operator_state = CASE WHEN operator_state = 'in_service' THEN operator_state END
              WHERE emptied_by = $1 AND adm_state = 'quarantined' RETURNING name",
        job.0
    )
    .fetch_all(&mut *on)
    .await?;
    append(
        on,
        now,
        "job.quarantine_ended",
        &job.to_string(),
        json!({ "media": names }),
    )
    .await
}

/// Points layouts back to old extents whose bytes were just read.
pub(super) async fn return_batch(
    catalogue: &PgCatalogue,
    job: JobId,
    entries: &[(Move, ReadBack)],
    now: Timestamp,
) -> Result<Vec<ReturnOutcome>> {
    for (one, read) in entries {
        if read.extent() != one.old || one.job != job {
            return Err(CatalogueError::Conflict {
                subject: format!("extent {}", one.old),
                why: "its bytes were not the ones read, or another job moved it".into(),
            });
        }
    }
    let outcomes = repeat!(catalogue, "return_batch", tx => {
        let outcomes = return_once(tx.on(), job, entries, now).await?;
        tx.commit_at(Some(Step::RestoreBeforeCommit)).await?;
        outcomes
    });
    catalogue.checkpoints.reach(Step::RestoreAfterCommit);
    Ok(outcomes)
}

async fn return_once(
    on: &mut PgConnection,
    job: JobId,
    entries: &[(Move, ReadBack)],
    now: Timestamp,
) -> std::result::Result<Vec<ReturnOutcome>, Stop> {
    let olds: Vec<Uuid> = entries.iter().map(|(one, _)| one.old.0).collect();
    let news: Vec<Uuid> = entries.iter().map(|(one, _)| one.new.0).collect();
    let both: Vec<Uuid> = olds.iter().chain(&news).copied().collect();
    let media = sqlx::query_scalar!("SELECT DISTINCT medium FROM extent WHERE id = ANY ($1)", &both)
        .fetch_all(&mut *on)
        .await?;
    locks::media(on, &media.into_iter().map(MediumId).collect()).await?;
    let objects = sqlx::query_scalar!("SELECT DISTINCT object_id FROM layout WHERE extent = ANY ($1)", &news)
        .fetch_all(&mut *on)
        .await?;
    locks::objects(on, &objects).await?;
    locks::extents(on, &both).await?;
    let referenced = sqlx::query_scalar!(
        "SELECT extent FROM layout WHERE extent = ANY ($1) ORDER BY object_id, copy_no, index FOR UPDATE",
        &news
    )
    .fetch_all(&mut *on)
    .await?;
    let mut referenced: BTreeSet<Uuid> = referenced.into_iter().collect();
    let olds_left: BTreeSet<Uuid> = sqlx::query_scalar!("SELECT id FROM extent WHERE id = ANY ($1)", &olds)
        .fetch_all(&mut *on)
        .await?
        .into_iter()
        .collect();
    let done: BTreeSet<Uuid> = sqlx::query_scalar!(
        "SELECT new_extent FROM job_move WHERE job = $1 AND new_extent = ANY ($2) AND state = 'returned'",
        job.0,
        &news
    )
    .fetch_all(&mut *on)
    .await?
    .into_iter()
    .collect();
    let mut pairs: BTreeMap<Uuid, Uuid> = BTreeMap::new();
    let mut outcomes = Vec::with_capacity(entries.len());
    for (one, _) in entries {
        outcomes.push(if done.contains(&one.new.0) {
            ReturnOutcome::Returned
        } else if olds_left.contains(&one.old.0) && referenced.remove(&one.new.0) {
            pairs.insert(one.new.0, one.old.0);
            ReturnOutcome::Returned
        } else {
            ReturnOutcome::MovedOn
        });
    }
    let (from, to): (Vec<Uuid>, Vec<Uuid>) = pairs.into_iter().unzip();
    repoint(on, &from, &to, now).await?;
    sqlx::query!(
        "UPDATE job_move SET state = 'returned' WHERE new_extent = ANY ($1)",
        &from
    )
    .execute(&mut *on)
    .await?;
    let detail = json!({ "returned": from.len(), "moved_on": entries.len() - from.len() });
    append(on, now, "job.returned", &job.to_string(), detail).await?;
    Ok(outcomes)
}

/// Old extents to *sync*, layouts to them, new extents to *orphan*: in this order no constraint is ever broken.
async fn repoint(on: &mut PgConnection, from: &[Uuid], to: &[Uuid], now: Timestamp) -> std::result::Result<(), Stop> {
    sqlx::query!(
        "UPDATE extent SET state = 'sync', hold_until = NULL, hold_forever = false, verified_at = $2
          WHERE id = ANY ($1)",
        to,
        stamp(now) as _
    )
    .execute(&mut *on)
    .await?;
    sqlx::query!(
        "UPDATE layout SET extent = s.old FROM unnest($1::uuid[], $2::uuid[]) AS s (new, old)
          WHERE layout.extent = s.new",
        from,
        to
    )
    .execute(&mut *on)
    .await?;
    records::orphan(on, from, Hold::None).await?;
    Ok(())
}
