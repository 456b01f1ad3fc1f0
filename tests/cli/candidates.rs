//! Media worth emptying: listed with their reasons, explained, and emptied by `repack --best`.

use crate::site::{Said, Site};
use dss::model::ByteCount;
use serde_json::Value;

/// Two objects of 20,000 bytes on a medium.
fn filled(site: &Site, medium: &str) {
    site.add_dir(medium);
    site.run(&["medium", "set", medium, &format!("tags={medium}")]).exits(0);
    for name in ["one", "two"] {
        let (oid, file) = (
            format!("{medium}/{name}"),
            site.file(&format!("in-{medium}_{name}"), 20_000),
        );
        site.run(&["put", &file, &oid, "--tags", medium]).exits(0);
    }
}

fn ill(site: &Site, medium: &str, health: &str) {
    let health = format!("health={health}");
    site.run(&["medium", "set", medium, &health]).exits(0);
}

/// The names of the candidates, the best first.
fn ranked(said: &Said) -> Vec<&str> {
    let list = said.json["candidates"].as_array().unwrap();
    list.iter().map(|one| one["medium"].as_str().unwrap()).collect()
}

fn why_not(site: &Site, medium: &str) -> Value {
    let said = site.run(&["medium", "candidates", "--why-not", medium]).exits(0);
    said.json["why_not"].clone()
}

#[test]
fn without_a_medium_worth_it_nothing_is_done_and_the_reason_is_told() {
    let site = Site::new();
    filled(&site, "a");
    site.add_dir("b");
    let none = site.run(&["medium", "candidates"]).exits(0);
    assert_eq!(none.json, serde_json::json!({ "candidates": [] }));
    let why = why_not(&site, "a");
    assert_eq!(why["candidate"], false);
    let reason = why["reasons"][0].as_str().unwrap();
    assert!(reason.contains("0 % of 39.1 KiB is dead"), "{reason}");
    assert!(why["next"][0].as_str().unwrap().contains("respool repack a"));
    assert_eq!(why_not(&site, "b")["reasons"][0], "there is nothing on it");
    site.run(&["medium", "candidates", "--why-not", "nobody"]).exits(2);
    let best = site.run(&["repack", "--best"]).exits(0);
    assert_eq!((&best.json["job"], best.number("/media")), (&Value::Null, 2));
    assert!(
        site.say(&["repack", "--best"])
            .exits(0)
            .stdout
            .starts_with("none of 2 media")
    );
    assert_eq!(site.run(&["job", "list"]).exits(0).json["jobs"], serde_json::json!([]));
    site.run(&["repack", "--best", "a"]).exits(2);
    site.run(&["repack"]).exits(2);
}

#[test]
fn where_deleted_versions_hold_the_space_the_way_to_give_them_up_is_told() {
    let site = Site::new();
    filled(&site, "a");
    site.add_dir("b");
    site.run(&["delete", "a/two"]).exits(0);
    let way = "`respool repack a --drop-deleted` gives up the 19.5 KiB";
    let list = site.run(&["medium", "candidates"]).exits(0);
    assert!(list.text("/next").starts_with(way), "{}", list.stdout);
    let said = site.say(&["medium", "candidates"]).exits(0).stdout;
    let begin = format!("no medium is worth emptying now\n  next: {way}");
    assert!(said.starts_with(&begin), "{said}");
    let why = why_not(&site, "a");
    let next = why["next"][0].as_str().unwrap();
    assert!(
        next.starts_with("wait until ") && next.contains(&format!("; or {way}")),
        "{next}"
    );
    site.run(&["repack", "a", "--drop-deleted", "--quarantine", "0"])
        .exits(0);
    let list = site.run(&["medium", "candidates"]).exits(0);
    assert_eq!(
        list.json,
        serde_json::json!({ "candidates": [] }),
        "nothing deleted is left"
    );
}

#[test]
fn the_plan_of_the_best_is_that_of_the_medium_it_would_empty_and_gives_no_job() {
    let site = Site::new();
    for medium in ["a", "b"] {
        filled(&site, medium);
    }
    let plan = ["repack", "--best", "--plan"];
    let none = site.run(&plan).exits(0);
    assert_eq!((&none.json["job"], none.number("/media")), (&Value::Null, 2));
    ill(&site, "b", "failing");
    let planned = site.run(&plan).exits(0);
    assert_eq!(planned.json["sources"], serde_json::json!(["b"]));
    assert_eq!(planned.json["steps"].as_array().unwrap().len(), 2);
    assert!(
        site.say(&plan)
            .exits(0)
            .stdout
            .contains(" from b to a (2 extents, 39.1 KiB)")
    );
    // What would be refused is told as it would be refused.
    let refused = site.run(&[&plan[..], &["--to", "b"]].concat()).exits(2);
    assert_eq!(refused.text("/error/code"), "own_target");
    assert_eq!(site.run(&["job", "list"]).exits(0).json["jobs"], serde_json::json!([]));
    let best = site.run(&["repack", "--best"]).exits(0);
    assert_eq!(best.json["sources"], planned.json["sources"]);
}

