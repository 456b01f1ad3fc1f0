//! The template that test databases are copied from: one per state of `schema/migrations`, so a changed migration makes
//! a new one. The folder is read when the tests run, not when they are built: a migration added later counts without
//! anything being compiled again.

use crate::TestCluster;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::fs;
use std::path::{Path, PathBuf};

/// Test databases older than this were kept by a failure that somebody has looked at by now.
const KEPT_DAYS: u32 = 1;

pub(crate) fn migrations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/migrations")
}

/// The name of the migrated template, made when it does not exist.
pub(crate) async fn ensure(cluster: &TestCluster) -> Result<String, MigrateError> {
    let name = format!("respool_template_{}", schema_hash(&migrations()));
    let mut connection = PgConnection::connect_with(&cluster.maintenance()).await?;
    // One maker at a time, in all processes of the run. The lock ends with the connection.
    let lock = "select pg_advisory_lock(hashtext('respool test template'))";
    connection.execute(lock).await?;
    // The flag is set last: a template without it was left by a maker that was killed.
    let finished = "select exists (select from pg_database where datname = $1 and datistemplate)";
    if !sqlx::query_scalar::<_, bool>(finished)
        .bind(&name)
        .fetch_one(&mut connection)
        .await?
    {
        drop_old(&mut connection).await?;
        connection
            .execute(AssertSqlSafe(format!("drop database if exists {name} with (force)")))
            .await?;
        connection
            .execute(AssertSqlSafe(format!("create database {name} template template0")))
            .await?;
        migrate(cluster, &name).await?;
        connection
            .execute(AssertSqlSafe(format!("alter database {name} is_template true")))
            .await?;
    }
    connection.close().await?;
    Ok(name)
}

async fn migrate(cluster: &TestCluster, name: &str) -> Result<(), MigrateError> {
    if !migrations().is_dir() {
        return Ok(());
    }
    let migrator = Migrator::new(migrations()).await?;
    let mut connection = PgConnection::connect_with(&cluster.connect_options(name)).await?;
    migrator.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

async fn drop_old(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let old = "select datname from pg_database where datname ~ '^respool_test_[0-9]+_' \
               and to_timestamp(split_part(datname, '_', 3)::bigint) < now() - make_interval(days => $1)";
    let days = KEPT_DAYS.cast_signed();
    let names: Vec<String> = sqlx::query_scalar(old).bind(days).fetch_all(&mut *connection).await?;
    for name in names {
        connection
            .execute(AssertSqlSafe(format!("drop database if exists {name} with (force)")))
            .await?;
    }
    Ok(())
}

/// Changes whenever a migration's name or text does.
fn schema_hash(folder: &Path) -> String {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|file| file.path())
        .collect();
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "sql"))
    {
        let text = fs::read(file).unwrap_or_else(|e| panic!("could not read {}: {e}", file.display()));
        hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update(&text.len().to_le_bytes()).update(&text);
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_changes_with_every_migration_and_without_one_it_has_a_name_too() {
        assert_eq!(
            schema_hash(Path::new("/nowhere")),
            schema_hash(Path::new("/nowhere/else"))
        );
        let folder = std::env::temp_dir().join(format!("respool-schema-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let none = schema_hash(&folder);
        fs::write(folder.join("0001_a.sql"), "select 1").unwrap();
        let one = schema_hash(&folder);
        fs::write(folder.join("0001_a.sql"), "select 2").unwrap();
        let other = schema_hash(&folder);
        fs::remove_dir_all(&folder).unwrap();
        assert!(none != one && one != other && none != other);
    }
}
