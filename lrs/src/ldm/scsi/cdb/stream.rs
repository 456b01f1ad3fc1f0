//! Commands of tape drives: SSC-4.

use super::{Cdb, U24_MAX};
use crate::ldm::drive::{Partition, Position};

/// Whether a command answers before its work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Immediate {
    /// It answers when all is done.
    No,
    /// It answers as soon as it is accepted.
    Yes,
}

impl Immediate {
    fn bit(self) -> u8 {
        match self {
            Self::No => 0,
            Self::Yes => 1,
        }
    }
}

/// LOAD UNLOAD, in or out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadAction {
    /// Threads the tape; it stands at the beginning of partition 0 afterwards.
    Load,
    /// Lets it out.
    Unload,
}

/// What SPACE counts (SSC-4, table 60).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpaceCode {
    /// 0: blocks.
    Blocks,
    /// 1: filemarks.
    Filemarks,
    /// 3: to the end of data; the count is ignored.
    EndOfData,
}

/// What FORMAT MEDIUM is to make (SSC-4, table 20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatType {
    /// 0: one partition.
    Default,
    /// 1: partitions as mode page 11h says.
    Partitions,
}

/// What ALLOW OVERWRITE allows (SSC-4, table 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverwriteMode {
    /// 1: at the present position, which must be the one named.
    CurrentPosition,
    /// 2: formatting.
    Format,
}

impl Cdb {
    /// REWIND, done when it is answered.
    pub fn rewind() -> Self {
        Self::new(0x01)
    }

    /// LOAD UNLOAD.
    pub fn load_unload(action: LoadAction, immediate: Immediate) -> Self {
        let load = match action {
            LoadAction::Load => 1,
            LoadAction::Unload => 0,
        };
        Self::new(0x1b).byte(1, immediate.bit()).byte(4, load)
    }

    /// READ BLOCK LIMITS.
    pub fn read_block_limits() -> Self {
        Self::new(0x05)
    }

    /// READ(6) of one block of variable length, another length reported (SILI off).
    pub fn read(bytes: u32) -> Self {
        Self::new(0x08).u24(2, bytes)
    }

    /// WRITE(6) of one block of variable length.
    pub fn write(bytes: u32) -> Self {
        Self::new(0x0a).u24(2, bytes)
    }

    /// WRITE FILEMARKS(6). None, and not immediate, writes out the drive's buffer.
    pub fn write_filemarks(count: u32, immediate: Immediate) -> Self {
        Self::new(0x10).byte(1, immediate.bit()).u24(2, count)
    }

    /// SPACE: the form of 6 bytes, which every drive knows, where the count fits into its signed 24 bits, else of 16.
    pub fn space(code: SpaceCode, count: i64) -> Self {
        let code = match code {
            SpaceCode::Blocks => 0,
            SpaceCode::Filemarks => 1,
            SpaceCode::EndOfData => 3,
        };
        if (-(1 << 23)..1 << 23).contains(&count) {
            return Self::new(0x11).byte(1, code).u24(2, count as u32 & U24_MAX);
        }
        Self::new(0x91).byte(1, code).u64(4, count as u64)
    }

    /// LOCATE(16) to a block, changing the partition.
    pub fn locate(to: Position) -> Self {
        Self::new(0x92).byte(1, 0x02).byte(3, to.partition.0).u64(4, to.block)
    }

    /// LOCATE(16) to the end of data of a partition (destination type 3).
    pub fn locate_end(partition: Partition) -> Self {
        Self::new(0x92).byte(1, 0x02 | 3 << 3).byte(3, partition.0)
    }

    /// READ POSITION, long form: 32 bytes.
    pub fn read_position() -> Self {
        Self::new(0x34).byte(1, 0x06)
    }

    /// FORMAT MEDIUM, done when it is answered. Only at the beginning of partition 0.
    pub fn format_medium(kind: FormatType) -> Self {
        let kind = match kind {
            FormatType::Default => 0,
            FormatType::Partitions => 1,
        };
        Self::new(0x04).byte(2, kind)
    }

    /// SET CAPACITY, as a part of FFFFh of the whole; done when it is answered. Only at the beginning of partition 0.
    pub fn set_capacity(proportion: u16) -> Self {
        Self::new(0x0b).u16(3, proportion)
    }

    /// ALLOW OVERWRITE.
    pub fn allow_overwrite(mode: OverwriteMode, at: Position) -> Self {
        let mode = match mode {
            OverwriteMode::CurrentPosition => 1,
            OverwriteMode::Format => 2,
        };
        Self::new(0x82).byte(2, mode).byte(3, at.partition.0).u64(4, at.block)
    }
}
