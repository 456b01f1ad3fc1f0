//! Repacks and what is done with jobs.

use crate::site::Site;
use std::fs;

/// Five objects on disk-a, and an empty disk-b.
pub fn two_disks() -> Site {
    let site = Site::new();
    site.config("[repack]\nbatch_extents = 2\n");
    site.add_dir("disk-a");
    for index in 0..5 {
        site.put(&format!("o/{index}"), 10_000 + index);
    }
    site.add_dir("disk-b");
    site
}

fn all_hold(site: &Site) {
    for index in 0..5 {
        site.holds(&format!("o/{index}"), 10_000 + index);
    }
    site.run(&["check"]).exits(0);
}

#[test]
fn a_plan_lists_every_step_and_moves_nothing() {
    let site = two_disks();
    let plan = site.run(&["repack", "disk-a", "--plan"]).exits(0);
    assert_eq!(plan.json["steps"].as_array().unwrap().len(), 5);
    assert_eq!(plan.number("/bytes"), 50_010);
    assert_eq!(plan.text("/targets/0/medium"), "disk-b");
    for key in [
        "sources",
        "predicted_seconds",
        "block_order_seconds",
        "lower_bound_seconds",
        "reclaimed_bytes",
        "not_moved",
    ] {
        assert!(plan.json.get(key).is_some(), "{key} is missing");
    }
    assert_eq!(site.run(&["job", "list"]).exits(0).json["jobs"], serde_json::json!([]));
}

#[test]
fn a_plan_reclaims_what_is_dead_and_what_is_dropped_and_nothing_that_lives() {
    let site = two_disks();
    let reclaimed = |args: &[&str]| {
        let plan = [&["repack", "disk-a", "--plan"], args].concat();
        site.run(&plan).exits(0).number("/reclaimed_bytes")
    };
    assert_eq!(reclaimed(&[]), 0);
    site.run(&["delete", "o/1"]).exits(0);
    assert_eq!(reclaimed(&[]), 0, "it can be undeleted");
    assert_eq!(reclaimed(&["--drop-deleted"]), 10_001);
    let kept = ["repack", "disk-a", "--keep-source", "--limit-bytes", "10000"];
    assert_eq!(site.run(&kept).exits(5).number("/extents/moved"), 1);
    let first = site.run(&["medium", "show", "disk-a"]).exits(0);
    let dead = first.number("/dead_bytes") + first.number("/held_bytes");
    assert_eq!(reclaimed(&["--drop-deleted"]), dead + 10_001);
}

#[test]
fn a_repack_empties_a_medium_for_reuse() {
    let site = two_disks();
    let job = site.run(&["repack", "disk-a", "--quarantine", "0"]).exits(0);
    assert_eq!(job.text("/state"), "done");
    assert_eq!(job.number("/extents/moved"), 5);
    assert_eq!(job.number("/read_back/extents"), 5);
    assert_eq!(job.text("/targets/0/medium"), "disk-b");
    let source = site.run(&["medium", "show", "disk-a"]).exits(0);
    assert_eq!(
        (source.text("/fs_state"), source.text("/adm_state")),
        ("empty", "in_service")
    );
    assert_eq!(source.number("/generation"), 1);
    assert_eq!(fs::read_dir(site.path("disk-a/objects")).unwrap().count(), 0);
    all_hold(&site);
}

#[test]
fn a_quarantined_source_can_be_restored_and_a_deletion_since_is_not_undone() {
    let site = two_disks();
    let job = site.run(&["repack", "disk-a"]).exits(0);
    assert_eq!(job.text("/state"), "quarantined");
    let source = site.run(&["medium", "show", "disk-a"]).exits(0);
    assert_eq!(source.text("/adm_state"), "quarantined");
    assert!(source.json["quarantined_until"].is_string());
    site.run(&["medium", "format", "disk-a"]).exits(2);
    let restored = site.run(&["job", "restore", "1"]).exits(0);
    assert_eq!(restored.text("/state"), "restored");
    assert_eq!(restored.number("/returned"), 5);
    let extents = site.run(&["medium", "extents", "disk-a"]).exits(0);
    assert!(
        extents.json["extents"]
            .as_array()
            .unwrap()
            .iter()
            .all(|extent| extent["state"] == "sync")
    );
    all_hold(&site);
}

