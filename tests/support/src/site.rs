//! The real `respool` and `respoold` in a state folder of their own, with their own private PostgreSQL and media below
//! one temporary folder. Ends with the test: stops what it started, and kills by number only what does not stop.

mod command;
mod server;
mod template;

pub use command::{Outcome, Running};
pub use server::{Frozen, children};

use command::outcome;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, User, chown};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use template::template;

/// Many small windows, a small ring, short leases: everything a repack does in gigabytes happens in kilobytes.
pub const QUICK: &str = r#"
[store]
extent_max_bytes = "64 KiB"
[repack]
sync_bytes = "64 KiB"
sync_seconds = 5
[daemon]
idle_exit = "2m"
lease_seconds = 5
[memory]
ring = "64 KiB"
chunk = "16 KiB"
spool = "128 KiB"
"#;

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// One state folder and its media.
#[derive(Debug)]
pub struct Site {
    respool: PathBuf,
    root: TempDir,
    now: Option<String>,
    /// Who runs the programs, where that is not who runs the test.
    user: Option<(Uid, Gid)>,
    /// Where the catalogue is, when it is in no private cluster.
    url: Option<String>,
}

impl Site {
    /// With a catalogue for drills. `respool` is the program, `respoold` lies beside it.
    pub fn new(respool: &str) -> Self {
        Self::with_config(respool, QUICK)
    }

    /// The same with another config.
    pub fn with_config(respool: &str, config: &str) -> Self {
        let site = Self::bare(Path::new(respool), config);
        let copied = Command::new("cp")
            .arg("-a")
            .arg(template(Path::new(respool)))
            .arg(site.state())
            .status();
        assert!(
            copied.is_ok_and(|status| status.success()),
            "the template was not copied"
        );
        site
    }

    /// With a catalogue of its own that no other site shares: for media that go from one catalogue to another.
    pub fn another(respool: &str) -> Self {
        let site = Self::bare(Path::new(respool), QUICK);
        site.ok(&["init", "--testing"]);
        site
    }

    /// With its catalogue for drills in an empty database at this url.
    pub fn at_url(respool: &str, url: &str) -> Self {
        let mut site = Self::bare(Path::new(respool), &format!("{QUICK}[catalogue]\nurl = \"{url}\"\n"));
        site.url = Some(url.to_owned());
        site.ok(&["init", "--testing"]);
        site
    }

    /// With a catalogue of its own, of an ordinary user: whoever runs the test or, when that is root, `nobody`. Files that the programs are
    /// to write or read are to be his; [`Self::folder`] makes one.
    pub fn ordinary(respool: &str) -> Self {
        let mut site = Self::bare(Path::new(respool), QUICK);
        if Uid::effective().is_root() {
            let nobody = User::from_name("nobody").expect("users can be looked up");
            let nobody = nobody.expect("there is a user `nobody`");
            site.user = Some((nobody.uid, nobody.gid));
            site.own(site.root());
            // The target folder may lie where `nobody` cannot go.
            let programs = site.folder("bin");
            for name in ["respool", "respoold"] {
                let built = Path::new(respool).with_file_name(name);
                fs::copy(built, programs.join(name)).expect("there is room for the programs");
            }
            site.respool = programs.join("respool");
        }
        site.ok(&["init", "--testing"]);
        site
    }

