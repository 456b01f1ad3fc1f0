//! What becomes of the source: held for a time, held for ever, or erased at once; and the way back.

use super::house::{Held, RESPOOL, all_is_well, fill, filling, job_of, media_of, mixed, site, sound};
use respool_test_support::Site;
use serde_json::Value;

fn generation(site: &Site, medium: &str) -> u64 {
    site.medium(medium)["generation"].as_u64().unwrap()
}

/// A timestamp this far from now.
fn in_days(days: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days)).to_string()
}

#[test]
fn e08_a_quarantined_source_keeps_its_bytes_and_takes_no_new_ones() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(20), &["--tags", "a"]);
    let report = site.ok(&["repack", "a", "--quarantine", "7d"]);
    assert_eq!(report["state"], "quarantined");
    let source = site.medium("a");
    assert_eq!(source["adm_state"], "quarantined");
    assert!(
        source["quarantined_until"].as_str().unwrap() > in_days(6).as_str(),
        "{source:#}"
    );
    assert_eq!((site.files("a").len(), site.files("b").len()), (20, 20));
    assert!(
        site.extents(&["--medium", "a"])
            .iter()
            .all(|row| row["state"] == "orphan")
    );
    let put = site.try_put("new", b"new", &["--tags", "a"]);
    assert!(put.code == 2 || put.code == 3, "{put:?}");
    site.run(&["medium", "format", "a"]).expect(2);
    all_is_well(&site, &held);

    // The way back, entry by entry; what was deleted or overwritten since is listed and not touched.
    let (mut held, job) = (held, job_of(&report));
    site.put("things/0003", b"newer", &["--overwrite", "--tags", "b"]);
    held.insert("things/0003".into(), b"newer".to_vec());
    let restored = site.run(&["job", "restore", &job]);
    assert!(restored.code <= 1, "{restored:?}");
    assert_eq!(restored.json["state"], "restored");
    assert_eq!(media_of(&site, "things/0005"), ["a"]);
    assert_eq!(
        media_of(&site, "things/0003"),
        ["b"],
        "the newer version stays where it was put"
    );
    assert_eq!(site.medium("a")["adm_state"], "read_only");
    all_is_well(&site, &held);
    site.ok(&["repack", "a", "--quarantine", "0"]);
    all_is_well(&site, &held);
}

#[test]
fn e08_a_kept_source_is_never_erased_by_itself() {
    let mut site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(8), &["--tags", "a"]);
    let before = generation(&site, "a");
    let report = site.ok(&["repack", "a", "--keep-source"]);
    assert_eq!(report["state"], "quarantined");
    assert_eq!(site.medium("a")["quarantined_until"], Value::Null);
    let verdict = site.run(&["medium", "check-erase", "a"]).expect(2);
    assert_eq!(verdict["erasable"], false, "as `medium format` says: {verdict:#}");
    site.run(&["medium", "format", "a"]).expect(2);
    site.at(&in_days(3_650));
    site.ok(&["clock", "accept"]);
    std::thread::sleep(std::time::Duration::from_secs(7));
    let source = site.medium("a");
    assert_eq!(
        (source["generation"].as_u64(), &source["adm_state"]),
        (Some(before), &"quarantined".into())
    );
    assert_eq!(site.files("a").len(), 8);
    all_is_well(&site, &held);
}

/// What is kept for ever is kept until somebody says otherwise, in so many words: a repack that does not say how long is
/// refused as before, and sources that were emptied together are erased together.
#[test]
fn e08_what_is_kept_is_erased_when_an_operator_says_so() {
    let site = site(&["a", "b", "c"]);
    let mut held = fill(&site, "one", &mixed(4), &["--tags", "a"]);
    held.extend(fill(&site, "two", &mixed(4), &["--tags", "b"]));
    let before = generation(&site, "a");
    let job = job_of(&site.ok(&["repack", "a", "b", "--to", "c", "--keep-source"]));
    let refused = site.run(&["repack", "a", "b"]).expect(2);
    assert!(refused.to_string().contains("`respool repack"), "{refused:#}");
    let refused = site.run(&["repack", "a", "--quarantine", "0"]).expect(2);
    assert!(refused.to_string().contains("together or not at all"), "{refused:#}");
    site.run(&["repack", "a", "b", "--keep-source"]).expect(2);
    for source in ["a", "b"] {
        assert_eq!(site.medium(source)["adm_state"], "quarantined");
        assert_eq!(site.medium(source)["quarantined_until"], Value::Null);
    }
    // What cannot be erased now stays kept.
    site.ok(&["medium", "lock", "b"]);
    site.run(&["repack", "b", "a", "--quarantine", "0"]).expect(2);
    site.ok(&["medium", "unlock", "b"]);
    assert_eq!(site.medium("a")["quarantined_until"], Value::Null);
    let done = site.ok(&["repack", "b", "a", "--quarantine", "0"]);
    assert_eq!((job_of(&done), &done["state"]), (job, &"done".into()));
    for source in ["a", "b"] {
        let medium = site.medium(source);
        assert_eq!(
            (&medium["adm_state"], &medium["fs_state"]),
            (&"in_service".into(), &"empty".into())
        );
        assert!(site.files(source).is_empty());
    }
    assert_eq!(generation(&site, "a"), before + 1);
    all_is_well(&site, &held);
}

