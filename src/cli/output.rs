//! What is printed where. A broken pipe is nobody's problem: what was done was done.

use super::visible::{line_by_line, on_one_line};
use crate::api::Problem;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// What was asked of the output.
pub struct Wish {
    /// One JSON object.
    pub json: bool,
    /// No progress, no notes.
    pub quiet: bool,
}

/// Prints results, notes and problems.
#[derive(Clone, Debug)]
pub struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    /// As asked.
    pub fn new(wish: &Wish) -> Self {
        Self {
            json: wish.json,
            quiet: wish.quiet,
        }
    }

    /// Whether results are JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether progress may be drawn.
    pub fn may_draw(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Whether progress may be told.
    pub fn may_tell(&self) -> bool {
        !self.quiet
    }

    /// The result: as JSON unchanged, or as `show` puts it for people.
    pub fn result<T: Serialize>(&self, result: &T, show: impl FnOnce(&T) -> String) {
        self.made(result, |result| line_by_line(&show(result)));
    }

    /// The same where `show` answers a text for programs, such as a script: nothing in it is written otherwise.
    pub fn made<T: Serialize>(&self, result: &T, show: impl FnOnce(&T) -> String) {
        let text = if self.json {
            serde_json::to_string(result).expect("a result is plain JSON")
        } else {
            show(result)
        };
        print(&text);
    }

    /// A message for people.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{}", line_by_line(text));
        }
    }

    /// What went wrong; answers its exit code.
    pub fn problem(&self, problem: &Problem) -> u8 {
        tell(problem);
        if self.json {
            print(&serde_json::json!({ "error": problem }).to_string());
        }
        problem.exit
    }

    /// What went wrong, where the result on stdout has it already; answers its exit code.
    pub fn tell(&self, problem: &Problem) -> u8 {
        tell(problem);
        problem.exit
    }
}

fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
}

/// Says on stderr what went wrong, and what to do next.
pub(super) fn tell(problem: &Problem) {
    let mut text = format!("respool: {}", on_one_line(&problem.message));
    if !problem.next.is_empty() {
        text.push_str(&format!("\n  next: {}", on_one_line(&problem.next)));
    }
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether `--json` was typed, where nothing was parsed.
fn json_typed() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}

/// A bug of this command: also under `--json` there is one object. Answers its exit code.
pub fn bug(panic: &str) -> u8 {
    let problem = Problem::bug("respool", format!("this command ended in a panic: {panic}"));
    if json_typed() {
        print(&serde_json::json!({ "error": problem }).to_string());
    }
    problem.exit
}

/// What clap has to say: help and versions are results, anything else is a refusal.
pub fn usage(error: &clap::Error) -> u8 {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    let asked = matches!(error.kind(), DisplayHelp | DisplayVersion);
    let (plain, shown) = (error.to_string(), line_by_line(&error.to_string()));
    // A closed pipe wants no help.
    let _ = match plain == shown {
        true => error.print(),
        // What was typed would do something to the terminal; its colours would not survive this.
        false => write!(io::stderr(), "{shown}"),
    };
    if asked {
        return 0;
    }
    if json_typed() {
        let text = error.to_string();
        let said = match error.kind() {
            DisplayHelpOnMissingArgumentOrSubcommand => "a verb is missing",
            _ => text.trim_start_matches("error: "),
        };
        let message = said.split("\n\n").next().unwrap_or_default();
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let problem = Problem::refused("usage", "command line", message).next("see `respool help`");
        print(&serde_json::json!({ "error": problem }).to_string());
    }
    2
}
