//! A tape drive, by records: what a file system of tapes asks of it. One conformance suite holds every implementation.

mod error;
pub mod generation;
pub mod scsi;

pub use error::{DriveError, DriveFault, DriveResult};
pub use generation::Generation;
pub use scsi::ScsiDrive;

use dss::model::ByteCount;
use std::fmt;

/// A partition of a tape, by number: 0 is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u8);

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

/// Where the next record is read or written: partition and block number. Filemarks count as blocks; the first is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Which partition.
    pub partition: Partition,
    /// Which block of it.
    pub block: u64,
}

impl Position {
    /// A block of a partition.
    pub fn at(partition: u8, block: u64) -> Self {
        Self {
            partition: Partition(partition),
            block,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.block)
    }
}

/// Who a drive is, by its own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveIdentity {
    /// INQUIRY, bytes 8 to 15.
    pub vendor: String,
    /// INQUIRY, bytes 16 to 31.
    pub product: String,
    /// INQUIRY, bytes 32 to 35.
    pub revision: String,
    /// VPD page 80h. A changer names drives by it.
    pub serial: String,
}

/// Who made sure of the cartridge in a drive, and of where it stands. It holds until somebody else takes the drive up, or
/// until either may be another one; whoever holds an old one reads and writes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tenure(pub u64);

impl Tenure {
    /// The one after it.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// A record of so many bytes, whole.
    Record(usize),
    /// A filemark; the position is behind it.
    Filemark,
    /// Nothing was ever written here (8/00/05). Never taken for an empty record.
    EndOfData,
}

/// What became of a write or of filemarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The drive has it.
    Taken,
    /// The drive has it, and early warning was passed (0/00/02): some records more, and indexes, fit.
    EarlyWarning,
    /// The tape is full (D/00/02): the drive does not have it.
    EndOfMedium,
}

/// The cartridge in a drive, before anything of it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cartridge {
    /// Primary density code (MODE SENSE, block descriptor).
    pub density: u8,
    /// Medium type (MODE SENSE header).
    pub medium_type: u8,
    /// The tab, or the drive, forbids writing.
    pub write_protected: bool,
    /// Write once.
    pub worm: bool,
    /// The medium's own serial number (MAM 0401), where it says one.
    pub serial: Option<String>,
    /// The barcode as the MAM has it (0806), where it has one.
    pub barcode: Option<String>,
    /// How many partitions it has.
    pub partitions: u8,
}

/// Room of one partition by the drive's word: volume statistics (log page 17h), parameters 0202h to 0204h, in 10^6 bytes
/// each there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionRoom {
    /// All of it when empty.
    pub capacity: ByteCount,
    /// What can still be appended behind the present end of data.
    pub remaining: ByteCount,
}

/// How FORMAT MEDIUM is to lay a tape out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One partition.
    Single,
    /// A small partition 0 and the rest as partition 1, as LTFS wants it.
    IndexAndData,
}

/// An attribute of the cartridge's memory (MAM; SPC-4, 7.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its identifier.
    pub id: u16,
    /// How its value is meant.
    pub format: AttributeFormat,
    /// Its value, as long as it says.
    pub value: Vec<u8>,
}

/// How an attribute's value is meant (SPC-4, table 302).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeFormat {
    /// 00b.
    Binary,
    /// 01b.
    Ascii,
    /// 10b: text, as attribute 0805h says.
    Text,
}

/// A tape drive. Calls block; one thread calls. Unit attentions are drained inside: one that says that the medium may have
/// changed or the drive was reset (6/28, 6/29) is told as an error whose `lost_position` holds, once. A command without an
/// answer means the same: the host may have reset the drive for it, and heard the attention in our place. From then on
/// everything but `load`, `rewind`, `locate` and questions is refused until somebody takes the drive up anew. No question
/// and no movement ends a loss, as the cartridge may be another one.
pub trait Drive: Send {
    /// Who it is.
    fn identity(&self) -> &DriveIdentity;

