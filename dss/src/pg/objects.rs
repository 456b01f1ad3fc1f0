//! Objects as users change them: deleted, brought back, and ended for good.

use super::PgCatalogue;
use super::codec::{object_rows, stamp};
use super::events::append;
use super::lookups::no_object;
use super::records;
use super::retry::{Stop, repeat};
use crate::catalogue::{CatalogueError, Result};
use crate::model::{Hold, Object, Oid, Step};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Uuid;

/// Marks the live version deleted.
pub(super) async fn delete(catalogue: &PgCatalogue, oid: &Oid, now: Timestamp) -> Result<Object> {
    Ok(repeat!(catalogue, "delete_object", tx => {
        let marked = sqlx::query_scalar!(
            "UPDATE object SET deleted_at = $2 WHERE oid = $1 AND deleted_at IS NULL RETURNING id",
            oid.as_str(), stamp(now) as _
        )
        .fetch_optional(tx.on())
        .await?;
        let Some(id) = marked else {
            // The version this statement waited for was overwritten: the newer one is to be deleted, not "no such object".
            let live = sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT 1 FROM object WHERE oid = $1 AND deleted_at IS NULL) AS "live!""#, oid.as_str()
            )
            .fetch_one(tx.on())
            .await?;
            return Err(if live { Stop::RolledBack } else { no_object(oid).into() });
        };
        let object = Object::try_from(object_rows!("WHERE o.id = $1", id).fetch_one(tx.on()).await?)?;
        append(tx.on(), now, "object.deleted", oid.as_str(), json!({ "version": object.version })).await?;
        tx.commit_at(Some(Step::DeleteBeforeCommit)).await?;
        object
    }))
}

/// Makes the newest deleted version live again.
pub(super) async fn undelete(catalogue: &PgCatalogue, oid: &Oid, now: Timestamp) -> Result<Object> {
    Ok(repeat!(catalogue, "undelete_object", tx => {
        let rows = sqlx::query!(
            r#"SELECT id, deleted_at IS NULL AS "live!", purged_at IS NOT NULL AS "purged!",
                      EXISTS (SELECT 1 FROM layout l WHERE l.object_id = object.id) AS "referenced!"
                 FROM object WHERE oid = $1 ORDER BY version DESC"#,
            oid.as_str()
        )
        .fetch_all(tx.on())
        .await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        super::locks::objects(tx.on(), &ids).await?;
        if rows.iter().any(|row| row.live) {
            let why = "it is not deleted".to_owned();
            return Err(CatalogueError::Conflict { subject: format!("object {oid}"), why }.into());
        }
        let newest = rows.iter().find(|row| !row.purged && row.referenced).ok_or_else(|| no_object(oid))?;
        // Conditioned on what was read: a purge or another undelete may have been first.
        let changed = sqlx::query!(
            "UPDATE object SET deleted_at = NULL WHERE id = $1 AND deleted_at IS NOT NULL AND purged_at IS NULL
                AND EXISTS (SELECT 1 FROM layout l WHERE l.object_id = object.id)",
            newest.id
        )
        .execute(tx.on())
        .await?;
        if changed.rows_affected() == 0 {
            return Err(no_object(oid).into());
        }
        let object = Object::try_from(object_rows!("WHERE o.id = $1", newest.id).fetch_one(tx.on()).await?)?;
        append(tx.on(), now, "object.undeleted", oid.as_str(), json!({ "version": object.version })).await?;
        tx.commit().await?;
        object
    }))
}

/// Ends versions whose undelete window is over. Their rows stay as tombstones.
pub(super) async fn purge(
    catalogue: &PgCatalogue,
    deleted_before: Timestamp,
    limit: u32,
    now: Timestamp,
) -> Result<u64> {
    Ok(repeat!(catalogue, "purge", tx => {
        super::reconcile::refuse_in_doubt(tx.on()).await?;
        let candidates = due(tx.on(), deleted_before, limit, None).await?;
        let mut purged = Vec::new();
        if !candidates.is_empty() {
            super::locks::objects(tx.on(), &candidates).await?;
            // Looked at again behind the locks: an undelete or a new job may have been first.
            purged = due(tx.on(), deleted_before, limit, Some(&candidates)).await?;
            let freed = drop_layouts(tx.on(), &purged).await?;
            sqlx::query!("UPDATE object SET purged_at = $2 WHERE id = ANY ($1)", &purged, stamp(now) as _)
                .execute(tx.on())
                .await?;
            let let_go = end_holds(tx.on(), &purged, &freed).await?;
            forget_tombstones(tx.on(), &purged).await?;
            let detail = json!({ "versions": purged.len(), "let_go": let_go });
            append(tx.on(), now, "object.purged", "undelete window", detail).await?;
            tx.commit().await?;
        }
        purged.len() as u64
    }))
}

