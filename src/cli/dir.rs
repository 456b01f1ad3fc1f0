//! `dir`.

use super::medium::details;
use super::{Context, Done};
use crate::api::exit;
use crate::api::media::MediumView;
use crate::api::requests::DirAddRequest;
use crate::api::units::{parse_size, parse_tag};
use crate::state::absolute;
use clap::ValueHint;
use dss::model::ByteCount;
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum Dir {
    /// Make a medium of an empty directory or mounted disk
    Add(Add),
}

#[derive(Debug, clap::Args)]
pub struct Add {
    /// What it shall be called
    #[arg(value_hint = ValueHint::Other)]
    name: String,
    /// The directory
    #[arg(value_hint = ValueHint::DirPath)]
    path: PathBuf,
    /// The most bytes it is to hold, e.g. 500GiB [default: as its file system does]
    #[arg(long, value_parser = parse_size, value_name = "N", value_hint = ValueHint::Other)]
    capacity: Option<ByteCount>,
    /// The dock that the disk is mounted in; a dock holds one disk at a time
    #[arg(long, value_name = "D", value_hint = ValueHint::Other)]
    dock: Option<String>,
    /// Words to choose media by
    #[arg(long, value_delimiter = ',', value_parser = parse_tag, value_name = "T,...", value_hint = ValueHint::Other)]
    tags: Vec<String>,
    /// Its class of storage
    #[arg(long, value_name = "C", value_hint = ValueHint::Other)]
    class: Option<String>,
}

impl Dir {
    pub async fn run(self, context: &Context) -> Done {
        let Self::Add(add) = self;
        let request = DirAddRequest {
            name: add.name,
            path: absolute(&add.path)?,
            capacity: add.capacity,
            dock: add.dock,
            tags: add.tags.into_iter().collect(),
            class: add.class,
        };
        let medium: MediumView = context.client().await?.call("/v1/dir/add", &request).await?;
        context.output.result(&medium, details);
        Ok(exit::DONE)
    }
}
