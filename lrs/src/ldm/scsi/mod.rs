//! SCSI as tape drives and changers speak it: command blocks, data and sense, typed both ways. No policy here: what to do
//! about an answer is `drive`'s and `changer`'s.
//!
//! `cdb` builds commands; one file for each kind of answer reads it, by pure functions that take any bytes at all: what
//! a device says is never trusted for a length.

pub mod cdb;
pub mod data;
pub mod element;
pub mod inquiry;
pub mod limits;
pub mod log;
pub mod mam;
pub mod mode;
pub mod opcodes;
pub mod position;
pub mod reservation;
pub mod sense;
pub mod sg;
pub mod transport;

pub use cdb::Cdb;
pub use data::Malformed;
pub use sense::{Sense, SenseClass};
pub use transport::{Completion, Status, Transfer, Transport, TransportError};
