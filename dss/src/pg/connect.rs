//! Connections that may be trusted with a catalogue. Each is asked for the settings that decide whether a commit
//! survives a power cut, as they hold for this role in this database, and is refused when one is off.

use super::{PgCatalogue, Settings, migrate, silence};
use crate::catalogue::{CatalogueError, Result};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection};
use std::time::Duration;

/// PostgreSQL 15, as `server_version_num` says it.
const OLDEST_SERVER: i32 = 150_000;
/// Longer than a busy pool needs, short enough for an operator.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(10);

/// Why a connection is not to be used, or None.
async fn unfit(connection: &mut PgConnection) -> std::result::Result<Option<String>, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT current_setting('server_version_num')::int AS "version!",
                  current_setting('fsync') AS "fsync!",
                  current_setting('full_page_writes') AS "full_page_writes!",
                  current_setting('synchronous_commit') AS "synchronous_commit!",
                  (SELECT string_agg(DISTINCT s.word, ', ')
                     FROM pg_db_role_setting r CROSS JOIN unnest(r.setconfig) AS s (word)
                    WHERE s.word ~ '^synchronous_commit=(off|false|no|0|f|n|of)$'
                      AND r.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                      AND r.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))) AS overrides"#
    )
    .fetch_one(connection)
    .await?;
    for (name, value) in [
        ("fsync", &found.fsync),
        ("full_page_writes", &found.full_page_writes),
        ("synchronous_commit", &found.synchronous_commit),
    ] {
        if value == "off" {
            return Ok(Some(format!(
                "{name} is off: what it commits can be lost. Set {name} = on"
            )));
        }
    }
    if let Some(overrides) = found.overrides {
        return Ok(Some(format!("a role or database override says {overrides}. Reset it")));
    }
    if found.version < OLDEST_SERVER {
        return Ok(Some(format!(
            "its server is PostgreSQL {}, and 15 is the oldest that will do: upgrade that server, or name another one with \
             [catalogue] url",
            found.version / 10_000
        )));
    }
    Ok(None)
}

/// Makes one connection and lets it go, so that an unfit server is told from an absent one.
async fn fit(options: &PgConnectOptions, allow_unsafe: bool) -> Result<()> {
    let mut first = PgConnection::connect_with(options)
        .await
        .map_err(super::retry::refusal)?;
    if !allow_unsafe && let Some(why) = unfit(&mut first).await.map_err(super::retry::refusal)? {
        return Err(CatalogueError::Unfit(why));
    }
    // Best effort: the server notices a closed socket as well.
    let _ = first.close().await;
    Ok(())
}

/// A pool of connections that were all looked at.
async fn pool(options: PgConnectOptions, settings: &Settings) -> Result<PgPool> {
    let allow_unsafe = settings.allow_unsafe;
    silence::open(settings.limits, fit(&options, allow_unsafe)).await?;
    PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(ACQUIRE_LIMIT)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if allow_unsafe {
                    return Ok(());
                }
                match unfit(connection).await? {
                    Some(why) => Err(sqlx::Error::Configuration(why.into())),
                    None => Ok(()),
                }
            })
        })
        .connect_with(options)
        .await
        .map_err(super::retry::refusal)
}

/// Makes the schema and the catalogue's row where there are none, and brings an older schema up to date.
pub(super) async fn init(
    options: PgConnectOptions,
    conninfo: String,
    settings: Settings,
    testing: bool,
) -> Result<PgCatalogue> {
    let pool = pool(options, &settings).await?;
    migrate::run(&pool).await?;
    migrate::bootstrap(&pool, testing).await?;
    Ok(PgCatalogue::over(pool, conninfo, settings))
}

/// Opens a catalogue that exists, at this program's schema.
pub(super) async fn open(options: PgConnectOptions, conninfo: String, settings: Settings) -> Result<PgCatalogue> {
    let pool = pool(options, &settings).await?;
    let mut connection = pool.acquire().await.map_err(super::retry::refusal)?;
    let version = migrate::version_of(&mut connection)
        .await
        .map_err(super::retry::refusal)?;
    drop(connection);
    let known = migrate::known_version();
    match version {
        Some(version) if version == known => Ok(PgCatalogue::over(pool, conninfo, settings)),
        Some(version) if version > known => Err(CatalogueError::Unfit(format!(
            "its schema is at {version}, this program knows {known}: install the newer program"
        ))),
        Some(version) => Err(CatalogueError::Unfit(format!(
            "its schema is at {version}, this program needs {known}: make a backup, then run `respool init`"
        ))),
        None => Err(CatalogueError::Unfit(
            "the database holds no catalogue: run `respool init`".into(),
        )),
    }
}
