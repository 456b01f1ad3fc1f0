//! Media: their rows, and what they hold.

use super::PgCatalogue;
use super::codec::{Stamp, count, stamp, word};
use super::events::append;
use super::locks::no_medium;
use super::retry::{Stop, reading, repeat};
use crate::catalogue::{CatalogueError, MediumChange, NewMedium, Result};
use crate::model::medium::{ExtentCounts, Usage, operator_may_set};
use crate::model::{
    AdmState, ByteCount, Family, FsState, Generation, Health, JobId, Location, Medium, MediumId, Presence, Revision,
};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::BTreeMap;

struct MediumRow {
    id: Uuid,
    name: String,
    family: String,
    technology: String,
    format: String,
    path: String,
    dock: Option<String>,
    library: Option<String>,
    tags: Vec<String>,
    groupings: Vec<String>,
    class: Option<String>,
    adm_state: String,
    locked: bool,
    health: String,
    presence: String,
    fs_state: String,
    generation: i64,
    capacity: Option<i64>,
    revision: i64,
    quarantined_until: Option<Stamp>,
    standing: String,
    emptied_by: Option<i64>,
    doubts: i32,
    created_at: Stamp,
}

macro_rules! medium_rows {
    ($tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            MediumRow,
            r#"SELECT m.id, m.name, m.family::text AS "family!", m.technology,
                m.format::text AS "format!", m.path, m.dock, m.library, m.tags,
                ARRAY(SELECT g.name FROM medium_grouping g WHERE g.medium = m.id ORDER BY g.name) AS "groupings!",
                m.class, m.adm_state::text AS "adm_state!", m.locked, m.health::text AS "health!",
                m.presence::text AS "presence!", m.fs_state::text AS "fs_state!", m.generation, m.capacity,
                m.revision, m.standing::text AS "standing!", m.quarantined_until AS "quarantined_until: Stamp", m.emptied_by,
                m.doubts, m.created_at AS "created_at: Stamp" FROM medium m "# + $tail
            $(, $arg)*
        )
    };
}

impl TryFrom<MediumRow> for Medium {
    type Error = CatalogueError;

    fn try_from(row: MediumRow) -> Result<Self> {
        Ok(Self {
            id: MediumId(row.id),
            name: row.name,
            family: word(&row.family)?,
            technology: row.technology,
            format: word(&row.format)?,
            location: Location {
                path: row.path,
                dock: row.dock,
                library: row.library,
            },
            tags: row.tags.into_iter().collect(),
            groupings: row.groupings.into_iter().collect(),
            class: row.class,
            adm_state: word(&row.adm_state)?,
            locked: row.locked,
            health: word(&row.health)?,
            presence: word(&row.presence)?,
            fs_state: word(&row.fs_state)?,
            generation: Generation(row.generation),
            capacity: row.capacity.map(ByteCount::from_i64),
            revision: Revision(row.revision),
            standing: word(&row.standing)?,
            quarantined_until: row.quarantined_until.map(Stamp::to_jiff),
            emptied_by: row.emptied_by.map(JobId),
            doubts: row.doubts,
            created_at: row.created_at.to_jiff(),
        })
    }
}

/// One medium, inside a transaction.
pub(super) async fn fetch(on: &mut PgConnection, id: MediumId) -> std::result::Result<Medium, Stop> {
    match medium_rows!("WHERE m.id = $1", id.0).fetch_optional(on).await? {
        Some(row) => Ok(row.try_into()?),
        None => Err(no_medium(id).into()),
    }
}

/// Adds a medium.
pub(super) async fn add(catalogue: &PgCatalogue, medium: NewMedium, now: Timestamp) -> Result<Medium> {
    let tags: Vec<String> = medium.tags.iter().cloned().collect();
    Ok(repeat!(catalogue, "add_medium", tx => {
        let added = sqlx::query!(
            "INSERT INTO medium (id, name, family, technology, path, dock, library, tags, class, adm_state, locked,
                                 health, presence, fs_state, generation, capacity, created_at)
             VALUES ($1, $2, ($3::text)::family, $4, $5, $6, $7, $8, $9, 'in_service', false, 'ok', 'attached',
                     'blank', 0, $10, $11) ON CONFLICT DO NOTHING",
            medium.id.0, medium.name, medium.family.as_str(), medium.technology, medium.location.path,
            medium.location.dock, medium.location.library, &tags, medium.class,
            medium.capacity.map(ByteCount::as_i64), stamp(now) as _
        )
        .execute(tx.on())
        .await?;
        if added.rows_affected() == 0 {
            return Err(exists(tx.on(), &medium).await?.into());
        }
        append(tx.on(), now, "medium.added", &medium.name, json!({ "id": medium.id })).await?;
        let made = fetch(tx.on(), medium.id).await?;
        tx.commit().await?;
        made
    }))
}

