//! `completion` and `man`.

use super::{Context, Done, command};
use crate::api::{Problem, exit};
use clap_complete::Shell;
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Completion {
    /// Which shell
    shell: Shell,
}

impl Completion {
    pub fn run(self, _context: &Context) -> Done {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "respool", &mut script);
        // Whoever closed the pipe wants no more.
        let _ = std::io::stdout().write_all(&script);
        Ok(exit::DONE)
    }
}

#[derive(Debug, clap::Args)]
pub struct Man {
    /// Write every page into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub fn run(self, _context: &Context) -> Done {
        let fail = |error: std::io::Error| {
            Problem::environment(
                "not_written",
                "operator",
                "man",
                format!("the pages cannot be written: {error}"),
            )
        };
        match self.dir {
            Some(folder) => clap_mangen::generate_to(command(), folder).map_err(fail)?,
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(command()).render(&mut page).map_err(fail)?;
                let _ = std::io::stdout().write_all(&page);
            }
        }
        Ok(exit::DONE)
    }
}
