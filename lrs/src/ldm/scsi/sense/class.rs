//! What sense means for a keeper of tapes: one table of keys and codes, and for each class who is to blame and what to do.
//! The codes are SPC-4's (annex D); which of them drives use and how, the LTFS reference implementation's tables.

use super::Sense;
use crate::ldm::error::{Blame, Disposition};

/// What a sense key and its codes mean. A class exists where somebody acts differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SenseClass {
    /// No sense and nothing to add; or recovered, the command was done.
    Done,
    /// A filemark was met (0/00/01).
    Filemark,
    /// Early warning (0/00/02, or key 0 with the end-of-medium bit): the data was written.
    EarlyWarning,
    /// Programmable early warning (0/00/07): the data was written.
    ProgrammableEarlyWarning,
    /// The beginning of the partition was met (0/00/04).
    BeginningOfPartition,
    /// Nothing was ever written here: 8/00/05 and nothing else.
    EndOfData,
    /// A record of another length than asked for.
    OtherLength,
    /// The volume is full; the last block was not written (key D).
    Full,
    /// The drive is at work on the cartridge and will be ready (2/04/01, 04, 07).
    BecomingReady,
    /// It has a cartridge and waits to be told to load it (2/04/02).
    NotLoaded,
    /// There is no cartridge (2/3A).
    NoMedium,
    /// Not ready in another way.
    NotReady,
    /// The medium may have changed (6/28): the cartridge must be identified, its position is lost.
    MediumChanged,
    /// The drive was reset (6/29): the same, and whatever was in its buffer is gone.
    Reset,
    /// Another host took the reservation away (6/2A/03 to 05).
    ReservationTaken,
    /// Parameters or operating conditions changed (6/2A, 6/3F), or another attention of no consequence.
    Attention,
    /// It wants cleaning (0 or 1/00/17, 0/82/82): finish the block, then clean.
    CleaningWanted,
    /// A cleaning cartridge is in (2/30/03), or a cleaning failed (3/30/07).
    Cleaning,
    /// A place of the tape cannot be read (3/11, 3/14).
    Unreadable,
    /// The medium is suspect: write, format, append and cartridge faults, its memory chip.
    MediumSuspect,
    /// The drive is suspect: hardware, protection errors on the way, aborted commands.
    DriveSuspect,
    /// The drive or the medium: servo and load faults. Another drive tells; a tape is not condemned before.
    EitherSuspect,
    /// Write protected: by the tab, by the drive, or written once.
    Protected,
    /// The drive takes no cartridges of this generation (30/00): nothing is wrong with either.
    Incompatible,
    /// The drive forbids writing after too many errors (3/85, IBM).
    ProtectedByErrors,
    /// Encrypted, and the key is not there or another one (7/74).
    Encrypted,
    /// The destination is full or the source empty (5/3B/0D, 0E): the inventory is stale.
    StaleInventory,
    /// Somebody prevents the removal (5/53/02).
    RemovalPrevented,
    /// The device does not know the command (5/20).
    UnknownCommand,
    /// Something of the request is wrong (other codes of key 5).
    BadRequest,
    /// In no table.
    Unknown,
}

impl SenseClass {
    /// The class of a sense.
    pub fn of(sense: &Sense) -> Self {
        match (sense.key, sense.asc, sense.ascq) {
            // Recovered: what was asked for was done, with whatever flags it has.
            (0x0 | 0x1, _, _) => Self::no_error(sense),
            (0x2, 0x04, 0x01 | 0x04 | 0x07) => Self::BecomingReady,
            (0x2, 0x04, 0x02) => Self::NotLoaded,
            (0x2, 0x3a, _) => Self::NoMedium,
            (0x2 | 0x3, 0x30, 0x00) => Self::Incompatible,
            (0x2, 0x30, 0x03) | (0x3, 0x30, 0x07) => Self::Cleaning,
            (0x2, _, _) => Self::NotReady,
            (0x3, asc, ascq) => Self::medium_error(asc, ascq),
            (0x4, _, _) | (0xb, _, _) => Self::DriveSuspect,
            (0x5, asc, ascq) => Self::illegal_request(asc, ascq),
            (0x6, 0x28, _) => Self::MediumChanged,
            (0x6, 0x29, _) => Self::Reset,
            (0x6, 0x2a, 0x03..=0x05) => Self::ReservationTaken,
            (0x6, _, _) => Self::Attention,
            (0x7, 0x74, _) => Self::Encrypted,
            (0x7, _, _) => Self::Protected,
            (0x8, 0x00, 0x05) => Self::EndOfData,
            // Blank check of another kind: a place that should have data and has none that can be made out.
            (0x8, _, _) => Self::Unreadable,
            (0xd, _, _) => Self::Full,
            (_, _, _) => Self::Unknown,
        }
    }

    /// The flags come first: what was met on the tape weighs more than a drive's wish to be cleaned.
    fn no_error(sense: &Sense) -> Self {
        match (sense.asc, sense.ascq) {
            _ if sense.filemark => Self::Filemark,
            _ if sense.incorrect_length => Self::OtherLength,
            (0x00, 0x01) => Self::Filemark,
            (0x00, 0x04) => Self::BeginningOfPartition,
            (0x00, 0x07) => Self::ProgrammableEarlyWarning,
            (0x00, 0x02) => Self::EarlyWarning,
            _ if sense.end_of_medium => Self::EarlyWarning,
            (0x00, 0x17) | (0x82, 0x82) => Self::CleaningWanted,
            _ => Self::Done,
        }
    }

