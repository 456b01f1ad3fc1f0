//! Brings a database to this program's schema. Never goes back, and never touches a schema it does not know.

use crate::catalogue::{CatalogueError, Result};
use crate::model::CatalogueId;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgConnection, PgPool};

static MIGRATIONS: Migrator = sqlx::migrate!("../schema/migrations");

/// The newest migration this program knows.
pub fn known_version() -> i64 {
    MIGRATIONS.iter().map(|step| step.version).max().unwrap_or_default()
}

/// The migration a database is at; None: it holds no catalogue.
pub(super) async fn version_of(connection: &mut PgConnection) -> std::result::Result<Option<i64>, sqlx::Error> {
    let kept: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !kept {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
        .fetch_one(connection)
        .await
}

/// Brings the schema up to date. A newer one is refused.
pub(super) async fn run(pool: &PgPool) -> Result<()> {
    MIGRATIONS.run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => CatalogueError::Unfit(format!(
            "its schema is at {version}, this program knows {}: install the newer program",
            known_version()
        )),
        MigrateError::VersionMismatch(version) => {
            CatalogueError::Unfit(format!("its migration {version} is not the one this program knows"))
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => super::retry::refusal(error),
        other => CatalogueError::Unavailable(format!("the schema could not be brought up to date: {other}")),
    })
}

/// Makes the row that says which catalogue this is, once. Whether it was made now.
pub(super) async fn bootstrap(pool: &PgPool, testing: bool) -> Result<bool> {
    let made = sqlx::query!(
        "INSERT INTO catalogue (id, testing) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        CatalogueId::fresh().0,
        testing
    )
    .execute(pool)
    .await
    .map_err(super::retry::refusal)?;
    Ok(made.rows_affected() == 1)
}
