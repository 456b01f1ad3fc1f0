//! From tape to tape.

use super::house::{all_is_well, fill, independent_check, loft, media_of, mixed};
use respool_test_support::Site;

/// Objects on tape a, two fifths of which stay.
fn dug(site: &Site) -> respool_test_support::house::Held {
    let mut held = fill(site, "things", &mixed(60), &["--tags", "a"]);
    let gone: Vec<String> = held
        .keys()
        .enumerate()
        .filter(|(number, _)| number % 5 > 1)
        .map(|(_, oid)| oid.clone())
        .collect();
    for oid in gone {
        site.ok(&["delete", &oid]);
        held.remove(&oid);
    }
    held
}

/// E-11, E-14, E-08: two drives, one for each of both tapes; the source is erased and takes extents again.
#[test]
fn e11_e14_a_tape_is_repacked_onto_another_and_erased() {
    let site = loft(2, &["a", "b"]);
    let held = dug(&site);
    all_is_well(&site, &held);
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0", "--drop-deleted"]);
    assert_eq!(report["state"], "done", "{report:#}");
    assert_eq!(report["extents"]["remaining"], 0, "{report:#}");
    assert_eq!(report["read_back"]["failed"], 0, "{report:#}");
    for oid in held.keys() {
        assert!(media_of(&site, oid).iter().all(|medium| medium == "b"), "{oid}");
    }
    let emptied = site.medium("a");
    assert_eq!(
        (&emptied["fs_state"], &emptied["generation"]),
        (&"empty".into(), &1.into()),
        "{emptied:#}"
    );
    all_is_well(&site, &held);
    independent_check(&site, &["a", "b"], &[]);
    all_is_well(&site, &held);
}

/// E-11: from a directory to a tape, and back to another directory.
#[test]
fn e11_extents_go_from_directories_to_tapes_and_back() {
    let site = loft(1, &["t"]);
    site.disks(&["from", "back"]);
    let held = fill(&site, "things", &mixed(40), &["--tags", "from"]);
    site.ok(&["repack", "from", "--to", "t", "--quarantine", "0"]);
    all_is_well(&site, &held);
    independent_check(&site, &["t"], &[]);
    site.ok(&["repack", "t", "--to", "back", "--quarantine", "0"]);
    all_is_well(&site, &held);
}

/// with one drive the bytes wait in the spool while the robot changes the tape.
#[test]
fn x10_a_library_with_one_drive_repacks_by_way_of_the_spool() {
    let site = loft(1, &["a", "b"]);
    let held = fill(&site, "things", &mixed(60), &["--tags", "a"]);
    let plan = site.ok(&["repack", "a", "--to", "b", "--plan"]);
    assert!(
        plan["staged"]["rounds"].as_u64().is_some_and(|rounds| rounds > 1),
        "{plan:#}"
    );
    let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    assert_eq!(report["state"], "done", "{report:#}");
    all_is_well(&site, &held);
    independent_check(&site, &["a", "b"], &[]);
}
