//! Attributes, room and alerts. Layouts: SPC-4, 7.4, and SSC-4, 8.3; page 17h's records as the LTFS reference
//! implementation reads them.

use super::script::*;
use dss::model::ByteCount;
use lrs::ldm::drive::{Attribute, AttributeFormat, Drive, DriveFault, Partition};
use lrs::ldm::scsi::Cdb;
use lrs::ldm::scsi::cdb::AttributeQuery;
use lrs::ldm::scsi::log::Page;

fn ask(first: u16, allocation: u32) -> Cdb {
    Cdb::read_attribute(AttributeQuery {
        partition: Partition(1),
        first,
        allocation,
    })
}

fn log(page: Page, parameters: &[(u16, &[u8])]) -> Reply {
    let mut body = Vec::new();
    for (code, value) in parameters {
        body.extend(code.to_be_bytes());
        body.extend([3, value.len() as u8]);
        body.extend(*value);
    }
    data(&[&[page.code(), 0][..], &(body.len() as u16).to_be_bytes(), &body].concat())
}

fn ask_log(page: Page) -> Cdb {
    Cdb::log_sense(page, 16 << 10)
}

#[test]
fn an_attribute_that_is_not_there_is_none() {
    for reply in [
        check(5, 0x24, 0),
        check(5, 0x20, 0),
        data(&[0; 4]),
        data(b"\0\0\0\x06\x08\x0d\0\0\x01x"),
    ] {
        let (device, mut drive) = standing();
        device.on(ask(0x080c, 1024), reply);
        assert_eq!(drive.attribute(Partition(1), 0x080c), Ok(None));
    }
    let (device, mut drive) = standing();
    device.on(ask(0x080c, 1024), check(3, 0x11, 0x12));
    assert!(drive.attribute(Partition(1), 0x080c).is_err());
}

#[test]
fn a_long_attribute_is_asked_for_again_and_comes_whole() {
    let (device, mut drive) = standing();
    let mut answer = b"\0\0\x07\xd5\x08\x0c\0\x07\xd0".to_vec();
    answer.extend([7; 2000]);
    device
        .on(ask(0x080c, 1024), data(&answer[..1024]))
        .on(ask(0x080c, 2009), data(&answer));
    let found = drive.attribute(Partition(1), 0x080c).unwrap().unwrap();
    assert_eq!((found.format, found.value), (AttributeFormat::Binary, vec![7; 2000]));
    device.done();
}

#[test]
fn an_attribute_is_written_with_its_lengths() {
    let (device, mut drive) = standing();
    device.on(Cdb::write_attribute(Partition(0), 13), good());
    let attribute = Attribute {
        id: 0x0806,
        format: AttributeFormat::Ascii,
        value: b"TAP1".to_vec(),
    };
    drive.set_attribute(Partition(0), &attribute).unwrap();
    assert_eq!(device.sent(), [b"\0\0\0\x09\x08\x06\x01\0\x04TAP1"]);
}

#[test]
fn room_is_the_drives_word_by_either_page_or_an_error() {
    let (device, mut drive) = standing();
    let records: [u8; 16] = [7, 0, 0, 0, 0, 0, 0, 9, 7, 0, 0, 1, 0, 0, 0, 5];
    device.on(
        ask_log(Page::VolumeStatistics),
        log(Page::VolumeStatistics, &[(0x202, &records), (0x204, &records)]),
    );
    let room = drive.room(Partition(1)).unwrap();
    assert_eq!(
        (room.capacity, room.remaining),
        (ByteCount(5_000_000), ByteCount(5_000_000))
    );

    let four: [&[u8]; 4] = [&[0, 0, 0, 1], &[0, 0, 0, 2], &[0, 0, 0, 3], &[0, 0, 0, 4]];
    device.on(ask_log(Page::VolumeStatistics), check(5, 0x24, 0)).on(
        ask_log(Page::TapeCapacity),
        log(
            Page::TapeCapacity,
            &[(1, four[0]), (2, four[1]), (3, four[2]), (4, four[3])],
        ),
    );
    assert_eq!(drive.room(Partition(1)).unwrap().remaining, ByteCount(2 << 20));

    device
        .on(ask_log(Page::VolumeStatistics), log(Page::VolumeStatistics, &[]))
        .on(ask_log(Page::TapeCapacity), check(5, 0x24, 0));
    assert!(matches!(
        drive.room(Partition(1)).unwrap_err().fault,
        DriveFault::Nonsense(_)
    ));
    device.done();
}

#[test]
fn alerts_are_named() {
    let (device, mut drive) = standing();
    device.on(
        ask_log(Page::TapeAlert),
        log(Page::TapeAlert, &[(4, &[1]), (20, &[1]), (21, &[0])]),
    );
    let alerts: Vec<String> = drive.alerts().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        alerts,
        [
            "TapeAlert 4 (the medium is bad: its data is at risk)",
            "TapeAlert 20 (clean now)"
        ]
    );
}
