//! File systems of media: extents under names, an index of their own, and what makes writes durable. One conformance
//! suite holds all of them.

pub mod dir;
mod line;
pub mod ltfs;
mod name;

use super::{Fault, MediaResult};
use dss::catalogue::ObjectHeader;
use dss::model::evidence::{SyncReceipt, WriteReceipt};
use dss::model::{
    Address, ByteCount, CatalogueId, Digests, EventHead, ExtentId, Generation, MediumId, Oid, Origin, Revision, Seen,
    Span, Stamp,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a medium says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The format of everything beside the label, e.g. `respool-dir-1`.
    pub format: String,
    /// The medium's identity.
    pub medium: MediumId,
    /// What the operator called it when it was labelled.
    pub name: String,
    /// How often it was erased.
    pub generation: Generation,
    /// The catalogue it belongs to.
    pub catalogue: CatalogueId,
    /// The catalogue's revision when it was labelled.
    pub revision: Revision,
    /// When it was labelled.
    pub created_at: Timestamp,
}

/// A label in words.
fn describe(label: &Label) -> String {
    format!("{} ({}), generation {}", label.name, label.medium, label.generation)
}

/// Whether a label is that of the medium the catalogue means, in one of the generations that will do.
fn meant(label: &Label, medium: MediumId, name: &str, generations: &[Generation]) -> Result<(), Fault> {
    let last = generations.iter().max().copied();
    if label.medium == medium
        && let Some(last) = last.filter(|last| label.generation > *last)
    {
        return Err(Fault::ErasedSince {
            expected: last,
            found: label.generation,
            revision: label.revision,
            catalogue: label.catalogue,
        });
    }
    if label.medium == medium && generations.contains(&label.generation) {
        return Ok(());
    }
    let words: Vec<String> = generations.iter().map(ToString::to_string).collect();
    Err(Fault::WrongMedium {
        expected: format!("{name} ({medium}), generation {}", words.join(" or ")),
        found: describe(label),
    })
}

/// How much room a medium has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// As much as it holds when empty.
    pub capacity: ByteCount,
    /// Taken by extents, whatever their state.
    pub used: ByteCount,
    /// What can still be written.
    pub free: ByteCount,
}

/// Everything that goes to the medium with an extent's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtentTag {
    /// The extent.
    pub extent: ExtentId,
    /// What it is written for.
    pub origin: Origin,
    /// Its size.
    pub bytes: ByteCount,
    /// The object it belongs to.
    pub header: ObjectHeader,
}

/// One line of a medium's own index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEntry {
    /// What was written.
    pub tag: ExtentTag,
    /// Where.
    pub address: Address,
    /// What it digests to.
    pub digests: Digests,
    /// The file's inode (dir).
    pub inode: Option<u64>,
    /// Where the bytes lie (tape).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

/// An extent to be read or deleted, as the catalogue names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its id.
    pub extent: ExtentId,
    /// The object's name, for messages and drills.
    pub oid: Oid,
    /// Where it lies.
    pub address: Address,
    /// Its size.
    pub bytes: ByteCount,
    /// The medium's generation it belongs to.
    pub generation: Generation,
    /// The file's inode, where known.
    pub inode: Option<u64>,
    /// Where the bytes lie on a tape, where known: they are read there even if the tape's own index does not name them.
    pub span: Option<Span>,
}

impl Wanted {
    /// The extent a catalogue row names.
    pub fn of(extent: &dss::model::Extent) -> Self {
        Self {
            extent: extent.id,
            oid: extent.origin.oid.clone(),
            address: extent.address.clone(),
            bytes: extent.bytes,
            generation: extent.generation,
            inode: extent.inode,
            span: extent.span.clone(),
        }
    }
}

/// An extent being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadHandle(pub u64);

/// An extent being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteHandle(pub u64);

/// What became of a write. Early end of medium is an outcome, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Every byte.
    All,
    /// The medium is full: the extent goes whole to another one.
    EndOfMedium,
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The bytes are gone.
    Gone,
    /// They were gone already.
    Absent,
}

/// Whether reads may be answered from the host's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// As fast as may be.
    Anywhere,
    /// From the medium itself, as far as the platform can be made to.
    Medium,
}

/// What is written into a medium's index when it is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexStamp {
    /// The catalogue's revision now.
    pub revision: Revision,
    /// The head of its event chain, sealed before: whoever has it in his log has seen all that this medium has.
    pub event_head: Option<EventHead>,
}

impl From<Stamp> for IndexStamp {
    fn from(stamp: Stamp) -> Self {
        Self {
            revision: stamp.revision,
            event_head: Some(stamp.head),
        }
    }
}

/// A mounted medium. Every call blocks; one thread calls.
pub trait Volume: Send {
    /// The label that was read when it was mounted.
    fn label(&self) -> &Label;

