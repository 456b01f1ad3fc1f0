//! Puts: pending rows before the first byte, then one transaction that makes a whole batch of objects visible.

use super::PgCatalogue;
use super::codec::{Stamp, kept, stamp, to_json};
use super::events::append;
use super::locks;
use super::records::{self, SyncColumns};
use super::retry::{Stop, repeat};
use crate::catalogue::{CatalogueError, NewObject, Overwrite, Result};
use crate::model::object::Place;
use crate::model::{
    ByteCount, Epoch, ExtentId, Hold, MediumId, NewExtent, Object, ObjectId, Owner, Recorded, SessionId, Synced,
    Version,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// Inserts the pending extents of a stream of puts.
pub(super) async fn record(
    catalogue: &PgCatalogue,
    session: SessionId,
    extents: Vec<NewExtent>,
    epochs: &BTreeMap<MediumId, Epoch>,
    now: Timestamp,
) -> Result<Vec<Recorded>> {
    let owner = Owner::Put(session);
    repeat!(catalogue, "record_put", tx => {
        records::lock_targets(tx.on(), &extents, epochs).await?;
        records::insert_pending(tx.on(), &extents, owner, epochs, now).await?;
        tx.commit().await?
    });
    Ok(records::recorded(extents, owner, epochs))
}

/// Makes objects visible.
pub(super) async fn commit(
    catalogue: &PgCatalogue,
    objects: Vec<NewObject>,
    now: Timestamp,
) -> Result<Vec<Result<Object>>> {
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    Ok(repeat!(catalogue, "commit_put", tx => {
        let answers = commit_once(tx.on(), &objects, now).await?;
        tx.commit().await?;
        answers
    }))
}

/// A name's versions while a batch is decided: those there were, then those the batch itself adds.
#[derive(Default)]
struct Name {
    highest: i32,
    live: Option<ObjectId>,
}

/// What the batch will write.
#[derive(Default)]
struct Batch {
    rows: Vec<Object>,
    /// Versions of earlier batches that end.
    superseded: Vec<(Uuid, Stamp)>,
    synced: SyncColumns,
    layouts: Layouts,
    groupings: BTreeSet<(MediumId, String)>,
    orphans: Vec<Uuid>,
}

#[derive(Default)]
struct Layouts {
    object: Vec<Uuid>,
    copy: Vec<i16>,
    index: Vec<i32>,
    extent: Vec<Uuid>,
}

async fn commit_once(
    on: &mut PgConnection,
    objects: &[NewObject],
    now: Timestamp,
) -> std::result::Result<Vec<Result<Object>>, Stop> {
    let mut epochs = BTreeSet::new();
    let mut extents: Vec<Uuid> = Vec::new();
    for (_, synced) in objects.iter().flat_map(|object| &object.places) {
        epochs.insert((synced.extent().medium, synced.epoch()));
        extents.push(synced.extent().id.0);
    }
    let lost = locks::lost_leases(on, &epochs).await?;
    locks::media(on, &epochs.iter().map(|(medium, _)| *medium).collect()).await?;
    let mut names = lock_names(on, objects).await?;
    let known = known_objects(on, objects).await?;
    let pending = records::lock_pending(on, &extents).await?;

    let mut batch = Batch::default();
    let mut answers = Vec::new();
    for new in objects {
        // Not ours to touch any more: what it left pending is swept.
        let over = |place: &(Place, Synced)| lost.contains(&(place.1.extent().medium, place.1.epoch()));
        if let Some((_, synced)) = new.places.iter().find(|place| over(place)) {
            answers.push(Err(locks::lease_lost(synced.extent().medium)));
            continue;
        }
        let name = names.entry(new.object.oid.as_str().to_owned()).or_default();
        let ours = |extent: ExtentId, owner: Owner, epoch: Epoch| {
            pending
                .get(&extent)
                .is_some_and(|row| row.pending && row.owner == Some(owner) && row.epoch == Some(epoch))
        };
        let refused = new.overwrite == Overwrite::Refuse && name.live.is_some();
        let verdict = if refused || known.contains(&new.object.id) {
            Err(exists(new))
        } else {
            whole(new, ours).and_then(|()| named_so(new, Version(name.highest + 1)))
        };
        answers.push(match verdict {
            Ok(()) => Ok(batch.add(new, name)),
            Err(error) => {
                // Only what is still this put's own: a foreign or finished extent is not touched.
                let own = new
                    .places
                    .iter()
                    .filter(|(_, synced)| ours(synced.extent().id, synced.owner(), synced.epoch()));
                batch.orphans.extend(own.map(|(_, synced)| synced.extent().id.0));
                Err(error)
            }
        });
    }
    batch.write(on, now).await?;
    Ok(answers)
}

fn exists(new: &NewObject) -> CatalogueError {
    CatalogueError::Exists {
        what: "object",
        name: new.object.oid.to_string(),
    }
}

/// The versions of every name in the batch, their rows locked by id.
async fn lock_names(on: &mut PgConnection, objects: &[NewObject]) -> std::result::Result<BTreeMap<String, Name>, Stop> {
    let oids: Vec<String> = objects.iter().map(|new| new.object.oid.as_str().to_owned()).collect();
    let ids = sqlx::query_scalar!(
        "SELECT id FROM object WHERE oid = ANY ($1) AND deleted_at IS NULL",
        &oids
    )
    .fetch_all(&mut *on)
    .await?;
    locks::objects(on, &ids).await?;
    let rows = sqlx::query!(
        r#"SELECT oid, max(version) AS "highest!",
                  (array_agg(id) FILTER (WHERE deleted_at IS NULL))[1] AS live
             FROM object WHERE oid = ANY ($1) GROUP BY oid"#,
        &oids
    )
    .fetch_all(on)
    .await?;
    let name = |row: Option<Uuid>| row.map(ObjectId);
    Ok(rows
        .into_iter()
        .map(|row| {
            (
                row.oid,
                Name {
                    highest: row.highest,
                    live: name(row.live),
                },
            )
        })
        .collect())
}

async fn known_objects(on: &mut PgConnection, objects: &[NewObject]) -> std::result::Result<BTreeSet<ObjectId>, Stop> {
    let ids: Vec<Uuid> = objects.iter().map(|new| new.object.id.0).collect();
    let known = sqlx::query_scalar!("SELECT id FROM object WHERE id = ANY ($1)", &ids)
        .fetch_all(on)
        .await?;
    Ok(known.into_iter().map(ObjectId).collect())
}

/// Every copy asked for is there, complete, on media of its own, and its extents are still this put's.
fn whole(new: &NewObject, ours: impl Fn(ExtentId, Owner, Epoch) -> bool) -> Result<()> {
    let oid = &new.object.oid;
    let refuse = |why: &str| {
        Err(CatalogueError::Conflict {
            subject: format!("object {oid}"),
            why: why.to_owned(),
        })
    };
    let mut copies: BTreeMap<i16, BTreeMap<i32, ByteCount>> = BTreeMap::new();
    let mut media: BTreeMap<MediumId, i16> = BTreeMap::new();
    for (place, synced) in &new.places {
        if !ours(synced.extent().id, synced.owner(), synced.epoch()) {
            return refuse("one of its extents is not pending any more");
        }
        if *media.entry(synced.extent().medium).or_insert(place.copy.0) != place.copy.0 {
            return Err(CatalogueError::Invariant {
                invariant: "I10",
                detail: format!("two copies of {oid} on one medium"),
            });
        }
        copies
            .entry(place.copy.0)
            .or_default()
            .insert(place.index.0, synced.digests().bytes);
    }
    if copies.len() != usize::try_from(new.object.copies.0).unwrap_or_default() {
        return refuse("a copy is missing");
    }
    for extents in copies.values() {
        let contiguous = extents
            .keys()
            .copied()
            .eq(0..i32::try_from(extents.len()).unwrap_or(i32::MAX));
        if !contiguous || extents.values().copied().sum::<ByteCount>() != new.object.bytes {
            return refuse("a copy is not complete");
        }
    }
    Ok(())
}

/// Every extent fills the place it was written for, under the version its medium names it by: no other can be given.
fn named_so(new: &NewObject, version: Version) -> Result<()> {
    for (place, synced) in &new.places {
        let origin = &synced.extent().origin;
        if (origin.object, origin.copy, origin.index) != (new.object.id, place.copy, place.index) {
            return Err(CatalogueError::Invariant {
                invariant: "I3",
                detail: format!("extent {} was written for another place", synced.extent().id),
            });
        }
        if origin.version != version {
            let named = origin.version;
            return Err(CatalogueError::Conflict {
                subject: format!("object {}", new.object.oid),
                why: format!(
                    "it was written as version {named}, and another put came first: the next one is {version}"
                ),
            });
        }
    }
    Ok(())
}

impl Batch {
    fn add(&mut self, new: &NewObject, name: &mut Name) -> Object {
        let mut object = new.object.clone();
        object.version = Version(name.highest + 1);
        object.created_at = kept(object.created_at);
        object.deleted_at = None;
        if let Some(old) = name.live.replace(object.id) {
            match self.rows.iter_mut().find(|row| row.id == old) {
                Some(row) => row.deleted_at = Some(object.created_at),
                None => self.superseded.push((old.0, stamp(object.created_at))),
            }
        }
        name.highest = object.version.0;
        for (place, synced) in &new.places {
            self.synced.push(synced, Some(object.version.0));
            self.layouts.object.push(object.id.0);
            self.layouts.copy.push(place.copy.0);
            self.layouts.index.push(place.index.0);
            self.layouts.extent.push(synced.extent().id.0);
            if let Some(grouping) = &object.grouping {
                self.groupings.insert((synced.extent().medium, grouping.clone()));
            }
        }
        self.rows.push(object.clone());
        object
    }

    async fn write(&self, on: &mut PgConnection, now: Timestamp) -> std::result::Result<(), Stop> {
        let (old, ends): (Vec<Uuid>, Vec<Stamp>) = self.superseded.iter().copied().unzip();
        sqlx::query!(
            "UPDATE object SET deleted_at = s.at FROM unnest($1::uuid[], $2::timestamptz[]) AS s (id, at)
              WHERE object.id = s.id AND object.deleted_at IS NULL",
            &old,
            &ends as _
        )
        .execute(&mut *on)
        .await?;
        insert_objects(on, &self.rows).await?;
        let layouts = &self.layouts;
        sqlx::query!(
            "INSERT INTO copy (object_id, copy_no, layout_type, params, extents)
             SELECT object_id, copy_no, 'simple', '{}', count(*) FROM unnest($1::uuid[], $2::smallint[])
                 AS p (object_id, copy_no) GROUP BY object_id, copy_no",
            &layouts.object,
            &layouts.copy
        )
        .execute(&mut *on)
        .await?;
        self.synced.apply(on).await?;
        sqlx::query!(
            "INSERT INTO layout (object_id, copy_no, index, extent)
             SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::int[], $4::uuid[])",
            &layouts.object,
            &layouts.copy,
            &layouts.index,
            &layouts.extent
        )
        .execute(&mut *on)
        .await?;
        records::orphan(on, &self.orphans, Hold::None).await?;
        locks::groupings(on, &self.groupings).await?;
        if let Some(first) = self.rows.first() {
            let detail = json!({ "objects": self.rows.len(), "superseded": self.superseded.len() });
            append(on, now, "object.put", first.oid.as_str(), detail).await?;
        }
        Ok(())
    }
}

