//! `events`.

use super::{Context, Done};
use crate::api::events::EventList;
use crate::api::exit;
use crate::api::requests::EventsRequest;

#[derive(Debug, clap::Args)]
pub struct Events {
    /// Only what comes after this number
    #[arg(long, value_name = "SEQ")]
    after: Option<i64>,
    /// At most so many, the oldest first; go on with --after and the last number
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
}

impl Events {
    pub async fn run(self, context: &Context) -> Done {
        let request = EventsRequest {
            after: self.after,
            limit: self.limit,
        };
        let list: EventList = context.client().await?.call("/v1/events", &request).await?;
        context.output.result(&list, |list| {
            let line = |event: &dss::model::Event| {
                format!(
                    "{}  {}  {}  {}  {}",
                    event.seq, event.at, event.kind, event.subject, event.detail
                )
            };
            list.events.iter().map(line).collect::<Vec<_>>().join("\n")
        });
        Ok(exit::DONE)
    }
}
