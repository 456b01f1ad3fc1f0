//! What is printed where. A broken pipe is nobody's problem: what was done was done. A result that finds no room is one.

use super::visible::{line_by_line, on_one_line};
use crate::api::{Problem, exit};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Whether a result could not be written; every clone knows.
    unwritten: Arc<AtomicBool>,
}

impl Output {
    /// As asked.
    pub fn new(wish: &Wish) -> Self {
        Self {
            json: wish.json,
            quiet: wish.quiet,
            unwritten: Arc::default(),
        }
    }

    /// The exit code of a command that comes to this one: where its result could not be written, it was not all done.
    pub fn exit(&self, code: u8) -> u8 {
        match self.unwritten.load(Ordering::Relaxed) {
            true => exit::worse(code, exit::ENVIRONMENT),
            false => code,
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
        if let Err(error) = print(&text)
            && !is_closed(&error)
        {
            tell(
                &not_written("result", &error, "what the command did stays done")
                    .next("make room there, and see what was done before you repeat the command"),
            );
            self.unwritten.store(true, Ordering::Relaxed);
        }
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
            // Its exit code is no success, whoever reads this.
            let _ = print(&serde_json::json!({ "error": problem }).to_string());
        }
        problem.exit
    }

    /// What went wrong, where the result on stdout has it already; answers its exit code.
    pub fn tell(&self, problem: &Problem) -> u8 {
        tell(problem);
        problem.exit
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.trim_end())?;
    out.flush()
}

/// Whether the reader closed the pipe: whoever does wants no more, and has what was wanted.
pub(super) fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Something that was to be on stdout is not, or not all of it.
pub(super) fn not_written(what: &str, error: &io::Error, so: &str) -> Problem {
    let message = format!("the {what} cannot be written to stdout: {error}; {so}");
    Problem::environment("output_failed", "operator", "stdout", message)
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
        let _ = print(&serde_json::json!({ "error": problem }).to_string());
    }
    problem.exit
}

/// What clap has to say: help and versions are results, anything else is a refusal.
pub fn usage(error: &clap::Error) -> u8 {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    let asked = matches!(error.kind(), DisplayHelp | DisplayVersion);
    let (plain, shown) = (error.to_string(), line_by_line(&error.to_string()));
    let printed = match plain == shown {
        true => error.print().and_then(|()| io::stdout().flush()),
        // What was typed would do something to the terminal; its colours would not survive this.
        false => write!(io::stderr(), "{shown}"),
    };
    if asked {
        return match printed {
            Err(error) if !is_closed(&error) => {
                let problem = not_written("help", &error, "what is there is not all of it");
                tell(&problem.next("make room there, and repeat the command"));
                exit::ENVIRONMENT
            }
            Ok(()) | Err(_) => exit::DONE,
        };
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
        let _ = print(&serde_json::json!({ "error": problem }).to_string());
    }
    exit::REFUSED
}
