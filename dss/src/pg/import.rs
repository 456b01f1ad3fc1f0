//! Import: what a medium holds becomes known. An extent of a known object gets a row that holds its bytes for ever; only
//! with `Adopt::Yes`, and only for extents whose bytes were just read, whole copies become referenced. Never makes a
//! newer version of a known object, undoes a delete or changes a layout.

use super::codec::{Stamp, inode_to_sql, span, span_to_sql, stamp};
use super::events::append;
use super::extents::strike_unindexed;
use super::records::DigestColumns;
use super::retry::{Stop, Tx, repeat};
use super::{PgCatalogue, copy, locks};
use crate::adoption::{Bytes, Choice, Names, choose, newest};
use crate::catalogue::{Adopt, CatalogueError, Found, Imported, Result};
use crate::model::{
    AdmState, Blake3, ByteCount, CopyNo, ExtentId, ExtentIndex, Generation, MediumId, Object, ObjectId, Oid, Version,
};
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
        Some(catalogue.silence.unless(copy::stage(catalogue, &everything)).await?)
    } else {
        None
    };
    Ok(repeat!(catalogue, "import", tx => {
        let row = locks::media(tx.on(), &BTreeSet::from([medium])).await?.remove(&medium);
        let row = row.expect("a locked medium was found");
        if row.adm_state == AdmState::Erasing {
            return Err(CatalogueError::Fenced { medium, why: "it is erasing".into() }.into());
        }
        let met = meet_known(tx.on(), medium, row.generation, &found).await?;
        let plan = Plan::of(tx.on(), medium, met, adopt).await?;
        insert(&mut tx, medium, row.generation, &plan.rows, batch, now).await?;
        plan.write(tx.on(), medium).await?;
        append(tx.on(), now, "medium.imported", &row.name, json!(plan.imported)).await?;
        tx.commit().await?;
        plan.imported
    }))
}

/// What was found, by what the catalogue knows of it.
struct Met<'a> {
    imported: Imported,
    names: Names,
    /// Without a row.
    new: Vec<&'a Found>,
    /// With one that an import left without a use.
    unused: Vec<&'a Found>,
}