/// What a medium that could not be added would be a second one of.
pub(super) async fn exists(on: &mut PgConnection, medium: &NewMedium) -> std::result::Result<CatalogueError, Stop> {
    let named = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM medium WHERE id = $1 OR name = $2) AS "named!""#,
        medium.id.0,
        medium.name
    )
    .fetch_one(on)
    .await?;
    Ok(match (&medium.location.library, named) {
        (Some(library), false) => CatalogueError::TapeExists {
            library: library.clone(),
            barcode: medium.location.path.clone(),
        },
        (Some(_), true) | (None, _) => CatalogueError::Exists {
            what: "medium",
            name: medium.name.clone(),
        },
    })
}

/// Forgets a medium that was never labelled.
pub(super) async fn forget(catalogue: &PgCatalogue, id: MediumId) -> Result<()> {
    let lease = crate::model::Resource::Medium(id).key();
    repeat!(catalogue, "forget_medium", tx => {
        let medium = lock(tx.on(), id).await?;
        let used = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM extent WHERE medium = $1)
                   OR EXISTS (SELECT 1 FROM job_source WHERE medium = $1) AS "used!""#,
            id.0
        )
        .fetch_one(tx.on())
        .await?;
        if used || medium.fs_state != FsState::Blank || medium.generation != Generation(0) {
            let why = "it has a label or extents and cannot be forgotten".to_owned();
            return Err(CatalogueError::Conflict { subject: medium.name, why }.into());
        }
        sqlx::query!("DELETE FROM lease WHERE key = $1", lease).execute(tx.on()).await?;
        sqlx::query!("DELETE FROM medium_used WHERE medium = $1", id.0).execute(tx.on()).await?;
        sqlx::query!("DELETE FROM medium WHERE id = $1", id.0).execute(tx.on()).await?;
        tx.commit().await?
    });
    Ok(())
}

/// A medium's row, locked against everything that shares it.
pub(super) async fn lock(on: &mut PgConnection, id: MediumId) -> std::result::Result<Medium, Stop> {
    sqlx::query!("SELECT id FROM medium WHERE id = $1 FOR UPDATE", id.0)
        .fetch_optional(&mut *on)
        .await?;
    fetch(on, id).await
}

/// All media, by name.
pub(super) async fn list(catalogue: &PgCatalogue) -> Result<Vec<Medium>> {
    Ok(reading!(catalogue, conn => {
        super::codec::all(medium_rows!("ORDER BY m.name").fetch_all(&mut *conn).await?)?
    }))
}

/// One medium by its name.
pub(super) async fn by_name(catalogue: &PgCatalogue, name: &str) -> Result<Medium> {
    Ok(reading!(catalogue, conn => {
        match medium_rows!("WHERE m.name = $1", name).fetch_optional(&mut *conn).await? {
            Some(row) => Medium::try_from(row)?,
            None => return Err(CatalogueError::NotFound { what: "medium", name: name.to_owned() }.into()),
        }
    }))
}

/// One medium by its id.
pub(super) async fn by_id(catalogue: &PgCatalogue, id: MediumId) -> Result<Medium> {
    Ok(reading!(catalogue, conn => { fetch(conn, id).await? }))
}

/// The tape of this barcode in a library.
pub(super) async fn at(catalogue: &PgCatalogue, library: &str, barcode: &str) -> Result<Option<Medium>> {
    Ok(reading!(catalogue, conn => { in_library(conn, library, barcode).await? }))
}

