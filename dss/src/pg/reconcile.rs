//! E-16: media that saw a history which this catalogue does not have, because it was restored from an older backup.
//! Finds them by their stamps, keeps everything from being destroyed meanwhile, and takes over what they hold.

use super::events::append;
use super::retry::{Stop, reading, repeat};
use super::{PgCatalogue, events, locks, media, records};
use crate::catalogue::{CatalogueError, Gone, Result, erased_since, not_given_up, source_given_up};
use crate::model::{
    Blake3, Compared, EventHead, Extent, ExtentId, Generation, Health, Hold, JobError, Known, Medium, MediumId, Oid,
    ReadBack, Revision, Seen, Stamp, Standing, Version,
};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// Events sealed in one transaction.
const SEALED_AT_ONCE: u32 = 1_000;
/// More names than anybody reads.
const NAMED: i64 = 10;

/// Seals what is committed; answers the end of the chain and the revision.
pub(super) async fn stamp(catalogue: &PgCatalogue) -> Result<Stamp> {
    while events::seal(catalogue, SEALED_AT_ONCE).await? == u64::from(SEALED_AT_ONCE) {}
    Ok(repeat!(catalogue, "stamp", tx => {
        let revision = sqlx::query_scalar!(
            r#"SELECT (CASE WHEN is_called THEN last_value ELSE 0 END) AS "revision!" FROM revision"#
        )
        .fetch_one(tx.on())
        .await?;
        // A commit that writes: it makes durable whatever raised the revision before it was read, too.
        let row = sqlx::query!("UPDATE catalogue SET chain_length = chain_length RETURNING chain_length, chain_head")
            .fetch_one(tx.on())
            .await?;
        tx.commit().await?;
        let hash = Blake3::from_slice(&row.chain_head).ok_or_else(|| super::codec::corrupt("the event chain's head"))?;
        Stamp { revision: Revision(revision), head: EventHead { link: row.chain_length, hash } }
    }))
}

/// Compares a medium with the catalogue, and keeps what came of it.
pub(super) async fn compare(catalogue: &PgCatalogue, medium: MediumId, seen: Seen, now: Timestamp) -> Result<Compared> {
    let (row, compared) = reading!(catalogue, conn => {
        let row = media::fetch(conn, medium).await?;
        let known = known(conn, &row, &seen).await?;
        (row, known.compare(&seen))
    });
    match &compared {
        Compared::Level => {}
        Compared::Ahead { .. } if row.standing == Standing::Ahead => {}
        Compared::Ahead { why } => mark_ahead(catalogue, medium, why, now).await?,
        Compared::Behind { why } => {
            unread(catalogue, medium, why, now).await?;
            if row.health == Health::Ok {
                media::suspect(catalogue, medium, why, now).await?;
            }
        }
    }
    Ok(compared)
}

async fn known(on: &mut PgConnection, row: &Medium, seen: &Seen) -> std::result::Result<Known, Stop> {
    let (link, hash) = match seen.head {
        Some(head) => (head.link, head.hash.0),
        None => (0, [0; 32]),
    };
    let found = sqlx::query!(
        r#"SELECT (CASE WHEN r.is_called THEN r.last_value ELSE 0 END) AS "revision!",
                  $1::bigint = 0 OR EXISTS (SELECT 1 FROM event e WHERE e.link = $1 AND e.this_hash = $2) AS "head!"
             FROM revision r"#,
        link,
        &hash[..]
    )
    .fetch_one(on)
    .await?;
    Ok(Known {
        generation: row.generation,
        written: row.revision,
        revision: Revision(found.revision),
        head: found.head,
    })
}

