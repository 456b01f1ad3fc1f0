//! Cartridges that become media: what the catalogue has of one whose format was cut off, that the same command goes on with
//! it, and how much a tape holds by its own word.

use super::house::{RESPOOL, all_is_well, barcode, bring, fault, fill, independent_check, library, mixed, refused};
use lrs::ldm::virt::{Card, Technology};
use respool_test_support::{Simulates, Site};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// The row of a tape whose format was cut off: which medium it is to be, and that nobody can use it.
#[track_caller]
fn is_begun(site: &Site, name: &str) -> Value {
    let row = site.medium(name);
    assert_eq!(
        (&row["fs_state"], &row["adm_state"], &row["generation"]),
        (&json!("blank"), &json!("in_service"), &json!(0)),
        "{row:#}"
    );
    assert_eq!(
        (&row["health"], &row["capacity_bytes"]),
        (&json!("ok"), &Value::Null),
        "a failed drive or a killed process says nothing of the tape: {row:#}"
    );
    let put = site.try_put("early", b"early", &["--tags", name]);
    assert_ne!(put.code, 0, "{put:?}");
    row
}

/// The same row, of a medium that takes objects.
#[track_caller]
fn is_made(site: &Site, name: &str, begun: &Value) {
    let row = site.medium(name);
    assert_eq!(
        (&row["fs_state"], &row["adm_state"], &row["generation"]),
        (&json!("empty"), &json!("in_service"), &json!(0)),
        "{row:#}"
    );
    for key in ["id", "name", "tags", "barcode", "technology"] {
        assert_eq!(row[key], begun[key], "{key}: {row:#}");
    }
    assert!(row["capacity_bytes"].is_u64(), "{row:#}");
    let held = fill(site, "things", &mixed(8), &["--tags", name]);
    all_is_well(site, &held);
    independent_check(site, &[name], &[]);
}

/// E-04, X-32: what a drive fails at is told; the row stays, blank, and takes nothing. The same command goes on with it, and
/// so does one that says no name.
#[test]
fn x32_a_format_that_fails_anywhere_is_ended_by_the_same_command() {
    for (op, step) in [("write", 4), ("sync", 1)] {
        let site = library(1, 1);
        let (tape, mut begun, mut nth) = (barcode(0), Value::Null, 1);
        loop {
            site.faults(&fault(("medium", &tape), op, "3/0c/00", &format!("nth = {nth}")));
            let named = ["tape", "format", &tape, "--name", "a", "--tags", "a"];
            let tried = site.run(if begun.is_null() { &named } else { &named[..3] });
            if tried.code == 0 {
                break;
            }
            assert_eq!(tried.code, 3, "{op} {nth}: {tried:?}");
            let row = is_begun(&site, "a");
            assert!(begun.is_null() || begun["id"] == row["id"], "it is one medium: {row:#}");
            (begun, nth) = (row, nth + step);
        }
        assert!(nth > 2 * step, "{op}: {nth}");
        site.faults("");
        is_made(&site, "a", &begun);
    }
}

/// respoold is killed while a tape is formatted, at its first write and at a flush.
#[test]
fn x32_a_format_whose_respoold_was_killed_is_ended_by_the_next() {
    Simulates::KilledProcess.say();
    for (op, nth) in [("write", 1), ("sync", 2)] {
        let site = library(1, 1);
        let tape = barcode(0);
        site.faults(&fault(("medium", &tape), op, "hang", &format!("nth = {nth}")));
        let tried = site.start(&["tape", "format", &tape, "--name", "a", "--tags", "a"]);
        site.wait_until("the drive hangs", || {
            let list = site.ok(&["medium", "list"]);
            list["media"].as_array().is_some_and(|media| media.len() == 1)
        });
        // Whatever comes before it in the format is done in no time.
        thread::sleep(Duration::from_millis(500));
        site.kill();
        assert_eq!(tried.wait().code, 3);
        site.heal();
        let begun = is_begun(&site, "a");
        site.ok(&["tape", "format", &tape, "--name", "a", "--tags", "a"]);
        is_made(&site, "a", &begun);
    }
}

/// cut off behind its label, before it told what it holds: it is a medium, and the same command asks it.
#[test]
fn x32_a_tape_that_was_labelled_and_not_measured_is_measured_by_the_same_command() {
    for verb in ["add", "format"] {
        let site = library(1, 1);
        let tape = barcode(0);
        // It is loaded to be formatted, and once more to be mounted.
        site.faults(&fault(("medium", &tape), "load", "4/53/00", "nth = 2"));
        let command = ["tape", verb, &tape, "--name", "a", "--tags", "a"];
        site.run(&command).expect(3);
        let begun = site.medium("a");
        assert_eq!(
            (&begun["fs_state"], &begun["capacity_bytes"]),
            (&json!("empty"), &Value::Null),
            "{begun:#}"
        );
        site.faults("");
        site.ok(&command);
        is_made(&site, "a", &begun);
        refused(&site, &["tape", "add", &tape], "exists");
    }
}

/// E-02, X-15: cartridges of one technology hold what they hold, as each says in a drive. One whose row says nothing is asked
/// for it when something is to be moved there.
#[test]
fn e02_a_tape_holds_what_it_says_in_a_drive_and_not_what_its_technology_does() {
    let site = library(1, 2);
    for (code, name, bytes) in [("SML000L9", "small", 12_000_000), ("LRG000L9", "large", 40_000_000)] {
        bring(&site, &Card::of_capacity(code, Technology::Lto9, bytes));
        site.ok(&["tape", "add", code, "--name", name, "--tags", name]);
        let row = site.medium(name);
        assert_eq!(row["technology"], "LTO-9", "{row:#}");
        let capacity = row["capacity_bytes"].as_u64().unwrap();
        assert!(capacity <= bytes && capacity > bytes / 2, "{name}: {row:#}");
    }
    site.disks(&["disk"]);
    fill(&site, "things", &[500_000; 24], &["--tags", "disk"]);
    for name in ["small", "large"] {
        site.ok(&["medium", "set", name, "capacity="]);
        assert_eq!(site.medium(name)["capacity_bytes"], Value::Null);
    }
    let planned = |to: &str| site.run(&["repack", "disk", "--to", to, "--plan"]);
    assert_eq!(planned("large").expect(0)["not_moved"], json!([]));
    let refused = planned("small");
    assert_ne!(refused.code, 0, "{refused:?}");
    let said = &refused.json["error"];
    assert_eq!(said["code"], "no_target", "{refused:?}");
}

/// E-16: who finds a tape that another catalogue knew asks the tape.
#[test]
fn e16_an_imported_tape_holds_what_it_says_in_a_drive() {
    let site = library(1, 1);
    let code = bring(&site, &Card::of_capacity("SML000L9", Technology::Lto9, 12_000_000));
    site.ok(&["tape", "add", &code, "--name", "small"]);
    let capacity = site.medium("small")["capacity_bytes"].clone();
    site.stop();
    let new = Site::another(RESPOOL);
    let folder = site.root().join("lib0").display().to_string();
    new.ok(&["library", "add", "virtual", "lib0", &folder]);
    new.ok(&["tape", "import", &code]);
    assert_eq!(new.medium("small")["capacity_bytes"], capacity);
}