/// Counts what has a row already and lets it gain confidence; the rest. An extent id that lives elsewhere, or an
/// address that has another extent, is left alone: a copied medium proves nothing.
async fn meet_known<'a>(
    on: &mut PgConnection,
    medium: MediumId,
    generation: Generation,
    found: &'a [Found],
) -> std::result::Result<Met<'a>, Stop> {
    let ids: Vec<Uuid> = found.iter().map(|one| one.extent.0).collect();
    let addresses: Vec<String> = found.iter().map(|one| one.address.0.clone()).collect();
    let rows = sqlx::query!(
        r#"SELECT id, medium = $1 AND generation = $2 AS "here!", address, bytes, blake3, span,
                  state = 'orphan' AND hold_forever AND blake3 IS NOT NULL AS "unused!",
                  object_id, oid, version, copy_no, index FROM extent
            WHERE id = ANY ($3) OR (medium = $1 AND generation = $2 AND address = ANY ($4))"#,
        medium.0,
        generation.0,
        &ids,
        &addresses
    )
    .fetch_all(&mut *on)
    .await?;
    let by_id: BTreeMap<Uuid, _> = rows.iter().map(|row| (row.id, row)).collect();
    let mut taken: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row.here)
        .map(|row| row.address.as_str())
        .collect();
    let mut seen: BTreeSet<ExtentId> = BTreeSet::new();
    let (mut known, mut read, mut place) = (Vec::new(), Vec::new(), Vec::new());
    let mut met = Met {
        imported: Imported::default(),
        names: Names::default(),
        new: Vec::new(),
        unused: Vec::new(),
    };
    for one in found {
        let fresh = seen.insert(one.extent);
        let row = by_id.get(&one.extent.0);
        let lies = row.and_then(|row| row.span.as_deref());
        let lies = lies.map(|text| span(one.extent, text)).transpose()?;
        match row {
            Some(row)
                if fresh
                    && row.here
                    && one.is_consistent()
                    && one.may_lie_at(lies.as_ref())
                    && row.address == one.address.0
                    && row.bytes == one.digests.bytes.as_i64()
                    && row
                        .blake3
                        .as_ref()
                        .is_none_or(|known| known[..] == one.digests.blake3.0) =>
            {
                known.push(one.extent.0);
                read.push(one.read.map(stamp));
                place.push(span_to_sql(one.span.as_ref()));
                let origin = &one.origin;
                let same = (row.object_id, row.oid.as_str(), row.version)
                    == (origin.object.0, origin.oid.as_str(), origin.version.0)
                    && (row.copy_no, row.index) == (origin.copy.0, origin.index.0);
                if row.unused && same {
                    met.unused.push(one);
                }
            }
            None if fresh && one.is_consistent() && taken.insert(&one.address.0) => met.new.push(one),
            Some(_) | None => {
                met.imported.unknown += 1;
                met.names.unadopted.insert(one.origin.oid.clone());
            }
        }
    }
    met.imported.known = known.len() as u64;
    sqlx::query!(
        "UPDATE extent SET verified_at = greatest(verified_at, k.read), span = coalesce(extent.span, k.span)
           FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS k (id, read, span)
          WHERE extent.id = k.id AND (k.read > verified_at OR k.read IS NOT NULL AND verified_at IS NULL
                OR k.span IS NOT NULL AND extent.span IS NULL AND state <> 'pending')",
        &known,
        &read as _,
        &place as _
    )
    .execute(&mut *on)
    .await?;
    // The medium's index names them, whether or not that was known: before any object is locked, as whoever forgets them
    // does.
    strike_unindexed(on, medium, &known).await?;
    Ok(met)
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
    let read: Vec<Option<Stamp>> = new.iter().map(|one| one.read.map(stamp)).collect();
    let inserted = sqlx::query!(
        "INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             blake3, crc32, chunk_crcs, inode, span, hold_forever, verified_at, created_at)
         SELECT DISTINCT ON (s.extent) s.extent, 'orphan', s.object_id, s.oid, s.version, s.copy_no, s.index, $2, $3,
                s.address, s.bytes, s.blake3, s.crc32, s.chunk_crcs, s.inode, s.span, true, n.read, $4::timestamptz
           FROM import_staging s JOIN unnest($5::uuid[], $6::timestamptz[]) AS n (id, read) ON n.id = s.extent
          WHERE s.batch = $1 ORDER BY s.extent, s.position",
        batch,
        medium.0,
        generation.0,
        stamp(now) as _,
        &ids,
        &read as _
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
    sqlx::query!(
        "DELETE FROM import_staging WHERE batch = $1 OR batch < $2",
        batch,
        copy::abandoned_before(batch)
    )
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
    let read: Vec<Option<Stamp>> = new.iter().map(|one| one.read.map(stamp)).collect();
    let inode: Vec<Option<i64>> = new.iter().map(|one| inode_to_sql(one.inode)).collect();
    let place: Vec<Option<String>> = new.iter().map(|one| span_to_sql(one.span.as_ref())).collect();
    sqlx::query!(
        "INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             blake3, crc32, chunk_crcs, inode, span, hold_forever, verified_at, created_at)
         SELECT n.id, 'orphan', n.object_id, n.oid, n.version, n.copy_no, n.index, $1, $2, n.address, n.bytes,
                n.blake3, n.crc32, n.chunk_crcs, n.inode, n.span, true, n.read, $3::timestamptz
           FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::int[], $8::smallint[], $9::int[], $10::text[],
                       $11::bigint[], $12::bytea[], $13::bigint[], $14::bytea[], $15::bigint[], $16::text[],
                       $17::timestamptz[])
             AS n (id, object_id, oid, version, copy_no, index, address, bytes, blake3, crc32, chunk_crcs, inode, span,
                   read)",
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
        &inode as _,
        &place as _,
        &read as _
    )
    .execute(on)
    .await?;
    Ok(())
}

/// What the catalogue knows of an object id.
struct KnownObject {
    oid: String,
    version: i32,
    deleted: bool,
    header: (ByteCount, CopyNo),
    /// Copies that have a layout, and the media of pending and *sync* extents of any copy.
    present: BTreeSet<i16>,
    media: BTreeSet<MediumId>,
    /// The bytes on record of extents that are in use or were verified.
    bytes: BTreeMap<CopyNo, BTreeMap<ExtentIndex, Bytes>>,
}

/// What was found of one object.
#[derive(Default)]
struct Group<'a> {
    new: BTreeMap<CopyNo, Vec<&'a Found>>,
    unused: BTreeMap<CopyNo, Vec<&'a Found>>,
}

