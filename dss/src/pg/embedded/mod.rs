//! The private PostgreSQL of a host without a configured one: made once, started when needed, adopted when it already
//! runs, and stopped only when asked. It outlives the respoold that started it, so killing respoold never puts the
//! database through a recovery. Called by respoold's start, `respool stop` and the tests; must never delete a cluster
//! and never listen on TCP.

mod binaries;
mod error;
mod folders;
pub(super) mod launch;
mod postmaster;
mod server;

pub use binaries::{Binaries, MINIMUM_MAJOR};
pub use error::EmbeddedError;

use nix::fcntl::{Flock, FlockArg};
use postmaster::PidFile;
use server::{Origin, Server, server_for};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The cluster's owner inside PostgreSQL.
const SUPERUSER: &str = "respool";
/// Part of the socket's name; nothing listens on a TCP port.
const PORT: u16 = 5432;
/// The checkpoint of an orderly stop.
const STOP_LIMIT: Duration = Duration::from_secs(300);

/// Whether a commit survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Everything on. The only choice for a catalogue.
    Durable,
    /// fsync off: for tests whose database may be lost.
    Fast,
}

/// Where the private cluster lives.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// The state folder; the cluster is `pg` below it. As root, the user `postgres` (or `nobody`) must be able to pass
    /// through it: mode 0711.
    pub state_dir: PathBuf,
    /// A short path to a folder for this cluster's socket alone, made here with mode 0700 and owned by the user that
    /// PostgreSQL runs as. The folder above it must exist and be passable for that user.
    pub socket_dir: PathBuf,
    /// What a commit is worth.
    pub durability: Durability,
}

/// A running private cluster. Dropping this does not stop it.
#[derive(Clone, Debug)]
pub struct EmbeddedCluster {
    data: PathBuf,
    socket_dir: PathBuf,
}

impl EmbeddedCluster {
    /// Makes the cluster if there is none, then adopts the running server or starts one, and returns when it takes
    /// connections. Safe to call from several processes at once.
    pub async fn open(config: &EmbeddedConfig) -> Result<Self, EmbeddedError> {
        let _lock = lock(&config.state_dir).await?;
        let mut attempt = 1;
        loop {
            let config_here = config.clone();
            let server = blocking(move || server_for(&config_here)).await?;
            let cluster = Self {
                data: server.data.clone(),
                socket_dir: server.socket_dir.clone(),
            };
            let adopted = matches!(server.origin, Origin::Adopted { .. });
            let fit = match cluster.wait_ready(&server).await {
                Ok(()) => !adopted || cluster.is_as_durable_as(config.durability).await?,
                // The socket of a ready server was removed (a cleaned /tmp): nobody can reach it, so start it anew.
                Err(EmbeddedError::NotReady { .. }) if adopted && attempt == 1 => false,
                // A server that a killed respoold had just spawned was first.
                Err(EmbeddedError::Start { .. }) if attempt == 1 && cluster.pid().is_some() => {
                    attempt += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if fit {
                tracing::info!(pid = server.pid, adopted, data = %cluster.data.display(), "PostgreSQL is ready");
                return Ok(cluster);
            }
            tracing::info!(
                pid = server.pid,
                "the running PostgreSQL cannot be used as it is; started anew"
            );
            cluster.stop_locked().await?;
            attempt += 1;
        }
    }

    /// The running cluster of a state folder, if there is one: for those who only want to stop it.
    pub async fn running(state_dir: &Path) -> Result<Option<Self>, EmbeddedError> {
        let Ok(data) = state_dir.join("pg").canonicalize() else {
            return Ok(None);
        };
        let Some(file) = PidFile::read(&data)? else {
            return Ok(None);
        };
        let socket_dir = file.socket_dir.unwrap_or_default();
        Ok(postmaster::belongs(file.pid, &data).then_some(Self { data, socket_dir }))
    }

    /// The programs of its own version.
    pub fn binaries(&self) -> Result<Binaries, EmbeddedError> {
        match folders::look(&self.data)? {
            folders::Found::Cluster { major, .. } => Binaries::find(Some((&self.data, major))),
            folders::Found::Nothing => Binaries::newest(),
        }
    }

    /// The cluster's folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The folder that holds its socket.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// Its owner inside PostgreSQL.
    pub fn superuser(&self) -> &'static str {
        SUPERUSER
    }

    /// The postmaster, while it runs.
    pub fn pid(&self) -> Option<i32> {
        let file = PidFile::read(&self.data).ok().flatten()?;
        postmaster::belongs(file.pid, &self.data).then_some(file.pid)
    }

    /// How sqlx connects to `database`.
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("localhost")
            .socket(&self.socket_dir)
            .port(PORT)
            .username(SUPERUSER)
            .database(database)
    }

    /// How tokio-postgres and the programs of PostgreSQL connect to `database`.
    pub fn conninfo(&self, database: &str) -> String {
        let quote = |value: &str| format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"));
        let host = quote(&self.socket_dir.to_string_lossy());
        format!("host={host} port={PORT} user={SUPERUSER} dbname={}", quote(database))
    }

