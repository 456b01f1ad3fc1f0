//! What a catalogue answers.

use super::{CatalogueError, Result};
use crate::model::{
    ByteCount, CatalogueId, CopyNo, ExtentId, Generation, MediumId, Metadata, ObjectId, Oid, Revision, Spot, Version,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Which catalogue this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its id, on every medium.
    pub id: CatalogueId,
    /// Whether drills may be rehearsed in it.
    pub testing: bool,
    /// Its change counter now; raised by every state change.
    pub revision: Revision,
}

/// One line of a source's manifest: a live extent, as far as planning its move needs it. There may be millions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestRow {
    /// The extent.
    pub extent: ExtentId,
    /// The medium it lies on.
    pub medium: MediumId,
    /// The object version it was written for.
    pub object: ObjectId,
    /// That object's name.
    pub oid: Oid,
    /// Which of its copies.
    pub copy: CopyNo,
    /// Its size.
    pub bytes: ByteCount,
    /// Whether every version that references it was deleted or overwritten.
    pub deleted_only: bool,
    /// The media that hold, in state *pending* or *sync*, another copy of any object that references it: no targets
    /// (I10).
    pub avoid: BTreeSet<MediumId>,
    /// The grouping of the object it was written for.
    pub grouping: Option<String>,
    /// tape: where it begins, where that is known.
    pub spot: Option<Spot>,
}

/// What travels with an extent on its medium, so that the medium alone rebuilds the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectHeader {
    /// The object's size.
    pub bytes: ByteCount,
    /// Copies asked for.
    pub copies: CopyNo,
    /// Extents in this copy.
    pub copy_extents: i32,
    /// Its grouping.
    pub grouping: Option<String>,
    /// Its attributes.
    pub metadata: Metadata,
    /// When it was put.
    pub created_at: Timestamp,
}

/// What became of one entry of a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SwapOutcome {
    /// Every layout that pointed to the old extent points to the new one; the old one is an orphan.
    Swapped,
    /// No layout pointed to the old extent any more: the new one is an orphan.
    Vanished,
}

/// What the fence found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// The medium is *erasing* at this new generation: its bytes may go.
    Erasing(Generation),
    /// It still has live or pending extents, and stays as it was.
    InUse {
        /// Live extents.
        live: u64,
        /// Pending extents.
        pending: u64,
    },
    /// Its orphans may be the last good bytes of so many live extents, and stay.
    LastGood(u64),
}

/// Which job's restore did what to one move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReturnOutcome {
    /// The layouts point to the old extent again; the new one is an orphan.
    Returned,
    /// No layout points to the new extent any more: deleted, overwritten or moved on. Not touched.
    MovedOn,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// Extents the catalogue knew already at this place.
    pub known: u64,
    /// Extents added, referenced by nothing and held.
    pub added: u64,
    /// Objects that are known now and were not.
    pub objects_adopted: u64,
    /// Copies added to objects that lacked them.
    pub copies_adopted: u64,
    /// Extents of objects that nobody knows, for want of `--adopt` or of the rest of the copy.
    pub unknown: u64,
    /// Names that belong to another object here: not touched.
    pub clashes: Vec<Oid>,
    /// Names with verified extents of different bytes for one place: none of them was taken.
    pub contradictions: Vec<Oid>,
    /// Objects of which extents found serve nothing: they are of unknown objects or, with `Adopt::Yes`, of a copy that a
    /// live object lacks as before. A spare of a copy that the object has does not count.
    pub unadopted: u64,
    /// The names of some of them.
    pub unadopted_names: Vec<Oid>,
}

/// What ended because its bytes are nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Copies of versions that have another one.
    pub copies: u64,
    /// Versions of which nothing is left.
    pub versions: Vec<(Oid, Version)>,
}

/// What was given up with a copy, and what remains of its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The object's name.
    pub oid: Oid,
    /// Its version.
    pub version: Version,
    /// Which copy.
    pub copy: CopyNo,
    /// How many extents became orphans.
    pub extents: u64,
    /// Their bytes.
    pub bytes: ByteCount,
    /// How many copies remain that count.
    pub remaining: u64,
    /// How many were asked for.
    pub asked: CopyNo,
}

impl Released {
    /// Refuses when nothing would remain.
    pub(crate) fn or_refuse(self) -> Result<Self> {
        if self.remaining > 0 {
            return Ok(self);
        }
        let why = "without this copy 0 verified copies of it remain on media that stay, are in reach and trusted";
        Err(CatalogueError::Conflict {
            subject: format!("{} version {}", self.oid, self.version),
            why: why.to_owned(),
        })
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To be known.
    Note,
    /// To be looked at; nothing is broken. `check` stays ok.
    Warning,
    /// An invariant is broken.
    Error,
}

/// One thing that `respool check` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// I1 to I11, or a word of its own.
    pub invariant: String,
    /// Which object, extent or medium.
    pub subject: String,
    /// In words.
    pub detail: String,
}

/// What the age clock says of a time (DESIGN, section 6: *Time*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClockVerdict {
    /// Within 1 h back and 24 h forward of the highest time seen; the high-water mark was raised.
    Good,
    /// Further back than 1 h.
    Back {
        /// The highest time seen.
        seen: Timestamp,
    },
    /// Further forward than 24 h.
    Forward {
        /// The highest time seen.
        seen: Timestamp,
    },
}
