//! Puts a backup back: into a database of its own first, checked there, and into use by two renames in one transaction.
//! Whatever fails before leaves the catalogue in use as it was; it is kept under another name afterwards.

use super::{Access, BackupError, BackupFile, blocking, sql};
use crate::catalogue::Catalogue;
use crate::model::backup::{BackupManifest, PutBack};
use crate::model::{CatalogueId, NoDrill};
use crate::pg::{Limits, PgCatalogue, Settings, known_version};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use std::path::Path;
use std::sync::Arc;

/// Where the backup is put before it is known to be good.
const STAGING: &str = "respool_restoring";
/// The database that every server has, from which others are renamed.
const MAINTENANCE: &str = "postgres";

/// What the restored catalogue cannot know. Media were written, swept and erased since, so that each is compared before
/// anything is destroyed anywhere; puts and moves under way then may have ended well, so that their rows go and what
/// they wrote is found by an import; leases are nobody's; jobs wait for an operator, also
/// one that was about to erase what it had quarantined: that stays quarantined until somebody ends it.
const AFTERWARDS: [&str; 9] = [
    "UPDATE medium SET standing = 'unseen' WHERE standing = 'level' AND adm_state <> 'dead' AND fs_state <> 'blank'",
    "DELETE FROM job_substitution WHERE new_extent IN (SELECT id FROM extent WHERE state = 'pending')",
    "DELETE FROM job_move WHERE state = 'recorded' AND new_extent IN (SELECT id FROM extent WHERE state = 'pending')",
    "DELETE FROM extent WHERE state = 'pending'",
    "UPDATE lease SET holder = NULL",
    "UPDATE job SET control = 'pause' WHERE state IN ('queued', 'running', 'verifying')",
    "UPDATE medium SET quarantined_until = NULL WHERE adm_state = 'quarantined' AND EXISTS
        (SELECT FROM job_source s JOIN job j ON j.id = s.job WHERE s.medium = medium.id AND j.state = 'reclaiming')",
    "UPDATE job SET state = 'quarantined' WHERE state = 'reclaiming' AND EXISTS
        (SELECT FROM job_source s JOIN medium m ON m.id = s.medium WHERE s.job = job.id AND m.adm_state = 'quarantined')",
    "SELECT nextval('revision')",
];

/// Has the trigger that looks at a place look at each one, and keeps none: while rows were put back, their triggers were
/// not there yet.
const PLACES: [&str; 5] = [
    "CREATE TEMP TABLE place (id uuid, bytes bigint, span text)",
    "CREATE TRIGGER a_look BEFORE INSERT ON place FOR EACH ROW EXECUTE FUNCTION extent_fills_span()",
    "CREATE FUNCTION pg_temp.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
     CREATE TRIGGER b_none BEFORE INSERT ON place FOR EACH ROW EXECUTE FUNCTION pg_temp.nothing()",
    "INSERT INTO place SELECT id, bytes, span FROM extent WHERE span IS NOT NULL",
    "DROP TABLE place; DROP FUNCTION pg_temp.nothing()",
];

/// What the database says of a place that none is.
fn unfit(error: sqlx::Error) -> BackupError {
    let rule = error.as_database_error().and_then(|error| error.constraint());
    match rule {
        Some("extent_span" | "i3_extent_fills_span") => BackupError::Unfit(error.to_string()),
        _ => sql("look at the places on tapes")(error),
    }
}

/// Which catalogue a backup may replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// An earlier state of itself.
    Itself,
    /// Any.
    Any,
}

/// Puts a backup into use. The present catalogue is kept in a database of its own.
pub async fn put_back(access: &Access, path: &Path, replace: Replace, now: Timestamp) -> Result<PutBack, BackupError> {
    let place = path.to_owned();
    let checked = blocking(move || {
        let mut file = BackupFile::open(&place)?;
        file.verify()?;
        Ok(file)
    });
    // Open until it is put back: nobody can put another file in its place between the check and its use.
    let file = checked.await?;
    let manifest = file.manifest().clone();
    if manifest.schema > known_version() {
        return Err(BackupError::Unfit(format!(
            "the backup's schema is at {}, this program knows {}: install the newer program",
            manifest.schema,
            known_version()
        )));
    }
    let mut admin = access.connect(MAINTENANCE).await?;
    let database = access.database();
    let present = present_catalogue(access, &mut admin, &database).await?;
    if let Present::Catalogue(id) = present
        && id != manifest.catalogue
        && replace == Replace::Itself
    {
        return Err(BackupError::Unfit(format!(
            "the backup is of catalogue {}, and {id} is in use here",
            manifest.catalogue
        )));
    }
    let staged = stage(access, &mut admin, file, &manifest, now).await;
    let put = match staged {
        Ok(staged) => rename(&mut admin, &database, present, staged, manifest, now).await,
        Err(error) => Err(error),
    };
    if put.is_err() {
        // The first failure is told; the next attempt removes what is left.
        let _ = drop_staging(&mut admin).await;
    }
    put
}

/// What has the name that the restored catalogue is to have.
#[derive(Clone, Copy)]
enum Present {
    Nothing,
    /// A database without a catalogue.
    Empty,
    Catalogue(CatalogueId),
}

