//! What `events` prints.

use dss::model::Event;
use serde::{Deserialize, Serialize};

/// Events, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventList {
    /// The events.
    pub events: Vec<Event>,
}
