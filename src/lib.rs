//! respool: moves whole extents off tapes and removable media onto others, and can prove that nothing was lost.

pub mod api;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod host;
pub mod mover;
pub mod naming;
pub mod repack;
pub mod state;
pub mod store;
