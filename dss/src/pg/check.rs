//! Every invariant as a query: the system's fsck. Reads rows only, never a byte of data; changes nothing.

use super::PgCatalogue;
use super::codec::{corrupt, stamp};
use super::events::broken_link;
use super::lost;
use super::retry::{Stop, reading};
use crate::catalogue::{Finding, Result, Severity};
use crate::model::{Blake3, ByteCount, Digests, ExtentId, Generation, MediumId};
use crate::overlap::{Laid, Overlaps, told};
use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::PgConnection;

/// What a query says of one thing.
struct Line {
    subject: String,
    detail: String,
}

/// More findings of one kind than anybody reads; the rest is one line.
const MOST: usize = 1_000;

struct Report(Vec<Finding>);

impl Report {
    fn add(&mut self, severity: Severity, invariant: &str, mut lines: Vec<Line>) {
        let more = lines.len().saturating_sub(MOST);
        lines.truncate(MOST);
        if more > 0 {
            lines.push(Line {
                subject: "and more".into(),
                detail: format!("at least {more} more of this kind"),
            });
        }
        self.0.extend(lines.into_iter().map(|line| Finding {
            severity,
            invariant: invariant.to_owned(),
            subject: line.subject,
            detail: line.detail,
        }));
    }
}

/// Runs one query of lines. A limit in the text keeps a ruined catalogue from filling memory.
macro_rules! lines {
    ($on:expr, $sql:literal $(, $arg:expr)*) => {
        sqlx::query_as!(Line, $sql $(, $arg)*).fetch_all(&mut *$on).await?
    };
}

/// Every finding.
pub(super) async fn findings(catalogue: &PgCatalogue, now: Timestamp) -> Result<Vec<Finding>> {
    Ok(reading!(catalogue, conn => {
        let mut report = Report(Vec::new());
        references(conn, &mut report).await?;
        objects(conn, &mut report).await?;
        media(conn, &mut report, now).await?;
        report.add(Severity::Warning, "used_bytes", miscounted(conn).await?);
        report.add(Severity::Warning, "unindexed", unindexed_nowhere(conn).await?);
        report.0.extend(lost::objects(conn).await?);
        report.add(Severity::Warning, "tape", nowhere_on_tape(conn).await?);
        report.add(Severity::Error, "I11", overlapping(conn).await?);
        let digests = inconsistent_digests(conn).await?;
        report.add(Severity::Error, "I3", digests);
        if let Some(why) = broken_link(conn).await? {
            report.add(Severity::Error, "event_chain", vec![Line { subject: "event log".into(), detail: why }]);
        }
        report.0.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        report.0
    }))
}

async fn references(on: &mut PgConnection, report: &mut Report) -> std::result::Result<(), Stop> {
    report.add(
        Severity::Error,
        "I1",
        lines!(
            on,
            r#"SELECT 'extent ' || l.extent AS "subject!",
                  'a layout entry of object ' || l.object_id || ' references it, and it is '
                    || coalesce(e.state::text, 'gone') AS "detail!"
             FROM layout l LEFT JOIN extent e ON e.id = l.extent
            WHERE e.state IS DISTINCT FROM 'sync' ORDER BY l.extent LIMIT 2000"#
        ),
    );
    report.add(
        Severity::Error,
        "I2",
        lines!(
            on,
            r#"SELECT 'extent ' || e.id AS "subject!", 'it is sync and no layout entry references it' AS "detail!"
             FROM extent e WHERE e.state = 'sync' AND NOT EXISTS (SELECT 1 FROM layout l WHERE l.extent = e.id)
            ORDER BY e.id LIMIT 2000"#
        ),
    );
    report.add(
        Severity::Error,
        "I2",
        lines!(
            on,
            r#"SELECT 'extent ' || e.id AS "subject!", 'it is pending and a layout entry references it' AS "detail!"
             FROM extent e WHERE e.state = 'pending' AND EXISTS (SELECT 1 FROM layout l WHERE l.extent = e.id)
            ORDER BY e.id LIMIT 2000"#
        ),
    );
    report.add(
        Severity::Warning,
        "I2",
        lines!(
            on,
            r#"SELECT 'extent ' || e.id AS "subject!",
                  'it is pending for an owner whose lease is over; the next job or put sweeps it' AS "detail!"
             FROM extent e WHERE e.state = 'pending' AND NOT EXISTS (
                  SELECT 1 FROM lease l WHERE l.key = 'medium/' || e.medium::text AND l.holder IS NOT NULL
                     AND l.epoch = e.owner_epoch) ORDER BY e.id LIMIT 2000"#
        ),
    );
    report.add(
        Severity::Note,
        "I11",
        lines!(
            on,
            r#"SELECT 'extent ' || e.id AS "subject!",
                  'an orphan at the address of live extent ' || live.id || '; its bytes are never removed by it'
                    AS "detail!"
             FROM extent e JOIN extent live ON live.medium = e.medium AND live.address = e.address
            WHERE e.state = 'orphan' AND live.state <> 'orphan' ORDER BY e.id LIMIT 2000"#
        ),
    );
    Ok(())
}

