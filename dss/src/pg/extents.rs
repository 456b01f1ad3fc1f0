//! Extents by themselves: listed, planned from, swept, removed.

use super::PgCatalogue;
use super::codec::{ExtentRow, all, count, extent_rows, stamp};
use super::events::append;
use super::retry::{Stop, reading, repeat};
use crate::catalogue::{CatalogueError, ExtentFilter, Page, Result};
use crate::model::{
    Address, ByteCount, Extent, ExtentId, ExtentState, Generation, Hold, MediumId, Oid, Owner, Revision,
};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// One extent.
pub(super) async fn by_id(catalogue: &PgCatalogue, id: ExtentId) -> Result<Extent> {
    Ok(reading!(catalogue, conn => {
        match extent_rows!("WHERE e.id = $1", id.0).fetch_optional(&mut *conn).await? {
            Some(row) => Extent::try_from(row)?,
            None => return Err(CatalogueError::NotFound { what: "extent", name: id.to_string() }.into()),
        }
    }))
}

/// Several extents; those that have a row.
pub(super) async fn by_ids(catalogue: &PgCatalogue, ids: &[ExtentId]) -> Result<BTreeMap<ExtentId, Extent>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    Ok(reading!(catalogue, conn => {
        let rows = extent_rows!("WHERE e.id = ANY ($1)", &ids).fetch_all(&mut *conn).await?;
        all::<_, Extent>(rows)?.into_iter().map(|extent| (extent.id, extent)).collect()
    }))
}

/// Those that their media's own indexes do not name. Apart from the extents: whoever moves many of them does not ask.
pub(super) async fn unindexed(catalogue: &PgCatalogue, ids: &[ExtentId]) -> Result<BTreeSet<ExtentId>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    Ok(reading!(catalogue, conn => {
        let unnamed = sqlx::query_scalar!(r#"SELECT u.id AS "id!" FROM unindexed_of($1) u"#, &ids);
        unnamed.fetch_all(&mut *conn).await?.into_iter().map(ExtentId).collect()
    }))
}

/// What a listing asks for beside the medium and the name, in the words of its statements.
struct Asked {
    after: Uuid,
    limit: i64,
    state: Option<&'static str>,
    indexed: Option<bool>,
}

/// A page of extents, by id. One statement for each way to ask, so that each has its index.
pub(super) async fn list(catalogue: &PgCatalogue, filter: &ExtentFilter, page: Page<ExtentId>) -> Result<Vec<Extent>> {
    let asked = Asked {
        after: page.after.map_or(Uuid::nil(), |id| id.0),
        limit: i64::from(page.limit),
        state: filter.state.map(ExtentState::as_str),
        indexed: filter.indexed,
    };
    Ok(reading!(catalogue, conn => {
        let rows = match (filter.medium, &filter.oid, filter.state, filter.indexed) {
            (Some(medium), None, Some(ExtentState::Sync), Some(false)) => unindexed_on(conn, medium, &asked).await?,
            (Some(medium), None, ..) => on_medium(conn, medium, &asked).await?,
            (medium, Some(oid), ..) => of_name(conn, oid, medium, &asked).await?,
            (None, None, Some(ExtentState::Pending), _) => pending(conn, &asked).await?,
            (None, None, ..) => any(conn, &asked).await?,
        };
        all(rows)?
    }))
}

type Rows = std::result::Result<Vec<ExtentRow>, Stop>;

async fn on_medium(on: &mut PgConnection, medium: MediumId, asked: &Asked) -> Rows {
    let rows = extent_rows!(
        "WHERE e.id IN (
            SELECT id FROM (
                SELECT s.id FROM unnest(enum_range(NULL::extent_state)) AS of (state) CROSS JOIN LATERAL
                    (SELECT id FROM extent x WHERE x.medium = $1 AND x.state = of.state AND x.id > $2
                        AND ($5::bool IS NULL OR is_indexed(x.medium, x.id) = $5)
                      ORDER BY id LIMIT $3) s
                 WHERE $4::text IS NULL OR of.state::text = $4) every
             ORDER BY id LIMIT $3) ORDER BY e.id",
        medium.0,
        asked.after,
        asked.limit,
        asked.state,
        asked.indexed
    );
    Ok(rows.fetch_all(on).await?)
}

