//! Source and target are disks of one dock (E-01, X-10): the bytes wait in a spool while the dock changes its disk.

use super::house::{Held, RESPOOL, all_is_well, fill, filling, job_of, media_of, mixed};
use dss::model::ByteCount;
use respool_test_support::{Simulates, Site};
use serde_json::{Value, json};
use std::fs;
use std::thread;

/// `[repack] sync_bytes`, `[memory] ring` and the largest extent of `mixed`, as the sites here have them.
const ONE_WINDOW: u64 = (64 << 10) + (64 << 10) + 16_385;

fn add(site: &Site, name: &str, capacity: &str, dock: Option<&str>) {
    fs::create_dir(site.disk(name)).unwrap();
    let path = site.disk(name).display().to_string();
    let mut args = vec!["dir", "add", name, &path, "--capacity", capacity, "--tags", name];
    args.extend(dock.map(|dock| ["--dock", dock]).into_iter().flatten());
    site.ok(&args);
}

/// A site whose disks a and b share a dock, with objects on a.
fn one_dock(sizes: &[usize]) -> (Site, Held) {
    let site = Site::new(RESPOOL);
    add(&site, "a", "1GiB", Some("d"));
    add(&site, "b", "1GiB", Some("d"));
    let held = fill(&site, "things", sizes, &["--tags", "a"]);
    (site, held)
}

fn plan(site: &Site) -> Value {
    site.ok(&["repack", "a", "--plan"])
}

/// Nothing of a spool outlives its job, whatever ended it.
fn no_spool_is_left(site: &Site) {
    let left = fs::read_dir(site.state().join("spool")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "the spool left a file");
}

const REPACK: [&str; 6] = ["repack", "a", "--to", "b", "--quarantine", "0"];

#[test]
fn x10_e01_two_disks_of_one_dock_are_repacked_by_way_of_the_spool() {
    let (site, held) = one_dock(&mixed(80));
    let told = plan(&site);
    let staged = &told["staged"];
    let rounds = staged["rounds"].as_u64().unwrap();
    assert_eq!(staged["spool_bytes"], 128 << 10, "{staged}");
    // 80 extents of `mixed` are 440 KB.
    assert!((4..=6).contains(&rounds), "{staged}");
    assert_eq!(staged["mounts"], 2 * rounds);
    assert!(
        told["predicted_seconds"].as_f64().unwrap() > 5.0 * 2.0 * rounds as f64,
        "{told:#}"
    );
    let text = site.command(&["repack", "a", "--plan"]);
    let text = text
        .get_args()
        .filter(|arg| *arg != "--json")
        .map(ToOwned::to_owned)
        .collect::<Vec<_>>();
    let said = site.command(&[]).get_program().to_owned();
    let out = std::process::Command::new(said)
        .args(text)
        .envs(site.variables())
        .env("RESPOOL_STATE", site.state())
        .output()
        .unwrap();
    let said = String::from_utf8(out.stderr).unwrap() + &String::from_utf8(out.stdout).unwrap();
    let expected = format!(
        "staged through a spool of 128.0 KiB, {rounds} rounds, {} mounts",
        2 * rounds
    );
    assert!(said.contains(&expected), "{said}");

    let report = site.ok(&REPACK);
    assert_eq!(
        (&report["state"], &report["extents"]["moved"]),
        (&json!("done"), &json!(80)),
        "{report:#}"
    );
    assert_eq!(report["bytes_recopied"], 0, "{report:#}");
    assert!(site.files("a").is_empty());
    no_spool_is_left(&site);
    all_is_well(&site, &held);
}

#[test]
fn x10_with_a_target_in_another_dock_nothing_is_staged() {
    let (site, held) = one_dock(&mixed(20));
    add(&site, "c", "1GiB", Some("e"));
    assert_eq!(plan(&site)["staged"], Value::Null);
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(report["targets"][0]["medium"], "c", "{report:#}");
    all_is_well(&site, &held);
}

