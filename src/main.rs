//! The command line.

use std::panic::catch_unwind;
use std::process::ExitCode;

/// A bug.
const BUG: u8 = 70;

fn main() -> ExitCode {
    // The panic's words went to stderr by themselves.
    ExitCode::from(catch_unwind(respool::cli::main).unwrap_or(BUG))
}