async fn objects(on: &mut PgConnection, report: &mut Report) -> std::result::Result<(), Stop> {
    report.add(
        Severity::Error,
        "I5",
        lines!(
            on,
            r#"SELECT o.oid || ' version ' || o.version AS "subject!", 'no copy of it is left' AS "detail!"
             FROM object o WHERE o.purged_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM layout l WHERE l.object_id = o.id) ORDER BY o.oid, o.version LIMIT 2000"#
        ),
    );
    report.add(Severity::Error, "I3", lines!(
        on,
        r#"SELECT o.oid || ' version ' || o.version AS "subject!",
                  'copy ' || c.copy_no || ' has ' || c.found || ' extents of ' || c.bytes || ' bytes in all; it should have '
                    || c.extents || ' of ' || o.bytes AS "detail!"
             FROM object o JOIN (
                  SELECT c.object_id, c.copy_no, c.extents, count(*) AS found, sum(e.bytes) AS bytes, max(l.index) AS top
                    FROM copy c JOIN layout l USING (object_id, copy_no) JOIN extent e ON e.id = l.extent
                   GROUP BY c.object_id, c.copy_no, c.extents) c ON c.object_id = o.id
            WHERE c.bytes <> o.bytes OR c.found <> c.extents OR c.top <> c.found - 1
            ORDER BY o.oid, o.version LIMIT 2000"#
    ));
    report.add(
        Severity::Error,
        "I10",
        lines!(
            on,
            r#"SELECT DISTINCT o.oid || ' version ' || o.version AS "subject!",
                  'two of its copies are on medium ' || m.name AS "detail!"
             FROM layout l JOIN extent e ON e.id = l.extent
             JOIN layout l2 ON l2.object_id = l.object_id AND l2.copy_no > l.copy_no
             JOIN extent e2 ON e2.id = l2.extent AND e2.medium = e.medium
             JOIN object o ON o.id = l.object_id JOIN medium m ON m.id = e.medium LIMIT 2000"#
        ),
    );
    report.add(
        Severity::Warning,
        "durability",
        lines!(
            on,
            r#"SELECT o.oid || ' version ' || o.version AS "subject!",
                  'it has ' || c.found || ' of ' || o.copies || ' copies' AS "detail!"
             FROM object o JOIN (SELECT object_id, count(DISTINCT copy_no) AS found FROM layout GROUP BY object_id) c
               ON c.object_id = o.id
            WHERE c.found < o.copies AND o.deleted_at IS NULL ORDER BY o.oid LIMIT 2000"#
        ),
    );
    report.add(Severity::Error, "versions", lines!(
        on,
        r#"SELECT o.oid || ' version ' || o.version AS "subject!", 'it was purged and still has a layout' AS "detail!"
             FROM object o WHERE o.purged_at IS NOT NULL AND EXISTS
                  (SELECT 1 FROM layout l WHERE l.object_id = o.id) ORDER BY o.oid LIMIT 2000"#
    ));
    Ok(())
}