/// Versions that may be purged: not those with an extent on a source of an active job, or of a medium whose last job
/// failed or left something behind.
async fn due(
    on: &mut PgConnection,
    deleted_before: Timestamp,
    limit: u32,
    only: Option<&[Uuid]>,
) -> std::result::Result<Vec<Uuid>, Stop> {
    Ok(sqlx::query_scalar!(
        "SELECT o.id FROM object o
          WHERE o.deleted_at <= $1 AND o.purged_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM catalogue c WHERE c.restored_at > $1) AND ($3::uuid[] IS NULL OR o.id = ANY ($3))
            AND NOT EXISTS (
                SELECT 1 FROM layout l JOIN extent e ON e.id = l.extent JOIN job_source s ON s.medium = e.medium
                  JOIN job j ON j.id = s.job
                 WHERE l.object_id = o.id AND (s.active OR j.state IN ('failed', 'done_with_skips')
                   AND s.job = (SELECT max(job) FROM job_source newest WHERE newest.medium = e.medium)))
          ORDER BY o.deleted_at, o.id LIMIT $2",
        stamp(deleted_before) as _,
        i64::from(limit),
        only
    )
    .fetch_all(on)
    .await?)
}

/// Nothing goes back to the old bytes of a tombstone any more: whatever they were held for, they are held no longer.
/// Unless another object needs what was written for it: then they wait for the end of that one. A version that was
/// forgotten has no row, and its bytes stay held: an import may bring it back. So do those on a medium that is not level.
/// `ended` are versions that became tombstones, `freed` what they pointed to. Answers how many extents are let go.
pub(super) async fn end_holds(on: &mut PgConnection, ended: &[Uuid], freed: &[Uuid]) -> std::result::Result<u64, Stop> {
    let mut origins = sqlx::query_scalar!("SELECT DISTINCT object_id FROM extent WHERE id = ANY ($1)", freed)
        .fetch_all(&mut *on)
        .await?;
    origins.extend_from_slice(ended);
    let held = sqlx::query_scalar!(
        "SELECT e.id FROM extent e JOIN object o ON o.id = e.object_id AND o.purged_at IS NOT NULL
             JOIN medium m ON m.id = e.medium AND m.standing = 'level'
          WHERE e.object_id = ANY ($1) AND e.state = 'orphan' AND (e.hold_forever OR e.hold_until IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM extent n JOIN layout l ON l.extent = n.id WHERE n.object_id = e.object_id)
          ORDER BY e.id FOR UPDATE OF e",
        &origins
    )
    .fetch_all(&mut *on)
    .await?;
    let changed = sqlx::query!(
        "UPDATE extent SET hold_until = NULL, hold_forever = false WHERE id = ANY ($1) AND state = 'orphan'",
        &held
    )
    .execute(on)
    .await?;
    Ok(changed.rows_affected())
}

/// Removes the layouts of versions, and answers the extents that they pointed to; what nothing references any more
/// becomes an orphan.
async fn drop_layouts(on: &mut PgConnection, objects: &[Uuid]) -> std::result::Result<Vec<Uuid>, Stop> {
    let extents = sqlx::query_scalar!("SELECT DISTINCT extent FROM layout WHERE object_id = ANY ($1)", objects)
        .fetch_all(&mut *on)
        .await?;
    super::locks::extents(on, &extents).await?;
    let freed = sqlx::query_scalar!(
        "DELETE FROM layout WHERE object_id = ANY ($1) RETURNING extent",
        objects
    )
    .fetch_all(&mut *on)
    .await?;
    orphan_unreferenced(on, &freed).await?;
    Ok(freed)
}

/// Of these extents, those without a layout become orphans.
pub(super) async fn orphan_unreferenced(on: &mut PgConnection, extents: &[Uuid]) -> std::result::Result<(), Stop> {
    let bare = sqlx::query_scalar!(
        r#"SELECT x.id AS "id!" FROM unnest($1::uuid[]) AS x (id)
            WHERE NOT EXISTS (SELECT 1 FROM layout l WHERE l.extent = x.id)"#,
        extents
    )
    .fetch_all(&mut *on)
    .await?;
    records::orphan(on, &bare, Hold::None).await?;
    Ok(())
}

/// Tombstones go when no medium may hold their bytes any more, but the newest version stays: its number counts.
pub(super) async fn forget_tombstones(on: &mut PgConnection, objects: &[Uuid]) -> std::result::Result<(), Stop> {
    sqlx::query!(
        "DELETE FROM object o WHERE o.id = ANY ($1) AND o.purged_at IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM extent e WHERE e.object_id = o.id)
            AND EXISTS (SELECT 1 FROM object newer WHERE newer.oid = o.oid AND newer.version > o.version)",
        objects
    )
    .execute(on)
    .await?;
    Ok(())
}
