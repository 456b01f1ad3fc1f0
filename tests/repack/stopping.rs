//! Ctrl-C, pause, cancel, limits and orderly stops in the middle of a repack. A swap is held each time, so that the
//! middle is where it comes.

use super::house::{Held, all_is_well, fill, job_of, media_of, mixed, newest_job, site};
use super::swaps::{self, HeldSwap};
use nix::sys::signal::{Signal, kill};
use respool_test_support::site::{Outcome, Running};
use respool_test_support::{Simulates, Site};
use serde_json::Value;

const REPACK: [&str; 6] = ["repack", "a", "--to", "b", "--quarantine", "0"];
const OBJECTS: usize = 80;

/// A repack from a to b whose first swap waits.
struct Midway {
    site: Site,
    held: Held,
    repack: Running,
    swap: swaps::Held,
    job: String,
}

impl Midway {
    fn of(more: &[&str]) -> Self {
        let site = site(&["a", "b"]);
        let held = fill(&site, "things", &mixed(OBJECTS), &["--tags", "a"]);
        Self::on(site, held, more)
    }

    fn on(site: Site, held: Held, more: &[&str]) -> Self {
        // Its layouts are held and not its medium: the record of the next window shares the medium's row, and would
        // have a wish wait for the job's.
        let swap = HeldSwap::first(&site);
        let repack = site.start(&[&REPACK[..], more].concat());
        swap.stands(&site);
        let job = job_of(&newest_job(&site).unwrap());
        Self {
            site,
            held,
            repack,
            swap,
            job,
        }
    }

    /// Waits until the operator's wish is noted, as the catalogue has it.
    fn wait_for_wish(&self, wish: &str) {
        let asked = format!("SELECT control FROM job WHERE id = {}", self.job);
        self.site
            .wait_until("the wish is noted", || self.site.sql(&asked) == wish);
    }
}

/// A job that stopped in its middle: resumable, and the rest is still to do.
fn midway(report: &Value, state: &str) {
    assert_eq!(report["state"], state, "{report:#}");
    let count = |what: &str| report["extents"][what].as_u64().unwrap();
    assert!(count("moved") > 0 && count("remaining") > 0, "{report:#}");
    assert_eq!(count("moved") + count("remaining"), count("live"), "{report:#}");
}

