//! Inserting extents in state *pending*, and what puts and moves share around it.

use super::codec::{Stamp, corrupt, stamp};
use super::locks;
use super::retry::Stop;
use crate::catalogue::CatalogueError;
use crate::model::evidence::RecordReceipt;
use crate::model::{Blake3, Digests, Epoch, ExtentId, MediumId, NewExtent, Owner, Recorded};
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// Digests as columns.
pub(super) struct DigestColumns {
    pub blake3: Option<Vec<u8>>,
    pub crc32: Option<i64>,
    pub chunk_crcs: Option<Vec<u8>>,
}

/// Digests of many extents as columns.
#[derive(Default)]
pub(super) struct KnownDigests {
    id: Vec<Uuid>,
    blake3: Vec<Vec<u8>>,
    crc32: Vec<i64>,
    chunk_crcs: Vec<Vec<u8>>,
}

impl KnownDigests {
    /// Adds those of one.
    pub(super) fn push(&mut self, extent: ExtentId, digests: &Digests) {
        self.id.push(extent.0);
        self.blake3.push(digests.blake3.0.to_vec());
        self.crc32.push(i64::from(digests.crc32));
        self.chunk_crcs.push(digests.chunk_crcs_to_bytes());
    }

    /// Notes them where none are known; which extents that were.
    pub(super) async fn note(&self, on: &mut PgConnection) -> Result<Vec<Uuid>, Stop> {
        if self.id.is_empty() {
            return Ok(Vec::new());
        }
        let noted = sqlx::query_scalar!(
            "UPDATE extent SET blake3 = k.blake3, crc32 = k.crc32, chunk_crcs = k.chunk_crcs
               FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::bytea[]) AS k (id, blake3, crc32, chunk_crcs)
              WHERE extent.id = k.id AND extent.blake3 IS NULL RETURNING extent.id",
            &self.id,
            &self.blake3,
            &self.crc32,
            &self.chunk_crcs
        )
        .fetch_all(on)
        .await?;
        Ok(noted)
    }

    /// Refuses when anything else is known of one of them by now: somebody read other bytes there (I3). To be asked after
    /// they were noted, in the same transaction.
    pub(super) async fn require_same(&self, on: &mut PgConnection) -> Result<(), Stop> {
        if self.id.is_empty() {
            return Ok(());
        }
        let other = sqlx::query_scalar!(
            "SELECT extent.id FROM extent
               JOIN unnest($1::uuid[], $2::bytea[]) AS k (id, blake3) ON k.id = extent.id
              WHERE extent.blake3 IS DISTINCT FROM k.blake3 LIMIT 1",
            &self.id,
            &self.blake3
        )
        .fetch_optional(on)
        .await?;
        match other {
            None => Ok(()),
            Some(id) => Err(CatalogueError::Invariant {
                invariant: "I3",
                detail: format!("{} was read before and digests to something else", ExtentId(id)),
            }
            .into()),
        }
    }
}

impl From<Option<&Digests>> for DigestColumns {
    fn from(digests: Option<&Digests>) -> Self {
        Self {
            blake3: digests.map(|known| {
                let Blake3(bytes) = known.blake3;
                bytes.to_vec()
            }),
            crc32: digests.map(|known| i64::from(known.crc32)),
            chunk_crcs: digests.map(Digests::chunk_crcs_to_bytes),
        }
    }
}

/// Locks and compares what must stay true until the rows are committed: lease epochs, then modes and generations.
pub(super) async fn lock_targets(
    on: &mut PgConnection,
    extents: &[NewExtent],
    epochs: &BTreeMap<MediumId, Epoch>,
) -> Result<(), Stop> {
    locks::leases(on, epochs).await?;
    let targets: BTreeSet<MediumId> = extents.iter().map(|extent| extent.medium).collect();
    for target in &targets {
        epoch_on(epochs, *target)?;
    }
    locks::mark_used(on, &targets).await?;
    let media = locks::media(on, &targets).await?;
    let ids: Vec<Uuid> = targets.iter().map(|target| target.0).collect();
    let source = sqlx::query!(
        "SELECT medium, job FROM job_source WHERE medium = ANY ($1) AND active LIMIT 1",
        &ids
    )
    .fetch_optional(on)
    .await?;
    if let Some(source) = source {
        let why = format!("it is a source of job {}", source.job);
        let medium = MediumId(source.medium);
        return Err(CatalogueError::Fenced { medium, why }.into());
    }
    for extent in extents {
        media[&extent.medium].takes_extents(extent.medium, extent.generation)?;
    }
    Ok(())
}

