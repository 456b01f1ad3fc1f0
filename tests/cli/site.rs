//! A site of its own for one test: state folder, config, media, and a way to run `respool` in it. Stopped when dropped.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What one command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// The one JSON object on stdout.
    pub json: Value,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

impl Said {
    /// Insists on an exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// A string of the object, by its JSON pointer.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> &str {
        let found = self.json.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer} in {}", self.stdout))
    }

    /// A number of the object, by its JSON pointer.
    #[track_caller]
    pub fn number(&self, pointer: &str) -> u64 {
        let found = self.json.pointer(pointer).and_then(Value::as_u64);
        found.unwrap_or_else(|| panic!("no number at {pointer} in {}", self.stdout))
    }
}

/// A place with a respoold of its own.
pub struct Site {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Site {
    /// Nothing is made yet: the first command makes a normal catalogue.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("respool-cli-")
            .tempdir_in("/tmp")
            .unwrap();
        // PostgreSQL may run as another user.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
        Self {
            folder,
            variables: Vec::new(),
        }
    }

    /// With a catalogue for drills, and `RESPOOL_TESTING` set from now on.
    pub fn for_drills() -> Self {
        let mut site = Self::new();
        site.run(&["init", "--testing"]).exits(0);
        site.run(&["stop"]).exits(0);
        site.set("RESPOOL_TESTING", "1");
        site
    }

    /// Sets a variable for every command from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.variables.push((name.into(), value.into()));
    }

    /// Takes a variable back.
    pub fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    /// A path in this place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text.
    pub fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a file of pseudo-random bytes that depend on its name and size alone.
    pub fn file(&self, name: &str, bytes: usize) -> String {
        fs::write(self.path(name), contents(name, bytes)).unwrap();
        self.at(name)
    }

    /// Writes the config.
    pub fn config(&self, text: &str) {
        fs::create_dir_all(self.path("config/respool")).unwrap();
        fs::write(self.path("config/respool/config.toml"), text).unwrap();
    }

    /// Adds an empty directory as a medium.
    #[track_caller]
    pub fn add_dir(&self, name: &str) {
        fs::create_dir(self.path(name)).unwrap();
        self.run(&["dir", "add", name, &self.at(name)]).exits(0);
    }

    /// Stores a file of its own for an object.
    #[track_caller]
    pub fn put(&self, oid: &str, bytes: usize) -> Said {
        let file = self.file(&format!("in-{}", oid.replace('/', "_")), bytes);
        self.run(&["put", &file, oid]).exits(0)
    }

    /// Reads an object and compares it with what `put` stored.
    #[track_caller]
    pub fn holds(&self, oid: &str, bytes: usize) {
        let out = self.at("out");
        self.run(&["get", oid, &out, "--overwrite"]).exits(0);
        let expected = contents(&format!("in-{}", oid.replace('/', "_")), bytes);
        assert!(fs::read(&out).unwrap() == expected, "{oid} came back otherwise");
    }

    /// A command that is to be run with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_respool"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("RESPOOL_STATE", self.path("state"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env_remove("RESPOOL_TESTING")
            .env_remove("RESPOOL_NOW")
            .env_remove("RESPOOL_FAULTS")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command with `--json`.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).arg("--json").output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            json: serde_json::from_str(&stdout).unwrap_or(Value::Null),
            stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a command for people.
    pub fn say(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            json: Value::Null,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[allow(dead_code, reason = "for tests that kill or interrupt a command")]
    /// Starts a command and does not wait for it.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The process id of the running respoold.
    pub fn pid(&self) -> Option<i32> {
        read_pid(&self.path("state/respoold.pid"))
    }

    /// Ends respoold by SIGKILL. Its database lives, and what the kernel had taken stays.
    #[track_caller]
    pub fn kill(&self) {
        let pid = self.pid().expect("a respoold runs");
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        self.wait_gone(pid);
    }

    /// Waits until a process is gone.
    #[track_caller]
    pub fn wait_gone(&self, pid: i32) {
        let begun = Instant::now();
        while runs(pid) {
            assert!(begun.elapsed() < Duration::from_secs(60), "process {pid} does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whether a process runs; one that nobody waited for does not.
pub fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

fn read_pid(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.lines().next()?.trim().parse().ok()
}

/// The bytes of a file of this name and size.
pub fn contents(name: &str, bytes: usize) -> Vec<u8> {
    let mut reader = blake3::Hasher::new().update(name.as_bytes()).finalize_xof();
    let mut contents = vec![0; bytes];
    reader.fill(&mut contents);
    contents
}

/// A test that fails must not leave processes behind.
impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.path("state/respoold.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "the end of respoold's log:\n{}",
                lines[lines.len().saturating_sub(40)..].join("\n")
            );
        }
        let stopped = self.command(&["stop", "--quiet"]).output();
        if stopped.is_ok_and(|output| output.status.success()) {
            return;
        }
        for file in ["state/respoold.pid", "state/pg/postmaster.pid"] {
            if let Some(pid) = read_pid(&self.path(file)).filter(|pid| *pid > 1) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
            }
        }
    }
}
