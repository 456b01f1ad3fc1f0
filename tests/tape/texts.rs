//! What people see of libraries, drives and tapes, as reviewed files.

use super::house::{RESPOOL, add_library, barcode, bring, independent_check, tapes};
use lrs::ldm::virt::{Card, Technology};
use respool_test_support::{Site, Transcript};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn transcript(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(format!("tape-{name}.txt"))
}

/// Serial numbers are other ones in every library.
fn hide_serials(seen: &mut Transcript, site: &Site, library: &str) {
    let file = site.root().join(library).join("library.json");
    let inventory: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    for (number, serial) in inventory["drives"].as_array().unwrap().iter().enumerate() {
        seen.hide(serial.as_str().unwrap(), &format!("SERIAL-{number}"));
    }
}

fn runs(seen: &mut Transcript, site: &Site, commands: &[&str]) {
    for typed in commands {
        assert_eq!(seen.run(site, typed), 0, "{typed}");
    }
}

#[test]
fn libraries_and_drives_are_shown_as_reviewed() {
    let site = Site::new(RESPOOL);
    let mut seen = Transcript::new("A library, its drives and its cartridges");
    runs(&mut seen, &site, &["library list", "tape list", "drive list"]);
    add_library(&site, 2, 3);
    hide_serials(&mut seen, &site, "lib0");
    tapes(&site, &["a"]);
    site.put("one", b"bytes", &["--tags", "a"]);
    site.ok(&["tape", "unload", "a"]);
    bring(&site, &Card::blank("OLD001L8", Technology::Lto8));
    runs(
        &mut seen,
        &site,
        &[
            "library list",
            "library list lib0",
            "library scan lib0",
            "tape list",
            "tape list --library lib0",
            "drive list",
            "drive status lib0/drv0",
        ],
    );
    seen.note("A tape is in a drive, and the other drive is locked.");
    assert_eq!(site.get("one"), b"bytes");
    runs(
        &mut seen,
        &site,
        &[
            "drive lock drv1 --why grinding",
            "drive list",
            "drive status",
            "tape list",
            "library list lib0",
            "tape unload a",
            "drive unlock drv1",
            "library add virtual lib1 lib1 --drives 1 --slots 2 --cartridges 1",
        ],
    );
    hide_serials(&mut seen, &site, "lib1");
    runs(&mut seen, &site, &["library list", "library forget lib1"]);
    seen.matches(&transcript("libraries"));
}

#[test]
fn tapes_are_shown_as_reviewed() {
    let site = Site::new(RESPOOL);
    add_library(&site, 2, 2);
    let mut seen = Transcript::new("Tapes as media");
    let first = format!("tape add {} --name a --tags a,blue", barcode(0));
    runs(&mut seen, &site, &[&first]);
    site.put("one", &[7; 3_000], &["--tags", "a"]);
    site.put("two", &[8; 9_000], &["--tags", "a"]);
    site.ok(&["tape", "unload", "a"]);
    runs(
        &mut seen,
        &site,
        &[
            "medium list",
            "medium show a",
            "medium df",
            "extent list --medium a",
            "tape check a",
        ],
    );
    let second = format!("tape format {} --name b --tags b", barcode(1));
    runs(
        &mut seen,
        &site,
        &[
            &second,
            "repack a --to b --plan",
            "repack a --to b --quarantine 0",
            "medium list",
            "tape list",
            "medium show a",
        ],
    );
    for tape in ["a", "b"] {
        site.ok(&["tape", "unload", tape]);
    }
    seen.matches(&transcript("media"));
    independent_check(&site, &["a", "b"], &[]);
}

/// A tape whose last index is spoilt in one partition.
#[test]
fn what_is_wrong_with_a_tape_is_shown_as_reviewed() {
    let site = Site::new(RESPOOL);
    add_library(&site, 1, 2);
    tapes(&site, &["a"]);
    site.put("one", &[7; 3_000], &["--tags", "a"]);
    site.ok(&["tape", "unload", "a"]);
    let index = Path::new(&super::house::cartridge(&site, "a")).join("0_5_R");
    site.stop();
    let length = fs::metadata(&index).unwrap().len();
    fs::write(&index, vec![b'x'; length as usize]).unwrap();
    let mut seen = Transcript::new("A tape with a spoilt index");
    assert_eq!(seen.run(&site, "tape check a"), 4);
    seen.matches(&transcript("check"));
}
