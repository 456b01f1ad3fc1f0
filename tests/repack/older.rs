//! E-16: the catalogue is restored from an older backup, with the real programs. No byte may go because the older
//! catalogue does not know it, and no object may be answered with other bytes than its own.
//!
//! What ends here is the catalogue's history, not a process: nothing is killed.

use crate::house::{RESPOOL, filling};
use respool_test_support::{Site, Transcript};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn site() -> Site {
    Site::new(RESPOOL)
}

fn bytes(seed: u64, length: usize) -> Vec<u8> {
    filling(seed, length)
}

/// Makes a backup of the catalogue as it is now.
fn backup(site: &Site) -> String {
    let path = site.root().join("yesterday.backup").display().to_string();
    let made = site.ok(&["catalogue", "backup", &path]);
    assert_eq!(made["same_device"], true);
    path
}

/// Two disks; objects on the first, which are moved to the second and reclaimed after the backup was made.
fn a_lost_day(site: &Site) -> String {
    site.disks(&["a", "b"]);
    site.put_on("a", "kept/1", &bytes(1, 100_000));
    site.put_on("a", "kept/2", b"");
    site.put_on("a", "ended", &bytes(3, 1000));
    site.put_on("b", "overwritten", &bytes(4, 1000));
    let path = backup(site);
    site.put_on("b", "new", &bytes(5, 70_000));
    site.put("overwritten", &bytes(6, 2000), &["--tags", "b", "--overwrite"]);
    site.ok(&["delete", "ended"]);
    site.ok(&["repack", "a", "--to", "b", "--quarantine", "0", "--drop-deleted"]);
    assert_eq!(site.medium("a")["generation"], 1);
    path
}

fn restore(site: &Site, path: &str) -> Value {
    site.ok(&["catalogue", "restore", path])
}

#[track_caller]
fn refused(site: &Site, typed: &[&str]) {
    let outcome = site.run(typed);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    let next = outcome.json["error"]["next"].as_str().unwrap_or_default();
    assert!(next.contains("--reconcile"), "{outcome:?}");
}

fn files(site: &Site) -> Vec<String> {
    ["a", "b"].map(|disk| site.files(disk)).concat()
}

#[track_caller]
fn all_is_well(site: &Site) {
    assert_eq!(site.get("kept/1"), bytes(1, 100_000));
    assert_eq!(site.get("kept/2"), b"");
    assert_eq!(site.get("new"), bytes(5, 70_000));
    assert_eq!(site.get("overwritten"), bytes(6, 2000), "the version of the lost day");
    assert_eq!(site.try_get("ended").unwrap_err().problem(), "not_found");
    site.ok(&["check"]);
    for disk in ["a", "b"] {
        assert_eq!(site.medium(disk)["standing"], "level");
    }
    // Everything goes on, over a restart, too: the stamps are this catalogue's own.
    site.stop();
    site.put_on("a", "after", b"works");
    site.ok(&["repack", "b", "--to", "a", "--quarantine", "0"]);
    assert_eq!(site.get("kept/1"), bytes(1, 100_000));
    assert_eq!(site.get("new"), bytes(5, 70_000));
    site.ok(&["check"]);
}

/// The target first: its layouts follow when the erased source is looked at.
#[test]
fn e16_what_was_moved_and_reclaimed_since_the_backup_is_found() {
    let site = site();
    let path = a_lost_day(&site);
    let restored = restore(&site, &path);
    assert_eq!(restored["put_back"]["media"], Value::Null, "{restored:#}");
    assert_eq!(restored["media"], 2);
    let before = files(&site);
    assert_eq!(site.medium("a")["standing"], "ahead");
    assert_eq!(site.medium("b")["standing"], "ahead");
    let check = site.run(&["check"]).expect(4);
    assert!(check.to_string().contains("--reconcile"), "{check:#}");
    let file = site.root().join("some");
    fs::write(&file, "bytes").unwrap();
    let file = file.display().to_string();
    refused(&site, &["put", &file, "x"]);
    refused(&site, &["repack", "a", "--to", "b"]);
    refused(&site, &["repack", "b"]);
    refused(&site, &["medium", "format", "b"]);
    let got = site.try_get("kept/1").unwrap_err();
    assert_eq!(got.code, 4, "its bytes are not where the catalogue has them: {got:?}");
    assert_eq!(site.get("overwritten"), bytes(4, 1000), "what is there is served");
    assert_eq!(files(&site), before, "no byte went");
    let first = site.ok(&["medium", "import", "b", "--reconcile", "--adopt"]);
    assert_eq!(first["reconciled"]["in_doubt"], serde_json::json!(["a"]));
    refused(&site, &["repack", "b", "--quarantine", "0"]);
    let second = site.run(&["medium", "import", "a", "--reconcile"]).expect(4);
    assert_eq!(second["reconciled"]["repointed"], 3, "{second:#}");
    assert_eq!(second["reconciled"]["missing"][0]["oid"], "ended");
    assert_eq!(site.get("kept/1"), bytes(1, 100_000));
    assert_eq!(second["reconciled"]["erased_since"], true);
    let third = site.ok(&["medium", "import", "a", "--reconcile", "--forget-missing"]);
    assert_eq!(third["reconciled"]["forgotten"], serde_json::json!(["ended@1"]));
    assert_eq!(third["reconciled"]["in_doubt"], serde_json::json!([]));
    all_is_well(&site);
}

