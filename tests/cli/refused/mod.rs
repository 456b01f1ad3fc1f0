//! What is refused, as the operator sees it: reviewed transcripts in `tests/transcripts/refused-*.txt`, one for each kind
//! of thing. `tests/REFUSALS.md` is the table of them: what is refused, by which transcript and test it is shown, with
//! which exit code, and what is compared; `tests/rows.rs` holds that table against transcripts and tests.
//!
//! Before and after every command the catalogue and all media are compared, byte by byte (`dumps`): a refusal touches
//! nothing; and every exit code is exactly one. Read a changed transcript as an operator would: what failed, on which medium,
//! what was done about it, what to do next.

mod between;
mod catalogue;
mod changing;
mod dumps;
mod folders;
mod gone;
mod labels;
mod names;
mod objects;
mod permissions;
mod places;
mod releases;
mod starting;
mod tapes;
mod targets;
mod versions;

use dumps::Dump;
use respool_test_support::{Site, Transcript};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program under test; respoold lies beside it.
const RESPOOL: &str = env!("CARGO_BIN_EXE_respool");

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
        self.seen.hide_place(self.site);
        let ended = self.seen.command(typed, command);
        if ended != code {
            self.wrong
                .push(format!("`{typed}` ended with {ended} in place of {code}"));
        }
        self.nothing_since(&before, &format!("`{typed}` was refused"));
    }

    /// The catalogue and the media.
    fn everything(&self) -> Dump {
        Dump::of(self.site, &self.disks)
    }

    /// Types a command that must end so while its disturbance lasts. What it touched is seen when that is over.
    fn disturbed(&mut self, typed: &str, code: i32) {
        let ended = self.seen.run(self.site, typed);
        if ended != code {
            self.wrong
                .push(format!("`{typed}` ended with {ended} in place of {code}"));
        }
    }

    /// Since then nothing was touched.
    fn nothing_since(&mut self, before: &Dump, what: &str) {
        self.same(before, &self.everything(), what);
    }

    /// Since then nothing was touched but the record of what happened: what failed was told there.
    fn only_told_since(&mut self, before: &Dump, what: &str) {
        self.same(&before.untold(), &self.everything().untold(), what);
    }

    /// Since then cartridges were only handled: no byte of a tape was written, and no row changed.
    fn only_handled_since(&mut self, before: &Dump, what: &str) {
        self.same(
            &before.untold().unhandled(),
            &self.everything().untold().unhandled(),
            what,
        );
    }

    fn same(&mut self, before: &Dump, after: &Dump, what: &str) {
        let differs = before.differs(after);
        if !differs.is_empty() {
            self.wrong.push(format!("{what}: touched: {}", differs.join("; ")));
        }
    }

    #[track_caller]
    fn matches(&self, name: &str) {
        self.seen.matches(&transcript(name));
        assert_eq!(self.wrong, [""; 0]);
    }
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
