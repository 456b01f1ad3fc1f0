//! The model of a tape library, asked by raw command blocks as hardware would be.

#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "virt/mod.rs"]
mod virt;
