//! LTFS volumes of other software: one transaction makes the medium and an object of every file, in pieces of a bounded
//! number of rows. Nothing of it is seen before all of it is.

use super::PgCatalogue;
use super::codec::{Stamp, span_to_sql, stamp, word};
use super::events::append;
use super::records::{DigestColumns, KnownDigests};
use super::retry::{Stop, Tx, reading, repeat};
use super::{codec, locks, media};
use crate::catalogue::{NewFile, NewVolume, Result, VolumeAdopted};
use crate::model::{ByteCount, Digested, ExtentId, KnownHash, MediumId, Metadata, ObjectId, Oid, Version};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::{Json, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// How many files are sent at once: their rows are in memory a second time meanwhile.
const AT_ONCE: usize = 5_000;

/// Makes a medium and its objects.
pub(super) async fn adopt(catalogue: &PgCatalogue, volume: &NewVolume, now: Timestamp) -> Result<VolumeAdopted> {
    let twice = volume.named_twice();
    Ok(repeat!(catalogue, "adopt_volume", tx => {
        let (mut clashes, mut ended) = (BTreeSet::from_iter(twice.iter().cloned()), BTreeMap::new());
        for part in volume.files.chunks(AT_ONCE) {
            for (oid, newest) in known_names(tx.on(), part).await? {
                match newest {
                    Newest::Live => {
                        clashes.insert(oid);
                    }
                    Newest::Ended(version) => {
                        ended.insert(oid, version);
                    }
                }
            }
        }
        if clashes.is_empty() {
            insert_medium(&mut tx, volume, now).await?;
            for part in volume.files.chunks(AT_ONCE) {
                insert_files(tx.on(), volume.medium.id, &columns(part, &ended), now).await?;
            }
            let detail = json!({ "id": volume.medium.id, "objects": volume.files.len() });
            append(tx.on(), now, "medium.volume_imported", &volume.medium.name, detail).await?;
            let medium = media::fetch(tx.on(), volume.medium.id).await?;
            tx.commit().await?;
            VolumeAdopted::Added(Box::new(medium))
        } else {
            VolumeAdopted::Clashes(clashes.into_iter().collect())
        }
    }))
}

/// The newest version that a name has.
enum Newest {
    /// One is live.
    Live,
    /// All have ended.
    Ended(Version),
}

/// Which of their names the catalogue knows.
async fn known_names(on: &mut PgConnection, files: &[NewFile]) -> std::result::Result<Vec<(Oid, Newest)>, Stop> {
    let oids: Vec<String> = files.iter().map(|file| file.oid.as_str().to_owned()).collect();
    let rows = sqlx::query!(
        r#"SELECT oid, max(version) AS "version!", bool_or(deleted_at IS NULL) AS "live!"
             FROM object WHERE oid = ANY ($1) GROUP BY oid"#,
        &oids
    )
    .fetch_all(on)
    .await?;
    let known = rows.into_iter().map(|row| {
        let newest = match row.live {
            true => Newest::Live,
            false => Newest::Ended(Version(row.version)),
        };
        Ok((codec::oid(row.oid)?, newest))
    });
    Ok(known.collect::<Result<_>>()?)
}

async fn insert_medium(tx: &mut Tx<'_>, volume: &NewVolume, now: Timestamp) -> std::result::Result<(), Stop> {
    let medium = &volume.medium;
    let tags: Vec<String> = medium.tags.iter().cloned().collect();
    // Nobody but the import makes it *read_only*: erased, it takes extents.
    let added = sqlx::query!(
        "INSERT INTO medium (id, name, family, technology, format, path, dock, library, tags, class, adm_state,
                             operator_state, locked, health, presence, fs_state, generation, capacity, created_at)
         VALUES ($1, $2, ($3::text)::family, $4, 'ltfs', $5, $6, $7, $8, $9, 'read_only', 'in_service', false, 'ok',
                 'near', 'used', 0, $10, $11) ON CONFLICT DO NOTHING",
        medium.id.0,
        medium.name,
        medium.family.as_str(),
        medium.technology,
        medium.location.path,
        medium.location.dock,
        medium.location.library,
        &tags,
        medium.class,
        medium.capacity.map(ByteCount::as_i64),
        stamp(now) as _
    )
    .execute(tx.on())
    .await?;
    match added.rows_affected() {
        0 => Err(media::exists(tx.on(), medium).await?.into()),
        _ => Ok(()),
    }
}