    /// Makes an empty database of this name unless it exists.
    pub async fn ensure_database(&self, name: &str) -> Result<(), EmbeddedError> {
        check_database_name(name)?;
        let sql = |source| EmbeddedError::Sql {
            doing: format!("make the database `{name}`"),
            source,
        };
        let mut connection = PgConnection::connect_with(&self.connect_options("postgres"))
            .await
            .map_err(sql)?;
        let exists = "select exists (select from pg_database where datname = $1)";
        let exists: bool = sqlx::query_scalar(exists)
            .bind(name)
            .fetch_one(&mut connection)
            .await
            .map_err(sql)?;
        if !exists {
            let made = connection
                .execute(AssertSqlSafe(format!("create database {name}")))
                .await;
            match made {
                // Another process was faster: 42P04 as it commits first, 23505 when both were at it.
                Err(sqlx::Error::Database(e)) if matches!(e.code().as_deref(), Some("42P04" | "23505")) => {}
                Err(error) => return Err(sql(error)),
                Ok(_) => {}
            }
        }
        connection.close().await.map_err(sql)
    }

    /// Stops the server in order and returns when it is gone. Not running is fine.
    pub async fn stop(&self) -> Result<(), EmbeddedError> {
        let _lock = match self.data.parent() {
            Some(state_dir) => Some(lock(state_dir).await?),
            None => None,
        };
        self.stop_locked().await
    }

    async fn stop_locked(&self) -> Result<(), EmbeddedError> {
        let Some(pid) = self.pid() else { return Ok(()) };
        let data = self.data.clone();
        blocking(move || {
            postmaster::stop_fast(pid, &data)?;
            if postmaster::wait_gone(&data, STOP_LIMIT) {
                return Ok(());
            }
            Err(EmbeddedError::NotStopped {
                pid,
                seconds: STOP_LIMIT.as_secs(),
                data,
            })
        })
        .await
    }

    /// Waits until the server takes a connection, ends, or takes too long.
    async fn wait_ready(&self, server: &Server) -> Result<(), EmbeddedError> {
        let begun = Instant::now();
        let mut recovering = false;
        loop {
            let refusal = match PgConnection::connect_with(&self.connect_options("postgres")).await {
                Ok(connection) => {
                    // A farewell that fails changes nothing: the server answered.
                    let _ = connection.close().await;
                    return Ok(());
                }
                Err(refusal) => refusal,
            };
            server.require_alive()?;
            if !recovering && begun.elapsed() > Duration::from_secs(2) {
                recovering = true;
                tracing::info!(pid = server.pid, "waiting for PostgreSQL: {refusal}");
            }
            let limit = server.patience();
            if begun.elapsed() >= limit {
                let (pid, seconds, data) = (server.pid, limit.as_secs(), self.data.clone());
                return Err(EmbeddedError::NotReady {
                    pid,
                    seconds,
                    last: refusal.to_string(),
                    data,
                });
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    async fn is_as_durable_as(&self, wanted: Durability) -> Result<bool, EmbeddedError> {
        if wanted == Durability::Fast {
            return Ok(true);
        }
        let sql = |source| EmbeddedError::Sql {
            doing: "show its settings".into(),
            source,
        };
        let mut connection = PgConnection::connect_with(&self.connect_options("postgres"))
            .await
            .map_err(sql)?;
        let settings = "select current_setting('fsync')::bool and current_setting('full_page_writes')::bool";
        let durable: bool = sqlx::query_scalar(settings)
            .fetch_one(&mut connection)
            .await
            .map_err(sql)?;
        connection.close().await.map_err(sql)?;
        Ok(durable)
    }
}

/// One process at a time makes, starts or stops the cluster of a state folder; the folder is made when missing.
async fn lock(state_dir: &Path) -> Result<Flock<File>, EmbeddedError> {
    let state_dir = state_dir.to_path_buf();
    blocking(move || {
        let made = DirBuilder::new().recursive(true).mode(0o711).create(&state_dir);
        made.map_err(EmbeddedError::io("make", &state_dir))?;
        let path = state_dir.join("pg.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(EmbeddedError::io("open", &path))?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, e)| EmbeddedError::io("lock", &path)(e.into()))
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EmbeddedError> + Send + 'static,
) -> Result<T, EmbeddedError> {
    // A panic in there is a bug here: pass it on.
    tokio::task::spawn_blocking(work)
        .await
        .expect("work on the private cluster does not panic")
}

fn check_database_name(name: &str) -> Result<(), EmbeddedError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let good = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain) && name.len() <= 63;
    if good {
        Ok(())
    } else {
        Err(EmbeddedError::DatabaseName { name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_name_never_needs_quoting() {
        assert!(check_database_name("respool_2").is_ok());
        for bad in ["", "2x", "Respool", "a;b", "a b", "_x", &"x".repeat(64)] {
            assert!(check_database_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn conninfo_quotes_what_a_path_may_hold() {
        let cluster = EmbeddedCluster {
            data: "/s/pg".into(),
            socket_dir: r"/run/o'hara\x".into(),
        };
        let expected = r"host='/run/o\'hara\\x' port=5432 user=respool dbname='respool'";
        assert_eq!(cluster.conninfo("respool"), expected);
    }
}
