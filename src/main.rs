//! The command line.

use std::panic::catch_unwind;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The panic's words went to stderr by themselves.
    ExitCode::from(catch_unwind(respool::cli::main).unwrap_or_else(|panic| respool::cli::bug(panic.as_ref())))
}