fn epoch_on(epochs: &BTreeMap<MediumId, Epoch>, medium: MediumId) -> Result<Epoch, CatalogueError> {
    epochs.get(&medium).copied().ok_or_else(|| locks::lease_lost(medium))
}

/// Inserts pending extents. The guards of I6 and I10 look once more.
pub(super) async fn insert_pending(
    on: &mut PgConnection,
    extents: &[NewExtent],
    owner: Owner,
    epochs: &BTreeMap<MediumId, Epoch>,
    now: Timestamp,
) -> Result<(), Stop> {
    let (job, session): (Option<i64>, Option<Uuid>) = match owner {
        Owner::Move(job) => (Some(job.0), None),
        Owner::Put(session) => (None, Some(session.0)),
    };
    let mut columns = Columns::default();
    for extent in extents {
        columns.push(extent, epoch_on(epochs, extent.medium)?);
    }
    let at: Stamp = stamp(now);
    sqlx::query!(
        "INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             blake3, crc32, chunk_crcs, owner_job, owner_session, owner_epoch, created_at)
         SELECT n.id, 'pending', n.object_id, n.oid, n.version, n.copy_no, n.index, n.medium, n.generation, n.address,
                n.bytes, n.blake3, n.crc32, n.chunk_crcs, $15, $16, n.epoch, $17
           FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::smallint[], $6::int[], $7::uuid[],
                       $8::bigint[], $9::text[], $10::bigint[], $11::bytea[], $12::bigint[], $13::bytea[],
                       $14::bigint[])
             AS n (id, object_id, oid, version, copy_no, index, medium, generation, address, bytes, blake3, crc32,
                   chunk_crcs, epoch)",
        &columns.id,
        &columns.object,
        &columns.oid,
        &columns.version,
        &columns.copy,
        &columns.index,
        &columns.medium,
        &columns.generation,
        &columns.address,
        &columns.bytes,
        &columns.blake3 as _,
        &columns.crc32 as _,
        &columns.chunk_crcs as _,
        &columns.epoch,
        job,
        session,
        at as _
    )
    .execute(on)
    .await?;
    Ok(())
}

#[derive(Default)]
struct Columns {
    id: Vec<Uuid>,
    object: Vec<Uuid>,
    oid: Vec<String>,
    version: Vec<i32>,
    copy: Vec<i16>,
    index: Vec<i32>,
    medium: Vec<Uuid>,
    generation: Vec<i64>,
    address: Vec<String>,
    bytes: Vec<i64>,
    blake3: Vec<Option<Vec<u8>>>,
    crc32: Vec<Option<i64>>,
    chunk_crcs: Vec<Option<Vec<u8>>>,
    epoch: Vec<i64>,
}

impl Columns {
    fn push(&mut self, extent: &NewExtent, epoch: Epoch) {
        let digests = DigestColumns::from(extent.digests.as_ref());
        self.id.push(extent.id.0);
        self.object.push(extent.origin.object.0);
        self.oid.push(extent.origin.oid.as_str().to_owned());
        self.version.push(extent.origin.version.0);
        self.copy.push(extent.origin.copy.0);
        self.index.push(extent.origin.index.0);
        self.medium.push(extent.medium.0);
        self.generation.push(extent.generation.0);
        self.address.push(extent.address.0.clone());
        self.bytes.push(extent.bytes.as_i64());
        self.blake3.push(digests.blake3);
        self.crc32.push(digests.crc32);
        self.chunk_crcs.push(digests.chunk_crcs);
        self.epoch.push(epoch.0);
    }
}

/// The evidence, once the rows are committed.
pub(super) fn recorded(extents: Vec<NewExtent>, owner: Owner, epochs: &BTreeMap<MediumId, Epoch>) -> Vec<Recorded> {
    extents
        .into_iter()
        .map(|extent| {
            let epoch = epochs[&extent.medium];
            Recorded::committed(extent, owner, epoch, RecordReceipt::after_commit())
        })
        .collect()
}

