//! One respoold per state folder: the lock, the process id, and the short folder that holds the socket.

use crate::api::Problem;
use crate::state::{Keeper, SOCKET, StateFolder};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{AccessFlags, Uid, access};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A bound socket's path has at most 107 bytes; this leaves room for the names below the folder.
const BASE_MAX: usize = 60;
/// Longer than anybody asks whether the lock is held.
const ASKED: Duration = Duration::from_secs(1);

/// The held lock. Dropping it lets the next respoold in.
pub struct Seat {
    state: StateFolder,
    keeper: Keeper,
    name: String,
    _lock: Flock<File>,
}

impl Seat {
    /// Takes the seat, or names who sits there.
    pub fn take(state: &StateFolder) -> Result<Self, Problem> {
        state.make()?;
        state.require_its_user()?;
        let keeper = state.keeper()?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(keeper.lock_mode())
            .open(state.lock_file())
            .map_err(|error| state.unusable("locked", &error))?;
        if let Keeper::Service(_) = keeper {
            // One that is there already, and one that the umask narrowed.
            let opened = file.set_permissions(Permissions::from_mode(keeper.lock_mode()));
            opened.map_err(|error| state.unusable("locked", &error))?;
        }
        let mut lock = match lock(file, &keeper) {
            Ok(lock) => lock,
            Err((mut file, Errno::EWOULDBLOCK)) => return Err(occupied(state, &mut file)),
            Err((_, errno)) => return Err(state.unusable("locked", &errno.into())),
        };
        let written = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        written.map_err(|error| state.unusable("written", &error))?;
        let name = seat_name(state)?;
        Ok(Self {
            state: state.clone(),
            keeper,
            name,
            _lock: lock,
        })
    }

    /// Names this seat among all holders of leases.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who starts respoold here, and for whom.
    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// The folder for the socket, and a path beside it for PostgreSQL's.
    pub fn socket_folders(&self) -> Result<(PathBuf, PathBuf), Problem> {
        let recorded = fs::read_to_string(self.state.socket_record())
            .ok()
            .map(|text| PathBuf::from(text.trim_end()));
        let folder = match recorded.filter(|folder| is_ours(folder, &self.keeper)) {
            Some(folder) => folder,
            None => self.new_socket_folder()?,
        };
        let beside = beside(&folder);
        Ok((folder, beside))
    }

    fn new_socket_folder(&self) -> Result<PathBuf, Problem> {
        let base = base_folder(&self.keeper).ok_or_else(|| {
            Problem::environment(
                "no_socket_folder",
                "us",
                "socket",
                "none of $XDG_RUNTIME_DIR, /run and /tmp can hold the socket",
            )
            .next("make /tmp writable, or set XDG_RUNTIME_DIR to a short folder")
        })?;
        loop {
            let tail = uuid::Uuid::now_v7().simple().to_string();
            let folder = base.join(format!("respool-{}", &tail[tail.len() - 8..]));
            match DirBuilder::new().mode(self.keeper.socket_folder_mode()).create(&folder) {
                Ok(()) => {
                    write_durably(&self.state.socket_record(), &format!("{}\n", folder.display()))
                        .map_err(|error| self.state.unusable("written", &error))?;
                    return Ok(folder);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.state.unusable("given a socket", &error)),
            }
        }
    }

    /// Tells scripts who runs, and the log that the one before did not leave in order, which takes this back. Answers
    /// that one's process: whoever sits here alone knows, while a client may look when it is not gone yet.
    pub fn announce(&self) -> Result<Option<u32>, Problem> {
        let left = fs::read_to_string(self.state.pid_file()).ok();
        if let Some(left) = &left {
            tracing::warn!(
                process = left.trim(),
                "the respoold before this one ended without stopping (killed or crashed); unfinished jobs go on"
            );
        }
        write_durably(&self.state.pid_file(), &format!("{}\n", std::process::id()))
            .map_err(|error| self.state.unusable("written", &error))?;
        Ok(left.and_then(|left| left.trim().parse().ok()))
    }

    /// Leaves in order: nobody is told of a process that is gone. What cannot be removed is refused or replaced by the
    /// next start, so failures here change nothing.
    pub fn leave(self) {
        let _ = fs::remove_file(self.state.pid_file());
        if let Some(socket) = self.state.socket() {
            // Nobody connects to what somebody else may put there later.
            let _ = fs::remove_file(self.state.socket_record());
            let _ = fs::remove_file(&socket);
            if let Some(folder) = socket.parent() {
                let _ = fs::remove_dir(folder);
                // Stays while a PostgreSQL listens in it.
                let _ = fs::remove_dir(beside(folder));
            }
        }
    }
}

/// PostgreSQL's folder may belong to another user, so it is not inside ours.
fn beside(folder: &Path) -> PathBuf {
    let mut beside = folder.to_owned().into_os_string();
    beside.push("-pg");
    beside.into()
}

/// Takes the lock. Under a service manager others ask whether it is held, and hold it for that moment: such a one is not
/// taken for another respoold, which the manager would not start again.
fn lock(mut file: File, keeper: &Keeper) -> Result<Flock<File>, (File, Errno)> {
    let patience = match keeper {
        Keeper::Clients => Duration::ZERO,
        Keeper::Service(_) => ASKED,
    };
    let begun = Instant::now();
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Err((back, Errno::EWOULDBLOCK)) if begun.elapsed() < patience => file = back,
            taken => return taken,
        }
        std::thread::sleep(ASKED / 50);
    }
}