    fn own(&self, path: &Path) {
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group)).expect("root may give away");
        }
    }

    fn bare(respool: &Path, config: &str) -> Self {
        let root = tempfile::Builder::new().prefix("respool-site-").tempdir_in("/tmp");
        let root = root.expect("/tmp can be written");
        // PostgreSQL runs as another user when the test is root's, and passes through here.
        fs::set_permissions(root.path(), Permissions::from_mode(0o711)).expect("it is ours");
        let site = Self {
            respool: respool.to_owned(),
            root,
            now: None,
            user: None,
            url: None,
        };
        site.write("config.toml", config);
        site.write("faults.toml", "");
        site
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.root.path().join(name), text).expect("the site can be written");
    }

    /// Everything of this site lies here.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Makes a folder here, of the user who runs the programs.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.root.path().join(name);
        fs::create_dir(&folder).expect("the name is new");
        self.own(&folder);
        folder
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// The config.
    pub fn config(&self) -> PathBuf {
        self.root.path().join("config.toml")
    }

    /// What respoold and its clients agree on here, beside the config.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let faults = self.root.path().join("faults.toml").display().to_string();
        let mut variables = vec![("RESPOOL_TESTING", "1".to_owned()), ("RESPOOL_FAULTS", faults)];
        variables.extend(self.now.clone().map(|now| ("RESPOOL_NOW", now)));
        variables
    }

    // ------------------------------------------------------------------------------------------------------ commands

    /// A command that answers in JSON, ready to be run.
    pub fn command(&self, args: &[&str]) -> Command {
        self.program(&[&["--json"], args].concat())
    }

    /// A command that answers in words, ready to be run.
    pub fn spoken(&self, args: &[&str]) -> Command {
        self.program(args)
    }

    fn program(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.respool);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"RESPOOL_") {
                command.env_remove(name);
            }
        }
        command
            .env_remove("XDG_RUNTIME_DIR")
            .envs(self.variables())
            .env("RESPOOL_STATE", self.state())
            .arg("--config")
            .arg(self.config())
            .args(args)
            .current_dir(self.root.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.of_user(command)
    }

    fn of_user(&self, mut command: Command) -> Command {
        if let Some((user, group)) = self.user {
            command.uid(user.as_raw()).gid(group.as_raw());
        }
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        outcome(args, self.command(args).spawn().expect("respool can be run"))
    }

    /// Runs a command that must succeed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Value {
        self.run(args).expect(0)
    }

    /// Starts a command and goes on.
    pub fn start(&self, args: &[&str]) -> Running {
        Running::new(args, self.command(args).spawn().expect("respool can be run"))
    }

    /// From the next start on, these faults happen.
    pub fn faults(&self, text: &str) {
        self.stop();
        self.write("faults.toml", text);
    }

    /// From the next start on, respoold dies the n-th time it comes to a step.
    pub fn crash_at(&self, step: &str, nth: u32) {
        self.faults(&format!("[[fault]]\ncrash = \"{step}\"\nnth = {nth}\n"));
    }

    /// From the next start on, ages are counted from this time.
    pub fn at(&mut self, now: &str) {
        self.stop();
        self.now = Some(now.to_owned());
    }

    /// Forgets the faults of a respoold that is dead.
    pub fn heal(&self) {
        assert!(
            self.pid().is_none_or(|pid| !is_alive(pid)),
            "a living respoold keeps its faults"
        );
        self.write("faults.toml", "");
    }

    /// Stops respoold and its database in order, if they run.
    #[track_caller]
    pub fn stop(&self) {
        self.ok(&["stop"]);
    }

    /// respoold's process, by its own word.
    pub fn pid(&self) -> Option<Pid> {
        pid_of(&self.state().join("respoold.pid"))
    }

    /// Ends respoold as a failing host does.
    pub fn kill(&self) {
        let pid = self.pid().expect("respoold runs");
        kill(pid, Signal::SIGKILL).expect("it is ours");
        self.wait_for_death(pid);
    }

    /// Waits until a respoold is gone. Panics when it stays.
    #[track_caller]
    pub fn wait_for_death(&self, pid: Pid) {
        wait_until("respoold is gone", || !is_alive(pid));
    }

    /// What respoold said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.state().join("respoold.log")).unwrap_or_default()
    }

    // --------------------------------------------------------------------------------------------- objects and media

    /// Where a medium of this site lies.
    pub fn disk(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Makes directories and adds each as a medium of its name, which is also its tag.
    pub fn disks(&self, names: &[&str]) {
        for name in names {
            let path = self.folder(name).display().to_string();
            self.ok(&["dir", "add", name, &path, "--capacity", "1GiB", "--tags", name]);
        }
    }

    /// Puts an object; more arguments may follow.
    #[track_caller]
    pub fn put(&self, oid: &str, bytes: &[u8], more: &[&str]) -> Value {
        self.try_put(oid, bytes, more).expect(0)
    }

    /// Puts an object, whatever comes of it.
    pub fn try_put(&self, oid: &str, bytes: &[u8], more: &[&str]) -> Outcome {
        let file = tempfile::NamedTempFile::new_in(self.root.path()).expect("the site can be written");
        fs::write(file.path(), bytes).expect("the site can be written");
        let path = file.path().display().to_string();
        self.run(&[&["put", &path, oid], more].concat())
    }

    /// Puts an object on this medium.
    #[track_caller]
    pub fn put_on(&self, medium: &str, oid: &str, bytes: &[u8]) {
        let put = self.put(oid, bytes, &["--tags", medium]);
        let extents = put["extents"].as_array().expect("a put answers its extents");
        assert!(extents.iter().all(|extent| extent["medium"] == medium), "{put:#}");
    }

    /// Reads an object.
    #[track_caller]
    pub fn get(&self, oid: &str) -> Vec<u8> {
        let outcome = self.try_get(oid);
        outcome.unwrap_or_else(|outcome| panic!("{oid} cannot be had: {outcome:?}"))
    }

    /// Reads an object, or tells what became of the command.
    pub fn try_get(&self, oid: &str) -> Result<Vec<u8>, Outcome> {
        let folder = tempfile::tempdir_in(self.root.path()).expect("the site can be written");
        let file = folder.path().join("got");
        let outcome = self.run(&["get", oid, &file.display().to_string()]);
        match outcome.code {
            0 => Ok(fs::read(file).expect("a get that succeeds leaves a file")),
            _ => Err(outcome),
        }
    }

    /// One medium, as `medium show` says.
    #[track_caller]
    pub fn medium(&self, name: &str) -> Value {
        self.ok(&["medium", "show", name])
    }

    /// Extents, by the arguments of `extent list`.
    #[track_caller]
    pub fn extents(&self, filter: &[&str]) -> Vec<Value> {
        let listed = self.ok(&[&["extent", "list"], filter].concat());
        listed["extents"].as_array().expect("a list").clone()
    }

    /// The files that hold extents on a medium, below its folder.
    pub fn files(&self, medium: &str) -> Vec<String> {
        let entries = fs::read_dir(self.disk(medium).join("objects"));
        let entries = entries.map(|entries| entries.collect::<Result<Vec<_>, _>>().expect("a folder can be read"));
        let mut names: Vec<String> = entries
            .unwrap_or_default()
            .iter()
            .map(|entry| format!("objects/{}", entry.file_name().to_str().expect("plain names")))
            .collect();
        names.sort();
        names
    }

    /// Waits until something holds.
    #[track_caller]
    pub fn wait_until(&self, what: &str, holds: impl FnMut() -> bool) {
        wait_until(what, holds);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().rev().take(40).collect();
            let tail: Vec<&str> = lines.into_iter().rev().collect();
            eprintln!("respoold said last:\n{}", tail.join("\n"));
        }
        let stopped = self.command(&["stop"]).output();
        if stopped.is_ok_and(|output| output.status.success()) {
            return;
        }
        for (file, signal) in [("respoold.pid", Signal::SIGKILL), ("pg/postmaster.pid", Signal::SIGINT)] {
            if let Some(pid) = pid_of(&self.state().join(file)).filter(|pid| is_alive(*pid)) {
                // It may end in this very moment.
                let _ = kill(pid, signal);
                let end = Instant::now() + Duration::from_secs(10);
                while is_alive(pid) && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }
}

/// Waits until something holds; panics when it does not.
#[track_caller]
pub fn wait_until(what: &str, holds: impl FnMut() -> bool) {
    wait_until_within(PATIENCE, what, holds);
}

/// The same with another limit.
#[track_caller]
pub fn wait_until_within(limit: Duration, what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_within(limit, holds), "for {limit:?} it was not so that {what}");
}

/// Whether something holds before so long has passed: for a test that has more to say when it does not.
pub fn holds_within(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

fn pid_of(file: &Path) -> Option<Pid> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().next()?.trim().parse().ok().map(Pid::from_raw)
}

/// Whether a process runs. One that nobody waited for has ended all the same.
pub fn is_alive(pid: Pid) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat"));
    state.is_ok_and(|text| text.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z')))
}
