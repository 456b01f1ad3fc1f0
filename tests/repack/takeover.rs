//! E-16: taking over media after the catalogue was restored, where something is in the way: a medium that is level and
//! out of reach, one whose erasure the backup cut short, a copy of a disk, a disk that is gone.
//!
//! What ends here is the catalogue's history, not a process: nothing is killed.

use crate::house::{filling, job_of, site};
use respool_test_support::{Site, site::Outcome};
use std::fs;
use std::process::Command;

fn backup(site: &Site) -> String {
    let path = site.root().join("yesterday.backup").display().to_string();
    site.ok(&["catalogue", "backup", &path]);
    path
}

#[track_caller]
fn refused(outcome: &Outcome, code: u8, problem: &str, next: &str) {
    assert_eq!(
        (outcome.code, outcome.problem()),
        (i32::from(code), problem),
        "{outcome:?}"
    );
    let told = outcome.json["error"]["next"].as_str().unwrap_or_default();
    assert!(told.contains(next), "{outcome:?}");
}

/// The backup knows the bytes on `a`, held, and on `b`, in use; the lost history went back to those on `a` and erased `b`.
fn restored_since(site: &Site) {
    site.disks(&["a", "b", "c"]);
    site.put_on("a", "moved", &filling(1, 100_000));
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "7d"]);
    let path = backup(site);
    site.ok(&["job", "restore", &job_of(&report)]);
    site.ok(&["repack", "b", "--to", "c", "--quarantine", "0"]);
    assert_eq!(site.medium("b")["generation"], 1);
    site.ok(&["catalogue", "restore", &path]);
    site.ok(&["medium", "import", "a", "--reconcile"]);
    assert_eq!(site.medium("a")["standing"], "level");
}

/// What is gone from one medium and known to lie on another, which is level and cannot be read now, is not nowhere.
#[test]
fn e16_what_a_level_medium_out_of_reach_holds_is_not_forgotten() {
    for unplugged in [false, true] {
        let site = site(&[]);
        restored_since(&site);
        let away = site.root().join("a.away");
        if unplugged {
            site.stop();
            fs::rename(site.disk("a"), &away).unwrap();
        } else {
            site.ok(&["medium", "lock", "a"]);
        }
        let early = site.run(&["medium", "import", "b", "--reconcile"]).expect(4);
        assert_eq!(early["reconciled"]["missing"][0]["oid"], "moved");
        let outcome = site.run(&["medium", "import", "b", "--reconcile", "--forget-missing"]);
        let next = if unplugged {
            "put a back in its place"
        } else {
            "medium unlock a"
        };
        refused(&outcome, 4, "bytes_elsewhere", next);
        if unplugged {
            fs::rename(&away, site.disk("a")).unwrap();
            site.ok(&["medium", "trust", "a"]);
        } else {
            site.ok(&["medium", "unlock", "a"]);
        }
        let late = site.ok(&["medium", "import", "b", "--reconcile", "--forget-missing"]);
        assert_eq!(late["reconciled"]["repointed"], 2, "{late:#}");
        assert_eq!(site.get("moved"), filling(1, 100_000));
        site.ok(&["check"]);
    }
}

/// A medium that can be read, but not the bytes themselves, may be mended; one that is lost is declared dead.
#[test]
fn e16_what_cannot_be_read_now_is_not_forgotten() {
    let site = site(&[]);
    restored_since(&site);
    site.faults("[[fault]]\nmedium = \"a\"\nop = \"read\"\noid = \"moved\"\nerror = \"eio\"\ntimes = 0\n");
    let outcome = site.run(&["medium", "import", "b", "--reconcile", "--forget-missing"]);
    refused(&outcome, 4, "bytes_elsewhere", "medium dead a");
    site.stop();
    site.heal();
    let late = site.ok(&["medium", "import", "b", "--reconcile", "--forget-missing"]);
    assert_eq!(late["reconciled"]["repointed"], 2, "{late:#}");
    assert_eq!(site.get("moved"), filling(1, 100_000));
}

/// Bytes that were read whole and are others, or that are on a medium declared dead, hold nothing up.
#[test]
fn e16_what_was_disproved_holds_nothing_up() {
    for dead in [false, true] {
        let site = site(&[]);
        restored_since(&site);
        if dead {
            site.sql(
                "UPDATE medium SET adm_state = 'dead', quarantined_until = NULL, emptied_by = NULL, \
                      operator_state = NULL WHERE name = 'a'",
            );
            site.stop();
        } else {
            let file = site.disk("a").join(&site.files("a")[0]);
            let mut bytes = fs::read(&file).unwrap();
            bytes[5] ^= 1;
            fs::write(&file, bytes).unwrap();
        }
        let done = site.ok(&["medium", "import", "b", "--reconcile", "--forget-missing"]);
        assert_eq!(
            done["reconciled"]["forgotten"],
            serde_json::json!(["moved@1"]),
            "{done:#}"
        );
    }
}

