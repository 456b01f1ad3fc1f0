//! Why a volume cannot be mounted, read or written as a whole.

use crate::ldm::drive::{DriveError, Position};
use crate::ldm::error::{Blame, Disposition};

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LtfsError {
    /// The drive did not do what it was asked.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The tape has no data at all.
    #[error("the tape is not formatted")]
    Unformatted,
    /// The tape has data, and they are of something else.
    #[error("the tape is not one of LTFS: {_0}")]
    NotLtfs(String),
    /// It is of a version that this program does not know yet. Nothing was touched.
    #[error("the tape is of LTFS {_0}, and this program knows versions up to 2.x")]
    Newer(String),
    /// It is of LTFS, and no partition has a label that can be used.
    #[error("the labels are damaged: {_0}")]
    LabelDamaged(String),
    /// Both labels can be read and contradict each other.
    #[error("the labels of both partitions differ in {_0}")]
    LabelsDisagree(&'static str),
    /// No index on it can be proved to be one.
    #[error("no valid index: {_0}")]
    NoIndex(String),
    /// The data end elsewhere than expected: somebody else wrote, or a write was lost.
    #[error("the end of data is at {found}, and {expected} was expected")]
    Moved {
        /// Where they end.
        found: Position,
        /// Where they should.
        expected: Position,
    },
    /// It must not be written now.
    #[error("the volume is not to be written: {_0}")]
    NotWritable(String),
    /// Its records are longer than the drive takes, or than the way to it carries: none of them could be read whole.
    #[error(
        "its records have up to {block_size} bytes, and this drive, by the way to it, carries {most}: another way or another \
         drive is wanted"
    )]
    RecordsTooLong {
        /// As the labels say.
        block_size: u32,
        /// The most that is carried.
        most: usize,
    },
    /// No room for an index. What was written since the last commit is not part of the volume.
    #[error("the tape is full: an index found no room on partition {_0}")]
    Full(String),
    /// What was asked cannot be done.
    #[error("{_0}")]
    Refused(String),
}

/// What volumes answer.
pub type LtfsResult<T> = Result<T, LtfsError>;

impl LtfsError {
    /// Who is to blame.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Drive(error) => error.blame(),
            Self::Unformatted | Self::NotLtfs(_) | Self::Newer(_) | Self::RecordsTooLong { .. } => Blame::Operator,
            Self::LabelDamaged(_)
            | Self::LabelsDisagree(_)
            | Self::NoIndex(_)
            | Self::Moved { .. }
            | Self::NotWritable(_)
            | Self::Full(_) => Blame::Medium,
            Self::Refused(_) => Blame::Us,
        }
    }

    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Drive(error) => error.disposition(),
            Self::LabelDamaged(_)
            | Self::LabelsDisagree(_)
            | Self::NoIndex(_)
            | Self::Moved { .. }
            | Self::NotWritable(_)
            | Self::Full(_) => Disposition::MoveElsewhere,
            Self::Unformatted | Self::NotLtfs(_) | Self::Newer(_) | Self::RecordsTooLong { .. } | Self::Refused(_) => {
                Disposition::Stop
            }
        }
    }
}
