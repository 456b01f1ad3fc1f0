//! What all media hold, summed for comparing them with each other. Each question is one statement over whole sets.

use super::PgCatalogue;
use super::codec::{Stamp, count, stamp};
use super::retry::reading;
use crate::catalogue::{Result, STRANDED_MAX};
use crate::model::{ByteCount, Holding, MediumId};
use jiff::Timestamp;
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet};

struct HoldingRow {
    id: Uuid,
    used: i64,
    live: i64,
    live_extents: i64,
    largest: i64,
    written_at: Option<Stamp>,
    deleted: i64,
    deleted_at: Option<Stamp>,
    dead: i64,
    held: i64,
    held_until: Option<Stamp>,
    kept: i64,
    pending: i64,
    last_good: i64,
    health_since: Option<Stamp>,
}

impl From<HoldingRow> for Holding {
    fn from(row: HoldingRow) -> Self {
        let bytes = ByteCount::from_i64;
        let time = |stamp: Option<Stamp>| stamp.map(Stamp::to_jiff);
        Self {
            medium: MediumId(row.id),
            used: bytes(row.used),
            live: bytes(row.live),
            live_extents: count(row.live_extents),
            largest: bytes(row.largest),
            written_at: time(row.written_at),
            deleted: bytes(row.deleted),
            deleted_at: time(row.deleted_at),
            dead: bytes(row.dead),
            held: bytes(row.held),
            held_until: time(row.held_until),
            kept: bytes(row.kept),
            pending: count(row.pending),
            last_good: count(row.last_good),
            health_since: time(row.health_since),
        }
    }
}

/// What every medium holds. Deleted versions are few: they are looked for from their own index.
pub(super) async fn holdings(catalogue: &PgCatalogue, now: Timestamp) -> Result<Vec<Holding>> {
    Ok(reading!(catalogue, conn => {
        let rows = sqlx::query_as!(
            HoldingRow,
            r#"WITH ended AS MATERIALIZED (
                 SELECT l.extent, max(o.deleted_at) AS deleted_at FROM object o JOIN layout l ON l.object_id = o.id
                  WHERE o.deleted_at IS NOT NULL AND o.purged_at IS NULL GROUP BY l.extent),
               deleted AS MATERIALIZED (
                 SELECT e.medium, sum(e.bytes)::bigint AS bytes, max(x.deleted_at) AS at
                   FROM ended x JOIN extent e ON e.id = x.extent
                  WHERE NOT EXISTS (SELECT 1 FROM layout l JOIN object o ON o.id = l.object_id
                                     WHERE l.extent = x.extent AND o.deleted_at IS NULL)
                  GROUP BY e.medium),
               needed AS MATERIALIZED (
                 SELECT medium, count(DISTINCT live) AS live FROM last_good GROUP BY medium),
               sums AS MATERIALIZED (
                 SELECT medium, sum(bytes)::bigint AS used,
                        sum(bytes) FILTER (WHERE state = 'sync')::bigint AS live,
                        count(*) FILTER (WHERE state = 'sync') AS live_extents,
                        max(bytes) FILTER (WHERE state = 'sync') AS largest,
                        max(created_at) FILTER (WHERE state = 'sync') AS written_at,
                        sum(bytes) FILTER (WHERE state = 'orphan' AND NOT hold_forever
                            AND (hold_until IS NULL OR hold_until <= $1))::bigint AS dead,
                        sum(bytes) FILTER (WHERE state = 'orphan' AND hold_until > $1)::bigint AS held,
                        max(hold_until) FILTER (WHERE state = 'orphan' AND hold_until > $1) AS held_until,
                        sum(bytes) FILTER (WHERE state = 'orphan' AND hold_forever)::bigint AS kept,
                        count(*) FILTER (WHERE state = 'pending') AS pending
                   FROM extent GROUP BY medium)
               SELECT m.id, coalesce(s.used, 0) AS "used!", coalesce(s.live, 0) AS "live!",
                      coalesce(s.live_extents, 0) AS "live_extents!", coalesce(s.largest, 0) AS "largest!",
                      s.written_at AS "written_at?: Stamp", coalesce(d.bytes, 0) AS "deleted!",
                      d.at AS "deleted_at?: Stamp", coalesce(s.dead, 0) AS "dead!", coalesce(s.held, 0) AS "held!",
                      s.held_until AS "held_until?: Stamp", coalesce(s.kept, 0) AS "kept!",
                      coalesce(s.pending, 0) AS "pending!", coalesce(n.live, 0) AS "last_good!",
                      m.health_since AS "health_since?: Stamp"
                 FROM medium m LEFT JOIN sums s ON s.medium = m.id LEFT JOIN deleted d ON d.medium = m.id
                 LEFT JOIN needed n ON n.medium = m.id
                ORDER BY m.name"#,
            stamp(now) as _
        )
        .fetch_all(&mut *conn)
        .await?;
        rows.into_iter().map(Holding::from).collect()
    }))
}

/// The bytes of live extents that have another copy on each of these media. Places in layouts tell of copies, and what is
/// written for one already: as a manifest does.
pub(super) async fn stranded(
    catalogue: &PgCatalogue,
    targets: &BTreeSet<MediumId>,
) -> Result<BTreeMap<MediumId, ByteCount>> {
    if targets.len() > STRANDED_MAX {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<Uuid> = targets.iter().map(|id| id.0).collect();
    Ok(reading!(catalogue, conn => {
        let rows = sqlx::query!(
            r#"WITH barred AS MATERIALIZED (
                 SELECT l.extent, other.medium FROM layout l
                   JOIN layout others ON others.object_id = l.object_id AND others.copy_no <> l.copy_no
                   JOIN extent other ON other.id = others.extent WHERE other.medium = ANY ($1)
                 UNION
                 SELECT l.extent, other.medium FROM extent other
                   JOIN layout l ON l.object_id = other.object_id AND l.copy_no <> other.copy_no
                  WHERE other.medium = ANY ($1) AND other.state IN ('pending', 'sync')),
               counted AS MATERIALIZED (SELECT extent, count(*) AS media FROM barred GROUP BY extent)
               SELECT e.medium, sum(e.bytes)::bigint AS "bytes!" FROM counted c JOIN extent e ON e.id = c.extent
                WHERE c.media >= cardinality($1) - (e.medium = ANY ($1))::int GROUP BY e.medium"#,
            &ids
        )
        .fetch_all(&mut *conn)
        .await?;
        let sums = rows.into_iter().map(|row| (MediumId(row.medium), ByteCount::from_i64(row.bytes)));
        sums.collect()
    }))
}