#[test]
fn e08_without_quarantine_the_source_is_empty_and_usable_at_once() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(8), &["--tags", "a"]);
    let before = generation(&site, "a");
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(report["state"], "done");
    let source = site.medium("a");
    assert_eq!(
        (&source["adm_state"], &source["fs_state"]),
        (&"in_service".into(), &"empty".into())
    );
    assert_eq!(generation(&site, "a"), before + 1);
    assert!(site.files("a").is_empty());
    assert!(
        site.extents(&["--medium", "a"]).is_empty(),
        "the rows of erased bytes are gone"
    );
    site.run(&["job", "restore", &job_of(&report)]).expect(2);
    site.put_on("a", "again", b"again");
    let mut held = held;
    held.insert("again".into(), b"again".to_vec());
    all_is_well(&site, &held);
}

#[test]
fn e08_a_quarantine_ends_by_age_and_only_when_the_clock_is_vouched_for() {
    let mut site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(8), &["--tags", "a"]);
    let job = job_of(&site.ok(&["repack", "a", "--quarantine", "7d"]));
    site.at(&in_days(8));
    site.ok(&["job", "list"]);
    std::thread::sleep(std::time::Duration::from_secs(7));
    assert_eq!(
        site.ok(&["job", "show", &job])["state"],
        "quarantined",
        "a jump of 8 days proves nothing"
    );
    assert_eq!(site.files("a").len(), 8);
    site.ok(&["clock", "accept"]);
    site.wait_until("the source is reclaimed", || {
        site.ok(&["job", "show", &job])["state"] == "done"
    });
    assert!(site.files("a").is_empty());
    assert_eq!(site.medium("a")["adm_state"], "in_service");
    all_is_well(&site, &held);
}

#[test]
fn x03_a_source_takes_nothing_new_from_the_moment_the_job_exists() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(40), &["--tags", "a"]);
    // Paused in the middle: the source has live extents and is read_only.
    let paused = site
        .run(&["repack", "a", "--limit-bytes", "1", "--quarantine", "0"])
        .expect(5);
    assert_eq!(site.medium("a")["adm_state"], "read_only");
    let put = site.try_put("new", b"new", &["--tags", "a"]);
    assert!(put.code == 2 || put.code == 3, "{put:?}");
    site.run(&["medium", "format", "a"]).expect(2);
    site.run(&["repack", "b", "--to", "a"]).expect(2);
    // The limit counts from each time the job is taken up.
    let mut resumed = 0;
    while site.run(&["job", "resume", &job_of(&paused)]).code == 5 {
        resumed += 1;
        assert!(resumed < 40, "every run moves a window");
    }
    assert_eq!(site.ok(&["job", "show", &job_of(&paused)])["state"], "done");
    all_is_well(&site, &held);
}

#[test]
fn x03_what_is_undeleted_during_the_quarantine_is_never_erased() {
    let site = site(&["a", "b"]);
    let mut held = fill(&site, "things", &mixed(8), &["--tags", "a"]);
    site.ok(&["delete", "things/0002"]);
    site.ok(&["delete", "things/0004"]);
    let report = site.ok(&["repack", "a", "--drop-deleted", "--quarantine", "8s"]);
    assert_eq!(report["state"], "quarantined", "{report:#}");
    assert_eq!(report["extents"]["moved"], 6, "{report:#}");
    // Its bytes are on the quarantined source alone.
    site.ok(&["undelete", "things/0002"]);
    assert_eq!(media_of(&site, "things/0002"), ["a"]);
    site.run(&["medium", "format", "a"]).expect(2);
    held.remove("things/0004");
    all_is_well(&site, &held);

    // At the end of the quarantine the fence finds it, and the job goes back to copying.
    let job = job_of(&report);
    site.wait_until("the source is reclaimed", || {
        site.ok(&["job", "show", &job])["state"] == "done"
    });
    assert_eq!(media_of(&site, "things/0002"), ["b"]);
    assert!(site.files("a").is_empty());
    all_is_well(&site, &held);
    // What was dropped is dropped.
    assert_ne!(site.run(&["undelete", "things/0004"]).code, 0);
    all_is_well(&site, &held);
}

#[test]
fn x18_deleted_versions_inside_their_window_move_along() {
    let site = Site::new(RESPOOL);
    site.disks(&["a", "b"]);
    let mut held = Held::from([
        ("kept".to_owned(), filling(1, 5_000)),
        ("gone".to_owned(), filling(2, 6_000)),
    ]);
    for (oid, bytes) in &held {
        site.put_on("a", oid, bytes);
    }
    site.ok(&["delete", "gone"]);
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(report["extents"]["moved"], 2, "{report:#}");
    let gone = held.remove("gone").unwrap();
    all_is_well(&site, &held);
    site.ok(&["undelete", "gone"]);
    held.insert("gone".into(), gone);
    sound(&site);
    all_is_well(&site, &held);
}
