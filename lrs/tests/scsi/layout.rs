//! FORMAT MEDIUM (SSC-4, 7.1), in the order of the LTFS reference implementation.

use super::script::*;
use lrs::ldm::drive::{Drive, DriveFault, Layout};
use lrs::ldm::scsi::Cdb;
use lrs::ldm::scsi::cdb::FormatType;

/// MODE SENSE's answer with page 11h: `most` additional partitions are possible, `now` there.
fn page(most: u8, now: u8) -> Reply {
    data(&[
        0, 26, 0x88, 0x10, 0, 0, 0, 8, 0x5e, 0, 0, 0, 0, 0, 0, 0, 0x91, 0x0a, most, now, 0x1c, 3, 9, 0, 0, 0, 0, 0,
    ])
}

fn sense_page() -> Cdb {
    Cdb::mode_sense(0x11, 0, 512)
}

fn at_beginning(device: &Device) {
    device
        .on(Cdb::rewind(), good())
        .on(Cdb::read_position(), position(0, 0));
}

#[test]
fn index_and_data_are_the_least_and_the_rest() {
    let (device, mut drive) = standing();
    device.on(sense_page(), page(3, 0));
    at_beginning(&device);
    device
        .on(Cdb::set_capacity(0xffff), good())
        .on(Cdb::mode_select(20), check(1, 0x37, 0).moved(20))
        .on(Cdb::format_medium(FormatType::Partitions), good())
        .on(sense_page(), page(3, 1));
    at_beginning(&device);
    drive.format(Layout::IndexAndData).unwrap();
    device.done();
    assert_eq!(
        device.sent()[0],
        [
            0, 0, 0, 0x10, 0, 0, 0, 0, 0x11, 0x0a, 3, 1, 0x3c, 3, 9, 0, 0, 1, 0xff, 0xff
        ]
    );
}

#[test]
fn one_partition_takes_no_page_and_drives_without_set_capacity_are_formatted_too() {
    let (device, mut drive) = standing();
    device.on(sense_page(), page(3, 1));
    at_beginning(&device);
    device
        .on(Cdb::set_capacity(0xffff), check(5, 0x20, 0))
        .on(Cdb::format_medium(FormatType::Default), good())
        .on(sense_page(), page(3, 0));
    at_beginning(&device);
    drive.format(Layout::Single).unwrap();
    device.done();
}

#[test]
fn what_cannot_be_divided_is_refused_before_anything_is_destroyed() {
    for answer in [page(0, 0), check(5, 0x24, 0)] {
        let (device, mut drive) = standing();
        device.on(sense_page(), answer);
        let error = drive.format(Layout::IndexAndData).unwrap_err();
        assert!(matches!(error.fault, DriveFault::Unfit(_)), "{error}");
        device.done();
    }
}

#[test]
fn a_format_that_made_something_else_has_failed() {
    let (device, mut drive) = standing();
    device.on(sense_page(), page(3, 0));
    at_beginning(&device);
    device
        .on(Cdb::set_capacity(0xffff), good())
        .on(Cdb::mode_select(20), good())
        .on(Cdb::format_medium(FormatType::Partitions), good())
        .on(sense_page(), page(3, 0));
    let error = drive.format(Layout::IndexAndData).unwrap_err();
    assert!(
        error.to_string().ends_with("2 partitions were wanted, and there are 1"),
        "{error}"
    );
    assert_eq!(drive.write(b"data").unwrap_err().fault, DriveFault::PositionUnknown);
}

#[test]
fn a_cartridge_that_may_be_another_one_is_not_formatted() {
    let (device, mut drive) = standing();
    device
        .on(Cdb::write(4), check(6, 0x28, 0))
        .on(Cdb::test_unit_ready(), good());
    drive.write(b"data").unwrap_err();
    assert_eq!(
        drive.format(Layout::Single).unwrap_err().fault,
        DriveFault::PositionUnknown
    );
    device.done();
}
