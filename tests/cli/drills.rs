//! Drills with the real program: where they are allowed, the shifted clock, faults, and deaths at named steps.

use crate::site::Site;
use respool_test_support::Simulates;
use std::fs;

#[test]
fn a_drill_needs_a_catalogue_that_was_made_for_it() {
    let mut site = Site::new();
    site.set("RESPOOL_TESTING", "1");
    let none = site.run(&["check"]).exits(2);
    assert_eq!(none.text("/error/code"), "not_a_testing_catalogue");
    site.run(&["init"]).exits(2);
    site.unset("RESPOOL_TESTING");
    site.run(&["init"]).exits(0);
    site.set("RESPOOL_TESTING", "1");
    assert_eq!(site.run(&["check"]).exits(2).text("/error/code"), "respoold_differs");
    site.run(&["stop"]).exits(0);
    assert_eq!(
        site.run(&["check"]).exits(2).text("/error/code"),
        "not_a_testing_catalogue"
    );
}

#[test]
fn drill_variables_need_their_declaration_and_a_good_file() {
    let mut site = Site::for_drills();
    site.unset("RESPOOL_TESTING");
    site.set("RESPOOL_NOW", "2030-01-01T00:00:00Z");
    site.run(&["check"]).exits(2);
    site.set("RESPOOL_TESTING", "1");
    site.set("RESPOOL_NOW", "tomorrow");
    site.run(&["check"]).exits(2);
    site.unset("RESPOOL_NOW");
    fs::write(site.path("faults.toml"), "[[fault]]\nop = \"dance\"\n").unwrap();
    site.set("RESPOOL_FAULTS", &site.at("faults.toml"));
    site.run(&["check"]).exits(2);
}

#[test]
fn the_steps_of_all_hops_are_named() {
    let site = Site::new();
    let steps = site.run(&["drill", "steps"]).exits(0);
    let all = steps.json["steps"].as_array().unwrap().len();
    assert!(all >= 20);
    assert_eq!(site.say(&["drill", "steps"]).exits(0).stdout.lines().count(), all);
}

#[test]
fn a_shifted_clock_ages_a_quarantine_once_the_jump_was_accepted() {
    let mut site = Site::for_drills();
    site.add_dir("disk-a");
    site.put("a", 1000);
    site.add_dir("disk-b");
    site.run(&["repack", "disk-a", "--quarantine", "7d"]).exits(0);
    site.run(&["stop"]).exits(0);
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(8 * 24);
    site.set("RESPOOL_NOW", &later.to_string());
    site.run(&["job", "show", "1"]).exits(0);
    std::thread::sleep(std::time::Duration::from_secs(6));
    assert_eq!(site.run(&["job", "show", "1"]).exits(0).text("/state"), "quarantined");
    site.run(&["clock", "accept"]).exits(0);
    let begun = std::time::Instant::now();
    while site.run(&["job", "show", "1"]).exits(0).text("/state") != "done" {
        assert!(begun.elapsed().as_secs() < 30, "the quarantine did not end");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    site.holds("a", 1000);
}

#[test]
fn a_death_in_the_middle_of_a_repack_loses_nothing_and_the_job_goes_on_by_itself() {
    Simulates::KilledProcess.say();
    let mut site = Site::for_drills();
    site.add_dir("disk-a");
    for index in 0..4 {
        site.put(&format!("o/{index}"), 5_000);
    }
    site.add_dir("disk-b");
    for step in [
        "record.after_commit",
        "sync.after",
        "swap.after_commit",
        "reclaim.after_fence",
    ] {
        site.run(&["stop"]).exits(0);
        fs::write(site.path("faults.toml"), format!("[[fault]]\ncrash = \"{step}\"\n")).unwrap();
        site.set("RESPOOL_FAULTS", &site.at("faults.toml"));
        let (from, to) = match site.run(&["medium", "show", "disk-a"]).exits(0).number("/live_bytes") {
            0 => ("disk-b", "disk-a"),
            _ => ("disk-a", "disk-b"),
        };
        let died = site.run(&["repack", from, "--to", to, "--quarantine", "0"]);
        assert_eq!(died.code, 3, "{step}: {}", died.stderr);
        site.unset("RESPOOL_FAULTS");
        let job = site.run(&["job", "list"]).exits(0).number("/jobs/0/job").to_string();
        let rested = site.run(&["job", "wait", &job]).exits(0);
        assert_eq!(rested.text("/state"), "done", "{step}");
        for index in 0..4 {
            site.holds(&format!("o/{index}"), 5_000);
        }
        site.run(&["check"]).exits(0);
    }
}

#[test]
fn an_extent_that_cannot_be_read_is_skipped_and_listed() {
    let mut site = Site::for_drills();
    site.add_dir("disk-a");
    for index in 0..3 {
        site.put(&format!("o/{index}"), 5_000);
    }
    site.add_dir("disk-b");
    site.run(&["stop"]).exits(0);
    let fault = "[[fault]]\nmedium = \"disk-a\"\nop = \"read\"\noid = \"o/1\"\nerror = \"eio\"\ntimes = 0\n";
    fs::write(site.path("faults.toml"), fault).unwrap();
    site.set("RESPOOL_FAULTS", &site.at("faults.toml"));
    let job = site.run(&["repack", "disk-a", "--quarantine", "0"]).exits(1);
    assert_eq!(job.text("/state"), "done_with_skips");
    assert_eq!(job.text("/skipped/0/oid"), "o/1");
    assert_eq!(job.text("/skipped/0/medium"), "disk-a");
    assert_eq!(job.number("/extents/moved"), 2);
}

#[test]
fn ctrl_c_leaves_a_resumable_job_and_says_so() {
    let site = Site::for_drills();
    site.config("[repack]\nbatch_extents = 1\n");
    site.add_dir("disk-a");
    for index in 0..200 {
        site.put(&format!("o/{index}"), 100);
    }
    site.add_dir("disk-b");
    site.run(&["stop"]).exits(0);
    let repack = site.start(&["repack", "disk-a", "--quarantine", "0"]);
    while site.run(&["job", "list"]).exits(0).json["jobs"][0]["extents"]["moved"]
        .as_u64()
        .unwrap_or(0)
        == 0
    {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(repack.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let output = repack.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("resumable"), "{said}");
    let paused = site.run(&["job", "show", "1"]).exits(0);
    assert_eq!(paused.text("/state"), "paused");
    assert!(paused.number("/extents/remaining") > 0);
    let done = site.run(&["job", "resume", "1"]).exits(0);
    assert_eq!(done.text("/state"), "done");
    assert_eq!(done.number("/extents/moved"), 200);
}