/// What was read back from a medium was not read from the image of it that is there now. Of its own, and first: a medium
/// that is suspect, failing or failed already is not made suspect again.
async fn unread(catalogue: &PgCatalogue, medium: MediumId, why: &str, now: Timestamp) -> Result<()> {
    repeat!(catalogue, "compare_medium", tx => {
        let row = media::lock(tx.on(), medium).await?;
        let unread = sqlx::query!(
            "UPDATE extent SET verified_at = NULL WHERE medium = $1 AND verified_at IS NOT NULL",
            medium.0
        )
        .execute(tx.on())
        .await?
        .rows_affected();
        if unread > 0 {
            append(tx.on(), now, "medium.behind", &row.name, json!({ "why": why, "unread": unread })).await?;
            tx.commit().await?;
        }
    });
    Ok(())
}

async fn mark_ahead(catalogue: &PgCatalogue, medium: MediumId, why: &str, now: Timestamp) -> Result<()> {
    repeat!(catalogue, "compare_medium", tx => {
        let row = media::lock(tx.on(), medium).await?;
        if row.standing != Standing::Ahead {
            become_ahead(tx.on(), &row, why, now).await?;
            tx.commit().await?;
        }
    });
    Ok(())
}

/// An orphan here may be what a layout of the lost history needs, and a put that was under way may have ended well.
async fn become_ahead(on: &mut PgConnection, row: &Medium, why: &str, now: Timestamp) -> std::result::Result<(), Stop> {
    sqlx::query!("UPDATE medium SET standing = 'ahead' WHERE id = $1", row.id.0)
        .execute(&mut *on)
        .await?;
    let uncommitted = sqlx::query!(
        "DELETE FROM extent WHERE medium = $1 AND state = 'orphan' AND blake3 IS NULL",
        row.id.0
    )
    .execute(&mut *on)
    .await?;
    let held = sqlx::query!(
        "UPDATE extent SET hold_until = NULL, hold_forever = true WHERE medium = $1 AND state = 'orphan'",
        row.id.0
    )
    .execute(&mut *on)
    .await?;
    let detail = json!({ "why": why, "held": held.rows_affected(), "forgotten": uncommitted.rows_affected() });
    append(on, now, "medium.ahead", &row.name, detail).await
}

/// Moves a medium's standing.
pub(super) async fn set_standing(
    catalogue: &PgCatalogue,
    medium: MediumId,
    (from, to): (Standing, Standing),
    why: &str,
    now: Timestamp,
) -> Result<Medium> {
    Ok(repeat!(catalogue, "set_standing", tx => {
        let row = media::lock(tx.on(), medium).await?;
        if row.standing != from {
            let why = format!("it is {}, not {from}", row.standing);
            return Err(CatalogueError::Conflict { subject: format!("medium {}", row.name), why }.into());
        }
        match to {
            Standing::Ahead => become_ahead(tx.on(), &row, why, now).await?,
            Standing::Level | Standing::Unseen => {
                forget_erased(tx.on(), &row, to).await?;
                sqlx::query!(
                    "UPDATE medium SET standing = ($2::text)::standing WHERE id = $1",
                    medium.0, to.as_str()
                )
                .execute(tx.on())
                .await?;
                let detail = json!({ "why": why, "from": from, "to": to });
                append(tx.on(), now, "medium.standing", &row.name, detail).await?;
            }
        }
        let changed = media::fetch(tx.on(), medium).await?;
        tx.commit().await?;
        changed
    }))
}

/// What is left of earlier generations has no bytes: before a medium is level nothing may need it, and it goes.
async fn forget_erased(on: &mut PgConnection, row: &Medium, to: Standing) -> std::result::Result<(), Stop> {
    if to != Standing::Level {
        return Ok(());
    }
    let needed = sqlx::query_scalar!(
        r#"SELECT count(*) AS "needed!" FROM extent WHERE medium = $1 AND state <> 'orphan' AND generation < $2"#,
        row.id.0,
        row.generation.0
    )
    .fetch_one(&mut *on)
    .await?;
    if needed > 0 {
        let why = format!("layouts name {needed} extents that it lost when it was erased");
        let subject = format!("medium {}", row.name);
        return Err(CatalogueError::Conflict { subject, why }.into());
    }
    drop_erased(on, row.id, row.generation).await
}

