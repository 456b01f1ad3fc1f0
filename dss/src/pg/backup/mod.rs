//! Backups of the catalogue: a dump of PostgreSQL's own making behind a header that tells what it is. Made from one
//! snapshot of a running catalogue, written beside its place and renamed when it is durable; never over another file.

mod file;
mod put_back;

pub use file::{BackupFile, UNFINISHED, verify};
pub use put_back::{Replace, put_back};

use super::embedded::launch::{self, Life};
use super::embedded::{Binaries, EmbeddedError};
use super::{Limits, migrate};
use crate::catalogue::CatalogueError;
use crate::model::backup::{BACKUP_FORMAT, BackupManifest};
use crate::model::{Blake3, CatalogueId, EventHead, Revision};
use jiff::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, Row};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Why a backup could not be made, read or put back. The catalogue in use is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file already.
    #[error("{} exists already; a backup never replaces a file", .0.display())]
    Exists(PathBuf),
    /// It is a pipe, a link, a folder or a device.
    #[error("{} is no regular file", .0.display())]
    NotAFile(PathBuf),
    /// The file system failed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// Doing what.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no backup, or not whole.
    #[error("{} is no whole backup: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It is not to be put back here.
    #[error("{0}")]
    Unfit(String),
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {said}")]
    Program {
        /// `pg_dump` or `pg_restore`.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
    /// The database refused something.
    #[error("PostgreSQL could not {doing}: {source}")]
    Sql {
        /// Doing what.
        doing: &'static str,
        /// What it said.
        source: sqlx::Error,
    },
    /// PostgreSQL's programs were not found.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The catalogue that was put back cannot be used.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
}

pub(super) fn io_error<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> BackupError + 'a {
    move |source| BackupError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

pub(super) fn sql(doing: &'static str) -> impl FnOnce(sqlx::Error) -> BackupError {
    move |source| BackupError::Sql { doing, source }
}

/// How PostgreSQL's programs and this one reach a catalogue's database.
#[derive(Clone)]
pub struct Access {
    options: PgConnectOptions,
    password: Option<String>,
    binaries: Binaries,
}

impl Access {
    /// To a database of the private cluster.
    pub fn private(options: PgConnectOptions, binaries: Binaries) -> Self {
        Self {
            options,
            password: None,
            binaries,
        }
    }

    /// To a server that somebody else runs, as its URL says.
    pub fn url(url: &str) -> Result<Self, BackupError> {
        let options = url
            .parse()
            .map_err(|why| BackupError::Unfit(format!("[catalogue] url cannot be read: {why}")))?;
        Ok(Self {
            options,
            password: password_of(url),
            binaries: Binaries::newest()?,
        })
    }

    /// The database's name.
    pub fn database(&self) -> String {
        let named = self.options.get_database();
        named.unwrap_or_else(|| self.options.get_username()).to_owned()
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        self.options.clone().database(database)
    }

    async fn connect(&self, database: &str) -> Result<PgConnection, BackupError> {
        let options = self.options(database);
        let opening = PgConnection::connect_with(&options);
        let opened = tokio::time::timeout(Limits::default().answer_within, opening).await;
        // A silent server ends no attempt by itself.
        let opened = opened.unwrap_or_else(|overdue| Err(io::Error::from(overdue).into()));
        opened.map_err(sql("be reached"))
    }

    /// One of PostgreSQL's programs, on a database. What it needs to connect is in its environment, where no other user
    /// can read it.
    fn program(&self, name: &str, database: &str) -> Command {
        let mut command = plain(&self.binaries, name);
        let host = match self.options.get_socket() {
            Some(folder) => folder.display().to_string(),
            None => self.options.get_host().to_owned(),
        };
        command
            .env("PGHOST", host)
            .env("PGPORT", self.options.get_port().to_string())
            .env("PGUSER", self.options.get_username())
            .env("PGDATABASE", database);
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        command
    }