async fn present_catalogue(access: &Access, admin: &mut PgConnection, database: &str) -> Result<Present, BackupError> {
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(database)
        .fetch_one(admin)
        .await
        .map_err(sql("list its databases"))?;
    if !exists {
        return Ok(Present::Nothing);
    }
    let mut connection = access.connect(database).await?;
    let kept: bool = sqlx::query_scalar("SELECT to_regclass('catalogue') IS NOT NULL")
        .fetch_one(&mut connection)
        .await
        .map_err(sql("be asked for a catalogue"))?;
    let id: Option<uuid::Uuid> = match kept {
        true => sqlx::query_scalar("SELECT id FROM catalogue")
            .fetch_optional(&mut connection)
            .await
            .map_err(sql("tell which catalogue it holds"))?,
        false => None,
    };
    connection.close().await.map_err(sql("close"))?;
    Ok(id.map_or(Present::Empty, |id| Present::Catalogue(CatalogueId(id))))
}

async fn drop_staging(admin: &mut PgConnection) -> Result<(), BackupError> {
    admin
        .execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {STAGING} WITH (FORCE)")))
        .await
        .map_err(sql("drop what an earlier attempt left"))?;
    Ok(())
}

/// Media to be compared and jobs paused.
struct Staged {
    media: u64,
    paused: u64,
}

async fn stage(
    access: &Access,
    admin: &mut PgConnection,
    mut file: BackupFile,
    manifest: &BackupManifest,
    now: Timestamp,
) -> Result<Staged, BackupError> {
    drop_staging(admin).await?;
    admin
        .execute(AssertSqlSafe(format!("CREATE DATABASE {STAGING} TEMPLATE template0")))
        .await
        .map_err(sql("make a database for the backup"))?;
    let mut restore = access.program("pg_restore", STAGING);
    restore.args([
        "--exit-on-error",
        "--single-transaction",
        "--no-owner",
        "--no-privileges",
    ]);
    restore.arg(format!("--dbname={STAGING}"));
    blocking(move || file.feed(restore)).await?;
    let settings = Settings {
        allow_unsafe: true,
        checkpoints: Arc::new(NoDrill),
        max_connections: 2,
        limits: Limits::default(),
    };
    // Brings an older schema up to date, too.
    let options = access.options(STAGING);
    let catalogue = PgCatalogue::init(options, String::new(), settings, manifest.testing).await?;
    let found = catalogue.identity().await?.id;
    catalogue.close().await;
    if found != manifest.catalogue {
        return Err(BackupError::Unfit(format!(
            "the dump holds catalogue {found}, and its header says {}",
            manifest.catalogue
        )));
    }
    settle(access, manifest, now).await
}

async fn settle(access: &Access, manifest: &BackupManifest, now: Timestamp) -> Result<Staged, BackupError> {
    let mut connection = access.connect(STAGING).await?;
    let mut tx = connection.begin().await.map_err(sql("begin"))?;
    for statement in PLACES {
        tx.execute(statement).await.map_err(unfit)?;
    }
    for statement in AFTERWARDS {
        tx.execute(statement)
            .await
            .map_err(sql("settle the restored catalogue"))?;
    }
    sqlx::query("UPDATE catalogue SET restored_at = ($1::text)::timestamptz")
        .bind(now.to_string())
        .execute(&mut *tx)
        .await
        .map_err(sql("note the restore"))?;
    sqlx::query(
        "INSERT INTO event (at, kind, subject, detail) VALUES (($1::text)::timestamptz, 'catalogue.restored', $2,
             jsonb_build_object('made_at', $3::text, 'revision', $4::bigint))",
    )
    .bind(now.to_string())
    .bind(manifest.catalogue.to_string())
    .bind(manifest.created_at.to_string())
    .bind(manifest.revision.0)
    .execute(&mut *tx)
    .await
    .map_err(sql("note the restore"))?;
    let counts = sqlx::query(
        "SELECT (SELECT count(*) FROM medium WHERE standing = 'unseen') AS media,
                (SELECT count(*) FROM job WHERE control = 'pause' AND state IN ('queued', 'running', 'verifying'))
                    AS paused",
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(sql("count its media"))?;
    tx.commit().await.map_err(sql("settle the restored catalogue"))?;
    connection.close().await.map_err(sql("close"))?;
    let count = |name: &str| u64::try_from(counts.get::<i64, _>(name)).unwrap_or_default();
    Ok(Staged {
        media: count("media"),
        paused: count("paused"),
    })
}

async fn rename(
    admin: &mut PgConnection,
    database: &str,
    present: Present,
    staged: Staged,
    manifest: BackupManifest,
    now: Timestamp,
) -> Result<PutBack, BackupError> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ");
    // A name has at most 63 bytes.
    let short: String = database.chars().take(30).collect();
    let kept = match present {
        Present::Nothing => None,
        Present::Empty | Present::Catalogue(_) => Some(format!("{short}_before_{stamp}")),
    };
    let mut tx = admin.begin().await.map_err(sql("begin"))?;
    if let Some(kept) = &kept {
        let aside = format!("ALTER DATABASE {} RENAME TO {}", quoted(database), quoted(kept));
        tx.execute(AssertSqlSafe(aside))
            .await
            .map_err(sql("keep the present catalogue under another name"))?;
    }
    let into_use = format!("ALTER DATABASE {STAGING} RENAME TO {}", quoted(database));
    tx.execute(AssertSqlSafe(into_use))
        .await
        .map_err(sql("put the restored catalogue into use"))?;
    tx.commit().await.map_err(sql("put the restored catalogue into use"))?;
    Ok(PutBack {
        manifest,
        kept,
        media: staged.media,
        paused: staged.paused,
    })
}
