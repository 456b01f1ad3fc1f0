//! The data path for one allocation: read, verify, write, overlapped through a fixed ring of buffers.
//!
//! `reader` reads each extent on its drive's thread and verifies it in stream, `writer` writes on the target's thread,
//! `copy` joins them for one window (or `fill` reads ahead into a `spool`), `sync` makes it durable;
//! `foresight` tells a drive what will be read next, `whole` is what small extents have of their own. Nothing here touches the catalogue.

pub mod copy;
mod fill;
mod foresight;
mod intake;
mod reader;
pub mod ring;
mod spool;
mod sync;
pub mod verifier;
mod whole;
mod writer;

pub use copy::{Copied, CopyStop, Failure, Item, copy};
pub use fill::{Filled, Sought, fill};
pub use intake::taken;
pub use reader::{ReadFailure, Reads, read_back, read_back_unless};
pub use ring::Ring;
pub use spool::Spool;
pub use sync::{SyncFailure, sync};
pub use whole::{NotTaken, Whole, write_each};
