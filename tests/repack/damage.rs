//! Sources that hold less than the catalogue says, rows that nothing explains, disks that are elsewhere.

use super::house::{Held, all_is_well, all_readable, fill, filling, media_of, mixed, site};
use respool_test_support::Site;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;

fn file_of(site: &Site, oid: &str) -> PathBuf {
    let row = &site.extents(&["--oid", oid, "--state", "sync"])[0];
    let medium = row["medium"].as_str().unwrap();
    site.disk(medium).join(row["address"].as_str().unwrap())
}

fn skipped(report: &Value) -> Vec<(&str, &str)> {
    let list = report["skipped"].as_array().unwrap().iter();
    list.map(|skip| (skip["oid"].as_str().unwrap(), skip["reason"].as_str().unwrap()))
        .collect()
}

/// Nothing of an extent that was skipped counts on the target, and its row still points to the source.
fn stayed(site: &Site, oid: &str) {
    assert_eq!(media_of(site, oid), ["a"]);
    let there = site.extents(&["--oid", oid, "--medium", "b", "--state", "sync"]);
    assert!(there.is_empty(), "{there:#?}");
}

#[test]
fn x08_a_file_shorter_than_its_row_and_reads_that_bring_nothing_are_told_and_skipped() {
    let site = site(&["a", "b"]);
    let mut held = fill(&site, "things", &mixed(30), &["--tags", "a"]);
    // 16,384 bytes cut to half, 4,096 to nothing, and a device that answers every read with less than was asked.
    for (oid, length) in [("things/0005", 8_192), ("things/0003", 0)] {
        let file = OpenOptions::new().write(true).open(file_of(&site, oid)).unwrap();
        file.set_len(length).unwrap();
    }
    site.faults("[[fault]]\nmedium = \"a\"\nop = \"read\"\noid = \"things/0014\"\nerror = \"short\"\ntimes = 0\n");
    let bad = ["things/0003", "things/0005", "things/0014"];

    let report = site.run(&["repack", "a", "--quarantine", "0"]).expect(4);
    assert_eq!(report["state"], "done_with_skips", "{report:#}");
    let mut told = skipped(&report);
    told.sort_unstable();
    assert_eq!(told.iter().map(|(oid, _)| *oid).collect::<Vec<_>>(), bad, "{report:#}");
    assert!(
        told[1].1.contains("8192") && told[1].1.contains("16384"),
        "both lengths are told: {told:?}"
    );
    assert_eq!(report["extents"]["moved"], 27, "{report:#}");
    assert_eq!(site.medium("a")["adm_state"], "read_only", "the source is kept");
    for oid in bad {
        stayed(&site, oid);
        let refused = site.try_get(oid).unwrap_err();
        assert_eq!(refused.code, 4, "less is never answered as all: {refused:?}");
        assert!(refused.stderr.contains(oid), "{refused:?}");
        held.remove(oid);
    }
    for (oid, bytes) in &held {
        assert!(site.get(oid) == *bytes, "{oid}");
    }
}

#[test]
fn x19_a_read_that_fails_is_no_end_of_data_and_nothing_of_it_is_written() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(30), &["--tags", "a"]);
    // At the first byte of one, at a buffer's border of another, and once in the middle of a third: always or once, what
    // was read before it would pass for a shorter extent.
    site.faults(
        "[[fault]]\nmedium = \"a\"\nop = \"read\"\noid = \"things/0005\"\nerror = \"eio\"\ntimes = 0\n\
         [[fault]]\nmedium = \"a\"\nop = \"read\"\noid = \"things/0006\"\nafter_bytes = 16384\nerror = \"eio\"\ntimes = 0\n\
         [[fault]]\nmedium = \"a\"\nop = \"read\"\noid = \"things/0004\"\nafter_bytes = 100\nerror = \"eio\"\n",
    );
    for oid in ["things/0005", "things/0006"] {
        let refused = site.try_get(oid).unwrap_err();
        assert_eq!(refused.code, 3, "{refused:?}");
    }
    let report = site.run(&["repack", "a", "--quarantine", "0"]).expect(1);
    for (oid, reason) in skipped(&report) {
        assert!(
            ["things/0004", "things/0005", "things/0006"].contains(&oid),
            "{report:#}"
        );
        assert!(
            reason.contains("input/output") || reason.contains("EIO") || reason.contains("I/O"),
            "{reason}"
        );
        stayed(&site, oid);
    }
    assert!(skipped(&report).len() >= 2, "{report:#}");
    assert_eq!(site.medium("a")["adm_state"], "read_only", "the source is kept");
    // Every file that counts on the target is whole: sound compares lengths, and the gets compare bytes.
    site.faults("");
    all_readable(&site, &held);
    // One that fails at several places is in doubt until an operator has looked at it.
    assert_eq!(site.medium("a")["health"], "suspect");
    site.ok(&["medium", "trust", "a"]);
    all_is_well(&site, &held);
    site.ok(&["repack", "a", "--quarantine", "0"]);
    assert!(site.files("a").is_empty());
    all_is_well(&site, &held);
}

