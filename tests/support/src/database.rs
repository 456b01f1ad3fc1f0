//! One test's database: dropped when the test succeeds, kept and named when it panics.

use crate::TestCluster;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A database for one test. Keep it alive as long as its connections.
#[derive(Debug)]
#[must_use = "dropping it drops the database"]
pub struct TestDatabase {
    name: String,
    options: PgConnectOptions,
    conninfo: String,
    maintenance: PgConnectOptions,
    kept_mark: Option<PathBuf>,
}

impl TestDatabase {
    pub(crate) async fn create(cluster: &TestCluster, template: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("it is after 1970")
            .as_secs();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("respool_test_{now}_{}_{number}", std::process::id());
        let maintenance = cluster.maintenance();
        let statement = format!("create database {name} template {template}");
        let made = async {
            let mut connection = PgConnection::connect_with(&maintenance).await?;
            connection.execute(AssertSqlSafe(statement)).await?;
            connection.close().await
        };
        made.await
            .unwrap_or_else(|e: sqlx::Error| panic!("could not make a test database: {e}"));
        Self {
            options: cluster.connect_options(&name),
            conninfo: cluster.conninfo(&name),
            kept_mark: cluster.kept_mark(),
            maintenance,
            name,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How sqlx connects.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// How tokio-postgres and psql connect.
    pub fn conninfo(&self) -> &str {
        &self.conninfo
    }

    /// What `[catalogue] url` is to say.
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// A small pool of connections.
    pub async fn pool(&self) -> PgPool {
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .connect_with(self.options.clone())
            .await;
        pool.unwrap_or_else(|e| panic!("could not connect to {}: {e}", self.name))
    }

    /// One connection.
    pub async fn connect(&self) -> PgConnection {
        let connection = PgConnection::connect_with(&self.options).await;
        connection.unwrap_or_else(|e| panic!("could not connect to {}: {e}", self.name))
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the database of this test is kept: psql \"{}\"", self.conninfo);
            if let Some(mark) = &self.kept_mark {
                // Without the mark the cluster stops earlier; the database is there all the same.
                let _ = fs::write(mark, &self.name);
            }
            return;
        }
        let (maintenance, name) = (self.maintenance.clone(), self.name.clone());
        // A thread of its own, because this may run inside the test's runtime, which cannot be entered again.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect_with(&maintenance).await?;
                connection
                    .execute(AssertSqlSafe(format!("drop database if exists {name} with (force)")))
                    .await?;
                connection.close().await
            })
        });
        match dropped.join() {
            Ok(Ok(())) => {}
            Ok(Err(e)) => eprintln!("the test database {} was not dropped: {e}", self.name),
            Err(_) => eprintln!("the test database {} was not dropped", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_keeps_the_database() {
        let cluster = TestCluster::get().await;
        let database = cluster.fresh_database().await;
        let name = database.name().to_owned();
        let test = std::thread::spawn(move || {
            let _database = database;
            panic!("a failing test, as intended");
        });
        assert!(test.join().is_err());
        // Nobody wants to look at this one: it is dropped by the statement that proves it was there.
        let mut connection = PgConnection::connect_with(&cluster.maintenance()).await.unwrap();
        connection
            .execute(AssertSqlSafe(format!("drop database {name}")))
            .await
            .unwrap();
        if let Some(mark) = cluster.kept_mark()
            && fs::read_to_string(&mark).is_ok_and(|kept| kept == name)
        {
            fs::remove_file(mark).unwrap();
        }
    }
}
