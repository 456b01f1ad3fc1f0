//! What a read may be taken for. Sense layouts: SPC-4, table 53; meanings: TAPE section 4 and SSC-4, 6.5.

use super::script::*;
use lrs::ldm::drive::{Drive, DriveFault, ReadOutcome};
use lrs::ldm::scsi::{Cdb, Sense, TransportError};
use lrs::ldm::{Blame, Disposition};
use std::time::Duration;

const ASKED: usize = 16;

fn read(reply: Reply) -> (Result<ReadOutcome, DriveFault>, [u8; ASKED]) {
    let (device, mut drive) = standing();
    device.on(Cdb::read(ASKED as u32), reply);
    let mut buffer = [0xee; ASKED];
    let outcome = drive.read(&mut buffer).map_err(|error| error.fault);
    device.done();
    (outcome, buffer)
}

#[test]
fn a_record_of_the_asked_length_is_whole() {
    let (outcome, buffer) = read(data(b"sixteen bytes..."));
    assert_eq!(outcome, Ok(ReadOutcome::Record(16)));
    assert_eq!(&buffer, b"sixteen bytes...");
}

#[test]
fn a_shorter_record_is_as_long_as_the_information_field_says() {
    let (outcome, buffer) = read(sense(0, 0, 0, LENGTH, Some(6)).with(b"ten bytes."));
    assert_eq!(outcome, Ok(ReadOutcome::Record(10)));
    assert_eq!(&buffer[..10], b"ten bytes.");
    // An adapter that does not count what was not moved.
    let (outcome, _) = read(sense(0, 0, 0, LENGTH, Some(6)).with(b"ten bytes.").moved(16));
    assert_eq!(outcome, Ok(ReadOutcome::Record(10)));
}

#[test]
fn a_longer_record_is_an_error_that_tells_its_length_and_gives_nothing() {
    let (outcome, buffer) = read(sense(0, 0, 0, LENGTH, Some(-84)).with(b"the first 16 byt"));
    assert_eq!(outcome, Err(DriveFault::TooLong { found: 100, most: 16 }));
    assert_eq!(buffer, [0; ASKED]);
}

#[test]
fn behind_a_record_that_is_too_long_reading_goes_on() {
    let (device, mut drive) = standing();
    device
        .on(Cdb::read(4), sense(0, 0, 0, LENGTH, Some(-84)).with(b"long"))
        .on(Cdb::read(4), data(b"next"));
    let mut buffer = [0; 4];
    drive.read(&mut buffer).unwrap_err();
    assert_eq!(drive.read(&mut buffer), Ok(ReadOutcome::Record(4)));
}

#[test]
fn a_length_that_cannot_be_is_not_believed() {
    for reply in [
        data(b"short without a word"[..9].as_ref()),
        sense(0, 0, 0, LENGTH, None).with(b"?"),
        sense(0, 0, 0, LENGTH, Some(0)).with(b"sixteen bytes..."),
        sense(0, 0, 0, LENGTH, Some(16)),
        sense(0, 0, 0, LENGTH, Some(6)).with(b"nine byte"),
        good(),
    ] {
        let (outcome, buffer) = read(reply.clone());
        assert!(
            matches!(outcome, Err(DriveFault::Nonsense(_))),
            "{reply:?}: {outcome:?}"
        );
        assert_eq!(buffer, [0; ASKED]);
    }
}

#[test]
fn filemarks_and_the_end_of_data_are_outcomes() {
    assert_eq!(read(sense(0, 0, 1, FILEMARK, Some(16))).0, Ok(ReadOutcome::Filemark));
    assert_eq!(read(sense(0, 0, 0x17, FILEMARK, None)).0, Ok(ReadOutcome::Filemark));
    assert_eq!(read(check(8, 0, 5)).0, Ok(ReadOutcome::EndOfData));
}

#[test]
fn a_recovered_error_gives_the_whole_record_or_nothing() {
    let whole = check(1, 0x17, 1).with(b"sixteen bytes...");
    assert_eq!(read(whole).0, Ok(ReadOutcome::Record(16)));
    assert!(read(check(1, 0x17, 1)).0.is_err());
}

/// a read error that returns no data is never taken for the end of data, and the buffer of a failed read is never
/// used: what the device left in it is wiped. Every sense of the table but 8/00/05, with every flag, and no data.
#[test]
fn a_read_error_without_data_is_never_the_end_of_data() {
    let failures = [
        (3, 0x11, 0x00),
        (3, 0x14, 0x03),
        (3, 0x00, 0x05),
        (4, 0x44, 0x00),
        (0xb, 0x08, 0x00),
        (8, 0x00, 0x00),
        (8, 0x14, 0x03),
        (2, 0x04, 0x01),
        (5, 0x24, 0x00),
        (7, 0x74, 0x00),
        (0, 0x00, 0x02),
        (0, 0x00, 0x04),
        (0xd, 0x00, 0x02),
    ];
    for (key, asc, ascq) in failures {
        for flags in [0, END, END | LENGTH, END | LENGTH | FILEMARK] {
            if key == 0 && flags & FILEMARK != 0 {
                continue;
            }
            for information in [None, Some(16)] {
                let reply = sense(key, asc, ascq, flags, information);
                let (outcome, buffer) = read(reply.clone());
                assert!(outcome.is_err(), "{reply:?}: {outcome:?}");
                assert_eq!(buffer, [0; ASKED]);
                // What the device left behind is wiped as well.
                let (outcome, buffer) = read(reply.with(b"sixteen by").moved(0));
                assert!(outcome.is_err());
                assert_eq!(buffer, [0; ASKED]);
            }
        }
    }
}

#[test]
fn after_a_failed_read_nothing_is_read_before_the_drive_was_sent_to_a_place() {
    let (device, mut drive) = standing();
    device.on(Cdb::read(4), check(3, 0x11, 0));
    let mut buffer = [0; 4];
    let error = drive.read(&mut buffer).unwrap_err();
    assert_eq!(
        error.fault,
        DriveFault::Sense(Sense {
            ..Sense::of(3, 0x11, 0)
        })
    );
    assert_eq!((error.blame(), error.disposition()), (Blame::Extent, Disposition::Skip));
    assert_eq!(
        error.to_string(),
        "reading a record failed in drive0 (serial 1013000001): 3/11/00, this place of the tape cannot be read"
    );
    assert_eq!(drive.read(&mut buffer).unwrap_err().fault, DriveFault::PositionUnknown);

    let to = lrs::ldm::drive::Position::at(1, 101);
    device
        .on(Cdb::locate(to), good())
        .on(Cdb::read_position(), position(1, 101))
        .on(Cdb::read(4), data(b"next"));
    drive.locate(to).unwrap();
    assert_eq!(drive.read(&mut buffer), Ok(ReadOutcome::Record(4)));
}

#[test]
fn no_answer_is_no_data() {
    let timed_out = TransportError::TimedOut(Duration::from_secs(1));
    let (outcome, _) = read(no_answer(timed_out));
    assert_eq!(outcome, Err(DriveFault::Transport(timed_out)));
}

#[test]
fn more_than_the_way_carries_is_never_asked_for() {
    let (device, mut drive) = standing();
    assert_eq!(drive.record_max(), TRANSFER_MAX);
    device.on(Cdb::read(TRANSFER_MAX as u32), check(8, 0, 5));
    let mut buffer = vec![0; TRANSFER_MAX + 1];
    assert_eq!(drive.read(&mut buffer), Ok(ReadOutcome::EndOfData));
}
