//! The page of refusals, held against the transcripts and the tests that make them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What must be refused, and shown.
const ITEMS: [&str; 67] = [
    "unknown medium",
    "unknown object",
    "unknown extent",
    "unknown job",
    "its own target",
    "target too small",
    "no target by tags",
    "medium locked",
    "medium in use",
    "label missing",
    "label foreign",
    "path no directory",
    "path not empty",
    "path read-only",
    "path read-only (ordinary user)",
    "path inside a medium",
    "path a symlink out of a medium",
    "OID with `..`",
    "OID with NUL",
    "OID with newline",
    "OID of 1,024 bytes",
    "OID not UTF-8",
    "put of a directory",
    "put of a FIFO",
    "put of a socket",
    "put of a file that shrinks",
    "put of a file that grows",
    "get onto a file",
    "get into a missing folder",
    "get to a full disk",
    "config with an unknown key",
    "config with a wrong type",
    "config that is no TOML",
    "catalogue unreachable",
    "catalogue of a wrong version",
    "catalogue read-only",
    "catalogue full",
    "catalogue with fsync off",
    "state folder not writable (ordinary user)",
    "a second respoold",
    "client and respoold of different versions",
    "drills without testing",
    "permissions (ordinary user)",
    "the last good copy",
    "unknown library",
    "unknown drive",
    "unknown cartridge",
    "library device missing",
    "device no changer",
    "library in use elsewhere",
    "library not permitted (ordinary user)",
    "library gone",
    "library with media",
    "folder no cartridge",
    "barcode invalid",
    "barcode twice",
    "barcode not read",
    "no free slot",
    "cartridge unformatted",
    "cartridge not LTFS",
    "cartridge of newer LTFS",
    "cartridge of an archive",
    "cartridge write-protected",
    "cartridge WORM",
    "cartridge of another generation",
    "cleaning cartridge",
    "tape behind another barcode",
];
/// Not a refusal but an answer: it says itself why not, and there may be nothing to do.
const ANSWERS: [&str; 1] = ["respool medium check-erase a"];

/// A row of the page.
#[derive(Debug)]
struct Refusal {
    item: String,
    typed: String,
    says: String,
    exit: i32,
    transcript: String,
    compared: String,
    file: String,
    test: String,
}

/// A command of a transcript.
struct Entry<'a> {
    typed: &'a str,
    said: String,
    exit: i32,
}

fn below(place: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(place)
}

fn rows(page: &str) -> Vec<Refusal> {
    let lines = page.lines().filter(|line| line.starts_with("| ")).skip(1);
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [item, typed, says, exit, transcript, compared, test] = cells[..] else {
            panic!("not seven cells: {line}");
        };
        let (file, test) = test.split_once(' ').expect("a file and its test");
        Refusal {
            item: item.to_owned(),
            typed: typed.to_owned(),
            says: says.to_owned(),
            exit: exit.parse().expect("an exit code"),
            transcript: transcript.to_owned(),
            compared: compared.to_owned(),
            file: file.to_owned(),
            test: test.to_owned(),
        }
    };
    lines.map(row).collect()
}

fn entries(transcript: &str) -> Vec<Entry<'_>> {
    let mut found: Vec<Entry<'_>> = Vec::new();
    for line in transcript.lines() {
        if let Some(typed) = line.strip_prefix("$ ") {
            found.push(Entry {
                typed,
                said: String::new(),
                exit: -1,
            });
        } else if let Some(entry) = found.last_mut() {
            let code = line.strip_prefix("[exit ").and_then(|rest| rest.strip_suffix(']'));
            match code.or(line.strip_prefix("  exit: ")) {
                Some(code) => entry.exit = code.parse().expect("an exit code"),
                None => entry.said.push_str(&format!("{line}\n")),
            }
        }
    }
    found
}

/// The source of a function, to the brace that ends it.
fn body<'a>(source: &'a str, test: &str) -> Option<&'a str> {
    let (_, rest) = source.split_once(&format!("#[test]\nfn {test}() {{\n"))?;
    Some(rest.split_once("\n}\n").map_or(rest, |(body, _)| body))
}

/// What a test does that compares so.
fn compares(body: &str, compared: &str) -> bool {
    let words: &[&str] = match compared {
        "each" => &["refusals.run(", "refusals.command("],
        "all" => &[
            "refusals.nothing_since(&before",
            "assert!(before == refusals.everything()",
            "refuses(&mut seen",
        ],
        "but events" => &["refusals.only_told_since(&before"],
        "but handling" => &["refusals.only_handled_since(&before"],
        "what counts" => &["assert_eq!(live(&site), counted"],
        _ => &[],
    };
    words.iter().any(|word| body.contains(word))
}

