//! What a medium holds, as far as it matters to whether it is worth emptying.

use super::{ByteCount, MediumId};
use jiff::Timestamp;

/// One medium's holding, summed by the catalogue. Times say when bytes that are needed now will not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Which medium.
    pub medium: MediumId,
    /// All bytes of extents in any state.
    pub used: ByteCount,
    /// Bytes referenced by a layout, deleted versions inside their undelete window included.
    pub live: ByteCount,
    /// How many extents these are.
    pub live_extents: u64,
    /// The size of the largest of them.
    pub largest: ByteCount,
    /// When the youngest of them was recorded.
    pub written_at: Option<Timestamp>,
    /// Of the live bytes, those that only deleted or overwritten versions reference.
    pub deleted: ByteCount,
    /// When the last of these versions was deleted: an undelete window later all of them may go.
    pub deleted_at: Option<Timestamp>,
    /// Orphan bytes that may go now.
    pub dead: ByteCount,
    /// Orphan bytes held until a time.
    pub held: ByteCount,
    /// The last of these times.
    pub held_until: Option<Timestamp>,
    /// Orphan bytes held for ever.
    pub kept: ByteCount,
    /// Extents that somebody is writing.
    pub pending: u64,
    /// Live extents on media in doubt whose last good bytes may be orphans here.
    pub last_good: u64,
    /// Since when its health is what it is; None: since it was added, or it was not noted.
    pub health_since: Option<Timestamp>,
}
