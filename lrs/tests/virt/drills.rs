//! Rehearsed disasters: the same plans that disks suffer.

use super::support::{DRIVE, Host, Rig, SLOT, card};
use lrs::ldm::scsi::{Transfer, Transport, TransportError};
use lrs::ldm::virt::Technology;
use std::time::Duration;

fn suffering(faults: &str) -> (Rig, Host) {
    let mut rig = Rig::with_faults(Technology::Lto8, faults);
    let drive = rig.load(&card(1_000_000));
    (rig, drive)
}

fn fault(place: &str, op: &str, error: &str, more: &str) -> String {
    format!("[[fault]]\n{place}\nop = '{op}'\nerror = '{error}'\n{more}\n")
}

const TAPE: &str = "medium = 'TAP001L8'";

#[test]
fn a_read_fails_at_its_block_in_every_way() {
    let faults = [("eio", 0), ("short", 1), ("flip", 2), ("5/24/00", 3)];
    let plan: String = faults
        .iter()
        .map(|(error, block)| fault(TAPE, "read", error, &format!("block = {block}")))
        .collect();
    let (_rig, mut drive) = suffering(&plan);
    for _ in 0..4 {
        drive.write(&[1; 100]).good();
    }
    drive.rewind();
    assert_eq!(drive.read(100).says(), (3, 0x11, 0));
    assert_eq!(drive.read(100).good(), vec![1; 100]);
    let short = drive.read(100);
    assert_eq!(
        (short.flags.2, short.information, short.data.len()),
        (true, Some(50), 50)
    );
    assert_eq!(drive.read(100).good()[50], 0x11);
    assert_eq!(drive.read(100).says(), (5, 0x24, 0));
}

#[test]
fn a_write_fails_before_anything_is_taken_and_a_lost_one_is_not_told() {
    let plan = fault(TAPE, "write", "3/0c/00", "nth = 2") + &fault("drive = 'drv0'", "write", "lost_write", "nth = 3");
    let (_rig, mut drive) = suffering(&plan);
    drive.write(&[1; 10]).good();
    let failed = drive.write(&[2; 10]);
    assert_eq!((failed.says(), failed.information), ((3, 0x0c, 0), Some(10)));
    assert_eq!(drive.stands().1, 1);
    drive.write(&[3; 10]).good();
    drive.rewind();
    assert_eq!(drive.read(10).good(), vec![1; 10]);
    assert_eq!(drive.read(10).good(), vec![0; 10]);
}

#[test]
fn a_tape_can_be_full_early() {
    let (_rig, mut drive) = suffering(&fault("library = 'lib0'", "write", "enospc", "nth = 2"));
    drive.write(&[1; 10]).good();
    assert_eq!(drive.write(&[2; 10]).says(), (0xd, 0, 2));
}

#[test]
fn a_failed_flush_voids_everything_since_the_last_one() {
    let (_rig, mut drive) = suffering(&fault(TAPE, "sync", "eio", "nth = 2"));
    drive.write(&[1; 10]).good();
    drive.flush().good();
    drive.write(&[2; 10]).good();
    let failed = drive.flush();
    assert_eq!((failed.says(), failed.deferred), ((3, 0x0c, 0), false));
    assert_eq!(drive.stands().1, 1);
    assert_eq!(drive.read(10).says(), (8, 0, 5));
}

#[test]
fn a_flush_that_fails_under_another_command_is_deferred() {
    let (_rig, mut drive) = suffering(&fault(TAPE, "sync", "3/0c/00", ""));
    drive.write(&[1; 10]).good();
    let told = drive.does(&[1, 0, 0, 0, 0, 0]);
    assert_eq!((told.says(), told.deferred), ((3, 0x0c, 0), true));
}

#[test]
fn a_reset_loses_the_buffer_and_the_position() {
    let (_rig, mut drive) = suffering(&fault("drive = 'drv0'", "write", "6/29/00", "nth = 3"));
    drive.write(&[1; 10]).good();
    drive.flush().good();
    drive.write(&[2; 10]).good();
    assert_eq!(drive.write(&[3; 10]).says(), (6, 0x29, 0));
    assert_eq!(drive.stands(), (0, 0, 0));
    drive.space(3, 0).good();
    assert_eq!(drive.stands().1, 1);
}

#[test]
fn a_drive_that_cannot_load_says_so_until_it_is_asked_again() {
    let (_rig, mut drive) = suffering(&fault("drive = 'drv0'", "load", "3/52/00", ""));
    assert_eq!(drive.ready().says(), (3, 0x52, 0));
    assert_eq!(drive.ready().says(), (3, 0x52, 0));
    drive.does(&[0x1b, 0, 0, 0, 1, 0]).good();
    assert_eq!(drive.ready().says(), (6, 0x28, 0));
}

#[test]
fn an_arm_that_jams_leaves_everything_where_it_is() {
    let mut rig = Rig::with_faults(Technology::Lto8, &fault("library = 'lib0'", "load", "eio", ""));
    rig.library.add(&card(1_000_000)).unwrap();
    rig.changer.drain();
    assert_eq!(rig.changer.moves(SLOT, DRIVE).says(), (4, 0x15, 1));
    rig.changer.moves(SLOT, DRIVE).good();
}

#[test]
fn a_locate_and_an_unload_fail_where_they_are_told_to() {
    let plan = fault(TAPE, "locate", "4/15/01", "") + &fault("drive = 'drv0'", "unload", "eio", "");
    let (_rig, mut drive) = suffering(&plan);
    assert_eq!(drive.locate(0, 0).says(), (4, 0x15, 1));
    drive.locate(0, 0).good();
    assert_eq!(drive.unload().says(), (4, 0x53, 0));
    drive.unload().good();
}

#[test]
fn a_drive_that_hangs_does_not_answer_in_time() {
    let (rig, mut drive) = suffering(&fault(TAPE, "write", "hang", ""));
    drive.ready().good();
    let mut other = rig.library.drive_transport(0).unwrap();
    let soon = Duration::from_millis(20);
    let answer = drive.0.execute(&[0x0a, 0, 0, 0, 1, 0], Transfer::Out(&[1]), soon);
    assert_eq!(answer, Err(TransportError::TimedOut(soon)));
    other.execute(&[0; 6], Transfer::None, soon).unwrap();
}
