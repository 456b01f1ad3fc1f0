//! The model of a tape library, asked by raw command blocks as hardware would be.

#[path = "virt/mod.rs"]
mod virt;
