//! Extents that cannot be read where they lie, and another copy can (E-12).

use super::house::{Held, RESPOOL, all_is_well, all_readable, fill, filling, job_of, media_of, mixed, site, sound};
use respool_test_support::{Simulates, Site};
use serde_json::{Value, json};

/// Objects in two copies, on a and c; b is empty.
fn twofold(objects: &[usize]) -> (Site, Held) {
    let site = site(&["a", "b", "c"]);
    site.ok(&["medium", "lock", "b"]);
    let held = fill(&site, "twice", objects, &["--copies", "2"]);
    site.ok(&["medium", "unlock", "b"]);
    (site, held)
}

fn broken(medium: &str, op: &str, error: &str, oid: &str) -> String {
    format!("[[fault]]\nmedium = \"{medium}\"\nop = \"{op}\"\nerror = \"{error}\"\noid = \"{oid}\"\ntimes = 0\n")
}

fn events(site: &Site, kind: &str) -> u64 {
    site.sql(&format!("SELECT count(*) FROM event WHERE kind = '{kind}'"))
        .parse()
        .unwrap()
}

fn sorted(site: &Site, oid: &str) -> Vec<String> {
    let mut media = media_of(site, oid);
    media.sort();
    media
}

/// The extent of an object on a medium.
fn extent_on(site: &Site, oid: &str, medium: &str) -> Value {
    site.extents(&["--oid", oid, "--medium", medium, "--state", "sync"])[0].clone()
}

#[test]
fn e12_what_cannot_be_read_comes_from_the_other_copy_and_the_source_is_emptied() {
    for (op, error) in [("read", "eio"), ("open", "eio"), ("read", "short")] {
        let (site, held) = twofold(&mixed(20));
        let bad = extent_on(&site, "twice/0006", "a");
        site.faults(&broken("a", op, error, "twice/0006"));
        let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
        assert_eq!(
            (&report["state"], &report["substituted"]),
            (&json!("done"), &json!(1)),
            "{report:#}"
        );
        let one = &report["substitutions"][0];
        assert_eq!(
            (&one["extent"], &one["oid"], &one["medium"], &one["read_from"]),
            (&bad["id"], &json!("twice/0006"), &json!("a"), &json!("c")),
            "{report:#}"
        );
        assert_ne!(one["reason"], "", "{report:#}");
        assert_eq!(
            (&report["skipped"], &report["extents"]["moved"]),
            (&json!([]), &json!(20))
        );
        // Told again later, the same, and for people.
        let again = site.ok(&["job", "show", &job_of(&report)]);
        assert_eq!(again["substitutions"], report["substitutions"]);
        assert_eq!(events(&site, "extent.substituted"), 1);
        // It is this copy's extent, of the same place; nothing about the other copy changed.
        let moved = extent_on(&site, "twice/0006", "b");
        for key in ["oid", "version", "copy", "index", "bytes", "blake3", "crc32"] {
            assert_eq!(moved[key], bad[key], "{key}");
        }
        assert!(site.files("a").is_empty(), "the source is erased");
        let lost_bytes = error == "short";
        assert_eq!(site.medium("a")["health"], if lost_bytes { "suspect" } else { "ok" });
        site.faults("");
        all_readable(&site, &held);
        sound(&site);
    }
}

#[test]
fn e12_x07_wrong_bytes_are_replaced_and_told_with_exit_4() {
    let (site, held) = twofold(&mixed(20));
    let row = extent_on(&site, "twice/0005", "a");
    let file = site.disk("a").join(row["address"].as_str().unwrap());
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[9_999] ^= 1;
    // In place: the inode is the one that was recorded.
    std::fs::write(&file, &bytes).unwrap();
    let report = site.run(&["repack", "a", "--to", "b", "--quarantine", "7d"]).expect(4);
    assert_eq!(
        (&report["state"], &report["substituted"], &report["error"]),
        (&json!("quarantined"), &json!(1), &Value::Null),
        "{report:#}"
    );
    assert_eq!(report["substitutions"][0]["extent"], row["id"]);
    assert_eq!(site.medium("a")["health"], "suspect");
    assert_eq!(events(&site, "extent.corrupt"), 1);
    assert_eq!(sorted(&site, "twice/0005"), ["b", "c"]);
    assert_eq!(
        std::fs::read(&file).unwrap(),
        bytes,
        "the bad bytes are kept as long as the rest"
    );
    all_is_well(&site, &held);
}

#[test]
fn e12_a_copy_that_cannot_be_used_is_named_with_the_reason() {
    let (site, held) = twofold(&mixed(12));
    site.ok(&["medium", "lock", "c"]);
    site.faults(&broken("a", "read", "eio", "twice/0006"));
    let report = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]).expect(1);
    assert_eq!(
        (&report["substituted"], &report["extents"]["moved"]),
        (&json!(0), &json!(11)),
        "{report:#}"
    );
    let reason = report["skipped"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("the copy on c cannot be used: locked"), "{reason}");
    // The same when it is only found out by going there.
    site.ok(&["medium", "unlock", "c"]);
    let (place, away) = (site.disk("c"), site.disk("away"));
    site.stop();
    std::fs::rename(&place, &away).unwrap();
    let report = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]).expect(1);
    let reason = report["skipped"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("the copy on c cannot be used: "), "{reason}");
    assert_eq!(site.medium("a")["adm_state"], "read_only");
    // And when it is back, it serves without a word.
    site.stop();
    std::fs::rename(&away, &place).unwrap();
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(
        (&report["substituted"], &report["extents"]["moved"]),
        (&json!(1), &json!(1)),
        "{report:#}"
    );
    site.faults("");
    all_is_well(&site, &held);
}

