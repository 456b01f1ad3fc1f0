//! The data path for one allocation: read, verify, write, overlapped through a fixed ring of buffers.
//!
//! `reader` has each extent read on its drive's thread and verified in stream, large ones in `pieces`, small ones in
//! `groups`; `writer` writes on the target's thread, `copy` joins them for one window (or `fill` reads ahead into a
//! `spool`), `sync` makes it durable, `read_back` reads it again. `hashes` are what other
//! software digests its files with. `foresight` tells a drive what will be read next, `whole` is
//! what small extents have of their own. Nothing here touches the catalogue.

pub mod copy;
mod fill;
mod foresight;
mod groups;
mod hashes;
mod intake;
mod pieces;
mod read_back;
mod reader;
pub mod ring;
mod spool;
mod sync;
pub mod verifier;
mod whole;
mod writer;

pub use copy::{Copied, CopyStop, Failure, Item, Misfit, copy};
pub use fill::{Filled, Sought, fill};
pub use hashes::Hashes;
pub use intake::taken;
pub use read_back::{is_small, read_back, read_back_small, read_back_unless, read_unread};
pub use reader::{ReadFailure, Reads};
pub use ring::Ring;
pub use spool::Spool;
pub use sync::{SyncFailure, sync};
pub use whole::{NotTaken, Tried, Whole, write_each};
