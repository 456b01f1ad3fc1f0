//! `respool-ltfs-1`: an LTFS volume in a drive as a medium. `FORMAT.md` beside this file is the format's one page.
//!
//! What it promises: an extent counts only when its bytes and its line in the log are on the tape; a failed sync voids
//! everything since the last good one; nothing is written but behind the end of data, where it was left and where the
//! drive finds it, until the whole medium is erased; and nothing is erased where files lie that are not respool's.

mod condition;
mod deck;
mod entry;
mod erasing;
mod format;
mod isolation;
mod log;
pub(super) mod mark;
mod need;
pub(super) mod notes;
mod packed;
mod paths;
mod readback;
mod reading;
mod removal;
mod room;
mod shelf;
mod stretch;
mod sync;
mod tag;
mod tree;
mod volume;
mod writing;

pub use crate::ldm::fs::ltfs::faults::SharedDrive;
pub use format::{Shape, format, mount, mount_unknown, read_label};

use dss::model::{CatalogueId, Generation, MediumId};
use jiff::Timestamp;
use std::sync::Arc;

/// The name of the format, in every label.
pub const FORMAT: &str = "respool-ltfs-1";

/// Tells what time it is, for the indexes.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Whether the catalogue has the medium *erasing*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasing {
    /// It has not: a tape without a label is not this medium.
    No,
    /// It has: the tape may have lost its label and not have got the next one.
    Begun,
}

/// The medium that the catalogue expects in a drive.
#[derive(Clone)]
pub struct Expected {
    /// Which.
    pub medium: MediumId,
    /// Its name, for messages.
    pub name: String,
    /// The generations that will do: the catalogue's; of a medium found *erasing* also the one before.
    pub generations: Vec<Generation>,
    /// Whether it is *erasing*.
    pub erasing: Erasing,
    /// The block of the data partition behind the last that the catalogue knows to be durable; 0: it knows of none. A tape
    /// that ends before has lost something, and nothing is written to it.
    pub least_end: u64,
    /// The catalogue that it is mounted for: a tape whose label names another one is read and erased, and nothing is added
    /// to it, since that one may be in use. None: whoever mounts it has none.
    pub catalogue: Option<CatalogueId>,
    /// The clock of its indexes.
    pub clock: Clock,
}
