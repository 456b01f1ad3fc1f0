//! An LTFS volume as a medium of respool, over the driver of real drives on a library of model drives: what was synced is
//! there after a stop anywhere, and nothing else is.

mod bench;
mod crashes;
mod ends;
mod erasures;
mod looks;
mod room;
mod travellers;

// What a mounted volume is written and read with; its rules are tested elsewhere.
#[allow(dead_code, unused_macros, unused_imports)]
#[path = "../../../volume/puts.rs"]
mod puts;
