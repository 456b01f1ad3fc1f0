//! `events`.

use super::visible::on_one_line;
use super::{Context, Done};
use crate::api::events::EventList;
use crate::api::exit;
use crate::api::requests::EventsRequest;
use clap::ValueHint;
use dss::model::Event;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many are shown to people who do not say.
const SHOWN: u32 = 50;

#[derive(Debug, clap::Args)]
pub struct Events {
    /// Only what comes after this number, the oldest first; 0 begins with the first, and so does --json by itself
    #[arg(long, value_name = "SEQ", value_hint = ValueHint::Other)]
    after: Option<i64>,
    /// At most so many; without --after and --json the newest [default: 50; with --after or --json 2,000]
    #[arg(long, value_name = "N", value_hint = ValueHint::Other)]
    limit: Option<u32>,
}

impl Events {
    pub async fn run(self, context: &Context) -> Done {
        let request = match (self.after, context.output.json()) {
            (after @ Some(_), _) => EventsRequest {
                after,
                limit: self.limit,
            },
            // Scripts go on from the last number that they had: nothing may come before the first one.
            (None, true) => EventsRequest {
                after: Some(0),
                limit: self.limit,
            },
            (None, false) => EventsRequest {
                after: None,
                limit: Some(self.limit.unwrap_or(SHOWN)),
            },
        };
        let list: EventList = context.client().await?.call("/v1/events", &request).await?;
        context.output.result(&list, |list| {
            let lines = list.events.iter().map(|event| line(event, &list.media));
            lines.collect::<Vec<_>>().join("\n")
        });
        let first = list.events.first().map_or(1, |event| event.seq);
        if request.after.is_none() && first > 1 {
            context.output.note(&context.globals.within(&older(first - 1)));
        }
        Ok(exit::DONE)
    }
}

/// That there are more than those shown: no more than the last of them counts, for numbers are given once.
fn older(last: i64) -> String {
    format!(
        "up to {last} older ones are not shown: `respool events --limit N` shows more of the newest, \
         `respool events --after 0` begins with the first"
    )
}

/// One event on one line: its number, when, what, to what, and the rest.
fn line(event: &Event, media: &BTreeMap<String, String>) -> String {
    let mut columns = vec![
        event.seq.to_string(),
        event.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        event.kind.clone(),
        subject(event, media),
    ];
    columns.extend(rest(&event.detail, media));
    on_one_line(&columns.join("  "))
}

/// What it happened to: the kinds of things that have a name of their own begin with what they are.
fn subject(event: &Event, media: &BTreeMap<String, String>) -> String {
    let name = media.get(&event.subject).unwrap_or(&event.subject);
    let thing = event.kind.split('.').next().unwrap_or_default();
    match ["medium", "job", "object", "extent", "drive"].contains(&thing) {
        true => format!("{thing} {name}"),
        false => name.clone(),
    }
}

/// The rest as `key=value`; what is null is left away. None: there is nothing else to say.
fn rest(detail: &Value, media: &BTreeMap<String, String>) -> Option<String> {
    let Value::Object(pairs) = detail else {
        return Some(plain(detail, media)).filter(|text| !text.is_empty());
    };
    let told = pairs.iter().filter(|(_, value)| !value.is_null());
    let told: Vec<String> = told
        .map(|(key, value)| format!("{key}={}", plain(value, media)))
        .collect();
    (!told.is_empty()).then(|| told.join(" "))
}

/// A value as people write it. A text of several words stands in quotes.
fn plain(value: &Value, media: &BTreeMap<String, String>) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            let text = media.get(text).unwrap_or(text);
            match text.is_empty() || text.contains([' ', '=', '"']) {
                true => format!("\"{}\"", text.replace('"', "'")),
                false => text.clone(),
            }
        }
        Value::Array(values) => values
            .iter()
            .map(|value| plain(value, media))
            .collect::<Vec<_>>()
            .join(","),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(kind: &str, subject: &str, detail: Value) -> String {
        let event = Event {
            seq: 12,
            at: "2030-01-31T12:00:05.123456Z".parse().unwrap(),
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            detail,
        };
        line(&event, &BTreeMap::from([("id-of-a".to_owned(), "disk-a".to_owned())]))
    }

    #[test]
    fn an_event_is_one_line_with_names_and_without_punctuation_of_programs() {
        for (kind, subject, detail, words) in [
            (
                "job.queued",
                "3",
                json!({ "kind": "repack", "sources": ["id-of-a", "id-of-b"] }),
                "job.queued  job 3  kind=repack sources=disk-a,id-of-b",
            ),
            (
                "medium.sync_failed",
                "id-of-a",
                json!({ "extents": 2, "reason": "EIO: \"Input/output\" error" }),
                "medium.sync_failed  medium disk-a  extents=2 reason=\"EIO: 'Input/output' error\"",
            ),
            (
                "medium.quarantined",
                "disk-a",
                json!({ "job": 3, "until": null }),
                "medium.quarantined  medium disk-a  job=3",
            ),
            (
                "catalogue.reconciled",
                "disk-a",
                json!({}),
                "catalogue.reconciled  disk-a",
            ),
            (
                "object.put",
                "a\nb",
                json!({ "version": 1 }),
                "object.put  object a\\nb  version=1",
            ),
        ] {
            let wanted = format!("12  2030-01-31T12:00:05Z  {words}");
            assert_eq!(told(kind, subject, detail), wanted);
        }
    }
}