/// `job show` and `job list` say by whom or what it was paused, and how it goes on; with --json in a key.
fn is_told_to_be_paused(site: &Site, job: &str, (by, words): (&str, &str)) {
    let report = site.ok(&["job", "show", job]);
    let next = report["paused"]["next"].as_str().unwrap_or_default();
    assert_eq!(report["paused"]["by"], by, "{report:#}");
    assert!(next.contains(&format!("respool job resume {job}")), "{report:#}");
    let typed = |words: &[&str]| {
        let output = site.spoken(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // People are told the config that was typed, too.
    let shown = typed(&["job", "show", job]).replace(&format!(" --config {}", site.config().display()), "");
    assert!(shown.contains(words) && shown.contains(next), "{shown}");
    let listed = typed(&["job", "list"]);
    let word = by.replace("limit_", "limit of ");
    assert!(listed.contains(&format!("paused ({word})")), "{listed}");
}

/// Goes on to the end, where everything is as it was put.
fn to_the_end(site: &Site, held: &Held, job: &str) {
    let report = site.ok(&["job", "resume", job]);
    ended(site, held, &report);
}

fn ended(site: &Site, held: &Held, report: &Value) {
    assert_eq!(report["state"], "done", "{report:#}");
    assert_eq!(report["extents"]["moved"], OBJECTS, "{report:#}");
    assert!(site.files("a").is_empty());
    all_is_well(site, held);
}

fn says_how_to_go_on(outcome: &Outcome, job: &str) {
    let way = format!(" job resume {job}`");
    assert!(
        outcome.stderr.contains("resumable") && outcome.stderr.contains(&way),
        "{outcome:?}"
    );
}

#[test]
fn x13_ctrl_c_stops_at_the_next_boundary_and_says_how_to_go_on() {
    let midst = Midway::of(&[]);
    midst.repack.signal(Signal::SIGINT);
    midst.wait_for_wish("pause");
    let Midway {
        site,
        held,
        repack,
        swap,
        job,
    } = midst;
    swap.release();
    let outcome = repack.wait();
    says_how_to_go_on(&outcome, &job);
    midway(&outcome.expect(5), "paused");
    is_told_to_be_paused(&site, &job, ("operator", "an operator paused it"));
    all_is_well(&site, &held);
    to_the_end(&site, &held, &job);
    assert_eq!(site.ok(&["job", "show", &job])["paused"], Value::Null);
}

#[test]
fn x13_a_second_ctrl_c_returns_at_once_and_the_job_still_stops_safely() {
    let midst = Midway::of(&[]);
    midst.repack.signal(Signal::SIGINT);
    midst.wait_for_wish("pause");
    midst.repack.signal(Signal::SIGINT);
    let Midway {
        site,
        held,
        repack,
        swap,
        job,
    } = midst;
    // The swap is still held: the command does not wait for it.
    let outcome = repack.wait();
    assert_eq!((outcome.code, outcome.problem()), (5, "interrupted"), "{outcome:?}");
    assert!(outcome.stderr.contains("still stopping safely"), "{outcome:?}");
    let next = outcome.json["error"]["next"].as_str().unwrap();
    assert!(next.contains(&format!(" job resume {job}`")), "{next}");
    swap.release();
    midway(&site.run(&["job", "wait", &job]).expect(5), "paused");
    all_is_well(&site, &held);
    to_the_end(&site, &held, &job);
}

#[test]
fn x13_a_pause_stops_at_the_next_boundary_and_lasts() {
    Simulates::KilledProcess.say();
    let Midway {
        site,
        held,
        repack,
        swap,
        job,
    } = Midway::of(&[]);
    site.ok(&["job", "pause", &job]);
    swap.release();
    let outcome = repack.wait();
    says_how_to_go_on(&outcome, &job);
    midway(&outcome.expect(5), "paused");
    // A new respoold goes on with what was stopped by its end, not with what an operator paused.
    site.stop();
    site.ok(&["job", "list"]);
    midway(&site.ok(&["job", "show", &job]), "paused");
    is_told_to_be_paused(&site, &job, ("operator", "an operator paused it"));
    site.run(&["job", "pause", &job]).expect(2);
    // What was said to go on goes on, also if respoold is killed in the next instant.
    let resumed = site.ok(&["job", "resume", &job, "--detach"]);
    assert_ne!(resumed["state"], "paused", "{resumed:#}");
    let pid = site.pid().unwrap();
    kill(pid, Signal::SIGKILL).unwrap();
    site.wait_for_death(pid);
    let report = site.ok(&["job", "wait", &job]);
    ended(&site, &held, &report);
    site.run(&["job", "resume", &job]).expect(2);
    site.run(&["job", "cancel", &job]).expect(2);
}

#[test]
fn x13_a_cancelled_job_keeps_what_it_did_and_leaves_its_source_read_only() {
    let Midway {
        site,
        held,
        repack,
        swap,
        job,
    } = Midway::of(&[]);
    site.ok(&["job", "cancel", &job]);
    swap.release();
    let outcome = repack.wait();
    assert!(!outcome.stderr.contains("resumable"), "it is not: {outcome:?}");
    midway(&outcome.expect(5), "cancelled");
    let again = site.run(&["job", "wait", &job]);
    assert!(!again.stderr.contains("resumable"), "it is not: {again:?}");
    again.expect(5);
    assert_eq!(site.medium("a")["adm_state"], "read_only");
    for wish in ["resume", "pause", "cancel"] {
        site.run(&["job", wish, &job]).expect(2);
    }
    all_is_well(&site, &held);

    // Another job does the rest, and only the rest.
    let left = site.extents(&["--medium", "a", "--state", "sync"]).len();
    let report = site.ok(&REPACK);
    assert_eq!(report["extents"]["moved"], left, "{report:#}");
    assert!(site.files("a").is_empty());
    all_is_well(&site, &held);
}

#[test]
fn x13_respoold_stopped_in_the_middle_hands_its_job_to_the_next_one() {
    let mut site = site(&["a", "b"]);
    let mut held = fill(&site, "things", &mixed(OBJECTS), &["--tags", "a"]);
    for (round, way) in ["respool stop", "SIGTERM"].into_iter().enumerate() {
        let midst = Midway::on(site, held, &[]);
        let pid = midst.site.pid().unwrap();
        let stop = if way == "SIGTERM" {
            kill(pid, Signal::SIGTERM).unwrap();
            None
        } else {
            Some(midst.site.start(&["stop"]))
        };
        midst.site.wait_until("respoold was told", || {
            midst.site.log().matches("respoold leaves").count() > round
        });
        let Midway {
            site: here,
            held: all,
            repack,
            swap,
            job,
        } = midst;
        swap.release();
        let outcome = repack.wait();
        assert!(outcome.stderr.contains("goes on by itself"), "{outcome:?}");
        let report = outcome.expect(5);
        assert_ne!(report["state"], "paused", "{way}: nobody paused it: {report:#}");
        if let Some(stop) = stop {
            stop.wait().expect(0);
        }
        here.wait_for_death(pid);
        let report = here.ok(&["job", "wait", &job]);
        assert!(report["bytes_recopied"].as_u64().unwrap() <= 3 * 65_536, "{report:#}");
        ended(&here, &all, &report);
        // And back, for the next round.
        here.ok(&["repack", "b", "--to", "a", "--quarantine", "0"]);
        (site, held) = (here, all);
    }
    assert!(
        held.keys()
            .all(|oid| media_of(&site, oid).iter().all(|medium| medium == "a"))
    );
}

#[test]
fn x13_limits_stop_a_job_at_a_boundary_each_time_it_is_taken_up() {
    let Midway {
        site,
        held,
        repack,
        swap,
        job,
    } = Midway::of(&["--limit-time", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    swap.release();
    let outcome = repack.wait();
    says_how_to_go_on(&outcome, &job);
    midway(&outcome.expect(5), "paused");
    is_told_to_be_paused(&site, &job, ("limit_time", "worked for the 1s of its --limit-time"));
    all_is_well(&site, &held);
    resumed_to_the_end(&site, &job);
    all_is_well(&site, &held);

    let report = site
        .run(&[
            "repack",
            "b",
            "--to",
            "a",
            "--limit-bytes",
            "70000",
            "--quarantine",
            "0",
        ])
        .expect(5);
    midway(&report, "paused");
    let moved = report["bytes_moved"].as_u64().unwrap();
    assert!((70_000..70_000 + 3 * 65_536).contains(&moved), "{report:#}");
    let words = ("limit_bytes", "moved the 68.4 KiB of its --limit-bytes");
    is_told_to_be_paused(&site, &job_of(&report), words);
    all_is_well(&site, &held);
    resumed_to_the_end(&site, &job_of(&report));
    all_is_well(&site, &held);
}

/// A limit counts anew each time: so many times resumed, it is done, and says each time how to go on.
fn resumed_to_the_end(site: &Site, job: &str) {
    for _ in 0..OBJECTS {
        let outcome = site.run(&["job", "resume", job]);
        if outcome.code != 5 {
            assert_eq!(outcome.expect(0)["state"], "done");
            return;
        }
        says_how_to_go_on(&outcome, job);
    }
    panic!("every run moves a window");
}