    fn medium_error(asc: u8, ascq: u8) -> Self {
        match (asc, ascq) {
            // The memory chip, not the tape.
            (0x11, 0x12) | (0x04, 0x10) => Self::MediumSuspect,
            (0x11 | 0x14, _) => Self::Unreadable,
            (0x0c | 0x30 | 0x31 | 0x33 | 0x50 | 0x51 | 0x52, _) => Self::MediumSuspect,
            (0x09 | 0x53, _) => Self::EitherSuspect,
            (0x85, _) => Self::ProtectedByErrors,
            _ => Self::MediumSuspect,
        }
    }

    fn illegal_request(asc: u8, ascq: u8) -> Self {
        match (asc, ascq) {
            (0x3b, 0x0d | 0x0e) => Self::StaleInventory,
            (0x53, 0x02) => Self::RemovalPrevented,
            (0x20, _) => Self::UnknownCommand,
            _ => Self::BadRequest,
        }
    }

    /// Who is to blame, as far as one answer tells: a second drive, or a second tape, tells more.
    pub fn blame(self) -> Blame {
        match self {
            Self::Unreadable => Blame::Extent,
            // Marks and ends where none belong speak against what is on the tape.
            Self::Filemark
            | Self::EarlyWarning
            | Self::ProgrammableEarlyWarning
            | Self::BeginningOfPartition
            | Self::EndOfData
            | Self::OtherLength
            | Self::Full
            | Self::MediumChanged
            | Self::MediumSuspect
            | Self::ProtectedByErrors => Blame::Medium,
            Self::Done
            | Self::BecomingReady
            | Self::NotLoaded
            | Self::NotReady
            | Self::Reset
            | Self::Attention
            | Self::CleaningWanted
            | Self::Cleaning
            | Self::DriveSuspect
            | Self::EitherSuspect
            | Self::Unknown => Blame::Drive,
            Self::NoMedium | Self::StaleInventory => Blame::Library,
            Self::ReservationTaken
            | Self::Protected
            | Self::Incompatible
            | Self::Encrypted
            | Self::RemovalPrevented => Blame::Operator,
            Self::UnknownCommand | Self::BadRequest => Blame::Us,
        }
    }

    /// What to do about it. `Retry` is for a caller that first does what the class asks for: waits, or reads the inventory
    /// anew; a command that was refused for an attention was not carried out.
    pub fn disposition(self) -> Disposition {
        match self {
            Self::Done
            | Self::BecomingReady
            | Self::NotLoaded
            | Self::Attention
            | Self::CleaningWanted
            | Self::StaleInventory => Disposition::Retry,
            Self::Unreadable => Disposition::Skip,
            Self::Filemark
            | Self::EarlyWarning
            | Self::ProgrammableEarlyWarning
            | Self::BeginningOfPartition
            | Self::EndOfData
            | Self::OtherLength
            | Self::Full
            | Self::MediumChanged
            | Self::Reset
            | Self::MediumSuspect
            | Self::Protected
            | Self::Incompatible
            | Self::ProtectedByErrors
            | Self::Encrypted => Disposition::MoveElsewhere,
            Self::NoMedium
            | Self::NotReady
            | Self::ReservationTaken
            | Self::Cleaning
            | Self::DriveSuspect
            | Self::EitherSuspect
            | Self::RemovalPrevented
            | Self::UnknownCommand
            | Self::BadRequest
            | Self::Unknown => Disposition::Stop,
        }
    }

    /// What it means, in words for an operator.
    pub fn words(self) -> &'static str {
        match self {
            Self::Done => "done, with a note",
            Self::Filemark => "a filemark",
            Self::EarlyWarning => "early warning: the end of the tape is near",
            Self::ProgrammableEarlyWarning => "programmable early warning",
            Self::BeginningOfPartition => "the beginning of the partition",
            Self::EndOfData => "the end of data",
            Self::OtherLength => "a record of another length",
            Self::Full => "the tape is full",
            Self::BecomingReady => "the drive is not ready yet",
            Self::NotLoaded => "the cartridge is not loaded",
            Self::NoMedium => "no cartridge is in",
            Self::NotReady => "not ready",
            Self::MediumChanged => "the medium may have changed",
            Self::Reset => "the device was reset",
            Self::ReservationTaken => "another host took the reservation away",
            Self::Attention => "its settings changed",
            Self::CleaningWanted => "it wants cleaning",
            Self::Cleaning => "a cleaning cartridge is in, or cleaning failed",
            Self::Unreadable => "this place of the tape cannot be read",
            Self::MediumSuspect => "the cartridge is suspect",
            Self::DriveSuspect => "the drive is suspect",
            Self::EitherSuspect => {
                "the drive or the cartridge is suspect: try another drive before condemning the tape"
            }
            Self::Protected => "the cartridge is write-protected",
            Self::Incompatible => "the drive takes no cartridges of this generation",
            Self::ProtectedByErrors => "the drive forbids writing after too many errors on this cartridge",
            Self::Encrypted => "encrypted, and the key is missing or another one",
            Self::StaleInventory => {
                "the destination is full or the source is empty: the inventory is stale and must be read anew"
            }
            Self::RemovalPrevented => "somebody prevents the removal of the cartridge",
            Self::UnknownCommand => "the device does not know this command",
            Self::BadRequest => "the device refuses this request as wrong",
            Self::Unknown => "sense that no table knows",
        }
    }
}

#[cfg(test)]
mod tests;