#[test]
fn e12_when_no_copy_can_be_read_every_failure_is_told() {
    let (site, held) = twofold(&mixed(12));
    let faults = broken("a", "read", "eio", "twice/0006") + &broken("c", "read", "flip", "twice/0006");
    site.faults(&faults);
    let report = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]).expect(4);
    assert_eq!(
        (&report["state"], &report["substituted"]),
        (&json!("done_with_skips"), &json!(0))
    );
    let reason = report["skipped"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("medium a") && reason.contains("the copy on c was read in vain"),
        "{reason}"
    );
    assert_eq!(site.medium("c")["health"], "suspect");
    assert_eq!(sorted(&site, "twice/0006"), ["a", "c"], "nothing was swapped");
    site.faults("");
    site.ok(&["medium", "trust", "c"]);
    site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    all_is_well(&site, &held);
}

#[test]
fn e12_of_an_object_of_several_extents_only_the_bad_one_comes_from_elsewhere() {
    let (site, mut held) = twofold(&[200_000]);
    held.insert("alone".into(), filling(3, 5_000));
    site.put_on("a", "alone", &held["alone"]);
    site.faults("[[fault]]\nmedium = \"a\"\nop = \"read\"\noid = \"twice/0000\"\nerror = \"eio\"\nnth = 6\n");
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(
        (&report["substituted"], &report["extents"]["moved"]),
        (&json!(1), &json!(5)),
        "{report:#}"
    );
    site.faults("");
    all_is_well(&site, &held);
}

#[test]
fn e12_the_other_copy_may_be_on_another_source_of_the_same_job() {
    let site = site(&["a", "b", "c", "d"]);
    for medium in ["b", "d"] {
        site.ok(&["medium", "lock", medium]);
    }
    let held = fill(&site, "twice", &mixed(12), &["--copies", "2"]);
    for medium in ["b", "d"] {
        site.ok(&["medium", "unlock", medium]);
    }
    let faults = broken("a", "read", "eio", "twice/0006") + &broken("c", "read", "eio", "twice/0005");
    site.faults(&faults);
    let report = site.ok(&["repack", "a", "c", "--quarantine", "0"]);
    assert_eq!(
        (&report["substituted"], &report["extents"]["moved"]),
        (&json!(2), &json!(24)),
        "{report:#}"
    );
    for oid in held.keys() {
        assert_eq!(media_of(&site, oid).len(), 2);
        assert_ne!(media_of(&site, oid)[0], media_of(&site, oid)[1], "I10");
    }
    site.faults("");
    all_is_well(&site, &held);
}

#[test]
fn e12_the_other_copy_may_be_on_the_source_of_another_active_job() {
    let (site, held) = twofold(&mixed(12));
    site.ok(&["dir", "add", "d", &{
        std::fs::create_dir(site.disk("d")).unwrap();
        site.disk("d").display().to_string()
    }]);
    site.faults(&broken("a", "read", "eio", "twice/0006"));
    let other = site
        .run(&["repack", "c", "--to", "d", "--quarantine", "0", "--limit-bytes", "5000"])
        .expect(5);
    assert_eq!(sorted(&site, "twice/0006"), ["a", "c"], "it was not moved yet");
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(report["substituted"], 1, "{report:#}");
    // The limit counts from each resumption.
    let resumed = ["job", "resume", &job_of(&other)];
    assert!((0..20).any(|_| site.run(&resumed).code == 0), "the other job ends");
    site.faults("");
    all_is_well(&site, &held);
}

/// A kill between the note and the swap: what was noted and not swapped is not told, and the next life does it again.
#[test]
fn e12_a_substitution_cut_short_is_done_again_and_told_once() {
    Simulates::KilledProcess.say();
    for step in ["record.after_commit", "swap.after_commit"] {
        let site = Site::new(RESPOOL);
        site.disks(&["a", "b", "c"]);
        site.ok(&["medium", "lock", "b"]);
        let held = fill(&site, "twice", &[5_000], &["--copies", "2"]);
        site.ok(&["medium", "unlock", "b"]);
        let bad = broken("a", "read", "eio", "twice/0000");
        // The first record is of the extent's own bytes; the second of the other copy's.
        let nth = if step.starts_with("record") { 2 } else { 1 };
        site.faults(&format!("{bad}[[fault]]\ncrash = \"{step}\"\nnth = {nth}\n"));
        site.ok(&["job", "list"]);
        let pid = site.pid().unwrap();
        assert_eq!(site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]).code, 3);
        site.wait_for_death(pid);
        site.faults(&bad);
        let report = site.ok(&["job", "wait", "1"]);
        assert_eq!(
            (&report["substituted"], &report["extents"]["moved"]),
            (&json!(1), &json!(1)),
            "{report:#}"
        );
        assert_eq!(events(&site, "extent.substituted"), 1);
        site.faults("");
        all_is_well(&site, &held);
    }
}