/// Columns of objects and of their extents, which have their ids in common places.
#[derive(Default)]
struct Columns<'f> {
    object: Vec<Uuid>,
    extent: Vec<Uuid>,
    oid: Vec<&'f str>,
    version: Vec<i32>,
    bytes: Vec<i64>,
    metadata: Vec<Json<&'f Metadata>>,
    address: Vec<&'f str>,
    span: Vec<Option<String>>,
    blake3: Vec<Option<Vec<u8>>>,
    crc32: Vec<Option<i64>>,
    chunk_crcs: Vec<Option<Vec<u8>>>,
    hashes: Hashes<'f>,
}

/// Columns of what other software said of extents.
#[derive(Default)]
struct Hashes<'f> {
    extent: Vec<Uuid>,
    algorithm: Vec<&'static str>,
    value: Vec<&'f str>,
}

/// A name whose versions have all ended gets the next one.
fn columns<'f>(files: &'f [NewFile], ended: &BTreeMap<Oid, Version>) -> Columns<'f> {
    let mut columns = Columns::default();
    for file in files {
        let extent = ExtentId::fresh();
        let digests = DigestColumns::from(file.digests().as_ref());
        columns.object.push(ObjectId::fresh().0);
        columns.extent.push(extent.0);
        columns.oid.push(file.oid.as_str());
        columns
            .version
            .push(ended.get(&file.oid).map_or(1, |newest| newest.0 + 1));
        columns.bytes.push(file.bytes.as_i64());
        columns.metadata.push(Json(&file.metadata));
        columns.address.push(&file.address.0);
        columns.span.push(span_to_sql(file.span.as_ref()));
        columns.blake3.push(digests.blake3);
        columns.crc32.push(digests.crc32);
        columns.chunk_crcs.push(digests.chunk_crcs);
        for hash in file.hashes() {
            columns.hashes.extent.push(extent.0);
            columns.hashes.algorithm.push(hash.algorithm.as_str());
            columns.hashes.value.push(&hash.value);
        }
    }
    columns
}

async fn insert_files(
    on: &mut PgConnection,
    medium: MediumId,
    columns: &Columns<'_>,
    now: Timestamp,
) -> std::result::Result<(), Stop> {
    insert_objects(on, columns, stamp(now)).await?;
    insert_extents(on, medium, columns, stamp(now)).await?;
    sqlx::query!(
        "INSERT INTO extent_hash (extent, algorithm, value)
         SELECT h.extent, h.algorithm::hash_algorithm, h.value
           FROM unnest($1::uuid[], $2::text[], $3::text[]) AS h (extent, algorithm, value)",
        &columns.hashes.extent,
        &columns.hashes.algorithm as _,
        &columns.hashes.value as _
    )
    .execute(&mut *on)
    .await?;
    sqlx::query!(
        "INSERT INTO layout (object_id, copy_no, index, extent)
         SELECT n.object, 0, 0, n.extent FROM unnest($1::uuid[], $2::uuid[]) AS n (object, extent)",
        &columns.object,
        &columns.extent
    )
    .execute(on)
    .await?;
    Ok(())
}

/// A put that came between has made a version of the name, or a live one, which the database refuses: then the transaction
/// is repeated, and finds the clash.
async fn insert_objects(on: &mut PgConnection, columns: &Columns<'_>, now: Stamp) -> std::result::Result<(), Stop> {
    sqlx::query!(
        "INSERT INTO object (id, oid, version, bytes, copies, metadata, created_at)
         SELECT n.id, n.oid, n.version, n.bytes, 1, n.metadata, $6::timestamptz
           FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[], $5::jsonb[]) AS n (id, oid, version, bytes, metadata)",
        &columns.object,
        &columns.oid as _,
        &columns.version,
        &columns.bytes,
        &columns.metadata as _,
        now as _
    )
    .execute(&mut *on)
    .await?;
    sqlx::query!(
        "INSERT INTO copy (object_id, copy_no, layout_type, params, extents)
         SELECT n.id, 0, 'simple', '{}', 1 FROM unnest($1::uuid[]) AS n (id)",
        &columns.object
    )
    .execute(on)
    .await?;
    Ok(())
}

