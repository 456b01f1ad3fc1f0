//! Unit attentions: told once where something was lost, otherwise the command is sent again.

use super::script::*;
use lrs::ldm::drive::scsi::{Hold, timeouts};
use lrs::ldm::drive::{Drive, DriveFault, Position, ReadOutcome, WriteOutcome};
use lrs::ldm::scsi::cdb::ReserveAction;
use lrs::ldm::scsi::{Cdb, Sense, Status, TransportError};
use nix::errno::Errno;
use std::time::Duration;

#[test]
fn a_changed_medium_is_told_once_and_nothing_goes_on_before_it_was_taken_up_anew() {
    for (asc, ascq) in [(0x28, 0), (0x29, 0), (0x29, 2)] {
        let (device, mut drive) = standing();
        device
            .on(Cdb::write(4), check(6, asc, ascq))
            // What waits behind it is drained.
            .on(Cdb::test_unit_ready(), check(6, 0x2a, 1))
            .on(Cdb::test_unit_ready(), good());
        let error = drive.write(b"data").unwrap_err();
        assert_eq!(error.fault, DriveFault::PositionLost(Sense::of(6, asc, ascq)));
        assert!(error.lost_position());
        device.done();

        let mut buffer = [0; 4];
        assert_eq!(drive.write(b"data").unwrap_err().fault, DriveFault::PositionUnknown);
        assert_eq!(drive.flush().unwrap_err().fault, DriveFault::PositionUnknown);
        assert_eq!(drive.read(&mut buffer).unwrap_err().fault, DriveFault::PositionUnknown);
        assert_eq!(drive.space_filemarks(1).unwrap_err().fault, DriveFault::PositionUnknown);

        // Going somewhere is allowed, and is not enough: the cartridge may be another one.
        let to = Position::at(0, 5);
        device
            .on(Cdb::locate(to), good())
            .on(Cdb::read_position(), position(0, 5));
        drive.locate(to).unwrap();
        assert_eq!(drive.write(b"data").unwrap_err().fault, DriveFault::PositionUnknown);

        // So is asking where it stands.
        device.on(Cdb::read_position(), position(0, 5));
        assert_eq!(drive.position(), Ok(to));
        assert_eq!(drive.write(b"data").unwrap_err().fault, DriveFault::PositionUnknown);

        device
            .on(Cdb::locate(to), good())
            .on(Cdb::read_position(), position(0, 5))
            .on(Cdb::read(4), data(b"next"))
            .on(Cdb::write(4), good());
        drive.take_up();
        assert_eq!(drive.write(b"data").unwrap_err().fault, DriveFault::PositionUnknown);
        drive.locate(to).unwrap();
        assert_eq!(drive.read(&mut buffer), Ok(ReadOutcome::Record(4)));
        assert_eq!(drive.write(b"data"), Ok(WriteOutcome::Taken));
        device.done();
    }
}

/// A host that gives a command up may reset the drive, and be told of that itself.
#[test]
fn a_command_without_an_answer_loses_position_and_cartridge() {
    for error in [
        TransportError::TimedOut(Duration::from_secs(1)),
        TransportError::Host(Errno::EIO),
        TransportError::Link { host: 5, driver: 0 },
    ] {
        let (device, mut drive) = standing();
        let tenure = drive.take_up();
        let to = Position::at(0, 5);
        device
            .on(Cdb::read_position(), no_answer(error))
            .on(Cdb::read_position(), position(0, 0))
            .on(Cdb::locate(to), good())
            .on(Cdb::read_position(), position(0, 5));
        assert_eq!(drive.position().unwrap_err().fault, DriveFault::Transport(error));
        assert_ne!(drive.tenure(), tenure);
        drive.position().unwrap();
        drive.locate(to).unwrap();
        assert_eq!(drive.write(b"data").unwrap_err().fault, DriveFault::PositionUnknown);
        device.done();
    }
}

