//! Media: what they are, what they may be used for, and how their administrative state moves.

use super::words::words;
use super::{ByteCount, Generation, JobId, MediumId, Revision, Standing};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

words! {
    /// What kind of thing a medium is.
    Family = "family" {
        /// A cartridge.
        Tape = "tape",
        /// A removable disk, or a directory.
        Dir = "dir",
    }
}

words! {
    /// The operator's word on a medium, and where a repack has got to with it.
    AdmState = "adm_state" {
        /// Takes new extents.
        InService = "in_service",
        /// Is read, takes no new extents.
        ReadOnly = "read_only",
        /// Is being emptied at leisure.
        Draining = "draining",
        /// Is being emptied as fast as possible; nobody writes to it.
        AbandonShip = "abandon_ship",
        /// Was emptied by a job; its old bytes are held until a time, or for ever.
        Quarantined = "quarantined",
        /// Is fenced and being erased. It may only be erased again.
        Erasing = "erasing",
        /// Is kept out of use.
        Retired = "retired",
        /// Is lost or destroyed.
        Dead = "dead",
    }
}

words! {
    /// What the system thinks of a medium.
    Health = "health" {
        /// Nothing is known against it.
        Ok = "ok",
        /// It returned or lost bytes once; it gets no new ones.
        Suspect = "suspect",
        /// It is on the way out.
        Failing = "failing",
        /// It is gone.
        Failed = "failed",
    }
}

words! {
    /// Where a medium is.
    Presence = "presence" {
        /// In reach of this host now.
        Attached = "attached",
        /// In reach without a person.
        Near = "near",
        /// In reach of a person.
        Shelf = "shelf",
        /// Not seen since it was added.
        Unseen = "unseen",
        /// Looked for where it should be and not found.
        Missing = "missing",
    }
}

words! {
    /// What is on a medium, as far as its file system goes.
    FsState = "fs_state" {
        /// No label yet.
        Blank = "blank",
        /// A label and no extents.
        Empty = "empty",
        /// Some extents.
        Used = "used",
        /// No room for another extent.
        Full = "full",
    }
}

words! {
    /// How a medium is laid out, and so whether it may be written.
    MediumFormat = "medium_format" {
        /// By respool, or not yet.
        Respool = "respool",
        /// By other software, as an LTFS volume: its files were imported, and it is only read until it is erased.
        Ltfs = "ltfs",
    }
}

/// Where a medium is found and driven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// dir: the absolute path of the directory; tape: the barcode.
    pub path: String,
    /// dir: the dock the disk is mounted in; None: a drive of its own.
    pub dock: Option<String>,
    /// tape: the library that holds it.
    pub library: Option<String>,
}

/// One medium, as the catalogue knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Medium {
    /// Its identity, also on its label.
    pub id: MediumId,
    /// What the operator calls it.
    pub name: String,
    /// Tape or directory.
    pub family: Family,
    /// E.g. `LTO-9`; `dir` for directories.
    pub technology: String,
    /// How it is laid out.
    pub format: MediumFormat,
    /// Where it is.
    pub location: Location,
    /// The operator's words for choosing media.
    pub tags: BTreeSet<String>,
    /// The groupings whose objects it carries.
    pub groupings: BTreeSet<String>,
    /// The operator's class of storage, if any.
    pub class: Option<String>,
    /// What it may be used for.
    pub adm_state: AdmState,
    /// Nobody touches a locked medium.
    pub locked: bool,
    /// What the system thinks of it.
    pub health: Health,
    /// Where it was last found.
    pub presence: Presence,
    /// What is on it.
    pub fs_state: FsState,
    /// How often it was erased; the label says the same.
    pub generation: Generation,
    /// The most bytes it is to hold; None: as many as its file system does.
    pub capacity: Option<ByteCount>,
    /// The highest catalogue revision written to it.
    pub revision: Revision,
    /// Whether it has seen more than the catalogue knows.
    pub standing: Standing,
    /// When its quarantine ends; None while quarantined: never.
    pub quarantined_until: Option<Timestamp>,
    /// The job that emptied it, while quarantined or erasing.
    pub emptied_by: Option<JobId>,
    /// How often something spoke against it. What was read back before the last time does not count any more.
    pub doubts: i32,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Why a medium takes no new extents. The order is the order in which reasons are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTarget {
    /// The operator locked it.
    Locked,
    /// Other software laid it out, and its files are only read.
    Format(MediumFormat),
    /// It may hold what the catalogue does not know.
    Standing(Standing),
    /// Its administrative state forbids it.
    State(AdmState),
    /// It is not trusted with new bytes.
    Health(Health),
    /// It is not here.
    Presence(Presence),
    /// It is full.
    Full,
    /// It has no label.
    Blank,
}