/// Inserts object rows.
pub(super) async fn insert_objects(on: &mut PgConnection, rows: &[Object]) -> std::result::Result<(), Stop> {
    let id: Vec<Uuid> = rows.iter().map(|row| row.id.0).collect();
    let oid: Vec<String> = rows.iter().map(|row| row.oid.as_str().to_owned()).collect();
    let version: Vec<i32> = rows.iter().map(|row| row.version.0).collect();
    let bytes: Vec<i64> = rows.iter().map(|row| row.bytes.as_i64()).collect();
    let copies: Vec<i16> = rows.iter().map(|row| row.copies.0).collect();
    let grouping: Vec<Option<String>> = rows.iter().map(|row| row.grouping.clone()).collect();
    let metadata: Vec<Value> = rows.iter().map(|row| to_json(&row.metadata)).collect();
    let created: Vec<Stamp> = rows.iter().map(|row| stamp(row.created_at)).collect();
    let deleted: Vec<Option<Stamp>> = rows.iter().map(|row| row.deleted_at.map(stamp)).collect();
    sqlx::query!(
        r#"INSERT INTO object (id, oid, version, bytes, copies, "grouping", metadata, created_at, deleted_at)
           SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[], $5::smallint[], $6::text[],
                                $7::jsonb[], $8::timestamptz[], $9::timestamptz[])"#,
        &id,
        &oid,
        &version,
        &bytes,
        &copies,
        &grouping as _,
        &metadata as _,
        &created as _,
        &deleted as _
    )
    .execute(on)
    .await?;
    Ok(())
}

