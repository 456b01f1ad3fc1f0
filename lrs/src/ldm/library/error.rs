//! What a library answers when it does not do what was asked: what failed, in which element or drive, with which cartridge,
//! what was done about it, and what to do next.

use super::words::{self, Now};
use crate::ldm::changer::ElementAddress;
use crate::ldm::drive::{DriveError, DriveFault};
use crate::ldm::error::{Blame, Disposition};
use crate::ldm::{Fault, MediaError, Op, virt};

/// What libraries answer.
pub type LibraryResult<T> = Result<T, LibraryError>;

/// Something that a library did not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("library {library}: {trouble}")]
pub struct LibraryError {
    /// Which library.
    pub library: String,
    /// What happened.
    pub trouble: Trouble,
}

/// What went wrong. Unless it says otherwise, nothing was moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// What was named is no library, or is not to be had by this respoold.
    #[error("it cannot be used: {_0}")]
    NotToBeHad(String),
    /// It cannot be opened or made.
    #[error("it cannot be used: {_0}")]
    Unusable(String),
    /// Its changer does not tell what is where.
    #[error("its inventory cannot be read: {}", words::robot(_0))]
    Changer(DriveError),
    /// It has no such bay.
    #[error("it has no drive {_0}")]
    NoSuchBay(String),
    /// No drive of this host is in that bay.
    #[error("drive {bay} cannot be used: {why}")]
    Unreachable {
        /// Which bay.
        bay: String,
        /// Why.
        why: String,
    },
    /// The bay is being used.
    #[error("drive {bay} is in use: {doing}")]
    InUse {
        /// Which bay.
        bay: String,
        /// For what.
        doing: String,
    },
    /// Another cartridge is in the bay.
    #[error("drive {bay} holds {}: take that out first", words::cartridge(by.as_deref()))]
    Occupied {
        /// Which bay.
        bay: String,
        /// Its barcode, where it was read.
        by: Option<String>,
    },
    /// The cartridge is in another bay, and does not come out.
    #[error("{barcode} is in drive {bay}: {why}")]
    InAnotherBay {
        /// Which cartridge.
        barcode: String,
        /// Which bay has it.
        bay: String,
        /// Why it is not taken from there.
        why: String,
    },
    /// No element has the cartridge.
    #[error(
        "it has no cartridge {barcode}{}: put it in, or have the library look at all its slots",
        words::unread(unread)
    )]
    NotHere {
        /// Which cartridge.
        barcode: String,
        /// Elements with a cartridge whose barcode was not read.
        unread: Vec<ElementAddress>,
    },
    /// More than one element has a cartridge of that name.
    #[error(
        "{} have the barcode {barcode}: none of them is touched until there is one",
        words::elements(at)
    )]
    Twice {
        /// Which barcode.
        barcode: String,
        /// Where.
        at: Vec<ElementAddress>,
    },
    /// It cleans drives, and holds nothing.
    #[error("{_0} is a cleaning cartridge: it is never loaded as a medium")]
    Cleaning(String),
    /// The arm cannot reach it.
    #[error("{barcode} in element {at} cannot be reached: {why}")]
    OutOfReach {
        /// Which cartridge.
        barcode: String,
        /// Where it is.
        at: ElementAddress,
        /// Why.
        why: &'static str,
    },
    /// No slot is free for what is in a bay.
    #[error("no slot is free for {}, which stays in drive {bay}: take a cartridge out of the library", words::cartridge(barcode.as_deref()))]
    NoRoom {
        /// Its barcode, where it was read.
        barcode: Option<String>,
        /// Where it stays.
        bay: String,
    },
    /// The arm did not carry a cartridge.
    #[error(
        "the arm did not carry {} from element {from} to element {to}: {}; {}",
        words::cartridge(barcode.as_deref()), words::robot(cause), words::next(*now, *from, *to)
    )]
    Arm {
        /// Its barcode, where it was read.
        barcode: Option<String>,
        /// Where it was.
        from: ElementAddress,
        /// Where it was to go.
        to: ElementAddress,
        /// What the changer said.
        cause: DriveError,
        /// Where it is now, by the changer's word.
        now: Now,
    },
    /// The cartridge in the bay is not the one that was asked for.
    #[error("drive {bay} was to get {asked}, and {why}: make sure of the labels of both; nothing was read or written")]
    AnotherCartridge {
        /// Which bay.
        bay: String,
        /// The barcode that was asked for.
        asked: String,
        /// What was found.
        why: String,
    },
    /// The drive does not take this generation.
    #[error("{barcode} is not for drive {bay}: {why}")]
    WrongGeneration {
        /// Which cartridge.
        barcode: String,
        /// Which bay.
        bay: String,
        /// Why.
        why: String,
    },
    /// The drive did not load, let out, reserve or answer. The cartridge is in it.
    #[error("drive {bay}, with {}: {error}", words::cartridge(barcode.as_deref()))]
    Drive {
        /// Which bay.
        bay: String,
        /// What is in it, where that is known.
        barcode: Option<String>,
        /// What it said.
        error: DriveError,
    },
    /// The cartridge cannot be used for this.
    #[error("{barcode} cannot be formatted: {why}")]
    Unfit {
        /// Which cartridge.
        barcode: String,
        /// Why.
        why: String,
    },
    /// The folder of a virtual library does not take what was brought. Nothing was changed.
    #[error("{_0}")]
    Refused(String),
    /// The folder of a virtual library failed.
    #[error("{_0}")]
    Folder(String),
    /// What is on the tape, or the way to it.
    #[error(transparent)]
    Media(MediaError),
}

