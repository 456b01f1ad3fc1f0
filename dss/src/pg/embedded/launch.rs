//! Starts the programs of PostgreSQL: in a session of their own, with a clean environment and, when respoold is root,
//! as another user. Decides nothing about clusters. The only place outside the device layer that needs `unsafe`: what
//! runs between fork and exec.
#![allow(unsafe_code)]

use super::EmbeddedError;
use nix::sys::{prctl, signal::Signal};
use nix::unistd::{Gid, Uid, User, getpid, getppid, setsid};
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The user that PostgreSQL runs as when respoold is root.
#[derive(Clone, Debug)]
pub(in crate::pg) struct Account {
    pub name: String,
    pub uid: Uid,
    pub gid: Gid,
}

impl Account {
    /// The account for a new cluster: `None` for an ordinary user, who runs PostgreSQL as himself.
    pub fn for_new_cluster() -> Result<Option<Self>, EmbeddedError> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        let found = ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten());
        found.map(|user| Some(Self::from(user))).ok_or(EmbeddedError::NoAccount)
    }

    /// The account that owns an existing cluster; files of an account without a name keep their number.
    pub fn of_owner(uid: u32, gid: u32) -> Self {
        match User::from_uid(Uid::from_raw(uid)) {
            Ok(Some(user)) => Self::from(user),
            _ => Self {
                name: uid.to_string(),
                uid: Uid::from_raw(uid),
                gid: Gid::from_raw(gid),
            },
        }
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            name: user.name,
            uid: user.uid,
            gid: user.gid,
        }
    }
}

/// How long a child lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pg) enum Life {
    /// Killed when the thread that starts it ends; that thread must wait for it.
    WithItsThread,
    /// Survives respoold, also one that is killed.
    OnItsOwn,
}

/// A command that will run as `account`, in its own session, started from `cwd`, with no input and nothing of our
/// environment that could change what PostgreSQL does.
pub(in crate::pg) fn command(program: &Path, account: Option<&Account>, cwd: &Path, life: Life) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    // Binaries unpacked below a home folder find their libraries by this.
    if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    command.current_dir(cwd).stdin(Stdio::null());
    if let Some(account) = account {
        // With a uid and no groups named, the standard library empties the supplementary groups in the child, then
        // calls setgid and setuid, all before the folder is entered and before the closure below runs.
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    let parent = getpid();
    let between = move || -> io::Result<()> {
        setsid()?;
        if life == Life::WithItsThread {
            // The uid change clears the death signal, so it is set here, after it.
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            if getppid() != parent {
                return Err(io::Error::other("the parent has ended"));
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes three system calls (setsid, prctl, getppid) on copied integers;
    // all are async-signal-safe. The one error that allocates is made only when the parent is gone, where a child
    // that hangs or dies harms nobody.
    unsafe { command.pre_exec(between) };
    command
}

/// Checks that `account` can run `program` and can enter `folder`, by doing so: permission bits alone know nothing of
/// access lists and mount options. Names the folder on the way that stops it.
pub(super) fn require_entry(program: &Path, account: Option<&Account>, folder: &Path) -> Result<(), EmbeddedError> {
    let Some(account) = account else { return Ok(()) };
    let enters = |folder: &Path| {
        let mut probe = command(program, Some(account), folder, Life::WithItsThread);
        let probe = probe
            .arg(OsStr::new("--version"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        probe.status().map(drop)
    };
    if enters(folder).is_ok() {
        return Ok(());
    }
    let name = || account.name.clone();
    enters(Path::new("/")).map_err(|source| EmbeddedError::NotExecutable {
        program: program.to_path_buf(),
        account: name(),
        source,
    })?;
    let mut way: Vec<&Path> = folder.ancestors().collect();
    way.reverse();
    let culprit = way.into_iter().find(|folder| enters(folder).is_err()).unwrap_or(folder);
    Err(EmbeddedError::NotTraversable {
        folder: culprit.to_path_buf(),
        account: name(),
    })
}
