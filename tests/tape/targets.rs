//! Tapes that cannot be written as they should: they end early, lose what they were given, or fail to make it durable.

use super::house::{
    Held, all_is_well, all_readable, barcode, bring, fault, fill, independent_check, loft, long_loft, media_of, mixed,
    skipped,
};
use lrs::ldm::virt::{Card, Technology};
use respool_test_support::Site;
use serde_json::Value;

fn live_on(site: &Site, medium: &str) -> Vec<Value> {
    site.extents(&["--medium", medium, "--state", "sync"])
}

fn sizes(rows: &[Value]) -> Vec<u64> {
    let mut sizes: Vec<u64> = rows.iter().map(|row| row["bytes"].as_u64().unwrap()).collect();
    sizes.sort_unstable();
    sizes
}

/// An object that makes b a medium in use.
fn put_first(site: &Site, held: &mut Held) {
    site.put("there", b"there", &["--tags", "first"]);
    assert_eq!(media_of(site, "there"), ["b"]);
    held.insert("there".to_owned(), b"there".to_vec());
}

/// Both targets have some of what was on the source, and no extent was cut.
fn shared_out(site: &Site, before: &[Value]) {
    let on = ["b", "c"].map(|medium| live_on(site, medium));
    assert!(on.iter().all(|rows| rows.len() > 1), "{on:#?}");
    let moved: Vec<Value> = on.concat().into_iter().filter(|row| row["oid"] != "there").collect();
    assert_eq!(sizes(&moved), sizes(before));
}

/// X-15, E-02: a cartridge that holds less than what is to be moved.
#[test]
fn x15_e02_a_tape_that_ends_is_full_and_the_next_one_takes_the_rest() {
    let site = long_loft(2, &["a", "c"]);
    site.ok(&["medium", "set", "c", "tags=to"]);
    let small = bring(&site, &Card::of_capacity("SML000L9", Technology::Lto9, 12_000_000));
    site.ok(&["tape", "add", &small, "--name", "b", "--tags", "to,first"]);
    let capacity = site.medium("b")["capacity_bytes"].as_u64().unwrap();
    assert!(capacity < 12_000_000, "{capacity}");
    let mut held = fill(&site, "things", &[500_000; 24], &["--tags", "a"]);
    let before = live_on(&site, "a");
    // A medium in use is filled before an empty one: b is the first target.
    put_first(&site, &mut held);
    let report = site.ok(&["repack", "a", "--to-tags", "to", "--quarantine", "0"]);
    assert_eq!(report["state"], "done", "{report:#}");
    assert_eq!(report["extents"]["moved"], 24, "{report:#}");
    assert_eq!(site.medium("b")["health"], "ok");
    shared_out(&site, &before);
    all_is_well(&site, &held);
    independent_check(&site, &["a", "b", "c"], &[]);
    all_is_well(&site, &held);
}

/// A cartridge that ends before the drive said that it would: in the middle of a window, which goes whole to the next one.
#[test]
fn x15_a_tape_that_holds_less_than_was_said_is_full_where_it_ends() {
    let site = loft(2, &["a", "b", "c"]);
    site.ok(&["medium", "set", "b", "tags=to,first"]);
    site.ok(&["medium", "set", "c", "tags=to"]);
    let mut held = fill(&site, "things", &mixed(60), &["--tags", "a"]);
    let before = live_on(&site, "a");
    put_first(&site, &mut held);
    let tape = barcode(1);
    site.faults(&fault(("medium", &tape), "write", "d/00/02", "nth = 9"));
    let report = site.ok(&["repack", "a", "--to-tags", "to", "--quarantine", "0"]);
    assert_eq!(report["state"], "done", "{report:#}");
    assert_eq!(report["extents"]["moved"], 60, "{report:#}");
    let full = site.medium("b");
    assert_eq!(
        (&full["fs_state"], &full["health"]),
        (&"full".into(), &"ok".into()),
        "{full:#}"
    );
    shared_out(&site, &before);
    site.faults("");
    all_is_well(&site, &held);
    independent_check(&site, &["a", "b", "c"], &[]);
}

