//! Objects as users see them: looked up, listed, deleted, brought back, and ended for good.

use super::PgCatalogue;
use super::codec::{ExtentRow, ObjectRow, all, extent_rows, from_json, object_rows, stamp};
use super::events::append;
use super::records;
use super::retry::{Stop, reading, repeat};
use crate::catalogue::{CatalogueError, ObjectFilter, ObjectHeader, Result};
use crate::model::object::{LayoutEntry, ObjectDetail, Place};
use crate::model::{
    ByteCount, CopyNo, Extent, ExtentId, ExtentIndex, Hold, Object, ObjectId, Oid, Step, Version, Versions,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::BTreeMap;

fn no_object(name: impl ToString) -> CatalogueError {
    CatalogueError::NotFound {
        what: "object",
        name: name.to_string(),
    }
}

/// That the live version, or the one that was asked for, is not there.
fn no_version(oid: &Oid, version: Option<Version>) -> CatalogueError {
    match version {
        None => no_object(oid),
        Some(version) => CatalogueError::NotFound {
            what: "version",
            name: format!("{oid}@{version}"),
        },
    }
}

/// Adds the layouts to versions, in the order given.
async fn details(on: &mut PgConnection, rows: Vec<ObjectRow>) -> std::result::Result<Vec<ObjectDetail>, Stop> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut entries: BTreeMap<ObjectId, Vec<LayoutEntry>> = BTreeMap::new();
    for (object, entry) in entries_of(on, &ids).await? {
        entries.entry(object).or_default().push(entry);
    }
    let objects: Vec<Object> = all(rows)?;
    Ok(objects
        .into_iter()
        .map(|object| ObjectDetail {
            entries: entries.remove(&object.id).unwrap_or_default(),
            object,
        })
        .collect())
}

/// Layout entries of objects, by object, copy and index. Two reads by key: places, then their extents.
async fn entries_of(
    on: &mut PgConnection,
    objects: &[Uuid],
) -> std::result::Result<Vec<(ObjectId, LayoutEntry)>, Stop> {
    let rows = extent_rows!(
        "WHERE e.id IN (SELECT l.extent FROM layout l WHERE l.object_id = ANY ($1))",
        objects
    )
    .fetch_all(&mut *on)
    .await?;
    let places = sqlx::query_as!(
        PlaceRow,
        "SELECT object_id, copy_no, index, extent FROM layout WHERE object_id = ANY ($1)
          ORDER BY object_id, copy_no, index",
        objects
    )
    .fetch_all(on)
    .await?;
    join(places, rows)
}

struct PlaceRow {
    object_id: Uuid,
    copy_no: i16,
    index: i32,
    extent: Uuid,
}

/// A swap may commit between the two reads: an entry whose extent was not read yet is left to the caller's repeat.
fn join(places: Vec<PlaceRow>, rows: Vec<ExtentRow>) -> std::result::Result<Vec<(ObjectId, LayoutEntry)>, Stop> {
    let extents: BTreeMap<ExtentId, Extent> = all::<_, Extent>(rows)?.into_iter().map(|one| (one.id, one)).collect();
    let mut entries = Vec::with_capacity(places.len());
    for place in places {
        let Some(extent) = extents.get(&ExtentId(place.extent)) else {
            return Err(Stop::RolledBack);
        };
        let entry = LayoutEntry {
            copy: CopyNo(place.copy_no),
            index: ExtentIndex(place.index),
            extent: extent.clone(),
        };
        entries.push((ObjectId(place.object_id), entry));
    }
    Ok(entries)
}

/// One version, or the live one.
pub(super) async fn by_oid(catalogue: &PgCatalogue, oid: &Oid, version: Option<Version>) -> Result<ObjectDetail> {
    Ok(reading!(catalogue, conn => {
        let row = object_rows!(
            "WHERE o.oid = $1 AND o.purged_at IS NULL
                AND CASE WHEN $2::int IS NULL THEN o.deleted_at IS NULL ELSE o.version = $2 END",
            oid.as_str(), version.map(|version| version.0)
        )
        .fetch_optional(&mut *conn)
        .await?
        .ok_or_else(|| no_version(oid, version))?;
        details(conn, vec![row]).await?.remove(0)
    }))
}

/// One version by its id.
pub(super) async fn by_id(catalogue: &PgCatalogue, id: ObjectId) -> Result<ObjectDetail> {
    Ok(reading!(catalogue, conn => {
        let row = object_rows!("WHERE o.id = $1 AND o.purged_at IS NULL", id.0)
            .fetch_optional(&mut *conn)
            .await?
            .ok_or_else(|| no_object(id))?;
        details(conn, vec![row]).await?.remove(0)
    }))
}

/// A page of objects.
pub(super) async fn list(
    catalogue: &PgCatalogue,
    filter: &ObjectFilter,
    after: Option<(Oid, Version)>,
    limit: u32,
) -> Result<Vec<ObjectDetail>> {
    let prefix = filter.prefix.as_deref().unwrap_or_default();
    let (after_oid, after_version) = match &after {
        Some((oid, version)) => (oid.as_str(), version.0),
        None => ("", 0),
    };
    Ok(reading!(catalogue, conn => {
        let rows = object_rows!(
            "WHERE (o.oid, o.version) > ($1, $2) AND o.oid >= $3 AND starts_with(o.oid, $3)
                AND o.purged_at IS NULL AND ($4 OR o.deleted_at IS NULL)
              ORDER BY o.oid, o.version LIMIT $5",
            after_oid, after_version, prefix, filter.deleted, i64::from(limit)
        )
        .fetch_all(&mut *conn)
        .await?;
        details(conn, rows).await?
    }))
}

