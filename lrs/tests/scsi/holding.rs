//! One host at a time (SPC-4, 5.12): another one's hold is told by its key.

use super::script::*;
use lrs::ldm::Blame;
use lrs::ldm::drive::Drive;
use lrs::ldm::drive::scsi::Hold;
use lrs::ldm::scsi::cdb::{Removal, ReserveAction};
use lrs::ldm::scsi::{Cdb, Status};

const REGISTER: ReserveAction = ReserveAction::RegisterIgnoringExisting;

#[test]
fn a_drive_is_reserved_by_this_hosts_key_and_given_back() {
    let (device, mut drive) = standing();
    device
        .on(Cdb::persistent_reserve(REGISTER), good())
        .on(Cdb::persistent_reserve(ReserveAction::Reserve), good());
    drive.reserve().unwrap();
    assert_eq!(drive.hold(), Hold::Reserved);
    let sent = device.sent();
    assert_eq!(&sent[0][..16], b"\0\0\0\0\0\0\0\0Respool\x01");
    assert_eq!(&sent[1][..16], b"Respool\x01\0\0\0\0\0\0\0\0");

    device
        .on(Cdb::persistent_reserve(ReserveAction::Release), good())
        .on(Cdb::persistent_reserve(REGISTER), good());
    drive.release().unwrap();
    drive.release().unwrap();
    device.done();
}

#[test]
fn another_hosts_hold_is_told_by_its_key() {
    let (device, mut drive) = standing();
    let mut holder = [0; 24];
    (holder[7], holder[15], holder[21]) = (16, 0x2a, 3);
    device
        .on(Cdb::persistent_reserve(REGISTER), good())
        .on(
            Cdb::persistent_reserve(ReserveAction::Reserve),
            status(Status::ReservationConflict),
        )
        .on(Cdb::read_reservation(24), data(&holder))
        // It does not stay registered where it holds nothing.
        .on(Cdb::persistent_reserve(REGISTER), good());
    let error = drive.reserve().unwrap_err();
    device.done();
    assert_eq!(error.blame(), Blame::Operator);
    assert!(
        error
            .to_string()
            .ends_with("it is reserved by the host with key 0x000000000000002a"),
        "{error}"
    );
    assert_eq!(drive.hold(), Hold::Nothing);
}

#[test]
fn a_holder_that_cannot_be_named_is_still_another_host() {
    let (device, mut drive) = standing();
    device
        .on(Cdb::write(4), status(Status::ReservationConflict))
        .on(Cdb::read_reservation(24), check(5, 0x20, 0));
    let error = drive.write(b"data").unwrap_err();
    assert!(error.to_string().ends_with("it is reserved by another host"), "{error}");
}

#[test]
fn a_drive_without_reservations_keeps_its_cartridge_in() {
    let (device, mut drive) = standing();
    device
        .on(Cdb::persistent_reserve(REGISTER), check(5, 0x20, 0))
        .on(Cdb::removal(Removal::Prevent), good())
        .on(Cdb::removal(Removal::Allow), good());
    drive.reserve().unwrap();
    assert_eq!(drive.hold(), Hold::Prevented);
    drive.release().unwrap();
    device.done();
}
