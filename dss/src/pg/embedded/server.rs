//! Finds the running server of the private cluster, or starts one. Blocks; the caller holds the cluster's lock.

use super::error::EmbeddedError;
use super::folders::{self, Found};
use super::launch::{self, Account, Life};
use super::postmaster::{self, PidFile};
use super::{Binaries, Durability, EmbeddedConfig, PORT, STOP_LIMIT};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Recovery after a crash replays at most `max_wal_size` or so; ten minutes is slow storage with a margin.
const START_LIMIT: Duration = Duration::from_secs(600);
/// A server that calls itself ready answers at once; when it does not, its socket is gone.
const ADOPT_LIMIT: Duration = Duration::from_secs(15);
/// Backends of a killed postmaster end when they notice, at the latest after their statement.
const ORPHANS_END: Duration = Duration::from_secs(60);

/// A server that was found or started, before it is known to answer.
pub(super) struct Server {
    pub pid: i32,
    pub data: PathBuf,
    pub socket_dir: PathBuf,
    pub origin: Origin,
}

pub(super) enum Origin {
    Adopted { ready: bool },
    Started { ended: Arc<OnceLock<ExitStatus>> },
}

impl Server {
    pub fn require_alive(&self) -> Result<(), EmbeddedError> {
        let status = match &self.origin {
            Origin::Started { ended } => match ended.get() {
                None => return Ok(()),
                Some(status) => status.to_string(),
            },
            Origin::Adopted { .. } if postmaster::belongs(self.pid, &self.data) => return Ok(()),
            Origin::Adopted { .. } => "it ended while it was being adopted".into(),
        };
        let log = folders::newest_log(&self.data);
        let text = fs::read(&log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        Err(EmbeddedError::Start {
            status,
            log,
            log_end: folders::last_lines(&text, 12),
        })
    }

    pub fn patience(&self) -> Duration {
        match self.origin {
            Origin::Adopted { ready: true } => ADOPT_LIMIT,
            Origin::Adopted { ready: false } | Origin::Started { .. } => START_LIMIT,
        }
    }
}

/// Finds the running server or starts one, making the cluster first when there is none. Blocks; the caller holds the
/// lock.
pub(super) fn server_for(config: &EmbeddedConfig) -> Result<Server, EmbeddedError> {
    let state_dir = config
        .state_dir
        .canonicalize()
        .map_err(EmbeddedError::io("find", &config.state_dir))?;
    let data = state_dir.join("pg");
    let (binaries, account) = match folders::look(&data)? {
        Found::Cluster { major, account } => (Binaries::find(Some((&data, major)))?, account),
        Found::Nothing => {
            let (binaries, account) = (Binaries::find(None)?, Account::for_new_cluster()?);
            launch::require_entry(&binaries.program("initdb"), account.as_ref(), &state_dir)?;
            folders::make_cluster(&data, &binaries, account.as_ref(), config.durability)?;
            (binaries, account)
        }
    };
    if let Some(server) = adoptable(&data)? {
        return Ok(server);
    }
    let postgres = binaries.program("postgres");
    launch::require_entry(&postgres, account.as_ref(), &data)?;
    folders::prepare_socket_dir(&config.socket_dir, account.as_ref())?;
    let socket_dir = config
        .socket_dir
        .canonicalize()
        .map_err(EmbeddedError::io("find", &config.socket_dir))?;
    launch::require_entry(&postgres, account.as_ref(), &socket_dir)?;
    postmaster::remove_reused_locks(&data, &folders::socket_lock(&socket_dir))?;
    start(&postgres, account.as_ref(), data, socket_dir, config.durability)
}

/// The running server of the cluster, once it has said where its socket is. `None` when none runs any more.
fn adoptable(data: &Path) -> Result<Option<Server>, EmbeddedError> {
    let end = Instant::now() + ORPHANS_END;
    loop {
        let file = PidFile::read(data)?.filter(|file| postmaster::belongs(file.pid, data));
        let usable = |file: &PidFile| file.socket_dir.clone().filter(|dir| folders::socket_path(dir).exists());
        match file {
            Some(PidFile { pid, ready, .. }) if Instant::now() >= end && !ready => {
                let last = "it has not opened its socket".into();
                return Err(EmbeddedError::NotReady {
                    pid,
                    seconds: ORPHANS_END.as_secs(),
                    last,
                    data: data.into(),
                });
            }
            Some(file) => match usable(&file) {
                Some(socket_dir) => {
                    let origin = Origin::Adopted { ready: file.ready };
                    return Ok(Some(Server {
                        pid: file.pid,
                        data: data.into(),
                        socket_dir,
                        origin,
                    }));
                }
                None if file.ready => {
                    tracing::info!(
                        pid = file.pid,
                        "the socket of the running PostgreSQL is gone; started anew"
                    );
                    postmaster::stop_fast(file.pid, data)?;
                    if !postmaster::wait_gone(data, STOP_LIMIT) {
                        let (pid, seconds) = (file.pid, STOP_LIMIT.as_secs());
                        return Err(EmbeddedError::NotStopped {
                            pid,
                            seconds,
                            data: data.into(),
                        });
                    }
                }
                None => {}
            },
            // Backends of a killed postmaster still hold its memory; PostgreSQL refuses to start beside them.
            None if !postmaster::processes(data).is_empty() && Instant::now() < end => {}
            None => return Ok(None),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts the server in its own session. What safety rests on stands on its command line, where neither
/// postgresql.conf nor ALTER SYSTEM overrides it.
fn start(
    postgres: &Path,
    account: Option<&Account>,
    data: PathBuf,
    socket_dir: PathBuf,
    durability: Durability,
) -> Result<Server, EmbeddedError> {
    let log = folders::start_log(&data);
    let output = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&log)
        .map_err(EmbeddedError::io("open", &log))?;
    let errors = output.try_clone().map_err(EmbeddedError::io("open", &log))?;
    let mut command = launch::command(postgres, account, Path::new("/"), Life::OnItsOwn);
    command
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(&socket_dir)
        .stdout(output)
        .stderr(errors);
    let switch = if durability == Durability::Durable { "on" } else { "off" };
    let safety = ["fsync", "full_page_writes", "synchronous_commit", "logging_collector"];
    let mut settings: Vec<String> = safety.iter().map(|name| format!("{name}={switch}")).collect();
    settings.extend(["listen_addresses=", "unix_socket_permissions=0700", "jit=off"].map(String::from));
    settings.push(format!("port={PORT}"));
    settings.push("cluster_name=respool".into());
    for setting in settings {
        command.args(["-c", &setting]);
    }
    let mut child = command.spawn().map_err(EmbeddedError::io("run", postgres))?;
    let pid = i32::try_from(child.id()).expect("a pid is an i32");
    let ended = Arc::new(OnceLock::new());
    let noted = ended.clone();
    // Somebody must wait for the child, or a stopped server stays in the process table as long as respoold lives.
    let waiter = std::thread::Builder::new().name("postgres-wait".into()).spawn(move || {
        if let Ok(status) = child.wait() {
            let _ = noted.set(status);
        }
    });
    waiter.map_err(EmbeddedError::io("watch the process of", &data))?;
    Ok(Server {
        pid,
        data,
        socket_dir,
        origin: Origin::Started { ended },
    })
}
