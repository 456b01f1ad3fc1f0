//! Import: what a medium holds becomes known. Every extent found gets a row that holds its bytes for ever; only with
//! `Adopt::Yes`, and only for extents whose bytes were just read, complete copies become referenced. Never makes a
//! newer version of a known object, undoes a delete or changes a layout.

use super::codec::{inode_to_sql, stamp};
use super::events::append;
use super::records::DigestColumns;
use super::retry::{Stop, Tx, repeat};
use super::{PgCatalogue, copy, locks};
use crate::catalogue::{Adopt, CatalogueError, Found, Imported, Result};
use crate::model::{ByteCount, CopyNo, ExtentId, Generation, MediumId, Object, ObjectId, Oid};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// From here on COPY is worth its connection.
const COPY_FROM: usize = 1_000;

/// Adds what a medium holds.
pub(super) async fn import(
    catalogue: &PgCatalogue,
    medium: MediumId,
    found: Vec<Found>,
    adopt: Adopt,
    now: Timestamp,
) -> Result<Imported> {
    let everything: Vec<&Found> = found.iter().collect();
    let batch = if found.len() >= COPY_FROM {
        Some(copy::stage(catalogue, &everything).await?)
    } else {
        None
    };
    Ok(repeat!(catalogue, "import", tx => {
        let mut imported = Imported::default();
        let row = locks::media(tx.on(), &BTreeSet::from([medium])).await?.remove(&medium);
        let row = row.expect("a locked medium was found");
        let sorted = sort(tx.on(), medium, row.generation, &found).await?;
        imported.known = sorted.known.len() as u64;
        insert(&mut tx, medium, row.generation, &sorted.new, batch, now).await?;
        let chosen = match adopt {
            Adopt::No => Adoption::default(),
            Adopt::Yes => Adoption::choose(tx.on(), medium, &sorted, now).await?,
        };
        chosen.write(tx.on(), medium, now).await?;
        count(tx.on(), &sorted, &chosen, &mut imported).await?;
        append(tx.on(), now, "medium.imported", &row.name, json!(imported)).await?;
        tx.commit().await?;
        imported
    }))
}

/// What was found, by what the catalogue knows of it.
#[derive(Default)]
struct Sorted<'a> {
    /// At this place already.
    known: Vec<&'a Found>,
    /// Of those, the ones that an earlier import left unreferenced.
    waiting: Vec<&'a Found>,
    /// Rows to be made.
    new: Vec<&'a Found>,
}

/// An extent id that lives elsewhere, or an address that has another extent, is left alone: a copied medium proves
/// nothing.
async fn sort<'a>(
    on: &mut PgConnection,
    medium: MediumId,
    generation: Generation,
    found: &'a [Found],
) -> std::result::Result<Sorted<'a>, Stop> {
    let ids: Vec<Uuid> = found.iter().map(|one| one.extent.0).collect();
    let addresses: Vec<String> = found.iter().map(|one| one.address.0.clone()).collect();
    let rows = sqlx::query!(
        r#"SELECT id, medium = $1 AND generation = $2 AS "here!", address,
                  state = 'orphan' AND hold_forever AS "waiting!" FROM extent
            WHERE id = ANY ($3) OR (medium = $1 AND generation = $2 AND address = ANY ($4))"#,
        medium.0,
        generation.0,
        &ids,
        &addresses
    )
    .fetch_all(on)
    .await?;
    let by_id: BTreeMap<Uuid, _> = rows.iter().map(|row| (row.id, row)).collect();
    let mut taken: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row.here)
        .map(|row| row.address.as_str())
        .collect();
    let mut seen: BTreeSet<ExtentId> = BTreeSet::new();
    let mut sorted = Sorted::default();
    for one in found {
        if !seen.insert(one.extent) {
            continue;
        }
        match by_id.get(&one.extent.0) {
            Some(row) if row.here && row.address == one.address.0 => {
                sorted.known.push(one);
                if row.waiting {
                    sorted.waiting.push(one);
                }
            }
            Some(_) => {}
            None if taken.insert(&one.address.0) => sorted.new.push(one),
            None => {}
        }
    }
    Ok(sorted)
}

