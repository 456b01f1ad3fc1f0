//! The running server as the system sees it: the file `postmaster.pid`, and the processes whose working folder is the
//! cluster (every process of PostgreSQL enters its data folder). A pid alone proves nothing, since numbers are reused
//! after a reboot or in a new container.

use super::EmbeddedError;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What `postmaster.pid` says. The later lines appear as the server starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pub pid: i32,
    pub socket_dir: Option<PathBuf>,
    pub ready: bool,
}

impl PidFile {
    pub fn read(data: &Path) -> Result<Option<Self>, EmbeddedError> {
        let path = data.join("postmaster.pid");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(EmbeddedError::io("read", &path)(e)),
        }
    }

    /// Lines: pid, data folder, start time, port, socket folder, listen address, shared memory key, status.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        // A stand-alone backend (recovery by hand) writes its pid negated; it is no server to adopt.
        let pid = lines.first()?.parse().ok().filter(|pid| *pid > 0)?;
        let socket_dir = lines.get(4).filter(|line| !line.is_empty()).map(PathBuf::from);
        Some(Self {
            pid,
            socket_dir,
            ready: lines.get(7) == Some(&"ready"),
        })
    }
}

/// Whether process `pid` belongs to the cluster. A zombie has no working folder, so it does not.
pub(super) fn belongs(pid: i32, data: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data)
}

/// Every living process of the cluster.
pub(super) fn processes(data: &Path) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| belongs(*pid, data)).collect()
}

/// Waits until no process of the cluster is left, and says whether that came about. Blocks.
pub(super) fn wait_gone(data: &Path, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    loop {
        if processes(data).is_empty() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Tells a postmaster to stop: open transactions are rolled back, a checkpoint is written. Gone already is fine.
pub(super) fn stop_fast(pid: i32, data: &Path) -> Result<(), EmbeddedError> {
    match kill(Pid::from_raw(pid), Signal::SIGINT) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(e) => Err(EmbeddedError::io("stop the server of", data)(e.into())),
    }
}

/// Removes lock files (the data folder's and the socket's) that name a living process which is not of this cluster; with
/// no process of the cluster left, they say nothing true. PostgreSQL itself handles a pid that is dead or of another
/// user, but refuses to start when the number was given to another process of its own user, or when its dead server is
/// still in the process table because nobody has waited for it. The caller has waited until no process is left.
pub(super) fn remove_reused_locks(data: &Path, socket_lock: &Path) -> Result<(), EmbeddedError> {
    for path in [&data.join("postmaster.pid"), socket_lock] {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            Err(e) => return Err(EmbeddedError::io("read", path)(e)),
        };
        // A stand-alone backend writes its pid negated: PostgreSQL sees to that one.
        let Some(pid) = text
            .lines()
            .next()
            .and_then(|line| line.trim().parse().ok())
            .filter(|pid: &i32| *pid > 0)
        else {
            continue;
        };
        let alive = Path::new("/proc").join(pid.to_string()).exists();
        if alive && processes(data).is_empty() {
            tracing::info!(pid, lock = %path.display(), "a lock names a process that is not PostgreSQL; removed");
            fs::remove_file(path).map_err(EmbeddedError::io("remove the stale", path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_read_whole_or_in_the_making() {
        let whole = "4711\n/s/pg\n1700000000\n5432\n/run/r/pg\n\n  123 456\nready   \n";
        let expected = PidFile {
            pid: 4711,
            socket_dir: Some(PathBuf::from("/run/r/pg")),
            ready: true,
        };
        assert_eq!(PidFile::parse(whole), Some(expected));
        let starting = PidFile {
            pid: 4711,
            socket_dir: None,
            ready: false,
        };
        assert_eq!(PidFile::parse("4711\n/s/pg\n1700000000\n5432\n"), Some(starting));
        assert_eq!(PidFile::parse("-4711\n"), None);
        assert_eq!(PidFile::parse(""), None);
    }

    #[test]
    fn a_lock_with_a_reused_pid_is_removed_and_one_with_a_dead_pid_is_left_to_postgres() {
        let data = tempfile::tempdir().unwrap();
        let (file, socket) = (data.path().join("postmaster.pid"), data.path().join("socket.lock"));
        for lock in [&file, &socket] {
            fs::write(lock, format!("{}\n", std::process::id())).unwrap();
            remove_reused_locks(data.path(), &socket).unwrap();
            assert!(!lock.exists());
            for dead in ["2147483646\n", "-1\n", ""] {
                fs::write(lock, dead).unwrap();
                remove_reused_locks(data.path(), &socket).unwrap();
                assert!(lock.exists());
            }
            fs::remove_file(lock).unwrap();
        }
    }
}
