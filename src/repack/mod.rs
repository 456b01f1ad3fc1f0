//! The repack core: pure functions that decide what moves where, in which order, and what comes next. No clock, no
//! I/O, no randomness; `engine` acts on what is decided here.
//!
//! `manifest` is what lives on the sources, `order` in which order it is read, `plan` where it goes, `stays` what is not
//! moved and why, `stage` whether it goes by way of the spool and `berths` what
//! can be held at once, `awaited` which other job is waited for, `substitute` what
//! is read in place of what cannot be, `candidates` which media are worth emptying and `reasons` why, `batch` what is
//! recorded and swapped together, `job` how a job's state moves, `machine` what comes next, `limits` which limit of its
//! own it came to, `turn` when it gives way.

pub mod awaited;
pub mod batch;
pub mod berths;
pub mod candidates;
pub mod job;
pub mod limits;
pub mod machine;
pub mod manifest;
pub mod names;
pub mod order;
pub mod plan;
pub mod reasons;
pub mod stage;
pub mod stays;
pub mod substitute;
pub mod turn;
