//! What a reader or checker of a volume finds fault with, without having to stop.

use std::fmt;

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The VOL1 record is not as it must be.
    Vol1,
    /// A label construct is not as it must be.
    Label,
    /// No valid index on a partition.
    NoIndex,
    /// What should be an index cannot be read as one.
    IndexXml,
    /// An index says it is elsewhere.
    IndexSelf,
    /// An index belongs to another volume.
    IndexUuid,
    /// A record of an index is short and not the last one.
    IndexRecords,
    /// Both copies of a generation say different things.
    IndexDiffer,
    /// Generations do not grow.
    Generation,
    /// A pointer to an earlier index is wrong.
    BackPointer,
    /// The coherency attribute (080C) is malformed, of another volume, or names what is not there.
    Coherency,
    /// Another attribute of the cartridge's memory is not as the format wants it.
    Attribute,
    /// Blocks that no index covers follow the last index.
    Tail,
    /// A partition does not end in a complete index.
    Incomplete,
    /// Both partitions are not as after a clean end.
    Unclean,
    /// A name breaks the rules, or occurs twice in its directory.
    Name,
    /// A uid occurs twice, exceeds the highest, or is one that nobody may have.
    Uid,
    /// An extended attribute's key occurs twice.
    Xattr,
    /// An extent overlaps, is empty, or lies where no data can be.
    Extent,
    /// A file's length is absurd, or its extents reach past it.
    Length,
    /// A symbolic link has extents as well.
    Symlink,
    /// A file's bytes cannot be had from the tape.
    Unreadable,
    /// A file's bytes are not those that are known of it.
    Content,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Its kind.
    pub code: Code,
    /// Where: a path of the tree, a partition, a block.
    pub at: String,
    /// What it is, in words.
    pub what: String,
}

impl Finding {
    /// A finding.
    pub fn new(code: Code, at: impl fmt::Display, what: impl Into<String>) -> Self {
        Self {
            code,
            at: at.to_string(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}: {}", self.code, self.at, self.what)
    }
}