#[test]
fn an_ill_medium_is_got_off_first_and_the_best_is_emptied() {
    let site = Site::new();
    for medium in ["a", "b", "c"] {
        filled(&site, medium);
    }
    ill(&site, "b", "suspect");
    ill(&site, "a", "suspect");
    ill(&site, "a", "failing");
    site.run(&["delete", "b/two"]).exits(0);
    let list = site.run(&["medium", "candidates"]).exits(0);
    assert_eq!(ranked(&list), ["a", "b"]);
    assert!(list.text("/candidates/0/reason").contains("failing since"));
    assert_eq!(list.number("/candidates/1/rank"), 2);
    assert_eq!(list.number("/candidates/1/live_bytes"), 40_000);
    assert_eq!(list.number("/candidates/1/dead_bytes"), 0);
    assert_eq!(list.number("/candidates/1/later_bytes"), 20_000);
    assert!(list.text("/candidates/1/reason").contains("19.5 KiB more can go by"));
    assert_eq!(list.text("/candidates/1/health"), "suspect");
    let best = site.run(&["repack", "--best", "--quarantine", "0"]).exits(0);
    assert_eq!(
        (&best.json["sources"], best.text("/state")),
        (&serde_json::json!(["a"]), "done")
    );
    site.holds("a/one", 20_000);
    let next = site.run(&["medium", "candidates", "--why-not", "a"]).exits(0);
    assert_eq!(ranked(&next), ["b"]);
    assert_eq!(next.text("/why_not/reasons/0"), "there is nothing on it");
    site.run(&["repack", "--best"]).exits(0);
    let quarantined = why_not(&site, "b");
    let reason = quarantined["reasons"][0].as_str().unwrap();
    assert!(
        reason.starts_with("it was emptied by job 2 and is quarantined: "),
        "{reason}"
    );
    site.run(&["check"]).exits(0);
}

#[test]
fn what_would_find_no_place_is_no_candidate_and_the_bytes_are_told() {
    let site = Site::new();
    filled(&site, "a");
    ill(&site, "a", "failing");
    site.add_dir("small");
    site.run(&["medium", "set", "small", "capacity=30000"]).exits(0);
    let why = why_not(&site, "a");
    // Two extents with what each of them needs beside its bytes, and the room there is.
    let missing = ByteCount(40_000 + 2 * 8_192 - 30_000);
    let reason = why["reasons"][0].as_str().unwrap();
    assert!(reason.contains(&format!("{missing} are missing")), "{reason}");
    let best = site.run(&["repack", "--best"]).exits(0);
    assert_eq!(best.json["job"], Value::Null);
    site.run(&["medium", "lock", "a"]).exits(0);
    let why = why_not(&site, "a");
    assert_eq!(why["reasons"].as_array().unwrap().len(), 2, "every reason: {why}");
    assert_eq!(why["next"][0], "unlock it with `respool medium unlock a`");
}

#[test]
fn i10_a_second_copy_on_the_only_other_medium_leaves_no_target() {
    let site = Site::new();
    site.add_dir("a");
    site.add_dir("b");
    let file = site.file("twice", 1_000);
    site.run(&["put", &file, "twice", "--copies", "2"]).exits(0);
    ill(&site, "a", "suspect");
    let why = why_not(&site, "a");
    assert!(why["reasons"][0].as_str().unwrap().contains("find no place"), "{why}");
    site.add_dir("c");
    assert_eq!(why_not(&site, "a")["candidate"], true);
    site.run(&["repack", "--best", "--quarantine", "0"]).exits(0);
}

#[test]
fn what_an_ended_job_left_half_emptied_is_worth_finishing() {
    let site = Site::new();
    filled(&site, "a");
    site.add_dir("b");
    site.run(&["repack", "a", "--limit-bytes", "1"]).exits(5);
    let paused = why_not(&site, "a");
    assert_eq!(paused["reasons"][0], "job 1 empties it, and is paused");
    assert!(paused["next"][0].as_str().unwrap().contains("respool job resume 1"));
    site.run(&["job", "cancel", "1"]).exits(0);
    let list = site.run(&["medium", "candidates"]).exits(0);
    assert_eq!(
        (ranked(&list), list.number("/candidates/0/dead_bytes")),
        (vec!["a"], 20_000)
    );
    assert!((list.json["candidates"][0]["dead_share"].as_f64().unwrap() - 0.5).abs() < 1e-9);
    assert!(
        list.text("/candidates/0/reason")
            .starts_with("50 % of 39.1 KiB is dead")
    );
    let best = site.run(&["repack", "--best", "--quarantine", "0"]).exits(0);
    assert_eq!(best.json["sources"], serde_json::json!(["a"]));
    site.holds("a/two", 20_000);
}

#[test]
fn the_same_command_goes_on_with_what_it_left_at_its_limit() {
    let site = Site::new();
    for medium in ["a", "b", "c"] {
        filled(&site, medium);
    }
    ill(&site, "a", "failing");
    ill(&site, "b", "suspect");
    let limited = ["repack", "--best", "--limit-bytes", "1", "--quarantine", "0"];
    assert_eq!(site.run(&limited).exits(5).number("/job"), 1);
    let other = site.run(&["repack", "--best", "--limit-bytes", "2"]).exits(5);
    assert_eq!(
        other.json["sources"],
        serde_json::json!(["b"]),
        "other limits: another command"
    );
    let again = site.run(&limited);
    assert_eq!(
        (again.number("/job"), &again.json["sources"]),
        (1, &serde_json::json!(["a"]))
    );
    while site.run(&limited).json["job"] == 1 {}
    let jobs = site.run(&["job", "list"]).exits(0);
    assert_eq!(jobs.json["jobs"].as_array().unwrap().len(), 2);
    assert_eq!(jobs.text("/jobs/1/state"), "done");
    site.holds("a/one", 20_000);
}

#[test]
fn two_at_once_choose_different_media() {
    let site = Site::new();
    for medium in ["a", "b", "c"] {
        filled(&site, medium);
    }
    ill(&site, "a", "suspect");
    ill(&site, "b", "suspect");
    let both = [(); 2].map(|()| site.start(&["repack", "--best"]));
    let mut sources: Vec<String> = both
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            report["sources"][0].as_str().unwrap().to_owned()
        })
        .collect();
    sources.sort();
    assert_eq!(sources, ["a", "b"]);
    site.run(&["check"]).exits(0);
}