async fn media(on: &mut PgConnection, report: &mut Report, now: Timestamp) -> std::result::Result<(), Stop> {
    report.add(
        Severity::Error,
        "I6",
        lines!(
            on,
            r#"SELECT 'medium ' || m.name AS "subject!",
                  count(*) || ' live or pending extents, and it is ' || m.adm_state || ' at generation ' || m.generation
                    AS "detail!"
             FROM extent e JOIN medium m ON m.id = e.medium
            WHERE e.state <> 'orphan' AND (m.adm_state = 'erasing' OR m.generation <> e.generation)
              AND NOT (m.standing = 'ahead' AND m.generation > e.generation)
            GROUP BY m.id ORDER BY m.name LIMIT 2000"#
        ),
    );
    report.add(
        Severity::Warning,
        "I6",
        lines!(
            on,
            r#"SELECT 'medium ' || name AS "subject!", 'it is being erased; it may only be erased again' AS "detail!"
             FROM medium WHERE adm_state = 'erasing' ORDER BY name LIMIT 2000"#
        ),
    );
    report.add(
        Severity::Warning,
        "medium",
        lines!(
            on,
            r#"SELECT 'medium ' || m.name AS "subject!",
                  count(*) || ' live extents, and it is ' || CASE WHEN m.adm_state IN ('dead', 'retired')
                    THEN m.adm_state::text WHEN m.health <> 'ok' THEN m.health::text ELSE m.presence::text END
                    AS "detail!"
             FROM medium m JOIN extent e ON e.medium = m.id AND e.state = 'sync'
            WHERE m.adm_state IN ('dead', 'retired') OR m.health <> 'ok' OR m.presence IN ('unseen', 'missing')
            GROUP BY m.id ORDER BY m.name LIMIT 2000"#
        ),
    );
    report.add(
        Severity::Error,
        "E-16",
        lines!(
            on,
            r#"SELECT 'medium ' || name AS "subject!", CASE standing
                    WHEN 'ahead' THEN 'it saw a history that this catalogue does not have: the catalogue was restored from '
                         || 'an older backup. Nothing is erased, swept or purged before `respool medium import ' || name
                         || ' --reconcile`'
                    ELSE 'it was not compared with the catalogue since that was restored: nothing is erased, swept or '
                         || 'purged before it is attached, or declared dead' END AS "detail!"
             FROM medium WHERE standing <> 'level' AND adm_state <> 'dead' ORDER BY name LIMIT 2000"#
        ),
    );
    report.add(
        Severity::Error,
        "jobs",
        lines!(
            on,
            r#"SELECT 'job ' || s.job AS "subject!", 'it is ' || j.state || ' and holds its sources' AS "detail!"
             FROM job_source s JOIN job j ON j.id = s.job
            WHERE s.active AND j.state IN ('done', 'done_with_skips', 'failed', 'cancelled', 'restored')
            ORDER BY s.job LIMIT 2000"#
        ),
    );
    report.add(
        Severity::Warning,
        "I7",
        lines!(
            on,
            r#"SELECT 'lease ' || key AS "subject!", 'it ended and nobody took it over' AS "detail!"
             FROM lease WHERE holder IS NOT NULL AND expires_at + interval '1 day' < $1 ORDER BY key LIMIT 2000"#,
            stamp(now) as _
        ),
    );
    Ok(())
}

/// Media whose sum is not that of their extents: nothing is lost by it, but puts look for room where there is none, or
/// not where there is.
async fn miscounted(on: &mut PgConnection) -> std::result::Result<Vec<Line>, Stop> {
    Ok(lines!(
        on,
        r#"SELECT 'medium ' || coalesce(m.name, s.medium::text) AS "subject!",
                  'its extents have ' || s.bytes || ' bytes, and ' || s.counted || ' are counted' AS "detail!"
             FROM (SELECT medium, coalesce(e.bytes, 0) AS bytes, coalesce(u.bytes, 0) AS counted
                     FROM (SELECT medium, sum(bytes) AS bytes FROM extent GROUP BY medium) e
                     FULL JOIN (SELECT medium, sum(bytes) AS bytes FROM medium_used GROUP BY medium) u USING (medium)) s
             LEFT JOIN medium m ON m.id = s.medium
            WHERE s.bytes <> s.counted ORDER BY 1 LIMIT 2000"#
    ))
}

