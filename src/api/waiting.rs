//! What a job waits for: told by `job show` while it does.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a job waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitingFor {
    /// In one line.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// One by one: who holds it, since when, and what happens next.
    pub reasons: Vec<WaitingReason>,
}

/// One thing that a job waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitingReason {
    /// In words.
    pub text: String,
    /// Who holds it: the purpose of a grant, or a job. None: a device or the catalogue is at work.
    pub held_by: Option<String>,
    /// Since when.
    pub held_since: Option<Timestamp>,
    /// When the holder was asked to give way, if it was.
    pub yield_asked_at: Option<Timestamp>,
    /// What happens next.
    pub next: String,
}