impl Group<'_> {
    /// When the version was made, by its newest extent.
    fn made_at(&self) -> Option<Timestamp> {
        let all = self.new.values().chain(self.unused.values()).flatten();
        all.max_by_key(|one| one.extent).map(|one| one.header.created_at)
    }
}

/// What becomes of what was found.
#[derive(Default)]
struct Plan<'a> {
    imported: Imported,
    names: Names,
    /// All that get a row.
    rows: Vec<&'a Found>,
    /// The copies to be referenced, of those and of unused ones, and the objects to be made for them.
    copies: Vec<(ObjectId, CopyNo, Vec<&'a Found>)>,
    objects: Vec<Object>,
    /// Live versions that a newer one found here overwrote.
    superseded: Vec<(Uuid, Timestamp)>,
}

impl<'a> Plan<'a> {
    async fn of(
        on: &mut PgConnection,
        medium: MediumId,
        met: Met<'a>,
        adopt: Adopt,
    ) -> std::result::Result<Self, Stop> {
        let mut plan = Self {
            imported: met.imported,
            names: met.names,
            ..Self::default()
        };
        // By version, so that the newest one found is the live one, whatever order the medium has.
        let mut groups: BTreeMap<(&Oid, Version, ObjectId), Group<'a>> = BTreeMap::new();
        let key = |one: &'a Found| (&one.origin.oid, one.origin.version, one.origin.object);
        for one in met.new {
            let copies = &mut groups.entry(key(one)).or_default().new;
            copies.entry(one.origin.copy).or_default().push(one);
        }
        if adopt.adopts() {
            for one in met.unused {
                let copies = &mut groups.entry(key(one)).or_default().unused;
                copies.entry(one.origin.copy).or_default().push(one);
            }
        }
        let ids: Vec<Uuid> = groups.keys().map(|(_, _, object)| object.0).collect();
        locks::objects(on, &ids).await?;
        let known = known_objects(on, &ids).await?;
        let oids: Vec<String> = groups.keys().map(|(oid, _, _)| oid.as_str().to_owned()).collect();
        let mut names = versions_of(on, &oids).await?;
        for ((oid, version, object), group) in groups {
            let name = names.entry(oid.as_str().to_owned()).or_default();
            let made = group.made_at();
            let taken = name.contains_key(&version.0)
                || name
                    .iter()
                    .any(|(known, row)| *known < version.0 && row.refuses_newer(adopt, made));
            match known.get(&object) {
                Some(row) if (row.oid.as_str(), row.version) == (oid.as_str(), version.0) => {
                    plan.add_to_known(medium, object, row, &group, adopt);
                }
                Some(_) => {
                    plan.names.clashes.insert(oid.clone());
                }
                None if taken => {
                    plan.names.clashes.insert(oid.clone());
                }
                // Also of rows alone: what was forgotten because its bytes seemed to be nowhere.
                None => plan.meet_unknown(object, &group, adopt, name),
            }
        }
        std::mem::take(&mut plan.names).tell(&mut plan.imported);
        Ok(plan)
    }

    /// A known object gains the copy it lacks, once per medium (I10); the rest are rows that nothing references.
    fn add_to_known(&mut self, medium: MediumId, object: ObjectId, row: &KnownObject, group: &Group<'a>, adopt: Adopt) {
        let may_lack = adopt.adopts() && !row.deleted;
        let mut apart = !row.media.contains(&medium);
        let nothing = BTreeMap::new();
        let numbers: BTreeSet<CopyNo> = group.new.keys().chain(group.unused.keys()).copied().collect();
        for copy in numbers {
            let new = group.new.get(&copy).into_iter().flatten();
            let all: Vec<&'a Found> = new
                .clone()
                .chain(group.unused.get(&copy).into_iter().flatten())
                .copied()
                .collect();
            let new: Vec<&'a Found> = new.copied().collect();
            self.rows.extend(&new);
            let lacks = may_lack && !row.present.contains(&copy.0);
            let bytes = row.bytes.get(&copy).unwrap_or(&nothing);
            match choose(&all, bytes, row.header) {
                Choice::Whole(chosen) if lacks && apart => {
                    apart = false;
                    self.imported.copies_adopted += 1;
                    self.imported.added += spare(&new, &chosen);
                    self.copies.push((object, copy, chosen));
                    continue;
                }
                Choice::Contradiction => {
                    self.names.contradictions.insert(all[0].origin.oid.clone());
                }
                Choice::Whole(_) | Choice::Part => {}
            }
            self.imported.added += new.len() as u64;
            if lacks {
                self.names.unadopted.insert(all[0].origin.oid.clone());
            }
        }
    }

