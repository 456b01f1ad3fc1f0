//! Drives that die in the middle of a copy, and an arm that jams.

use super::house::{
    all_is_well, all_readable, barcode, fault, fill, independent_check, library, loft, media_of, mixed, tapes,
};
use respool_test_support::Site;

/// Every command of a drive that has begun to write or read fails from then on, and what is in it does not come out.
fn dies(drive: &str, at: &str) -> String {
    let place = ("drive", drive);
    let always = format!("nth = {at}\ntimes = 0");
    let ops = ["read", "write", "sync", "locate"];
    let failing = ops.map(|op| {
        fault(
            place,
            op,
            "4/44/00",
            if op == "locate" { "nth = 12\ntimes = 0" } else { &always },
        )
    });
    let stuck = fault(place, "unload", "4/44/00", "times = 0");
    let loads = fault(place, "load", "4/44/00", "nth = 2\ntimes = 0");
    failing.concat() + &stuck + &loads
}

/// The drives that have these tapes, by what `drive list` says.
fn drive_of(site: &Site, medium: &str) -> String {
    let list = site.ok(&["drive", "list"]);
    let drives = list["drives"].as_array().unwrap();
    let with = drives.iter().find(|drive| drive["medium"] == medium);
    with.expect("a drive has it")["name"].as_str().unwrap().to_owned()
}

/// I9: the tape that was to be written is stuck in the drive that died. It is told with the drive, what it said and what to
/// do; onto another tape the same goes through with the drive that is left, by way of the spool.
#[test]
fn a_drive_that_dies_is_told_with_the_tape_in_it_and_the_other_one_ends_the_work() {
    let site = loft(2, &["a", "b", "c"]);
    let held = fill(&site, "things", &mixed(60), &["--tags", "a"]);
    // The source is in one drive; whatever is written is in the other.
    assert_eq!(site.get("things/0003"), held["things/0003"]);
    let other = match drive_of(&site, "a").as_str() {
        "drv0" => "drv1",
        "drv1" => "drv0",
        strange => panic!("{strange}"),
    };
    site.faults(&dies(other, "9"));
    assert_eq!(site.get("things/0003"), held["things/0003"]);
    let repack = |to: &str| site.run(&["repack", "a", "--to", to, "--quarantine", "0"]);
    let report = repack("b").expect(3);
    let said = report["error"]["message"].as_str().unwrap();
    assert!(said.contains("4/44/00") && said.contains(other), "{report:#}");
    assert_eq!(
        report["extents"]["skipped"], 0,
        "a drive is no reason to give an extent up: {report:#}"
    );
    assert_eq!(site.medium("a")["adm_state"], "read_only", "the source is kept");
    all_readable(&site, &held);
    let report = repack("c").expect(0);
    assert_eq!(report["state"], "done", "{report:#}");
    let drive = &site.ok(&["drive", "list"])["drives"];
    let dead = drive.as_array().unwrap().iter().find(|drive| drive["name"] == other);
    assert_eq!(dead.unwrap()["state"], "failed", "{drive:#}");
    let kept = site.run(&["tape", "unload", "b"]);
    assert_eq!(
        (kept.code, &kept.json["error"]["code"]),
        (3, &"not_unloaded".into()),
        "{kept:?}"
    );
    site.faults("");
    site.ok(&["medium", "trust", "b"]);
    assert_eq!(media_of(&site, "things/0003"), ["c"]);
    all_is_well(&site, &held);
    independent_check(&site, &["a", "b", "c"], &[]);
}

/// The arm jams once and goes on; the cartridge is where the changer says.
#[test]
fn an_arm_that_jams_once_is_tried_again_and_the_repack_ends() {
    for nth in 1..4 {
        let site = loft(2, &["a", "b"]);
        let held = fill(&site, "things", &mixed(20), &["--tags", "a"]);
        let jam = format!("nth = {nth}");
        site.faults(&fault(("library", "lib0"), "load", "4/15/01", &jam));
        let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
        assert_eq!(report["state"], "done", "{report:#}");
        site.faults("");
        all_is_well(&site, &held);
        independent_check(&site, &["a", "b"], &[]);
    }
}

/// One that stays jammed is told, with the library named and what to do; nothing is touched, and when somebody has seen to
/// it the same command goes through.
#[test]
fn an_arm_that_stays_jammed_is_told_and_nothing_is_lost() {
    let site = library(1, 2);
    tapes(&site, &["a", "b"]);
    let held = fill(&site, "things", &mixed(20), &["--tags", "a"]);
    site.ok(&["tape", "unload", &barcode(0)]);
    site.faults(&fault(("library", "lib0"), "load", "4/15/01", "times = 0"));
    let refused = site.try_get("things/0002").unwrap_err();
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(
        refused.stderr.contains("jammed") && refused.stderr.contains("next:"),
        "{}",
        refused.stderr
    );
    let refused = site.run(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("next:"), "{}", refused.stderr);
    site.faults("");
    all_readable(&site, &held);
    all_is_well(&site, &held);
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(report["state"], "done", "{report:#}");
    all_is_well(&site, &held);
    independent_check(&site, &["a", "b"], &[]);
}
