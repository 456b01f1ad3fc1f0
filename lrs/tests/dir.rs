//! The dir family: the conformance suite, what is special to directories, and rehearsed disasters.

#[macro_use]
#[path = "volume/mod.rs"]
mod volume;

#[path = "dir/mod.rs"]
mod dir;
