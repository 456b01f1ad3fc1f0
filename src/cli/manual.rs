//! `completion` and `man`.

use super::{Context, Done, command, config_page};
use crate::api::{Problem, exit};
use clap_complete::Shell;
use schemars::JsonSchema;
use serde::Serialize;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Completion {
    /// Which shell
    shell: Shell,
}

#[derive(Serialize, JsonSchema)]
pub struct Script {
    shell: String,
    script: String,
}

impl Completion {
    pub fn run(self, context: &Context) -> Done {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "respool", &mut script);
        let result = Script {
            shell: self.shell.to_string(),
            script: String::from_utf8(script).expect("the command line is described in UTF-8"),
        };
        context.output.made(&result, |result| result.script.clone());
        Ok(exit::DONE)
    }
}

#[derive(Debug, clap::Args)]
pub struct Man {
    /// Write a page for every verb, and respool-config(5), into this folder; it is made if missing
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Serialize, JsonSchema)]
pub struct Pages {
    /// The page of respool itself, unless pages were written.
    page: Option<String>,
    /// The files that were written.
    files: Vec<PathBuf>,
}

impl Man {
    pub fn run(self, context: &Context) -> Done {
        let pages = match &self.dir {
            Some(folder) => write_all(folder).map_err(|error| not_written(folder, &error))?,
            None => Pages {
                page: Some(page(command())),
                files: Vec::new(),
            },
        };
        context.output.made(&pages, |pages| match &pages.page {
            Some(page) => page.clone(),
            None => format!("{} pages written", pages.files.len()),
        });
        Ok(exit::DONE)
    }
}

fn page(command: clap::Command) -> String {
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command);
    man.render(&mut page).expect("memory can be written");
    String::from_utf8(page).expect("the command line is described in UTF-8")
}

fn write_all(folder: &Path) -> io::Result<Pages> {
    let mut whole = command().disable_help_subcommand(true);
    whole.build();
    fs::create_dir_all(folder)?;
    let config = folder.join(config_page::NAME);
    fs::write(&config, config_page::page())?;
    let mut files = vec![config];
    let mut left = vec![whole];
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands().cloned());
        files.push(clap_mangen::Man::new(command).generate_to(folder)?);
    }
    files.sort();
    Ok(Pages { page: None, files })
}

fn not_written(folder: &Path, error: &io::Error) -> Problem {
    let folder = folder.display().to_string();
    let message = format!("the pages cannot be written into {folder}: {error}");
    Problem::environment("not_written", "operator", folder, message).next("name a folder that can be made or written")
}