    /// The migration that the database is at; None: it holds no catalogue.
    pub async fn schema(&self) -> Result<Option<i64>, BackupError> {
        let mut connection = self.connect(&self.database()).await?;
        migrate::version_of(&mut connection)
            .await
            .map_err(sql("tell its schema"))
    }
}

/// A program that reaches no server.
fn plain(binaries: &Binaries, name: &str) -> Command {
    launch::command(&binaries.program(name), None, Path::new("/"), Life::WithItsThread)
}

/// The password in `postgres://user:password@host/database`.
fn password_of(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?']).next()?;
    let (_, password) = authority.rsplit_once('@')?.0.split_once(':')?;
    let mut bytes = Vec::new();
    let mut left = password.bytes();
    while let Some(byte) = left.next() {
        let digits = [left.clone().next(), left.clone().nth(1)];
        let escaped = match (byte, digits) {
            (b'%', [Some(high), Some(low)]) => std::str::from_utf8(&[high, low])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        if escaped.is_some() {
            left.nth(1);
        }
        bytes.push(escaped.unwrap_or(byte));
    }
    String::from_utf8(bytes).ok()
}

/// Makes a backup of a catalogue at `path`, which must not exist.
pub async fn make(access: &Access, path: &Path, now: Timestamp) -> Result<BackupManifest, BackupError> {
    if path.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(path.to_owned()));
    }
    let database = access.database();
    let mut connection = access.connect(&database).await?;
    let mut snapshot = connection
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(sql("begin"))?;
    let (mut manifest, name) = describe(&mut snapshot, now).await?;
    let mut dump = access.program("pg_dump", &database);
    dump.args(["--format=custom", "--no-owner", "--no-privileges"])
        .arg(format!("--snapshot={name}"));
    let place = path.to_owned();
    // The snapshot's transaction stays open until the dump is whole.
    let written = blocking(move || {
        file::write(dump, &place, &mut manifest)?;
        Ok(manifest)
    });
    let manifest = written.await?;
    snapshot.rollback().await.map_err(sql("end the snapshot"))?;
    Ok(manifest)
}

/// What the snapshot holds, and its name.
async fn describe(on: &mut PgConnection, now: Timestamp) -> Result<(BackupManifest, String), BackupError> {
    let row = sqlx::query(
        "SELECT c.id, c.testing, c.chain_length, c.chain_head, pg_export_snapshot() AS snapshot,
                (SELECT max(version) FROM _sqlx_migrations WHERE success) AS schema,
                current_setting('server_version_num')::int AS server,
                (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM revision) AS revision FROM catalogue c",
    )
    .fetch_one(on)
    .await
    .map_err(sql("tell what the catalogue is"))?;
    let hash: Vec<u8> = row.get("chain_head");
    let manifest = BackupManifest {
        format: BACKUP_FORMAT.to_owned(),
        catalogue: CatalogueId(row.get("id")),
        testing: row.get("testing"),
        revision: Revision(row.get("revision")),
        head: EventHead {
            link: row.get("chain_length"),
            hash: Blake3::from_slice(&hash).unwrap_or(Blake3([0; 32])),
        },
        schema: row.get("schema"),
        server: row.get("server"),
        created_at: now,
        dump_bytes: 0,
        blake3: String::new(),
    };
    Ok((manifest, row.get("snapshot")))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    // A panic in there is a bug here: pass it on.
    tokio::task::spawn_blocking(work)
        .await
        .expect("work on a backup does not panic")
}

#[cfg(test)]
mod tests {
    use super::password_of;

    #[test]
    fn a_password_in_a_url_is_read_as_it_was_meant() {
        assert_eq!(
            password_of("postgres://me:s%40cret%25@host/db").as_deref(),
            Some("s@cret%")
        );
        assert_eq!(password_of("postgres://me:p%zz@h:5432/db").as_deref(), Some("p%zz"));
        assert_eq!(password_of("postgres://me@host/db?x=a:b@c"), None);
        assert_eq!(password_of("postgres:///db"), None);
    }
}