/// Rows of earlier generations that no layout names.
async fn drop_erased(on: &mut PgConnection, medium: MediumId, now: Generation) -> std::result::Result<(), Stop> {
    sqlx::query!(
        "DELETE FROM extent WHERE medium = $1 AND generation < $2 AND state = 'orphan'",
        medium.0,
        now.0
    )
    .execute(on)
    .await?;
    Ok(())
}

/// Refuses what destroys bytes or rows while any medium is in doubt. Media that are lost hold nothing up.
pub(super) async fn refuse_in_doubt(on: &mut PgConnection) -> std::result::Result<(), Stop> {
    let names = sqlx::query_scalar!(
        "SELECT name FROM medium WHERE standing <> 'level' AND adm_state <> 'dead' ORDER BY name LIMIT $1",
        NAMED
    )
    .fetch_all(on)
    .await?;
    match names.is_empty() {
        true => Ok(()),
        false => Err(CatalogueError::InDoubt(names.join(", ")).into()),
    }
}

/// Makes the revision at least one that a medium bears, and never less than it is. Nobody draws from the sequence
/// between the look at it and its change: altering it, even to what it is, waits for them and makes them wait.
pub(super) async fn raise_revision(catalogue: &PgCatalogue, above: Revision) -> Result<()> {
    repeat!(catalogue, "raise_revision", tx => {
        let below = sqlx::query_scalar!(r#"SELECT last_value < $1 AS "below!" FROM revision"#, above.0)
            .fetch_one(tx.on())
            .await?;
        if below {
            sqlx::query!("ALTER SEQUENCE revision INCREMENT BY 1").execute(tx.on()).await?;
            sqlx::query!(
                r#"SELECT setval('revision', $1) AS "at!" FROM revision WHERE last_value < $1"#,
                above.0
            )
            .fetch_optional(tx.on())
            .await?;
        }
        tx.commit().await?
    });
    Ok(())
}

/// Orphans of the same place and digests as these.
pub(super) async fn stand_ins(catalogue: &PgCatalogue, gone: &[ExtentId]) -> Result<Vec<(ExtentId, Extent)>> {
    let gone: Vec<Uuid> = gone.iter().map(|id| id.0).collect();
    Ok(reading!(catalogue, conn => {
        let pairs = sqlx::query!(
            r#"SELECT o.id AS old, n.id AS new FROM extent o
                 JOIN extent n ON n.object_id = o.object_id AND n.copy_no = o.copy_no AND n.index = o.index
                WHERE o.id = ANY ($1) AND n.state = 'orphan' AND n.blake3 = o.blake3 AND n.bytes = o.bytes
                  AND n.crc32 = o.crc32 AND n.chunk_crcs = o.chunk_crcs
                  AND (n.oid, n.version) = (o.oid, o.version)
                ORDER BY o.id, n.id"#,
            &gone
        )
        .fetch_all(&mut *conn)
        .await?;
        let news: Vec<Uuid> = pairs.iter().map(|pair| pair.new).collect();
        let rows = super::codec::extent_rows!("WHERE e.id = ANY ($1)", &news).fetch_all(&mut *conn).await?;
        let rows: Vec<Extent> = super::codec::all(rows)?;
        let rows: BTreeMap<ExtentId, Extent> = rows.into_iter().map(|one| (one.id, one)).collect();
        let found = |new: Uuid| rows.get(&ExtentId(new)).cloned();
        pairs.iter().filter_map(|pair| Some((ExtentId(pair.old), found(pair.new)?))).collect()
    }))
}

/// Points layouts to extents found elsewhere, whose bytes were just read.
pub(super) async fn repoint_found(
    catalogue: &PgCatalogue,
    pairs: &[(ExtentId, ReadBack)],
    now: Timestamp,
) -> Result<Vec<bool>> {
    let olds: Vec<Uuid> = pairs.iter().map(|(old, _)| old.0).collect();
    let news: Vec<Uuid> = pairs.iter().map(|(_, new)| new.extent().0).collect();
    Ok(repeat!(catalogue, "repoint_found", tx => {
        lock_both(tx.on(), &olds, &news).await?;
        let fit = sqlx::query!(
            r#"SELECT p.old AS "old!", p.new AS "new!" FROM unnest($1::uuid[], $2::uuid[]) AS p (old, new)
                 JOIN extent o ON o.id = p.old AND o.state = 'sync'
                 JOIN extent n ON n.id = p.new AND n.state = 'orphan'
                 JOIN medium m ON m.id = n.medium AND m.generation = n.generation
                      AND m.adm_state NOT IN ('erasing', 'dead')
                WHERE n.blake3 = o.blake3 AND n.bytes = o.bytes AND n.crc32 = o.crc32 AND n.chunk_crcs = o.chunk_crcs
                  AND (n.object_id, n.copy_no, n.index) = (o.object_id, o.copy_no, o.index)
                  AND NOT EXISTS (SELECT 1 FROM layout l WHERE l.extent = o.id
                                     AND copies_share_medium(l.object_id, l.copy_no, n.medium))"#,
            &olds,
            &news
        )
        .fetch_all(tx.on())
        .await?;
        // Each old extent once, each new one once: the first pair that fits.
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for row in &fit {
            if !from.contains(&row.old) && !to.contains(&row.new) {
                from.push(row.old);
                to.push(row.new);
            }
        }
        if !from.is_empty() {
            repoint(tx.on(), &from, &to, now).await?;
            append(tx.on(), now, "layout.repointed", "reconcile", json!({ "extents": from.len() })).await?;
            tx.commit().await?;
        }
        let done = |old: &Uuid, new: &Uuid| from.iter().zip(&to).any(|(from, to)| (from, to) == (old, new));
        olds.iter().zip(&news).map(|(old, new)| done(old, new)).collect()
    }))
}

async fn lock_both(on: &mut PgConnection, olds: &[Uuid], news: &[Uuid]) -> std::result::Result<(), Stop> {
    let both: Vec<Uuid> = olds.iter().chain(news).copied().collect();
    let used = sqlx::query_scalar!("SELECT DISTINCT medium FROM extent WHERE id = ANY ($1)", &both)
        .fetch_all(&mut *on)
        .await?;
    locks::media(on, &used.into_iter().map(MediumId).collect::<BTreeSet<_>>()).await?;
    let objects = sqlx::query_scalar!("SELECT DISTINCT object_id FROM layout WHERE extent = ANY ($1)", olds)
        .fetch_all(&mut *on)
        .await?;
    locks::objects(on, &objects).await?;
    locks::extents(on, &both).await
}

/// New extents to *sync*, layouts to them, old ones to *orphan*: in this order no constraint is ever broken.
async fn repoint(on: &mut PgConnection, from: &[Uuid], to: &[Uuid], now: Timestamp) -> std::result::Result<(), Stop> {
    sqlx::query!(
        "UPDATE extent SET state = 'sync', hold_until = NULL, hold_forever = false, verified_at = $2 WHERE id = ANY ($1)",
        to,
        super::codec::stamp(now) as _
    )
    .execute(&mut *on)
    .await?;
    sqlx::query!(
        "UPDATE layout SET extent = s.new FROM unnest($1::uuid[], $2::uuid[]) AS s (old, new)
          WHERE layout.extent = s.old",
        from,
        to
    )
    .execute(&mut *on)
    .await?;
    records::orphan(&mut *on, from, Hold::Forever).await?;
    // They were read there.
    sqlx::query_scalar!(
        "SELECT strike_unindexed(e.medium, array_agg(e.id)) FROM extent e WHERE e.id = ANY ($1)
          GROUP BY e.medium ORDER BY e.medium",
        to
    )
    .fetch_all(on)
    .await?;
    Ok(())
}

/// Takes over the generation of a medium that was erased since the backup was made.
pub(super) async fn take_generation(
    catalogue: &PgCatalogue,
    medium: MediumId,
    generation: Generation,
    now: Timestamp,
) -> Result<Medium> {
    Ok(repeat!(catalogue, "take_generation", tx => {
        let row = media::lock(tx.on(), medium).await?;
        let pending = sqlx::query_scalar!(
            r#"SELECT count(*) AS "pending!" FROM extent WHERE medium = $1 AND state = 'pending'"#,
            medium.0
        )
        .fetch_one(tx.on())
        .await?;
        if pending > 0 || generation < row.generation || row.standing == Standing::Level {
            let why = format!("generation {generation} is not taken over: it is {}, with {pending} pending extents",
                row.standing);
            return Err(CatalogueError::Conflict { subject: format!("medium {}", row.name), why }.into());
        }
        drop_erased(tx.on(), medium, generation).await?;
        sqlx::query!(
            // What was quarantined, or about to be erased, has been erased.
            "UPDATE medium SET generation = $2, fs_state = 'used', quarantined_until = NULL, emptied_by = NULL,
                    adm_state = CASE WHEN adm_state IN ('erasing', 'quarantined')
                                THEN coalesce(operator_state, 'in_service') ELSE adm_state END,
                    operator_state = CASE WHEN adm_state IN ('erasing', 'quarantined') THEN NULL ELSE operator_state END
              WHERE id = $1",
            medium.0, generation.0
        )
        .execute(tx.on())
        .await?;
        let detail = json!({ "from": row.generation, "to": generation });
        append(tx.on(), now, "medium.generation_taken", &row.name, detail).await?;
        end_waiting_jobs(tx.on(), &row, erased_since(&row.name), now).await?;
        let changed = media::fetch(tx.on(), medium).await?;
        tx.commit().await?;
        changed
    }))
}

/// Declares a medium dead that waits to be erased and will not be.
pub(super) async fn give_up(catalogue: &PgCatalogue, medium: MediumId, why: &str, now: Timestamp) -> Result<Medium> {
    Ok(repeat!(catalogue, "give_up", tx => {
        let row = media::lock(tx.on(), medium).await?;
        if let Some(why) = not_given_up(&row) {
            return Err(CatalogueError::Conflict { subject: format!("medium {}", row.name), why }.into());
        }
        sqlx::query!(
            "UPDATE medium SET adm_state = 'dead', health = 'failed', presence = 'missing', quarantined_until = NULL,
                    emptied_by = NULL, operator_state = NULL
              WHERE id = $1",
            medium.0
        )
        .execute(tx.on())
        .await?;
        append(tx.on(), now, "medium.given_up", &row.name, json!({ "why": why, "from": row.adm_state })).await?;
        end_waiting_jobs(tx.on(), &row, source_given_up(&row.name), now).await?;
        let changed = media::fetch(tx.on(), medium).await?;
        tx.commit().await?;
        changed
    }))
}

/// Jobs that waited to erase this medium, which will not happen any more, and have no other source to erase.
async fn end_waiting_jobs(
    on: &mut PgConnection,
    row: &Medium,
    error: JobError,
    now: Timestamp,
) -> std::result::Result<(), Stop> {
    let ended = sqlx::query_scalar!(
        "UPDATE job SET state = 'failed', control = 'run', error = coalesce(error, $2), finished_at = $3
          WHERE state IN ('quarantined', 'reclaiming')
            AND EXISTS (SELECT 1 FROM job_source s WHERE s.job = job.id AND s.medium = $1)
            AND NOT EXISTS (SELECT 1 FROM job_source s JOIN medium m ON m.id = s.medium
                             WHERE s.job = job.id AND m.adm_state IN ('quarantined', 'erasing'))
          RETURNING id",
        row.id.0,
        super::codec::to_json(&error),
        super::codec::stamp(now) as _
    )
    .fetch_all(&mut *on)
    .await?;
    sqlx::query!(
        "UPDATE job_source SET active = false WHERE job = ANY ($1) AND active",
        &ended
    )
    .execute(&mut *on)
    .await?;
    for job in ended {
        let detail = json!({ "to": "failed", "why": error.code, "medium": row.name });
        append(on, now, "job.failed", &job.to_string(), detail).await?;
    }
    Ok(())
}

/// Ends copies whose bytes are nowhere.
pub(super) async fn forget_gone(
    catalogue: &PgCatalogue,
    medium: MediumId,
    extents: &[ExtentId],
    now: Timestamp,
) -> Result<Gone> {
    let asked: Vec<Uuid> = extents.iter().map(|id| id.0).collect();
    Ok(repeat!(catalogue, "forget_gone", tx => {
        let row = media::lock(tx.on(), medium).await?;
        if row.standing == Standing::Level {
            let why = "it is level: nothing on it is missing".to_owned();
            return Err(CatalogueError::Conflict { subject: format!("medium {}", row.name), why }.into());
        }
        let gone = sqlx::query_scalar!(
            "SELECT id FROM extent WHERE id = ANY ($1) AND medium = $2 AND state = 'sync'",
            &asked, medium.0
        )
        .fetch_all(tx.on())
        .await?;
        let copies = sqlx::query!("SELECT DISTINCT object_id, copy_no FROM layout WHERE extent = ANY ($1)", &gone)
            .fetch_all(tx.on())
            .await?;
        let objects: Vec<Uuid> = copies.iter().map(|row| row.object_id).collect();
        let numbers: Vec<i16> = copies.iter().map(|row| row.copy_no).collect();
        locks::objects(tx.on(), &objects).await?;
        let freed = sqlx::query_scalar!(
            "DELETE FROM layout l USING unnest($1::uuid[], $2::smallint[]) AS d (object_id, copy_no)
              WHERE l.object_id = d.object_id AND l.copy_no = d.copy_no RETURNING l.extent",
            &objects, &numbers
        )
        .fetch_all(tx.on())
        .await?;
        let bare = sqlx::query_scalar!(
            r#"SELECT x.id AS "id!" FROM unnest($1::uuid[]) AS x (id)
                WHERE NOT EXISTS (SELECT 1 FROM layout l WHERE l.extent = x.id)"#,
            &freed
        )
        .fetch_all(tx.on())
        .await?;
        records::orphan(tx.on(), &bare, Hold::Forever).await?;
        // The same bytes elsewhere are what an import can bring it back from.
        sqlx::query!(
            "UPDATE extent n SET hold_until = NULL, hold_forever = true FROM extent o
              WHERE o.id = ANY ($1) AND o.state = 'orphan' AND n.state = 'orphan' AND n.id <> o.id
                AND (n.object_id, n.copy_no, n.index) = (o.object_id, o.copy_no, o.index) AND n.blake3 = o.blake3",
            &gone
        )
        .execute(tx.on())
        .await?;
        sqlx::query!("DELETE FROM extent WHERE id = ANY ($1) AND state = 'orphan'", &gone).execute(tx.on()).await?;
        sqlx::query!(
            "DELETE FROM copy c USING unnest($1::uuid[], $2::smallint[]) AS d (object_id, copy_no)
              WHERE c.object_id = d.object_id AND c.copy_no = d.copy_no",
            &objects, &numbers
        )
        .execute(tx.on())
        .await?;
        let ended = sqlx::query!(
            "DELETE FROM object o WHERE o.id = ANY ($1) AND NOT EXISTS (SELECT 1 FROM layout l WHERE l.object_id = o.id)
             RETURNING oid, version",
            &objects
        )
        .fetch_all(tx.on())
        .await?;
        let mut versions = Vec::with_capacity(ended.len());
        for row in ended {
            let oid = Oid::new(&row.oid).map_err(|_| super::codec::corrupt("an object's name"))?;
            let detail = json!({ "version": row.version, "why": "its bytes are nowhere" });
            append(tx.on(), now, "object.forgotten", &row.oid, detail).await?;
            versions.push((oid, Version(row.version)));
        }
        versions.sort();
        let gone = Gone { copies: (copies.len() - versions.len()) as u64, versions };
        append(tx.on(), now, "copies.forgotten", "reconcile", json!({ "copies": copies.len() })).await?;
        tx.commit().await?;
        gone
    }))
}