/// What a row says that is about to become *sync*.
pub(super) struct Pending {
    pub owner: Option<Owner>,
    pub epoch: Option<Epoch>,
    pub pending: bool,
}

/// Locks extents and says which are still pending, and whose.
pub(super) async fn lock_pending(on: &mut PgConnection, ids: &[Uuid]) -> Result<BTreeMap<ExtentId, Pending>, Stop> {
    let rows = sqlx::query!(
        r#"SELECT id, state::text AS "state!", owner_job, owner_session, owner_epoch FROM extent
            WHERE id = ANY ($1) ORDER BY id FOR UPDATE"#,
        ids
    )
    .fetch_all(on)
    .await?;
    let mut found = BTreeMap::new();
    for row in rows {
        let state: crate::model::ExtentState = row
            .state
            .parse()
            .map_err(|error: crate::model::UnknownWord| corrupt(error.to_string()))?;
        let pending = Pending {
            owner: super::codec::owner(row.owner_job, row.owner_session),
            epoch: row.owner_epoch.map(Epoch),
            pending: state == crate::model::ExtentState::Pending,
        };
        found.insert(ExtentId(row.id), pending);
    }
    Ok(found)
}

/// What becomes known of extents when they become *sync*.
#[derive(Default)]
pub(super) struct SyncColumns {
    id: Vec<Uuid>,
    blake3: Vec<Vec<u8>>,
    crc32: Vec<i64>,
    chunk_crcs: Vec<Vec<u8>>,
    inode: Vec<Option<i64>>,
    span: Vec<Option<String>>,
    version: Vec<Option<i32>>,
}

impl SyncColumns {
    /// Adds one. `version`: what a put's commit decided.
    pub(super) fn push(&mut self, synced: &crate::model::Synced, version: Option<i32>) {
        let digests = synced.digests();
        self.id.push(synced.extent().id.0);
        self.blake3.push(digests.blake3.0.to_vec());
        self.crc32.push(i64::from(digests.crc32));
        self.chunk_crcs.push(digests.chunk_crcs_to_bytes());
        self.inode.push(super::codec::inode_to_sql(synced.inode()));
        self.span.push(super::codec::span_to_sql(synced.span()));
        self.version.push(version);
    }

    /// Makes them *sync*. Their layout entries must follow in the same transaction.
    pub(super) async fn apply(&self, on: &mut PgConnection) -> Result<(), Stop> {
        let changed = sqlx::query!(
            "UPDATE extent SET state = 'sync', blake3 = s.blake3, crc32 = s.crc32, chunk_crcs = s.chunk_crcs,
                    inode = s.inode, span = s.span, version = coalesce(s.version, extent.version), owner_job = NULL,
                    owner_session = NULL, owner_epoch = NULL
               FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::bytea[], $5::bigint[], $6::text[], $7::int[])
                 AS s (id, blake3, crc32, chunk_crcs, inode, span, version)
              WHERE extent.id = s.id AND extent.state = 'pending'",
            &self.id,
            &self.blake3,
            &self.crc32,
            &self.chunk_crcs,
            &self.inode as _,
            &self.span as _,
            &self.version as _
        )
        .execute(on)
        .await?;
        assert_eq!(
            changed.rows_affected(),
            self.id.len() as u64,
            "locked pending rows stay pending"
        );
        Ok(())
    }
}

/// Turns extents that no layout needs into orphans.
pub(super) async fn orphan(on: &mut PgConnection, ids: &[Uuid], hold: crate::model::Hold) -> Result<u64, Stop> {
    if ids.is_empty() {
        return Ok(0);
    }
    let (until, forever) = super::codec::hold_to_sql(hold);
    let changed = sqlx::query!(
        "UPDATE extent SET state = 'orphan', owner_job = NULL, owner_session = NULL, owner_epoch = NULL,
                hold_until = $2, hold_forever = $3
          WHERE id = ANY ($1) AND state <> 'orphan'",
        ids,
        until as _,
        forever
    )
    .execute(on)
    .await?;
    Ok(changed.rows_affected())
}
