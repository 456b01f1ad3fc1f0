//! LTFS, the file system of tapes that others read too (LTFS format specification 2.4): labels, indexes, names, times and
//! the cartridge's memory, and volumes of them above the records of a drive.
//!
//! Everything but `volume` is pure: bytes in, values or findings out. `volume` alone moves tape. Nothing here decides what
//! is copied where. Damage is never repaired on the way: it is found, named, and left to whoever asked.

pub mod attributes;
pub mod coherency;
mod faults;
pub mod finding;
pub mod foreign;
pub mod index;
pub mod label;
pub mod medium;
pub mod name;
pub mod time;
pub mod vol1;
pub mod volume;
pub mod xml;

pub use finding::{Code, Finding};
pub use index::Index;
pub use label::{Label, PartitionId};
pub use time::Time;

/// The version that is written into labels, indexes and attribute 080B.
pub const FORMAT_VERSION: &str = "2.4.0";

/// The smallest block size that a label may name, in bytes.
pub const BLOCK_MIN: u32 = 4096;

/// The largest: a record's length has 24 bits (SSC-5, WRITE).
pub const BLOCK_MAX: u32 = 0xff_ffff;

/// Blocks of a label construct: VOL1, filemark, label, filemark. What follows begins at this block.
pub const LABEL_BLOCKS: u64 = 4;
