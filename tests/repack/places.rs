//! Media that are not where, or not what, the catalogue says.

use super::house::{Held, RESPOOL, all_is_well, fill, job_of, mixed, site};
use respool_test_support::Site;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| (entry.path().display().to_string(), fs::read(entry.path()).unwrap()))
        .collect()
}

fn exchange(site: &Site, one: &str, other: &str) {
    let beside = site.disk("beside");
    fs::rename(site.disk(one), &beside).unwrap();
    fs::rename(site.disk(other), site.disk(one)).unwrap();
    fs::rename(&beside, site.disk(other)).unwrap();
}

/// The operator has looked and says that all is as it was.
fn trust(site: &Site, media: &[&str]) {
    for medium in media {
        site.ok(&["medium", "trust", medium]);
    }
}

#[test]
fn x25_another_medium_in_the_place_is_neither_read_nor_written() {
    let site = site(&["a", "b"]);
    let mut held = fill(&site, "on-a", &mixed(10), &["--tags", "a"]);
    held.extend(fill(&site, "on-b", &mixed(10), &["--tags", "b"]));
    site.stop();
    exchange(&site, "a", "b");
    let before = (tree(&site.disk("a")), tree(&site.disk("b")));

    let outcome = site.run(&["repack", "a", "--quarantine", "0"]);
    assert!(outcome.code == 2 || outcome.code == 3, "{outcome:?}");
    let outcome = site.try_get("on-a/0003").unwrap_err();
    assert_eq!(outcome.code, 3, "{outcome:?}");
    let outcome = site.try_put("new", b"new", &[]);
    assert!(outcome.code == 2 || outcome.code == 3, "{outcome:?}");
    assert_eq!(
        (tree(&site.disk("a")), tree(&site.disk("b"))),
        before,
        "nothing was written"
    );

    site.stop();
    exchange(&site, "a", "b");
    trust(&site, &["a", "b"]);
    site.ok(&["repack", "a", "--quarantine", "0"]);
    all_is_well(&site, &held);
}

#[test]
fn x25_a_label_that_changes_under_a_job_ends_its_writing() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(40), &["--tags", "a"]);
    site.faults("[[fault]]\nmedium = \"b\"\nop = \"sync\"\nerror = \"label_mismatch\"\nnth = 2\ntimes = 0\n");
    let outcome = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert!(outcome.code == 3, "{outcome:?}");
    assert_eq!(site.medium("a")["adm_state"], "read_only");
    site.faults("");
    trust(&site, &["b"]);
    site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    all_is_well(&site, &held);
}

#[test]
fn x31_nothing_lands_where_a_medium_was_moved_away() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(20), &["--tags", "a"]);
    let (place, away) = (site.disk("b"), site.disk("away"));
    fs::rename(&place, &away).unwrap();
    let outcome = site.run(&["repack", "a", "--quarantine", "0"]);
    assert!(outcome.code == 2 || outcome.code == 3, "{outcome:?}");
    assert!(!place.exists(), "nobody makes a medium's directory");

    fs::create_dir(&place).unwrap();
    let outcome = site.run(&["repack", "a", "--quarantine", "0"]);
    assert!(outcome.code == 2 || outcome.code == 3, "{outcome:?}");
    let outcome = site.try_put("new", b"new", &["--tags", "b"]);
    assert!(outcome.code == 2 || outcome.code == 3, "{outcome:?}");
    assert!(tree(&place).is_empty() && fs::read_dir(&place).unwrap().next().is_none());

    fs::remove_dir(&place).unwrap();
    fs::rename(&away, &place).unwrap();
    trust(&site, &["b"]);
    site.ok(&["repack", "a", "--quarantine", "0"]);
    all_is_well(&site, &held);
}

#[test]
fn x31_a_directory_replaced_under_a_running_respoold_gets_nothing() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(60), &["--tags", "a"]);
    let paused = site
        .run(&[
            "repack",
            "a",
            "--to",
            "b",
            "--quarantine",
            "0",
            "--limit-bytes",
            "100000",
        ])
        .expect(5);
    assert_eq!(paused["state"], "paused", "{paused:#}");
    let (place, away) = (site.disk("b"), site.disk("away"));
    fs::rename(&place, &away).unwrap();
    fs::create_dir(&place).unwrap();
    let before = tree(&away);

    let outcome = site.run(&["job", "resume", &job_of(&paused)]);
    let outcome = match outcome.code {
        0 => site.run(&["job", "wait", &job_of(&paused)]),
        _ => outcome,
    };
    assert!(outcome.code == 2 || outcome.code == 3, "{outcome:?}");
    assert!(fs::read_dir(&place).unwrap().next().is_none(), "nothing lands there");
    assert_eq!(tree(&away), before, "nor on a medium that is not in its place");
    assert_ne!(site.medium("a")["adm_state"], "erasing");

    fs::remove_dir(&place).unwrap();
    fs::rename(&away, &place).unwrap();
    trust(&site, &["b"]);
    site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    all_is_well(&site, &held);
}

