//! What an operator sees, as a reviewed file: commands as typed, everything they print (stdout and stderr in their
//! order, as on a terminal), and the exit code. What differs from run to run is replaced; a change of anything else is a
//! change of the file, to be read like a change of the program. `RESPOOL_BLESS=1` writes the file anew.

use crate::site::Site;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// A transcript under way.
#[derive(Debug)]
pub struct Transcript {
    text: String,
    /// What is replaced wherever it stands, the longest first.
    words: Vec<(String, String)>,
    ids: BTreeMap<String, usize>,
}

impl Transcript {
    /// Begins with what it is about.
    pub fn new(title: &str) -> Self {
        Self {
            text: format!("# {title}\n"),
            words: Vec::new(),
            ids: BTreeMap::new(),
        }
    }

    /// Replaces a text of this run, such as a path, wherever it is printed.
    pub fn hide(&mut self, text: &str, by: &str) {
        self.words.push((text.to_owned(), by.to_owned()));
        self.words.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    }

    /// Replaces where a site lies. Its commands are shown without the config that they are given, and so are those that
    /// they tell.
    pub fn hide_place(&mut self, site: &Site) {
        self.hide(&format!(" --config {}", site.config().display()), "");
        self.hide(&site.root().display().to_string(), "SITE");
    }

    /// What happens meanwhile, in words.
    pub fn note(&mut self, what: &str) {
        self.text.push_str(&format!("\n# {what}\n"));
    }

    /// Types a command of `respool`, words parted by spaces; answers its exit code.
    pub fn run(&mut self, site: &Site, typed: &str) -> i32 {
        self.hide_place(site);
        let words: Vec<&str> = typed.split_whitespace().collect();
        self.command(&format!("respool {typed}"), site.spoken(&words))
    }

    /// Runs a command that is shown as typed; answers its exit code, -1 when a signal ended it.
    pub fn command(&mut self, typed: &str, mut command: Command) -> i32 {
        let (mut reader, writer) = std::io::pipe().expect("a pipe can be had");
        let both = writer.try_clone().expect("a pipe can be had twice");
        command.stdin(Stdio::null()).stdout(writer).stderr(both);
        let mut child = command.spawn().expect("the program can be run");
        // The command holds the writing ends as well; the pipe ends when the child does.
        drop(command);
        let mut said = String::new();
        reader.read_to_string(&mut said).expect("it prints text");
        let code = child.wait().expect("a child can be waited for").code().unwrap_or(-1);
        self.told(typed, &said);
        self.text.push_str(&format!("[exit {code}]\n"));
        code
    }

