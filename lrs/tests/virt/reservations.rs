//! Several initiators of one drive.

use super::support::{DRIVE, Host, Rig, SLOT, six};
use lrs::ldm::scsi::Status;

fn persistent(host: &mut Host, action: u8, kind: u8, key: u64, new: u64) -> Status {
    let mut list = [0; 24];
    list[..8].copy_from_slice(&key.to_be_bytes());
    list[8..16].copy_from_slice(&new.to_be_bytes());
    host.tell(&[0x5f, action, kind, 0, 0, 0, 0, 0, 24, 0], &list).status
}

#[test]
fn a_reserved_drive_answers_nobody_else_until_it_is_released() {
    let (rig, mut one) = Rig::small();
    let mut other = rig.drive(0);
    one.does(&[0x16, 0, 0, 0, 0, 0]).good();
    assert_eq!(other.write(&[1; 10]).status, Status::ReservationConflict);
    assert_eq!(other.does(&[1, 0, 0, 0, 0, 0]).status, Status::ReservationConflict);
    other.ask(&[0x12, 0, 0, 0, 96, 0], 96).good();
    other.does(&[0x17, 0, 0, 0, 0, 0]).good();
    assert_eq!(other.read(10).status, Status::ReservationConflict);
    one.does(&[0x17, 0, 0, 0, 0, 0]).good();
    other.write(&[1; 10]).good();
}

#[test]
fn a_persistent_reservation_names_its_holder_and_can_be_taken_over() {
    let (rig, mut one) = Rig::small();
    let mut other = rig.drive(0);
    assert_eq!(persistent(&mut one, 1, 3, 0, 0), Status::ReservationConflict);
    assert_eq!(persistent(&mut one, 0, 0, 0, 0xa), Status::Good);
    assert_eq!(persistent(&mut one, 1, 3, 0xa, 0), Status::Good);
    assert_eq!(other.write(&[1; 10]).status, Status::ReservationConflict);
    let held = other.ask(&[0x5e, 1, 0, 0, 0, 0, 0, 0, 64, 0], 64).good();
    assert_eq!((held[15], held[21], held.len()), (0xa, 3, 24));
    assert_eq!(persistent(&mut other, 0, 0, 0, 0xb), Status::Good);
    assert_eq!(persistent(&mut other, 1, 3, 0xb, 0), Status::ReservationConflict);
    assert_eq!(persistent(&mut other, 4, 3, 0xb, 0xa), Status::Good);
    other.write(&[1; 10]).good();
    // The one that lost it is refused first, and hears why when it asks.
    assert_eq!(one.write(&[1; 10]).status, Status::ReservationConflict);
    assert_eq!(one.ready().says(), (6, 0x2a, 3));
}

#[test]
fn every_initiator_hears_of_a_reset_and_of_a_new_cartridge() {
    let (mut rig, mut one) = Rig::small();
    let mut fresh = Host(Box::new(rig.library.drive_transport(0).unwrap()));
    assert_eq!(fresh.ready().says(), (6, 0x29, 0));
    fresh.ready().good();
    one.unload().good();
    assert_eq!(one.ready().says(), (2, 0x3a, 0));
    rig.changer.moves(DRIVE, SLOT).good();
    rig.changer.moves(SLOT, DRIVE).good();
    assert_eq!(fresh.ready().says(), (2, 4, 1));
    assert_eq!(one.ready().says(), (6, 0x28, 0));
    one.ready().good();
    assert_eq!(fresh.write(&[1; 10]).says(), (6, 0x28, 0));
    fresh.write(&[1; 10]).good();
}

#[test]
fn prevented_removal_holds_the_cartridge() {
    let (mut rig, mut drive) = Rig::small();
    drive.does(&[0x1e, 0, 0, 0, 1, 0]).good();
    assert_eq!(drive.unload().says(), (5, 0x53, 2));
    assert_eq!(rig.changer.moves(DRIVE, SLOT).says(), (5, 0x53, 2));
    drive.does(&[0x1e, 0, 0, 0, 0, 0]).good();
    // Not prevented, and still threaded.
    assert_eq!(rig.changer.moves(DRIVE, SLOT).says(), (5, 0x53, 2));
    drive.unload().good();
    rig.changer.moves(DRIVE, SLOT).good();
    let sense = drive.ask(&six(0x03, 0, 252), 18).good();
    assert_eq!((sense[2], sense[12]), (2, 0x3a));
}
