//! What `events` prints.

use dss::model::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Events, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventList {
    /// The events.
    pub events: Vec<Event>,
}