/// The few that a medium's index does not name yet are on a list of their own.
async fn unindexed_on(on: &mut PgConnection, medium: MediumId, asked: &Asked) -> Rows {
    let rows = extent_rows!(
        "WHERE e.id = ANY (ARRAY(SELECT u.id FROM unindexed_live($1, $2, $3) u)) ORDER BY e.id",
        medium.0,
        asked.after,
        asked.limit
    );
    Ok(rows.fetch_all(on).await?)
}

async fn of_name(on: &mut PgConnection, oid: &Oid, medium: Option<MediumId>, asked: &Asked) -> Rows {
    let rows = extent_rows!(
        "WHERE e.oid = $1 AND e.id > $2 AND ($4::text IS NULL OR e.state = $4::extent_state)
            AND ($5::uuid IS NULL OR e.medium = $5) AND ($6::bool IS NULL OR is_indexed(e.medium, e.id) = $6)
          ORDER BY e.id LIMIT $3",
        oid.as_str(),
        asked.after,
        asked.limit,
        asked.state,
        medium.map(|id| id.0),
        asked.indexed
    );
    Ok(rows.fetch_all(on).await?)
}

/// The few pending ones have an index of their own; the rest of the catalogue is not walked for them.
async fn pending(on: &mut PgConnection, asked: &Asked) -> Rows {
    let rows = extent_rows!(
        "WHERE e.state = 'pending' AND e.id IN
            (SELECT id FROM extent x WHERE x.state = 'pending' AND x.id > $1
                AND ($3::bool IS NULL OR is_indexed(x.medium, x.id) = $3) ORDER BY x.id LIMIT $2)
          ORDER BY e.id",
        asked.after,
        asked.limit,
        asked.indexed
    );
    Ok(rows.fetch_all(on).await?)
}

async fn any(on: &mut PgConnection, asked: &Asked) -> Rows {
    let rows = extent_rows!(
        "WHERE e.id > $1 AND ($3::text IS NULL OR e.state = $3::extent_state)
            AND ($4::bool IS NULL OR is_indexed(e.medium, e.id) = $4) ORDER BY e.id LIMIT $2",
        asked.after,
        asked.limit,
        asked.state,
        asked.indexed
    );
    Ok(rows.fetch_all(on).await?)
}

/// Turns what a dead epoch left pending into orphans. An epoch is dead when its lease was given back or taken over; it
/// never comes back, so nothing needs to be locked to know.
pub(super) async fn sweep_pending(
    catalogue: &PgCatalogue,
    medium: Option<MediumId>,
    now: Timestamp,
) -> Result<BTreeMap<Owner, (u64, ByteCount)>> {
    Ok(repeat!(catalogue, "sweep_pending", tx => {
        let rows = sqlx::query!(
            "SELECT id, owner_job, owner_session, bytes FROM extent e
              WHERE e.state = 'pending' AND ($1::uuid IS NULL OR e.medium = $1)
                AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.key = 'medium/' || e.medium::text
                                   AND l.holder IS NOT NULL AND l.epoch = e.owner_epoch)
              ORDER BY id FOR UPDATE OF e",
            medium.map(|id| id.0)
        )
        .fetch_all(tx.on())
        .await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        super::records::orphan(tx.on(), &ids, Hold::None).await?;
        super::puts::drop_moves(tx.on(), &ids).await?;
        let mut swept: BTreeMap<Owner, (u64, ByteCount)> = BTreeMap::new();
        for row in rows {
            let owner = super::codec::owner(row.owner_job, row.owner_session)
                .ok_or_else(|| super::codec::corrupt("a pending extent without an owner"))?;
            let sum = swept.entry(owner).or_default();
            sum.0 += 1;
            sum.1 += ByteCount::from_i64(row.bytes);
        }
        if !ids.is_empty() {
            let detail = json!({ "extents": ids.len() });
            append(tx.on(), now, "extent.swept", "dead epochs", detail).await?;
            tx.commit().await?;
        }
        swept
    }))
}

