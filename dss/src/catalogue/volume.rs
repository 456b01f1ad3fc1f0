//! What a catalogue is asked and answers when an LTFS volume of other software becomes a medium.

use super::NewMedium;
use crate::model::{Address, ByteCount, Digests, KnownHash, Medium, Metadata, Oid, Span};
use std::collections::BTreeSet;

/// A volume of other software. Each of its entries becomes an object of one copy, of one extent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVolume {
    /// The medium that it becomes. It starts *read_only* and *used*, and is read as what it is until it is erased.
    pub medium: NewMedium,
    /// Everything in its tree that is to be an object.
    pub files: Vec<NewFile>,
}

/// One entry of such a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// The object's name.
    pub oid: Oid,
    /// What travels with it.
    pub metadata: Metadata,
    /// Where the volume has it.
    pub address: Address,
    /// Where on the tape its bytes lie; None: that cannot be told.
    pub span: Option<Span>,
    /// How many bytes it has.
    pub bytes: ByteCount,
    /// What other software said that they digest to.
    pub hashes: Vec<KnownHash>,
}

impl NewFile {
    /// What its bytes digest to, as far as that is known without reading any: no bytes are known.
    pub(crate) fn digests(&self) -> Option<Digests> {
        (self.bytes == ByteCount::ZERO).then(|| Digests::of(b""))
    }

    /// What of its hashes is needed: nothing where the digests are known.
    pub(crate) fn hashes(&self) -> &[KnownHash] {
        match self.bytes {
            ByteCount::ZERO => &[],
            ByteCount(_) => &self.hashes,
        }
    }
}

impl NewVolume {
    /// Names that two of its files would have, which is one clash for each.
    pub(crate) fn named_twice(&self) -> Vec<Oid> {
        let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
        for file in &self.files {
            if !seen.insert(&file.oid) {
                twice.insert(&file.oid);
            }
        }
        twice.into_iter().cloned().collect()
    }
}

/// What became of such a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeAdopted {
    /// It is this medium, and its files are objects.
    Added(Box<Medium>),
    /// Nothing was done: these names are those of live objects, or of two of its files.
    Clashes(Vec<Oid>),
}