/// Makes rows that nothing references and that hold their bytes for ever.
async fn insert(
    tx: &mut Tx<'_>,
    medium: MediumId,
    generation: Generation,
    new: &[&Found],
    batch: Option<Uuid>,
    now: Timestamp,
) -> std::result::Result<(), Stop> {
    let Some(batch) = batch else {
        return insert_directly(tx.on(), medium, generation, new, now).await;
    };
    let ids: Vec<Uuid> = new.iter().map(|one| one.extent.0).collect();
    let inserted = sqlx::query!(
        "INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             blake3, crc32, chunk_crcs, inode, indexed, hold_forever, created_at)
         SELECT DISTINCT ON (s.extent) s.extent, 'orphan', s.object_id, s.oid, s.version, s.copy_no, s.index, $2, $3,
                s.address, s.bytes, s.blake3, s.crc32, s.chunk_crcs, s.inode, true, true, $4::timestamptz
           FROM import_staging s JOIN unnest($5::uuid[]) AS n (id) ON n.id = s.extent
          WHERE s.batch = $1 ORDER BY s.extent, s.position",
        batch,
        medium.0,
        generation.0,
        stamp(now) as _,
        &ids
    )
    .execute(tx.on())
    .await?;
    if inserted.rows_affected() != ids.len() as u64 {
        // The staging table is UNLOGGED: a crash of the server empties it.
        let why = format!(
            "{} of {} staged rows are left; import again",
            inserted.rows_affected(),
            ids.len()
        );
        return Err(CatalogueError::Unavailable(why).into());
    }
    sqlx::query!("DELETE FROM import_staging WHERE batch = $1", batch)
        .execute(tx.on())
        .await?;
    Ok(())
}

async fn insert_directly(
    on: &mut PgConnection,
    medium: MediumId,
    generation: Generation,
    new: &[&Found],
    now: Timestamp,
) -> std::result::Result<(), Stop> {
    let digests: Vec<DigestColumns> = new.iter().map(|one| DigestColumns::from(Some(&one.digests))).collect();
    let id: Vec<Uuid> = new.iter().map(|one| one.extent.0).collect();
    let object: Vec<Uuid> = new.iter().map(|one| one.origin.object.0).collect();
    let oid: Vec<String> = new.iter().map(|one| one.origin.oid.as_str().to_owned()).collect();
    let version: Vec<i32> = new.iter().map(|one| one.origin.version.0).collect();
    let copy: Vec<i16> = new.iter().map(|one| one.origin.copy.0).collect();
    let index: Vec<i32> = new.iter().map(|one| one.origin.index.0).collect();
    let address: Vec<String> = new.iter().map(|one| one.address.0.clone()).collect();
    let bytes: Vec<i64> = new.iter().map(|one| one.digests.bytes.as_i64()).collect();
    let blake3: Vec<Option<Vec<u8>>> = digests.iter().map(|one| one.blake3.clone()).collect();
    let crc32: Vec<Option<i64>> = digests.iter().map(|one| one.crc32).collect();
    let chunks: Vec<Option<Vec<u8>>> = digests.iter().map(|one| one.chunk_crcs.clone()).collect();
    let inode: Vec<Option<i64>> = new.iter().map(|one| inode_to_sql(one.inode)).collect();
    sqlx::query!(
        "INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             blake3, crc32, chunk_crcs, inode, indexed, hold_forever, created_at)
         SELECT n.id, 'orphan', n.object_id, n.oid, n.version, n.copy_no, n.index, $1, $2, n.address, n.bytes,
                n.blake3, n.crc32, n.chunk_crcs, n.inode, true, true, $3::timestamptz
           FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::int[], $8::smallint[], $9::int[], $10::text[],
                       $11::bigint[], $12::bytea[], $13::bigint[], $14::bytea[], $15::bigint[])
             AS n (id, object_id, oid, version, copy_no, index, address, bytes, blake3, crc32, chunk_crcs, inode)",
        medium.0,
        generation.0,
        stamp(now) as _,
        &id,
        &object,
        &oid,
        &version,
        &copy,
        &index,
        &address,
        &bytes,
        &blake3 as _,
        &crc32 as _,
        &chunks as _,
        &inode as _
    )
    .execute(on)
    .await?;
    Ok(())
}

/// What the catalogue knows of an object id.
struct KnownObject {
    purged: bool,
    copies: i16,
    /// Copies that have a layout, and the media of pending and *sync* extents of any copy.
    present: BTreeSet<i16>,
    media: BTreeSet<MediumId>,
}

/// Copies to be referenced, and objects to be made for them.
#[derive(Default)]
struct Adoption<'a> {
    objects: Vec<Object>,
    copies: Vec<(ObjectId, CopyNo, Vec<&'a Found>)>,
    clashes: BTreeSet<Oid>,
    objects_known: BTreeSet<ObjectId>,
}