    fn meet_unknown(
        &mut self,
        object: ObjectId,
        group: &Group<'a>,
        adopt: Adopt,
        name: &mut BTreeMap<i32, NamedVersion>,
    ) {
        let mut copies = group.new.clone();
        for (copy, unused) in &group.unused {
            copies.entry(*copy).or_default().extend(unused);
        }
        let oid = copies.values().flatten().next().map(|one| &one.origin.oid);
        let mut adopted = None;
        for (copy, extents) in copies.iter().filter(|_| adopt.adopts()) {
            let Some(header) = newest(extents).map(|one| &one.header) else {
                continue;
            };
            match choose(extents, &BTreeMap::new(), (header.bytes, header.copies)) {
                Choice::Whole(chosen) if adopted.is_none() => adopted = Some((*copy, header, chosen)),
                Choice::Contradiction => self.names.contradictions.extend(oid.cloned()),
                Choice::Whole(_) | Choice::Part => {}
            }
        }
        if adopted.is_none() || copies.len() > 1 {
            self.names.unadopted.extend(oid.cloned());
        }
        let Some((number, header, chosen)) = adopted else {
            self.imported.unknown += group.new.values().map(Vec::len).sum::<usize>() as u64;
            return;
        };
        let origin = &chosen[0].origin;
        // The version before this one was overwritten when this one was made; one after it overwrote this one.
        if let Some((_, older)) = name.range_mut(..origin.version.0).next_back()
            && older.live
        {
            older.live = false;
            match self.objects.iter_mut().find(|row| row.id.0 == older.id) {
                Some(row) => row.deleted_at = Some(header.created_at),
                None => self.superseded.push((older.id, header.created_at)),
            }
        }
        let deleted_at = name.range(origin.version.0..).next().map(|(_, next)| next.created_at);
        let version = NamedVersion {
            id: object.0,
            live: deleted_at.is_none(),
            adopted: true,
            created_at: header.created_at,
            deleted_at,
        };
        name.insert(origin.version.0, version);
        self.objects.push(Object {
            id: object,
            oid: origin.oid.clone(),
            version: origin.version,
            bytes: header.bytes,
            copies: header.copies,
            grouping: header.grouping.clone(),
            metadata: header.metadata.clone(),
            created_at: header.created_at,
            deleted_at,
        });
        self.imported.objects_adopted += 1;
        for extents in group.new.values() {
            self.rows.extend(extents);
            self.imported.added += spare(extents, &chosen);
        }
        self.copies.push((object, number, chosen));
    }

    async fn write(&self, on: &mut PgConnection, medium: MediumId) -> std::result::Result<(), Stop> {
        if self.copies.is_empty() {
            return Ok(());
        }
        let (old, ends): (Vec<Uuid>, Vec<_>) = self.superseded.iter().map(|(id, at)| (*id, stamp(*at))).unzip();
        sqlx::query!(
            "UPDATE object SET deleted_at = s.at FROM unnest($1::uuid[], $2::timestamptz[]) AS s (id, at)
              WHERE object.id = s.id AND object.deleted_at IS NULL",
            &old,
            &ends as _
        )
        .execute(&mut *on)
        .await?;
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
        let used = sqlx::query!(
            "UPDATE extent SET state = 'sync', hold_forever = false
              WHERE id = ANY ($1) AND state = 'orphan' AND hold_forever",
            &extent
        )
        .execute(&mut *on)
        .await?;
        if used.rows_affected() != extent.len() as u64 {
            let why = "extents that an earlier import added were let go meanwhile; import again";
            return Err(CatalogueError::Unavailable(why.to_owned()).into());
        }
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

/// How many of these are not among the chosen ones.
fn spare(extents: &[&Found], chosen: &[&Found]) -> u64 {
    let chosen: BTreeSet<ExtentId> = chosen.iter().map(|one| one.extent).collect();
    let spare = extents.iter().filter(|one| !chosen.contains(&one.extent));
    spare.count() as u64
}

async fn known_objects(
    on: &mut PgConnection,
    ids: &[Uuid],
) -> std::result::Result<BTreeMap<ObjectId, KnownObject>, Stop> {
    let rows = sqlx::query!(
        r#"SELECT o.id, o.oid, o.version, o.bytes, o.deleted_at IS NOT NULL AS "deleted!", o.copies,
                  ARRAY(SELECT DISTINCT l.copy_no FROM layout l WHERE l.object_id = o.id) AS "present!: Vec<i16>",
                  ARRAY(SELECT e.medium FROM layout l JOIN extent e ON e.id = l.extent WHERE l.object_id = o.id
                        UNION SELECT e.medium FROM extent e WHERE e.object_id = o.id AND e.state <> 'orphan')
                    AS "media!: Vec<Uuid>"
             FROM object o WHERE o.id = ANY ($1)"#,
        ids
    )
    .fetch_all(&mut *on)
    .await?;
    let mut bytes = bytes_on_record(on, ids).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let facts = KnownObject {
                oid: row.oid,
                version: row.version,
                deleted: row.deleted,
                header: (ByteCount::from_i64(row.bytes), CopyNo(row.copies)),
                present: row.present.into_iter().collect(),
                media: row.media.into_iter().map(MediumId).collect(),
                bytes: bytes.remove(&row.id).unwrap_or_default(),
            };
            (ObjectId(row.id), facts)
        })
        .collect())
}