/// I6: the backup was made while a medium was being erased; that ended, and the medium was filled since.
#[test]
fn e16_a_medium_that_was_being_erased_is_taken_over() {
    let site = site(&["a", "b"]);
    site.put_on("a", "moved", &filling(1, 1000));
    site.ok(&["repack", "a", "--to", "b", "--quarantine", "7d"]);
    // As the fence leaves it. Nobody is killed: the erasure goes on when respoold is started anew.
    site.sql(
        "UPDATE medium SET adm_state = 'erasing', generation = 1, quarantined_until = NULL WHERE name = 'a'; \
         UPDATE job SET state = 'reclaiming'",
    );
    let path = backup(&site);
    site.stop();
    site.wait_until("it is erased", || site.medium("a")["adm_state"] == "in_service");
    site.put_on("a", "later", &filling(2, 2000));
    site.ok(&["catalogue", "restore", &path]);
    let before = site.medium("a");
    assert_eq!(
        (&before["adm_state"], &before["standing"]),
        (&"erasing".into(), &"ahead".into())
    );
    let report = site.ok(&["medium", "import", "a", "--reconcile", "--adopt"]);
    assert_eq!(report["reconciled"]["erased_since"], true, "{report:#}");
    let after = site.medium("a");
    assert_eq!(
        (&after["adm_state"], &after["standing"]),
        (&"in_service".into(), &"level".into())
    );
    site.ok(&["medium", "import", "b", "--reconcile", "--adopt"]);
    assert_eq!(site.get("moved"), filling(1, 1000));
    assert_eq!(site.get("later"), filling(2, 2000));
    assert_eq!(site.ok(&["job", "show", "1"])["state"], "failed");
    site.ok(&["check"]);
}

/// X-16: two disks of one identity are never taken for each other, also when the label is of a later generation.
#[test]
fn e16_a_copy_of_a_medium_is_not_taken_over_beside_it() {
    let site = site(&["a", "b"]);
    site.put_on("a", "moved", &filling(1, 1000));
    let path = backup(&site);
    site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    let copy = site.root().join("a.copy");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(site.disk("a"))
        .arg(&copy)
        .status()
        .unwrap();
    assert!(copied.success());
    site.ok(&["catalogue", "restore", &path]);
    let copy = copy.display().to_string();
    let outcome = site.run(&["medium", "import", &copy, "--reconcile"]);
    refused(&outcome, 2, "medium_twice", "detach one of them");
    assert_eq!(site.medium("a")["path"], site.disk("a").display().to_string());
    // Alone, it is the medium.
    fs::rename(site.disk("a"), site.root().join("a.away")).unwrap();
    site.ok(&["medium", "import", "b", "--reconcile"]);
    site.ok(&["medium", "import", &copy, "--reconcile"]);
    assert_eq!(site.medium("a")["path"], copy);
    assert_eq!(site.get("moved"), filling(1, 1000));
    site.ok(&["check"]);
}

/// A disk that waited to be erased, or was being erased, when the backup was made, and is gone: it is declared dead, its
/// job ends, and everything goes on.
#[test]
fn e16_a_lost_disk_that_waited_to_be_erased_is_declared_dead() {
    for erasing in [false, true] {
        let site = site(&["a", "b", "c"]);
        site.put_on("a", "moved", &filling(1, 1000));
        site.ok(&["repack", "a", "--to", "b", "--quarantine", "7d"]);
        // While it is level it is its job's.
        let level = site.run(&["medium", "dead", "a", "--yes"]);
        assert_eq!((level.code, level.problem()), (2, "state_refused"), "{level:?}");
        if erasing {
            site.sql(
                "UPDATE medium SET adm_state = 'erasing', generation = 1, quarantined_until = NULL WHERE name = 'a'; \
                 UPDATE job SET state = 'reclaiming'",
            );
        }
        let path = backup(&site);
        site.stop();
        fs::rename(site.disk("a"), site.root().join("a.lost")).unwrap();
        site.ok(&["catalogue", "restore", &path]);
        assert_eq!(site.medium("a")["standing"], "unseen");
        let held = site.run(&["repack", "b", "--to", "c", "--quarantine", "0"]);
        assert_eq!(held.code, 4, "{held:?}");
        let dead = site.ok(&["medium", "dead", "a", "--yes"]);
        assert_eq!(dead["adm_state"], "dead");
        let job = site.ok(&["job", "show", "1"]);
        assert_eq!(job["state"], "failed", "{job:#}");
        site.ok(&["repack", "b", "--to", "c", "--quarantine", "0"]);
        assert_eq!(site.get("moved"), filling(1, 1000));
        site.ok(&["check"]);
    }
}

/// I10: good bytes of one copy that lie beside another copy stand in for nothing. That copy is given up, not kept waiting.
#[test]
fn e16_old_bytes_beside_another_copy_hold_nothing_up() {
    let site = site(&["a", "b"]);
    site.put("pair", &filling(1, 1000), &["--copies", "2"]);
    site.disks(&["d"]);
    site.ok(&["repack", "b", "--to", "d", "--keep-source"]);
    // Its old bytes stay, and it takes the other copy.
    site.sql(
        "UPDATE job SET state = 'done', finished_at = now() WHERE state = 'quarantined'; \
         UPDATE job_source SET active = false; \
         UPDATE medium SET adm_state = 'in_service', operator_state = NULL, quarantined_until = NULL, emptied_by = NULL \
          WHERE name = 'b'",
    );
    site.stop();
    site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    let path = backup(&site);
    site.ok(&["delete", "pair"]);
    site.ok(&["repack", "d", "--to", "a", "--quarantine", "0", "--drop-deleted"]);
    site.ok(&["catalogue", "restore", &path]);
    let early = site.run(&["medium", "import", "d", "--reconcile"]).expect(4);
    assert_eq!(early["reconciled"]["missing"].as_array().unwrap().len(), 1, "{early:#}");
    let done = site.ok(&["medium", "import", "d", "--reconcile", "--forget-missing"]);
    assert_eq!(done["reconciled"]["forgotten"], serde_json::json!([]), "{done:#}");
    assert_eq!(done["reconciled"]["forgotten_copies"], 1);
    assert_eq!(site.medium("d")["standing"], "level");
    assert_eq!(site.get("pair"), filling(1, 1000));
}