async fn insert_extents(
    on: &mut PgConnection,
    medium: MediumId,
    columns: &Columns<'_>,
    now: Stamp,
) -> std::result::Result<(), Stop> {
    sqlx::query!(
        "INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             blake3, crc32, chunk_crcs, span, created_at)
         SELECT n.id, 'sync', n.object, n.oid, n.version, 0, 0, $1, 0, n.address, n.bytes, n.blake3, n.crc32,
                n.chunk_crcs, n.span, $2::timestamptz
           FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::int[], $7::text[], $8::bigint[], $9::bytea[],
                       $10::bigint[], $11::bytea[], $12::text[])
             AS n (id, object, oid, version, address, bytes, blake3, crc32, chunk_crcs, span)",
        medium.0,
        now as _,
        &columns.extent,
        &columns.object,
        &columns.oid as _,
        &columns.version,
        &columns.address as _,
        &columns.bytes,
        &columns.blake3 as _,
        &columns.crc32 as _,
        &columns.chunk_crcs as _,
        &columns.span as _
    )
    .execute(on)
    .await?;
    Ok(())
}

/// What other software said of extents that nobody read.
pub(super) async fn known_hashes(
    catalogue: &PgCatalogue,
    extents: &[ExtentId],
) -> Result<BTreeMap<ExtentId, Vec<KnownHash>>> {
    let ids: Vec<Uuid> = extents.iter().map(|id| id.0).collect();
    Ok(reading!(catalogue, conn => { hashes_of(conn, &ids).await? }))
}

/// The same inside a transaction.
pub(super) async fn hashes_of(
    on: &mut PgConnection,
    ids: &[Uuid],
) -> std::result::Result<BTreeMap<ExtentId, Vec<KnownHash>>, Stop> {
    let rows = sqlx::query!(
        r#"SELECT h.extent, h.algorithm::text AS "algorithm!", h.value FROM extent_hash h
            WHERE h.extent = ANY ($1) AND EXISTS
                  (SELECT FROM extent e WHERE e.id = h.extent AND e.blake3 IS NULL) ORDER BY h.extent, h.algorithm"#,
        ids
    )
    .fetch_all(on)
    .await?;
    let mut known: BTreeMap<ExtentId, Vec<KnownHash>> = BTreeMap::new();
    for row in rows {
        known.entry(ExtentId(row.extent)).or_default().push(KnownHash {
            algorithm: word(&row.algorithm)?,
            value: row.value,
        });
    }
    Ok(known)
}

/// Notes what imported extents digest to.
pub(super) async fn note_digests(
    catalogue: &PgCatalogue,
    medium: MediumId,
    digested: &[Digested],
    now: Timestamp,
) -> Result<u64> {
    let ids: Vec<Uuid> = digested.iter().map(|one| one.extent().0).collect();
    Ok(repeat!(catalogue, "note_digests", tx => {
        locks::extents(tx.on(), &ids).await?;
        let live: BTreeSet<Uuid> = sqlx::query_scalar!(
            "SELECT id FROM extent WHERE id = ANY ($1) AND medium = $2 AND state = 'sync'",
            &ids,
            medium.0
        )
        .fetch_all(tx.on())
        .await?
        .into_iter()
        .collect();
        let mut known = KnownDigests::default();
        for one in digested.iter().filter(|one| live.contains(&one.extent().0)) {
            known.push(one.extent(), one.digests());
        }
        let noted = known.note(tx.on()).await?;
        sqlx::query!(
            "UPDATE extent SET verified_at = $2 WHERE id = ANY ($1)",
            &noted,
            stamp(now) as _
        )
        .execute(tx.on())
        .await?;
        tx.commit().await?;
        noted.len() as u64
    }))
}
