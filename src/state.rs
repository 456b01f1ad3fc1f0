//! The state folder: where it is, what lies in it, and where the config is found. Client and respoold agree by using the
//! same functions.

use crate::api::Problem;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::Uid;
use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// One state folder: one respoold, one catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    /// `--state`, `$RESPOOL_STATE`, `$XDG_STATE_HOME/respool`; root's own is `/var/lib/respool`.
    pub fn resolve(option: Option<&Path>) -> Result<Self, Problem> {
        let chosen = option
            .map(Path::to_owned)
            .or_else(|| variable("RESPOOL_STATE"))
            .or_else(|| variable("XDG_STATE_HOME").map(|home| home.join("respool")));
        let path = match chosen {
            Some(path) => path,
            None if Uid::effective().is_root() => PathBuf::from("/var/lib/respool"),
            None => home()?.join(".local/state/respool"),
        };
        let path = absolute(&path)?;
        Ok(Self { path })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder unless it is there. Root's can be passed through, because PostgreSQL runs as another user.
    pub fn make(&self) -> Result<(), Problem> {
        let mode = if Uid::effective().is_root() { 0o711 } else { 0o700 };
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(&self.path)
            .map_err(|error| self.unusable("made", &error))
    }

    /// That the folder cannot be used, and why.
    pub fn unusable(&self, done: &str, error: &io::Error) -> Problem {
        Problem::environment(
            "state_unusable",
            "us",
            self.path.display().to_string(),
            format!("the state folder {} cannot be {done}: {error}", self.path.display()),
        )
        .next("correct its permissions or its disk, or choose another with --state")
    }

    /// Held by the running respoold; holds its process id.
    pub fn lock_file(&self) -> PathBuf {
        self.path.join("respoold.lock")
    }
    /// The process id of the running respoold, for scripts.
    pub fn pid_file(&self) -> PathBuf {
        self.path.join("respoold.pid")
    }
    /// What a respoold that was started on demand says.
    pub fn log_file(&self) -> PathBuf {
        self.path.join("respoold.log")
    }
    /// Holds the path of the folder that holds the socket.
    pub fn socket_record(&self) -> PathBuf {
        self.path.join("sockets")
    }
    /// Holds the word that a catalogue was made from here.
    pub fn catalogue_mark(&self) -> PathBuf {
        self.path.join("catalogue")
    }
    /// Holds spools: nothing in it outlives the respoold that made it.
    pub fn spool_folder(&self) -> PathBuf {
        self.path.join("spool")
    }
    /// Names this seat among all that may hold leases.
    pub fn seat_file(&self) -> PathBuf {
        self.path.join("seat")
    }

    /// Whether a respoold, or whoever stops its database, holds the folder.
    pub fn is_held(&self) -> bool {
        match fs::File::open(self.lock_file()).map(|file| Flock::lock(file, FlockArg::LockSharedNonblock)) {
            Ok(Err((_, errno))) => errno == Errno::EWOULDBLOCK,
            Ok(Ok(_)) | Err(_) => false,
        }
    }

    /// The socket of the respoold that runs or ran last. None when its folder is somebody else's by now: it lies where
    /// everybody may make folders, and objects are not sent to a stranger.
    pub fn socket(&self) -> Option<PathBuf> {
        let record = fs::read_to_string(self.socket_record()).ok()?;
        let folder = Path::new(record.trim_end());
        let found = fs::symlink_metadata(folder).ok()?;
        let ours = [0, Uid::effective().as_raw(), fs::metadata(&self.path).ok()?.uid()];
        let private = found.is_dir() && found.permissions().mode() & 0o077 == 0;
        (private && ours.contains(&found.uid())).then(|| folder.join(SOCKET))
    }
}

/// The socket's name in its folder.
pub const SOCKET: &str = "respoold.sock";

/// `--config`, `$XDG_CONFIG_HOME/respool/config.toml`, `/etc/respool/config.toml`; None when there is none.
pub fn resolve_config(option: Option<&Path>) -> Result<Option<PathBuf>, Problem> {
    if let Some(path) = option {
        return absolute(path).map(Some);
    }
    let own = variable("XDG_CONFIG_HOME").or_else(|| home().ok().map(|home| home.join(".config")));
    let candidates = own
        .map(|folder| folder.join("respool/config.toml"))
        .into_iter()
        .chain([PathBuf::from("/etc/respool/config.toml")]);
    Ok(candidates.into_iter().find(|path| path.is_file()))
}

/// A path as it is known from every folder.
pub fn absolute(path: &Path) -> Result<PathBuf, Problem> {
    std::path::absolute(path).map_err(|error| {
        Problem::refused(
            "bad_path",
            path.display().to_string(),
            format!("{}: {error}", path.display()),
        )
        .next("give another path")
    })
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn home() -> Result<PathBuf, Problem> {
    variable("HOME").ok_or_else(|| {
        Problem::refused("no_home", "HOME", "neither HOME nor a state folder is set").next("give --state DIR")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;

    #[test]
    fn a_socket_in_a_folder_that_others_may_use_is_not_respoolds() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(&folder.path().join("state"))).unwrap();
        state.make().unwrap();
        let sockets = folder.path().join("sockets");
        fs::create_dir(&sockets).unwrap();
        fs::write(state.socket_record(), format!("{}\n", sockets.display())).unwrap();
        fs::set_permissions(&sockets, Permissions::from_mode(0o700)).unwrap();
        assert_eq!(state.socket(), Some(sockets.join(SOCKET)));
        fs::set_permissions(&sockets, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(state.socket(), None);
        if Uid::effective().is_root() {
            fs::set_permissions(&sockets, Permissions::from_mode(0o700)).unwrap();
            std::os::unix::fs::chown(&sockets, Some(65_534), None).unwrap();
            assert_eq!(state.socket(), None, "a stranger's");
        }
    }
}
