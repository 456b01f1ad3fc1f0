//! Commands and what they end with.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::process::Child;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Longer than this no command takes; one that does is ended, and the test with it.
const LONGEST: Duration = Duration::from_secs(120);

/// What a command ended with.
#[derive(Debug)]
pub struct Outcome {
    /// What was typed.
    pub typed: String,
    /// The exit code.
    pub code: i32,
    /// What `--json` printed; null when nothing came.
    pub json: Value,
    /// Messages.
    pub stderr: String,
}

impl Outcome {
    /// The answer of a command that must end with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Value {
        assert_eq!(
            self.code, code,
            "`{}` ended with {}\n{:#}\n{}",
            self.typed, self.code, self.json, self.stderr
        );
        self.json
    }

    /// The word of the problem that was told.
    pub fn problem(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }
}

/// A command under way.
#[derive(Debug)]
pub struct Running {
    child: Child,
    args: Vec<String>,
}

impl Running {
    pub(super) fn new(args: &[&str], child: Child) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self { child, args }
    }

    /// Sends it a signal, as a terminal does.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id is small"));
        kill(pid, signal).expect("it is ours and not waited for");
    }

    /// What it ends with.
    pub fn wait(self) -> Outcome {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        outcome(&args, self.child)
    }
}

/// Waits for a command's end.
pub(super) fn outcome(args: &[&str], child: Child) -> Outcome {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id is small"));
    let (ended, end) = channel::<()>();
    thread::spawn(move || {
        if end.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
            // It may end in this very moment.
            let _ = kill(pid, Signal::SIGKILL);
        }
    });
    let output = child.wait_with_output().expect("a child can be waited for");
    drop(ended);
    Outcome {
        typed: format!("respool {}", args.join(" ")),
        code: output.status.code().unwrap_or(-1),
        json: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