#[test]
fn x31_a_source_that_is_gone_loses_nothing_and_is_not_erased() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(10), &["--tags", "a"]);
    let (place, away) = (site.disk("a"), site.disk("away"));
    site.stop();
    fs::rename(&place, &away).unwrap();
    fs::create_dir(&place).unwrap();
    let outcome = site.run(&["repack", "a", "--quarantine", "0"]);
    assert!([1, 2, 3].contains(&outcome.code), "{outcome:?}");
    assert!(fs::read_dir(&place).unwrap().next().is_none());
    assert_eq!(site.extents(&["--medium", "a", "--state", "sync"]).len(), 10);
    fs::remove_dir(&place).unwrap();
    fs::rename(&away, &place).unwrap();
    trust(&site, &["a"]);
    site.ok(&["repack", "a", "--quarantine", "0"]);
    all_is_well(&site, &held);
}

/// E-05, X-06: with all their attributes and times, moved once.
#[test]
fn e16_media_alone_rebuild_every_object_in_an_empty_catalogue() {
    let old = Site::another(RESPOOL);
    old.disks(&["a", "b"]);
    let mut held = fill(&old, "blue", &mixed(12), &["--tags", "a", "--grouping", "blue"]);
    held.extend(fill(
        &old,
        "long",
        &[150_000, 64 << 10],
        &["--tags", "a", "--meta", "owner=ada"],
    ));
    held.insert("twice".to_owned(), b"the second".to_vec());
    old.put_on("a", "twice", b"the first");
    old.put("twice", b"the second", &["--tags", "a", "--overwrite"]);
    let dressed = old.root().join("dressed");
    fs::write(&dressed, b"with attributes").unwrap();
    xattr::set(&dressed, "user.colour", b"red \0 and more").unwrap();
    fs::set_permissions(&dressed, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    old.ok(&["put", &dressed.display().to_string(), "dressed", "--tags", "a"]);
    held.insert("dressed".to_owned(), b"with attributes".to_vec());

    let objects = |site: &Site| -> Vec<serde_json::Value> {
        let list = site.ok(&["object", "list", "--deleted"]);
        let keys = [
            "oid",
            "id",
            "version",
            "bytes",
            "copies",
            "grouping",
            "metadata",
            "created_at",
            "deleted_at",
        ];
        let pick = |one: &serde_json::Value| keys.iter().map(|key| one[key].clone()).collect();
        list["objects"].as_array().unwrap().iter().map(pick).collect()
    };
    let before = objects(&old);
    // E-05, X-06: the move carries everything.
    old.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(objects(&old), before);
    all_is_well(&old, &held);
    old.stop();

    let new = Site::another(RESPOOL);
    let place = new.disk("b");
    fs::rename(old.disk("b"), &place).unwrap();
    new.ok(&["medium", "import", &place.display().to_string(), "--adopt"]);
    let strip_deleted = |mut list: Vec<serde_json::Value>| {
        // Which version is live is what the highest one says; when an old one was overwritten is the catalogue's alone.
        for one in &mut list {
            one[8] = serde_json::Value::Bool(!one[8].is_null());
        }
        list
    };
    assert_eq!(strip_deleted(objects(&new)), strip_deleted(before));
    assert_eq!(new.medium("b")["groupings"], serde_json::json!(["blue"]));
    let held: Held = held;
    all_is_well(&new, &held);
    // And nothing is added twice.
    new.ok(&["medium", "import", &place.display().to_string(), "--adopt"]);
    all_is_well(&new, &held);
}

/// A medium that was the target of two attempts holds two files for each place until the first attempt's are swept.
#[test]
fn e16_a_medium_with_two_files_for_a_place_rebuilds_every_object() {
    let old = Site::another(RESPOOL);
    old.disks(&["a", "c"]);
    let held = fill(&old, "things", &[3_000, 0, 150_000], &["--tags", "a"]);
    let report = old.ok(&["repack", "a", "--to", "c", "--quarantine", "7d"]);
    old.ok(&["job", "restore", &job_of(&report)]);
    old.ok(&["medium", "set", "a", "adm_state=in_service"]);
    old.ok(&["repack", "a", "--to", "c", "--quarantine", "0"]);
    old.stop();
    let files = old.disk("c").join("objects");
    let files = walkdir::WalkDir::new(files).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file()).count();

    let new = Site::another(RESPOOL);
    let place = new.disk("c");
    fs::rename(old.disk("c"), &place).unwrap();
    let place = place.display().to_string();
    let report = new.ok(&["medium", "import", &place, "--adopt"]);
    assert_eq!(
        (report["objects_adopted"].as_u64(), report["unknown"].as_u64()),
        (Some(3), Some(0))
    );
    let spare = report["added"].as_u64().unwrap();
    let used = new.extents(&["--medium", "c", "--state", "sync"]).len() as u64;
    assert!(spare > 0, "both attempts' files were there: {report:#}");
    assert_eq!(used + spare, files as u64);
    assert_eq!(new.medium("c")["adm_state"], "in_service");
    all_is_well(&new, &held);
    let report = new.ok(&["medium", "import", &place, "--adopt"]);
    assert_eq!(
        (report["known"].as_u64(), report["unadopted"].as_u64()),
        (Some(used + spare), Some(0))
    );
    all_is_well(&new, &held);
}
