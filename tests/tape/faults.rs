//! Tapes that cannot be read where somebody wants to: what cannot be had is listed and stays, the rest moves.

use super::house::{
    Held, all_is_well, all_readable, barcode, fault, fill, filling, in_record, independent_check, long_loft, media_of,
    record_file, records_of, skipped,
};
use respool_test_support::Site;
use std::fs::{self, OpenOptions};

/// Objects of which some lie in one record together, and the seventh reaches over several.
fn stacked(site: &Site) -> Held {
    let sizes: Vec<usize> = (0..24)
        .map(|number| match number {
            7 => 1_700_000,
            number => 1_000 + 37 * number,
        })
        .collect();
    fill(site, "things", &sizes, &["--tags", "a"])
}

const LONG: &str = "things/0007";

/// A record in the middle of the extent that reaches over several.
fn middle(site: &Site) -> u64 {
    let (first, records) = records_of(site, LONG);
    assert!(records >= 4, "{records} records from {first}");
    first + records / 2
}

/// What was skipped stayed where it was, and only there.
fn stayed(site: &Site, oids: &[String]) {
    for oid in oids {
        assert_eq!(media_of(site, oid), ["a"], "{oid}");
        let there = site.extents(&["--oid", oid, "--medium", "b", "--state", "sync"]);
        assert!(there.is_empty(), "{there:#?}");
    }
}

/// The source can be read again: everything is moved, and everything is as it was put.
fn ends_well(site: &Site, held: &Held) {
    site.faults("");
    all_readable(site, held);
    site.ok(&["medium", "trust", "a"]);
    all_is_well(site, held);
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(report["state"], "done", "{report:#}");
    assert_eq!(site.medium("a")["fs_state"], "empty");
    all_is_well(site, held);
    independent_check(site, &["a", "b"], &[]);
}

#[test]
fn x01_an_extent_with_a_bad_block_in_its_middle_is_listed_and_its_tape_is_never_erased() {
    let site = long_loft(2, &["a", "b"]);
    let held = stacked(&site);
    let (before, block) = (site.medium("a")["generation"].clone(), middle(&site));
    let bad = in_record(&site, "a", block);
    assert_eq!(bad, [LONG]);
    let tape = barcode(0);
    let there = format!("block = {block}\ntimes = 0");
    site.faults(&fault(("medium", &tape), "read", "3/11/00", &there));
    let report = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]).expect(1);
    assert_eq!(report["state"], "done_with_skips", "{report:#}");
    assert_eq!(skipped(&report), bad, "{report:#}");
    assert_eq!(report["extents"]["moved"], 23, "{report:#}");
    stayed(&site, &bad);
    let source = site.medium("a");
    assert_eq!(
        (&source["generation"], &source["adm_state"]),
        (&before, &"read_only".into())
    );
    ends_well(&site, &held);
}

/// A drive that says that the data end here, where the index says that they go on, has not read anything.
#[test]
fn x19_a_read_that_brings_nothing_is_no_end_of_data_and_nothing_of_it_is_written() {
    let site = long_loft(2, &["a", "b"]);
    let held = stacked(&site);
    let (block, tape) = (middle(&site), barcode(0));
    let there = format!("block = {block}\ntimes = 0");
    // Less than the catalogue says is damage (exit 4); a place that cannot be read is skipped (1), and a get of it fails (3).
    for (error, moved, of_get, of_repack) in [("8/00/05", 23, 4, 4), ("eio", 0, 3, 1), ("3/14/03", 0, 3, 1)] {
        site.faults(&fault(("medium", &tape), "read", error, &there));
        let refused = site.try_get(LONG).unwrap_err();
        assert_eq!(refused.code, of_get, "{error}: {refused:?}");
        let report = site
            .run(&["repack", "a", "--to", "b", "--quarantine", "0"])
            .expect(of_repack);
        assert_eq!(skipped(&report), [LONG], "{error}: {report:#}");
        assert_eq!(report["extents"]["moved"], moved, "{error}: {report:#}");
        stayed(&site, &[LONG.to_owned()]);
    }
    ends_well(&site, &held);
}

#[test]
fn x07_a_flipped_byte_of_a_record_is_caught_before_the_swap_and_every_extent_of_it_is_named() {
    let site = long_loft(2, &["a", "b"]);
    let mut held = stacked(&site);
    let block = middle(&site);
    let (bad, file) = (in_record(&site, "a", block), record_file(&site, "a", block));
    site.stop();
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&file, &bytes).unwrap();

    let report = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]).expect(4);
    assert_eq!(skipped(&report), bad, "{report:#}");
    assert_eq!(report["extents"]["moved"], 23, "{report:#}");
    let source = site.medium("a");
    assert_eq!(
        (&source["adm_state"], &source["health"]),
        (&"read_only".into(), &"suspect".into())
    );
    stayed(&site, &bad);
    assert_eq!(fs::read(&file).unwrap(), bytes, "the source is kept as it is");
    for oid in &bad {
        // Wrong bytes are never answered as right ones.
        assert_eq!(site.try_get(oid).unwrap_err().code, 4, "{oid}");
        held.remove(oid);
    }
    for (oid, bytes) in &held {
        assert!(site.get(oid) == *bytes, "{oid}");
    }
    // Put right again, it is as if nothing had been.
    site.stop();
    bytes[at] ^= 1;
    fs::write(&file, &bytes).unwrap();
    held.insert(LONG.to_owned(), site.get(LONG));
    assert_eq!(held[LONG], filling(7 + 7 * 6, 1_700_000));
    ends_well(&site, &held);
}

/// A record that is shorter than the index has it, and one that is not there.
#[test]
fn x08_a_record_that_is_cut_short_and_one_that_is_gone_are_told_and_the_others_move() {
    for (what, spoil) in [
        ("cut short", cut_short as fn(&std::path::Path)),
        ("gone", |file| fs::remove_file(file).unwrap()),
    ] {
        let site = long_loft(2, &["a", "b"]);
        let mut held = stacked(&site);
        let block = middle(&site);
        let (bad, file) = (in_record(&site, "a", block), record_file(&site, "a", block));
        let kept = fs::read(&file).unwrap();
        site.stop();
        spoil(&file);
        let outcome = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]);
        assert!([1, 4].contains(&outcome.code), "{what}: {outcome:?}");
        let report = outcome.json;
        assert_eq!(skipped(&report), bad, "{what}: {report:#}");
        assert_eq!(report["extents"]["moved"], 23, "{what}: {report:#}");
        assert_eq!(site.medium("a")["adm_state"], "read_only", "{what}: the source is kept");
        stayed(&site, &bad);
        for oid in &bad {
            let refused = site.try_get(oid).unwrap_err();
            assert!([3, 4].contains(&refused.code), "{what}: {refused:?}");
            held.remove(oid);
        }
        for (oid, bytes) in &held {
            assert!(site.get(oid) == *bytes, "{what}: {oid}");
        }
        site.stop();
        fs::write(&file, kept).unwrap();
        held.insert(LONG.to_owned(), filling(7 + 7 * 6, 1_700_000));
        ends_well(&site, &held);
    }
}

fn cut_short(file: &std::path::Path) {
    let file = OpenOptions::new().write(true).open(file).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length / 2).unwrap();
}
