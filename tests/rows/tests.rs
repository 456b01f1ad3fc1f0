//! The tests that name rows, found in the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How a test comes to what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// The real programs.
    Program,
    /// The real code on simulated disks, cut off at any instant.
    Simulation,
    /// Parts of the code.
    InProcess,
}

impl Through {
    /// For the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Simulation => "simulation",
            Self::InProcess => "in process",
        }
    }
}

/// A test that names rows.
#[derive(Clone, Debug)]
pub struct Test {
    /// File and function.
    pub name: String,
    /// The rows it shows.
    pub rows: Vec<String>,
    /// How.
    pub through: Through,
    /// What it says that it simulates.
    pub kind: Option<&'static str>,
}

/// Where tests stand. In `src` only functions with a test's attribute are; elsewhere cases of suites are too.
const ROOMS: [&str; 7] = [
    "src",
    "dss/src",
    "dss/tests",
    "lrs/src",
    "lrs/tests",
    "tests",
    "benches",
];

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![];
    for room in ROOMS {
        let mut folders = vec![root.join(room)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path: PathBuf = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|kind| kind == "rs") {
                    let name = path.strip_prefix(root).unwrap().display().to_string();
                    found.push((name, fs::read_to_string(path).unwrap()));
                }
            }
        }
    }
    found.sort();
    found
}

/// The test binary of a file: `tests/NAME.rs` and everything below `tests/NAME`.
fn binary(file: &str) -> Option<&str> {
    let rest = file.strip_prefix("tests/")?;
    let name = rest.split('/').next()?;
    Some(name.strip_suffix(".rs").unwrap_or(name))
}

/// The binaries that run the real program: their own, or the one that lies beside them.
fn programs(sources: &[(String, String)]) -> BTreeMap<String, bool> {
    let mut programs = BTreeMap::new();
    for (file, text) in sources {
        if let Some(name) = binary(file).filter(|name| !["rows", "support"].contains(name)) {
            *programs.entry(name.to_owned()).or_insert(false) |=
                text.contains("env!(\"CARGO_BIN_EXE_") || text.contains("Site::at_url(");
        }
    }
    programs
}

/// Every test that names a row.
pub fn all() -> Vec<Test> {
    let sources = sources();
    let programs = programs(&sources);
    let mut tests = vec![];
    for (file, text) in &sources {
        let through = match binary(file) {
            Some("rows") => continue,
            Some("sim") => Through::Simulation,
            Some(name) if programs.get(name) == Some(&true) => Through::Program,
            Some(_) | None => Through::InProcess,
        };
        tests.extend(of_source(file, text, through));
    }
    tests
}

/// The tests of a source that name rows.
pub fn of_source(file: &str, text: &str, through: Through) -> Vec<Test> {
    let suite = file.starts_with("dss/src/conformance") || !(file.starts_with("src/") || file.contains("/src/"));
    let lines: Vec<&str> = text.lines().collect();
    let mut found = vec![];
    let (mut doc, mut is_test) = (String::new(), false);
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if let Some(words) = code.strip_prefix("///") {
            doc.push_str(words);
        } else if code.starts_with("#[") {
            is_test |= code.contains("test]") || code.contains("::test(");
        } else {
            if let Some(name) = function(code).filter(|_| is_test || suite) {
                let mut rows = ids_of_name(name);
                rows.extend(ids_of_words(&doc).into_iter().filter(|_| is_test || suite));
                rows.dedup();
                if !rows.is_empty() {
                    let kind = kind(body(&lines[at..]));
                    let name = format!("{file} {name}");
                    found.push(Test {
                        name,
                        rows,
                        through,
                        kind,
                    });
                }
            }
            (doc, is_test) = (String::new(), false);
        }
    }
    found
}

fn function(code: &str) -> Option<&str> {
    let code = ["pub ", "pub(crate) ", "pub(super) ", "async "]
        .iter()
        .fold(code, |code, word| code.strip_prefix(word).unwrap_or(code));
    let name = code.strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}

/// The lines of a function, to the brace that ends it.
fn body<'a>(lines: &'a [&'a str]) -> &'a [&'a str] {
    let indent = lines[0].len() - lines[0].trim_start().len();
    let end = lines.iter().position(|line| *line == format!("{:indent$}}}", ""));
    &lines[..end.unwrap_or(lines.len())]
}

fn kind(body: &[&str]) -> Option<&'static str> {
    let says = |word: &str| body.iter().any(|line| line.contains(&format!("Simulates::{word}")));
    match () {
        () if says("PowerCut") => Some("power cut (simulated)"),
        () if says("KilledProcess") => Some("killed process"),
        () => None,
    }
}

/// `x11_x12_words` names.
fn ids_of_name(name: &str) -> Vec<String> {
    let id = |part: &&str| {
        let (letter, digits) = part.split_at_checked(1)?;
        let known =
            ["x", "e"].contains(&letter) && digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        known.then(|| format!("{}-{digits}", letter.to_uppercase()))
    };
    name.split('_').map(|part| id(&part)).map_while(|id| id).collect()
}

/// `X-11` in a text.
fn ids_of_words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let id = |word: &&str| {
        let digits = word.strip_prefix("X-").or_else(|| word.strip_prefix("E-"));
        digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    words.filter(id).map(str::to_owned).collect()
}

/// What ends a process in a test of the program.
const KILLS: [&str; 4] = ["crash_at(", "crash = ", ".kill()", "SIGKILL"];

/// Files of program tests that kill and do not say what that simulates.
pub fn unsaid_kills() -> Vec<String> {
    let sources = sources();
    let programs = programs(&sources);
    let silent = sources.iter().filter(|(file, text)| {
        let program = binary(file).is_some_and(|name| programs.get(name) == Some(&true));
        let tests = text.contains("#[test]");
        program && tests && KILLS.iter().any(|kill| text.contains(kill)) && !text.contains("Simulates::")
    });
    silent.map(|(file, _)| file.clone()).collect()
}
