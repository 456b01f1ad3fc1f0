//! The catalogue's words: ids, units, states and the transitions between them. Pure: no I/O, no clock, no randomness
//! but fresh ids.

pub mod backup;
pub mod drill;
pub mod event;
pub mod evidence;
pub mod extent;
pub mod holding;
pub mod ids;
pub mod job;
pub mod known;
pub mod lease;
pub mod library;
pub mod loss;
pub mod ltfs;
pub mod medium;
pub mod object;
pub mod span;
pub mod standing;
pub mod units;
pub(crate) mod words;

pub use drill::{Checkpoints, NoDrill, Step};
pub use event::{Event, NewEvent};
pub use evidence::{Digested, ReadBack, Recorded, Synced, Verified, Written};
pub use extent::{Address, Extent, ExtentState, Hold, NewExtent, Origin, Owner};
pub use holding::Holding;
pub use ids::{
    CatalogueId, CopyNo, Epoch, ExtentId, ExtentIndex, Generation, HolderId, JobId, MediumId, ObjectId, Oid, Revision,
    SessionId, Version,
};
pub use job::{
    Job, JobControl, JobError, JobKind, JobLimit, JobSpec, JobState, JobWait, Move, MoveState, Quarantine, Skip,
    Substitution, Tally, VerifyMode,
};
pub use known::{Expected, HashAlgorithm, KnownHash};
pub use lease::{Holder, Lease, Resource};
pub use library::{DriveSeen, KnownDrive, Library, LibraryKind};
pub use ltfs::{LtfsAttributes, LtfsKind, LtfsTimes, LtfsValue, LtfsXattr};
pub use medium::{AdmState, Family, FsState, Health, Location, Medium, MediumFormat, Presence, Usage};
pub use object::{LayoutEntry, Metadata, Object, ObjectDetail, Versions};
pub use span::{Span, Spot, Stretch};
pub use standing::{Compared, EventHead, Known, Seen, Stamp, Standing};
pub use units::{Blake3, ByteCount, CHUNK_BYTES, Digester, Digests};
pub use words::UnknownWord;
