//! What a drive or changer answers when it does not do what was asked: who is to blame, and what to do about it.

use crate::ldm::error::{Blame, Disposition};
use crate::ldm::scsi::{Sense, Status, TransportError};

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveFault {
    /// The device said so.
    #[error("{_0}")]
    Sense(Sense),
    /// A status without sense.
    #[error("status {_0:?}")]
    Status(Status),
    /// No answer.
    #[error("{_0}")]
    Transport(TransportError),
    /// An answer that cannot be true.
    #[error("its answer makes no sense: {_0}")]
    Nonsense(String),
    /// The position is not known any more: the medium may have changed, or the drive was reset. The cartridge must be
    /// identified anew before anything is read or written.
    #[error("the medium may have changed, or the drive was reset ({_0})")]
    PositionLost(Sense),
    /// It stands elsewhere than it was sent.
    #[error("it stands at {found}, and was sent to {wanted}")]
    Astray {
        /// By its own word.
        found: super::Position,
        /// Where it was sent.
        wanted: super::Position,
    },
    /// A record longer than any that belongs here.
    #[error("a record of {found} bytes, and at most {most} were expected")]
    TooLong {
        /// Its length.
        found: u64,
        /// As asked for.
        most: u64,
    },
    /// Another host has it.
    #[error("it is reserved by {_0}")]
    Reserved(String),
}

/// A failed command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing} failed in {device}: {fault}")]
pub struct DriveError {
    /// Which drive or changer.
    pub device: String,
    /// Doing what, in words: "locate to p1:17".
    pub doing: String,
    /// What happened.
    pub fault: DriveFault,
}

/// What drives and changers answer.
pub type DriveResult<T> = Result<T, DriveError>;

impl DriveError {
    /// Whether the position and the cartridge must be made sure of anew.
    pub fn lost_position(&self) -> bool {
        matches!(self.fault, DriveFault::PositionLost(_))
    }

    /// Who is to blame, as far as one answer tells.
    pub fn blame(&self) -> Blame {
        match &self.fault {
            DriveFault::Sense(sense) => sense.blame(),
            DriveFault::PositionLost(_) | DriveFault::TooLong { .. } => Blame::Medium,
            DriveFault::Status(_) | DriveFault::Transport(_) | DriveFault::Nonsense(_) | DriveFault::Astray { .. } => {
                Blame::Drive
            }
            DriveFault::Reserved(_) => Blame::Operator,
        }
    }

    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match &self.fault {
            DriveFault::Sense(sense) => sense.disposition(),
            DriveFault::PositionLost(_) | DriveFault::TooLong { .. } => Disposition::MoveElsewhere,
            DriveFault::Status(_)
            | DriveFault::Transport(_)
            | DriveFault::Nonsense(_)
            | DriveFault::Astray { .. }
            | DriveFault::Reserved(_) => Disposition::Stop,
        }
    }
}
