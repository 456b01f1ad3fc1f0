//! Wherever a drive is sent, it is asked where it stands (TAPE section 4: LOCATE, SPACE, READ POSITION).

use super::script::*;
use lrs::ldm::drive::{Drive, DriveFault, Partition, Position};
use lrs::ldm::scsi::cdb::SpaceCode;
use lrs::ldm::scsi::{Cdb, Sense};

#[test]
fn a_drive_that_stands_elsewhere_than_it_was_sent_is_an_error() {
    let (device, mut drive) = standing();
    let wanted = Position::at(1, 17);
    device
        .on(Cdb::locate(wanted), good())
        .on(Cdb::read_position(), position(1, 16));
    let error = drive.locate(wanted).unwrap_err();
    let found = Position::at(1, 16);
    assert_eq!(error.fault, DriveFault::Astray { found, wanted });
    assert_eq!(
        error.to_string(),
        "locate to p1:17 failed in drive0 (serial 1013000001): it stands at p1:16, and was sent to p1:17"
    );
    assert_eq!(drive.write(b"data").unwrap_err().fault, DriveFault::PositionUnknown);
}

#[test]
fn a_drive_that_does_not_know_where_it_stands_is_not_believed() {
    let (device, mut drive) = standing();
    let mut unknown = [0; 32];
    unknown[0] = 0x04;
    device.on(Cdb::read_position(), data(&unknown));
    assert!(matches!(drive.position().unwrap_err().fault, DriveFault::Nonsense(_)));
    device.on(Cdb::read_position(), data(&[0; 20]));
    assert!(matches!(drive.position().unwrap_err().fault, DriveFault::Nonsense(_)));
}

#[test]
fn the_end_of_data_is_in_the_partition_that_was_asked_for() {
    let (device, mut drive) = standing();
    device
        .on(Cdb::locate_end(Partition(1)), good())
        .on(Cdb::read_position(), position(1, 4711));
    assert_eq!(drive.locate_end(Partition(1)), Ok(Position::at(1, 4711)));
    device
        .on(Cdb::locate_end(Partition(1)), good())
        .on(Cdb::read_position(), position(0, 9));
    assert!(matches!(
        drive.locate_end(Partition(1)).unwrap_err().fault,
        DriveFault::Astray { .. }
    ));
}

#[test]
fn rewinding_ends_in_partition_0() {
    let (device, mut drive) = standing();
    let beginning = Position::at(0, 0);
    device
        .on(Cdb::rewind(), good())
        .on(Cdb::read_position(), position(1, 0))
        .on(Cdb::locate(beginning), good())
        .on(Cdb::read_position(), position(0, 0));
    drive.rewind().unwrap();
    device.done();
}

#[test]
fn fewer_filemarks_than_asked_for_are_an_error() {
    let (device, mut drive) = standing();
    device
        .on(Cdb::space(SpaceCode::Filemarks, -2), good())
        .on(Cdb::read_position(), position(1, 80));
    assert_eq!(drive.space_filemarks(-2), Ok(Position::at(1, 80)));
    for (key, asc, ascq) in [(8, 0, 5), (0, 0, 4), (3, 0x14, 1)] {
        let (device, mut drive) = standing();
        device.on(Cdb::space(SpaceCode::Filemarks, 3), check(key, asc, ascq));
        let error = drive.space_filemarks(3).unwrap_err();
        assert_eq!(error.fault, DriveFault::Sense(Sense::of(key, asc, ascq)));
        assert_eq!(drive.write(b"data").unwrap_err().fault, DriveFault::PositionUnknown);
    }
}
