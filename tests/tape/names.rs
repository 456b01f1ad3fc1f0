//! Which cartridge is meant, where names and barcodes are the same in several places; and who may use one beside another.

use super::house::{RESPOOL, add_library, all_is_well, barcode, fill, loft, mixed, refused};
use respool_test_support::Site;
use std::thread;

/// Two libraries with the same barcodes.
fn two() -> Site {
    let site = Site::new(RESPOOL);
    add_library(&site, 1, 2);
    let other = site.root().join("lib1").display().to_string();
    let made = ["library", "add", "virtual", "lib1", &other, "--technology", "lto9"];
    site.ok(&[&made[..], &["--drives", "1", "--slots", "3", "--cartridges", "2"]].concat());
    site
}

#[test]
fn x25_a_name_means_its_medium_in_its_own_library_alone() {
    let site = two();
    site.ok(&["tape", "add", &barcode(0), "--library", "lib0", "--name", "pa"]);
    for verb in ["add", "format", "check", "unload"] {
        refused(&site, &["tape", verb, "pa", "--library", "lib1"], "not_found");
    }
    let format = refused(&site, &["tape", "add", &barcode(0)], "ambiguous");
    assert!(format["next"].as_str().unwrap().contains("--library"), "{format:#}");
}

/// What is on a label comes before what a medium is called.
#[test]
fn x25_a_barcode_means_its_cartridge_whatever_a_medium_is_called() {
    let site = two();
    site.ok(&["tape", "add", &barcode(0), "--library", "lib0", "--name", &barcode(1)]);
    let added = site.ok(&["tape", "add", &barcode(1), "--library", "lib0", "--name", "pb"]);
    assert_eq!(added["barcode"], barcode(1).as_str());
    let checked = site.ok(&["tape", "check", &barcode(0), "--library", "lib0"]);
    assert_eq!(checked["barcode"], barcode(0).as_str());
}

/// A tape on the shelf whose barcode another library's tape has keeps neither that library nor respoold from its work.
#[test]
fn x20_a_tape_on_the_shelf_keeps_no_library_of_the_same_barcodes_from_its_work() {
    let site = two();
    for library in ["lib0", "lib1"] {
        site.ok(&["tape", "add", &barcode(0), "--library", library, "--name", library]);
    }
    site.stop();
    let inventory = site.root().join("lib1/library.json");
    let text = std::fs::read_to_string(&inventory).unwrap();
    std::fs::write(&inventory, text.replace(&barcode(0), "OTHER1L9")).unwrap();
    let cartridges = site.root().join("lib1/cartridges");
    std::fs::rename(cartridges.join(barcode(0)), cartridges.join("OTHER1L9")).unwrap();
    site.ok(&["library", "scan", "lib1"]);
    assert_eq!(site.medium("lib1")["presence"], "shelf");
    site.stop();
    site.ok(&["library", "scan", "lib0"]);
    assert_eq!(site.medium("lib0")["presence"], "near");
    assert_eq!(site.medium("lib1")["library"], "lib1");
}

/// Whoever checks a tape has it as it is; whoever reads or writes it beside that waits, and never gets what the other one has.
#[test]
fn e10_a_tape_is_checked_while_it_is_read_and_repacked() {
    let site = loft(2, &["a", "b"]);
    let held = fill(&site, "things", &mixed(16), &["--tags", "a"]);
    thread::scope(|scope| {
        let checks = ["a", "b"].map(|tape| {
            let site = &site;
            scope.spawn(move || {
                for _ in 0..4 {
                    site.ok(&["tape", "check", tape]);
                }
            })
        });
        for (oid, bytes) in held.iter().take(8) {
            assert!(site.get(oid) == *bytes, "{oid}");
        }
        let report = site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
        assert_eq!(report["read_back"]["failed"], 0, "{report:#}");
        for check in checks {
            check.join().unwrap();
        }
    });
    for tape in ["a", "b"] {
        assert_eq!(site.medium(tape)["health"], "ok");
    }
    all_is_well(&site, &held);
}

/// The slot of a tape that is in a drive is kept for it.
#[test]
fn a_cartridge_is_not_inserted_into_the_slot_of_one_that_is_in_a_drive() {
    let site = loft(1, &["a"]);
    let held = fill(&site, "things", &mixed(8), &["--tags", "a"]);
    let other = site.root().join("other").display().to_string();
    site.ok(&["library", "add", "virtual", "other", &other, "--cartridges", "1"]);
    let blank = format!("{other}/cartridges/{}", barcode(0));
    let insert = |code: &str| site.run(&["library", "insert", "lib0", &blank, "--barcode", code]);
    let inserted = (0..4)
        .take_while(|number| insert(&format!("INS00{number}L9")).code == 0)
        .count();
    assert_eq!(inserted, 2, "three slots, one of which is the loaded tape's");
    site.ok(&["tape", "unload", "a"]);
    all_is_well(&site, &held);
}