/// Several may share a drive, and one alone hears of a loss.
#[test]
fn a_loss_ends_the_tenure_of_everybody() {
    let (device, mut drive) = standing();
    let mine = drive.take_up();
    assert_eq!(drive.tenure(), mine);
    device
        .on(Cdb::read_position(), check(6, 0x28, 0))
        .on(Cdb::test_unit_ready(), good());
    drive.position().unwrap_err();
    assert_ne!(drive.tenure(), mine);
    let theirs = drive.take_up();
    assert!(theirs != mine && drive.tenure() == theirs);
}

#[test]
fn a_loss_is_told_whatever_waits_behind_it() {
    let timed_out = || no_answer(TransportError::TimedOut(Duration::from_secs(1)));
    for behind in [timed_out(), check(3, 0x0c, 0).deferred()] {
        let (device, mut drive) = standing();
        device
            .on(Cdb::write(4), check(6, 0x29, 0))
            .on(Cdb::test_unit_ready(), behind);
        let error = drive.write(b"data").unwrap_err();
        assert_eq!(error.fault, DriveFault::PositionLost(Sense::of(6, 0x29, 0)));
        assert_eq!(drive.write(b"data").unwrap_err().fault, DriveFault::PositionUnknown);
        device.done();
    }
}

#[test]
fn the_question_for_the_position_tells_it_too() {
    let (device, mut drive) = standing();
    device
        .on(Cdb::read_position(), check(6, 0x28, 0))
        .on(Cdb::test_unit_ready(), good())
        .on(Cdb::read_position(), position(0, 0));
    assert!(drive.position().unwrap_err().lost_position());
    assert_eq!(drive.position(), Ok(Position::at(0, 0)));
}

#[test]
fn an_attention_of_no_consequence_has_the_command_sent_again() {
    let (device, mut drive) = standing();
    device
        .on(Cdb::write(4), check(6, 0x3f, 1))
        .on(Cdb::write(4), check(6, 0x2a, 1))
        .on(Cdb::write(4), good());
    assert_eq!(drive.write(b"data"), Ok(WriteOutcome::Taken));
    device.done();
}

#[test]
fn attentions_without_end_end() {
    let (device, mut drive) = standing();
    for _ in 0..17 {
        device.on(Cdb::write(4), check(6, 0x3f, 1));
    }
    assert_eq!(
        drive.write(b"data").unwrap_err().fault,
        DriveFault::Sense(Sense::of(6, 0x3f, 1))
    );
    device.done();
}

#[test]
fn a_reservation_that_another_host_took_stops_everything() {
    let (device, mut drive) = standing();
    device.on(Cdb::write(4), check(6, 0x2a, 3));
    let error = drive.write(b"data").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("another host, which took the reservation away"),
        "{error}"
    );
    assert_eq!(drive.flush().unwrap_err().fault, DriveFault::PositionUnknown);
}

#[test]
fn after_a_reset_the_hold_must_be_taken_anew() {
    let (device, mut drive) = standing();
    device
        .on(Cdb::persistent_reserve(ReserveAction::RegisterIgnoringExisting), good())
        .on(Cdb::persistent_reserve(ReserveAction::Reserve), good())
        .on(Cdb::write(4), check(6, 0x29, 1))
        .on(Cdb::test_unit_ready(), good());
    drive.reserve().unwrap();
    drive.write(b"data").unwrap_err();
    assert_eq!(drive.hold(), Hold::Nothing);
}

#[test]
fn a_busy_drive_is_asked_again_and_not_for_ever() {
    let (device, mut drive) = standing();
    device
        .on(Cdb::write(4), status(Status::Busy))
        .on(Cdb::write(4), status(Status::TaskSetFull))
        .on(Cdb::write(4), good());
    assert_eq!(drive.write(b"data"), Ok(WriteOutcome::Taken));
    for _ in 0..=timeouts::BUSY_TIMES {
        device.on(Cdb::write(4), status(Status::Busy));
    }
    assert_eq!(
        drive.write(b"data").unwrap_err().fault,
        DriveFault::Status(Status::Busy)
    );
    device.done();
}
