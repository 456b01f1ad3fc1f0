//! `delete`, `undelete`, `object`.

use super::listing::Listed;
use super::table::{pairs, row as row_of, terminal, time};
use super::{Context, Done};
use crate::api::exit;
use crate::api::objects::ObjectView;
use crate::api::requests::{ObjectListRequest, ObjectRequest};
use crate::api::wire::Nothing;
use dss::model::{Oid, Version};

#[derive(Debug, clap::Args)]
pub struct Named {
    /// The object's name
    oid: Oid,
}

impl Named {
    pub async fn delete(self, context: &Context) -> Done {
        mark(context, "/v1/object/delete", self.oid, "deleted").await
    }

    pub async fn undelete(self, context: &Context) -> Done {
        mark(context, "/v1/object/undelete", self.oid, "live again").await
    }
}

async fn mark(context: &Context, path: &str, oid: Oid, what: &str) -> Done {
    let request = ObjectRequest { oid, version: None };
    let object: ObjectView = context.client().await?.call(path, &request).await?;
    context.output.result(&object, |object| {
        format!("{} version {}: {what}", object.oid, object.version)
    });
    Ok(exit::DONE)
}

#[derive(Debug, clap::Subcommand)]
pub enum Object {
    /// Objects
    List(List),
    /// One object and where it lies
    Show(Show),
}

#[derive(Debug, clap::Args)]
pub struct List {
    /// Only names that begin so
    #[arg(long, value_name = "P")]
    prefix: Option<String>,
    /// Deleted and overwritten versions too
    #[arg(long)]
    deleted: bool,
}

#[derive(Debug, clap::Args)]
pub struct Show {
    /// The object's name
    oid: Oid,
    /// Which version [default: the live one]
    #[arg(long, value_name = "N")]
    version: Option<Version>,
}

impl Object {
    pub async fn run(self, context: &Context) -> Done {
        let client = context.client().await?;
        match self {
            Self::Show(show) => {
                let request = ObjectRequest {
                    oid: show.oid,
                    version: show.version,
                };
                let object: ObjectView = client.call("/v1/object/show", &request).await?;
                context.output.result(&object, details);
                Ok(exit::DONE)
            }
            Self::List(list) => {
                let request = ObjectListRequest {
                    prefix: list.prefix,
                    deleted: list.deleted,
                };
                let width = terminal();
                let row = |object: &ObjectView| {
                    let deleted = if object.deleted_at.is_some() { "  deleted" } else { "" };
                    let (bytes, copies) = (object.bytes.to_string(), object.copies.to_string());
                    let name = format!("{}@{}{deleted}", object.oid, object.version);
                    row_of(&[&bytes, &copies, &name], width)
                };
                let listed = context
                    .output
                    .list::<_, _, Nothing>(&client, "/v1/object/list", &request, "objects", row)
                    .await?;
                Ok(match listed {
                    Listed::Whole(Nothing {}) => exit::DONE,
                    Listed::Broken(code) => code,
                })
            }
        }
    }
}

/// One object, for people.
pub fn details(object: &ObjectView) -> String {
    let mut text = pairs(&[
        ("oid", object.oid.to_string()),
        ("id", object.id.to_string()),
        ("version", object.version.to_string()),
        ("bytes", object.bytes.0.to_string()),
        ("copies", format!("{} of {}", object.copies, object.copies_wanted)),
        ("grouping", object.grouping.clone().unwrap_or_default()),
        ("created", object.created_at.to_string()),
        ("deleted", time(object.deleted_at)),
    ]);
    for extent in &object.extents {
        text.push_str(&format!(
            "\ncopy {} index {}: {} on {} at {}",
            extent.copy, extent.index, extent.id, extent.medium, extent.address
        ));
    }
    text
}
