//! The dir family: the conformance suite, what is special to directories, and rehearsed disasters.

#[path = "dir/mod.rs"]
mod dir;
