//! Docks, each holding one disk at a time: jobs that want each other's, and many at once over few.

use super::house::{Held, all_is_well, fill, job_of, media_of, mixed};
use respool_test_support::{Simulates, Site};
use serde_json::Value;
use std::fs;

/// A site with disks in docks. Each disk's name is also its tag; those whose name begins with t are targets.
fn docked(disks: &[(&str, &str)]) -> Site {
    let site = Site::new(super::house::RESPOOL);
    for (disk, dock) in disks {
        fs::create_dir(site.disk(disk)).unwrap();
        let path = site.disk(disk).display().to_string();
        let tags = if disk.starts_with('t') {
            format!("{disk},target")
        } else {
            (*disk).to_owned()
        };
        site.ok(&[
            "dir",
            "add",
            disk,
            &path,
            "--capacity",
            "1GiB",
            "--dock",
            dock,
            "--tags",
            &tags,
        ]);
    }
    site
}

fn show(site: &Site, job: &str) -> Value {
    site.ok(&["job", "show", job])
}

/// E-01, X-09: each reads in the dock that the other writes in, so neither can ever have one dock and wait for the other.
#[test]
fn x09_two_repacks_in_opposite_directions_over_two_docks_both_finish() {
    let site = docked(&[("a", "left"), ("there", "left"), ("b", "right"), ("to", "right")]);
    let mut held = fill(&site, "on-a", &mixed(60), &["--tags", "a"]);
    held.extend(fill(&site, "on-b", &mixed(60), &["--tags", "b"]));
    let there = ["repack", "a", "--to", "to", "--quarantine", "0", "--detach"];
    let back = ["repack", "b", "--to", "there", "--quarantine", "0", "--detach"];
    let (there, back) = (site.start(&there), site.start(&back));
    for job in [there, back] {
        let job = job_of(&job.wait().expect(0));
        let report = site.ok(&["job", "wait", &job]);
        assert_eq!(report["state"], "done", "{report:#}");
        assert_eq!(report["extents"]["moved"], 60, "{report:#}");
        assert_eq!(report["waiting_for"], Value::Null, "what has ended waits for nothing");
    }
    assert_eq!(media_of(&site, "on-a/0001"), ["to"]);
    assert_eq!(media_of(&site, "on-b/0001"), ["there"]);
    assert!(site.files("a").is_empty() && site.files("b").is_empty());
    all_is_well(&site, &held);
}

/// E-01, X-09: every source shares its dock with other sources and with a target that others want.
#[test]
fn x09_ten_repacks_at_once_over_three_docks_all_finish() {
    let docks = ["left", "middle", "right"];
    let sources: Vec<String> = (0..10).map(|number| format!("s{number}")).collect();
    let mut disks: Vec<(&str, &str)> = sources
        .iter()
        .enumerate()
        .map(|(number, name)| (name.as_str(), docks[number % 3]))
        .collect();
    disks.extend([("t0", "left"), ("t1", "middle"), ("t2", "right")]);
    let site = docked(&disks);
    let mut held = Held::new();
    for source in &sources {
        held.extend(fill(&site, &format!("on-{source}"), &mixed(8), &["--tags", source]));
    }
    let jobs: Vec<_> = sources
        .iter()
        .map(|source| site.start(&["repack", source, "--to-tags", "target", "--quarantine", "0", "--detach"]))
        .collect();
    let jobs: Vec<String> = jobs.into_iter().map(|job| job_of(&job.wait().expect(0))).collect();
    for job in jobs {
        let report = site.ok(&["job", "wait", &job]);
        assert_eq!(report["state"], "done", "{report:#}");
        assert_eq!(report["extents"]["moved"], 8, "{report:#}");
    }
    assert!(sources.iter().all(|source| site.files(source).is_empty()));
    all_is_well(&site, &held);
}

/// what a job waits for is told with its holder, since when, and what happens next.
#[test]
fn x20_a_job_that_waits_for_a_dock_says_who_has_it_and_finishes_when_it_is_free() {
    Simulates::KilledProcess.say();
    let site = docked(&[("a", "left"), ("there", "left"), ("b", "right"), ("to", "right")]);
    let mut held = fill(&site, "on-a", &mixed(20), &["--tags", "a"]);
    held.extend(fill(&site, "on-b", &mixed(20), &["--tags", "b"]));
    site.faults("[[fault]]\nmedium = \"a\"\nop = \"read\"\nerror = \"hang\"\n");
    let first = site.ok(&["repack", "a", "--to", "to", "--quarantine", "0", "--detach"]);
    let first = job_of(&first);
    // It holds both docks from its first grant on, and its first read does not return.
    let at_work = || site.extents(&["--medium", "to", "--state", "pending"]).len();
    site.wait_until("the first one copies", || at_work() > 0);
    let second = site.ok(&["repack", "b", "--to", "there", "--quarantine", "0", "--detach"]);
    let second = job_of(&second);
    site.wait_until("the second one waits", || {
        show(&site, &second)["waiting_for"] != Value::Null
    });
    let waits = show(&site, &second)["waiting_for"].clone();
    let text = waits["text"].as_str().unwrap();
    assert!(text.contains(&format!("where job {first} ")), "{waits:#}");
    assert!(text.contains("dock left") || text.contains("dock right"), "{waits:#}");
    let reason = &waits["reasons"][0];
    assert_eq!(reason["held_by"], format!("job {first}"), "{waits:#}");
    let when = |time: &Value| time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(when(&reason["held_since"]) <= when(&waits["since"]), "{waits:#}");
    assert!(reason["next"].as_str().unwrap().contains(" way"), "{waits:#}");
    assert_eq!(show(&site, &first)["waiting_for"], Value::Null, "it has what it needs");
    let shown = site.command(&["job", "show", &second]);
    let plain: Vec<_> = shown.get_args().filter(|arg| *arg != "--json").collect();
    let mut command = std::process::Command::new(shown.get_program());
    command
        .args(plain)
        .envs(site.variables())
        .env("RESPOOL_STATE", site.state());
    let shown = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(shown.contains(text) && shown.contains("has it since"), "{shown}");

    // A drive that hangs is ended with respoold; the next one finds both jobs.
    site.kill();
    site.heal();
    for job in [&first, &second] {
        let report = site.ok(&["job", "wait", job]);
        assert_eq!(report["state"], "done", "{report:#}");
    }
    all_is_well(&site, &held);
}