#[test]
fn x10_what_does_not_fit_the_other_dock_is_staged_after_the_rest() {
    let (site, held) = one_dock(&[20_000; 10]);
    add(&site, "c", "100KiB", None);
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    let on = |medium: &str| {
        let targets = report["targets"].as_array().unwrap().iter();
        targets
            .filter(|one| one["medium"] == medium)
            .map(|one| one["extents"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert!(on("c") > 0 && on("b") > 0 && on("b") + on("c") == 10, "{report:#}");
    all_is_well(&site, &held);
}

#[test]
fn x10_an_extent_larger_than_the_spool_is_refused_before_anything_is_touched() {
    let config = respool_test_support::site::QUICK.replace("128 KiB", "32 KiB");
    let site = Site::with_config(RESPOOL, &config);
    add(&site, "a", "1GiB", Some("d"));
    add(&site, "b", "1GiB", Some("d"));
    let held = fill(&site, "things", &[5_000, 40_000], &["--tags", "a"]);
    // A plan that a job would be refused for ends as the job would.
    let told = site.run(&["repack", "a", "--plan"]).expect(2);
    let short = ByteCount(40_000 - (32 << 10));
    let why = told["not_moved"][0]["why"].as_str().unwrap();
    assert!(why.contains(&format!("{short} too large for the spool")), "{why}");
    let refused = site.run(&REPACK);
    assert_eq!(refused.code, 2, "{refused:?}");
    let message = refused.json["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("{short} too large for the spool")),
        "{message}"
    );
    assert_eq!(site.medium("a")["adm_state"], "in_service");
    // A target elsewhere is a way out.
    add(&site, "c", "1GiB", None);
    site.ok(&["repack", "a", "--to", "c", "--quarantine", "0"]);
    all_is_well(&site, &held);
}

#[test]
fn x10_a_full_or_failing_spool_ends_the_job_and_the_next_one_goes_on() {
    for (op, error, more, code, word) in [
        ("write", "enospc", "nth = 40\ntimes = 0", 3, "spool_full"),
        ("write", "eio", "nth = 40\ntimes = 0", 3, "spool_failed"),
        ("read", "eio", "nth = 40", 3, "spool_failed"),
        ("read", "flip", "nth = 40", 4, "spool_corrupt"),
        ("write", "lost_write", "nth = 40", 4, "spool_corrupt"),
    ] {
        let (site, held) = one_dock(&mixed(80));
        site.faults(&format!(
            "[[fault]]\ndrive = \"spool\"\nop = \"{op}\"\nerror = \"{error}\"\n{more}\n"
        ));
        let report = site.run(&REPACK).expect(code);
        assert_eq!(
            (&report["state"], &report["error"]["code"]),
            (&json!("failed"), &json!(word)),
            "{report:#}"
        );
        assert_eq!(site.medium("a")["health"], "ok", "no medium is to blame");
        let moved = report["extents"]["moved"].as_u64().unwrap();
        assert!(moved > 0 && moved < 80, "{report:#}");
        site.faults("");
        let report = site.ok(&REPACK);
        assert_eq!(report["extents"]["moved"], 80 - moved, "{op} {error}: {report:#}");
        no_spool_is_left(&site);
        all_is_well(&site, &held);
    }
}

#[test]
fn x10_a_spool_that_is_full_once_only_makes_a_batch_smaller() {
    let (site, held) = one_dock(&mixed(80));
    site.faults("[[fault]]\ndrive = \"spool\"\nop = \"write\"\nerror = \"enospc\"\nnth = 10\n");
    let report = site.ok(&REPACK);
    assert_eq!(report["extents"]["moved"], 80, "{report:#}");
    all_is_well(&site, &held);
}

/// SIGKILL in the read half, between the halves, and in every part of the write half: not power loss.
#[test]
fn x10_killed_in_either_half_it_goes_on_and_loses_nothing() {
    Simulates::KilledProcess.say();
    let (site, mut held) = one_dock(&mixed(80));
    let (mut from, mut to) = ("a", "b");
    for (step, nth) in [
        ("spool.middle", 37),
        ("spool.filled", 2),
        ("read.middle", 37),
        ("record.before_commit", 3),
        ("record.after_commit", 3),
        ("write.middle", 37),
        ("sync.after", 3),
        ("swap.before_commit", 3),
        ("swap.after_commit", 3),
    ] {
        site.crash_at(step, nth);
        site.ok(&["job", "list"]);
        let pid = site.pid().unwrap();
        let repack = ["repack", from, "--to", to, "--quarantine", "0"];
        assert_eq!(site.run(&repack).code, 3, "{step} was not reached");
        site.wait_for_death(pid);
        assert!(
            site.log()
                .contains(&format!("the drill ends respoold here step={step}")),
            "{step}"
        );
        site.heal();
        let extra = format!("during/{step}");
        held.insert(extra.clone(), filling(7, 3_000));
        site.put(&extra, &held[&extra], &["--tags", to]);
        let job = super::house::newest_job(&site).unwrap();
        let report = site.ok(&["job", "wait", &job_of(&job)]);
        assert_eq!(report["state"], "done", "{step}: {report:#}");
        let again = report["bytes_recopied"].as_u64().unwrap();
        assert!(again <= ONE_WINDOW, "{step}: {again} bytes were copied again");
        assert!(site.files(from).is_empty(), "{step}");
        no_spool_is_left(&site);
        std::mem::swap(&mut from, &mut to);
    }
    all_is_well(&site, &held);
}

#[test]
fn x10_x13_a_staged_job_that_was_stopped_goes_on_where_it_was() {
    let (site, held) = one_dock(&mixed(80));
    let mut report = site
        .run(&[&REPACK[..], &["--limit-bytes", "100000"]].concat())
        .expect(5);
    let mut lives = 1;
    while report["state"] == "paused" {
        let outcome = site.run(&["job", "resume", &job_of(&report)]);
        assert!([0, 5].contains(&outcome.code), "{outcome:?}");
        report = outcome.json;
        lives += 1;
    }
    assert!((4..10).contains(&lives), "{lives}");
    assert_eq!(
        (&report["state"], &report["extents"]["moved"]),
        (&json!("done"), &json!(80)),
        "{report:#}"
    );
    assert_eq!(report["bytes_recopied"], 0, "{report:#}");
    all_is_well(&site, &held);
}

#[test]
fn e02_targets_of_the_dock_of_the_source_are_filled_one_after_the_other() {
    let site = Site::new(RESPOOL);
    add(&site, "a", "1GiB", Some("d"));
    for name in ["b", "c"] {
        add(&site, name, "200KiB", Some("d"));
    }
    let held = fill(&site, "things", &[20_000; 12], &["--tags", "a"]);
    let report = site.ok(&["repack", "a", "--quarantine", "0"]);
    assert_eq!(report["targets"].as_array().unwrap().len(), 2, "{report:#}");
    assert_eq!(report["extents"]["moved"], 12);
    all_is_well(&site, &held);
}

/// E-12 with everything in one dock: the other copy goes by way of the spool, too.
#[test]
fn e12_x10_the_other_copy_may_be_in_the_dock_of_source_and_target() {
    let site = Site::new(RESPOOL);
    for name in ["a", "b", "c"] {
        add(&site, name, "1GiB", Some("d"));
    }
    // Two copies cannot be written at once in one dock: the second one is made in another.
    site.ok(&["medium", "lock", "b"]);
    add(&site, "z", "1GiB", None);
    let held = fill(&site, "twice", &mixed(12), &["--copies", "2"]);
    let first = ["a", "c"]
        .into_iter()
        .find(|name| !site.files(name).is_empty())
        .unwrap();
    let other = if first == "a" { "c" } else { "a" };
    site.ok(&["repack", "z", "--to", other, "--quarantine", "0"]);
    site.ok(&["medium", "lock", "z"]);
    site.ok(&["medium", "unlock", "b"]);
    site.faults(&format!(
        "[[fault]]\nmedium = \"{first}\"\nop = \"read\"\nerror = \"eio\"\noid = \"twice/0006\"\ntimes = 0\n"
    ));
    let report = site.ok(&["repack", first, "--to", "b", "--quarantine", "0"]);
    assert_eq!(
        (&report["substituted"], &report["extents"]["moved"]),
        (&json!(1), &json!(12)),
        "{report:#}"
    );
    assert_eq!(report["substitutions"][0]["read_from"], other);
    assert!(media_of(&site, "twice/0006").contains(&"b".to_owned()));
    site.faults("");
    site.ok(&["medium", "unlock", "z"]);
    all_is_well(&site, &held);
}

#[test]
fn x10_e10_gets_and_puts_go_on_beside_a_staged_repack() {
    let (site, mut held) = one_dock(&mixed(60));
    thread::scope(|scope| {
        let repack = scope.spawn(|| site.ok(&REPACK));
        for oid in held.keys().step_by(7) {
            assert!(site.get(oid) == held[oid], "{oid}");
        }
        site.put_on("b", "beside", &filling(5, 9_000));
        repack.join().unwrap();
    });
    held.insert("beside".into(), filling(5, 9_000));
    all_is_well(&site, &held);
}
