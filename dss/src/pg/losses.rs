//! What would become of objects if media were lost: one look, that costs what these media hold.

use super::PgCatalogue;
use super::codec::{count, oid};
use super::retry::reading;
use crate::catalogue::Result;
use crate::model::loss::{AtRisk, Loss, Share};
use crate::model::{ByteCount, MediumId, Version};
use sqlx::types::Uuid;
use std::collections::BTreeSet;

/// See [`Catalogue::what_if_lost`](crate::catalogue::Catalogue::what_if_lost).
pub(super) async fn what_if(catalogue: &PgCatalogue, media: &BTreeSet<MediumId>, limit: u32) -> Result<Loss> {
    let ids: Vec<Uuid> = media.iter().map(|id| id.0).collect();
    Ok(reading!(catalogue, conn => {
        let rows = sqlx::query!(
            r#"WITH gone AS MATERIALIZED (
                 SELECT id FROM medium WHERE adm_state = 'dead' OR health = 'failed'),
               named AS MATERIALIZED (SELECT id FROM medium WHERE id = ANY ($1) AND id NOT IN (SELECT id FROM gone)),
               hit AS MATERIALIZED (
                 SELECT DISTINCT l.object_id
                   FROM named JOIN extent e ON e.medium = named.id AND e.state = 'sync' JOIN layout l ON l.extent = e.id),
               place AS MATERIALIZED (
                 SELECT l.object_id, l.copy_no, l.index, coalesce(e.blake3, uuid_send(e.id)) AS blake3,
                        e.medium NOT IN (SELECT id FROM gone) AS there,
                        e.medium IN (SELECT id FROM named) AS going
                   FROM hit JOIN layout l ON l.object_id = hit.object_id JOIN extent e ON e.id = l.extent),
               part AS MATERIALIZED (
                 SELECT object_id, index, blake3, count(*) FILTER (WHERE there) AS now,
                        count(*) FILTER (WHERE there AND NOT going) AS remaining
                   FROM place GROUP BY object_id, index, blake3),
               whole AS MATERIALIZED (
                 SELECT place.object_id, min(part.now) AS now, min(part.remaining) AS remaining
                   FROM place JOIN part USING (object_id, index, blake3) GROUP BY place.object_id, place.copy_no),
               touched AS MATERIALIZED (
                 SELECT o.oid, o.version, o.deleted_at IS NOT NULL AS deleted, o.bytes, w.now, w.remaining
                   FROM (SELECT object_id, max(now) AS now, max(remaining) AS remaining FROM whole GROUP BY object_id) w
                   JOIN object o ON o.id = w.object_id
                  WHERE w.remaining < w.now),
               sums AS MATERIALIZED (
                 SELECT count(*) FILTER (WHERE remaining = 0) AS lost,
                        coalesce(sum(bytes) FILTER (WHERE remaining = 0), 0)::bigint AS lost_bytes,
                        count(*) FILTER (WHERE remaining > 0) AS fewer,
                        coalesce(sum(bytes) FILTER (WHERE remaining > 0), 0)::bigint AS fewer_bytes
                   FROM touched)
               SELECT s.lost AS "lost!", s.lost_bytes AS "lost_bytes!", s.fewer AS "fewer!",
                      s.fewer_bytes AS "fewer_bytes!", t.oid AS "oid?", t.version AS "version?",
                      t.deleted AS "deleted?", t.bytes AS "bytes?", t.now AS "now?", t.remaining AS "remaining?"
                 FROM sums s LEFT JOIN LATERAL (
                      SELECT *, remaining > 0 AS readable FROM touched ORDER BY remaining > 0, oid, version LIMIT $2) t
                   ON true
                ORDER BY t.readable, t.oid, t.version"#,
            &ids,
            i64::from(limit)
        )
        .fetch_all(&mut *conn)
        .await?;
        let mut loss = Loss::default();
        for row in rows {
            let share = |objects, bytes| Share { objects: count(objects), bytes: ByteCount::from_i64(bytes) };
            loss.lost = share(row.lost, row.lost_bytes);
            loss.fewer = share(row.fewer, row.fewer_bytes);
            let Some(name) = row.oid else { continue };
            loss.listed.push(AtRisk {
                oid: oid(name)?,
                version: Version(row.version.unwrap_or_default()),
                deleted: row.deleted.unwrap_or_default(),
                bytes: ByteCount::from_i64(row.bytes.unwrap_or_default()),
                copies_now: count(row.now.unwrap_or_default()),
                copies_left: count(row.remaining.unwrap_or_default()),
            });
        }
        loss
    }))
}
