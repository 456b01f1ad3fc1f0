//! `respool-dir-1`: a directory as a medium. Files under readable names, a label, and a manifest that the device has
//! confirmed line by line. `FORMAT.md` beside this file is the format's one page.
//!
//! What it promises: an extent counts only when its file, its name and its manifest line are durable, in this order; a
//! failed sync voids everything since the last good one; nothing is removed or read as an extent that the index, the
//! inode or the generation speaks against; and nothing is written through a path, only through the directory's handle.

mod entries;
mod erasing;
mod format;
mod ground;
mod index;
mod label;
mod lines;
mod reading;
mod record;
mod removal;
mod survey;
mod sync;
mod volume;
mod writer;
mod writing;

pub use format::{format, look, mount, open_disk, read_label, relabel};
pub(crate) use label::mislabelled;

use dss::model::{ByteCount, Generation, MediumId};

/// The name of the format, in every label.
pub const FORMAT: &str = "respool-dir-1";

/// The medium that the catalogue expects in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Which.
    pub medium: MediumId,
    /// Its name, for messages.
    pub name: String,
    /// The generations that will do: the catalogue's; of a medium found *erasing* also the one before.
    pub generations: Vec<Generation>,
    /// The most bytes it is to hold.
    pub capacity: Option<ByteCount>,
}
