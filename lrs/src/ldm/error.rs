//! What media and drives answer when they do not do what was asked, who is to blame, and what to do about it.

use super::drive::DriveError;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An operation on a medium or drive: the words of fault files and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Reading bytes of an extent.
    Read,
    /// Writing bytes of an extent.
    Write,
    /// Making writes durable.
    Sync,
    /// Opening an extent.
    Open,
    /// Deleting an extent.
    Delete,
    /// Asking for free space.
    FreeSpace,
    /// Robot and drive.
    Load,
    /// Robot and drive.
    Unload,
    /// File system: finding and checking the label.
    Mount,
    /// Positioning.
    Locate,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Open => "open",
            Self::Delete => "delete",
            Self::FreeSpace => "free space",
            Self::Load => "load",
            Self::Unload => "unload",
            Self::Mount => "mount",
            Self::Locate => "locate",
        })
    }
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The device or its file system failed; or, [`Fault::is_of_host`], what the host lends to every process ran out.
    #[error("{_0}{}", whose(*_0))]
    Io(Errno),
    /// The drive did not do what it was asked.
    #[error("{_0}")]
    Drive(Box<DriveError>),
    /// Fewer bytes than the catalogue says.
    #[error("{got} bytes where the catalogue says {expected}")]
    Short {
        /// As the catalogue says.
        expected: u64,
        /// As the medium gave.
        got: u64,
    },
    /// No room for the next bytes.
    #[error("no space left")]
    NoSpace,
    /// The extent is not where the catalogue says.
    #[error("nothing is there")]
    Absent,
    /// Another medium, or another generation of it, is where this one should be.
    #[error("the label says {found}, expected {expected}")]
    WrongMedium {
        /// Medium and generation the catalogue names.
        expected: String,
        /// What the label names.
        found: String,
    },
    /// The right medium, erased more often than the catalogue knows: the catalogue is older than the medium.
    #[error("its label says generation {found} and the catalogue {expected}: it was erased since")]
    ErasedSince {
        /// The latest generation the catalogue names.
        expected: dss::model::Generation,
        /// What the label names.
        found: dss::model::Generation,
        /// The revision on the label.
        revision: dss::model::Revision,
        /// The catalogue on the label.
        catalogue: dss::model::CatalogueId,
    },
    /// There is no label, or no directory.
    #[error("no respool label is there: {0}")]
    Unlabelled(String),
    /// A label, manifest or record on the medium is damaged.
    #[error("damaged on the medium: {0}")]
    Damaged(String),
    /// An earlier sync failed: nothing more is written until the medium is reopened and identified again.
    #[error("an earlier sync failed; the medium must be reopened first")]
    NeedsReopen,
    /// The file there is not the extent the catalogue means; it was not touched.
    #[error("the file there is not this extent: {0}")]
    NotThisExtent(String),
    /// Bytes that the medium took do not digest to what was given to it.
    #[error("the bytes taken differ from the bytes given")]
    Miswritten,
    /// It is not empty, not a directory, or otherwise unfit to become a medium.
    #[error("{0}")]
    Unfit(String),
    /// What is said of one extent cannot be kept there: that one is left out. The medium is as good as before, and takes
    /// every other one.
    #[error("{0}")]
    Unrepresentable(String),
}

impl Fault {
    /// Whether the host ran out of file handles, memory or processes. It says nothing about the medium, nor about the
    /// bytes on it: the same would have happened on any other.
    pub fn is_of_host(&self) -> bool {
        match self {
            Self::Io(errno) => matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::EAGAIN),
            Self::Drive(_)
            | Self::Short { .. }
            | Self::NoSpace
            | Self::Absent
            | Self::WrongMedium { .. }
            | Self::ErasedSince { .. }
            | Self::Unlabelled(_)
            | Self::Damaged(_)
            | Self::NeedsReopen
            | Self::NotThisExtent(_)
            | Self::Miswritten
            | Self::Unfit(_)
            | Self::Unrepresentable(_) => false,
        }
    }

    /// Whether it is about what is said of one extent, and speaks neither against the medium nor against anything else
    /// that was written to it.
    pub fn is_of_extent(&self) -> bool {
        match self {
            Self::Unrepresentable(_) => true,
            Self::Io(_)
            | Self::Drive(_)
            | Self::Short { .. }
            | Self::NoSpace
            | Self::Absent
            | Self::WrongMedium { .. }
            | Self::ErasedSince { .. }
            | Self::Unlabelled(_)
            | Self::Damaged(_)
            | Self::NeedsReopen
            | Self::NotThisExtent(_)
            | Self::Miswritten
            | Self::Unfit(_) => false,
        }
    }
}

/// What is added where the words of an error would be read as the medium's.
fn whose(errno: Errno) -> &'static str {
    match errno {
        Errno::EMFILE => " (respoold may have no more file handles; the medium is not to blame)",
        Errno::ENFILE => " (this host has no more file handles; the medium is not to blame)",
        Errno::ENOMEM | Errno::EAGAIN => " (this host is short of memory; the medium is not to blame)",
        _ => "",
    }
}

