//! Local device management: what touches media. Everything here blocks; `worker` gives each drive a thread of its own.
//!
//! `disk` is the lowest layer (system calls on one directory; faults and simulations go in here), `fs` makes media of
//! it that describe themselves, `spool` is room beside the media, `faults` rehearses disasters, `holders` names who else
//! has something open.
//!
//! Of tape: `scsi` is the wire, `drive` and `changer` are the devices on it, `library` is a changer and its drives with
//! what is in them. `virt` is a library of files that answers on that wire as the devices do.

pub mod changer;
pub mod disk;
pub mod drive;
pub mod error;
pub mod faults;
pub mod fs;
pub mod holders;
pub mod library;
pub mod scsi;
pub mod spool;
pub mod virt;

pub use error::{Blame, Disposition, Fault, MediaError, MediaResult, Op};
