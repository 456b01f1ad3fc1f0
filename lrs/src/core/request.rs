//! What is asked of the scheduler, and what it answers.

use dss::model::{ByteCount, Epoch, Generation, MediumId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A granted use of media, until it is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllocationId(pub u64);

impl fmt::Display for AllocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who goes first. Within a priority the older request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Somebody waits for bytes.
    Get,
    /// Somebody waits to store bytes.
    Put,
    /// A repack, restore, reclaim or read-back.
    Repack,
    /// Sweeping, import, anything that can wait.
    Background,
}

/// A medium wanted for write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteWant {
    /// Media that will do, the preferred first. Never empty.
    pub candidates: Vec<MediumId>,
    /// How many bytes there are to write.
    pub bytes: ByteCount,
    /// The grant has room for at least so many: one whole extent (E-02).
    pub at_least: ByteCount,
}

/// ONE request for everything that is needed at once (E-01): granted whole, queued, or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// For messages: what it is for, e.g. `put of reports/2019.tar`, `job 12`.
    pub purpose: String,
    /// Who goes first.
    pub priority: Priority,
    /// Every medium to be read.
    pub reads: Vec<MediumId>,
    /// Every medium to be written. Each is granted another medium, none of `reads`.
    pub writes: Vec<WriteWant>,
    /// Media wanted for deletion, erasure or labelling, whatever their administrative state: nobody else reads or
    /// writes them meanwhile.
    pub exclusive: Vec<MediumId>,
}

/// A medium granted for read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadGrant {
    /// Which.
    pub medium: MediumId,
}

/// A medium granted for write or exclusively.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteGrant {
    /// Which.
    pub medium: MediumId,
    /// Its generation, which goes into every row recorded on it.
    pub generation: Generation,
    /// The epoch of the lease on it.
    pub epoch: Epoch,
    /// Room granted; never more than there is.
    pub bytes: ByteCount,
}

/// What was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Under this id.
    pub id: AllocationId,
    /// In the order of the request.
    pub reads: Vec<ReadGrant>,
    /// In the order of the request.
    pub writes: Vec<WriteGrant>,
    /// In the order of the request.
    pub exclusive: Vec<WriteGrant>,
}

/// Why a request will not be granted, however long one waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A medium to be read, or wanted exclusively, cannot be used.
    #[error("medium {medium} cannot be used: {why}")]
    Unusable {
        /// Its name.
        medium: String,
        /// locked, missing, erasing ...
        why: String,
    },
    /// No candidate can take the extent.
    #[error("no medium can take {at_least} ({}): {}", .considered.len(), .considered.join("; "))]
    NoTarget {
        /// The room needed for one whole extent.
        at_least: ByteCount,
        /// How much is missing on the roomiest candidate.
        missing: ByteCount,
        /// Each candidate with the reason against it, in words.
        considered: Vec<String>,
    },
    /// More media of one dock are needed at once than it can hold.
    #[error("dock {dock} holds one disk at a time and {first} and {second} are needed together")]
    SharedDock {
        /// The dock.
        dock: String,
        /// One medium.
        first: String,
        /// The other.
        second: String,
    },
    /// More tapes are needed at once than the library has drives in service that can take them.
    #[error(
        "library {library} has {drives} drive{} that can take these tapes and {needed} are needed at once{}",
        if *.drives == 1 { "" } else { "s" },
        out_of_service(.closed)
    )]
    FewDrives {
        /// The library.
        library: String,
        /// How many of its drives are in service and can take one of them.
        drives: usize,
        /// How many it would take.
        needed: usize,
        /// Each drive of it that is not in service, with the reason, in words.
        closed: Vec<String>,
    },
    /// The medium is leased to another respoold.
    #[error("medium {medium} is in use elsewhere: {why}")]
    LeasedElsewhere {
        /// Its name.
        medium: String,
        /// By whom, until when.
        why: String,
    },
    /// A drive, or the catalogue, has not answered for longer than it may take.
    #[error("medium {medium} cannot be used: {why}")]
    NoAnswer {
        /// Its name.
        medium: String,
        /// What was asked of whom, and for how long.
        why: String,
    },
    /// respoold is stopping.
    #[error("respoold is stopping")]
    Stopping,
}

fn out_of_service(closed: &[String]) -> String {
    match closed {
        [] => String::new(),
        some => format!("; not in service: {}", some.join("; ")),
    }
}