/// Who is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// One extent; the rest of the medium may be fine.
    Extent,
    /// The medium.
    Medium,
    /// The drive.
    Drive,
    /// The library.
    Library,
    /// The person who asked.
    Operator,
    /// This program.
    Us,
}

/// What the caller should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Once more, bounded.
    Retry,
    /// Leave this extent out and go on.
    Skip,
    /// Go on with another medium.
    MoveElsewhere,
    /// Stop and tell.
    Stop,
}

/// A failed operation on a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaError {
    /// Doing what.
    pub op: Op,
    /// On which medium, by name.
    pub medium: String,
    /// On which file or block, where one is concerned.
    pub at: Option<String>,
    /// What happened.
    pub fault: Fault,
}

/// What media answer.
pub type MediaResult<T> = Result<T, MediaError>;

impl fmt::Display for MediaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed on medium {}", self.op, self.medium)?;
        if let Some(at) = &self.at {
            write!(f, " at {at}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl std::error::Error for MediaError {}

impl MediaError {
    /// Who is to blame.
    pub fn blame(&self) -> Blame {
        match (&self.fault, self.op) {
            (Fault::Unfit(_), _) => Blame::Operator,
            (Fault::Drive(error), _) => error.blame(),
            (Fault::Miswritten, _) => Blame::Us,
            (fault, _) if fault.is_of_host() => Blame::Us,
            (Fault::Short { .. } | Fault::Absent | Fault::NotThisExtent(_) | Fault::Unrepresentable(_), _) => {
                Blame::Extent
            }
            (Fault::Io(_), Op::Read | Op::Open | Op::Delete | Op::Locate) => Blame::Extent,
            (Fault::Io(_), Op::Load | Op::Unload) => Blame::Drive,
            (
                Fault::Io(_)
                | Fault::NoSpace
                | Fault::WrongMedium { .. }
                | Fault::ErasedSince { .. }
                | Fault::Unlabelled(_)
                | Fault::Damaged(_)
                | Fault::NeedsReopen,
                _,
            ) => Blame::Medium,
        }
    }

    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self.blame() {
            Blame::Extent => Disposition::Skip,
            Blame::Medium => Disposition::MoveElsewhere,
            Blame::Drive | Blame::Library | Blame::Operator | Blame::Us => Disposition::Stop,
        }
    }

    /// Whether it speaks against the integrity of stored bytes (exit 4) rather than the environment (exit 3).
    pub fn is_integrity(&self) -> bool {
        match self.fault {
            Fault::Short { .. }
            | Fault::Damaged(_)
            | Fault::Miswritten
            | Fault::NotThisExtent(_)
            | Fault::Absent
            | Fault::ErasedSince { .. } => true,
            Fault::Io(_)
            | Fault::Drive(_)
            | Fault::NoSpace
            | Fault::WrongMedium { .. }
            | Fault::Unlabelled(_)
            | Fault::NeedsReopen
            | Fault::Unfit(_)
            | Fault::Unrepresentable(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(op: Op, errno: Errno) -> MediaError {
        MediaError {
            op,
            medium: "a".to_owned(),
            at: None,
            fault: Fault::Io(errno),
        }
    }

    #[test]
    fn a_host_that_ran_out_of_handles_or_memory_is_no_fault_of_a_medium() {
        let ops = [Op::Read, Op::Write, Op::Sync, Op::Open, Op::Delete, Op::Load, Op::Mount];
        for errno in [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::EAGAIN] {
            for op in ops {
                let error = error(op, errno);
                assert_eq!(
                    (error.blame(), error.disposition()),
                    (Blame::Us, Disposition::Stop),
                    "{error}"
                );
                assert!(error.fault.is_of_host() && !error.is_integrity());
                assert!(error.to_string().contains("not to blame"), "{error}");
            }
        }
        for op in ops {
            let error = error(op, Errno::EIO);
            assert!(!error.fault.is_of_host() && error.blame() != Blame::Us, "{error}");
        }
    }

    /// whatever was done with it, it costs that extent and no other one, and nothing says that bytes are wrong.
    #[test]
    fn x01_what_cannot_be_said_of_an_extent_is_no_fault_of_its_medium() {
        for op in [Op::Write, Op::Sync, Op::Delete] {
            let error = MediaError {
                fault: Fault::Unrepresentable("a key occurs twice".to_owned()),
                ..error(op, Errno::EIO)
            };
            assert_eq!((error.blame(), error.disposition()), (Blame::Extent, Disposition::Skip));
            assert!(error.fault.is_of_extent() && !error.fault.is_of_host() && !error.is_integrity());
            assert!(error.to_string().ends_with(": a key occurs twice"), "{error}");
        }
        let others = [
            Fault::Unfit("it is read-only".to_owned()),
            Fault::NoSpace,
            Fault::Absent,
        ];
        assert!(others.iter().all(|fault| !fault.is_of_extent()));
    }
}
