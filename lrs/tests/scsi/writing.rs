//! What a write may be taken for, and what a flush covers.

use super::script::*;
use lrs::ldm::Disposition;
use lrs::ldm::drive::{Drive, DriveFault, Position, WriteOutcome};
use lrs::ldm::scsi::cdb::{Immediate, OverwriteMode};
use lrs::ldm::scsi::{Cdb, TransportError};
use std::time::Duration;

fn write(reply: Reply) -> Result<WriteOutcome, DriveFault> {
    let (device, mut drive) = standing();
    device.on(Cdb::write(4), reply);
    let outcome = drive.write(b"data").map_err(|error| error.fault);
    device.done();
    assert_eq!(device.sent(), [b"data"]);
    outcome
}

fn flush() -> Cdb {
    Cdb::write_filemarks(0, Immediate::No)
}

#[test]
fn early_warning_comes_with_a_record_that_was_written() {
    assert_eq!(write(good()), Ok(WriteOutcome::Taken));
    assert_eq!(write(sense(0, 0, 2, END, None)), Ok(WriteOutcome::EarlyWarning));
    assert_eq!(write(sense(0, 0, 2, END, Some(0))), Ok(WriteOutcome::EarlyWarning));
    assert_eq!(write(check(0, 0, 7)), Ok(WriteOutcome::Taken));
}

#[test]
fn a_full_tape_has_not_taken_the_record() {
    assert_eq!(write(sense(0xd, 0, 2, END, Some(4))), Ok(WriteOutcome::EndOfMedium));
}

#[test]
fn a_record_taken_in_part_is_an_error() {
    for reply in [
        good().moved(3),
        sense(0, 0, 2, END, Some(4)),
        sense(0, 0, 7, END, Some(1)),
    ] {
        assert!(matches!(write(reply), Err(DriveFault::Nonsense(_))));
    }
}

#[test]
fn a_wish_to_be_cleaned_is_kept_and_the_record_is_taken() {
    let (device, mut drive) = standing();
    device.on(Cdb::write(4), check(1, 0, 0x17).moved(4));
    assert_eq!(drive.write(b"data"), Ok(WriteOutcome::Taken));
    assert!(drive.wants_cleaning());
}

#[test]
fn a_flush_writes_no_filemarks_and_waits() {
    let (device, mut drive) = standing();
    device
        .on(Cdb::write(4), good())
        .on(Cdb::write_filemarks(1, Immediate::Yes), good())
        .on(flush(), good());
    drive.write(b"data").unwrap();
    assert_eq!(drive.write_filemarks(1), Ok(WriteOutcome::Taken));
    assert_eq!(drive.flush(), Ok(WriteOutcome::Taken));
    device.done();
}

#[test]
fn an_error_of_an_earlier_command_voids_everything_since_the_last_flush() {
    for command in [Cdb::write(4), flush()] {
        let (device, mut drive) = standing();
        device.on(command, check(3, 0x0c, 0).deferred());
        let outcome = match command.code() {
            0x0a => drive.write(b"data"),
            _ => drive.flush(),
        };
        let error = outcome.unwrap_err();
        assert!(matches!(error.fault, DriveFault::Deferred(_)), "{error}");
        assert_eq!(error.disposition(), Disposition::MoveElsewhere);
        assert!(error.to_string().contains("everything since the last flush is void"));
        // A second flush cannot make it good.
        assert_eq!(drive.flush().unwrap_err().fault, DriveFault::PositionUnknown);
        device.done();
    }
}

#[test]
fn after_a_failed_write_or_flush_nothing_is_written() {
    let timed_out = no_answer(TransportError::TimedOut(Duration::from_secs(1)));
    for failure in [check(3, 0x0c, 0), check(4, 0x44, 0), check(7, 0x27, 0), timed_out] {
        for command in [Cdb::write(4), flush()] {
            let (device, mut drive) = standing();
            device.on(command, failure.clone());
            match command.code() {
                0x0a => drive.write(b"data").unwrap_err(),
                _ => drive.flush().unwrap_err(),
            };
            for refused in [drive.write(b"data"), drive.write_filemarks(1), drive.flush()] {
                assert_eq!(refused.unwrap_err().fault, DriveFault::PositionUnknown);
            }
            device.done();
        }
    }
}

#[test]
fn a_flush_that_meets_the_end_has_not_flushed() {
    let (device, mut drive) = standing();
    device.on(flush(), check(0xd, 0, 2));
    assert_eq!(drive.flush(), Ok(WriteOutcome::EndOfMedium));
    assert_eq!(drive.write(b"data").unwrap_err().fault, DriveFault::PositionUnknown);
}

#[test]
fn a_drive_just_opened_writes_nothing_before_it_says_where_it_stands() {
    let (device, _, mut drive) = opened();
    assert_eq!(drive.write(b"data").unwrap_err().fault, DriveFault::PositionUnknown);
    device.done();
}

#[test]
fn overwriting_is_allowed_where_a_drive_asks_for_it() {
    let at = Position::at(1, 100);
    let cdb = Cdb::allow_overwrite(OverwriteMode::CurrentPosition, at);
    for reply in [good(), check(5, 0x20, 0), check(5, 0x24, 0)] {
        let (device, mut drive) = standing();
        device.on(cdb, reply);
        assert_eq!(drive.allow_overwrite(at), Ok(()));
    }
    let (device, mut drive) = standing();
    device.on(cdb, check(7, 0x30, 0x0c));
    assert!(drive.allow_overwrite(at).is_err());
}