/// Turns an owner's pending extents into orphans.
pub(super) async fn abandon(catalogue: &PgCatalogue, owner: Owner, only: Option<&[ExtentId]>) -> Result<u64> {
    let (job, session) = match owner {
        Owner::Move(job) => (Some(job.0), None),
        Owner::Put(session) => (None, Some(session.0)),
    };
    let only: Option<Vec<Uuid>> = only.map(|ids| ids.iter().map(|id| id.0).collect());
    Ok(repeat!(catalogue, "abandon", tx => {
        let ids = sqlx::query_scalar!(
            "SELECT id FROM extent WHERE state = 'pending' AND (owner_job = $1 OR owner_session = $2)
                AND ($3::uuid[] IS NULL OR id = ANY ($3)) ORDER BY id FOR UPDATE",
            job, session, only.as_deref()
        )
        .fetch_all(tx.on())
        .await?;
        let changed = records::orphan(tx.on(), &ids, Hold::None).await?;
        drop_moves(tx.on(), &ids).await?;
        tx.commit().await?;
        changed
    }))
}

/// Deletes the rows of extents that nobody began to write.
pub(super) async fn withdraw(catalogue: &PgCatalogue, recorded: &[Recorded]) -> Result<u64> {
    let ids: Vec<Uuid> = recorded.iter().map(|one| one.extent().id.0).collect();
    Ok(repeat!(catalogue, "withdraw", tx => {
        let gone = sqlx::query!(
            "DELETE FROM extent WHERE id IN (SELECT id FROM extent WHERE id = ANY ($1) ORDER BY id FOR UPDATE)
                AND state = 'pending' RETURNING id, object_id",
            &ids
        )
        .fetch_all(tx.on())
        .await?;
        let (ids, objects): (Vec<Uuid>, Vec<Uuid>) = gone.into_iter().map(|row| (row.id, row.object_id)).unzip();
        sqlx::query!("DELETE FROM job_substitution WHERE new_extent = ANY ($1)", &ids)
            .execute(tx.on())
            .await?;
        sqlx::query!("DELETE FROM job_move WHERE new_extent = ANY ($1) AND state = 'recorded'", &ids)
            .execute(tx.on())
            .await?;
        super::objects::forget_tombstones(tx.on(), &objects).await?;
        tx.commit().await?;
        ids.len() as u64
    }))
}

/// Notes that the moves to these extents came to nothing.
pub(super) async fn drop_moves(on: &mut PgConnection, ids: &[Uuid]) -> std::result::Result<(), Stop> {
    sqlx::query!(
        "UPDATE job_move SET state = 'dropped' WHERE new_extent = ANY ($1) AND state = 'recorded'",
        ids
    )
    .execute(on)
    .await?;
    Ok(())
}
