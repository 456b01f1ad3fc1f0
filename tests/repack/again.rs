//! Run again after a part of a job: what is there stays, what is missing is made good, what was deleted can come back.

use super::house::{Held, all_is_well, all_readable, fill, filling, job_of, mixed, newest_job, site};
use respool_test_support::{Simulates, Site};
use std::fs;

const REPACK: [&str; 6] = ["repack", "a", "--to", "b", "--quarantine", "0"];

/// One durable extent for every place of a layout, and none beside.
fn no_duplicates(site: &Site) {
    let places = site.sql("SELECT count(*), count(DISTINCT extent) FROM layout");
    let durable = site.sql("SELECT count(*) FROM extent WHERE state = 'sync'");
    assert_eq!(places, format!("{durable}|{durable}"));
}

/// A repack from a to b of which three windows are swapped when respoold is killed.
fn cut(site: &Site) -> Held {
    let held = fill(site, "things", &mixed(80), &["--tags", "a"]);
    site.crash_at("swap.after_commit", 3);
    site.ok(&["job", "list"]);
    let pid = site.pid().unwrap();
    site.run(&REPACK).expect(3);
    site.wait_for_death(pid);
    held
}

#[test]
fn x22_a_second_run_reaches_the_goal_and_makes_nothing_twice() {
    Simulates::KilledProcess.say();
    let site = site(&["a", "b"]);
    let held = cut(&site);
    let swapped = site.files("b").len();
    assert!(swapped > 10 && swapped < 80, "{swapped}");
    site.heal();
    let report = site.ok(&["job", "wait", &job_of(&newest_job(&site).unwrap())]);
    let count = |what: &str| report["extents"][what].as_u64().unwrap();
    assert_eq!(
        (count("live"), count("moved"), count("remaining")),
        (80, 80, 0),
        "{report:#}"
    );
    assert_eq!(report["read_back"]["extents"], 80, "also what an earlier life swapped");
    no_duplicates(&site);
    all_is_well(&site, &held);
    // And once more: there is nothing to do, and nothing is counted below zero.
    let report = site.ok(&REPACK);
    assert_eq!(report["state"], "done", "{report:#}");
    assert_eq!(
        (&report["extents"]["live"], &report["extents"]["moved"]),
        (&0.into(), &0.into())
    );
    assert_eq!(report["bytes_recopied"], 0);
    no_duplicates(&site);
    all_is_well(&site, &held);
}

#[test]
fn x22_a_copy_lost_between_two_runs_is_made_again() {
    Simulates::KilledProcess.say();
    let site = site(&["a", "b", "c"]);
    let held = cut(&site);
    // Swapped, not read back, and gone from its target when the job goes on.
    let lost = site.sql(
        "SELECT e.address, e.oid FROM extent e JOIN medium m ON m.id = e.medium
          WHERE m.name = 'b' AND e.state = 'sync' AND e.bytes > 0 ORDER BY e.id LIMIT 1",
    );
    let (address, oid) = lost.split_once('|').unwrap();
    fs::remove_file(site.disk("b").join(address)).unwrap();
    site.heal();
    let job = job_of(&newest_job(&site).unwrap());
    let report = site.run(&["job", "wait", &job]).expect(4);
    assert_eq!(report["read_back"]["failed"], 1, "{report:#}");
    assert_eq!(report["skipped"][0]["oid"], oid, "{report:#}");
    assert_eq!(site.medium("b")["health"], "suspect");
    all_readable(&site, &held);

    let report = site.run(&["repack", "a", "--to", "c", "--quarantine", "0"]).expect(3);
    assert_eq!(
        report["extents"]["moved"], 1,
        "the one that was lost, and no other: {report:#}"
    );
    // The others lie on a medium that lost one: what they were moved from is kept until somebody answers for it.
    assert_eq!(report["error"]["code"], "target_in_doubt", "{report:#}");
    assert_eq!(site.files("a").len(), 80, "the old bytes are kept");
    no_duplicates(&site);
    site.ok(&["medium", "trust", "b"]);
    site.ok(&["medium", "format", "a"]);
    assert!(site.files("a").is_empty());
    all_is_well(&site, &held);
}

#[test]
fn x18_what_was_deleted_can_come_back_when_the_repack_of_its_medium_failed() {
    let mut site = site(&["a", "b"]);
    let mut held = fill(&site, "things", &mixed(8), &["--tags", "a"]);
    for (number, oid) in ["gone", "later"].into_iter().enumerate() {
        held.insert(oid.into(), filling(40 + number as u64, 5_000));
        site.put_on("a", oid, &held[oid]);
        site.ok(&["delete", oid]);
    }
    site.faults("[[fault]]\nmedium = \"b\"\nop = \"write\"\nerror = \"eio\"\ntimes = 0\n");
    let report = site.run(&REPACK).expect(3);
    assert_eq!(report["state"], "failed", "{report:#}");
    site.ok(&["undelete", "gone"]);
    assert_eq!(site.get("gone"), held["gone"]);

    // Nothing that lies on a medium whose repack failed is purged, however old it is by now.
    site.faults("");
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 400);
    site.at(&later.to_string());
    site.ok(&["clock", "accept"]);
    // Upkeep comes by every five seconds.
    std::thread::sleep(std::time::Duration::from_secs(7));
    site.ok(&["undelete", "later"]);
    site.ok(&["medium", "trust", "b"]);
    all_is_well(&site, &held);
    site.ok(&REPACK);
    all_is_well(&site, &held);
}
