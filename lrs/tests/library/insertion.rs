//! Cartridges of other software that are brought into a virtual library.

use super::support::{Rig, new, room, trouble};
use crate::fixtures::{each, folder, unpack};
use lrs::ldm::library::{NewLibrary, Trouble};
use lrs::ldm::virt::Technology;
use std::collections::BTreeMap;
use std::path::Path;

/// Names and bytes of the files of a folder, but for what this program keeps there.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.map(|entry| {
        (
            entry.file_name().into_string().unwrap(),
            std::fs::read(entry.path()).unwrap(),
        )
    });
    files.filter(|(name, _)| name != "respool-cartridge.json").collect()
}

/// What lies in the folder of cartridges.
pub fn folders(library: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(library.join("cartridges")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A cartridge of one record and its end, as other software has it.
pub fn cartridge(folder: &Path) {
    std::fs::write(folder.join("0_0_R"), "a record").unwrap();
    std::fs::write(folder.join("0_1_E"), "").unwrap();
}

#[test]
fn every_fixture_is_copied_file_by_file_and_read() {
    each(|fixture| {
        let Rig { library, folder: _room } = Rig::new(Technology::Lto8);
        library
            .insert(&fixture.cartridge, "FXT001L8", Some(Technology::Lto8))
            .unwrap();
        let copy = library.cartridge_path("FXT001L8").unwrap();
        assert_eq!(files(&copy), files(&fixture.cartridge), "{}", fixture.name());
        let loaded = library.put_in("drv0", "FXT001L8").unwrap();
        assert_eq!((loaded.cartridge.partitions, loaded.cartridge.density), (2, 0x5e));
        library.take_out("drv0").unwrap().unwrap();
    });
}

#[test]
fn a_cartridge_is_what_one_says_else_what_its_folder_says_else_what_the_library_is() {
    let density = |rig: &Rig, barcode: &str| {
        let density = rig.library.put_in("drv0", barcode).unwrap().cartridge.density;
        rig.library.take_out("drv0").unwrap();
        density
    };
    let rig = Rig::new(Technology::Lto7);
    let plain = room();
    cartridge(plain.path());
    rig.library
        .insert(plain.path(), "FXT001", Some(Technology::Lto6))
        .unwrap();
    rig.library.insert(plain.path(), "FXT002", None).unwrap();
    assert_eq!((density(&rig, "FXT001"), density(&rig, "FXT002")), (0x5a, 0x5c));
    let Some(folder) = folder() else {
        println!("not run: no fixtures");
        return;
    };
    let fixture = unpack(&folder, "simple");
    let rig = Rig::new(Technology::Lto7);
    rig.library.insert(&fixture.cartridge, "FXT003L5", None).unwrap();
    assert_eq!(density(&rig, "FXT003L5"), 0x58);
}

#[test]
fn what_is_refused_leaves_nothing() {
    let rig = Rig::new(Technology::Lto9);
    let room = room();
    let whole = room.path().join("whole");
    std::fs::create_dir(&whole).unwrap();
    cartridge(&whole);
    let odd = room.path().join("odd");
    std::fs::create_dir(&odd).unwrap();
    cartridge(&odd);
    std::fs::create_dir(odd.join("0_2_F")).unwrap();
    let mad = room.path().join("mad");
    std::fs::create_dir(&mad).unwrap();
    cartridge(&mad);
    std::fs::write(mad.join("respool-cartridge.json"), "{").unwrap();
    let empty = room.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::fs::write(empty.join("notes.txt"), "").unwrap();
    let before = folders(rig.folder.path());
    let refused = |from: &Path, barcode: &str, words: &str| {
        let trouble = trouble(rig.library.insert(from, barcode, None));
        assert!(trouble.to_string().contains(words), "{trouble}");
        assert_eq!(folders(rig.folder.path()), before, "{trouble}");
        trouble
    };
    refused(&empty, "FXT001L9", "is no folder of a cartridge");
    refused(&odd, "FXT001L9", "0_2_F is no file");
    refused(&mad, "FXT001L9", "what it says of itself cannot be read");
    refused(&whole.join("0_0_R"), "FXT001L9", "it is no folder");
    refused(&whole, "RSP001L9", "there is a cartridge RSP001L9 already");
    refused(&whole, "../FXT", "is no barcode");
    assert!(matches!(refused(&whole, "CLN001L9", "cleaning"), Trouble::Cleaning(_)));
    refused(&room.path().join("nowhere"), "FXT001L9", "there is none");
    rig.library.insert(&whole, "FXT001L9", None).unwrap();
    rig.library.insert(&whole, "FXT002L9", None).unwrap();
    let refused = trouble(rig.library.insert(&whole, "FXT003L9", None));
    assert_eq!(refused, Trouble::Refused("no slot is free".to_owned()));
    assert_eq!(folders(rig.folder.path()).len(), before.len() + 2);
}

#[test]
fn a_cartridge_is_brought_in_while_drives_work() {
    let few = NewLibrary {
        cartridges: 1,
        ..new(Technology::Lto9)
    };
    let Rig { library, folder: _room } = Rig::of(&few, "");
    let plain = room();
    cartridge(plain.path());
    library.put_in("drv0", "RSP000L9").unwrap();
    library.insert(plain.path(), "FXT001L9", None).unwrap();
    // The changer says that its door was opened; nobody minds.
    library.take_out("drv0").unwrap().unwrap();
    library.insert(plain.path(), "FXT002L9", None).unwrap();
    library.put_in("drv1", "FXT002L9").unwrap();
}
