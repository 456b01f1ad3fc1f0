//! Media that fail while they are read, written, synced and asked for room.

use super::house::{
    Held, all_is_well, all_readable, files_and_rows_agree, fill, filling, job_of, media_of, mixed, site, sound,
};
use serde_json::Value;

fn fault(medium: &str, op: &str, error: &str, more: &str) -> String {
    format!("[[fault]]\nmedium = \"{medium}\"\nop = \"{op}\"\nerror = \"{error}\"\n{more}\n")
}

fn skipped(report: &Value) -> Vec<&str> {
    let list = report["skipped"].as_array().unwrap();
    list.iter().map(|skip| skip["oid"].as_str().unwrap()).collect()
}

#[test]
fn x01_an_extent_that_cannot_be_read_is_listed_and_its_source_is_never_erased() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(30), &["--tags", "a"]);
    let before = site.medium("a")["generation"].clone();
    // 16,385 bytes are read in two pieces: the second one fails.
    site.faults(&fault(
        "a",
        "read",
        "eio",
        "oid = \"things/0006\"\nafter_bytes = 16384\ntimes = 0",
    ));
    let report = site.run(&["repack", "a", "--quarantine", "0"]).expect(1);
    assert_eq!(report["state"], "done_with_skips");
    assert_eq!(skipped(&report), ["things/0006"], "{report:#}");
    assert_eq!(report["extents"]["moved"], 29, "{report:#}");
    assert_eq!(media_of(&site, "things/0006"), ["a"]);
    assert_eq!(
        site.extents(&["--oid", "things/0006", "--medium", "b", "--state", "sync"])
            .len(),
        0
    );
    let source = site.medium("a");
    assert_eq!(
        (&source["generation"], &source["adm_state"]),
        (&before, &"read_only".into())
    );

    // The same again without the fault is the way out.
    site.faults("");
    sound(&site);
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(report["extents"]["moved"], 1);
    all_is_well(&site, &held);
}

#[test]
fn x07_a_flipped_byte_is_caught_before_the_swap_and_the_extent_is_named() {
    let site = site(&["a", "b"]);
    let mut held = fill(&site, "things", &mixed(20), &["--tags", "a"]);
    let row = site.extents(&["--oid", "things/0005"])[0].clone();
    let file = site.disk("a").join(row["address"].as_str().unwrap());
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[9_999] ^= 1;
    // In place: the inode is the one that was recorded.
    std::fs::write(&file, &bytes).unwrap();

    let outcome = site.run(&["repack", "a", "--quarantine", "0"]);
    let report = outcome.expect(4);
    assert_eq!(skipped(&report), ["things/0005"], "{report:#}");
    assert_eq!(report["skipped"][0]["extent"], row["id"]);
    assert_eq!(report["extents"]["moved"], 19);
    let source = site.medium("a");
    assert_eq!(
        (&source["adm_state"], &source["health"]),
        (&"read_only".into(), &"suspect".into())
    );
    let now = site.extents(&["--oid", "things/0005", "--state", "sync"]);
    assert_eq!(
        (now.len(), &now[0]["id"], &now[0]["medium"]),
        (1, &row["id"], &"a".into())
    );
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "the source is kept as it is");
    // Wrong bytes are never answered as right ones.
    assert_eq!(site.try_get("things/0005").unwrap_err().code, 4);
    files_and_rows_agree(&site);
    held.remove("things/0005");
    for (oid, bytes) in &held {
        assert!(site.get(oid) == *bytes, "{oid}");
    }
}

#[test]
fn x21_a_medium_that_does_not_tell_its_room_takes_nothing() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(10), &["--tags", "a"]);
    site.faults(&fault("b", "free_space", "eio", "times = 0"));
    let refused = site.run(&["repack", "a", "--quarantine", "0"]);
    assert_eq!((refused.code, refused.problem()), (3, "no_target"), "{refused:?}");
    assert!(
        refused.stderr.contains('b') || refused.json.to_string().contains("b ("),
        "{refused:?}"
    );
    assert_eq!(site.medium("a")["adm_state"], "in_service", "refused: nothing touched");
    assert_eq!(site.ok(&["job", "list"])["jobs"].as_array().unwrap().len(), 0);
    let put = site.try_put("new", b"new", &["--tags", "b"]);
    assert!(put.code == 2 || put.code == 3, "{put:?}");
    assert!(site.files("b").is_empty());
    assert!(site.extents(&["--medium", "b", "--state", "sync"]).is_empty());

    site.faults("");
    site.ok(&["repack", "a", "--quarantine", "0"]);
    all_is_well(&site, &held);
}

