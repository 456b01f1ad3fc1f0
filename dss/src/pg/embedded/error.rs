//! What can go wrong with the private cluster. Each message says what failed and what to do next; all of them are
//! trouble of the environment (exit 3) and none of them touches a medium.

use std::io;
use std::path::{Path, PathBuf};

/// Why the private PostgreSQL could not be made, started, reached or stopped.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No usable PostgreSQL server on this host.
    #[error(
        "no PostgreSQL server, version {minimum} or later, was found (looked in {looked}); install it (Debian: \
         `apt-get install postgresql`; Enterprise Linux: `dnf install postgresql-server`), or set RESPOOL_PG_BIN to \
         the folder that holds `postgres` and `initdb`, or name a running server with `[catalogue] url`"
    )]
    BinariesMissing {
        /// The oldest major version that will do.
        minimum: u32,
        /// Where the search went, and what was found but too old.
        looked: String,
    },
    /// The cluster was made by a major version that is not installed.
    #[error(
        "the catalogue in {} was made by PostgreSQL {wanted}, and this host has only {found}; install PostgreSQL \
         {wanted} (Debian: `postgresql-{wanted}`), or upgrade the folder with pg_upgrade",
        data.display()
    )]
    OtherMajor {
        /// The cluster.
        data: PathBuf,
        /// Its major version.
        wanted: u32,
        /// What is installed.
        found: String,
    },
    /// As root, neither `postgres` nor `nobody` exists.
    #[error("PostgreSQL does not run as root, and neither the user `postgres` nor `nobody` exists; create one of them")]
    NoAccount,
    /// The account that PostgreSQL runs as cannot pass through a folder.
    #[error(
        "PostgreSQL runs as user `{account}`, which cannot enter {}; allow it with `chmod o+x {}`, or choose \
         another folder",
        folder.display(), folder.display()
    )]
    NotTraversable {
        /// The first folder on the way that stops it.
        folder: PathBuf,
        /// Who is stopped.
        account: String,
    },
    /// The account may not run the server's program.
    #[error("user `{account}` cannot run {}: {source}; check the permissions of that file", program.display())]
    NotExecutable {
        /// The program.
        program: PathBuf,
        /// Who is stopped.
        account: String,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel's limit for socket paths.
    #[error(
        "the socket path {} has {bytes} bytes, and the system allows {limit}; choose a shorter socket folder",
        path.display()
    )]
    SocketPathTooLong {
        /// The path that would have been bound.
        path: PathBuf,
        /// Its length.
        bytes: usize,
        /// The most that works.
        limit: usize,
    },
    /// A folder that must be ours alone is not.
    #[error("{} {why}; PostgreSQL was not started: correct it, or choose another folder", folder.display())]
    UnsafeFolder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        why: String,
    },
    /// Something else lives where the cluster belongs.
    #[error(
        "{} holds files but no PostgreSQL cluster; nothing was changed: move them away, or choose another state folder",
        folder.display()
    )]
    NotACluster {
        /// The folder.
        folder: PathBuf,
    },
    /// initdb gave up.
    #[error("initdb could not make a cluster in {} ({status}); it said:\n{output}", folder.display())]
    Initdb {
        /// Where.
        folder: PathBuf,
        /// Its exit status.
        status: String,
        /// The end of its output.
        output: String,
    },
    /// The server ended instead of starting.
    #[error("PostgreSQL did not start ({status}); the end of {} says:\n{log_end}", log.display())]
    Start {
        /// Its exit status.
        status: String,
        /// The log of the start.
        log: PathBuf,
        /// Its last lines.
        log_end: String,
    },
    /// The server runs but takes no connections.
    #[error(
        "PostgreSQL (process {pid}) took no connection within {seconds} s: {last}; a recovery may still be running: \
         see the log in {}, then try again",
        data.display()
    )]
    NotReady {
        /// The postmaster.
        pid: i32,
        /// How long was waited.
        seconds: u64,
        /// The last refusal.
        last: String,
        /// The cluster.
        data: PathBuf,
    },
    /// The server was told to stop and did not.
    #[error(
        "PostgreSQL (process {pid}) did not stop within {seconds} s; it may be writing its checkpoint: wait, and see \
         the log in {}",
        data.display()
    )]
    NotStopped {
        /// The postmaster.
        pid: i32,
        /// How long was waited.
        seconds: u64,
        /// The cluster.
        data: PathBuf,
    },
    /// A database name that would need quoting.
    #[error("`{name}` is no database name: use a letter, then lower-case letters, digits and underscores, at most 63")]
    DatabaseName {
        /// The name.
        name: String,
    },
    /// The cluster refused a statement.
    #[error("the private PostgreSQL refused to {doing}")]
    Sql {
        /// What was tried.
        doing: String,
        /// What it said.
        source: sqlx::Error,
    },
    /// A file or folder operation failed.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl EmbeddedError {
    /// Names the operation and the path of an I/O error.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { doing, path, source }
    }
}