impl std::fmt::Display for NoTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Locked => f.write_str("locked"),
            Self::Format(MediumFormat::Ltfs) => f.write_str("an LTFS volume of other software, which is only read"),
            Self::Format(MediumFormat::Respool) => f.write_str("laid out by respool"),
            Self::Standing(Standing::Ahead) => f.write_str("ahead of the catalogue"),
            Self::Standing(Standing::Level | Standing::Unseen) => {
                f.write_str("not compared with the restored catalogue")
            }
            Self::State(state) => write!(f, "{state}"),
            Self::Health(health) => write!(f, "health {health}"),
            Self::Presence(presence) => write!(f, "{presence}"),
            Self::Full => f.write_str("full"),
            Self::Blank => f.write_str("not formatted"),
        }
    }
}

impl NoTarget {
    /// What an operator can do about it, if anything but another medium will help.
    pub fn way_out(self, medium: &str) -> Option<String> {
        match self {
            Self::Locked => Some(format!("unlock it with `respool medium unlock {medium}`")),
            Self::Health(_) => Some(format!(
                "`respool events` tells what {medium} did; when it is mended run `respool medium trust {medium}`"
            )),
            Self::Presence(_) => Some(format!(
                "put {medium} back in its place and run `respool medium trust {medium}`"
            )),
            Self::Full => Some(format!("make room on {medium} and run `respool medium trust {medium}`")),
            Self::Standing(_) => Some(format!(
                "take {medium} over with `respool medium import {medium} --reconcile`"
            )),
            Self::Format(_) => Some(format!(
                "`respool tape compact {medium} --onto TAPE` moves its files to another tape; erased, {medium} takes extents"
            )),
            Self::State(_) | Self::Blank => None,
        }
    }
}

impl Medium {
    /// Whether it may be used without a person: it is attached, or a tape in its library, which the robot loads. Wherever
    /// a medium is to be read, written or erased this is asked, and never its presence alone.
    pub fn in_reach(&self) -> bool {
        match (self.presence, self.family) {
            (Presence::Attached, Family::Tape | Family::Dir) | (Presence::Near, Family::Tape) => true,
            (Presence::Near, Family::Dir) => false,
            (Presence::Shelf | Presence::Unseen | Presence::Missing, Family::Tape | Family::Dir) => false,
        }
    }

    /// Whether new extents may go to it, else the first reason why not.
    pub fn may_take_extents(&self) -> Result<(), NoTarget> {
        if self.locked {
            return Err(NoTarget::Locked);
        }
        if self.format != MediumFormat::Respool {
            return Err(NoTarget::Format(self.format));
        }
        if self.standing != Standing::Level {
            return Err(NoTarget::Standing(self.standing));
        }
        if self.adm_state != AdmState::InService {
            return Err(NoTarget::State(self.adm_state));
        }
        if self.health != Health::Ok {
            return Err(NoTarget::Health(self.health));
        }
        if !self.in_reach() {
            return Err(NoTarget::Presence(self.presence));
        }
        match self.fs_state {
            FsState::Empty | FsState::Used => Ok(()),
            FsState::Full => Err(NoTarget::Full),
            FsState::Blank => Err(NoTarget::Blank),
        }
    }

    /// Whether its bytes may be read: everything short of erased, destroyed, absent or locked.
    pub fn may_be_read(&self) -> bool {
        !self.locked && !matches!(self.adm_state, AdmState::Erasing | AdmState::Dead) && self.in_reach()
    }
}

/// Which administrative state an operator may set by hand, from which. Quarantined and erasing belong to jobs.
pub fn operator_may_set(from: AdmState, to: AdmState) -> bool {
    use AdmState::{AbandonShip, Dead, Draining, Erasing, InService, Quarantined, ReadOnly, Retired};
    match (from, to) {
        (Erasing | Quarantined, _) | (_, Erasing | Quarantined) => false,
        (Dead, InService) => false,
        (
            InService | ReadOnly | Draining | AbandonShip | Retired | Dead,
            InService | ReadOnly | Draining | AbandonShip | Retired | Dead,
        ) => true,
    }
}

/// What a medium holds, summed by the catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes referenced by a layout, deleted versions inside their undelete window included.
    pub live: ByteCount,
    /// Of those, the bytes referenced only by versions that were deleted or overwritten.
    pub deleted: ByteCount,
    /// Orphan bytes that may go now.
    pub dead: ByteCount,
    /// Orphan bytes held until a time, or for ever.
    pub held: ByteCount,
    /// Bytes of extents whose index was not committed on the medium yet.
    pub unindexed: ByteCount,
    /// All bytes of extents in any state.
    pub used: ByteCount,
    /// Numbers of extents.
    pub extents: ExtentCounts,
}

/// How many extents a medium has in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtentCounts {
    /// Not known durable.
    pub pending: u64,
    /// Durable, verified, referenced.
    pub sync: u64,
    /// Referenced by nothing.
    pub orphan: u64,
}
