//! What a catalogue is asked: rows to be made, changes, filters and bounds.

use super::ObjectHeader;
use crate::model::object::Place;
use crate::model::{
    AdmState, ByteCount, ExtentId, ExtentState, FsState, Generation, Health, Hold, JobId, LibraryKind, Location,
    Medium, MediumId, NewExtent, Object, Oid, Origin, Presence, Span, Synced,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A medium to be added. It starts *in_service*, *ok*, *attached*, *blank* at generation 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMedium {
    /// Its identity, to be put on its label.
    pub id: MediumId,
    /// What the operator calls it.
    pub name: String,
    /// Tape or directory.
    pub family: crate::model::Family,
    /// E.g. `dir`.
    pub technology: String,
    /// Where it is.
    pub location: crate::model::Location,
    /// The operator's words.
    pub tags: BTreeSet<String>,
    /// The operator's class.
    pub class: Option<String>,
    /// The most bytes it is to hold.
    pub capacity: Option<ByteCount>,
}

/// A library to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLibrary {
    /// What the operator calls it.
    pub name: String,
    /// How it is driven.
    pub kind: LibraryKind,
    /// Where it is: see [`crate::model::Library`].
    pub place: String,
}

/// A change to a medium's row; None leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediumChange {
    /// Refused with `Conflict` unless the medium is in this state.
    pub expect_adm_state: Option<AdmState>,
    /// New administrative state. Never *erasing* or *quarantined*: those have methods of their own.
    pub adm_state: Option<AdmState>,
    /// Lock or unlock.
    pub locked: Option<bool>,
    /// New health.
    pub health: Option<Health>,
    /// New presence.
    pub presence: Option<Presence>,
    /// New file system state.
    pub fs_state: Option<FsState>,
    /// New tags.
    pub tags: Option<BTreeSet<String>>,
    /// New class.
    pub class: Option<Option<String>>,
    /// New capacity.
    pub capacity: Option<Option<ByteCount>>,
    /// New path (dir) when a disk is mounted elsewhere.
    pub path: Option<String>,
    /// New library (tape). None in it: the tape is in none, and keeps its barcode.
    pub library: Option<Option<String>>,
    /// The generation on the label, when a medium is added that has one.
    pub generation: Option<Generation>,
    /// Why, for the event.
    pub why: String,
}

impl MediumChange {
    /// Where the medium is afterwards.
    pub(crate) fn location_of(&self, medium: &Medium) -> Location {
        let before = &medium.location;
        Location {
            path: self.path.clone().unwrap_or_else(|| before.path.clone()),
            dock: before.dock.clone(),
            library: self.library.clone().unwrap_or_else(|| before.library.clone()),
        }
    }
}

/// Which extents to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtentFilter {
    /// Only on this medium.
    pub medium: Option<MediumId>,
    /// Only of this object, any version.
    pub oid: Option<Oid>,
    /// Only in this state.
    pub state: Option<ExtentState>,
    /// Only those that the medium's own index names, or does not name. Asked for what is live on a medium and not named,
    /// it costs these alone.
    pub indexed: Option<bool>,
}

/// Which objects to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectFilter {
    /// Only names that begin so.
    pub prefix: Option<String>,
    /// Deleted and overwritten versions too.
    pub deleted: bool,
}

/// An object whose extents are durable, to be made visible in one transaction.
#[derive(Debug)]
pub struct NewObject {
    /// The row. Its version is decided by the commit: 1, or one more than the highest there is.
    pub object: Object,
    /// Whether an existing version may be superseded; it is marked deleted at `object.created_at`.
    pub overwrite: Overwrite,
    /// What fills its layouts: every copy complete.
    pub places: Vec<(Place, Synced)>,
}

/// Whether an existing object may get a new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overwrite {
    /// An existing live version refuses the put.
    Refuse,
    /// An existing live version is superseded and kept for its undelete window.
    NewVersion,
}

/// A move to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveIntent {
    /// The extent whose layouts will be repointed.
    pub old: ExtentId,
    /// The extent to write. Its id is the caller's; size and digests must be the old one's (I3).
    pub new: NewExtent,
}

/// A swap to be made.
#[derive(Debug)]
pub struct SwapEntry {
    /// Where the layouts point now.
    pub old: ExtentId,
    /// Where they are to point.
    pub new: Synced,
}

/// What a swap needs to know beside its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapTerms {
    /// Whose.
    pub job: JobId,
    /// The old extents' hold until the source is quarantined or reclaimed. Their bytes outlive read-back.
    pub hold: Hold,
    /// The age clock.
    pub now: Timestamp,
}

/// The most entries one swap transaction may have.
pub const SWAP_MAX: usize = 2_000;

/// More targets than any object has copies: what may go to none of them for its copies' sake is not looked for.
pub const STRANDED_MAX: usize = 16;

/// An extent found on a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id and what it was written for.
    pub extent: ExtentId,
    /// What it was written for.
    pub origin: Origin,
    /// Where it lies.
    pub address: crate::model::Address,
    /// What it digests to, by the medium's own index.
    pub digests: crate::model::Digests,
    /// The file's inode.
    pub inode: Option<u64>,
    /// Where its bytes lie on a tape, by the medium's own index.
    pub span: Option<Span>,
    /// The object it belongs to.
    pub header: ObjectHeader,
    /// Some: its bytes were read whole just now and are good.
    pub read: Option<Timestamp>,
}

impl Found {
    /// Whether what the medium's index says of it agrees with itself.
    pub(crate) fn is_consistent(&self) -> bool {
        let fits = |span: &Span| span.fits(self.digests.bytes);
        self.digests.is_consistent() && self.span.as_ref().is_none_or(fits)
    }

    /// Whether its bytes may be those of an extent that is known to lie there. A place that is not known contradicts none.
    pub(crate) fn may_lie_at(&self, known: Option<&Span>) -> bool {
        let here = self.span.as_ref();
        here.is_none() || known.is_none() || here == known
    }
}

/// Whether unknown objects become known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adopt {
    /// They are only counted.
    No,
    /// Verified complete copies become objects.
    Yes,
    /// The same, for a medium of this catalogue's own lost history: also a version newer than any known one, unless a
    /// known one was made or deleted after it.
    Newer,
}

impl Adopt {
    /// Whether unknown objects may become known: every extent is read whole first, then.
    pub fn adopts(self) -> bool {
        match self {
            Self::No => false,
            Self::Yes | Self::Newer => true,
        }
    }
}

/// Whether a copy is given up, or only what that would do is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sure {
    /// Nothing is changed.
    No,
    /// It is given up.
    Yes,
}

/// A page of a listing that is ordered by id: give the last id seen to get the next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Only what comes after.
    pub after: Option<T>,
    /// At most so many.
    pub limit: u32,
}
