//! What is told about repacks and jobs: in a line or a page, with the command to type next.

use crate::jobs::two_disks;
use crate::site::{Said, Site};

#[test]
fn a_plan_for_people_is_a_result_and_names_what_is_dropped() {
    let site = two_disks();
    site.run(&["delete", "o/1"]).exits(0);
    let plan = ["repack", "disk-a", "--plan", "--drop-deleted"];
    let said = site.say(&plan).exits(0);
    assert_eq!(said.stderr, "", "all of it is the result");
    for words in [
        "\ndropped: o/1 (",
        "\n39.1 KiB in about ",
        " from disk-a to disk-b (4 extents, 39.1 KiB)\n",
        "\n1 extents (9.8 KiB) are dropped",
        "\n9.8 KiB of dead data are reclaimed\n",
    ] {
        assert!(said.stdout.contains(words), "{words}: {}", said.stdout);
    }
    assert!(!said.stdout.contains("stay"), "{}", said.stdout);
    let plan = site.run(&plan).exits(0);
    assert_eq!(plan.number("/dropped_bytes"), 10_001);
    assert_eq!(plan.json["not_moved"][0]["dropped"], true);
}

#[test]
fn whoever_meets_a_quarantine_is_told_the_way_back_and_when_it_ends() {
    let site = two_disks();
    site.run(&["repack", "disk-a"]).exits(0);
    let source = site.run(&["medium", "show", "disk-a"]).exits(0);
    let day = &source.text("/quarantined_until")[..10];
    for typed in [
        &["repack", "disk-a"][..],
        &["medium", "format", "disk-a"],
        &["repack", "disk-b", "--to", "disk-a"],
        &["medium", "set", "disk-a", "adm_state=in_service"],
    ] {
        let refused = site.run(typed).exits(2);
        let next = refused.text("/error/next");
        assert!(
            next.contains("`respool job restore 1`") && next.contains(day),
            "{typed:?}: {next}"
        );
    }
    let resumed = site.run(&["job", "resume", "1"]).exits(2);
    assert!(resumed.text("/error/next").contains("`respool job restore 1`"));
}

#[test]
fn a_restore_says_what_became_of_layouts_copies_and_source() {
    let site = two_disks();
    site.run(&["repack", "disk-a"]).exits(0);
    site.run(&["delete", "o/4"]).exits(0);
    let said = site.say(&["job", "restore", "1"]).exits(1).stdout;
    for words in [
        "job 1 is restored: the layouts of 4 extents point to their old bytes on disk-a again",
        "\ntheir copies on disk-b are orphans now",
        "\nnot touched: o/4 (",
        "\nread_only: disk-a takes nothing new any more",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn what_stopped_names_the_command_that_goes_on_with_it() {
    let site = two_disks();
    let again = "respool repack disk-a --to disk-b --quarantine 0 --verify sampled --limit-bytes 10000";
    let command: Vec<&str> = again.split(' ').skip(1).collect();
    let paused = site.run(&command).exits(5);
    assert_eq!(paused.text("/go_on"), "respool job resume 1");
    let cancelled = site.run(&["job", "cancel", "1"]).exits(0);
    assert_eq!(cancelled.text("/go_on"), again);
    let shown = site.say(&["job", "show", "1"]).exits(0).stdout;
    assert!(shown.contains(&format!("\nto go on: {again}\n")), "{shown}");
    let refused = site.run(&["job", "resume", "1"]).exits(2);
    assert!(refused.text("/error/next").contains(&format!("`{again}`")));
    let waited = site.say(&["job", "wait", "1"]).exits(5).stderr;
    assert!(waited.contains(&format!("`{again}` moves the rest")), "{waited}");
    assert_eq!(site.run(&command).exits(5).number("/job"), 2);
}

#[test]
fn of_what_is_done_there_is_nothing_to_go_on_with() {
    let site = two_disks();
    let done = site.run(&["repack", "disk-a", "--quarantine", "0"]).exits(0);
    assert_eq!(done.json["go_on"], serde_json::Value::Null);
    assert!(!site.say(&["job", "show", "1"]).exits(0).stdout.contains("to go on"));
    let refused = site.run(&["job", "resume", "1"]).exits(2);
    assert!(refused.text("/error/next").contains("is done"), "{}", refused.stdout);
}

#[test]
fn a_job_is_a_number_and_a_duration_has_a_unit() {
    let site = Site::new();
    let refused = |typed: &[&str], words: &str| {
        let said = site.say(typed).exits(2).stderr;
        assert!(said.contains(words), "{typed:?}: {said}");
    };
    for verb in ["show", "wait", "resume", "restore"] {
        refused(
            &["job", verb, "disk-a"],
            "a job is given by its number; `respool job list`",
        );
    }
    refused(&["repack", "disk-a", "--quarantine", "7"], "for example 7d, 90m");
    refused(&["repack", "disk-a", "--limit-time", "soon"], "for example 7d, 90m");
    assert!(!site.path("state").exists(), "nothing was started for that");
}

#[test]
fn whoever_does_not_wait_for_a_job_is_told_on_one_line_how_to() {
    let site = two_disks();
    let said = site
        .say(&["repack", "disk-a", "--limit-bytes", "10000", "--detach"])
        .exits(0);
    one_line_about(&said, "job 1 (repack of disk-a) is ");
    site.run(&["job", "wait", "1"]).exits(5);
    one_line_about(&site.say(&["job", "resume", "1", "--detach"]).exits(0), "job 1 (");
    site.run(&["job", "wait", "1"]).exits(5);
    site.run(&["job", "cancel", "1"]).exits(0);
    let left = site
        .run(&["extent", "list", "--medium", "disk-a", "--state", "sync"])
        .exits(0);
    let migrate = [
        "extent",
        "migrate",
        left.text("/extents/0/id"),
        "--to",
        "disk-b",
        "--detach",
    ];
    one_line_about(&site.say(&migrate).exits(0), "job 2 (migrate of disk-a) is ");
    site.run(&["job", "wait", "2"]).exits(0);
}

#[track_caller]
fn one_line_about(said: &Said, begin: &str) {
    let line = said.stdout.trim_end();
    assert!(line.starts_with(begin) && !line.contains('\n'), "{line}");
    assert!(line.contains("`respool job wait "), "{line}");
}

#[test]
fn commands_for_another_archive_name_it_and_json_has_them_as_they_came() {
    let site = two_disks();
    site.run(&["repack", "disk-a", "--limit-bytes", "10000"]).exits(5);
    site.run(&["job", "cancel", "1"]).exits(0);
    let state = site.path("state").display().to_string();
    let shown = site.say(&["--state", &state, "job", "show", "1"]).exits(0).stdout;
    let own = format!("respool --state {state} ");
    assert!(shown.contains(&format!("\nto go on: {own}repack disk-a ")), "{shown}");
    assert!(shown.contains(&format!("`{own}medium set disk-a")), "{shown}");
    let json = site.run(&["--state", &state, "job", "show", "1"]).exits(0);
    assert_eq!(json.text("/go_on"), "respool repack disk-a --limit-bytes 10000");
}
