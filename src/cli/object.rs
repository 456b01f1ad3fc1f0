//! `undelete`, `object`; and how one object is told.

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
    pub async fn undelete(self, context: &Context) -> Done {
        let told = |object: &ObjectView| format!("{} version {}: live again", object.oid, object.version);
        mark(context, "/v1/object/undelete", self.oid, told).await
    }
}

/// Asks for one object to be marked, and tells what became of it.
pub(super) async fn mark(context: &Context, path: &str, oid: Oid, told: impl FnOnce(&ObjectView) -> String) -> Done {
    let request = ObjectRequest { oid, version: None };
    let object: ObjectView = context.client().await?.call(path, &request).await?;
    context.output.result(&object, told);
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
                    let (bytes, copies) = (object.bytes.to_string(), object.copies.to_string());
                    let name = format!("{}@{}{}", object.oid, object.version, ended(object));
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

/// How a version ended that is not live any more, behind its name.
fn ended(object: &ObjectView) -> String {
    match (object.deleted_at, object.overwritten_by) {
        (None, _) => String::new(),
        (Some(_), None) => "  deleted".to_owned(),
        (Some(_), Some(version)) => format!("  overwritten by {version}"),
    }
}

/// One object, for people.
pub fn details(object: &ObjectView) -> String {
    let ended = match object.overwritten_by {
        None => ("deleted", time(object.deleted_at)),
        Some(version) => (
            "overwritten",
            format!("{}, by version {version}", time(object.deleted_at)),
        ),
    };
    let mut text = pairs(&[
        ("oid", object.oid.to_string()),
        ("id", object.id.to_string()),
        ("version", object.version.to_string()),
        ("bytes", object.bytes.0.to_string()),
        ("copies", format!("{} of {}", object.copies, object.copies_wanted)),
        ("grouping", object.grouping.clone().unwrap_or_default()),
        ("created", object.created_at.to_string()),
        ended,
    ]);
    for extent in &object.extents {
        text.push_str(&format!(
            "\ncopy {} index {}: {} on {} at {}",
            extent.copy, extent.index, extent.id, extent.medium, extent.address
        ));
    }
    text
}