async fn in_library(on: &mut PgConnection, library: &str, barcode: &str) -> std::result::Result<Option<Medium>, Stop> {
    let row = medium_rows!(
        "WHERE m.family = 'tape' AND m.library = $1 AND m.path = $2",
        library,
        barcode
    )
    .fetch_optional(on)
    .await?;
    Ok(row.map(Medium::try_from).transpose()?)
}

/// Where what is known to be durable on a tape ends.
pub(super) async fn durable_end(catalogue: &PgCatalogue, id: MediumId) -> Result<u64> {
    Ok(reading!(catalogue, conn => {
        fetch(conn, id).await?;
        let end = sqlx::query_scalar!(r#"SELECT durable_end($1) AS "end!""#, id.0)
            .fetch_one(&mut *conn)
            .await?;
        count(end)
    }))
}

/// What a medium holds.
pub(super) async fn usage(catalogue: &PgCatalogue, id: MediumId, now: Timestamp) -> Result<Usage> {
    Ok(reading!(catalogue, conn => {
        fetch(conn, id).await?;
        let row = sqlx::query!(
            r#"SELECT coalesce(sum(bytes) FILTER (WHERE state = 'sync'), 0)::bigint AS "live!",
                      deleted_bytes($1) AS "deleted!",
                      coalesce(sum(bytes) FILTER (WHERE state = 'orphan' AND NOT hold_forever
                          AND (hold_until IS NULL OR hold_until <= $2)), 0)::bigint AS "dead!",
                      coalesce(sum(bytes) FILTER (WHERE state = 'orphan'
                          AND (hold_forever OR hold_until > $2)), 0)::bigint AS "held!",
                      (SELECT coalesce(sum(u.bytes), 0)::bigint
                         FROM unindexed_live($1, '00000000-0000-0000-0000-000000000000', NULL) u) AS "unindexed!",
                      coalesce(sum(bytes), 0)::bigint AS "used!",
                      count(*) FILTER (WHERE state = 'pending') AS "pending!",
                      count(*) FILTER (WHERE state = 'sync') AS "sync!",
                      count(*) FILTER (WHERE state = 'orphan') AS "orphan!"
                 FROM extent WHERE medium = $1"#,
            id.0, stamp(now) as _
        )
        .fetch_one(&mut *conn)
        .await?;
        Usage {
            live: ByteCount::from_i64(row.live),
            deleted: ByteCount::from_i64(row.deleted),
            dead: ByteCount::from_i64(row.dead),
            held: ByteCount::from_i64(row.held),
            unindexed: ByteCount::from_i64(row.unindexed),
            used: ByteCount::from_i64(row.used),
            extents: ExtentCounts {
                pending: count(row.pending),
                sync: count(row.sync),
                orphan: count(row.orphan),
            },
        }
    }))
}

/// How full every medium is, from the parts that triggers on `extent` keep.
pub(super) async fn used(catalogue: &PgCatalogue) -> Result<BTreeMap<MediumId, ByteCount>> {
    Ok(reading!(catalogue, conn => {
        sqlx::query!(
            r#"SELECT medium, sum(bytes)::bigint AS "bytes!" FROM medium_used GROUP BY medium HAVING sum(bytes) > 0"#
        )
        .fetch_all(&mut *conn)
        .await?
        .into_iter()
        .map(|row| (MediumId(row.medium), ByteCount::from_i64(row.bytes)))
        .collect()
    }))
}

/// Changes a medium's row.
pub(super) async fn change(
    catalogue: &PgCatalogue,
    id: MediumId,
    change: MediumChange,
    now: Timestamp,
) -> Result<Medium> {
    let tags: Option<Vec<String>> = change.tags.as_ref().map(|tags| tags.iter().cloned().collect());
    Ok(repeat!(catalogue, "change_medium", tx => {
        let medium = lock(tx.on(), id).await?;
        refuse_change(&medium, &change)?;
        refuse_second_tape(tx.on(), &medium, &change).await?;
        sqlx::query!(
            "UPDATE medium SET
                adm_state = coalesce(($2::text)::adm_state, adm_state),
                operator_state = CASE WHEN $2::text IS NULL THEN operator_state END, locked = coalesce($3, locked),
                health = coalesce(($4::text)::health, health),
                health_since = CASE WHEN ($4::text)::health <> health THEN $14 ELSE health_since END,
                presence = coalesce(($5::text)::presence, presence),
                fs_state = coalesce(($6::text)::fs_state, fs_state), tags = coalesce($7, tags),
                class = CASE WHEN $8 THEN $9 ELSE class END, capacity = CASE WHEN $10 THEN $11 ELSE capacity END,
                path = coalesce($12, path), generation = coalesce($13, generation),
                library = CASE WHEN $15 THEN $16 ELSE library END
              WHERE id = $1",
            id.0,
            change.adm_state.map(AdmState::as_str),
            change.locked,
            change.health.map(Health::as_str),
            change.presence.map(Presence::as_str),
            change.fs_state.map(FsState::as_str),
            tags.as_deref(),
            change.class.is_some(),
            change.class.clone().flatten(),
            change.capacity.is_some(),
            change.capacity.flatten().map(ByteCount::as_i64),
            change.path,
            change.generation.map(|generation| generation.0),
            stamp(now) as _,
            change.library.is_some(),
            change.library.clone().flatten()
        )
        .execute(tx.on())
        .await?;
        if change.health.is_some_and(|health| health != Health::Ok) {
            doubt(tx.on(), id).await?;
        }
        let detail = json!({
            "why": change.why, "adm_state": change.adm_state, "locked": change.locked, "health": change.health,
            "presence": change.presence, "fs_state": change.fs_state, "library": change.library,
        });
        append(tx.on(), now, "medium.changed", &medium.name, detail).await?;
        let changed = fetch(tx.on(), id).await?;
        tx.commit().await?;
        changed
    }))
}

/// A library has one tape of a barcode. The index refuses what comes between this look and the change, and the change is
/// then made once more.
async fn refuse_second_tape(
    on: &mut PgConnection,
    medium: &Medium,
    change: &MediumChange,
) -> std::result::Result<(), Stop> {
    let there = change.location_of(medium);
    let Some(library) = there.library.filter(|_| medium.family == Family::Tape) else {
        return Ok(());
    };
    match in_library(on, &library, &there.path).await? {
        Some(other) if other.id != medium.id => Err(CatalogueError::TapeExists {
            library,
            barcode: there.path,
        }
        .into()),
        Some(_) | None => Ok(()),
    }
}

fn refuse_change(medium: &Medium, change: &MediumChange) -> Result<()> {
    let conflict = |why: String| {
        Err(CatalogueError::Conflict {
            subject: format!("medium {}", medium.name),
            why,
        })
    };
    if let Some(expected) = change.expect_adm_state
        && medium.adm_state != expected
    {
        return conflict(format!("it is {}, not {expected}", medium.adm_state));
    }
    if let Some(wanted) = change.adm_state
        && !operator_may_set(medium.adm_state, wanted)
    {
        return conflict(format!(
            "it is {} and cannot be made {wanted} by hand",
            medium.adm_state
        ));
    }
    Ok(())
}

/// A medium failed us: it gets no new extents, and what was read back from it does not count any more.
pub(super) async fn suspect(catalogue: &PgCatalogue, id: MediumId, why: &str, now: Timestamp) -> Result<()> {
    repeat!(catalogue, "suspect", tx => {
        let medium = lock(tx.on(), id).await?;
        sqlx::query!(
            "UPDATE medium SET health = 'suspect', health_since = $2 WHERE id = $1 AND health = 'ok'",
            id.0, stamp(now) as _
        )
        .execute(tx.on())
        .await?;
        doubt(tx.on(), id).await?;
        append(tx.on(), now, "medium.suspect", &medium.name, json!({ "why": why })).await?;
        tx.commit().await?
    });
    Ok(())
}

/// Something speaks against a medium whose row is locked: no read-back of it counts any more, one under way included.
pub(super) async fn doubt(on: &mut PgConnection, id: MediumId) -> std::result::Result<(), Stop> {
    sqlx::query!("UPDATE medium SET doubts = doubts + 1 WHERE id = $1", id.0)
        .execute(&mut *on)
        .await?;
    sqlx::query!(
        "UPDATE extent SET verified_at = NULL WHERE medium = $1 AND verified_at IS NOT NULL",
        id.0
    )
    .execute(on)
    .await?;
    Ok(())
}
