//! E-07, E-10: clients that put, overwrite, delete and read while their objects are being moved.

use super::house::{Held, all_is_well, all_readable, fill, filling, job_of, mixed, site};
use super::swaps::HeldSwap;
use super::wire;
use respool_test_support::Site;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// What one client did to its own objects.
#[derive(Default)]
struct Done {
    live: Held,
    deleted: Held,
    /// Earlier versions, by name and number.
    earlier: Vec<(String, u32, Vec<u8>)>,
}

/// Overwrites every fourth of its objects, deletes the next, deletes and undeletes the third, leaves the fourth.
fn trouble(site: &Site, mine: Vec<(String, Vec<u8>)>) -> Done {
    let mut done = Done::default();
    for (number, (oid, bytes)) in mine.into_iter().enumerate() {
        match number % 4 {
            0 => {
                let newer = filling(1_000 + number as u64, 3_000 + number);
                site.put(&oid, &newer, &["--overwrite", "--tags", "c"]);
                done.live.insert(oid.clone(), newer);
                done.earlier.push((oid, 1, bytes));
            }
            1 => {
                site.ok(&["delete", &oid]);
                done.deleted.insert(oid, bytes);
            }
            2 => {
                site.ok(&["delete", &oid]);
                site.ok(&["undelete", &oid]);
                done.live.insert(oid, bytes);
            }
            _ => {
                done.live.insert(oid, bytes);
            }
        }
    }
    done
}

fn compare(site: &Site, done: &Done) {
    all_is_well(site, &done.live);
    for (oid, version, bytes) in &done.earlier {
        assert!(
            wire::get(site, oid, Some(*version)).as_ref() == Ok(bytes),
            "{oid} version {version}"
        );
    }
    for oid in done.deleted.keys() {
        assert_eq!(site.try_get(oid).unwrap_err().code, 2, "{oid} is deleted");
        site.ok(&["undelete", oid]);
    }
    let mut live = done.live.clone();
    live.extend(done.deleted.clone());
    all_readable(site, &live);
}

#[test]
fn e07_nothing_is_lost_between_a_swap_that_waits_and_what_happens_meanwhile() {
    let site = site(&["a", "b", "c"]);
    let held = fill(&site, "things", &mixed(40), &["--tags", "a"]);
    let swap = HeldSwap::onto(&site, "b");
    let job = job_of(&site.ok(&["repack", "a", "--to", "b", "--detach", "--quarantine", "0"]));
    let swap = swap.wait();
    // Every object of the window changes between its record and its swap.
    let done = trouble(&site, held.into_iter().collect());
    assert!(
        !site.extents(&["--medium", "b", "--state", "pending"]).is_empty(),
        "the swap still waits"
    );
    swap.release();
    let report = site.ok(&["job", "wait", &job]);
    assert_eq!(report["state"], "done", "{report:#}");
    assert!(site.extents(&["--medium", "a"]).is_empty());
    compare(&site, &done);
}

#[test]
fn e07_many_clients_at_once_lose_nothing_and_every_get_is_right() {
    let site = site(&["a", "b", "c"]);
    let held = fill(&site, "things", &mixed(96), &["--tags", "a"]);
    let ended = AtomicBool::new(false);
    let mut lots: Vec<Vec<(String, Vec<u8>)>> = vec![vec![]; 4];
    for (number, object) in held.into_iter().enumerate() {
        lots[number % 4].push(object);
    }
    let untouched: Held = lots.pop().unwrap().into_iter().collect();
    let mut done = Done::default();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut rounds = 0;
            while !ended.load(Ordering::Relaxed) || rounds == 0 {
                for (oid, bytes) in &untouched {
                    assert!(
                        wire::get(&site, oid, None).as_ref() == Ok(bytes),
                        "{oid} during the repack"
                    );
                }
                rounds += 1;
            }
        });
        // There and back and there again, so that everybody meets swaps.
        let mover = scope.spawn(|| {
            for (from, to) in [("a", "b"), ("b", "a"), ("a", "b")] {
                let report = site.ok(&["repack", from, "--to", to, "--quarantine", "0"]);
                assert_eq!(report["state"], "done", "{report:#}");
            }
        });
        let clients: Vec<_> = lots
            .into_iter()
            .map(|lot| scope.spawn(|| trouble(&site, lot)))
            .collect();
        for client in clients {
            let one = client.join().unwrap();
            done.live.extend(one.live);
            done.deleted.extend(one.deleted);
            done.earlier.extend(one.earlier);
        }
        mover.join().unwrap();
        ended.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    done.live.extend(untouched);
    compare(&site, &done);
}
