//! Objects as users see them: looked up by name, by id, by page, and by the extents that they need.

use super::PgCatalogue;
use super::codec::{ExtentRow, ObjectRow, all, extent_rows, from_json, object_rows};
use super::retry::{Stop, reading};
use crate::catalogue::{CatalogueError, ObjectFilter, ObjectHeader, Result};
use crate::model::object::{LayoutEntry, ObjectDetail, Place};
use crate::model::{ByteCount, CopyNo, Extent, ExtentId, ExtentIndex, Object, ObjectId, Oid, Version, Versions};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::BTreeMap;

pub(super) fn no_object(name: impl ToString) -> CatalogueError {
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

/// Several versions by their ids; those that are found.
pub(super) async fn by_ids(catalogue: &PgCatalogue, ids: &[ObjectId]) -> Result<BTreeMap<ObjectId, ObjectDetail>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    Ok(reading!(catalogue, conn => {
        let rows = object_rows!("WHERE o.id = ANY ($1) AND o.purged_at IS NULL", &ids)
            .fetch_all(&mut *conn)
            .await?;
        let found = details(conn, rows).await?;
        found.into_iter().map(|detail| (detail.object.id, detail)).collect()
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

/// Orphans with the same bytes, written for this place or replaced in it by a move, that were durable once.
pub(super) async fn fallbacks(catalogue: &PgCatalogue, object: ObjectId, place: Place) -> Result<Vec<Extent>> {
    Ok(reading!(catalogue, conn => {
        let rows = extent_rows!(
            "JOIN medium m ON m.id = e.medium AND m.generation = e.generation AND m.adm_state NOT IN ('erasing', 'dead')
              WHERE e.state = 'orphan' AND e.id IN (
                    SELECT o.id FROM extent o WHERE o.object_id = $1 AND o.copy_no = $2 AND o.index = $3
                    UNION SELECT v.old_extent FROM layout l JOIN job_move v ON v.new_extent = l.extent
                           WHERE l.object_id = $1 AND l.copy_no = $2 AND l.index = $3)
                AND (e.verified_at IS NOT NULL OR is_indexed(e.medium, e.id) OR EXISTS (SELECT 1 FROM job_move v
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
