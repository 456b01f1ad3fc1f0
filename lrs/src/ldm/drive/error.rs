//! What a drive or changer answers when it does not do what was asked: who is to blame, and what to do about it.

use crate::ldm::error::{Blame, Disposition};
use crate::ldm::scsi::{Sense, Status, TransportError};

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveFault {
    /// The device said so.
    #[error("{_0}, {}", _0.words())]
    Sense(Sense),
    /// An earlier write failed, and the drive says so only now: everything since the last flush is void.
    #[error("an earlier write failed ({_0}, {}): everything since the last flush is void", _0.words())]
    Deferred(Sense),
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
    /// Nothing is read or written before it was sent to a place, or taken up anew where its position was lost: an earlier
    /// command failed.
    #[error("it is not known where it stands since an earlier command failed: it must be mounted anew")]
    PositionUnknown,
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
    /// What the inventory says is not so any more: it must be read anew.
    #[error("{}: the inventory is stale and must be read anew ({_0})", stale(_0))]
    StaleInventory(Sense),
    /// It is no such device, or cannot do this.
    #[error("{_0}")]
    Unfit(String),
    /// The library could not bring the cartridge, or take it away: neither the drive nor the cartridge is to blame.
    #[error("{_0}")]
    Library(String),
}

/// Why an inventory is stale (SMC-3: 5/3B/0D and 0E; else an attention came).
fn stale(sense: &Sense) -> &'static str {
    match (sense.key, sense.asc, sense.ascq) {
        (0x5, 0x3b, 0x0d) => "the destination is full",
        (0x5, 0x3b, 0x0e) => "the source is empty",
        _ => "nothing was moved, as somebody may have changed what is where",
    }
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
        matches!(self.fault, DriveFault::PositionLost(_) | DriveFault::PositionUnknown)
    }

    /// Whether the inventory must be read anew before anything else is moved.
    pub fn stale_inventory(&self) -> bool {
        matches!(self.fault, DriveFault::StaleInventory(_))
    }

    /// Who is to blame, as far as one answer tells.
    pub fn blame(&self) -> Blame {
        match &self.fault {
            DriveFault::Sense(sense) => sense.blame(),
            // Which record it was cannot be told.
            DriveFault::Deferred(sense) => match sense.blame() {
                Blame::Extent => Blame::Medium,
                blame => blame,
            },
            DriveFault::PositionUnknown => Blame::Us,
            DriveFault::StaleInventory(_) | DriveFault::Library(_) => Blame::Library,
            DriveFault::PositionLost(_) | DriveFault::TooLong { .. } => Blame::Medium,
            DriveFault::Status(_) | DriveFault::Transport(_) | DriveFault::Nonsense(_) | DriveFault::Astray { .. } => {
                Blame::Drive
            }
            DriveFault::Reserved(_) | DriveFault::Unfit(_) => Blame::Operator,
        }
    }

    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match &self.fault {
            DriveFault::Sense(sense) => sense.disposition(),
            // Retrying would write behind a gap.
            DriveFault::Deferred(sense) => match sense.disposition() {
                Disposition::Stop => Disposition::Stop,
                Disposition::Retry | Disposition::Skip | Disposition::MoveElsewhere => Disposition::MoveElsewhere,
            },
            DriveFault::StaleInventory(_) => Disposition::Retry,
            DriveFault::PositionLost(_) | DriveFault::TooLong { .. } => Disposition::MoveElsewhere,
            DriveFault::Status(_)
            | DriveFault::Transport(_)
            | DriveFault::Nonsense(_)
            | DriveFault::Astray { .. }
            | DriveFault::PositionUnknown
            | DriveFault::Unfit(_)
            | DriveFault::Library(_)
            | DriveFault::Reserved(_) => Disposition::Stop,
        }
    }
}
