//! Opening a drive, and a cartridge in and out. MODE SENSE's answer is laid out by hand after SPC-4 and SSC-4, with the
//! codes of TAPE section 4.

use super::script::*;
use lrs::ldm::drive::scsi::timeouts;
use lrs::ldm::drive::{Drive, DriveFault, Position, ScsiDrive, WriteOutcome};
use lrs::ldm::scsi::cdb::{AttributeQuery, Immediate, LoadAction, Removal, ReserveAction};
use lrs::ldm::scsi::{Cdb, Sense};
use std::time::Duration;

const PAGE_11: [u8; 28] = [
    0, 26, 0x88, 0x90, 0, 0, 0, 8, 0x5e, 0, 0, 0, 0, 0, 0, 0, 0x91, 0x0a, 3, 1, 0x1c, 3, 9, 0, 0, 0x26, 0x2e, 0xb8,
];

fn attribute(first: u16) -> Cdb {
    Cdb::read_attribute(AttributeQuery {
        partition: lrs::ldm::drive::Partition(0),
        first,
        allocation: 1024,
    })
}

fn load() -> Cdb {
    Cdb::load_unload(LoadAction::Load, Immediate::Yes)
}

fn expect_description(device: &Device) {
    device
        .on(Cdb::mode_sense(0x11, 0, 512), data(&PAGE_11))
        .on(attribute(0x0401), data(b"\0\0\0\x0f\x04\x01\x81\0\x0aHE12345678"))
        // 0806 is not there: the next one that is comes.
        .on(attribute(0x0806), data(b"\0\0\0\x06\x08\x0c\0\0\x01x"));
}

#[test]
fn another_device_is_no_drive() {
    let device = Device::default();
    device
        .on(Cdb::test_unit_ready(), good())
        .on(Cdb::inquiry(252), data(&inquiry(8)));
    let error = ScsiDrive::with_clock(device, key(), TestClock::default()).unwrap_err();
    assert!(
        error.to_string().contains("it is no tape drive but IBM ULT3580-TD8"),
        "{error}"
    );
}

/// A cartridge that the changer has just put in becomes ready between any two questions.
#[test]
fn attentions_do_not_keep_a_drive_from_being_opened_and_no_position_is_known_then() {
    let (device, clock) = (Device::default(), TestClock::default());
    let serial = || data(b"\x01\x80\0\x0a1013000001");
    device
        .on(Cdb::test_unit_ready(), check(2, 0x04, 0x01))
        .on(Cdb::inquiry(252), check(6, 0x29, 0))
        .on(Cdb::test_unit_ready(), check(2, 0x04, 0x01))
        .on(Cdb::inquiry(252), data(&inquiry(1)))
        .on(Cdb::inquiry_page(0x80, 252), serial())
        .on(Cdb::read_block_limits(), check(6, 0x28, 0))
        .on(Cdb::test_unit_ready(), check(6, 0x28, 0))
        .on(Cdb::test_unit_ready(), good())
        .on(Cdb::read_block_limits(), data(&[0, 0x80, 0, 0, 0, 1]));
    let mut drive = ScsiDrive::with_clock(device.clone(), key(), clock).unwrap();
    device.done();
    let mut buffer = [0; 4];
    assert_eq!(drive.read(&mut buffer).unwrap_err().fault, DriveFault::PositionUnknown);
    assert_eq!(drive.write(b"data").unwrap_err().fault, DriveFault::PositionUnknown);
    assert_eq!(drive.flush().unwrap_err().fault, DriveFault::PositionUnknown);
}

#[test]
fn a_drive_with_attentions_without_end_is_not_opened() {
    let device = Device::default();
    device.on(Cdb::test_unit_ready(), good());
    for _ in 0..17 {
        device
            .on(Cdb::inquiry(252), check(6, 0x29, 0))
            .on(Cdb::test_unit_ready(), good());
    }
    let error = ScsiDrive::with_clock(device.clone(), key(), TestClock::default()).unwrap_err();
    assert_eq!(error.fault, DriveFault::PositionLost(Sense::of(6, 0x29, 0)));
    device.done();
}

/// Somebody who writes may find the cartridge changed, or the drive reset, by a load of somebody else's.
#[test]
fn a_load_that_finds_another_cartridge_does_not_tell_where_it_stands_to_who_knew_it_before() {
    for first in [check(6, 0x29, 0), check(6, 0x28, 0), check(2, 0x04, 0x01)] {
        let (device, mut drive) = standing();
        device.on(Cdb::write(4), good());
        drive.write(b"data").unwrap();
        let attention = matches!(first.says(), Some(6));
        device.on(Cdb::test_unit_ready(), first);
        if attention {
            device.on(Cdb::test_unit_ready(), good());
        }
        device.on(Cdb::test_unit_ready(), good());
        expect_description(&device);
        device.on(Cdb::read_position(), position(0, 0));
        drive.load().unwrap();
        assert_eq!(drive.write(b"more").unwrap_err().fault, DriveFault::PositionUnknown);
        assert_eq!(drive.flush().unwrap_err().fault, DriveFault::PositionUnknown);
        let to = Position::at(0, 0);
        device
            .on(Cdb::locate(to), good())
            .on(Cdb::read_position(), position(0, 0))
            .on(Cdb::write(4), good());
        drive.take_up();
        drive.locate(to).unwrap();
        drive.write(b"anew").unwrap();
        device.done();
    }
}