/// What the places of these objects are known to hold: extents that are in use or were verified.
async fn bytes_on_record(
    on: &mut PgConnection,
    ids: &[Uuid],
) -> std::result::Result<BTreeMap<Uuid, BTreeMap<CopyNo, BTreeMap<ExtentIndex, Bytes>>>, Stop> {
    let rows = sqlx::query!(
        r#"SELECT object_id, copy_no, index, bytes, blake3 AS "blake3!" FROM extent
            WHERE object_id = ANY ($1) AND blake3 IS NOT NULL AND (state = 'sync' OR verified_at IS NOT NULL)"#,
        ids
    )
    .fetch_all(on)
    .await?;
    let mut known: BTreeMap<Uuid, BTreeMap<CopyNo, BTreeMap<ExtentIndex, Bytes>>> = BTreeMap::new();
    for row in rows {
        let blake3 = row.blake3.try_into().expect("a constraint holds its length");
        let copies = known.entry(row.object_id).or_default();
        let places = copies.entry(CopyNo(row.copy_no)).or_default();
        let place = places.entry(ExtentIndex(row.index)).or_default();
        place.insert((ByteCount::from_i64(row.bytes), Blake3(blake3)));
    }
    Ok(known)
}

/// A version of a name that the catalogue has or had, or that this import makes known.
struct NamedVersion {
    id: Uuid,
    live: bool,
    adopted: bool,
    created_at: Timestamp,
    deleted_at: Option<Timestamp>,
}

impl NamedVersion {
    /// Whether this version keeps a newer one, made then, from becoming known. Any does, but one that this import made
    /// known, or, for a lost history of ours, one that was made and ended before it.
    fn refuses_newer(&self, adopt: Adopt, made: Option<Timestamp>) -> bool {
        let before = |time: Timestamp| made.is_some_and(|made| time <= made);
        match adopt {
            Adopt::No | Adopt::Yes => !self.adopted,
            Adopt::Newer => !(self.adopted || before(self.created_at) && self.deleted_at.is_none_or(before)),
        }
    }
}

/// Every version of these names, tombstones included.
async fn versions_of(
    on: &mut PgConnection,
    oids: &[String],
) -> std::result::Result<BTreeMap<String, BTreeMap<i32, NamedVersion>>, Stop> {
    let rows = sqlx::query!(
        r#"SELECT id, oid, version, deleted_at IS NULL AS "live!", created_at AS "created_at: Stamp",
                  deleted_at AS "deleted_at: Stamp" FROM object WHERE oid = ANY ($1)"#,
        oids
    )
    .fetch_all(on)
    .await?;
    let mut names: BTreeMap<String, BTreeMap<i32, NamedVersion>> = BTreeMap::new();
    for row in rows {
        let version = NamedVersion {
            id: row.id,
            live: row.live,
            adopted: false,
            created_at: row.created_at.to_jiff(),
            deleted_at: row.deleted_at.map(Stamp::to_jiff),
        };
        names.entry(row.oid).or_default().insert(row.version, version);
    }
    Ok(names)
}