/// The erased source first: nothing is found yet, nothing is lost, and it is taken over when the target was.
#[test]
fn e16_media_are_reconciled_in_any_order() {
    let site = site();
    let path = a_lost_day(&site);
    restore(&site, &path);
    let early = site.run(&["medium", "import", "a", "--reconcile", "--adopt"]).expect(4);
    assert_eq!(early["reconciled"]["missing"].as_array().unwrap().len(), 4, "{early:#}");
    assert_eq!(early["reconciled"]["repointed"], 0);
    site.ok(&["medium", "import", "b", "--reconcile", "--adopt"]);
    site.ok(&["medium", "import", "a", "--reconcile", "--adopt", "--forget-missing"]);
    all_is_well(&site);
}

/// A restored catalogue that ran on, and whose revision has passed the lost one's, is still told by the log's hash; what
/// it may not destroy is held over a restart.
#[test]
fn e16_a_catalogue_that_ran_on_does_not_forget_that_it_is_older() {
    let site = site();
    site.disks(&["a", "b", "c"]);
    site.put_on("a", "one", &bytes(1, 1000));
    let path = backup(&site);
    site.put_on("b", "two", &bytes(2, 1000));
    // Out of reach while the older catalogue is at work.
    fs::rename(site.disk("b"), site.disk("b.away")).unwrap();
    restore(&site, &path);
    for round in 0..20 {
        site.put_on("c", &format!("c/{round}"), b"more");
    }
    assert_eq!(site.medium("b")["standing"], "unseen");
    refused(&site, &["repack", "a", "--to", "c", "--quarantine", "0"]);
    site.stop();
    fs::rename(site.disk("b.away"), site.disk("b")).unwrap();
    assert_eq!(site.medium("b")["standing"], "ahead");
    site.stop();
    refused(&site, &["repack", "a", "--to", "c", "--quarantine", "0"]);
    site.ok(&["medium", "import", "b", "--reconcile", "--adopt"]);
    assert_eq!(site.get("two"), bytes(2, 1000));
    site.ok(&["repack", "a", "--to", "c", "--quarantine", "0"]);
    site.ok(&["check"]);
}

/// Emptied, erased, filled again: what the lost history moved back is found on the medium itself.
#[test]
fn e16_a_medium_that_was_erased_and_filled_again_is_taken_over() {
    for first in ["a", "b"] {
        let site = site();
        site.disks(&["a", "b"]);
        site.put_on("a", "of/a", &bytes(1, 100_000));
        site.put_on("b", "of/b", &bytes(2, 70_000));
        let path = backup(&site);
        site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
        site.ok(&["repack", "b", "--to", "a", "--quarantine", "0"]);
        assert_eq!(
            (&site.medium("a")["generation"], &site.medium("b")["generation"]),
            (&1.into(), &1.into())
        );
        restore(&site, &path);
        let second = if first == "a" { "b" } else { "a" };
        let early = site.run(&["medium", "import", first, "--reconcile"]);
        assert_eq!(early.json["reconciled"]["erased_since"], true, "{early:?}");
        assert_eq!(early.code, if first == "a" { 0 } else { 4 }, "{early:?}");
        site.ok(&["medium", "import", second, "--reconcile"]);
        site.ok(&["medium", "import", first, "--reconcile"]);
        assert_eq!(site.get("of/a"), bytes(1, 100_000));
        assert_eq!(site.get("of/b"), bytes(2, 70_000));
        site.ok(&["check"]);
    }
}

