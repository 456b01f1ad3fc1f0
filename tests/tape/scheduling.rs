//! Who gets which drive: jobs that need each other's, tapes that are elsewhere, drives that an operator keeps.

use super::house::{
    Held, all_is_well, all_readable, barcode, cartridge, fill, independent_check, job_of, loft, media_of, mixed,
};
use respool_test_support::Site;
use serde_json::Value;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Two jobs, each from a tape to a tape of its own; both are to end.
fn opposite(site: &Site, jobs: [(&str, &str); 2]) {
    let begun = jobs.map(|(from, to)| site.start(&["repack", from, "--to", to, "--quarantine", "0", "--detach"]));
    for job in begun {
        let job = job_of(&job.wait().expect(0));
        let report = site.ok(&["job", "wait", &job]);
        assert_eq!(report["state"], "done", "{report:#}");
        assert_eq!(report["extents"]["moved"], 30, "{report:#}");
    }
}

/// E-01, X-09: with two drives each job needs both, with one each needs the only one, twice.
#[test]
fn x09_e01_two_repacks_at_once_both_end_however_many_drives_there_are() {
    for drives in [2, 1] {
        let site = loft(drives, &["a", "b", "c", "d"]);
        let mut held = fill(&site, "on-a", &mixed(30), &["--tags", "a"]);
        held.extend(fill(&site, "on-b", &mixed(30), &["--tags", "b"]));
        opposite(&site, [("a", "c"), ("b", "d")]);
        assert_eq!(media_of(&site, "on-a/0001"), ["c"], "{drives}");
        assert_eq!(media_of(&site, "on-b/0001"), ["d"], "{drives}");
        // And back again, each where the other came from.
        opposite(&site, [("c", "b"), ("d", "a")]);
        all_is_well(&site, &held);
        independent_check(&site, &["a", "b", "c", "d"], &[]);
    }
}

/// the source sits in one drive and the target in the other, each where it was used last; the other way round they
/// are used by nobody, and are taken from where they are.
#[test]
fn x20_a_tape_that_sits_in_the_other_drive_is_taken_from_there() {
    let site = loft(2, &["a", "b", "c"]);
    let held = fill(&site, "things", &mixed(16), &["--tags", "a"]);
    // Whatever the drives are left with, the next job finds what it needs.
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "a"), ("a", "c"), ("c", "b")] {
        let report = site.ok(&["repack", from, "--to", to, "--quarantine", "0"]);
        assert_eq!(report["state"], "done", "{from} to {to}: {report:#}");
    }
    all_is_well(&site, &held);
    independent_check(&site, &["a", "b", "c"], &[]);
}

/// with one of two drives kept by the operator, the tape in it is brought into the other one.
#[test]
fn x20_a_tape_in_a_drive_that_is_locked_is_used_in_the_other_one() {
    let site = loft(2, &["a", "b"]);
    let held = fill(&site, "things", &mixed(16), &["--tags", "a"]);
    for drive in ["lib0/drv0", "lib0/drv1"] {
        site.ok(&["drive", "lock", drive, "--why", "grinding"]);
        all_readable(&site, &held);
        let list = site.ok(&["drive", "status", drive]);
        assert_eq!(list["drives"][0]["locked"], "grinding", "{list:#}");
        site.ok(&["drive", "unlock", drive]);
    }
    all_is_well(&site, &held);
}

/// Where an operator takes a cartridge out of the library by hand: the inventory does not have it any more.
fn take_out(site: &Site, code: &str) {
    site.stop();
    let file = site.root().join("lib0/library.json");
    let mut library: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let elements = library["elements"].as_object_mut().unwrap();
    let at = elements.iter().find(|(_, content)| content["barcode"] == code);
    let at = at.expect("it is in the library").0.clone();
    elements.remove(&at);
    fs::write(&file, library.to_string()).unwrap();
}

/// refused at once, with the shelf, the barcode and the library named; back in its library it is found by itself.
#[test]
fn x20_a_tape_that_is_not_in_its_library_is_refused_and_its_place_named() {
    let site = loft(2, &["a", "b"]);
    let held = fill(&site, "things", &mixed(16), &["--tags", "a"]);
    let kept = fs::read_to_string(site.root().join("lib0/library.json")).unwrap();
    take_out(&site, &barcode(0));
    let place = format!("it is not here (shelf); last known at {} in library lib0", barcode(0));
    for command in [
        &["get", "things/0001", "copy"][..],
        &["repack", "a", "--to", "b", "--quarantine", "0"],
    ] {
        let refused = site.run(command);
        assert_eq!(refused.code, 3, "{refused:?}");
        let said = &refused.stderr;
        assert!(said.contains(&place) && said.contains("next:"), "{said}");
    }
    let refused = site.run(&["tape", "check", "a"]);
    assert_eq!((refused.code, refused.problem()), (2, "not_found"), "{refused:?}");
    assert_eq!(site.medium("a")["presence"], "shelf");
    assert_eq!(site.medium("a")["adm_state"], "in_service", "refused: nothing touched");
    let list = site.ok(&["tape", "list"]);
    let mut tapes = list["tapes"].as_array().unwrap().iter();
    let row = tapes.find(|tape| tape["medium"] == "a").expect("it is still known");
    assert_eq!(
        (&row["presence"], &row["element"]),
        (&"shelf".into(), &Value::Null),
        "{row:#}"
    );
    // It is put back by hand.
    site.stop();
    fs::write(site.root().join("lib0/library.json"), kept).unwrap();
    assert_eq!(site.medium("a")["presence"], "near");
    site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    all_is_well(&site, &held);
    independent_check(&site, &["a", "b"], &[]);
}