#[test]
fn x26_what_does_not_read_back_goes_back_to_the_old_bytes() {
    for (error, what) in [("lost_write", "zeros"), ("flip", "one bit")] {
        let site = site(&["a", "b"]);
        let held = fill(&site, "things", &mixed(24), &["--tags", "a"]);
        let old = site.extents(&["--oid", "things/0013"])[0].clone();
        site.faults(&fault(
            "b",
            "write",
            error,
            "oid = \"things/0013\"\nafter_bytes = 10000",
        ));
        let report = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]).expect(4);
        assert_eq!(report["error"]["code"], "read_back_failed", "{what}: {report:#}");
        assert_eq!(report["read_back"]["failed"], 1);
        assert_eq!(report["extents"]["failed"], 1);
        assert_eq!(skipped(&report), ["things/0013"]);
        assert_eq!(site.medium("b")["health"], "suspect");
        let source = site.medium("a");
        assert_eq!(source["adm_state"], "read_only", "the source is kept");
        let now = site.extents(&["--oid", "things/0013", "--state", "sync"]);
        assert_eq!((now.len(), &now[0]["id"]), (1, &old["id"]), "{now:#?}");
        assert_eq!(site.files("a").len(), 24);
        site.faults("");
        all_readable(&site, &held);
        let report = site.ok(&["check"]);
        assert_eq!(
            report["findings"][0]["subject"], "medium b",
            "what is live on a suspect medium is told: {report:#}"
        );
        site.ok(&["medium", "trust", "b"]);
        all_is_well(&site, &held);
    }
}

#[test]
fn x27_a_sync_that_fails_once_voids_its_window_which_is_copied_again() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(60), &["--tags", "a"]);
    site.faults(&fault("b", "sync", "eio", "nth = 2"));
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(report["extents"]["moved"], 60, "{report:#}");
    let again = report["bytes_recopied"].as_u64().unwrap();
    assert!(again > 0 && again <= 65_536 + 16_385, "one window: {again}");
    // The void window's rows never became sync: their ids are orphans. So are those of the next window, which was
    // recorded meanwhile and has no byte yet.
    let orphans = site.extents(&["--medium", "b", "--state", "orphan"]);
    let (mut written, mut recorded) = (0, 0);
    for row in &orphans {
        let bytes = row["bytes"].as_u64().unwrap();
        match site.disk("b").join(row["address"].as_str().unwrap()).exists() {
            true => written += bytes,
            false => recorded += bytes,
        }
    }
    assert_eq!(written, again, "{orphans:#?}");
    assert!(
        recorded <= 65_536 / 3,
        "windows that overlap share the bytes of one: {orphans:#?}"
    );
    assert_eq!(site.medium("b")["health"], "ok", "once is not a reason to distrust it");
    all_is_well(&site, &held);
}

#[test]
fn x04_what_failed_first_is_what_is_told() {
    let site = site(&["a", "b"]);
    let held = Held::from([("one".to_owned(), filling(4, 40_000))]);
    site.put_on("a", "one", &held["one"]);
    site.faults(&fault("b", "write", "eio", "times = 0"));
    let outcome = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    let report = outcome.expect(3);
    assert_eq!(report["state"], "failed");
    assert_ne!(report["error"]["message"], Value::Null, "{report:#}");
    let later = site.run(&["job", "wait", &job_of(&report)]);
    assert_eq!(
        (later.code, &later.json["error"]),
        (3, &report["error"]),
        "told again, the same"
    );
    site.faults("");
    all_is_well(&site, &held);
}

#[test]
fn x15_e02_a_target_that_fills_up_is_full_and_the_next_one_takes_the_rest() {
    let site = site(&["a", "b", "c"]);
    let mut held = fill(&site, "things", &mixed(60), &["--tags", "a"]);
    // A medium in use is filled before an empty one: b is the first target.
    held.insert("there".into(), filling(9, 500));
    site.put_on("b", "there", &held["there"]);
    let before = site.extents(&["--medium", "a", "--state", "sync"]);
    site.faults(&fault("b", "write", "enospc", "nth = 20"));
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(report["state"], "done", "{report:#}");
    assert_eq!(report["extents"]["moved"], 60, "{report:#}");
    assert_eq!(site.medium("b")["fs_state"], "full", "not empty, and not suspect");
    assert_eq!(site.medium("b")["health"], "ok");
    let on = |medium: &str| site.extents(&["--medium", medium, "--state", "sync"]);
    let (first, second) = (on("b").len() - 1, on("c").len());
    assert!(first > 0 && second > 0 && first + second == 60, "{first} and {second}");
    // No extent was cut: every one is as long as it was.
    let sizes = |rows: Vec<Value>| {
        let mut sizes: Vec<u64> = rows.iter().map(|row| row["bytes"].as_u64().unwrap()).collect();
        sizes.sort_unstable();
        sizes
    };
    let after = on("b")
        .into_iter()
        .chain(on("c"))
        .filter(|row| row["oid"] != "there")
        .collect();
    assert_eq!(sizes(after), sizes(before));
    site.faults("");
    all_is_well(&site, &held);

    // Known to be too small beforehand: the same, without a failure; and what fits nowhere is refused with what is missing.
    site.ok(&["medium", "trust", "b"]);
    site.ok(&["medium", "set", "c", "capacity=1"]);
    site.stop();
    let refused = site.run(&["repack", "b", "--to", "c", "--quarantine", "0"]);
    assert_eq!((refused.code, refused.problem()), (2, "no_target"), "{refused:?}");
    assert!(refused.stderr.contains(" are missing: "), "{}", refused.stderr);
    assert_eq!(site.medium("b")["adm_state"], "in_service", "refused: nothing touched");
    all_is_well(&site, &held);
}