const BACK_TO_USE: &str = "respool medium set disk-a adm_state=in_service";

/// A source that stays read_only is named with the command that ends it.
#[track_caller]
fn says_how_disk_a_is_used_again(site: &Site, typed: &[&str]) {
    let said = site.say(typed).exits(0);
    assert!(said.stdout.contains(BACK_TO_USE), "{}", said.stdout);
}

#[test]
fn a_source_that_stays_read_only_is_told_until_it_is_back_in_use() {
    let site = two_disks();
    site.run(&["repack", "disk-a"]).exits(0);
    let quiet = |typed: &[&str]| {
        let said = site.say(typed).exits(0);
        assert!(!said.stdout.contains("adm_state"), "{typed:?}: {}", said.stdout);
    };
    quiet(&["job", "show", "1"]);
    says_how_disk_a_is_used_again(&site, &["job", "restore", "1"]);
    let listed = site.run(&["job", "list"]).exits(0);
    assert_eq!(listed.json["jobs"][0]["left_read_only"], serde_json::json!(["disk-a"]));
    // As long as another job needs it so, nobody is told to change it.
    site.run(&["repack", "disk-a", "--limit-bytes", "1"]).exits(5);
    quiet(&["job", "show", "1"]);
    site.run(&["job", "cancel", "2"]).exits(0);
    says_how_disk_a_is_used_again(&site, &["job", "show", "1"]);
    let command: Vec<&str> = BACK_TO_USE.split(' ').skip(1).collect();
    site.run(&command).exits(0);
    quiet(&["job", "show", "1"]);
    quiet(&["job", "show", "2"]);
}

#[test]
fn a_limit_leaves_a_resumable_job() {
    let site = two_disks();
    let job = site
        .run(&["repack", "disk-a", "--limit-bytes", "10000", "--quarantine", "0"])
        .exits(5);
    assert_eq!(job.text("/state"), "paused");
    let job = site.run(&["job", "show", "1"]).exits(0);
    assert!(job.number("/extents/remaining") > 0);
    all_hold(&site);
    says_how_disk_a_is_used_again(&site, &["job", "cancel", "1"]);
    assert_eq!(site.run(&["job", "show", "1"]).exits(0).text("/state"), "cancelled");
    let source = site.run(&["medium", "show", "disk-a"]).exits(0);
    assert_eq!(source.text("/adm_state"), "read_only");
    says_how_disk_a_is_used_again(&site, &["job", "show", "1"]);
    site.run(&["repack", "disk-a", "--quarantine", "0"]).exits(0);
    all_hold(&site);
}

