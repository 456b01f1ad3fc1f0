//! Folders that something happened to.

use super::positions::{log, parameter};
use super::records::names;
use super::support::{DRIVE, Host, Rig, SLOT};
use std::os::unix::fs::PermissionsExt;

/// Five records and a filemark, unloaded; then `change` happens to the folder, and the cartridge is loaded again.
fn changed(change: impl FnOnce(&std::path::Path)) -> (Rig, Host) {
    let (mut rig, mut drive) = Rig::small();
    for number in 0..5 {
        drive.write(&[number; 100]).good();
    }
    drive.marks(1).good();
    drive.unload().good();
    rig.changer.moves(DRIVE, SLOT).good();
    change(&rig.library.cartridge_path("TAP001L8").unwrap());
    rig.changer.moves(SLOT, DRIVE).good();
    drive.drain().good();
    (rig, drive)
}

#[test]
fn records_are_files_that_others_may_read() {
    let (rig, mut drive) = Rig::small();
    drive.write(&[1; 100]).good();
    drive.marks(1).good();
    let path = rig.library.cartridge_path("TAP001L8").unwrap().join("0_0_R");
    let found = std::fs::metadata(path).unwrap();
    assert_eq!((found.permissions().mode() & 0o777, found.len()), (0o644, 100));
    assert_eq!(names(&rig), ["0_0_R", "0_1_F", "0_2_E"]);
}

#[test]
fn a_record_without_its_file_cannot_be_read_and_all_others_can() {
    let (_rig, mut drive) = changed(|folder| std::fs::remove_file(folder.join("0_2_R")).unwrap());
    drive.locate(0, 2).good();
    assert_eq!(drive.read(100).says(), (3, 0x11, 0));
    drive.locate(0, 3).good();
    assert_eq!(drive.read(100).good(), vec![3; 100]);
}

#[test]
fn an_empty_file_is_no_record_and_is_written_over() {
    let (rig, mut drive) = changed(|folder| std::fs::write(folder.join("0_2_R"), "").unwrap());
    drive.locate(0, 2).good();
    assert_eq!(drive.read(100).says(), (3, 0x11, 0));
    drive.marks(1).good();
    assert_eq!(names(&rig), ["0_0_R", "0_1_R", "0_2_F", "0_3_E"]);
}

#[test]
fn a_partition_without_an_end_is_read_and_not_appended_to() {
    let (_rig, mut drive) = changed(|folder| std::fs::remove_file(folder.join("0_6_E")).unwrap());
    assert_eq!(drive.read(100).good(), vec![0; 100]);
    assert_eq!(drive.space(3, 0).says(), (3, 0x14, 3));
    assert_eq!(drive.read(100).says(), (3, 0x14, 3));
    assert_eq!(drive.write(&[1; 100]).says(), (3, 0x14, 3));
    drive.locate(0, 1).good();
    drive.write(&[9; 100]).good();
    drive.flush().good();
    drive.space(3, 0).good();
    assert_eq!(drive.stands().1, 2);
}

#[test]
fn other_peoples_files_are_left_alone() {
    let (rig, mut drive) = changed(|folder| {
        std::fs::write(folder.join("notes.txt"), "mine").unwrap();
        std::fs::write(folder.join("0_07_R"), "mine").unwrap();
    });
    drive.space(3, 0).good();
    assert_eq!(drive.stands().1, 6);
    drive.rewind();
    drive.write(&[1; 10]).good();
    drive.flush().good();
    let folder = rig.library.cartridge_path("TAP001L8").unwrap();
    assert!(folder.join("notes.txt").exists() && folder.join("0_07_R").exists());
}

#[test]
fn more_records_than_files_may_be_open_are_one_flush() {
    let (rig, mut drive) = Rig::small();
    for number in 0..600_u16 {
        drive.write(&number.to_be_bytes()).good();
    }
    rig.library.power_cut();
    drive.drain().good();
    assert_eq!(drive.read(2).says(), (8, 0, 5));
    for number in 0..600_u16 {
        drive.write(&number.to_be_bytes()).good();
    }
    drive.flush().good();
    rig.library.power_cut();
    drive.drain().good();
    for number in 0..600_u16 {
        assert_eq!(drive.read(2).good(), number.to_be_bytes());
    }
}

/// The load cannot be counted, and nothing that is written could be told from what was there before.
#[test]
fn a_memory_that_takes_nothing_is_told_and_the_tape_is_read_and_not_written() {
    let in_the_way =
        |name: &'static str| move |folder: &std::path::Path| std::fs::create_dir(folder.join(name)).unwrap();
    let (_rig, mut drive) = changed(in_the_way("attr_0_3.new"));
    assert_eq!(parameter(&log(&mut drive, 0x2e), 15), [1]);
    assert_eq!(drive.read(100).good(), vec![0; 100]);
    let (_rig, mut drive) = changed(in_the_way("attr_0_9.new"));
    assert_eq!(parameter(&log(&mut drive, 0x2e), 15), [0], "the load was counted");
    drive.space(3, 0).good();
    assert_eq!(drive.write(&[1; 100]).says(), (3, 0x0c, 0));
}
