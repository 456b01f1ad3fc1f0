//! Targets that are too small, or full in the middle (E-02, X-15): nothing is split, and the rest goes elsewhere.

use super::house::{Held, all_is_well, fill, job_of, mixed, site, sound};
use dss::model::ByteCount;
use respool_test_support::Site;
use respool_test_support::site::Outcome;
use serde_json::{Value, json};

/// Objects on a, and a target for each capacity, named in the order of the alphabet from b on.
fn with_targets(sizes: &[usize], capacities: &[&str]) -> (Site, Held) {
    let site = site(&["a"]);
    for (name, capacity) in ["b", "c", "d"].iter().zip(capacities) {
        add(&site, name, capacity);
    }
    let held = fill(&site, "things", sizes, &["--tags", "a"]);
    (site, held)
}

fn add(site: &Site, name: &str, capacity: &str) {
    std::fs::create_dir(site.disk(name)).unwrap();
    let path = site.disk(name).display().to_string();
    site.ok(&["dir", "add", name, &path, "--capacity", capacity, "--tags", name]);
}

fn moved_to(report: &Value, medium: &str) -> u64 {
    let targets = report["targets"].as_array().unwrap().iter();
    let extents = targets.filter(|one| one["medium"] == medium);
    extents.map(|one| one["extents"].as_u64().unwrap()).sum()
}

fn message(outcome: &Outcome) -> &str {
    outcome.json["error"]["message"].as_str().unwrap()
}

/// From its n-th write on, a medium has no room; the write that meets it is in the middle of an extent.
fn full_from(medium: &str, more: &str) -> String {
    format!("[[fault]]\nmedium = \"{medium}\"\nop = \"write\"\nerror = \"enospc\"\ntimes = 0\n{more}\n")
}

#[test]
fn x15_no_space_in_mid_extent_sends_it_whole_to_the_next_target() {
    // Extents of four chunks: the tenth write is inside the third extent.
    let (site, held) = with_targets(&[60_000; 8], &["1GiB", "1GiB"]);
    site.ok(&["medium", "set", "b", "tags=b,to"]);
    site.ok(&["medium", "set", "c", "tags=c,to"]);
    // What was begun is filled first.
    site.put_on("b", "begun", b"x");
    site.faults(&full_from("b", "nth = 10"));
    let report = site.ok(&["repack", "a", "--to-tags", "to", "--quarantine", "0"]);
    assert_eq!((moved_to(&report, "b"), moved_to(&report, "c")), (2, 6), "{report:#}");
    assert_eq!(
        site.medium("b")["fs_state"],
        "full",
        "X-15: never left flagged as having room"
    );
    assert_eq!(site.medium("b")["health"], "ok", "to be full is no fault");
    site.faults("");
    sound(&site);
    let mut held = held;
    held.insert("begun".into(), b"x".to_vec());
    // What was left of the cut extent on b is swept as an orphan, and no file of it counts as data.
    all_is_well(&site, &held);
}

#[test]
fn e02_a_target_smaller_than_the_live_data_is_filled_and_the_next_goes_on() {
    let (site, held) = with_targets(&[30_000; 20], &["150KiB", "300KiB", "1GiB"]);
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(report["extents"]["moved"], 20, "{report:#}");
    let parts = ["b", "c", "d"].map(|name| moved_to(&report, name));
    assert_eq!(parts.iter().sum::<u64>(), 20, "{report:#}");
    for name in ["b", "c"] {
        let medium = site.medium(name);
        assert!(
            medium["used_bytes"].as_u64() <= medium["capacity_bytes"].as_u64(),
            "{medium:#}"
        );
    }
    all_is_well(&site, &held);
}

#[test]
fn e02_an_extent_that_fits_only_one_target_goes_there_and_small_ones_fill_the_others() {
    // 16 KiB of overhead is more than any of the small targets' room leaves beside a large extent.
    let (site, held) = with_targets(&[60_000, 10_000, 10_000], &["64KiB", "64KiB", "100KiB"]);
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    let large = site.extents(&["--oid", "things/0000", "--state", "sync"]);
    assert_eq!(large[0]["medium"], "d", "{report:#}");
    all_is_well(&site, &held);
}