/// What `--quiet` leaves away, and what not, is what its help says.
#[test]
fn quiet_leaves_away_notes_and_nothing_else() {
    let site = two_disks();
    let limited = ["repack", "disk-a", "--limit-bytes", "1"];
    let told = site.say(&limited).exits(5);
    assert!(told.stderr.contains("resumable"), "{}", told.stderr);
    let quiet = site.say(&["-q", "job", "resume", "1"]).exits(5);
    assert_eq!(quiet.stderr, "", "it is a note");
    assert!(quiet.stdout.contains("paused"), "{}", quiet.stdout);
    let shown = ["job", "show", "1"];
    assert_eq!(
        site.say(&[&["-q"][..], &shown].concat()).exits(0).stdout,
        site.say(&shown).exits(0).stdout,
        "results are told all the same"
    );
    let refused = site.say(&["-q", "job", "show", "7"]).exits(2);
    assert!(refused.stderr.contains("no job"), "{}", refused.stderr);
    let help = site.say(&["job", "show", "--help"]).exits(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = "No progress and no notes on stderr; results on stdout and what went wrong are told all the same";
    assert!(help.contains(words), "{help}");
}

#[test]
fn a_detached_job_is_accepted_and_waited_for() {
    let site = two_disks();
    let job = site
        .run(&["repack", "disk-a", "--quarantine", "0", "--detach"])
        .exits(0);
    let number = job.number("/job").to_string();
    let rested = site.run(&["job", "wait", &number]).exits(0);
    assert_eq!(rested.text("/state"), "done");
    site.run(&["job", "pause", &number]).exits(2);
    site.run(&["job", "resume", &number]).exits(2);
    site.run(&["job", "show", "99"]).exits(2);
}

#[test]
fn a_repack_without_a_place_to_go_is_refused_with_the_bytes_missing() {
    let site = Site::new();
    site.add_dir("disk-a");
    site.put("a", 1000);
    let said = site.run(&["repack", "disk-a"]).exits(2);
    assert_eq!(said.text("/error/code"), "no_target");
    site.run(&["repack", "disk-a", "--to", "disk-a"]).exits(2);
    site.run(&["repack", "nobody"]).exits(2);
    assert_eq!(
        site.run(&["medium", "show", "disk-a"]).exits(0).text("/adm_state"),
        "in_service"
    );
}

#[test]
fn e11_one_command_moves_a_single_extent_and_the_others_stay() {
    let site = two_disks();
    let extents = site.run(&["extent", "list", "--oid", "o/3"]).exits(0);
    let id = extents.text("/extents/0/id").to_owned();
    let job = site.run(&["extent", "migrate", &id, "--to", "disk-b"]).exits(0);
    assert_eq!(job.text("/kind"), "migrate");
    assert_eq!(on(&site, "disk-b"), ["o/3"]);
    assert_eq!(on(&site, "disk-a"), ["o/0", "o/1", "o/2", "o/4"]);
    all_hold(&site);
}

#[test]
fn e11_one_command_moves_a_whole_medium() {
    let site = two_disks();
    let job = site
        .run(&["repack", "disk-a", "--to", "disk-b", "--quarantine", "0"])
        .exits(0);
    assert_eq!((job.text("/state"), job.number("/extents/moved")), ("done", 5));
    assert_eq!(on(&site, "disk-a"), [""; 0]);
    assert_eq!(on(&site, "disk-b"), ["o/0", "o/1", "o/2", "o/3", "o/4"]);
    all_hold(&site);
}

#[test]
fn e11_one_job_moves_several_media() {
    let site = two_disks();
    for oid in ["o/1", "o/2"] {
        let extents = site.run(&["extent", "list", "--oid", oid]).exits(0);
        let id = extents.text("/extents/0/id").to_owned();
        site.run(&["extent", "migrate", &id, "--to", "disk-b"]).exits(0);
    }
    site.add_dir("disk-c");
    let (from, also) = (on(&site, "disk-a"), on(&site, "disk-b"));
    assert_eq!((from.len(), also.len()), (3, 2), "both have something to move");
    let job = site
        .run(&["repack", "disk-a", "disk-b", "--to", "disk-c", "--quarantine", "0"])
        .exits(0);
    assert_eq!(job.json["sources"], serde_json::json!(["disk-a", "disk-b"]));
    assert_eq!((job.text("/state"), job.number("/extents/moved")), ("done", 5));
    assert_eq!(on(&site, "disk-c"), ["o/0", "o/1", "o/2", "o/3", "o/4"]);
    for medium in ["disk-a", "disk-b"] {
        assert_eq!(on(&site, medium), [""; 0]);
        assert_eq!(
            site.run(&["medium", "show", medium]).exits(0).text("/fs_state"),
            "empty"
        );
    }
    all_hold(&site);
}

/// The objects that are read from a medium, by name.
fn on(site: &Site, medium: &str) -> Vec<String> {
    let extents = site
        .run(&["extent", "list", "--medium", medium, "--state", "sync"])
        .exits(0);
    let rows = extents.json["extents"].as_array().unwrap().iter();
    let mut oids: Vec<String> = rows.map(|row| row["oid"].as_str().unwrap().to_owned()).collect();
    oids.sort();
    oids
}
