//! `completion` and `man`. A page has the sections of man-pages(7) in their order: what stands below the help of a verb is
//! put where it belongs among them.

use super::{Context, Done, command, config_page};
use crate::api::{Problem, exit};
use clap_complete::Shell;
use clap_mangen::Man as Mangen;
use clap_mangen::roff::{Roff, bold, roman};
use schemars::JsonSchema;
use serde::Serialize;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How the help of respool begins to tell what the exit codes mean.
const CODES: &str = "Exit codes: ";

#[derive(Debug, clap::Args)]
pub struct Completion {
    /// The shell that is to complete verbs and options
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
                page: Some(page(whole()).1),
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

/// The whole command line, of which every verb knows what leads to it. `help` is no verb with a page.
fn whole() -> clap::Command {
    let mut whole = command().disable_help_subcommand(true);
    whole.build();
    whole
}

fn write_all(folder: &Path) -> io::Result<Pages> {
    fs::create_dir_all(folder)?;
    let config = folder.join(config_page::NAME);
    fs::write(&config, config_page::page())?;
    let mut files = vec![config];
    let mut left = vec![whole()];
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands().cloned());
        let (name, page) = page(command);
        let file = folder.join(name);
        fs::write(&file, page)?;
        files.push(file);
    }
    files.sort();
    Ok(Pages { page: None, files })
}

fn not_written(folder: &Path, error: &io::Error) -> Problem {
    let folder = folder.display().to_string();
    let message = format!("the pages cannot be written into {folder}: {error}");
    Problem::environment("not_written", "operator", folder, message).next("name a folder that can be made or written")
}

// ------------------------------------------------------------------------------------------------------------ one page

/// A section that is made from the command line itself.
type Section = fn(&Mangen, &mut dyn Write) -> io::Result<()>;

/// The file's name and the page of a verb.
fn page(command: clap::Command) -> (String, String) {
    let below = Below::of(&command);
    let also = see_also(&command);
    let has_verbs = command.has_subcommands();
    let man = Mangen::new(command).source(format!("respool {}", env!("CARGO_PKG_VERSION")));
    let begin: [Section; 4] = [
        Mangen::render_title,
        Mangen::render_name_section,
        Mangen::render_synopsis_section,
        Mangen::render_description_section,
    ];
    let mut text = rendered(&man, &begin) + &below.words();
    text += &rendered(&man, &[Mangen::render_options_section]);
    if has_verbs {
        text += &rendered(&man, &[Mangen::render_subcommands_section]);
    }
    text += &below.exit_status();
    text += &below.examples();
    (man.get_filename(), with_one_preamble(&(text + &also)))
}

fn rendered(man: &Mangen, sections: &[Section]) -> String {
    let mut text = Vec::new();
    for section in sections {
        section(man, &mut text).expect("memory can be written");
    }
    String::from_utf8(text).expect("the command line is described in UTF-8")
}

/// Every part comes with the same lines about apostrophes, and one page needs them once.
fn with_one_preamble(text: &str) -> String {
    let (preamble, _) = text.split_at(text.find(".TH ").expect("a page begins with its title"));
    format!("{preamble}{}", text.replace(preamble, ""))
}

/// What stands below the help of a verb, paragraph by paragraph.
#[derive(Default)]
struct Below {
    words: Vec<String>,
    exits: Vec<String>,
    examples: Vec<String>,
}

impl Below {
    fn of(command: &clap::Command) -> Self {
        let mut below = Self::default();
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for paragraph in help.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
            let place = match paragraph {
                text if text.starts_with("Example") => &mut below.examples,
                text if text.starts_with("Exit ") => &mut below.exits,
                _ => &mut below.words,
            };
            place.push(paragraph.to_owned());
        }
        below
    }

    /// The rest of the description.
    fn words(&self) -> String {
        let mut roff = Roff::new();
        for paragraph in &self.words {
            roff.control("PP", []);
            for line in paragraph.lines() {
                roff.text([roman(line)]);
            }
        }
        roff.render()
    }

    /// What this verb says of its own codes, then what all of them mean.
    fn exit_status(&self) -> String {
        let mut roff = Roff::new();
        roff.control("SH", ["EXIT STATUS"]);
        for text in self.exits.iter().filter(|text| !text.starts_with(CODES)) {
            roff.text([roman(text)]);
        }
        for (code, says) in exit_codes() {
            roff.control("TP", []);
            roff.text([bold(code)]);
            roff.text([roman(says)]);
        }
        roff.render()
    }

    fn examples(&self) -> String {
        let mut roff = Roff::new();
        if !self.examples.is_empty() {
            roff.control("SH", ["EXAMPLES"]);
            roff.control("nf", []);
            // The first line is the word itself.
            for line in self.examples.iter().flat_map(|text| text.lines().skip(1)) {
                roff.text([roman(line.trim_start())]);
            }
            roff.control("fi", []);
        }
        roff.render()
    }
}

/// The codes and their words, as the help of respool has them.
fn exit_codes() -> Vec<(String, String)> {
    let told = Below::of(&command()).exits;
    let codes = told.iter().find_map(|text| text.strip_prefix(CODES));
    let codes = codes.expect("the help of respool tells them").split("; ");
    let pairs = codes.map(|code| code.split_once(' ').expect("a code and its words"));
    pairs.map(|(code, says)| (code.to_owned(), says.to_owned())).collect()
}

/// The pages that lead to this one, and those of the config and of respoold.
fn see_also(command: &clap::Command) -> String {
    let path = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let words: Vec<&str> = path.split(' ').collect();
    let above = (1..words.len()).map(|count| (words[..count].join("-"), "(1)"));
    let beside = [("respool-config", "(5)"), ("respoold", "(8)")].map(|(name, section)| (name.to_owned(), section));
    let mut line = Vec::new();
    for (name, section) in above.chain(beside) {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend([bold(name), roman(section)]);
    }
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    roff.text(line);
    roff.render()
}