#[test]
fn e02_without_enough_room_anywhere_nothing_is_touched_and_the_bytes_missing_are_told() {
    let (site, held) = with_targets(&[60_000; 4], &["100KiB", "100KiB"]);
    let refused = site.run(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    // Two extents find no place; each needs its bytes and 8 KiB beside them.
    let missing = ByteCount(2 * (60_000 + (8 << 10)));
    assert!(
        message(&refused).contains(&format!("{missing} are missing")),
        "{refused:?}"
    );
    assert_eq!(site.medium("a")["adm_state"], "in_service");
    add(&site, "d", "1GiB");
    site.ok(&["repack", "a", "--quarantine", "0"]);
    all_is_well(&site, &held);
}

#[test]
fn x15_when_the_last_target_is_full_the_bytes_missing_are_told_and_another_medium_finishes_it() {
    let (site, held) = with_targets(&mixed(40), &["1GiB"]);
    site.faults(&full_from("b", "nth = 20"));
    let report = site.run(&["repack", "a", "--quarantine", "0"]).expect(3);
    assert_eq!(
        (&report["state"], &report["error"]["code"]),
        (&json!("failed"), &json!("no_target")),
        "{report:#}"
    );
    let message = report["error"]["message"].as_str().unwrap();
    let (moved, live) = (
        report["extents"]["moved"].as_u64().unwrap(),
        report["bytes_live"].as_u64().unwrap(),
    );
    let left = 40 - moved;
    let missing = ByteCount(live - report["bytes_moved"].as_u64().unwrap() + left * (8 << 10));
    assert!(
        moved > 0 && message.contains(&format!("{left} extents find no target, {missing} are missing")),
        "{message}"
    );
    assert!(message.contains("b (full)"), "{message}");
    assert_eq!(report["go_on"], "respool repack a --quarantine 0", "{report:#}");
    assert_eq!(site.medium("a")["adm_state"], "read_only");
    site.faults("");
    sound(&site);
    add(&site, "c", "1GiB");
    // What is told goes on as it stands.
    let command: Vec<&str> = report["go_on"].as_str().unwrap().split(' ').skip(1).collect();
    let report = site.ok(&command);
    assert_eq!(
        (&report["extents"]["moved"], moved_to(&report, "c")),
        (&json!(left), left),
        "{report:#}"
    );
    all_is_well(&site, &held);
}

#[test]
fn x15_a_medium_added_while_the_job_is_paused_is_used_when_it_goes_on() {
    let (site, held) = with_targets(&[20_000; 10], &["1GiB"]);
    // Extents of two chunks: the seventh write is inside the fourth extent.
    site.faults(&full_from("b", "nth = 7"));
    let paused = site
        .run(&["repack", "a", "--quarantine", "0", "--limit-bytes", "40000"])
        .expect(5);
    add(&site, "c", "1GiB");
    let resumed = ["job", "resume", &job_of(&paused)];
    let outcome = (0..20).map(|_| site.run(&resumed)).find(|outcome| outcome.code != 5);
    let report = outcome.expect("the job ends").expect(0);
    assert_eq!((moved_to(&report, "b"), moved_to(&report, "c")), (3, 7), "{report:#}");
    site.faults("");
    all_is_well(&site, &held);
}

#[test]
fn x15_e02_every_target_full_in_turn_and_nothing_is_copied_twice_needlessly() {
    let (site, held) = with_targets(&[20_000; 12], &["1GiB", "1GiB", "1GiB"]);
    site.faults(&(full_from("b", "nth = 6") + &full_from("c", "nth = 6")));
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(report["extents"]["moved"], 12, "{report:#}");
    assert!(moved_to(&report, "d") >= 6, "{report:#}");
    let full = ["b", "c"].map(|name| site.medium(name)["fs_state"].clone());
    assert!(full.contains(&json!("full")), "{full:?}");
    site.faults("");
    all_is_well(&site, &held);
}
