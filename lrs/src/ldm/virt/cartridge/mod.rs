//! What is on a tape: blocks of partitions, the cartridge's memory, and what the label says. Two ways to keep it: a folder
//! as the LTFS reference's file backend has it, and a few numbers in memory.
//!
//! A cartridge does what it is told; what a drive may tell it (protection, capacity, compatibility) is the drive's to know.

mod card;
mod files;
mod folder;
mod label;
mod map;
mod names;
mod sparse;

pub use card::{Card, Kind, Tab};
pub use folder::FolderCartridge;
pub use map::{BlockKind, BlockMap};
pub use sparse::SparseCartridge;

use crate::ldm::drive::{Attribute, Position};
use nix::errno::Errno;

/// Whether a file of a cartridge's folder is a record, a filemark or an end of data, by its name.
pub(super) fn is_block(name: &str) -> bool {
    names::parse_block(name).is_some()
}

/// What storage of a cartridge answers.
pub type CartridgeResult<T> = Result<T, Errno>;

/// A cartridge's storage. Partitions are numbered from 0, blocks from 0 in each; filemarks are blocks.
pub trait Cartridge: Send {
    /// What it is.
    fn card(&self) -> &Card;

    /// The blocks of a partition; an empty map for one that it does not have.
    fn map(&self, partition: u8) -> &BlockMap;

    /// Whether the end of data of a partition is known. Where it is not, the map ends at the last block that was found.
    fn end_known(&self, partition: u8) -> bool;

    /// The first block that would be lost if the power went now.
    fn durable_end(&self, partition: u8) -> u64;

    /// Fills the buffer, which is no longer than the record, with the record's first bytes.
    fn read(&mut self, at: Position, buffer: &mut [u8]) -> CartridgeResult<()>;

    /// Writes a record at or before the end of a partition; everything behind it is gone. `ENOSPC`: nothing is written.
    fn write(&mut self, at: Position, record: &[u8]) -> CartridgeResult<()>;

    /// Writes filemarks in the same way.
    fn mark(&mut self, at: Position, count: u64) -> CartridgeResult<()>;

    /// Makes a block the end of its partition.
    fn cut(&mut self, at: Position) -> CartridgeResult<()>;

    /// Makes everything written durable, with the ends of data. Once it failed nothing since the last one may be counted
    /// on: `power_cut` takes it away.
    fn flush(&mut self) -> CartridgeResult<()>;

    /// Of what was written since the last flush at most so many blocks are durable now, the first ones: a drive writes out
    /// its buffer whenever it likes. A storage that only makes all durable at once keeps what it had.
    fn come_down(&mut self, _blocks: u64) {}

    /// Another tape that is just like this one; None: it is no tape that can be copied so.
    fn copy(&self) -> Option<Box<dyn Cartridge>> {
        None
    }

    /// Forgets what was written since the last flush.
    fn power_cut(&mut self);

    /// An attribute of its memory.
    fn attribute(&self, partition: u8, id: u16) -> Option<&Attribute>;

    /// The identifiers of all attributes of a partition, in order.
    fn attribute_ids(&self, partition: u8) -> Vec<u16>;

    /// Writes an attribute, durably; an empty value removes it.
    fn set_attribute(&mut self, partition: u8, attribute: &Attribute) -> CartridgeResult<()>;

    /// Lays it out anew with partitions of these sizes in bytes, all of them empty.
    fn lay_out(&mut self, card: Card) -> CartridgeResult<()>;
}