/// X-20, E-11: a tape that somebody carried into another library is found there by its barcode, and moved from there.
#[test]
fn x20_a_tape_that_was_put_into_another_library_is_found_there() {
    let site = loft(1, &["a", "b"]);
    let held = fill(&site, "things", &mixed(16), &["--tags", "a"]);
    site.ok(&["tape", "unload", "a"]);
    let carried = site.root().join("carried").display().to_string();
    let other = [
        "library", "add", "virtual", "lib1", "lib1", "--drives", "1", "--slots", "2",
    ];
    site.ok(&[&other[..], &["--cartridges", "0"]].concat());
    let folder = cartridge(&site, "a");
    take_out(&site, &barcode(0));
    fs::rename(folder, &carried).unwrap();
    assert_eq!(site.medium("a")["presence"], "shelf");
    site.ok(&["library", "insert", "lib1", &carried, "--barcode", &barcode(0)]);
    let found = site.medium("a");
    assert_eq!(
        (&found["library"], &found["presence"]),
        (&"lib1".into(), &"near".into()),
        "{found:#}"
    );
    all_readable(&site, &held);
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(report["state"], "done", "{report:#}");
    assert_eq!(media_of(&site, "things/0003"), ["b"]);
    all_is_well(&site, &held);
    independent_check(&site, &["a", "b"], &[]);
}

/// A drive that is locked in the middle of a job serves it to the next boundary; the job ends with the other one.
#[test]
fn x10_a_drive_that_is_locked_during_a_repack_is_left_and_the_job_ends_with_the_other() {
    let site = loft(2, &["a", "b"]);
    let held = fill(&site, "things", &mixed(90), &["--tags", "a"]);
    let job = job_of(&site.ok(&["repack", "a", "--to", "b", "--quarantine", "0", "--detach"]));
    site.ok(&["drive", "lock", "drv1", "--why", "it grinds"]);
    let report = site.ok(&["job", "wait", &job]);
    assert_eq!(report["state"], "done", "{report:#}");
    let drive = &site.ok(&["drive", "status", "drv1"])["drives"][0];
    assert_eq!(
        (&drive["locked"], &drive["medium"]),
        (&"it grinds".into(), &Value::Null),
        "{drive:#}"
    );
    all_is_well(&site, &held);
    site.ok(&["drive", "unlock", "drv1"]);
    independent_check(&site, &["a", "b"], &[]);
}

/// no drive at all is a refusal that names each with its reason, never a wait.
#[test]
fn x10_a_library_whose_drives_are_all_locked_is_refused_at_once() {
    let site = loft(2, &["a", "b"]);
    let held = fill(&site, "things", &mixed(8), &["--tags", "a"]);
    for drive in ["drv0", "drv1"] {
        site.ok(&["drive", "lock", drive, "--why", "serviced"]);
    }
    for (command, code) in [
        (&["repack", "a", "--to", "b", "--quarantine", "0"][..], 3),
        (&["get", "things/0001", "copy"], 3),
        (&["tape", "check", "a"], 2),
    ] {
        let refused = site.run(command);
        assert_eq!(refused.code, code, "{command:?}: {refused:?}");
        let said = &refused.stderr;
        assert!(
            said.contains("serviced") && said.contains("next:"),
            "{command:?}: {said}"
        );
    }
    assert_eq!(site.medium("a")["adm_state"], "in_service", "refused: nothing touched");
    for drive in ["drv0", "drv1"] {
        site.ok(&["drive", "unlock", drive]);
    }
    site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    all_is_well(&site, &held);
    independent_check(&site, &["a", "b"], &[]);
}

/// E-10: with two drives and with one.
#[test]
fn e10_every_get_during_a_repack_of_its_tape_answers_what_was_put() {
    for drives in [2, 1] {
        let site = loft(drives, &["a", "b"]);
        let held: Held = fill(&site, "things", &mixed(40), &["--tags", "a"]);
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut rounds = 0;
                while !ended.load(Ordering::Relaxed) || rounds == 0 {
                    for (oid, bytes) in held.iter().step_by(7) {
                        assert!(site.get(oid) == *bytes, "{oid} during the repack");
                    }
                    rounds += 1;
                }
            });
            let report = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]);
            ended.store(true, Ordering::Relaxed);
            assert_eq!(report.expect(0)["state"], "done");
        });
        all_is_well(&site, &held);
        independent_check(&site, &["a", "b"], &[]);
    }
}