/// Orphans whose bytes may be removed one by one.
pub(super) async fn removable(
    catalogue: &PgCatalogue,
    medium: MediumId,
    page: Page<ExtentId>,
    now: Timestamp,
) -> Result<Vec<Extent>> {
    let after = page.after.map_or(Uuid::nil(), |id| id.0);
    Ok(reading!(catalogue, conn => {
        super::reconcile::refuse_in_doubt(conn).await?;
        let rows = extent_rows!(
            "JOIN medium m ON m.id = e.medium AND m.generation = e.generation
                 AND m.adm_state NOT IN ('quarantined', 'erasing', 'dead') AND NOT m.locked
              WHERE e.medium = $1 AND e.state = 'orphan' AND e.id > $4 AND NOT e.hold_forever
                AND (e.hold_until IS NULL OR e.hold_until <= $2)
                AND NOT EXISTS (SELECT 1 FROM last_good g WHERE g.orphan = e.id)
                AND NOT EXISTS (SELECT 1 FROM extent other WHERE other.medium = e.medium AND other.state <> 'orphan'
                                   AND other.generation = e.generation AND other.address = e.address)
              ORDER BY e.id LIMIT $3",
            medium.0, stamp(now) as _, i64::from(page.limit), after
        )
        .fetch_all(&mut *conn)
        .await?;
        all(rows)?
    }))
}

/// Deletes orphan rows whose bytes are gone.
pub(super) async fn forget_orphans(
    catalogue: &PgCatalogue,
    medium: MediumId,
    generation: Generation,
    extents: &[ExtentId],
) -> Result<u64> {
    let ids: Vec<Uuid> = extents.iter().map(|id| id.0).collect();
    Ok(repeat!(catalogue, "forget_orphans", tx => {
        let objects = sqlx::query_scalar!(
            "DELETE FROM extent WHERE id IN (SELECT id FROM extent WHERE id = ANY ($1) ORDER BY id FOR UPDATE)
                AND medium = $2 AND generation = $3 AND state = 'orphan' RETURNING object_id",
            &ids, medium.0, generation.0
        )
        .fetch_all(tx.on())
        .await?;
        super::objects::forget_tombstones(tx.on(), &objects).await?;
        tx.commit().await?;
        objects.len() as u64
    }))
}

/// Of these addresses those that a row of this generation of a medium has.
pub(super) async fn taken(
    catalogue: &PgCatalogue,
    medium: MediumId,
    generation: Generation,
    addresses: &[Address],
) -> Result<BTreeSet<Address>> {
    let asked: Vec<String> = addresses.iter().map(|address| address.0.clone()).collect();
    Ok(reading!(catalogue, conn => {
        let found = sqlx::query_scalar!(
            "SELECT address FROM extent WHERE medium = $1 AND generation = $2 AND address = ANY ($3)",
            medium.0, generation.0, &asked
        );
        found.fetch_all(&mut *conn).await?.into_iter().map(Address).collect()
    }))
}

/// Notes that the medium's own index names these extents.
pub(super) async fn mark_indexed(
    catalogue: &PgCatalogue,
    medium: MediumId,
    revision: Revision,
    extents: &[ExtentId],
) -> Result<u64> {
    let ids: Vec<Uuid> = extents.iter().map(|id| id.0).collect();
    Ok(repeat!(catalogue, "mark_indexed", tx => {
        sqlx::query!("UPDATE medium SET revision = greatest(revision, $2) WHERE id = $1", medium.0, revision.0)
            .execute(tx.on())
            .await?;
        let changed = strike_unindexed(tx.on(), medium, &ids).await?;
        tx.commit().await?;
        changed
    }))
}

/// Strikes extents off the list of what the medium's own index does not name; how many were on it.
pub(super) async fn strike_unindexed(
    on: &mut PgConnection,
    medium: MediumId,
    extents: &[Uuid],
) -> std::result::Result<u64, Stop> {
    let struck = sqlx::query_scalar!(r#"SELECT strike_unindexed($1, $2) AS "struck!""#, medium.0, extents)
        .fetch_one(on)
        .await?;
    Ok(count(struck))
}
