//! Makes and checks the folders of the private cluster: the cluster itself, made beside its place and renamed into it
//! when complete, and the folder of its socket. Never deletes a completed cluster.

use super::binaries::Binaries;
use super::launch::{self, Account, Life};
use super::{Durability, EmbeddedError, SUPERUSER, postmaster};
use nix::unistd::{Uid, chown};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `sun_path` holds 108 bytes, the last a zero.
const SOCKET_PATH_LIMIT: usize = 107;
/// PostgreSQL appends this to the folder, port included.
const SOCKET_NAME: &str = ".s.PGSQL.5432";
/// How long a killed predecessor's initdb may take to notice.
const INITDB_ENDS: Duration = Duration::from_secs(30);

/// Settings of a new cluster that an operator may change later, in postgresql.conf or with ALTER SYSTEM. Those that
/// safety rests on are given at every start instead.
fn tunables(durability: Durability) -> String {
    let connections = match durability {
        Durability::Durable => 50,
        Durability::Fast => 200,
    };
    format!(
        "\n# Set by respool when it made this cluster; yours to change.\n\
         max_connections = {connections}\n\
         shared_buffers = 256MB\n\
         max_wal_size = 2GB\n\
         wal_compression = on\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n\
         log_line_prefix = '%m [%p] %d '\n\
         log_directory = 'log'\n\
         log_filename = 'postgresql-%a.log'\n\
         log_truncate_on_rotation = on\n\
         log_rotation_age = 1d\n\
         log_rotation_size = 0\n"
    )
}

/// The state of the place where the cluster belongs.
pub(super) enum Found {
    /// A complete cluster, its major version, and the account that owns it (`None`: ourselves).
    Cluster { major: u32, account: Option<Account> },
    /// Nothing, or an empty folder.
    Nothing,
}

/// Looks at `data` without changing anything.
pub(super) fn look(data: &Path) -> Result<Found, EmbeddedError> {
    let entry = match fs::symlink_metadata(data) {
        Ok(entry) => entry,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(e) => return Err(EmbeddedError::io("look at", data)(e)),
    };
    let unsafe_folder = |why: String| EmbeddedError::UnsafeFolder {
        folder: data.to_path_buf(),
        why,
    };
    if !entry.is_dir() {
        return Err(unsafe_folder("is no folder".into()));
    }
    let us = Uid::effective();
    if !us.is_root() && entry.uid() != us.as_raw() {
        return Err(unsafe_folder(format!(
            "belongs to user {}, and you are user {us}",
            entry.uid()
        )));
    }
    let mut entries = fs::read_dir(data).map_err(EmbeddedError::io("list", data))?;
    if entries.next().is_none() {
        return Ok(Found::Nothing);
    }
    let version = fs::read_to_string(data.join("PG_VERSION"))
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let Some(major) = version.filter(|_| data.join("global/pg_control").is_file()) else {
        return Err(EmbeddedError::NotACluster {
            folder: data.to_path_buf(),
        });
    };
    if us.is_root() && entry.uid() == 0 {
        let why = "belongs to root, which PostgreSQL refuses; give it to its user with `chown -R postgres`";
        return Err(unsafe_folder(why.into()));
    }
    let account = us.is_root().then(|| Account::of_owner(entry.uid(), entry.gid()));
    Ok(Found::Cluster { major, account })
}

/// Makes a cluster in `pg.new` and renames it to `data`, so that a killed initdb leaves nothing that looks like a
/// cluster. The caller holds the lock and found nothing at `data`. Blocks for seconds; initdb ends with this thread.
pub(super) fn make_cluster(
    data: &Path,
    binaries: &Binaries,
    account: Option<&Account>,
    durability: Durability,
) -> Result<(), EmbeddedError> {
    let new = data.with_extension("new");
    postmaster::wait_gone(&new, INITDB_ENDS);
    match fs::remove_dir_all(&new) {
        Ok(()) => tracing::info!(folder = %new.display(), "an interrupted initdb was found; made again"),
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(EmbeddedError::io("remove the unfinished", &new)(e)),
    }
    make_private(&new, account)?;
    run_initdb(&new, binaries, account, durability)?;
    let config = new.join("postgresql.conf");
    let mut file = OpenOptions::new()
        .append(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&config)
        .map_err(EmbeddedError::io("open", &config))?;
    file.write_all(tunables(durability).as_bytes())
        .map_err(EmbeddedError::io("write", &config))?;
    file.sync_all().map_err(EmbeddedError::io("sync", &config))?;
    fs::rename(&new, data).map_err(EmbeddedError::io("put the new cluster in its place", data))?;
    let parent = data.parent().unwrap_or(Path::new("/"));
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(EmbeddedError::io("sync", parent))
}

