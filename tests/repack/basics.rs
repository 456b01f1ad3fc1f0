//! What a repack moves, and how it is counted.

use super::house::{Held, all_is_well, files_and_rows_agree, fill, filling, job_of, media_of, mixed, newest_job, site};
use dss::model::ByteCount;
use respool_test_support::{Simulates, Site};
use serde_json::{Value, json};

/// Two objects on medium a that are one extent, as an import of linked files would make them; its id.
pub fn share(site: &Site, oids: &[&str; 2], bytes: &[u8]) -> Value {
    let [first, second] = oids.map(|oid| site.put(oid, bytes, &["--tags", "a"]));
    let (shared, alone) = (&first["extents"][0]["id"], &second["extents"][0]["id"]);
    site.sql(&format!(
        "BEGIN;
         UPDATE layout SET extent = '{}' WHERE object_id = '{}';
         UPDATE extent SET state = 'orphan' WHERE id = '{}';
         COMMIT;",
        shared.as_str().unwrap(),
        second["id"].as_str().unwrap(),
        alone.as_str().unwrap()
    ));
    shared.clone()
}

#[test]
fn e03_an_extent_of_two_objects_is_moved_once_and_both_follow() {
    let site = site(&["a", "b"]);
    let bytes = filling(3, 9_000);
    let shared = share(&site, &["first", "second"], &bytes);
    let held = Held::from([("first".to_owned(), bytes.clone()), ("second".to_owned(), bytes)]);
    all_is_well(&site, &held);

    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(report["extents"]["live"], 1, "{report:#}");
    assert_eq!(report["extents"]["moved"], 1, "{report:#}");
    assert_eq!(report["bytes_moved"], 9_000);
    let new = |oid: &str| site.ok(&["object", "show", oid])["extents"][0]["id"].clone();
    assert_eq!(new("first"), new("second"));
    assert_ne!(new("first"), shared);
    assert_eq!(site.files("b").len(), 1);
    all_is_well(&site, &held);

    // one of the two goes, the other keeps its bytes through another move.
    site.ok(&["delete", "first"]);
    site.ok(&["repack", "b", "--to", "a", "--quarantine", "0"]);
    let held = held.into_iter().filter(|(oid, _)| oid == "second").collect();
    all_is_well(&site, &held);
}

#[test]
fn e04_every_file_on_a_target_has_a_row_whenever_respoold_dies() {
    Simulates::KilledProcess.say();
    for (step, nth) in [("record.after_commit", 2), ("write.middle", 17)] {
        let site = site(&["a", "b"]);
        let held = fill(&site, "things", &mixed(60), &["--tags", "a"]);
        site.crash_at(step, nth);
        site.ok(&["job", "list"]);
        let pid = site.pid().unwrap();
        site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]).expect(3);
        site.wait_for_death(pid);

        // The database survives respoold: what it says now is what a restart will find.
        let rows = site.sql(
            "SELECT address FROM extent JOIN medium ON medium.id = medium WHERE name = 'b' ORDER BY address COLLATE \"C\"",
        );
        let rows: Vec<&str> = rows.lines().collect();
        let pending = site.sql("SELECT count(*) FROM extent WHERE state = 'pending'");
        assert_ne!(pending, "0", "died at {step} with a window under way");
        let files = site.files("b");
        assert!(
            files.iter().all(|file| rows.contains(&file.as_str())),
            "{step}: {files:?} {rows:?}"
        );
        if step == "write.middle" {
            assert!(files.len() > 8, "some files of the first window are there: {files:?}");
        }

        site.heal();
        let job = newest_job(&site).unwrap();
        let report = site.ok(&["job", "wait", &job_of(&job)]);
        assert_eq!(report["state"], "done", "{report:#}");
        assert!(site.files("a").is_empty());
        all_is_well(&site, &held);
    }
}

#[test]
fn e06_a_target_that_cannot_sync_gets_nothing_and_the_job_goes_on_elsewhere() {
    let site = site(&["a", "b", "c"]);
    let mut held = fill(&site, "things", &mixed(40), &["--tags", "a"]);
    // A medium in use is filled before an empty one: b is the first target.
    held.insert("there".into(), filling(9, 500));
    site.put_on("b", "there", &held["there"]);
    site.faults("[[fault]]\nmedium = \"b\"\nop = \"sync\"\nerror = \"eio\"\ntimes = 0\n");
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(report["state"], "done");
    assert_ne!(report["bytes_recopied"], 0, "b was tried: {report:#}");
    // What was written to b since its last good sync is void; nothing of it is called sync.
    let trusted = site.extents(&["--medium", "b", "--state", "sync"]);
    assert_eq!(trusted.iter().map(|row| &row["oid"]).collect::<Vec<_>>(), ["there"]);
    assert_eq!(site.extents(&["--medium", "c", "--state", "sync"]).len(), 40);
    assert_eq!(site.medium("b")["health"], "suspect");
    site.faults("");
    site.ok(&["medium", "trust", "b"]);
    all_is_well(&site, &held);
}

#[test]
fn x02_a_medium_with_only_zero_length_objects_is_not_an_empty_one() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "nothing", &[0; 5], &["--tags", "a"]);
    site.run(&["medium", "format", "a"]).expect(2);
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(report["extents"]["moved"], 5, "{report:#}");
    assert!(held.keys().all(|oid| media_of(&site, oid) == ["b"]));
    assert_eq!(site.files("b").len(), 5);
    assert!(site.files("a").is_empty());
    all_is_well(&site, &held);
}

