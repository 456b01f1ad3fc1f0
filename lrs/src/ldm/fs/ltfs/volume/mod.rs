//! Volumes on a drive: what is on a tape is found, read, appended to, committed and checked, record by record.
//!
//! What must never happen here: a write at a place that was not just asked for and found as expected; the index
//! partition written before the data partition's index is on the tape; bytes of a damaged extent handed out as others.

mod append;
mod check;
mod commit;
mod error;
mod find;
mod format;
mod labels;
mod memory;
mod mount;
mod read;
mod records;
mod state;

pub use append::{Appender, OpenFile};
pub use check::{Contents, Known, check};
pub use commit::{Commit, Committed, commit, commit_after};
pub use error::{LtfsError, LtfsResult};
pub(super) use find::read_index;
pub use find::{Found, PartitionView, Run, Unproven, Why, generations};
pub(super) use format::empty_tree;
pub use format::{Options, format, lay_out, write_indexes, write_labels};
pub(super) use labels::of_block;
pub use labels::{Labels, read_labels};
pub use memory::Memory;
pub(super) use memory::is_unknown;
pub use mount::{Mounted, mount};
pub use read::{FileReader, ReadError, RecordReader, order};
pub use records::Recorder;
pub use state::{State, judge};
