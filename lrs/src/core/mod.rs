//! The scheduler's decisions: pure functions from (state, event, now) to (state, effects).

pub mod allocation;
mod dispatch;
pub mod drive;
pub mod explain;
mod fairness;
pub mod health;
pub mod lease;
pub mod library;
mod matching;
mod offers;
pub mod placement;
pub mod queue;
pub mod request;
pub mod scheduler;
mod settle;
mod shortage;
pub mod stall;
pub mod status;
mod take;
#[cfg(test)]
mod tests;
mod whereabouts;

pub use drive::DriveId;
pub use library::{BayFacts, LibraryFacts};
pub use request::{AllocationId, Grant, Priority, ReadGrant, Refusal, Request, WriteGrant, WriteWant};
pub use scheduler::{Cause, Effect, Event, Scheduler};