/// What is on the list of extents that no index names and is no extent of that medium: nothing is lost by it, but it is
/// passed whenever the medium's list is read, and never struck.
async fn unindexed_nowhere(on: &mut PgConnection) -> std::result::Result<Vec<Line>, Stop> {
    Ok(lines!(
        on,
        r#"SELECT 'extent ' || u.extent AS "subject!",
                  'it is on the list of what the index of medium ' || coalesce(m.name, u.medium::text)
                    || ' does not name yet, and it is ' || CASE WHEN e.id IS NULL THEN 'gone' ELSE 'on another medium' END
                    AS "detail!"
             FROM extent_unindexed u LEFT JOIN extent e ON e.id = u.extent LEFT JOIN medium m ON m.id = u.medium
            WHERE e.medium IS DISTINCT FROM u.medium ORDER BY u.extent, u.medium LIMIT 2000"#
    ))
}

/// Live extents of which is not known where on their tape they lie: without its index they cannot be read. Tapes that
/// respool never wrote an index to are other software's, whose files need not all have a place that can be told.
async fn nowhere_on_tape(on: &mut PgConnection) -> std::result::Result<Vec<Line>, Stop> {
    Ok(lines!(
        on,
        r#"SELECT 'extent ' || e.id AS "subject!",
                  'it is not known where on medium ' || m.name || ' it lies: only the index of the tape tells' AS "detail!"
             FROM medium m JOIN extent e ON e.medium = m.id AND e.state = 'sync'
            WHERE m.family = 'tape' AND m.revision > 0 AND e.span IS NULL ORDER BY e.id LIMIT 2000"#
    ))
}

/// Extents that are said to lie on the same bytes of a tape, of which at most one can be right. Other software may have
/// files share bytes, so this is asked of tapes that respool wrote. The server sorts, on its disk where there is much, and
/// one stretch is kept here: the cost is that of the extents on tape, as that of the rest of the check.
async fn overlapping(on: &mut PgConnection) -> std::result::Result<Vec<Line>, Stop> {
    let mut rows = sqlx::query!(
        r#"SELECT e.id, e.medium, m.name, e.generation, s.one AS "one!"
             FROM medium m JOIN extent e ON e.medium = m.id AND e.state <> 'pending'
            CROSS JOIN LATERAL string_to_table(e.span, ',') AS s (one)
            WHERE m.family = 'tape' AND m.revision > 0
            ORDER BY e.medium, e.generation, split_part(s.one, ':', 1)::int,
                     split_part(split_part(s.one, ':', 2), '+', 1)::bigint,
                     split_part(split_part(s.one, '+', 2), '*', 1)::bigint, e.id"#
    )
    .fetch(on);
    let (mut lines, mut overlaps) = (Vec::new(), Overlaps::default());
    while let Some(row) = rows.try_next().await? {
        let extent = ExtentId(row.id);
        for stretch in super::codec::span(extent, &row.one)?.0 {
            let laid = Laid {
                tape: MediumId(row.medium),
                generation: Generation(row.generation),
                stretch,
                extent,
            };
            let before = overlaps.next(laid).filter(|_| lines.len() <= MOST);
            lines.extend(before.map(|before| Line {
                subject: format!("extent {extent}"),
                detail: told(extent, &before, &row.name),
            }));
        }
    }
    Ok(lines)
}

/// Length, number of chunks, and the chunks combined to the whole, of every extent that has digests.
async fn inconsistent_digests(on: &mut PgConnection) -> std::result::Result<Vec<Line>, Stop> {
    let mut lines = Vec::new();
    let mut rows = sqlx::query!(
        r#"SELECT id, bytes, blake3 AS "blake3!", crc32 AS "crc32!", chunk_crcs AS "chunk_crcs!" FROM extent
            WHERE blake3 IS NOT NULL"#
    )
    .fetch(on);
    while let Some(row) = rows.try_next().await? {
        let digests = Digests {
            bytes: ByteCount::from_i64(row.bytes),
            blake3: Blake3::from_slice(&row.blake3).ok_or_else(|| corrupt("a digest's length"))?,
            crc32: u32::try_from(row.crc32).map_err(|_| corrupt("a CRC's range"))?,
            chunk_crcs: Digests::chunk_crcs_from_bytes(&row.chunk_crcs).ok_or_else(|| corrupt("chunk CRCs"))?,
        };
        if !digests.is_consistent() && lines.len() <= MOST {
            lines.push(Line {
                subject: format!("extent {}", row.id),
                detail: format!("its size ({} bytes), chunk CRCs and CRC do not agree", row.bytes),
            });
        }
    }
    Ok(lines)
}
