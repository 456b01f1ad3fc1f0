//! The state folder: where it is, what lies in it, and where the config is found. Client and respoold agree by using the
//! same functions.

use crate::api::Problem;
use crate::config::Config;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{Uid, User};
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

    /// Its presence says that a service manager keeps a respoold here; holds the name of the unit.
    pub fn service_mark(&self) -> PathBuf {
        self.path.join("service")
    }

    /// Who starts a respoold for this folder.
    pub fn keeper(&self) -> Result<Keeper, Problem> {
        match fs::read_to_string(self.service_mark()) {
            Ok(unit) => Ok(Keeper::Service(unit.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(self.unusable("entered", &error).next(
                    "an operator of a service is a member of the group that owns its folder: `usermod -aG respool NAME` \
                     as root, then log in anew; for a folder of your own use --state",
                ))
            }
            Err(_) => Ok(Keeper::Clients),
        }
    }

    /// Refuses whoever is not the user that a service manager runs this folder's respoold as: root, too, would leave
    /// files there that the service cannot use.
    pub fn require_its_user(&self) -> Result<(), Problem> {
        let Keeper::Service(unit) = self.keeper()? else {
            return Ok(());
        };
        let owner = fs::metadata(&self.path).map_err(|error| self.unusable("looked at", &error))?;
        if owner.uid() == Uid::effective().as_raw() {
            return Ok(());
        }
        let name = User::from_uid(Uid::from_raw(owner.uid())).ok().flatten();
        let name = name.map_or_else(|| owner.uid().to_string(), |user| user.name);
        let path = self.path.display();
        Err(Problem::refused(
            "not_the_services_user",
            path.to_string(),
            format!("{path} is kept by {unit}, which runs as user {name}, and you are another; nothing was touched"),
        )
        .next(format!(
            "run the command as that user: `runuser -u {name} -- respool --state {path} ...`"
        )))
    }

    /// Whether a respoold, or whoever stops its database, holds the folder. Who may not ask is told that it does: only
    /// what is known to be free is free.
    pub fn is_held(&self) -> bool {
        self.is_seen_held().unwrap_or(true)
    }

    /// The same; None for who may not ask, and would wait for ever.
    pub fn is_seen_held(&self) -> Option<bool> {
        is_locked(fs::File::open(self.lock_file()))
    }

    /// The process that holds the folder or held it last, as far as that can be read.
    pub fn last_holder(&self) -> Option<u32> {
        fs::read_to_string(self.lock_file()).ok()?.trim().parse().ok()
    }

    /// The socket of the respoold that runs or ran last. None when its folder is somebody else's by now: it lies where
    /// everybody may make folders, and objects are not sent to a stranger.
    pub fn socket(&self) -> Option<PathBuf> {
        let record = fs::read_to_string(self.socket_record()).ok()?;
        let folder = Path::new(record.trim_end());
        let found = fs::symlink_metadata(folder).ok()?;
        let ours = [0, Uid::effective().as_raw(), fs::metadata(&self.path).ok()?.uid()];
        let private = found.is_dir() && self.keeper().ok()?.lets_nobody_else(found.permissions().mode());
        (private && ours.contains(&found.uid())).then(|| folder.join(SOCKET))
    }
}

fn is_locked(opened: io::Result<fs::File>) -> Option<bool> {
    match opened.map(|file| Flock::lock(file, FlockArg::LockSharedNonblock)) {
        Ok(Err((_, errno))) => Some(errno == Errno::EWOULDBLOCK),
        Ok(Ok(_)) => Some(false),
        Err(error) => (error.kind() != io::ErrorKind::PermissionDenied).then_some(false),
    }
}

/// Who starts a respoold for a state folder, and who may talk to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// The first command that needs one, for its own user.
    Clients,
    /// A service manager, under this unit; for the members of the folder's group.
    Service(String),
}

impl Keeper {
    /// Whether a socket's folder of this mode is closed to everybody who may not talk to respoold, and nobody but its
    /// owner can put another socket there.
    pub fn lets_nobody_else(&self, mode: u32) -> bool {
        mode & 0o777 & !self.socket_folder_mode() == 0
    }

    /// The mode of the folder that holds the socket.
    pub fn socket_folder_mode(&self) -> u32 {
        match self {
            Self::Clients => 0o700,
            Self::Service(_) => 0o750,
        }
    }

    /// The mode of the lock: whoever may ask respoold to leave may see whether it has left.
    pub fn lock_mode(&self) -> u32 {
        match self {
            Self::Clients => 0o600,
            Self::Service(_) => 0o640,
        }
    }

