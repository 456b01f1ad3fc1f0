//! What `--json` prints when a verb fails is a contract too: every verb of the command line is made to fail, twice, and
//! what it prints is one object that is valid against the schema of failures.

use crate::schemas::{Contract, all_verbs};
use crate::site::{Said, Site};
use std::collections::BTreeSet;
use std::fs;

/// How every verb is typed in the right way, and the code with which it ends where the state folder cannot be one. What
/// needs no state folder has something else that cannot be.
const TYPED: [(&str, &str, i32); 64] = [
    ("init", "", 3),
    ("stop", "", 3),
    ("demo", "--from folder", 3),
    ("check", "", 3),
    ("catalogue backup", "backup", 3),
    ("catalogue restore", "backup", 3),
    ("catalogue verify", "backup", 3),
    ("clock accept", "", 3),
    ("drill steps", "more", 2),
    ("put", "file one", 3),
    ("get", "one copy", 3),
    ("delete", "one", 3),
    ("undelete", "one", 3),
    ("object list", "", 3),
    ("object show", "one", 3),
    ("dir add", "a folder", 3),
    ("medium list", "", 3),
    ("medium show", "a", 3),
    ("medium df", "", 3),
    ("medium counts", "", 3),
    ("medium extents", "a", 3),
    ("medium candidates", "", 3),
    ("medium what-if-lost", "a", 3),
    ("medium set", "a tags=b", 3),
    ("medium lock", "a", 3),
    ("medium unlock", "a", 3),
    ("medium trust", "a", 3),
    ("medium dead", "a --yes", 3),
    ("medium check-erase", "a", 3),
    ("medium format", "a", 3),
    ("medium import", "a", 3),
    ("library add virtual", "lib0 folder", 3),
    ("library add scsi", "lib0 /dev/sg99", 3),
    ("library list", "", 3),
    ("library scan", "lib0", 3),
    ("library insert", "lib0 folder --barcode RSP000L9", 3),
    ("library forget", "lib0", 3),
    ("drive list", "", 3),
    ("drive status", "", 3),
    ("drive lock", "drv0", 3),
    ("drive unlock", "drv0", 3),
    ("tape list", "", 3),
    ("tape add", "RSP000L9", 3),
    ("tape format", "RSP000L9", 3),
    ("tape import", "RSP000L9", 3),
    ("tape compact", "RSP000L9 --onto RSP001L9", 3),
    ("tape check", "RSP000L9", 3),
    ("tape unload", "RSP000L9", 3),
    ("extent list", "", 3),
    ("extent show", "EXTENT", 3),
    ("extent migrate", "EXTENT --to a", 3),
    ("extent release", "EXTENT --yes", 3),
    ("repack", "a", 3),
    ("job list", "", 3),
    ("job show", "1", 3),
    ("job report", "1", 3),
    ("job wait", "1", 3),
    ("job pause", "1", 3),
    ("job resume", "1", 3),
    ("job cancel", "1", 3),
    ("job restore", "1", 3),
    ("events", "", 3),
    ("completion", "of-no-shell", 2),
    ("man", "--dir file/pages", 3),
];

fn failed(contract: &mut Contract, verb: &str, said: &Said, code: i32) {
    assert_eq!(said.code, code, "{verb}: {said:?}");
    assert_eq!(contract.complaints("error", &said.json), [""; 0], "{verb}: {said:?}");
    assert_eq!(said.number("/error/exit"), u64::try_from(code).unwrap(), "{verb}");
    for word in ["/error/message", "/error/next"] {
        assert!(!said.text(word).is_empty(), "{verb} says nothing at {word}");
    }
}

#[test]
fn what_every_verb_prints_as_json_when_it_fails_is_as_the_schema_says() {
    let site = Site::new();
    fs::write(site.path("file"), "bytes").unwrap();
    fs::create_dir(site.path("folder")).unwrap();
    fs::write(site.path("folder/one"), "bytes").unwrap();
    let verbs: BTreeSet<String> = TYPED.iter().map(|(verb, ..)| (*verb).to_owned()).collect();
    assert_eq!(verbs, all_verbs(), "these are made to fail");
    let mut contract = Contract::new();
    for (verb, rest, code) in TYPED {
        let rest = rest.replace("EXTENT", "01900000-0000-7000-8000-000000000000");
        let words: Vec<&str> = verb.split(' ').chain(rest.split_whitespace()).collect();
        // Before the verb: `extent list` has a `--state` of its own.
        let impossible = [&["--state", "file"], &words[..]].concat();
        failed(&mut contract, verb, &site.run(&impossible), code);
        let unknown = [&words[..], &["--no-such-option"]].concat();
        failed(&mut contract, verb, &site.run(&unknown), 2);
    }
    assert!(!site.path("state").exists(), "nothing was made");
}
