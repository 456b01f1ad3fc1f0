//! Leases: at most one holder of a medium or drive, and how the next one takes over.

use super::{Epoch, HolderId, MediumId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a lease is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Resource {
    /// Writing to, and erasing, a medium.
    Medium(MediumId),
    /// A drive, by its name.
    Drive(String),
}

impl Resource {
    /// The key of its row.
    pub fn key(&self) -> String {
        match self {
            Self::Medium(id) => format!("medium/{id}"),
            Self::Drive(name) => format!("drive/{name}"),
        }
    }
}

/// The process that asks: one life of one respoold on one host, in one state folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// This life.
    pub id: HolderId,
    /// Identifies the state folder's lock. Only its holder may take over from an earlier life of the same seat
    /// without waiting: the lock proves that life to be over.
    pub seat: String,
}

/// An exclusive hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// On what.
    pub resource: Resource,
    /// Whose.
    pub holder: HolderId,
    /// Writes under a lower epoch are refused.
    pub epoch: Epoch,
    /// When others may begin to wait for its end. The holder counts on a monotonic clock from before it asked.
    pub expires_at: Timestamp,
}
