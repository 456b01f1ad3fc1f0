//! Commands and what they end with.

use serde_json::Value;
use std::process::Child;

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

    /// What it ends with.
    pub fn wait(self) -> Outcome {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        outcome(&args, self.child)
    }
}

/// Waits for a command's end.
pub(super) fn outcome(args: &[&str], child: Child) -> Outcome {
    let output = child.wait_with_output().expect("a child can be waited for");
    Outcome {
        typed: format!("respool {}", args.join(" ")),
        code: output.status.code().unwrap_or(-1),
        json: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