impl<'a> Adoption<'a> {
    async fn choose(
        on: &mut PgConnection,
        medium: MediumId,
        sorted: &Sorted<'a>,
        now: Timestamp,
    ) -> std::result::Result<Self, Stop> {
        let mut adoption = Self::default();
        let complete = complete_copies(sorted);
        let ids: Vec<Uuid> = complete.keys().map(|(object, _)| object.0).collect();
        locks::objects(on, &ids).await?;
        let known = known_objects(on, &ids).await?;
        let oids: Vec<String> = complete
            .values()
            .map(|copy| copy[0].origin.oid.as_str().to_owned())
            .collect();
        let mut names = highest_versions(on, &oids).await?;
        // Highest version first: whatever comes after it for the same name is superseded.
        let mut order: Vec<(&(ObjectId, CopyNo), &Vec<&'a Found>)> = complete.iter().collect();
        order.sort_by_key(|((object, copy), extents)| {
            (
                extents[0].origin.oid.clone(),
                std::cmp::Reverse(extents[0].origin.version),
                *object,
                *copy,
            )
        });
        let foreign: BTreeSet<String> = names.keys().cloned().collect();
        let mut used: BTreeSet<ObjectId> = BTreeSet::new();
        for ((object, copy), extents) in order {
            let origin = &extents[0].origin;
            if let Some(facts) = known.get(object) {
                let missing = !facts.purged && !facts.present.contains(&copy.0) && copy.0 < facts.copies;
                // I10, twice over: nor two copies from this one medium.
                if missing && !facts.media.contains(&medium) && used.insert(*object) {
                    adoption.objects_known.insert(*object);
                    adoption.copies.push((*object, *copy, extents.clone()));
                }
                continue;
            }
            if !used.insert(*object) {
                continue;
            }
            let versions = names.entry(origin.oid.as_str().to_owned()).or_default();
            let newest = versions.last().copied();
            let newer_than_known = foreign.contains(origin.oid.as_str()) && newest.is_none_or(|n| n < origin.version.0);
            if newer_than_known || !versions.insert(origin.version.0) {
                adoption.clashes.insert(origin.oid.clone());
                continue;
            }
            let header = &extents[0].header;
            adoption.objects.push(Object {
                id: *object,
                oid: origin.oid.clone(),
                version: origin.version,
                bytes: header.bytes,
                copies: header.copies,
                grouping: header.grouping.clone(),
                metadata: header.metadata.clone(),
                created_at: header.created_at,
                deleted_at: newest.map(|_| now),
            });
            adoption.copies.push((*object, *copy, extents.clone()));
        }
        Ok(adoption)
    }

    async fn write(&self, on: &mut PgConnection, medium: MediumId, now: Timestamp) -> std::result::Result<(), Stop> {
        if self.copies.is_empty() {
            return Ok(());
        }
        super::puts::insert_objects(on, &self.objects).await?;
        let (mut object, mut copy, mut index, mut extent) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut groupings = BTreeSet::new();
        for (id, number, extents) in &self.copies {
            for one in extents {
                object.push(id.0);
                copy.push(number.0);
                index.push(one.origin.index.0);
                extent.push(one.extent.0);
                groupings.extend(one.header.grouping.clone().map(|name| (medium, name)));
            }
        }
        sqlx::query!(
            "INSERT INTO copy (object_id, copy_no, layout_type, params, extents)
             SELECT object_id, copy_no, 'simple', '{}', count(*) FROM unnest($1::uuid[], $2::smallint[])
                 AS p (object_id, copy_no) GROUP BY object_id, copy_no
             ON CONFLICT (object_id, copy_no) DO UPDATE SET extents = excluded.extents",
            &object,
            &copy
        )
        .execute(&mut *on)
        .await?;
        sqlx::query!(
            "UPDATE extent SET state = 'sync', hold_forever = false, verified_at = $2 WHERE id = ANY ($1)",
            &extent,
            stamp(now) as _
        )
        .execute(&mut *on)
        .await?;
        sqlx::query!(
            "INSERT INTO layout (object_id, copy_no, index, extent)
             SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::int[], $4::uuid[])",
            &object,
            &copy,
            &index,
            &extent
        )
        .execute(&mut *on)
        .await?;
        locks::groupings(on, &groupings).await
    }
}

