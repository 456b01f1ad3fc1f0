//! The index: the tree of a volume as one generation has it (LTFS format specification, index format). Read and written
//! as a stream, so that a million files cost their tree and nothing else.

mod entries;
mod read;
mod rules;
mod walk;
mod write;

pub use read::{Keep, Read, fuzz_index, read};
pub(crate) use rules::extent_fault;
pub use rules::{Bounds, findings};
pub use walk::{Node, walk};
pub use write::write;

use super::{PartitionId, Time};
use uuid::Uuid;

/// A file longer than this, in bytes, is nowhere: 64 PiB. A length beyond it is a finding, and the file is not read.
pub const LENGTH_MAX: u64 = 1 << 56;

/// The uid of the root; nobody else has it, and nobody has 0.
pub const ROOT_UID: u64 = 1;

/// A place on a volume: partition and block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Which partition.
    pub partition: PartitionId,
    /// Block number of the first record.
    pub block: u64,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.partition, self.block)
    }
}

/// One generation of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Everything but the tree.
    pub head: Head,
    /// The root; its name is the volume's.
    pub root: Directory,
}

/// An index without its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Attributes of the top element beside its version, such as name spaces of unknown elements.
    pub attributes: Vec<(String, String)>,
    /// Who wrote it, and why.
    pub creator: String,
    /// An operator's words.
    pub comment: Option<String>,
    /// The volume.
    pub volume: Uuid,
    /// Grows with each index that is written.
    pub generation: u64,
    /// When it was written.
    pub update_time: Time,
    /// Where it says it is.
    pub location: Location,
    /// The index before it, on the data partition.
    pub previous: Option<Location>,
    /// Whether the placement policy may be changed.
    pub allow_policy_update: bool,
    /// Which new files go to the index partition.
    pub policy: Option<Policy>,
    /// At least every uid ever used.
    pub highest_uid: u64,
    /// Whether the volume may be written.
    pub lock: Option<Lock>,
    /// Unknown elements, as they are written.
    pub unknown: Vec<String>,
}

/// Which new files go to the index partition: small ones whose name fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Up to this size in bytes.
    pub size: u64,
    /// Patterns of names; none: every name.
    pub names: Vec<String>,
}

/// The volume's lock state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// May be written.
    Unlocked,
    /// May not be written until it is unlocked.
    Locked,
    /// May never be written again.
    Permanently,
}

impl Lock {
    /// All of them with their words.
    const WORDS: [(Self, &'static str); 3] = [
        (Self::Unlocked, "unlocked"),
        (Self::Locked, "locked"),
        (Self::Permanently, "permlocked"),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unlocked => Self::WORDS[0].1,
            Self::Locked => Self::WORDS[1].1,
            Self::Permanently => Self::WORDS[2].1,
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find(|(_, known)| *known == word)
            .map(|(lock, _)| *lock)
    }
}

/// The five times of a file or directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// `creationtime`.
    pub creation: Time,
    /// `changetime`: of its metadata.
    pub change: Time,
    /// `modifytime`: of its contents.
    pub modify: Time,
    /// `accesstime`.
    pub access: Time,
    /// `backuptime`.
    pub backup: Time,
}

impl Times {
    /// All five the same.
    pub fn all(at: Time) -> Self {
        Self {
            creation: at,
            change: at,
            modify: at,
            access: at,
            backup: at,
        }
    }
}

/// What files and directories have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The name, decoded.
    pub name: String,
    /// May not be changed.
    pub readonly: bool,
    /// Five times.
    pub times: Times,
    /// Its number on the volume, never used again.
    pub uid: u64,
    /// Extended attributes, in their order.
    pub xattrs: Vec<Xattr>,
    /// Unknown elements, as they are written.
    pub unknown: Vec<String>,
}

/// An extended attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xattr {
    /// Its key, decoded.
    pub key: String,
    /// Its value.
    pub value: XattrValue,
}

/// The value of an extended attribute, in the form it is stored in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XattrValue {
    /// Text that XML can hold.
    Text(String),
    /// Any bytes.
    Binary(Vec<u8>),
}

impl XattrValue {
    /// The form for some bytes: text where XML can hold it.
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.chars().all(super::name::is_xml) => Self::Text(text.to_owned()),
            _ => Self::Binary(bytes.to_vec()),
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// A directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// What it has in common with files.
    pub meta: Meta,
    /// Its files and directories, in the order they are written in.
    pub contents: Vec<Entry>,
}

/// What a directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory.
    Directory(Directory),
    /// A file, or a symbolic link.
    File(File),
}

/// A file, or a symbolic link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// What it has in common with directories.
    pub meta: Meta,
    /// Its length in bytes.
    pub length: u64,
    /// Its bytes that are on the tape, by offset in the file once read. What no extent covers is zeros.
    pub extents: Vec<Extent>,
    /// Where it leads, if it is a symbolic link.
    pub symlink: Option<String>,
    /// It was open when the index was written.
    pub open_for_write: Option<bool>,
}

/// A run of a file's bytes on the tape: from a byte of a record on, through full records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    /// Where in the file it belongs.
    pub file_offset: u64,
    /// On which partition it is.
    pub partition: PartitionId,
    /// The record it begins in.
    pub block: u64,
    /// The byte of that record.
    pub byte_offset: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl Extent {
    /// The block behind its last record; None: such a place does not exist.
    pub fn end_block(&self, block_size: u32) -> Option<u64> {
        let used = self.byte_offset.checked_add(self.bytes)?;
        self.block.checked_add(used.div_ceil(u64::from(block_size)))
    }
}

impl Head {
    /// Whether two indexes say the same but for their place, what went before and who wrote them: so must the two copies
    /// of one generation.
    pub fn same_generation(&self, other: &Self) -> bool {
        let neutral = |head: &Self| Self {
            location: self.location,
            previous: None,
            creator: String::new(),
            ..head.clone()
        };
        neutral(self) == neutral(other)
    }
}
