//! SCSI as tape drives and changers speak it: command blocks, data and sense, typed both ways. No policy here: what to do
//! about an answer is `drive`'s and `changer`'s.

pub mod sense;
pub mod transport;

pub use sense::Sense;
pub use transport::{Completion, Status, Transfer, Transport, TransportError};