/// What the versions of names are, in the order asked.
pub(super) async fn versions(catalogue: &PgCatalogue, oids: &[Oid]) -> Result<Vec<Versions>> {
    let names: Vec<String> = oids.iter().map(|oid| oid.as_str().to_owned()).collect();
    let rows = reading!(catalogue, conn => {
        sqlx::query!(
            r#"SELECT oid, max(version) AS "highest!", max(version) FILTER (WHERE deleted_at IS NULL) AS live
                 FROM object WHERE oid = ANY ($1) GROUP BY oid"#,
            &names
        )
        .fetch_all(&mut *conn)
        .await?
    });
    let known: BTreeMap<&str, (i32, Option<i32>)> = rows
        .iter()
        .map(|row| (row.oid.as_str(), (row.highest, row.live)))
        .collect();
    let of = |name: &String| {
        let (highest, live) = known.get(name.as_str()).copied().unwrap_or_default();
        Versions {
            live: live.map(Version),
            next: Version(highest + 1),
        }
    };
    Ok(names.iter().map(of).collect())
}

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

/// Orphans with the same bytes, written for this place or replaced in it by a move, that were durable once.
pub(super) async fn fallbacks(catalogue: &PgCatalogue, object: ObjectId, place: Place) -> Result<Vec<Extent>> {
    Ok(reading!(catalogue, conn => {
        let rows = extent_rows!(
            "JOIN medium m ON m.id = e.medium AND m.generation = e.generation AND m.adm_state NOT IN ('erasing', 'dead')
              WHERE e.state = 'orphan' AND e.id IN (
                    SELECT o.id FROM extent o WHERE o.object_id = $1 AND o.copy_no = $2 AND o.index = $3
                    UNION SELECT v.old_extent FROM layout l JOIN job_move v ON v.new_extent = l.extent
                           WHERE l.object_id = $1 AND l.copy_no = $2 AND l.index = $3)
                AND (e.indexed OR e.verified_at IS NOT NULL OR EXISTS (SELECT 1 FROM job_move v
                      WHERE v.old_extent = e.id AND v.state IN ('swapped', 'read_back')))
                AND EXISTS (SELECT 1 FROM layout l JOIN extent now ON now.id = l.extent
                             WHERE l.object_id = $1 AND l.copy_no = $2 AND l.index = $3
                               AND now.bytes = e.bytes AND now.blake3 = e.blake3)
              ORDER BY e.created_at DESC, e.id DESC",
            object.0, place.copy.0, place.index.0
        )
        .fetch_all(&mut *conn)
        .await?;
        all(rows)?
    }))
}

/// What travels with extents on their media.
pub(super) async fn headers(catalogue: &PgCatalogue, extents: &[ExtentId]) -> Result<BTreeMap<ExtentId, ObjectHeader>> {
    let ids: Vec<Uuid> = extents.iter().map(|id| id.0).collect();
    Ok(reading!(catalogue, conn => {
        let rows = sqlx::query_as!(
            HeaderRow,
            r#"SELECT e.id, o.bytes, o.copies, c.extents, o."grouping", o.metadata,
                      o.created_at AS "created_at: super::codec::Stamp"
                 FROM extent e JOIN object o ON o.id = e.object_id
                 JOIN copy c ON c.object_id = o.id AND c.copy_no = e.copy_no WHERE e.id = ANY ($1)"#,
            &ids
        )
        .fetch_all(&mut *conn)
        .await?;
        rows.into_iter().map(HeaderRow::header).collect::<Result<BTreeMap<_, _>>>()?
    }))
}

struct HeaderRow {
    id: Uuid,
    bytes: i64,
    copies: i16,
    extents: i32,
    grouping: Option<String>,
    metadata: Value,
    created_at: super::codec::Stamp,
}

impl HeaderRow {
    fn header(self) -> Result<(ExtentId, ObjectHeader)> {
        let header = ObjectHeader {
            bytes: ByteCount::from_i64(self.bytes),
            copies: CopyNo(self.copies),
            copy_extents: self.extents,
            grouping: self.grouping,
            metadata: from_json("an object's metadata", self.metadata)?,
            created_at: self.created_at.to_jiff(),
        };
        Ok((ExtentId(self.id), header))
    }
}

/// Every layout entry that these extents fill.
pub(super) async fn references(catalogue: &PgCatalogue, extents: &[ExtentId]) -> Result<Vec<(ObjectId, LayoutEntry)>> {
    let ids: Vec<Uuid> = extents.iter().map(|id| id.0).collect();
    Ok(reading!(catalogue, conn => {
        let places = sqlx::query_as!(
            PlaceRow,
            "SELECT object_id, copy_no, index, extent FROM layout WHERE extent = ANY ($1)
              ORDER BY object_id, copy_no, index",
            &ids
        )
        .fetch_all(&mut *conn)
        .await?;
        let rows = extent_rows!("WHERE e.id = ANY ($1)", &ids).fetch_all(&mut *conn).await?;
        join(places, rows)?
    }))
}
