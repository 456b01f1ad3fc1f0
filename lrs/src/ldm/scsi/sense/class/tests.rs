//! The table of TAPE.md, section 4, "Sense classes", line by line.

use super::*;
use SenseClass as C;

const TABLE: &[(u8, u8, u8, SenseClass, Blame, Disposition)] = {
    use Blame::{Drive, Extent, Library, Medium, Operator, Us};
    use Disposition::{MoveElsewhere, Retry, Skip, Stop};
    &[
        (0x0, 0x00, 0x00, C::Done, Drive, Retry),
        (0x0, 0x00, 0x01, C::Filemark, Medium, MoveElsewhere),
        (0x0, 0x00, 0x02, C::EarlyWarning, Medium, MoveElsewhere),
        (0x0, 0x00, 0x04, C::BeginningOfPartition, Medium, MoveElsewhere),
        (0x0, 0x00, 0x07, C::ProgrammableEarlyWarning, Medium, MoveElsewhere),
        (0x8, 0x00, 0x05, C::EndOfData, Medium, MoveElsewhere),
        (0xd, 0x00, 0x02, C::Full, Medium, MoveElsewhere),
        (0x2, 0x04, 0x01, C::BecomingReady, Drive, Retry),
        (0x2, 0x04, 0x04, C::BecomingReady, Drive, Retry),
        (0x2, 0x04, 0x07, C::BecomingReady, Drive, Retry),
        (0x2, 0x04, 0x02, C::NotLoaded, Drive, Retry),
        (0x2, 0x3a, 0x00, C::NoMedium, Library, Stop),
        (0x2, 0x08, 0x00, C::NotReady, Drive, Stop),
        (0x6, 0x28, 0x00, C::MediumChanged, Medium, MoveElsewhere),
        (0x6, 0x29, 0x00, C::Reset, Drive, MoveElsewhere),
        (0x6, 0x29, 0x02, C::Reset, Drive, MoveElsewhere),
        (0x6, 0x2a, 0x01, C::Attention, Drive, Retry),
        (0x6, 0x2a, 0x03, C::ReservationTaken, Operator, Stop),
        (0x6, 0x3f, 0x01, C::Attention, Drive, Retry),
        (0x3, 0x0c, 0x00, C::MediumSuspect, Medium, MoveElsewhere),
        (0x3, 0x11, 0x00, C::Unreadable, Extent, Skip),
        (0x3, 0x11, 0x12, C::MediumSuspect, Medium, MoveElsewhere),
        (0x3, 0x14, 0x00, C::Unreadable, Extent, Skip),
        (0x3, 0x14, 0x03, C::Unreadable, Extent, Skip),
        (0x3, 0x30, 0x00, C::Incompatible, Operator, MoveElsewhere),
        (0x2, 0x30, 0x00, C::Incompatible, Operator, MoveElsewhere),
        (0x3, 0x30, 0x02, C::MediumSuspect, Medium, MoveElsewhere),
        (0x3, 0x31, 0x00, C::MediumSuspect, Medium, MoveElsewhere),
        (0x3, 0x50, 0x00, C::MediumSuspect, Medium, MoveElsewhere),
        (0x3, 0x51, 0x00, C::MediumSuspect, Medium, MoveElsewhere),
        (0x3, 0x52, 0x00, C::MediumSuspect, Medium, MoveElsewhere),
        (0x3, 0x04, 0x10, C::MediumSuspect, Medium, MoveElsewhere),
        (0x4, 0x08, 0x01, C::DriveSuspect, Drive, Stop),
        (0x4, 0x09, 0x00, C::DriveSuspect, Drive, Stop),
        (0x4, 0x15, 0x01, C::DriveSuspect, Drive, Stop),
        (0x4, 0x3b, 0x00, C::DriveSuspect, Drive, Stop),
        (0x4, 0x40, 0x80, C::DriveSuspect, Drive, Stop),
        (0x4, 0x44, 0x00, C::DriveSuspect, Drive, Stop),
        (0x4, 0x53, 0x00, C::DriveSuspect, Drive, Stop),
        (0x4, 0x10, 0x01, C::DriveSuspect, Drive, Stop),
        (0xb, 0x00, 0x00, C::DriveSuspect, Drive, Stop),
        (0x3, 0x09, 0x00, C::EitherSuspect, Drive, Stop),
        (0x3, 0x53, 0x00, C::EitherSuspect, Drive, Stop),
        (0x0, 0x00, 0x17, C::CleaningWanted, Drive, Retry),
        (0x1, 0x00, 0x17, C::CleaningWanted, Drive, Retry),
        (0x0, 0x82, 0x82, C::CleaningWanted, Drive, Retry),
        (0x2, 0x30, 0x03, C::Cleaning, Drive, Stop),
        (0x3, 0x30, 0x07, C::Cleaning, Drive, Stop),
        (0x7, 0x27, 0x00, C::Protected, Operator, MoveElsewhere),
        (0x7, 0x30, 0x05, C::Protected, Operator, MoveElsewhere),
        (0x7, 0x30, 0x0c, C::Protected, Operator, MoveElsewhere),
        (0x7, 0x5a, 0x02, C::Protected, Operator, MoveElsewhere),
        (0x3, 0x85, 0x01, C::ProtectedByErrors, Medium, MoveElsewhere),
        (0x7, 0x74, 0x00, C::Encrypted, Operator, MoveElsewhere),
        (0x5, 0x20, 0x00, C::UnknownCommand, Us, Stop),
        (0x5, 0x24, 0x00, C::BadRequest, Us, Stop),
        (0x5, 0x26, 0x00, C::BadRequest, Us, Stop),
        (0x5, 0x3b, 0x0d, C::StaleInventory, Library, Retry),
        (0x5, 0x3b, 0x0e, C::StaleInventory, Library, Retry),
        (0x5, 0x53, 0x02, C::RemovalPrevented, Operator, Stop),
        (0x9, 0x80, 0x00, C::Unknown, Drive, Stop),
        (0xe, 0x1d, 0x00, C::Unknown, Drive, Stop),
    ]
};

#[test]
fn every_line_of_the_table_has_its_class() {
    for (key, asc, ascq, class, blame, disposition) in TABLE {
        let sense = Sense::of(*key, *asc, *ascq);
        let found = (sense.class(), sense.blame(), sense.disposition());
        assert_eq!(found, (*class, *blame, *disposition), "{sense}");
    }
}

#[test]
fn only_one_sense_is_the_end_of_data() {
    for (key, asc) in (0..16).flat_map(|key| (0..=255).map(move |asc| (key, asc))) {
        for ascq in 0..=255 {
            let sense = Sense::of(key, asc, ascq);
            assert_eq!(
                sense.class() == C::EndOfData,
                (key, asc, ascq) == (0x8, 0x00, 0x05),
                "{sense}"
            );
        }
    }
}

#[test]
fn flags_tell_where_codes_do_not() {
    let eom = Sense {
        end_of_medium: true,
        ..Sense::of(0, 0, 0)
    };
    assert_eq!(eom.class(), C::EarlyWarning);
    let length = Sense {
        incorrect_length: true,
        ..Sense::of(1, 0x17, 0x01)
    };
    assert_eq!(length.class(), C::OtherLength);
    let mark = Sense {
        filemark: true,
        ..Sense::of(0, 0, 0)
    };
    assert_eq!(mark.class(), C::Filemark);
    // Beyond a medium error a flag changes nothing.
    let bad = Sense {
        filemark: true,
        incorrect_length: true,
        ..Sense::of(3, 0x11, 0)
    };
    assert_eq!(bad.class(), C::Unreadable);
}