/// Copies of which every extent is here and was read, by object and copy; their extents in order.
fn complete_copies<'a>(sorted: &Sorted<'a>) -> BTreeMap<(ObjectId, CopyNo), Vec<&'a Found>> {
    let mut copies: BTreeMap<(ObjectId, CopyNo), BTreeMap<i32, &'a Found>> = BTreeMap::new();
    for one in sorted
        .new
        .iter()
        .chain(&sorted.waiting)
        .filter(|one| one.read.is_some())
    {
        copies
            .entry((one.origin.object, one.origin.copy))
            .or_default()
            .entry(one.origin.index.0)
            .or_insert(one);
    }
    copies
        .into_iter()
        .map(|(key, extents)| (key, extents.into_values().collect::<Vec<_>>()))
        .filter(|(_, extents)| {
            let header = &extents[0].header;
            let origin = &extents[0].origin;
            extents.iter().zip(0..).all(|(one, index)| {
                one.origin.index.0 == index
                    && one.header == *header
                    && (&one.origin.oid, one.origin.version) == (&origin.oid, origin.version)
            }) && i32::try_from(extents.len()) == Ok(header.copy_extents)
                && extents.iter().map(|one| one.digests.bytes).sum::<ByteCount>() == header.bytes
        })
        .collect()
}

async fn known_objects(
    on: &mut PgConnection,
    ids: &[Uuid],
) -> std::result::Result<BTreeMap<ObjectId, KnownObject>, Stop> {
    let rows = sqlx::query!(
        r#"SELECT o.id, o.purged_at IS NOT NULL AS "purged!", o.copies,
                  ARRAY(SELECT DISTINCT l.copy_no FROM layout l WHERE l.object_id = o.id) AS "present!: Vec<i16>",
                  ARRAY(SELECT e.medium FROM layout l JOIN extent e ON e.id = l.extent WHERE l.object_id = o.id
                        UNION SELECT e.medium FROM extent e WHERE e.object_id = o.id AND e.state <> 'orphan')
                    AS "media!: Vec<Uuid>"
             FROM object o WHERE o.id = ANY ($1)"#,
        ids
    )
    .fetch_all(on)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let facts = KnownObject {
                purged: row.purged,
                copies: row.copies,
                present: row.present.into_iter().collect(),
                media: row.media.into_iter().map(MediumId).collect(),
            };
            (ObjectId(row.id), facts)
        })
        .collect())
}

/// Every version of these names that the catalogue has or had.
async fn highest_versions(
    on: &mut PgConnection,
    oids: &[String],
) -> std::result::Result<BTreeMap<String, BTreeSet<i32>>, Stop> {
    let rows = sqlx::query!("SELECT oid, version FROM object WHERE oid = ANY ($1)", oids)
        .fetch_all(on)
        .await?;
    let mut names: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for row in rows {
        names.entry(row.oid).or_default().insert(row.version);
    }
    Ok(names)
}

async fn count(
    on: &mut PgConnection,
    sorted: &Sorted<'_>,
    chosen: &Adoption<'_>,
    imported: &mut Imported,
) -> std::result::Result<(), Stop> {
    let adopted: BTreeSet<ExtentId> = chosen
        .copies
        .iter()
        .flat_map(|(_, _, extents)| extents.iter().map(|one| one.extent))
        .collect();
    imported.added = sorted.new.iter().filter(|one| !adopted.contains(&one.extent)).count() as u64;
    imported.objects_adopted = chosen.objects.len() as u64;
    imported.copies_adopted = chosen.objects_known.len() as u64;
    let left: Vec<&Found> = sorted
        .new
        .iter()
        .chain(&sorted.waiting)
        .filter(|one| !adopted.contains(&one.extent))
        .copied()
        .collect();
    let ids: Vec<Uuid> = left.iter().map(|one| one.origin.object.0).collect();
    let known: BTreeSet<Uuid> = sqlx::query_scalar!("SELECT id FROM object WHERE id = ANY ($1)", &ids)
        .fetch_all(&mut *on)
        .await?
        .into_iter()
        .collect();
    let strangers: Vec<&&Found> = left
        .iter()
        .filter(|one| !known.contains(&one.origin.object.0))
        .collect();
    imported.unknown = strangers.len() as u64;
    let oids: Vec<String> = strangers.iter().map(|one| one.origin.oid.as_str().to_owned()).collect();
    let taken = highest_versions(on, &oids).await?;
    let mut clashes = chosen.clashes.clone();
    for one in strangers {
        if taken
            .get(one.origin.oid.as_str())
            .is_some_and(|versions| versions.contains(&one.origin.version.0))
        {
            clashes.insert(one.origin.oid.clone());
        }
    }
    imported.clashes = clashes.into_iter().collect();
    Ok(())
}