/// Nothing is forgotten on a medium that is level, nor while another medium may hold it.
#[test]
fn e16_only_what_is_nowhere_is_forgotten() {
    let site = site();
    let path = a_lost_day(&site);
    let level = site.run(&["medium", "import", "b", "--reconcile", "--forget-missing"]);
    assert_eq!((level.code, level.problem()), (2, "medium_level"), "{level:?}");
    restore(&site, &path);
    let early = site.run(&["medium", "import", "a", "--reconcile", "--forget-missing"]);
    assert_eq!((early.code, early.problem()), (4, "medium_ahead"), "{early:?}");
    let next = early.json["error"]["next"].as_str().unwrap_or_default();
    assert!(next.contains("import b --reconcile"), "{early:?}");
    site.ok(&["medium", "import", "b", "--reconcile", "--adopt"]);
    site.ok(&["medium", "import", "a", "--reconcile", "--forget-missing"]);
    all_is_well(&site);
}

/// Two media that each miss what was deleted do not hold up each other.
#[test]
fn e16_two_media_that_miss_something_are_both_taken_over() {
    let site = site();
    site.disks(&["a", "b", "c"]);
    site.put_on("a", "ended/a", &bytes(1, 1000));
    site.put_on("b", "ended/b", &bytes(2, 1000));
    let path = backup(&site);
    for disk in ["a", "b"] {
        site.ok(&["delete", &format!("ended/{disk}")]);
        site.ok(&["repack", disk, "--to", "c", "--quarantine", "0", "--drop-deleted"]);
    }
    restore(&site, &path);
    site.run(&["medium", "import", "a", "--reconcile"]).expect(4);
    site.run(&["medium", "import", "b", "--reconcile"]).expect(4);
    for disk in ["a", "b"] {
        site.ok(&["medium", "import", disk, "--reconcile", "--forget-missing"]);
    }
    site.ok(&["check"]);
}

/// bytes that lie there, and that the medium's own index does not name, stand in for nothing.
#[test]
fn e16_layouts_follow_only_to_what_an_index_names() {
    let site = site();
    let path = a_lost_day(&site);
    restore(&site, &path);
    site.ok(&["medium", "import", "b", "--reconcile", "--adopt"]);
    site.sql("UPDATE extent SET id = gen_random_uuid() WHERE state = 'orphan';");
    let second = site.run(&["medium", "import", "a", "--reconcile"]).expect(4);
    assert_eq!(second["reconciled"]["repointed"], 0, "{second:#}");
}

/// A medium that was added since the backup holds what was moved to it: it is imported by its path.
#[test]
fn e16_a_medium_added_since_the_backup_is_taken_over_by_its_path() {
    let site = site();
    site.disks(&["a"]);
    site.put_on("a", "moved", &bytes(1, 100_000));
    let path = backup(&site);
    site.disks(&["b"]);
    site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    restore(&site, &path);
    let early = site.run(&["medium", "import", "a", "--reconcile"]).expect(4);
    assert_eq!(early["reconciled"]["missing"][0]["oid"], "moved");
    let place = site.disk("b").display().to_string();
    site.ok(&["medium", "import", &place, "--reconcile"]);
    site.ok(&["medium", "import", "a", "--reconcile"]);
    assert_eq!(site.get("moved"), bytes(1, 100_000));
    site.ok(&["check"]);
}

