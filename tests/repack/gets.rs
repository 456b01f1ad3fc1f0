//! What a get answers while the bytes move away below it.

use super::house::{Held, RESPOOL, all_is_well, fill, filling, media_of, mixed, site};
use super::wire;
use respool_test_support::Site;
use respool_test_support::site::QUICK;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Every version that was ever put, in its order, by name; each is there before the command that puts it begins. The
/// number is that of the oldest version that a get begun now may answer: the one acknowledged last.
type Known = Mutex<BTreeMap<String, (Vec<Vec<u8>>, usize)>>;

/// One reader: gets of all objects in turn, until the repacks are over. Deleted objects may be unknown for a while.
fn read(site: &Site, known: &Known, ended: &AtomicBool, gets: &AtomicUsize) {
    let names: Vec<String> = known.lock().unwrap().keys().cloned().collect();
    let mut rounds = 0;
    while !ended.load(Ordering::Relaxed) || rounds == 0 {
        for oid in &names {
            let oldest = known.lock().unwrap()[oid].1;
            let got = wire::get(site, oid, None);
            let versions = known.lock().unwrap()[oid].0.clone();
            match got {
                Ok(bytes) => assert!(
                    versions[oldest..].contains(&bytes),
                    "{oid}: {} bytes that no version since {oldest} has",
                    bytes.len()
                ),
                Err(why) => assert!(oid.starts_with("deleted") && why.contains(oid), "{oid}: {why}"),
            }
            gets.fetch_add(1, Ordering::Relaxed);
        }
        rounds += 1;
    }
}

/// One writer: overwrites some, deletes and undeletes others, over and over.
fn write(site: &Site, known: &Known, ended: &AtomicBool) {
    let mut round = 0;
    while !ended.load(Ordering::Relaxed) || round == 0 {
        for number in 0..4 {
            let oid = format!("overwritten/{number:04}");
            let bytes = filling(round * 10 + number, 2_000 + round as usize * 7);
            known.lock().unwrap().get_mut(&oid).unwrap().0.push(bytes.clone());
            site.put(&oid, &bytes, &["--overwrite", "--tags", "c"]);
            let mut known = known.lock().unwrap();
            let (versions, acknowledged) = known.get_mut(&oid).unwrap();
            *acknowledged = versions.len() - 1;
        }
        for number in 0..4 {
            let oid = format!("deleted/{number:04}");
            site.ok(&["delete", &oid]);
            site.ok(&["undelete", &oid]);
        }
        round += 1;
    }
}

#[test]
fn e10_every_get_during_repacks_answers_what_was_put() {
    let site = site(&["a", "b", "c"]);
    let known = Known::default();
    for prefix in ["overwritten", "deleted", "still"] {
        for (oid, bytes) in fill(&site, prefix, &mixed(16), &["--tags", "a"]) {
            known.lock().unwrap().insert(oid, (vec![bytes], 0));
        }
    }
    // Several extents, so that a swap comes in the middle of a get.
    let large = filling(9, 600_000);
    site.put_on("a", "still/large", &large);
    known.lock().unwrap().insert("still/large".into(), (vec![large], 0));
    let (ended, gets) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| read(&site, &known, &ended, &gets)))
            .collect();
        let writer = scope.spawn(|| write(&site, &known, &ended));
        for (from, to) in [("a", "b"), ("b", "a"), ("a", "b"), ("b", "a")] {
            let report = site.run(&["repack", from, "--to", to, "--quarantine", "0"]);
            // However it ends, the others are told.
            ended.store(report.code != 0, Ordering::Relaxed);
            assert_eq!(report.expect(0)["state"], "done");
        }
        ended.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    println!("{} gets", gets.load(Ordering::Relaxed));
    let known = known.into_inner().unwrap();
    let held: Held = known
        .into_iter()
        .map(|(oid, (versions, _))| (oid, versions.into_iter().next_back().unwrap()))
        .collect();
    all_is_well(&site, &held);
}

/// The layout was read before the swap; the extents that it named are gone when their turn comes.
#[test]
fn x17_a_get_that_was_resolved_before_the_swap_finds_the_bytes_after_it() {
    let config = QUICK.replace("64 KiB", "1 MiB");
    let site = Site::with_config(RESPOOL, &config);
    site.disks(&["a", "b"]);
    // More than what the sockets and the daemon's own buffers hold: most of it is read after the pause.
    let bytes = filling(17, 24 << 20);
    site.put_on("a", "large", &bytes);
    let addresses: Vec<String> = site
        .extents(&["--oid", "large"])
        .iter()
        .map(|row| row["address"].as_str().unwrap().to_owned())
        .collect();
    let (got, before) = wire::get_with_pause(&site, "large", || {
        let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "7d"]);
        assert_eq!(report["state"], "quarantined", "{report:#}");
        // Nothing can come from the old places any more.
        for address in &addresses {
            fs::remove_file(site.disk("a").join(address)).unwrap();
        }
    });
    assert!(before < bytes.len() / 2, "{before} bytes had come before the swap");
    assert!(got.as_ref() == Ok(&bytes), "{:.300?}", got.err());
    let held = Held::from([("large".to_owned(), bytes)]);
    assert_eq!(
        media_of(&site, "large").iter().filter(|medium| *medium != "b").count(),
        0
    );
    super::house::all_readable(&site, &held);
}

#[test]
fn x29_both_media_of_two_copies_emptied_at_once_lose_no_object() {
    let site = Site::new(RESPOOL);
    site.disks(&["a", "b", "c", "d"]);
    for (medium, tags) in [("a", "a,first"), ("b", "b,first"), ("c", "c,second"), ("d", "d,second")] {
        site.ok(&["medium", "set", medium, &format!("tags={tags}")]);
    }
    let held = fill(&site, "twice", &mixed(40), &["--copies", "2", "--tags", "first"]);
    let apart = |oid: &str, on: [&str; 2]| {
        let mut media = media_of(&site, oid);
        media.sort();
        media.dedup();
        media == on
    };
    assert!(held.keys().all(|oid| apart(oid, ["a", "b"])));
    // Both copies on one medium is no way out.
    let refused = site.run(&["repack", "a", "b", "--to", "c", "--quarantine", "0"]);
    assert_eq!((refused.code, refused.problem()), (2, "no_target"), "{refused:?}");
    assert_eq!(site.medium("a")["adm_state"], "in_service", "nothing touched");

    // One job for each, at once, each free to choose either target; everything stays readable all the time.
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                for (oid, got) in wire::get_all(&site, held.keys()) {
                    assert!(got.as_ref() == Ok(&held[&oid]), "{oid}: {:.300?}", got.err());
                }
            }
        });
        let jobs = ["a", "b"].map(|from| site.start(&["repack", from, "--to-tags", "second", "--quarantine", "0"]));
        let ends: Vec<_> = jobs.into_iter().map(|job| job.wait()).collect();
        ended.store(true, Ordering::Relaxed);
        for end in ends {
            assert_eq!(end.expect(0)["state"], "done");
        }
        reader.join().unwrap();
    });
    assert!(held.keys().all(|oid| apart(oid, ["c", "d"])));
    assert!(site.files("a").is_empty() && site.files("b").is_empty());
    all_is_well(&site, &held);

    // E-11: and back, as one job of several media.
    let report = site.ok(&["repack", "c", "d", "--to-tags", "first", "--quarantine", "0"]);
    assert_eq!(
        report["extents"]["moved"],
        2 * site.extents(&["--medium", "a"]).len(),
        "{report:#}"
    );
    assert!(held.keys().all(|oid| apart(oid, ["a", "b"])));
    all_is_well(&site, &held);
}
