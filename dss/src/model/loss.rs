//! What would become of objects if media were lost.

use super::{ByteCount, Oid, Version};

/// Versions, and their sizes in sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many versions.
    pub objects: u64,
    /// Their bytes, each version once.
    pub bytes: ByteCount,
}

/// What the loss of some media would do. Only what it changes: what is lost already is not counted again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Versions that nothing could give any more.
    pub lost: Share,
    /// Versions that could still be read, from fewer copies.
    pub fewer: Share,
    /// The first of both, what would be lost before the rest, then by name and version.
    pub listed: Vec<AtRisk>,
}

/// One version that the loss would touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtRisk {
    /// Its name.
    pub oid: Oid,
    /// Its version.
    pub version: Version,
    /// Whether it was deleted or overwritten: it could be undeleted now.
    pub deleted: bool,
    /// Its size.
    pub bytes: ByteCount,
    /// How many copies can be put together of what can be read now. Parts of one may stand in for those of another.
    pub copies_now: u64,
    /// And without these media. 0: lost.
    pub copies_left: u64,
}
