//! A tape library of files that answers as hardware does: it takes command blocks and gives status, data and sense, so
//! that the drivers that run on hardware are the ones that are tested.
//!
//! `cartridge` holds what is on the tapes, `drive` and `changer` answer commands, `library` is the box around them.
//! `timing` says how long hardware would have taken, and `clock` adds it up. Nothing here knows what the records mean.
//!
//! It must never be kinder than hardware: what a drive has only in its buffer is lost when its power goes, a full tape is
//! full, and positions move when real ones do.

mod bytes;
pub mod cartridge;
mod changer;
pub mod clock;
mod drive;
mod faulting;
mod handle;
mod intake;
mod inventory;
pub mod library;
mod memory;
mod reservation;
mod sense;
pub mod technology;
pub mod timing;

pub use cartridge::{Card, Cartridge, Kind, SparseCartridge, Tab};
pub use clock::{Clock, Pace};
pub use handle::DeviceTransport;
pub use inventory::{LibraryError, LibrarySpec};
pub use library::{Rehearsal, VirtualLibrary};
pub use sense::Say;
pub use technology::{Access, Technology};