/// One that ends so early that not even its index has room: told, nothing lost, and its extents go elsewhere.
#[test]
fn x15_a_tape_without_room_for_its_index_is_told_and_is_emptied_like_any_other() {
    let site = loft(2, &["a", "b", "c"]);
    site.ok(&["medium", "set", "b", "tags=to,first"]);
    site.ok(&["medium", "set", "c", "tags=to"]);
    let mut held = fill(&site, "things", &mixed(60), &["--tags", "a"]);
    put_first(&site, &mut held);
    let tape = barcode(1);
    site.faults(&fault(("medium", &tape), "write", "d/00/02", "nth = 9\ntimes = 0"));
    let report = site
        .run(&["repack", "a", "--to-tags", "to", "--quarantine", "0"])
        .expect(3);
    assert_eq!(report["error"]["code"], "no_space", "{report:#}");
    assert_eq!(report["error"]["subject"], "b", "{report:#}");
    assert_eq!(site.medium("b")["fs_state"], "full");
    assert_eq!(site.medium("a")["adm_state"], "read_only", "the source is kept");
    all_readable(&site, &held);
    let report = site.ok(&["repack", "b", "--to", "c", "--quarantine", "7d"]);
    assert_eq!(report["state"], "quarantined", "{report:#}");
    all_readable(&site, &held);
    site.faults("");
    all_is_well(&site, &held);
}

#[test]
fn x27_a_flush_that_fails_once_voids_its_window_which_is_copied_again() {
    let site = loft(2, &["a", "b"]);
    let held = fill(&site, "things", &mixed(60), &["--tags", "a"]);
    let tape = barcode(1);
    site.faults(&fault(("medium", &tape), "sync", "3/0c/00", "nth = 3"));
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(report["state"], "done", "{report:#}");
    assert_eq!(report["extents"]["moved"], 60, "{report:#}");
    let again = report["bytes_recopied"].as_u64().unwrap();
    assert!(again > 0 && again <= 65_536 + 16_385, "one window: {again}");
    assert_eq!(site.medium("b")["health"], "ok", "once is not a reason to distrust it");
    site.faults("");
    all_is_well(&site, &held);
    independent_check(&site, &["a", "b"], &[]);
}

/// the drive says that it has what it was given, and the tape has something else.
#[test]
fn x26_what_does_not_read_back_goes_back_to_the_old_bytes() {
    for (error, what) in [("lost_write", "zeros"), ("flip", "one bit")] {
        let site = long_loft(2, &["a", "b"]);
        let held = fill(&site, "things", &[700_000, 900, 1_500_000, 40_000, 0], &["--tags", "a"]);
        let old = live_on(&site, "a");
        let tape = barcode(1);
        site.faults(&fault(("medium", &tape), "write", error, "nth = 3"));
        let report = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]).expect(4);
        assert_eq!(report["error"]["code"], "read_back_failed", "{what}: {report:#}");
        let failed = report["read_back"]["failed"].as_u64().unwrap();
        let back = skipped(&report);
        assert!(failed > 0 && failed == back.len() as u64, "{what}: {report:#}");
        assert_eq!(site.medium("b")["health"], "suspect", "{what}");
        assert_eq!(site.medium("a")["adm_state"], "read_only", "{what}: the source is kept");
        for oid in &back {
            let now = site.extents(&["--oid", oid, "--state", "sync"]);
            assert_eq!((now.len(), &now[0]["medium"]), (1, &"a".into()), "{what}: {now:#?}");
            assert!(old.iter().any(|row| row["id"] == now[0]["id"]), "{what}: {now:#?}");
        }
        site.faults("");
        all_readable(&site, &held);
        site.ok(&["medium", "trust", "b"]);
        all_is_well(&site, &held);
        // What failed lies on the tape as it is, and is no object's: the volume is whole.
        independent_check(&site, &["a", "b"], &[]);
        ends(&site, &held);
    }
}

/// What went back is moved once more.
fn ends(site: &Site, held: &Held) {
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(report["state"], "done", "{report:#}");
    assert!(live_on(site, "a").is_empty());
    all_is_well(site, held);
}