#[test]
fn x02_zero_length_objects_among_others_are_moved_like_them() {
    let site = site(&["a", "b"]);
    let sizes = [0, 10, 0, 70_000, 0, 200_000];
    let held = fill(&site, "mix", &sizes, &["--tags", "a"]);
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(report["bytes_moved"], sizes.iter().sum::<usize>());
    // 70,000 and 200,000 bytes are two and four extents of at most 64 KiB.
    assert_eq!(report["extents"]["moved"], 10, "{report:#}");
    assert!(
        held.keys()
            .all(|oid| media_of(&site, oid).iter().all(|medium| medium == "b"))
    );
    all_is_well(&site, &held);
}

#[test]
fn x14_a_target_takes_over_the_groupings_and_an_erased_source_has_none() {
    let site = site(&["a", "b"]);
    let mut held = fill(&site, "blue", &[100, 200], &["--tags", "a", "--grouping", "blue"]);
    held.extend(fill(&site, "green", &[300, 0], &["--tags", "a", "--grouping", "green"]));
    assert_eq!(site.medium("a")["groupings"], json!(["blue", "green"]));
    site.ok(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(site.medium("b")["groupings"], json!(["blue", "green"]));
    assert_eq!(site.medium("a")["groupings"], json!([]));
    assert_eq!(
        site.medium("a")["tags"],
        json!(["a"]),
        "tags are the operator's words and stay"
    );
    assert_eq!(site.ok(&["object", "show", "blue/0000"])["grouping"], "blue");
    all_is_well(&site, &held);
}

#[test]
fn x16_a_sweep_never_takes_live_bytes_for_an_orphan_of_the_same_address() {
    let site = site(&["a", "b"]);
    let mut held = Held::from([("before".to_owned(), filling(1, 700))]);
    site.put_on("a", "before", &held["before"]);
    site.ok(&["repack", "a", "--quarantine", "0"]);
    for oid in ["live", "dead", "foreign"] {
        held.insert(oid.to_owned(), filling(2, 800));
        site.put_on("a", oid, &held[oid]);
    }
    // An orphan of an earlier generation with the address of a live extent; a live extent whose object went, which is
    // what the sweep is for; and one of those whose file is not the one that was written.
    site.sql(
        "BEGIN;
         SET LOCAL session_replication_role = replica;
         INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             blake3, crc32, chunk_crcs, inode, created_at)
         SELECT gen_random_uuid(), 'orphan', gen_random_uuid(), 'ghost', 1, 0, 0, medium, generation - 1, address, bytes,
                blake3, crc32, chunk_crcs, inode, created_at FROM extent WHERE oid = 'live';
         DELETE FROM layout USING object WHERE object_id = object.id AND oid IN ('dead', 'foreign');
         DELETE FROM copy USING object WHERE object_id = object.id AND oid IN ('dead', 'foreign');
         DELETE FROM object WHERE oid IN ('dead', 'foreign');
         UPDATE extent SET state = 'orphan' WHERE oid IN ('dead', 'foreign');
         COMMIT;",
    );
    held.retain(|oid, _| oid != "dead" && oid != "foreign");
    let file = |oid: &str| site.disk("a").join("objects").join(format!("{oid}@1.0.0"));
    std::fs::write(site.root().join("stranger"), b"somebody else's").unwrap();
    std::fs::rename(site.root().join("stranger"), file("foreign")).unwrap();

    site.wait_until("the sweep has come by", || !file("dead").exists());
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(site.get("live"), held["live"]);
    assert_eq!(
        std::fs::read(file("foreign")).unwrap(),
        b"somebody else's",
        "by inode it is not the orphan"
    );
    site.sql("DELETE FROM extent WHERE oid = 'ghost'");
    files_and_rows_agree(&site);
    all_is_well(&site, &held);
}

/// What `job show` prints for people.
fn shown(site: &Site, job: &str) -> String {
    let output = site.spoken(&["job", "show", job]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_copied_again_is_told_where_it_was_so_and_that_nothing_was_lost() {
    Simulates::KilledProcess.say();
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(60), &["--tags", "a"]);
    site.crash_at("swap.before_commit", 3);
    site.ok(&["job", "list"]);
    let pid = site.pid().unwrap();
    let broken = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!((broken.code, broken.problem()), (3, "respoold_gone"), "{broken:?}");
    let error = &broken.json["error"];
    let (message, next) = (error["message"].as_str().unwrap(), error["next"].as_str().unwrap());
    assert!(
        message.contains("nothing of job 1 is lost: it goes on when any command starts respoold again"),
        "{message}"
    );
    assert!(next.contains(" job wait 1`"), "{next}");
    site.wait_for_death(pid);
    site.heal();
    let report = site.ok(&["job", "wait", "1"]);
    let again = ByteCount(report["bytes_recopied"].as_u64().unwrap());
    assert!(again > ByteCount::ZERO, "{report:#}");
    let told = shown(&site, "1");
    let line = told.lines().find(|line| line.starts_with("copied again: "));
    let line = line.unwrap_or_else(|| panic!("it is not told: {told}"));
    assert!(
        line.contains(&again.to_string()) && line.contains("nothing was lost"),
        "{line}"
    );
    site.ok(&["repack", "b", "--to", "a", "--quarantine", "0"]);
    let told = shown(&site, "2");
    assert!(!told.contains("copied again"), "nothing came in between: {told}");
    all_is_well(&site, &held);
}
