//! The catalogue's words: ids, units, states and the transitions between them. Pure: no I/O, no clock, no randomness
//! but fresh ids.

pub mod ids;
pub mod units;
pub(crate) mod words;

pub use ids::{
    CatalogueId, CopyNo, Epoch, ExtentId, ExtentIndex, Generation, HolderId, JobId, MediumId, ObjectId, Oid, Revision,
    SessionId, Version,
};
pub use units::{Blake3, ByteCount, CHUNK_BYTES, Digester, Digests};
pub use words::UnknownWord;