impl Trouble {
    /// Who is to blame.
    pub fn blame(&self) -> Blame {
        match self {
            Self::NotToBeHad(_)
            | Self::Unusable(_)
            | Self::Changer(_)
            | Self::NotHere { .. }
            | Self::Twice { .. }
            | Self::OutOfReach { .. }
            | Self::NoRoom { .. }
            | Self::Arm { .. }
            | Self::AnotherCartridge { .. }
            | Self::InAnotherBay { .. }
            | Self::Folder(_) => Blame::Library,
            Self::Unreachable { .. } => Blame::Drive,
            Self::NoSuchBay(_)
            | Self::InUse { .. }
            | Self::Occupied { .. }
            | Self::Cleaning(_)
            | Self::WrongGeneration { .. }
            | Self::Unfit { .. }
            | Self::Refused(_) => Blame::Operator,
            Self::Drive { error, .. } => error.blame(),
            Self::Media(error) => error.blame(),
        }
    }

    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            // Somebody else's work has an end.
            Self::InUse { .. } | Self::Occupied { .. } | Self::InAnotherBay { .. } => Disposition::Retry,
            Self::NotHere { .. }
            | Self::Twice { .. }
            | Self::Cleaning(_)
            | Self::OutOfReach { .. }
            | Self::AnotherCartridge { .. }
            | Self::WrongGeneration { .. }
            | Self::Unfit { .. } => Disposition::MoveElsewhere,
            Self::NotToBeHad(_)
            | Self::Unusable(_)
            | Self::Changer(_)
            | Self::NoSuchBay(_)
            | Self::Unreachable { .. }
            | Self::NoRoom { .. }
            | Self::Arm { .. }
            | Self::Refused(_)
            | Self::Folder(_) => Disposition::Stop,
            Self::Drive { error, .. } => error.disposition(),
            Self::Media(error) => error.disposition(),
        }
    }
}

impl LibraryError {
    /// Who is to blame.
    pub fn blame(&self) -> Blame {
        self.trouble.blame()
    }

    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        self.trouble.disposition()
    }

    /// The same as what a medium answers; `medium` is its name. What a drive or a volume said stays what it was; what
    /// neither of them is to blame for blames neither.
    pub fn into_media(self, op: Op, medium: &str) -> MediaError {
        let fault = match self.trouble {
            Trouble::Media(error) => return error,
            Trouble::Drive { error, .. } => Fault::Drive(Box::new(error)),
            trouble => match trouble.blame() {
                Blame::Operator => Fault::Unfit(format!("library {}: {trouble}", self.library)),
                Blame::Extent | Blame::Medium | Blame::Drive | Blame::Library | Blame::Us => {
                    Fault::Drive(Box::new(DriveError {
                        device: format!("library {}", self.library),
                        doing: op.to_string(),
                        fault: DriveFault::Library(trouble.to_string()),
                    }))
                }
            },
        };
        MediaError {
            op,
            medium: medium.to_owned(),
            at: None,
            fault,
        }
    }
}

impl From<MediaError> for Trouble {
    fn from(error: MediaError) -> Self {
        Self::Media(error)
    }
}

impl From<virt::LibraryError> for Trouble {
    fn from(error: virt::LibraryError) -> Self {
        use virt::LibraryError as E;
        match error {
            E::Io { .. } => Self::Folder(error.to_string()),
            E::Unreadable { .. } => Self::Unusable(error.to_string()),
            E::Impossible(_) | E::Full | E::Twice(_) | E::NoBarcode(_) | E::Unknown(_) | E::NoCartridge { .. } => {
                Self::Refused(error.to_string())
            }
        }
    }
}