    /// The largest record in bytes, by the drive and by the way to it.
    fn record_max(&self) -> usize;

    /// For who knows nothing of the cartridge and of where it stands, and finds both out. It ends a loss, and everybody
    /// else's tenure; what comes first is a movement.
    fn take_up(&mut self) -> Tenure;

    /// Whose word on the cartridge holds. Asked of nothing but memory.
    fn tenure(&self) -> Tenure;

    /// Has the drive write nowhere but behind the end of data, except where `allow_overwrite` or `format` says, until it is
    /// reset or the cartridge goes out: as far as it knows such a mode. Goes to the beginning, where alone it is changed.
    fn guard(&mut self) -> DriveResult<()>;

    /// Makes the cartridge that the changer put in, or that lies in the mouth, ready; waits as long as it takes (a new LTO-9
    /// cartridge up to two hours). Ready already is success. Where a position was known and the cartridge may be another one
    /// now, that position is lost.
    fn load(&mut self) -> DriveResult<Cartridge>;

    /// Lets the cartridge out, after everything written is on the tape.
    fn unload(&mut self) -> DriveResult<()>;

    /// Takes the drive for this host alone: PERSISTENT RESERVE, or PREVENT MEDIUM REMOVAL where it knows none. Another
    /// host's hold is an error that names it.
    fn reserve(&mut self) -> DriveResult<()>;

    /// Gives it back.
    fn release(&mut self) -> DriveResult<()>;

    /// Where it stands, by its own word: READ POSITION, long form. A question: a position that was not known is not known
    /// by it, as nobody has said where it should be.
    fn position(&mut self) -> DriveResult<Position>;

    /// To the beginning of partition 0.
    fn rewind(&mut self) -> DriveResult<()>;

    /// Before a block. Where it stands afterwards is asked, and is an error when it is another place.
    fn locate(&mut self, to: Position) -> DriveResult<()>;

    /// Behind the last block of a partition; answers where that is.
    fn locate_end(&mut self, partition: Partition) -> DriveResult<Position>;

    /// Over filemarks, backwards when negative: behind the last of them, or before it when going backwards. Answers where
    /// that is. Fewer filemarks than asked for are an error.
    fn space_filemarks(&mut self, count: i64) -> DriveResult<Position>;

    /// Reads the next block. A record longer than the buffer is an error, and the buffer of a failed read holds nothing.
    /// Behind a record that was too long the next one follows; after any other error nobody knows what does, and nothing
    /// but a locate, a rewind or a question is answered.
    fn read(&mut self, buffer: &mut [u8]) -> DriveResult<ReadOutcome>;

    /// Writes a record. `Taken` says that the drive has it, not the tape: see `flush`. An error may be of an earlier record
    /// (deferred): everything since the last flush is void then.
    fn write(&mut self, record: &[u8]) -> DriveResult<WriteOutcome>;

    /// Writes filemarks into the drive's buffer.
    fn write_filemarks(&mut self, count: u32) -> DriveResult<WriteOutcome>;

    /// Waits until everything written is on the tape: a synchronous WRITE FILEMARKS of none (SSC-5, 6.11).
    fn flush(&mut self) -> DriveResult<WriteOutcome>;

    /// Lets an append-only drive overwrite at the present position (ALLOW OVERWRITE); nothing where it is not needed.
    fn allow_overwrite(&mut self, at: Position) -> DriveResult<()>;

    /// Lays the tape out anew. Everything on it is lost.
    fn format(&mut self, layout: Layout) -> DriveResult<()>;

    /// An attribute of a partition; None: it has none of that number.
    fn attribute(&mut self, partition: Partition, id: u16) -> DriveResult<Option<Attribute>>;

    /// Writes an attribute; an empty value removes it.
    fn set_attribute(&mut self, partition: Partition, attribute: &Attribute) -> DriveResult<()>;

    /// Room of a partition.
    fn room(&mut self, partition: Partition) -> DriveResult<PartitionRoom>;
}
