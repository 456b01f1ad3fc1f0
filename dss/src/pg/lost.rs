//! Which live objects no medium can give, as far as the rows tell. Costs what the lost and doubtful media hold.

use super::retry::Stop;
use crate::catalogue::Finding;
use crate::lost::{self, Lost, NAMED_MAX, OldBytes};
use crate::model::{ExtentId, JobId};
use sqlx::PgConnection;

/// Live versions whose every copy is on media that cannot be read, or should not be relied on. A part may come from
/// another copy that has the same bytes there, as a get takes it.
pub(super) async fn objects(on: &mut PgConnection) -> Result<Vec<Finding>, Stop> {
    let rows = sqlx::query!(
        r#"WITH away AS MATERIALIZED (
             SELECT id, name FROM medium WHERE adm_state = 'dead' OR health = 'failed'),
           broken AS MATERIALIZED (
             SELECT DISTINCT l.object_id, l.copy_no
               FROM away JOIN extent e ON e.medium = away.id AND e.state = 'sync' JOIN layout l ON l.extent = e.id
              WHERE NOT EXISTS (
                    SELECT 1 FROM layout l2 JOIN extent e2 ON e2.id = l2.extent
                     WHERE l2.object_id = l.object_id AND l2.index = l.index AND e2.blake3 = e.blake3
                       AND e2.medium NOT IN (SELECT id FROM away))),
           lost AS MATERIALIZED (
             SELECT o.id, o.oid, o.version FROM object o
              WHERE o.id IN (SELECT object_id FROM broken) AND o.purged_at IS NULL AND NOT EXISTS (
                    SELECT 1 FROM layout l WHERE l.object_id = o.id AND NOT EXISTS (
                           SELECT 1 FROM broken b WHERE b.object_id = l.object_id AND b.copy_no = l.copy_no))),
           named AS MATERIALIZED (SELECT * FROM lost ORDER BY oid, version LIMIT $1)
           SELECT o.oid || ' version ' || o.version AS "subject!", (SELECT count(*) FROM lost) AS "total!",
                  (SELECT string_agg(DISTINCT m.name, ', ' ORDER BY m.name)
                     FROM layout l JOIN extent e ON e.id = l.extent JOIN away m ON m.id = e.medium
                    WHERE l.object_id = o.id) AS "media!",
                  old.id AS "extent?", old.name AS "medium?", old.job AS "job?"
             FROM named o LEFT JOIN LATERAL (
                  SELECT old.id, m.name, v.job
                    FROM layout l JOIN extent e ON e.id = l.extent JOIN away ON away.id = e.medium
                    JOIN extent old ON old.object_id = e.object_id AND old.index = e.index AND old.blake3 = e.blake3
                     AND old.state = 'orphan'
                    JOIN medium m ON m.id = old.medium AND m.generation = old.generation AND m.adm_state <> 'erasing'
                     AND m.id NOT IN (SELECT id FROM away)
                    LEFT JOIN job_move v ON v.old_extent = old.id AND v.new_extent = e.id
                     AND v.state IN ('swapped', 'read_back')
                   WHERE l.object_id = o.id ORDER BY v.job DESC NULLS LAST, old.id LIMIT 1) old ON true
            ORDER BY o.oid, o.version"#,
        NAMED_MAX as i64
    )
    .fetch_all(&mut *on)
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let doubtful = doubtful(on).await?;
    let lost = rows.into_iter().map(|row| Lost {
        subject: row.subject,
        media: row.media,
        saved_by: row.extent.zip(row.medium).map(|(extent, medium)| OldBytes {
            extent: ExtentId(extent),
            medium,
            job: row.job.map(JobId),
        }),
    });
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(lost::findings(lost.collect(), count(total), count(doubtful)))
}

/// How many have no copy but on suspect and worse media.
async fn doubtful(on: &mut PgConnection) -> Result<i64, Stop> {
    Ok(sqlx::query_scalar!(
        r#"WITH away AS MATERIALIZED (
             SELECT id FROM medium WHERE adm_state = 'dead' OR health <> 'ok' OR presence = 'missing'),
           broken AS MATERIALIZED (
             SELECT DISTINCT l.object_id, l.copy_no
               FROM away JOIN extent e ON e.medium = away.id AND e.state = 'sync' JOIN layout l ON l.extent = e.id
              WHERE NOT EXISTS (
                    SELECT 1 FROM layout l2 JOIN extent e2 ON e2.id = l2.extent
                     WHERE l2.object_id = l.object_id AND l2.index = l.index AND e2.blake3 = e.blake3
                       AND e2.medium NOT IN (SELECT id FROM away)))
           SELECT count(*) AS "count!" FROM object o
            WHERE o.id IN (SELECT object_id FROM broken) AND o.purged_at IS NULL AND NOT EXISTS (
                  SELECT 1 FROM layout l WHERE l.object_id = o.id AND NOT EXISTS (
                         SELECT 1 FROM broken b WHERE b.object_id = l.object_id AND b.copy_no = l.copy_no))"#
    )
    .fetch_one(&mut *on)
    .await?)
}
