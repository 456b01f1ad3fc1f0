//! PostgreSQL takes requests and answers none, as on a machine that was paused: nobody waits for it without end, and when
//! it answers again the work goes on.

use super::house::{all_is_well, fill, filling, mixed, newest_job, site};
use super::swaps::HeldSwap;
use respool_test_support::Site;
use respool_test_support::site::{Outcome, wait_until_within};
use std::time::{Duration, Instant};

/// Well within a minute an operator knows why nothing goes on.
const TOLD_WITHIN: Duration = Duration::from_secs(45);

const REPACK: [&str; 6] = ["repack", "a", "--to", "b", "--quarantine", "0"];
const OBJECTS: usize = 80;

#[track_caller]
fn is_told(outcome: &Outcome) {
    let told = (outcome.code, outcome.problem());
    assert_eq!(told, (3, "catalogue_unavailable"), "{outcome:?}");
    assert!(
        outcome.stderr.contains("it takes requests and has answered none for"),
        "{outcome:?}"
    );
}

/// Asks something while nothing is answered.
#[track_caller]
fn ask_in_vain(site: &Site) {
    let begun = Instant::now();
    is_told(&site.run(&["medium", "list"]));
    assert!(begun.elapsed() < TOLD_WITHIN, "it took {:?}", begun.elapsed());
}

/// a swap waits in the middle of its transaction when the server falls silent. The job gives it up, waits, and
/// comes to its end after all.
#[test]
fn x05_a_swap_that_is_not_answered_any_more_is_given_up_and_done_again() {
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(OBJECTS), &["--tags", "a"]);
    let swap = HeldSwap::onto(&site, "b");
    let repack = site.start(&REPACK);
    let swap = swap.wait();
    swap.stands(&site);
    let respoold = site.pid();
    let frozen = site.freeze_server();
    let begun = Instant::now();
    let asked = std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask_in_vain(&site));
        is_told(&repack.wait());
        assert!(begun.elapsed() < TOLD_WITHIN, "it took {:?}", begun.elapsed());
        asked.join()
    });
    asked.unwrap();
    let begun = Instant::now();
    is_told(&site.run(&["medium", "list"]));
    assert!(begun.elapsed() < Duration::from_secs(10), "it is known by now");
    assert_eq!(site.pid(), respoold, "respoold lives");
    drop(frozen);
    swap.release();
    let job = wait_for_the_job(&site);
    let report = site.ok(&["job", "wait", &job]);
    assert_eq!(report["state"], "done", "{report:#}");
    assert_eq!(report["extents"]["moved"], OBJECTS, "{report:#}");
    assert_eq!(site.pid(), respoold, "the same respoold did it all");
    assert!(site.files("a").is_empty());
    all_is_well(&site, &held);
}

/// As soon as the server answers, so does respoold.
fn wait_for_the_job(site: &Site) -> String {
    wait_until_within(Duration::from_secs(10), "requests are answered again", || {
        site.run(&["medium", "list"]).code == 0
    });
    newest_job(site).unwrap()["job"].to_string()
}

/// Puts that come one after the other while the server falls silent at some instant: what was acknowledged is there, and
/// the one that was not is there whole or not at all, and can be put again.
#[test]
fn a_put_that_is_not_answered_any_more_is_told_so_and_nothing_is_lost() {
    let site = site(&["a"]);
    let mut held = fill(&site, "things", &mixed(8), &["--tags", "a"]);
    let put = |number: u64| site.try_put(&format!("put/{number:03}"), &filling(number, 3_000), &[]);
    let mut number = 0;
    let failed = std::thread::scope(|scope| {
        let putting = scope.spawn(|| {
            loop {
                let begun = Instant::now();
                let outcome = put(number);
                if outcome.code != 0 {
                    return (outcome, begun.elapsed());
                }
                held.insert(format!("put/{number:03}"), filling(number, 3_000));
                number += 1;
            }
        });
        site.wait_until("puts are under way", || !site.extents(&["--oid", "put/004"]).is_empty());
        let frozen = site.freeze_server();
        let failed = putting.join().unwrap();
        drop(frozen);
        failed
    });
    let (outcome, took) = failed;
    assert_eq!(
        (outcome.code, outcome.problem()),
        (3, "catalogue_unavailable"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("has answered none for"), "{outcome:?}");
    assert!(took < TOLD_WITHIN, "it took {took:?}");
    let oid = format!("put/{number:03}");
    site.wait_until("requests are answered again", || {
        site.run(&["medium", "list"]).code == 0
    });
    match site.try_get(&oid) {
        Ok(bytes) => assert!(bytes == filling(number, 3_000)),
        Err(absent) => assert_eq!(absent.code, 2, "{absent:?}"),
    }
    site.put(&oid, &filling(number, 3_000), &["--overwrite"]);
    held.insert(oid, filling(number, 3_000));
    // What the put left behind is nobody's at the next start.
    site.stop();
    all_is_well(&site, &held);
}
