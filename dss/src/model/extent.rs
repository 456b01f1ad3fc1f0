//! Extents: the smallest unit, moved whole.

use super::words::words;
use super::{
    ByteCount, CopyNo, Digests, Epoch, ExtentId, ExtentIndex, Generation, JobId, MediumId, ObjectId, Oid, SessionId,
    Span, Version,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// How far the catalogue trusts the bytes of an extent.
    ExtentState = "extent_state" {
        /// Not known durable; owned by exactly one move or put session.
        Pending = "pending",
        /// Durable and verified; referenced by at least one layout.
        Sync = "sync",
        /// Referenced by nothing; swept, or held until a time.
        Orphan = "orphan",
    }
}

/// Which place in which copy of which object an extent was written for. Another object's layout may reference the
/// extent too; this says under what name it lies on its medium.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The object version's id.
    pub object: ObjectId,
    /// Its name.
    pub oid: Oid,
    /// Its version.
    pub version: Version,
    /// The copy.
    pub copy: CopyNo,
    /// The position in the copy.
    pub index: ExtentIndex,
}

/// Who may turn a pending extent into anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Owner {
    /// A move of this job.
    Move(JobId),
    /// A stream of puts.
    Put(SessionId),
}

/// Where on a medium an extent lies. dir: the path below the medium's root, as `extent list` prints it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Address(pub String);

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One extent, as the catalogue knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Its identity, also on its medium.
    pub id: ExtentId,
    /// What it was written for.
    pub origin: Origin,
    /// The medium that holds it.
    pub medium: MediumId,
    /// The medium's generation when it was recorded.
    pub generation: Generation,
    /// Where on the medium.
    pub address: Address,
    /// Its size. A put that is still under way has said how much it will send.
    pub bytes: ByteCount,
    /// What its bytes digest to; None while a put is under way.
    pub digests: Option<Digests>,
    /// How far it is trusted.
    pub state: ExtentState,
    /// Who owns it while pending.
    pub owner: Option<(Owner, Epoch)>,
    /// The file's inode once durable (dir), a second proof of identity before any deletion.
    pub inode: Option<u64>,
    /// Where its bytes lie on a tape, once they are durable there; None: not known, or not on a tape.
    pub span: Option<Span>,
    /// orphan: held until then; see [`Hold`].
    pub hold: Hold,
    /// When its bytes were last read back whole from the medium and found good.
    pub verified_at: Option<Timestamp>,
    /// When it was recorded.
    pub created_at: Timestamp,
}

/// How long an orphan's bytes stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// They may go now.
    #[default]
    None,
    /// They stay until this time at least.
    Until(Timestamp),
    /// They stay until a job or an operator lets go.
    Forever,
}

impl Hold {
    /// Whether the bytes may go at this time.
    pub fn is_over(self, now: Timestamp) -> bool {
        match self {
            Self::None => true,
            Self::Until(end) => end <= now,
            Self::Forever => false,
        }
    }
}

/// An extent to be recorded *pending* before its first byte is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExtent {
    /// Its id.
    pub id: ExtentId,
    /// What it is written for.
    pub origin: Origin,
    /// The target.
    pub medium: MediumId,
    /// The target's generation, which the catalogue compares.
    pub generation: Generation,
    /// Where on the target.
    pub address: Address,
    /// Its size.
    pub bytes: ByteCount,
    /// A move knows the digests beforehand; a put does not.
    pub digests: Option<Digests>,
}