    /// The mode of the socket itself.
    pub fn socket_mode(&self) -> u32 {
        match self {
            Self::Clients => 0o600,
            Self::Service(_) => 0o660,
        }
    }
}

/// The socket's name in its folder.
pub const SOCKET: &str = "respoold.sock";

/// `--config`, `$XDG_CONFIG_HOME/respool/config.toml`, `/etc/respool/config.toml`; None when there is none. One that was
/// named and is not there is refused before anything is made or started. What is there and cannot be read is chosen, and
/// refused by whoever reads it: another config may mean another catalogue.
pub fn resolve_config(option: Option<&Path>) -> Result<Option<PathBuf>, Problem> {
    if let Some(path) = option {
        let path = absolute(path)?;
        return match fs::metadata(&path) {
            Err(error) if is_nothing(&error) => Err(Config::unreadable(&path, &error)),
            Ok(_) | Err(_) => Ok(Some(path)),
        };
    }
    let own = variable("XDG_CONFIG_HOME").or_else(|| home().ok().map(|home| home.join(".config")));
    let candidates = own
        .map(|folder| folder.join("respool/config.toml"))
        .into_iter()
        .chain([PathBuf::from("/etc/respool/config.toml")]);
    let is_absent = |path: &PathBuf| fs::symlink_metadata(path).is_err_and(|error| is_nothing(&error));
    Ok(candidates.into_iter().find(|path| !is_absent(path)))
}

/// Whether a path was looked for and is not there.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
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

/// A variable that client and respoold agree upon. A file is named as it is known from every folder.
pub fn drill_variable(name: &str) -> Option<String> {
    let value = env::var(name).ok()?;
    match name {
        "RESPOOL_FAULTS" if !value.is_empty() => absolute(Path::new(&value)).ok()?.into_os_string().into_string().ok(),
        _ => Some(value),
    }
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

    #[test]
    fn a_services_socket_is_for_its_group_and_nobody_else_can_put_another_there() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(folder.path())).unwrap();
        assert_eq!(state.keeper().unwrap(), Keeper::Clients);
        fs::write(state.service_mark(), "respoold.service\n").unwrap();
        let keeper = Keeper::Service("respoold.service".into());
        assert_eq!(state.keeper().unwrap(), keeper);
        for (mode, good) in [
            (0o700, true),
            (0o750, true),
            (0o770, false),
            (0o755, false),
            (0o751, false),
        ] {
            assert_eq!(keeper.lets_nobody_else(0o040_000 | mode), good, "{mode:o}");
        }
        assert!(!Keeper::Clients.lets_nobody_else(0o750));
    }

    #[test]
    fn only_the_user_of_a_service_works_in_its_folder_not_even_root() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(folder.path())).unwrap();
        fs::write(state.service_mark(), "respoold.service\n").unwrap();
        assert!(state.require_its_user().is_ok());
        if Uid::effective().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(65_534), None).unwrap();
            let problem = state.require_its_user().unwrap_err();
            assert_eq!((problem.code.as_str(), problem.exit), ("not_the_services_user", 2));
            fs::remove_file(state.service_mark()).unwrap();
            assert!(state.require_its_user().is_ok(), "root's own choice");
        }
    }

    #[test]
    fn a_config_that_was_named_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        for missing in [config.clone(), config.join("below")] {
            let problem = resolve_config(Some(&missing)).unwrap_err();
            assert_eq!((problem.code.as_str(), problem.exit), ("config_unreadable", 2));
            assert_eq!(problem.subject, missing.display().to_string());
        }
        fs::write(&config, "").unwrap();
        assert_eq!(resolve_config(Some(&config)).unwrap(), Some(config.clone()));
        let below = resolve_config(Some(&config.join("below"))).unwrap_err();
        assert_eq!(below.code, "config_unreadable", "a file is no folder");
    }

    #[test]
    fn what_may_not_be_asked_is_not_free() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(folder.path())).unwrap();
        assert!(!state.is_held(), "there was never one");
        assert_eq!(is_locked(Err(io::ErrorKind::PermissionDenied.into())), None);
        fs::write(state.lock_file(), "17\n").unwrap();
        assert!(!state.is_held());
        assert_eq!(state.last_holder(), Some(17));
        let held = Flock::lock(fs::File::open(state.lock_file()).unwrap(), FlockArg::LockExclusive).unwrap();
        assert!(state.is_held());
        drop(held);
        assert!(!state.is_held());
    }
}