/// What is wrong with a row.
fn complaint(row: &Refusal, transcript: &str, source: &str) -> Option<String> {
    let Refusal { item, typed, test, .. } = row;
    let wrong = |what: &str| Some(format!("{item}: `{typed}` {what}"));
    let shown = entries(transcript);
    let mut so = shown
        .iter()
        .filter(|entry| entry.typed == typed && entry.exit == row.exit);
    if !so.any(|entry| entry.said.contains(&row.says)) {
        return wrong(&format!("does not say so with exit {} in {}", row.exit, row.transcript));
    }
    let Some(body) = body(source, test) else {
        return wrong(&format!(
            "is not shown by {test}: there is no such test in {}",
            row.file
        ));
    };
    let makes = ["matches", "transcript"].map(|word| format!("{word}(\"{}\")", row.transcript));
    match () {
        () if !makes.iter().any(|word| body.contains(word)) => wrong(&format!("is not made by {test}")),
        () if !compares(body, &row.compared) => wrong(&format!("is not compared as `{}`", row.compared)),
        () if item.ends_with("(ordinary user)") && !body.contains("ordinary(") => wrong("runs as whoever tests"),
        () => None,
    }
}

fn page() -> Vec<Refusal> {
    rows(&fs::read_to_string(below("REFUSALS.md")).unwrap())
}

/// The transcripts of refusals: their names and texts.
fn transcripts() -> Vec<(String, String)> {
    let files = fs::read_dir(below("transcripts"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let refused = files.filter_map(|path| {
        let name = path.file_stem()?.to_str()?.strip_prefix("refused-")?.to_owned();
        Some((name, fs::read_to_string(&path).unwrap()))
    });
    refused.collect()
}

#[test]
fn every_refusal_of_the_list_has_a_transcript_that_shows_it() {
    let (page, transcripts) = (page(), transcripts());
    let shown: BTreeSet<&str> = page.iter().map(|row| row.item.as_str()).collect();
    assert_eq!(
        shown,
        BTreeSet::from(ITEMS),
        "the items of the page are those of the list"
    );
    let text = |name: &str| {
        transcripts
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, text)| text.as_str())
    };
    let complaints: Vec<String> = page
        .iter()
        .filter_map(|row| {
            let source = fs::read_to_string(below("cli/refused").join(&row.file)).unwrap_or_default();
            complaint(row, text(&row.transcript).unwrap_or_default(), &source)
        })
        .collect();
    assert_eq!(complaints, [""; 0]);
    let named: BTreeSet<&str> = page.iter().map(|row| row.transcript.as_str()).collect();
    let kept: BTreeSet<&str> = transcripts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(named, kept, "the transcripts that rows name are those that are kept");
}

/// What is refused ends with a code of its own, and says what to do next.
#[test]
fn every_refusal_says_what_to_do_next() {
    let mut wrong = vec![];
    let mut refused = 0;
    for (name, text) in transcripts() {
        for entry in entries(&text) {
            refused += usize::from([2, 3].contains(&entry.exit));
            let says = ["next: ", "\"next\":\"", "try '--help'"];
            let next = says.iter().any(|word| entry.said.contains(word));
            if ![0, 1, 2, 3, 4].contains(&entry.exit) || !(next || entry.exit == 0 || ANSWERS.contains(&entry.typed)) {
                wrong.push(format!("{name}: `{}` ends with {}", entry.typed, entry.exit));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(refused > 150, "the transcripts were read: {refused}");
}

#[test]
fn a_row_that_is_not_shown_is_noticed() {
    let page = "| refused | typed | says | exit | transcript | compared | test |\n|---|\n\
                | x | respool a | no a | 2 | names | each | names.rs t |\n";
    let row = &rows(page)[0];
    let transcript = "# T\n\n$ respool a\nrespool: no a\n[exit 2]\n";
    let source = "#[test]\nfn t() {\n    refusals.run(\"a\", 2);\n    refusals.matches(\"names\");\n}\n";
    assert_eq!(complaint(row, transcript, source), None);
    let changed = |from: &str, to: &str| complaint(row, &transcript.replace(from, to), &source.replace(from, to));
    for (from, to) in [
        ("exit 2", "exit 3"),
        ("no a", "no b"),
        ("$ respool a", "$ respool b"),
        ("fn t", "fn u"),
        ("matches(\"names", "matches(\"others"),
        ("refusals.run", "refusals.disturbed"),
    ] {
        assert!(changed(from, to).is_some(), "{from} -> {to}");
    }
    let unprivileged = rows(&page.replace("| x |", "| x (ordinary user) |"));
    assert!(complaint(&unprivileged[0], transcript, source).is_some());
}
