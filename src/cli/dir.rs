//! `dir`.

use super::medium::details;
use super::{Context, Done};
use crate::api::exit;
use crate::api::media::MediumView;
use crate::api::requests::DirAddRequest;
use crate::api::units::parse_size;
use crate::state::absolute;
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
    name: String,
    /// The directory
    path: PathBuf,
    /// The most bytes it is to hold, e.g. 500GiB [default: as its file system does]
    #[arg(long, value_parser = parse_size, value_name = "N")]
    capacity: Option<ByteCount>,
    /// The dock that the disk is mounted in; a dock holds one disk at a time
    #[arg(long, value_name = "D")]
    dock: Option<String>,
    /// Words to choose media by
    #[arg(long, value_delimiter = ',', value_name = "T,...")]
    tags: Vec<String>,
    /// Its class of storage
    #[arg(long, value_name = "C")]
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
