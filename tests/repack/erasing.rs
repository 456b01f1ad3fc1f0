//! an erasure that was cut short is found at start and done again, and nothing else is done with that medium.

use super::house::{Held, all_is_well, fill, filling, job_of, mixed, newest_job, site};
use respool_test_support::{Simulates, Site};

const CUTS: [&str; 4] = [
    "reclaim.after_fence",
    "reclaim.middle",
    "reclaim.before_label",
    "reclaim.after_label",
];

/// Dies while a command works, and says what the catalogue holds of a medium then.
fn die(site: &Site, medium: &str, command: &[&str]) -> String {
    site.ok(&["job", "list"]);
    let pid = site.pid().unwrap();
    site.run(command).expect(3);
    site.wait_for_death(pid);
    site.sql(&format!("SELECT adm_state FROM medium WHERE name = '{medium}'"))
}

fn erased(site: &Site, medium: &str) -> bool {
    let medium = site.medium(medium);
    medium["adm_state"] == "in_service" && medium["fs_state"] == "empty"
}

#[test]
fn x32_a_reclaim_that_was_killed_is_finished_at_the_next_start() {
    Simulates::KilledProcess.say();
    let site = site(&["a", "b"]);
    let mut held = Held::new();
    for (number, step) in CUTS.iter().enumerate() {
        let prefix = format!("round-{number}");
        held.extend(fill(&site, &prefix, &mixed(9), &["--tags", "a"]));
        let before = site.medium("a")["generation"].as_u64().unwrap();
        site.crash_at(step, 1);
        assert_eq!(
            die(&site, "a", &["repack", "a", "--to", "b", "--quarantine", "0"]),
            "erasing",
            "{step}"
        );
        site.heal();
        let job = newest_job(&site).unwrap();
        let report = site.ok(&["job", "wait", &job_of(&job)]);
        assert_eq!(report["state"], "done", "{step}: {report:#}");
        assert!(erased(&site, "a"), "{step}: {:#}", site.medium("a"));
        assert_eq!(
            site.medium("a")["generation"],
            before + 1,
            "{step}: erased again, not once more"
        );
        assert!(site.files("a").is_empty() && site.extents(&["--medium", "a"]).is_empty());
        all_is_well(&site, &held);
    }
}

#[test]
fn x32_a_format_that_was_killed_is_finished_without_a_job() {
    Simulates::KilledProcess.say();
    let site = site(&["a", "b"]);
    let mut held = Held::new();
    for (number, step) in CUTS.iter().enumerate() {
        // There and back again: what is left on b is nobody's.
        let prefix = format!("round-{number}");
        held.extend(fill(&site, &prefix, &mixed(9), &["--tags", "a"]));
        let kept = site.ok(&["repack", "a", "--to", "b", "--keep-source"]);
        site.ok(&["job", "restore", &job_of(&kept)]);
        site.ok(&["medium", "set", "a", "adm_state=in_service"]);
        site.crash_at(step, 1);
        assert_eq!(site.files("b").len(), held.len(), "{step}");
        assert_eq!(die(&site, "b", &["medium", "format", "b"]), "erasing", "{step}");
        site.heal();
        site.wait_until("the medium is erased", || erased(&site, "b"));
        assert!(
            site.files("b").is_empty() && site.extents(&["--medium", "b"]).is_empty(),
            "{step}"
        );
        all_is_well(&site, &held);
    }
    held.insert("after".into(), filling(5, 3_000));
    site.put_on("b", "after", &held["after"]);
    all_is_well(&site, &held);
}

#[test]
fn x32_a_medium_found_erasing_takes_nothing_until_it_is_erased() {
    Simulates::KilledProcess.say();
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(9), &["--tags", "a"]);
    site.crash_at("reclaim.after_fence", 1);
    assert_eq!(
        die(&site, "a", &["repack", "a", "--to", "b", "--quarantine", "0"]),
        "erasing"
    );
    // It cannot be mounted now: it stays fenced, and says so, and nothing is put there.
    let (place, away) = (site.disk("a"), site.disk("away"));
    std::fs::rename(&place, &away).unwrap();
    site.heal();
    let job = newest_job(&site).unwrap();
    let waited = site.run(&["job", "wait", &job_of(&job)]);
    assert_eq!(waited.code, 3, "{waited:?}");
    assert_eq!(site.medium("a")["adm_state"], "erasing");
    let put = site.try_put("new", b"new", &["--tags", "a"]);
    assert!(put.code == 2 || put.code == 3, "{put:?}");
    site.run(&["medium", "set", "a", "adm_state=in_service"]).expect(2);
    std::fs::rename(&away, &place).unwrap();
    site.stop();
    let _ = site.run(&["medium", "trust", "a"]);
    site.wait_until("the medium is erased", || erased(&site, "a"));
    all_is_well(&site, &held);
}

/// What a failed erasure left of the mount is not built upon: the same respoold tries again and succeeds.
#[test]
fn x32_a_format_that_failed_succeeds_when_it_is_asked_for_again() {
    for op in ["delete", "sync"] {
        let site = site(&["a", "b"]);
        let held = fill(&site, "things", &mixed(9), &["--tags", "a"]);
        let kept = site.ok(&["repack", "a", "--to", "b", "--keep-source"]);
        site.ok(&["job", "restore", &job_of(&kept)]);
        site.ok(&["medium", "set", "a", "adm_state=in_service"]);
        site.faults(&format!("[[fault]]\nmedium = \"b\"\nop = \"{op}\"\nerror = \"eio\"\n"));
        let failed = site.run(&["medium", "format", "b"]);
        assert_eq!(failed.code, 3, "{op}: {failed:?}");
        assert_eq!(site.medium("b")["adm_state"], "erasing", "{op}");
        let pid = site.pid();
        site.run(&["medium", "format", "b"]).expect(0);
        assert_eq!(site.pid(), pid, "{op}: by the same respoold");
        assert!(erased(&site, "b"), "{op}: {:#}", site.medium("b"));
        assert!(site.files("b").is_empty(), "{op}");
        all_is_well(&site, &held);
    }
}

/// An erase takes back nothing of what the operator had said, nor what is thought of the medium's health.
#[test]
fn x14_a_retired_and_suspect_source_is_retired_and_suspect_when_it_is_erased() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(9), &["--tags", "a"]);
    site.ok(&["medium", "set", "a", "adm_state=retired", "health=suspect"]);
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(report["state"], "done", "{report:#}");
    let source = site.medium("a");
    assert_eq!(
        (&source["adm_state"], &source["health"], &source["fs_state"]),
        (&"retired".into(), &"suspect".into(), &"empty".into()),
        "{source:#}"
    );
    all_is_well(&site, &held);
}