fn occupied(state: &StateFolder, file: &mut File) -> Problem {
    let mut text = String::new();
    // Without a number the message names the folder alone.
    let _ = file.read_to_string(&mut text);
    let holder = match text.trim() {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    Problem::refused(
        "already_running",
        state.path().display().to_string(),
        format!("a respoold already runs for {}: {holder}", state.path().display()),
    )
    .next("use it, or stop it with `respool stop`")
}

fn seat_name(state: &StateFolder) -> Result<String, Problem> {
    if let Ok(name) = fs::read_to_string(state.seat_file())
        && !name.trim().is_empty()
    {
        return Ok(name.trim().to_owned());
    }
    let name = uuid::Uuid::now_v7().to_string();
    write_durably(&state.seat_file(), &format!("{name}\n")).map_err(|error| state.unusable("written", &error))?;
    Ok(name)
}

/// Replaces a small file so that a reader sees the old or the new text, never a part.
pub fn write_durably(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// A folder that nobody else could have put there.
fn is_ours(folder: &Path, keeper: &Keeper) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|found| {
        found.is_dir()
            && found.uid() == Uid::effective().as_raw()
            && keeper.lets_nobody_else(found.permissions().mode())
    }) && folder.as_os_str().len() + SOCKET.len() < 107
}

/// Where the socket's folder is made: a service manager gives the service one of its own, else the user's, /run or /tmp.
fn base_folder(keeper: &Keeper) -> Option<PathBuf> {
    let variable = match keeper {
        Keeper::Clients => "XDG_RUNTIME_DIR",
        Keeper::Service(_) => "RUNTIME_DIRECTORY",
    };
    let runtime = std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from);
    let usable = |folder: &PathBuf| {
        let short = folder.is_absolute() && folder.as_os_str().len() <= BASE_MAX;
        // Root's PostgreSQL runs as another user and has to get to its socket.
        let passable = !Uid::effective().is_root()
            || fs::metadata(folder).is_ok_and(|found| found.is_dir() && found.permissions().mode() & 0o001 != 0);
        short && passable && access(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
    };
    runtime
        .into_iter()
        .chain(["/run".into(), "/tmp".into()])
        .find(|folder| usable(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_refused_and_told_who_sits_there() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(folder.path())).unwrap();
        let seat = Seat::take(&state).unwrap();
        let problem = Seat::take(&state).err().unwrap();
        assert_eq!((problem.code.as_str(), problem.exit), ("already_running", 2));
        assert!(problem.message.contains(&std::process::id().to_string()));
        let name = seat.name().to_owned();
        drop(seat);
        assert_eq!(
            Seat::take(&state).unwrap().name(),
            name,
            "the seat outlives its holders"
        );
    }

    #[test]
    fn who_was_killed_left_his_process_id_to_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(folder.path())).unwrap();
        let seat = Seat::take(&state).unwrap();
        assert_eq!(seat.announce().unwrap(), None, "there was never one");
        drop(seat);
        let seat = Seat::take(&state).unwrap();
        assert_eq!(seat.announce().unwrap(), Some(std::process::id()));
        seat.leave();
        let seat = Seat::take(&state).unwrap();
        assert_eq!(seat.announce().unwrap(), None, "it left in order");
    }

    #[test]
    fn the_socket_folder_is_short_private_and_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(folder.path())).unwrap();
        let seat = Seat::take(&state).unwrap();
        let (first, beside) = seat.socket_folders().unwrap();
        assert!(is_ours(&first, seat.keeper()));
        assert_eq!(seat.socket_folders().unwrap(), (first.clone(), beside));
        assert_eq!(state.socket().unwrap(), first.join(SOCKET));
        seat.leave();
        assert!(!first.exists());
    }

    #[test]
    fn the_socket_folder_of_a_service_lets_its_group_in() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(folder.path())).unwrap();
        fs::write(state.service_mark(), "respoold.service\n").unwrap();
        let seat = Seat::take(&state).unwrap();
        let (sockets, _) = seat.socket_folders().unwrap();
        let mode = fs::metadata(&sockets).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o750);
        assert_eq!(state.socket().unwrap(), sockets.join(SOCKET));
        seat.leave();
    }

    /// Whoever may ask a service to leave can see whether it has left; asking does not keep the next one out.
    #[test]
    fn the_lock_of_a_service_can_be_asked_by_its_group() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(folder.path())).unwrap();
        let mode = || fs::metadata(state.lock_file()).unwrap().permissions().mode() & 0o777;
        drop(Seat::take(&state).unwrap());
        assert_eq!(mode(), 0o600, "nobody else has to know");
        fs::write(state.service_mark(), "respoold.service\n").unwrap();
        drop(Seat::take(&state).unwrap());
        assert_eq!(mode(), 0o640, "also one that was there");

        let asking = Flock::lock(File::open(state.lock_file()).unwrap(), FlockArg::LockShared).unwrap();
        let asked = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            drop(asking);
        });
        Seat::take(&state).expect("it is asked for a moment only");
        asked.join().unwrap();
    }
}
