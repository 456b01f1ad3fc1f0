//! `put --recursive --skip-existing`: files whose objects exist are not sent. It goes by the names alone.

use super::put_stream::Item;
use crate::api::Problem;
use crate::api::objects::ObjectView;
use crate::api::requests::ObjectListRequest;
use crate::api::wire::Nothing;
use crate::client::Client;
use dss::model::Oid;
use std::collections::BTreeSet;

/// Takes those out of `items` whose objects exist, and answers their names. All begin with `prefix` and a slash.
pub async fn take_out(client: &Client, prefix: &Oid, items: &mut Vec<Item>) -> Result<BTreeSet<Oid>, Problem> {
    let request = ObjectListRequest {
        prefix: Some(format!("{prefix}/")),
        deleted: false,
    };
    let wanted: BTreeSet<Oid> = items.iter().map(|item| item.oid.clone()).collect();
    let mut existing = BTreeSet::new();
    let Nothing {} = client
        .lines("/v1/object/list", &request, |object: ObjectView| {
            if wanted.contains(&object.oid) {
                existing.insert(object.oid);
            }
            Ok(())
        })
        .await?;
    items.retain(|item| !existing.contains(&item.oid));
    Ok(existing)
}