    /// Something that was done otherwise than by a command, and what was answered.
    pub fn told(&mut self, what: &str, said: &str) {
        let what = self.plain(what);
        self.text.push_str(&format!("\n$ {what}\n"));
        for line in said.lines() {
            let line = self.plain(line);
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// What another transcript saw at the same time, its title apart. Ids are numbered anew.
    pub fn append(&mut self, other: Self) {
        let commands = other.text.split_once('\n').map_or("", |(_, commands)| commands);
        let commands: Vec<String> = commands.lines().map(|line| self.plain(line)).collect();
        self.text.push_str(&commands.join("\n"));
        self.text.push('\n');
    }

    /// Compares with the reviewed file, or writes it.
    #[track_caller]
    pub fn matches(&self, file: &Path) {
        if std::env::var_os("RESPOOL_BLESS").is_some() {
            fs::create_dir_all(file.parent().expect("a file has a folder")).expect("the sources can be written");
            fs::write(file, &self.text).expect("the sources can be written");
            return;
        }
        let reviewed = fs::read_to_string(file).unwrap_or_default();
        let differs = reviewed
            .lines()
            .zip(self.text.lines())
            .position(|(old, new)| old != new);
        assert!(
            reviewed == self.text,
            "not as reviewed in {}, from line {}; RESPOOL_BLESS=1 writes it anew. It is now:\n{}",
            file.display(),
            differs.map_or(reviewed.lines().count().min(self.text.lines().count()), |at| at) + 1,
            self.text
        );
    }

    /// A line without what differs from run to run: ids are numbered in the order they appear; times, spans, rates and
    /// the width of columns are words.
    fn plain(&mut self, line: &str) -> String {
        let mut line = line.to_owned();
        for (text, by) in &self.words {
            line = line.replace(text, by);
        }
        let mut plain = String::new();
        let mut rest = line.as_str();
        while let Some(first) = rest.chars().next() {
            let fresh = !plain.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '.');
            let in_name = plain.ends_with('.') && is_plain_uuid(rest);
            let (taken, word) = match () {
                () if first == ' ' => spaces(rest),
                () if in_name => (32, self.id(&rest[..32])),
                () if !fresh => (first.len_utf8(), first.to_string()),
                () if is_uuid(rest) => (36, self.id(&rest[..36])),
                () => time(rest)
                    .or_else(|| amount(rest))
                    .unwrap_or((first.len_utf8(), first.to_string())),
            };
            plain.push_str(&word);
            rest = &rest[taken..];
        }
        plain
    }

    fn id(&mut self, uuid: &str) -> String {
        let next = self.ids.len() + 1;
        let number = *self.ids.entry(uuid.to_owned()).or_insert(next);
        format!("ID-{number}")
    }
}

/// One space stays one; more are two.
fn spaces(text: &str) -> (usize, String) {
    let count = text.len() - text.trim_start_matches(' ').len();
    (count, " ".repeat(count.min(2)))
}

fn is_uuid(text: &str) -> bool {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    text.len() >= 36
        && text.is_char_boundary(36)
        && text[..36].bytes().enumerate().all(|(at, byte)| match byte {
            b'-' => DASHES.contains(&at),
            byte => byte.is_ascii_hexdigit() && !DASHES.contains(&at),
        })
}

/// The same without dashes, as a part of the name of a file; a digest is longer.
fn is_plain_uuid(text: &str) -> bool {
    text.bytes().take_while(u8::is_ascii_hexdigit).count() == 32
}

/// `2026-01-31T12:00:00.5Z` is a time.
fn time(text: &str) -> Option<(usize, String)> {
    let bytes = text.as_bytes();
    let date = bytes.len() > 11 && bytes[10] == b'T' && bytes[4] == b'-' && bytes[7] == b'-';
    if !date || !bytes[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let ends = |c: char| !(c.is_ascii_digit() || "-:.TZ+".contains(c));
    let end = text.find(ends).unwrap_or(text.len());
    let end = text[..end].trim_end_matches(['.', ':']).len();
    Some((end, "TIME".to_owned()))
}

/// A number with a unit of time or rate is `N` of it; a process number and a row of seconds are N.
fn amount(text: &str) -> Option<(usize, String)> {
    if let Some(word) = ["pid ", "process ", "seconds "]
        .into_iter()
        .find(|word| text.starts_with(word))
    {
        let number = text[word.len()..].trim_start_matches(' ');
        let digits = number.len()
            - number
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let begin = text.len() - number.len();
        return (digits > 0).then(|| (begin + digits, format!("{word}N")));
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let unit = text[digits..].trim_start_matches(' ');
    if digits == 0 || text.starts_with('.') {
        return None;
    }
    let unit = unit.split(|c: char| !(c.is_ascii_alphabetic() || c == '/')).next()?;
    let passing = ["s", "ms", "µs", "seconds"].contains(&unit) || unit.ends_with("/s");
    passing.then(|| (digits, "N".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::Transcript;

    #[test]
    fn what_differs_from_run_to_run_is_replaced_and_nothing_else_is() {
        let mut transcript = Transcript::new("a test");
        transcript.hide("/tmp/x1", "SITE");
        for (said, plain) in [
            (
                "extent 01933f5e-0000-7000-8000-000000000001 of a/b@1.0.0",
                "extent ID-1 of a/b@1.0.0",
            ),
            (
                "01933f5e-0000-7000-8000-000000000002,01933f5e-0000-7000-8000-000000000001",
                "ID-2,ID-1",
            ),
            ("at 2026-11-21T02:01:24.123456789Z, then", "at TIME, then"),
            ("now: 2026-11-21T02:01:24Z.", "now: TIME."),
            (
                "250 B in about 1.5 s, 12.3 MiB/s, 3 extents",
                "250 B in about N s, N MiB/s, 3 extents",
            ),
            (
                "cannot make backup.01933f5e000070008000000000000003.part",
                "cannot make backup.ID-3.part",
            ),
            ("NAME      FREE", "NAME  FREE"),
            ("medium a at /tmp/x1/a, pid 4711", "medium a at SITE/a, pid N"),
            ("seconds    0.2", "seconds N"),
        ] {
            assert_eq!(transcript.plain(said), plain);
        }
    }
}