#[test]
fn x20_a_disk_that_is_in_no_place_is_refused_and_its_place_named() {
    let site = site(&["a", "b", "c"]);
    let mut held = fill(&site, "things", &mixed(8), &["--tags", "a"]);
    held.extend(fill(&site, "more", &mixed(8), &["--tags", "b"]));
    site.stop();
    let (place, shelf) = (site.disk("a"), site.root().join("on-the-shelf"));
    fs::rename(&place, &shelf).unwrap();
    let names_it = |said: &str| said.contains("medium a") && said.contains(&place.display().to_string());

    let refused = site.run(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(names_it(&refused.stderr), "{}", refused.stderr);
    assert!(refused.stderr.contains("next:"), "{}", refused.stderr);
    assert_eq!(
        site.ok(&["job", "list"])["jobs"].as_array().unwrap().len(),
        0,
        "nothing began"
    );
    let refused = site.try_get("things/0005").unwrap_err();
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(names_it(&refused.stderr), "{}", refused.stderr);
    // As a target it is not waited for either, and nothing is made where it was.
    let refused = site.run(&["repack", "b", "--to", "a", "--quarantine", "0"]);
    assert!(refused.code == 2 || refused.code == 3, "{refused:?}");
    assert!(refused.stderr.contains("a ("), "{}", refused.stderr);
    assert!(!place.exists());
    let report = site.ok(&["repack", "b", "--quarantine", "0"]);
    assert_eq!(report["targets"][0]["medium"], "c", "the others go on: {report:#}");

    fs::rename(&shelf, &place).unwrap();
    site.ok(&["medium", "trust", "a"]);
    all_is_well(&site, &held);
}

#[test]
fn x24_rows_that_nothing_explains_are_told_and_do_not_stop_a_repack() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(20), &["--tags", "a"]);
    // A row without a file that nothing needs, a durable one that no layout names, and a second one for a place that is
    // filled already, whose file is not there either.
    site.sql(
        "BEGIN;
         SET LOCAL session_replication_role = replica;
         INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             blake3, crc32, chunk_crcs, inode, created_at)
         SELECT gen_random_uuid(), s.state::extent_state, coalesce(s.object, object_id), s.oid, 1, 0, 0, medium, generation,
                'objects/' || s.address, bytes, blake3, crc32, chunk_crcs, inode, created_at
           FROM extent, (VALUES ('orphan', gen_random_uuid(), 'ghost', 'ghost@1.0.0'),
                                ('sync', gen_random_uuid(), 'lost', 'lost@1.0.0'),
                                ('sync', NULL, 'things/0005', 'double@1.0.0')) s (state, object, oid, address)
          WHERE extent.oid = 'things/0005';
         DELETE FROM extent_unindexed;
         COMMIT;",
    );
    let report = site.run(&["check"]).expect(4);
    let told = report["findings"].to_string();
    let ids = site.sql("SELECT id FROM extent WHERE address IN ('objects/lost@1.0.0', 'objects/double@1.0.0')");
    assert_eq!(ids.lines().count(), 2);
    for id in ids.lines() {
        assert!(told.contains(id), "{id} is not told: {report:#}");
    }

    // Everything that an object needs leaves; what is unexplained is listed and stays, with its medium.
    let report = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]).expect(4);
    assert_eq!(report["state"], "done_with_skips", "{report:#}");
    assert_eq!(report["extents"]["moved"], 20, "{report:#}");
    let listed: BTreeSet<&str> = skipped(&report).iter().map(|(oid, _)| *oid).collect();
    assert_eq!(listed, BTreeSet::from(["lost", "things/0005"]), "{report:#}");
    assert!(held.keys().all(|oid| media_of(&site, oid) == ["b"]));
    all_readable(&site, &held);
    let source = site.medium("a");
    assert_eq!(
        (&source["adm_state"], &source["health"]),
        (&"read_only".into(), &"ok".into())
    );
    site.run(&["medium", "format", "a"]).expect(2);
}

#[test]
fn x30_of_two_objects_of_one_extent_one_deleted_during_the_move_leaves_the_other() {
    let site = site(&["a", "b"]);
    let mut held = fill(&site, "things", &mixed(30), &["--tags", "a"]);
    let bytes = filling(30, 9_000);
    super::basics::share(&site, &["first", "second"], &bytes);
    held.insert("second".into(), bytes.clone());
    let swap = super::swaps::HeldSwap::onto(&site, "b");
    let repack = site.start(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    let swap = swap.wait();
    site.ok(&["delete", "first"]);
    swap.release();
    let report = repack.wait().expect(0);
    assert_eq!(report["extents"]["live"], 31, "{report:#}");
    assert_eq!(report["state"], "done", "{report:#}");
    assert_eq!(media_of(&site, "second"), ["b"]);
    all_is_well(&site, &held);
    site.ok(&["undelete", "first"]);
    held.insert("first".into(), bytes);
    let first = site.ok(&["object", "show", "first"])["extents"][0]["id"].clone();
    assert_eq!(
        site.ok(&["object", "show", "second"])["extents"][0]["id"],
        first,
        "still one extent"
    );
    all_is_well(&site, &held);
    let held: Held = held.into_iter().filter(|(oid, _)| oid != "second").collect();
    site.ok(&["delete", "second"]);
    site.ok(&["repack", "b", "--to", "a", "--drop-deleted", "--quarantine", "0"]);
    all_is_well(&site, &held);
}