fn run_initdb(
    folder: &Path,
    binaries: &Binaries,
    account: Option<&Account>,
    durability: Durability,
) -> Result<(), EmbeddedError> {
    let program = binaries.program("initdb");
    let mut command = launch::command(&program, account, Path::new("/"), Life::WithItsThread);
    command
        .args([
            "--data-checksums",
            "--auth=trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-U",
            SUPERUSER,
            "-D",
        ])
        .arg(folder);
    if durability == Durability::Fast {
        command.arg("--no-sync");
    }
    let output = command.output().map_err(EmbeddedError::io("run", &program))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(EmbeddedError::Initdb {
        folder: folder.to_path_buf(),
        status: output.status.to_string(),
        output: last_lines(&String::from_utf8_lossy(&said), 12),
    })
}

/// Makes or checks the folder of the socket: ours or the account's alone, with a path that a socket can have.
pub(super) fn prepare_socket_dir(folder: &Path, account: Option<&Account>) -> Result<(), EmbeddedError> {
    let path = folder.join(SOCKET_NAME);
    let bytes = path.as_os_str().as_bytes().len();
    if bytes > SOCKET_PATH_LIMIT {
        return Err(EmbeddedError::SocketPathTooLong {
            path,
            bytes,
            limit: SOCKET_PATH_LIMIT,
        });
    }
    let entry = match fs::symlink_metadata(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return make_private(folder, account),
        entry => entry.map_err(EmbeddedError::io("look at", folder))?,
    };
    let unsafe_folder = |why: &str| EmbeddedError::UnsafeFolder {
        folder: folder.to_path_buf(),
        why: why.into(),
    };
    let owner = Uid::from_raw(entry.uid());
    if !entry.is_dir() {
        return Err(unsafe_folder("is no folder"));
    }
    if owner != Uid::effective() && Some(owner) != account.map(|account| account.uid) {
        return Err(unsafe_folder("belongs to another user"));
    }
    if entry.mode() & 0o077 != 0 {
        return Err(unsafe_folder("is open to other users (`chmod 700` it)"));
    }
    give(folder, account)
}

/// The socket that clients use.
pub(super) fn socket_path(folder: &Path) -> PathBuf {
    folder.join(SOCKET_NAME)
}

/// The lock that a server holds beside its socket.
pub(super) fn socket_lock(folder: &Path) -> PathBuf {
    folder.join(format!("{SOCKET_NAME}.lock"))
}

fn make_private(folder: &Path, account: Option<&Account>) -> Result<(), EmbeddedError> {
    DirBuilder::new()
        .mode(0o700)
        .create(folder)
        .map_err(EmbeddedError::io("make", folder))?;
    give(folder, account)
}

fn give(folder: &Path, account: Option<&Account>) -> Result<(), EmbeddedError> {
    let Some(account) = account else { return Ok(()) };
    chown(folder, Some(account.uid), Some(account.gid))
        .map_err(|e| EmbeddedError::io("change the owner of", folder)(e.into()))
}

/// What the server says until its log collector takes over.
pub(super) fn start_log(data: &Path) -> PathBuf {
    data.with_file_name("pg-start.log")
}

/// The log that was written last: that of the start, or one of the collector's.
pub(super) fn newest_log(data: &Path) -> PathBuf {
    let entries = fs::read_dir(data.join("log"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let written = |path: &PathBuf| fs::metadata(path).and_then(|entry| entry.modified()).ok();
    let start = start_log(data);
    entries.chain([start.clone()]).max_by_key(written).unwrap_or(start)
}

/// The end of a program's output, enough for a message.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_other_files_is_no_cluster_and_an_empty_one_is_nothing() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("pg");
        assert!(matches!(look(&data), Ok(Found::Nothing)));
        fs::create_dir(&data).unwrap();
        assert!(matches!(look(&data), Ok(Found::Nothing)));
        fs::write(data.join("letters"), "mine").unwrap();
        assert!(matches!(look(&data), Err(EmbeddedError::NotACluster { .. })));
        assert!(data.join("letters").exists());
    }

    #[test]
    fn a_socket_path_over_the_limit_is_refused_before_anything_is_made() {
        let place = tempfile::tempdir().unwrap();
        let long = place.path().join("s".repeat(SOCKET_PATH_LIMIT));
        assert!(matches!(
            prepare_socket_dir(&long, None),
            Err(EmbeddedError::SocketPathTooLong { .. })
        ));
        assert!(!long.exists());
    }

    #[test]
    fn a_socket_folder_that_others_can_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            prepare_socket_dir(place.path(), None),
            Err(EmbeddedError::UnsafeFolder { .. })
        ));
    }
}
