//! The event log: appended in the transaction that makes the change, chained by hashes afterwards.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its place in the log.
    pub seq: i64,
    /// When, on the age clock.
    pub at: Timestamp,
    /// What kind of thing, e.g. `extent.corrupt`, `medium.erasing`, `job.done`.
    pub kind: String,
    /// To which object, extent, medium or job.
    pub subject: String,
    /// The rest.
    pub detail: serde_json::Value,
}

/// An event to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What kind of thing.
    pub kind: &'static str,
    /// To what.
    pub subject: String,
    /// The rest.
    pub detail: serde_json::Value,
}

/// The hash that seals an event into the chain: BLAKE3-256 over the previous hash and the event's canonical JSON.
pub fn chain_hash(previous: &[u8; 32], event: &Event) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous);
    hasher.update(&serde_json::to_vec(event).expect("an event is plain JSON"));
    *hasher.finalize().as_bytes()
}