    /// The highest catalogue revision found on the medium.
    fn revision(&self) -> Revision;

    /// The last index commit found on the medium or made since it was mounted; None: there is none, or what lies before
    /// damage has none.
    fn stamp(&self) -> Option<IndexStamp> {
        None
    }

    /// What the medium shows of the catalogue's history.
    fn seen(&self) -> Seen {
        Seen {
            generation: self.label().generation,
            revision: self.revision(),
            head: self.stamp().and_then(|stamp| stamp.event_head),
        }
    }

    /// Asks again, through the same handle the bytes go through, whether this is what was mounted: of a directory its
    /// label and device, of a tape its cartridge's memory and the position. To be called before each record; `sync` does
    /// it itself.
    fn identify(&mut self) -> MediaResult<()>;

    /// How much room there is. An answer that cannot be had is an error, never a guess.
    fn space(&mut self) -> MediaResult<Space>;

    /// A name for an extent that was never used on this medium in this generation, and is not handed out again unless
    /// it was given back. What the extent is called may depend on all that is known of its object.
    fn reserve(&mut self, tag: &ExtentTag) -> MediaResult<Address>;

    /// Takes back a name that was reserved for an extent of which no byte came and none will: it is as if it never was
    /// given. A name under which anything of the extent may lie stays its own.
    fn give_back(&mut self, extent: ExtentId, address: &Address);

    /// Begins to write an extent at a reserved address. `Ok(None)`: no room for it.
    fn create(&mut self, tag: ExtentTag, address: &Address) -> MediaResult<Option<WriteHandle>>;

    /// Appends to an extent.
    fn write(&mut self, handle: WriteHandle, bytes: &[u8]) -> MediaResult<Accepted>;

    /// Ends an extent. The digests are those of the bytes that were meant to be written; the volume keeps count and
    /// CRC of its own and refuses if they differ. Durable only after `sync`.
    fn finish(&mut self, handle: WriteHandle, digests: Digests) -> MediaResult<WriteReceipt>;

    /// Gives up an extent that was begun; it leaves no entry in the index. Its file may be left for the sweep.
    fn abandon(&mut self, handle: WriteHandle);

    /// An extent will be read soon: whatever can be done about it without waiting. Advice.
    fn foresee(&mut self, _wanted: &Wanted) {}

    /// Opens an extent for reading. Refuses what is evidently another file.
    fn open(&mut self, wanted: &Wanted, from: ReadFrom) -> MediaResult<ReadHandle>;

    /// Fills the buffer from the present position as far as bytes remain; 0 only at the end. An error means that the
    /// buffer holds nothing.
    fn read(&mut self, handle: ReadHandle, buffer: &mut [u8]) -> MediaResult<usize>;

    /// Moves the position of an open extent.
    fn seek(&mut self, handle: ReadHandle, offset: u64) -> MediaResult<()>;

    /// Ends reading.
    fn close(&mut self, handle: ReadHandle);

    /// Makes every finished write durable and the medium's index name it. A failure voids every write since the last
    /// good sync; from then on only reads succeed, until the medium is mounted again.
    fn sync(&mut self) -> MediaResult<SyncReceipt>;

    /// Makes the medium self-describing up to the last synced extent, durably.
    fn commit_index(&mut self, stamp: IndexStamp) -> MediaResult<()>;

    /// The entry of an extent in the index as it is read from the medium now.
    fn lookup(&mut self, extent: ExtentId) -> MediaResult<Option<IndexEntry>>;

    /// The whole index, as it is read from the medium now.
    fn index(&mut self) -> MediaResult<Box<dyn Iterator<Item = MediaResult<IndexEntry>> + Send>>;

    /// Removes an orphan's bytes, if what lies at its address is that extent: by index, inode and generation. Durable
    /// only after `sync`.
    fn delete(&mut self, wanted: &Wanted) -> MediaResult<Deleted>;

    /// Moves bytes that failed a digest out of the way, keeping them.
    fn isolate(&mut self, wanted: &Wanted, reason: &str) -> MediaResult<()>;

    /// Files among the extents that the index does not name: unfinished attempts, or bytes that nobody knows.
    fn strangers(&mut self) -> MediaResult<Vec<Address>>;

    /// Erases the medium: removes what its index and `orphans` name, then writes a label of the next generation and
    /// reads it back. Idempotent: after a crash the same call goes on. `between` is told after some removals
    /// and again when only the label is missing. Files that neither names stay, and are answered.
    fn erase(
        &mut self,
        label: Label,
        orphans: &mut dyn Iterator<Item = Wanted>,
        between: &mut dyn FnMut(EraseStep),
    ) -> MediaResult<Vec<Address>>;
}

/// How far an erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EraseStep {
    /// Some extents are gone.
    Middle,
    /// All are gone, the new label is not written.
    BeforeLabel,
}
