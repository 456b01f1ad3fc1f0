//! The scheduler's decisions: pure functions from (state, event, now) to (state, effects).

pub mod request;

pub use request::{AllocationId, Grant, Priority, ReadGrant, Refusal, Request, WriteGrant, WriteWant};