#[test]
fn a_drive_says_who_it_is() {
    let (_, _, drive) = opened();
    let who = drive.identity();
    assert_eq!(
        (&*who.vendor, &*who.product, &*who.serial),
        ("IBM", "ULT3580-TD8", "1013000001")
    );
}

#[test]
fn a_cartridge_is_waited_for_and_described() {
    let (device, clock, mut drive) = opened();
    device
        .on(Cdb::test_unit_ready(), check(2, 0x3a, 0))
        .on(load(), good())
        .on(Cdb::test_unit_ready(), check(2, 0x04, 0x01));
    for _ in 0..7_000 {
        device.on(Cdb::test_unit_ready(), check(2, 0x04, 0x01));
    }
    device
        .on(Cdb::test_unit_ready(), check(6, 0x28, 0))
        .on(Cdb::test_unit_ready(), good())
        .on(Cdb::test_unit_ready(), good());
    expect_description(&device);
    device.on(Cdb::read_position(), position(0, 0));
    let cartridge = drive.load().unwrap();
    device.done();
    assert!(lrs::ldm::drive::scsi::Clock::now(&clock) > Duration::from_secs(7_000));
    assert_eq!(
        (cartridge.density, cartridge.medium_type, cartridge.partitions),
        (0x5e, 0x88, 2)
    );
    assert!(cartridge.write_protected && !cartridge.worm);
    assert_eq!(
        (cartridge.serial.as_deref(), cartridge.barcode),
        (Some("HE12345678"), None)
    );
    // It was asked where it stands: writing may begin.
    device.on(Cdb::write(4), good());
    assert_eq!(drive.write(b"data"), Ok(WriteOutcome::Taken));
}

#[test]
fn a_cartridge_that_never_becomes_ready_is_given_up_after_two_hours() {
    let (device, _, mut drive) = opened();
    for _ in 0..=timeouts::READY.as_secs() {
        device.on(Cdb::test_unit_ready(), check(2, 0x04, 0x01));
    }
    let error = drive.load().unwrap_err();
    assert_eq!(error.fault, DriveFault::Sense(Sense::of(2, 0x04, 0x01)));
    device.done();
}

#[test]
fn an_empty_drive_and_one_with_a_cleaning_cartridge_are_told_at_once() {
    for (key, asc, ascq) in [(2, 0x3a, 0), (2, 0x30, 0x03), (3, 0x53, 0), (4, 0x53, 0)] {
        let (device, _, mut drive) = opened();
        device
            .on(Cdb::test_unit_ready(), check(2, 0x3a, 0))
            .on(load(), check(key, asc, ascq));
        let error = drive.load().unwrap_err();
        assert_eq!(error.fault, DriveFault::Sense(Sense::of(key, asc, ascq)));
        device.done();
    }
}

#[test]
fn what_was_written_is_on_the_tape_before_the_cartridge_is_let_out() {
    let (device, mut drive) = standing();
    let unload = Cdb::load_unload(LoadAction::Unload, Immediate::No);
    let flush = Cdb::write_filemarks(0, Immediate::No);
    device.on(Cdb::write(4), good()).on(flush, check(3, 0x0c, 0));
    drive.write(b"data").unwrap();
    drive.unload().unwrap_err();
    device.done();
    // It was told; the next time it goes out.
    device.on(unload, good());
    drive.unload().unwrap();

    let (device, mut drive) = standing();
    device.on(Cdb::write(4), good()).on(flush, good()).on(unload, good());
    drive.write(b"data").unwrap();
    drive.unload().unwrap();
    device.done();
}

#[test]
fn a_cartridge_that_this_host_keeps_in_is_let_go_first_and_the_next_one_kept() {
    let (device, mut drive) = standing();
    device
        .on(
            Cdb::persistent_reserve(ReserveAction::RegisterIgnoringExisting),
            check(5, 0x20, 0),
        )
        .on(Cdb::removal(Removal::Prevent), good())
        .on(Cdb::removal(Removal::Allow), good())
        .on(Cdb::load_unload(LoadAction::Unload, Immediate::No), check(2, 0x3a, 0))
        .on(Cdb::test_unit_ready(), good());
    expect_description(&device);
    device
        .on(Cdb::removal(Removal::Prevent), good())
        .on(Cdb::read_position(), position(0, 0));
    drive.reserve().unwrap();
    drive.unload().unwrap();
    drive.load().unwrap();
    device.done();
}
