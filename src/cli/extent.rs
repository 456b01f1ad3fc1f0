//! `extent`.

use super::job::follow;
use super::output::Listed;
use super::table::pairs;
use super::{Context, Done};
use crate::api::extents::ExtentView;
use crate::api::requests::{ExtentListRequest, ExtentRequest};
use crate::api::wire::Nothing;
use crate::api::{JobReport, MigrateRequest, exit};
use dss::model::{ExtentId, ExtentState, Oid};

#[derive(Debug, clap::Subcommand)]
pub enum Extent {
    /// Extents; all of them without a filter
    List(List),
    /// One extent
    Show(Show),
    /// Move one extent to another medium
    Migrate(Migrate),
}

#[derive(Debug, clap::Args)]
pub struct List {
    /// Only on this medium
    #[arg(long, value_name = "M")]
    medium: Option<String>,
    /// Only of this object
    #[arg(long, value_name = "O")]
    oid: Option<Oid>,
    /// Only in this state: pending, sync or orphan
    #[arg(long, value_name = "S")]
    state: Option<ExtentState>,
}

#[derive(Debug, clap::Args)]
pub struct Show {
    /// The extent's id
    id: ExtentId,
}

#[derive(Debug, clap::Args)]
pub struct Migrate {
    /// The extent's id
    id: ExtentId,
    /// To which medium
    #[arg(long, value_name = "M")]
    to: String,
    /// Return when the job is accepted
    #[arg(long)]
    detach: bool,
}

impl Extent {
    pub async fn run(self, context: &Context) -> Done {
        match self {
            Self::List(of) => {
                let request = ExtentListRequest {
                    medium: of.medium,
                    oid: of.oid,
                    state: of.state,
                };
                list(context, &request).await
            }
            Self::Show(show) => {
                let request = ExtentRequest { extent: show.id };
                let extent: ExtentView = context.client().await?.call("/v1/extent/show", &request).await?;
                context.output.result(&extent, details);
                Ok(exit::DONE)
            }
            Self::Migrate(migrate) => {
                let client = context.client().await?;
                let request = MigrateRequest {
                    extent: migrate.id,
                    to: migrate.to,
                };
                let job: JobReport = client.call("/v1/extent/migrate", &request).await?;
                if migrate.detach {
                    context.output.result(&job, super::job::details);
                    return Ok(exit::DONE);
                }
                follow(context, &client, job.job).await
            }
        }
    }
}

/// Prints extents.
pub async fn list(context: &Context, request: &ExtentListRequest) -> Done {
    let client = context.client().await?;
    let row = |extent: &ExtentView| {
        format!(
            "{}  {:7}  {}  {:>10}  {}@{}.{}.{}",
            extent.id, extent.state, extent.medium, extent.bytes, extent.oid, extent.version, extent.copy, extent.index
        )
    };
    let listed = context
        .output
        .list::<_, _, Nothing>(&client, "/v1/extent/list", request, "extents", row)
        .await?;
    Ok(match listed {
        Listed::Whole(Nothing {}) => exit::DONE,
        Listed::Broken(code) => code,
    })
}

fn details(extent: &ExtentView) -> String {
    pairs(&[
        ("id", extent.id.to_string()),
        ("object", format!("{} version {}", extent.oid, extent.version)),
        ("copy", format!("{}, index {}", extent.copy, extent.index)),
        ("state", extent.state.to_string()),
        ("medium", extent.medium.clone()),
        ("address", extent.address.to_string()),
        ("bytes", extent.bytes.0.to_string()),
        ("blake3", extent.blake3.clone().unwrap_or_default()),
        ("crc32", extent.crc32.clone().unwrap_or_default()),
        ("held", extent.held.clone().unwrap_or_default()),
        ("verified", super::table::time(extent.verified_at)),
        ("created", extent.created_at.to_string()),
    ])
}