/// A backup that is not whole, or is another catalogue's, changes nothing; one that is put back is kept beside.
#[test]
fn e16_a_restore_is_all_or_nothing_and_keeps_what_was_there() {
    let site = site();
    site.disks(&["a"]);
    site.put_on("a", "one", &bytes(1, 1000));
    let path = backup(&site);
    assert_eq!(site.run(&["catalogue", "backup", &path]).code, 2, "never over a file");
    let looked = site.ok(&["catalogue", "verify", &path]);
    assert_eq!(looked["present"]["same_catalogue"], true, "{looked:#}");
    site.put_on("a", "two", &bytes(2, 1000));
    let looked = site.ok(&["catalogue", "verify", &path]);
    assert!(
        looked["present"]["revisions_behind"].as_i64().unwrap() > 0,
        "{looked:#}"
    );
    for (name, spoil) in [
        ("cut", (|bytes| bytes.truncate(bytes.len() / 2)) as fn(&mut Vec<u8>)),
        ("flipped", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("header", |bytes| bytes[60] ^= 1),
        ("empty", Vec::clear),
    ] {
        let mut bytes = fs::read(&path).unwrap();
        spoil(&mut bytes);
        let bad = site.root().join(name).display().to_string();
        fs::write(&bad, bytes).unwrap();
        assert_eq!(site.run(&["catalogue", "verify", &bad]).code, 4, "{name}");
        assert_eq!(site.run(&["catalogue", "restore", &bad]).code, 4, "{name}");
        assert_eq!(site.get("two"), bytes_of_two(), "{name}");
    }
    let pipe = site.root().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for verb in ["verify", "restore"] {
        let refused = site.run(&["catalogue", verb, &pipe.display().to_string()]);
        assert_eq!((refused.code, refused.problem()), (2, "not_a_file"), "{refused:?}");
    }
    let stranger = Site::another(RESPOOL);
    let foreign = backup(&stranger);
    let refused = site.run(&["catalogue", "restore", &foreign]);
    assert_eq!(refused.problem(), "backup_unfit", "{refused:?}");
    assert_eq!(site.get("two"), bytes_of_two());
    let restored = restore(&site, &path);
    let kept = restored["kept"].as_str().unwrap().to_owned();
    site.ok(&["medium", "import", "a", "--reconcile", "--adopt"]);
    assert_eq!(site.get("two"), bytes_of_two(), "what was put since is on the medium");
    let databases = site.sql("SELECT datname FROM pg_database;");
    assert!(databases.lines().any(|name| name == kept), "{databases}");
    site.ok(&["check"]);
}

fn bytes_of_two() -> Vec<u8> {
    bytes(2, 1000)
}

/// The state folder is gone with its disk: the backup and the media bring everything back.
#[test]
fn e16_a_new_state_folder_is_made_from_a_backup() {
    let site = site();
    site.disks(&["a"]);
    site.put_on("a", "one", &bytes(1, 1000));
    let path = backup(&site);
    site.stop();
    fs::rename(site.state(), site.root().join("state.lost")).unwrap();
    let restored = restore(&site, &path);
    assert_eq!(restored["kept"], Value::Null);
    assert_eq!(site.get("one"), bytes(1, 1000));
    assert_eq!(site.medium("a")["standing"], "level", "nothing was written since");
    site.ok(&["check"]);
}

/// A day without a backup ends with one; the newest are kept.
#[test]
fn e16_backups_are_made_by_themselves() {
    let mut site = Site::with_config(
        RESPOOL,
        &format!("{}\n[catalogue]\nbackup_keep = 2\n", respool_test_support::site::QUICK),
    );
    let folder = site.state().join("backups");
    let made = || {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().ends_with(".backup"))
            .count()
    };
    for (day, hour, expected) in [("2031-01-01", 12, 1), ("2031-01-02", 13, 2), ("2031-01-04", 14, 2)] {
        site.at(&format!("{day}T{hour}:00:00Z"));
        site.ok(&["medium", "list"]);
        let newest = format!("{}T", day.replace('-', ""));
        site.wait_until("a backup of the day is there", || {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
            names.any(|name| name.contains(&newest) && name.ends_with(".backup")) && made() == expected
        });
    }
    let entries = fs::read_dir(&folder).unwrap().flatten();
    for entry in entries {
        site.ok(&["catalogue", "verify", &entry.path().display().to_string()]);
    }
}

/// What an operator sees.
#[test]
fn e16_the_drill_of_a_restored_older_backup_is_as_reviewed() {
    let site = site();
    let path = a_lost_day(&site);
    let file = site.root().join("some");
    fs::write(file, "bytes").unwrap();
    let mut seen = Transcript::new("The catalogue is restored from yesterday's backup, and the media know better");
    seen.note("since the backup: a put, an overwrite, a delete, and disk a was emptied onto disk b and erased");
    let revision = site.ok(&["catalogue", "verify", &path])["revision"].to_string();
    seen.hide(&format!("revision {revision}"), "revision N");
    site.stop();
    seen.run(&site, &format!("catalogue verify {path}"));
    seen.run(&site, &format!("catalogue restore {path}"));
    seen.run(&site, "check");
    seen.note("nothing is written or destroyed before the media are reconciled");
    seen.run(
        &site,
        "put SITE/some x"
            .replace("SITE", &site.root().display().to_string())
            .as_str(),
    );
    seen.run(&site, "repack a --to b");
    seen.run(&site, "medium format a");
    seen.run(&site, "medium check-erase b");
    seen.run(&site, "get kept/1 got");
    seen.note("the media are taken over, one by one");
    seen.run(&site, "medium import b --reconcile --adopt");
    seen.run(&site, "medium import a --reconcile");
    seen.note("'ended' was deleted since, and no other medium is left");
    seen.run(&site, "medium import a --reconcile --forget-missing");
    seen.run(&site, "check");
    seen.run(&site, "get kept/1 got");
    site.ok(&["repack", "b", "--to", "a", "--quarantine", "0"]);
    seen.matches(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/repack/transcripts/older_backup.txt"));
}
