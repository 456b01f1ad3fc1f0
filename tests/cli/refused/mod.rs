//! What is refused, as the operator sees it: reviewed transcripts in `tests/transcripts/refused-*.txt`, one for each kind
//! of thing. Before and after every command the catalogue and all media are compared, byte by byte: a refusal touches
//! nothing. Read a changed transcript as an operator would: what failed, on which medium, what was done about it, what to
//! do next.

mod catalogue;
mod folders;
mod gone;
mod names;
mod objects;
mod places;
mod starting;
mod targets;

use respool_test_support::{Site, Transcript};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use walkdir::WalkDir;

/// The program under test; respoold lies beside it.
const RESPOOL: &str = env!("CARGO_BIN_EXE_respool");

/// All rows of the catalogue as text, but for what changes while nobody asks for anything: leases, the age clock, the
/// sealing of the event chain.
const ROWS: &str = "SELECT format('SELECT %L, (to_jsonb(t) - ARRAY[''clock'', ''chain_length'', ''chain_head'', ''link'', \
     ''prev_hash'', ''this_hash''])::text FROM public.%I t ORDER BY 2', tablename, tablename) \
     FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('lease', 'commit_mark', '_sqlx_migrations') \
     ORDER BY 1 \\gexec";

/// A transcript of commands that touch nothing.
struct Refusals<'a> {
    site: &'a Site,
    disks: Vec<&'a str>,
    seen: Transcript,
    /// What is told at the end, with the whole transcript.
    wrong: Vec<String>,
}

impl<'a> Refusals<'a> {
    /// On a site with these media.
    fn new(site: &'a Site, disks: &[&'a str], title: &str) -> Self {
        Self {
            site,
            disks: disks.to_vec(),
            seen: Transcript::new(title),
            wrong: Vec::new(),
        }
    }

    fn note(&mut self, what: &str) {
        self.seen.note(what);
    }

    /// Types a command that must end so and touch nothing.
    fn run(&mut self, typed: &str, code: i32) {
        let words: Vec<&str> = typed.split_whitespace().collect();
        self.command(&format!("respool {typed}"), self.site.spoken(&words), code);
    }

    /// Runs a command that is shown as typed; it must end so and touch nothing.
    fn command(&mut self, typed: &str, command: Command, code: i32) {
        let before = self.everything();
        self.seen.hide(&self.site.root().display().to_string(), "SITE");
        let ended = self.seen.command(typed, command);
        if ended != code {
            self.wrong
                .push(format!("`{typed}` ended with {ended} in place of {code}"));
        }
        if before != self.everything() {
            self.wrong.push(format!("`{typed}` was refused, and touched something"));
        }
    }

    /// The catalogue and the media.
    fn everything(&self) -> (String, Files) {
        let media = self.disks.iter().map(|name| self.site.disk(name));
        (self.site.sql(ROWS), media.flat_map(|disk| files(&disk)).collect())
    }

    #[track_caller]
    fn matches(&self, name: &str) {
        self.seen.matches(&transcript(name));
        assert_eq!(self.wrong, [""; 0]);
    }
}

/// Every path below a medium: None for what is no file, else its bytes.
type Files = BTreeMap<PathBuf, Option<Vec<u8>>>;

fn files(disk: &Path) -> Files {
    let entries = WalkDir::new(disk)
        .into_iter()
        .map(|entry| entry.expect("it can be read"));
    entries
        .map(|entry| {
            let bytes = entry
                .file_type()
                .is_file()
                .then(|| fs::read(entry.path()).expect("it can be read"));
            (entry.into_path(), bytes)
        })
        .collect()
}

fn transcript(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(format!("refused-{name}.txt"))
}

/// A site with these media.
fn site(disks: &[&str]) -> Site {
    let site = Site::new(RESPOOL);
    site.disks(disks);
    site
}
