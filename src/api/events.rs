//! What `events` prints.

use dss::model::{Event, MediumId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Events, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventList {
    /// The events.
    pub events: Vec<Event>,
    /// What media are called that these speak of by id.
    pub media: BTreeMap<String, String>,
}

impl EventList {
    /// These, with the names of the media that they speak of.
    pub fn of(events: Vec<Event>, names: &BTreeMap<MediumId, String>) -> Self {
        let mut media = BTreeMap::new();
        let mut look = |word: &str| {
            let name = word.parse::<MediumId>().ok().and_then(|id| names.get(&id));
            media.extend(name.map(|name| (word.to_owned(), name.clone())));
        };
        for event in &events {
            look(&event.subject);
            each_word(&event.detail, &mut look);
        }
        Self { events, media }
    }
}

/// Every text in a value, however deep.
fn each_word(value: &Value, look: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => look(text),
        Value::Array(values) => values.iter().for_each(|value| each_word(value, look)),
        Value::Object(map) => map.values().for_each(|value| each_word(value, look)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_media_that_are_spoken_of_are_named_and_no_others() {
        let [a, b, other] = [(); 3].map(|()| MediumId::fresh());
        let names = BTreeMap::from([(a, "a".to_owned()), (b, "b".to_owned()), (other, "other".to_owned())]);
        let event = |subject: String, detail| Event {
            seq: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            kind: "job.queued".to_owned(),
            subject,
            detail,
        };
        let events = vec![
            event("3".to_owned(), json!({ "sources": [a] })),
            event(b.to_string(), json!({ "job": 3, "until": null })),
        ];
        let list = EventList::of(events.clone(), &names);
        assert_eq!(list.events, events);
        let wanted = [(a.to_string(), "a".to_owned()), (b.to_string(), "b".to_owned())];
        assert_eq!(list.media, BTreeMap::from(wanted));
    }
}
