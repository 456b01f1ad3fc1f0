//! A source's live extents with what must be known to plan their moves, in narrow columns: one question for a page and
//! four for each part of it, by key, whatever the statistics say, and one more where its objects have other copies.

use super::PgCatalogue;
use super::codec::{oid, span};
use super::retry::{Stop, reading, reading_at_once};
use crate::catalogue::{ManifestRow, Page, Result};
use crate::model::{ByteCount, CopyNo, ExtentId, MediumId, ObjectId};
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// What surrounds a page is asked for in so many parts at the same time, each over a connection of its own: the server
/// answers one while another is taken in here.
const PARTS: usize = 4;
/// And a part is not worth a connection of its own with fewer rows.
const WORTH_A_PART: usize = 500;

/// A page of a source's live extents.
pub(super) async fn page(catalogue: &PgCatalogue, source: MediumId, page: Page<ExtentId>) -> Result<Vec<ManifestRow>> {
    let after = page.after.map_or(Uuid::nil(), |id| id.0);
    let mut rows = reading!(catalogue, conn => {
        sqlx::query_as!(
            Row,
            "SELECT id, object_id, oid, copy_no, bytes, span FROM extent
              WHERE medium = $1 AND state = 'sync' AND id > $2 ORDER BY id LIMIT $3",
            source.0, after, i64::from(page.limit)
        )
        .fetch_all(&mut *conn)
        .await?
    });
    let each = rows.len().div_ceil(PARTS).max(WORTH_A_PART);
    let mut parts = vec![];
    while rows.len() > each {
        let rest = rows.split_off(each);
        parts.push(completed(catalogue, source, std::mem::replace(&mut rows, rest)));
    }
    parts.push(completed(catalogue, source, rows));
    let parts = futures_util::future::try_join_all(parts).await?;
    Ok(parts.into_iter().flatten().collect())
}

async fn completed(catalogue: &PgCatalogue, source: MediumId, rows: Vec<Row>) -> Result<Vec<ManifestRow>> {
    let around = reading_at_once!(catalogue, conn => { Around::of(conn, source, &rows).await? });
    rows.into_iter().map(|row| around.complete(source, row)).collect()
}

struct Row {
    id: Uuid,
    object_id: Uuid,
    oid: String,
    copy_no: i16,
    bytes: i64,
    span: Option<String>,
}

/// A copy of an object.
type Copy = (Uuid, i16);

/// What surrounds a page of extents.
struct Around {
    /// The copies that need each of them.
    users: BTreeMap<Uuid, Vec<Copy>>,
    /// Grouping of every object concerned, and whether it was neither deleted nor overwritten.
    objects: BTreeMap<Uuid, (Option<String>, bool)>,
    /// Where else the copies of these objects lie.
    elsewhere: BTreeMap<Uuid, BTreeSet<(i16, MediumId)>>,
}

impl Around {
    async fn of(on: &mut PgConnection, source: MediumId, rows: &[Row]) -> std::result::Result<Self, Stop> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let mut users: BTreeMap<Uuid, Vec<Copy>> = BTreeMap::new();
        let mut concerned: BTreeSet<Uuid> = rows.iter().map(|row| row.object_id).collect();
        let places = sqlx::query!(
            "SELECT extent, object_id, copy_no FROM layout WHERE extent = ANY ($1)",
            &ids
        )
        .fetch_all(&mut *on)
        .await?;
        for place in places {
            concerned.insert(place.object_id);
            users
                .entry(place.extent)
                .or_default()
                .push((place.object_id, place.copy_no));
        }
        let concerned: Vec<Uuid> = concerned.into_iter().collect();
        let objects = sqlx::query!(
            r#"SELECT id, "grouping", deleted_at IS NULL AS "alive!" FROM object WHERE id = ANY ($1)"#,
            &concerned
        )
        .fetch_all(&mut *on)
        .await?;
        let elsewhere = elsewhere(on, source, &concerned, &users).await?;
        Ok(Self {
            users,
            objects: objects
                .into_iter()
                .map(|object| (object.id, (object.grouping, object.alive)))
                .collect(),
            elsewhere,
        })
    }

    fn complete(&self, source: MediumId, row: Row) -> Result<ManifestRow> {
        let users = self.users.get(&row.id).map_or(&[] as &[Copy], Vec::as_slice);
        let alive = |object: &Uuid| self.objects.get(object).is_some_and(|(_, alive)| *alive);
        let mut avoid = BTreeSet::new();
        for (object, copy) in users {
            let places = self.elsewhere.get(object).into_iter().flatten();
            avoid.extend(places.filter(|(other, _)| other != copy).map(|(_, medium)| *medium));
        }
        Ok(ManifestRow {
            extent: ExtentId(row.id),
            medium: source,
            object: ObjectId(row.object_id),
            oid: oid(row.oid)?,
            copy: CopyNo(row.copy_no),
            bytes: ByteCount::from_i64(row.bytes),
            deleted_only: !users.iter().any(|(object, _)| alive(object)),
            avoid,
            grouping: self
                .objects
                .get(&row.object_id)
                .and_then(|(grouping, _)| grouping.clone()),
            spot: match &row.span {
                Some(text) => span(ExtentId(row.id), text)?.spot(),
                None => None,
            },
        })
    }
}

/// The media, other than the source, that hold or are to hold a copy of these objects, and which copy. An extent serves
/// the copy it was written for, and every copy whose layout names it.
async fn elsewhere(
    on: &mut PgConnection,
    source: MediumId,
    objects: &[Uuid],
    users: &BTreeMap<Uuid, Vec<Copy>>,
) -> std::result::Result<BTreeMap<Uuid, BTreeSet<(i16, MediumId)>>, Stop> {
    let mut found: BTreeMap<Uuid, BTreeSet<(i16, MediumId)>> = BTreeMap::new();
    let written = sqlx::query!(
        "SELECT object_id, copy_no, medium FROM extent
          WHERE object_id = ANY ($1) AND state <> 'orphan' AND medium <> $2",
        objects,
        source.0
    )
    .fetch_all(&mut *on)
    .await?;
    for one in written {
        found
            .entry(one.object_id)
            .or_default()
            .insert((one.copy_no, MediumId(one.medium)));
    }
    // Those of the page lie on the source: the server hashes them once and leaves them out.
    let here: Vec<Uuid> = users.keys().copied().collect();
    let named = sqlx::query!(
        "SELECT object_id, copy_no, extent FROM layout WHERE object_id = ANY ($1) AND extent NOT IN (SELECT unnest($2::uuid[]))",
        objects,
        &here
    )
    .fetch_all(&mut *on)
    .await?;
    if named.is_empty() {
        return Ok(found);
    }
    let extents: Vec<Uuid> = named.iter().map(|one| one.extent).collect();
    let lie = sqlx::query!("SELECT id, medium FROM extent WHERE id = ANY ($1)", &extents)
        .fetch_all(on)
        .await?;
    let lie: BTreeMap<Uuid, Uuid> = lie.into_iter().map(|one| (one.id, one.medium)).collect();
    for one in named {
        if let Some(medium) = lie.get(&one.extent).filter(|medium| **medium != source.0) {
            found
                .entry(one.object_id)
                .or_default()
                .insert((one.copy_no, MediumId(*medium)));
        }
    }
    Ok(found)
}
