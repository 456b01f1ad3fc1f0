//! `extent`.

use super::job::{CtrlC, detached, follow};
use super::listing::Listed;
use super::table::{pairs, row as row_of, terminal};
use super::visible::on_one_line;
use super::{Context, Done};
use crate::api::extents::{ExtentView, ReleaseReport};
use crate::api::requests::{ExtentListRequest, ExtentRequest, ReleaseRequest};
use crate::api::wire::Nothing;
use crate::api::{JobReport, MigrateRequest, exit};
use clap::ValueHint;
use dss::model::{ExtentId, ExtentState, Oid};
use std::ffi::{OsStr, OsString};
use std::path::Path;

#[derive(Debug, clap::Subcommand)]
pub enum Extent {
    /// Extents; all of them without a filter
    List(List),
    /// One extent
    Show(Show),
    /// Move one extent to another medium
    Migrate(Migrate),
    /// Give up the copy that an extent is a part of, when another one is verified
    Release(Release),
}

#[derive(Debug, clap::Args)]
pub struct List {
    /// Only on this medium
    #[arg(long, value_name = "M", value_hint = ValueHint::Other)]
    medium: Option<String>,
    /// Only of this object
    #[arg(long, value_name = "O", value_hint = ValueHint::Other)]
    oid: Option<Oid>,
    /// Only in this state: pending, sync or orphan. After `extent list`, `--state` with one of these words means the same
    #[arg(long = "extent-state", value_name = "S", value_hint = ValueHint::Other)]
    extent_state: Option<ExtentState>,
}

/// `--state` is the state folder everywhere, and after `extent list` also the state of extents. What is no path and no
/// folder that exists is a state of extents there, if a misspelt one: it must not become a new catalogue.
pub fn tell_states_apart(mut typed: Vec<OsString>) -> Vec<OsString> {
    let place = |word: &str, after: usize| {
        typed
            .iter()
            .skip(after)
            .position(|arg| arg == word)
            .map(|at| at + after)
    };
    let Some(list) = place("extent", 1).and_then(|extent| place("list", extent)) else {
        return typed;
    };
    let is_state = |text: &OsStr| {
        let word = text.to_str().unwrap_or("/");
        word.parse::<ExtentState>().is_ok() || !word.contains('/') && !Path::new(word).is_dir()
    };
    for at in list + 1..typed.len() {
        if typed[at] == "--state" && typed.get(at + 1).is_some_and(|next| is_state(next)) {
            typed[at] = "--extent-state".into();
        } else if let Some(state) = typed[at].to_str().and_then(|arg| arg.strip_prefix("--state="))
            && is_state(OsStr::new(state))
        {
            typed[at] = format!("--extent-state={state}").into();
        }
    }
    typed
}

#[derive(Debug, clap::Args)]
pub struct Show {
    /// The extent's id
    #[arg(value_hint = ValueHint::Other)]
    id: ExtentId,
}

#[derive(Debug, clap::Args)]
pub struct Migrate {
    /// The extent's id
    #[arg(value_hint = ValueHint::Other)]
    id: ExtentId,
    /// To which medium
    #[arg(long, value_name = "M", value_hint = ValueHint::Other)]
    to: String,
    /// Return when the job is accepted
    #[arg(long)]
    detach: bool,
}

#[derive(Debug, clap::Args)]
pub struct Release {
    /// The extent's id; all extents of its copy go
    #[arg(value_hint = ValueHint::Other)]
    id: ExtentId,
    /// The copy is not needed; without this only what would remain is told
    #[arg(long)]
    yes: bool,
}

impl Extent {
    pub async fn run(self, context: &Context) -> Done {
        match self {
            Self::List(of) => {
                let request = ExtentListRequest {
                    medium: of.medium,
                    oid: of.oid,
                    state: of.extent_state,
                };
                list(context, &request).await
            }
            Self::Show(show) => {
                let request = ExtentRequest { extent: show.id };
                let extent: ExtentView = context.client().await?.call("/v1/extent/show", &request).await?;
                context.output.result(&extent, details);
                Ok(exit::DONE)
            }
            Self::Release(Release { id: extent, yes }) => {
                let request = ReleaseRequest { extent, yes };
                let report: ReleaseReport = context.client().await?.call("/v1/extent/release", &request).await?;
                context.output.result(&report, released);
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
                    context
                        .output
                        .result(&job, |job| context.globals.within(&detached(job)));
                    return Ok(exit::DONE);
                }
                follow(context, &client, job.job, CtrlC::PausesJob).await
            }
        }
    }
}

/// Prints extents.
pub async fn list(context: &Context, request: &ExtentListRequest) -> Done {
    let client = context.client().await?;
    let width = terminal();
    let row = |extent: &ExtentView| {
        let (id, state, bytes) = (
            extent.id.to_string(),
            extent.state.to_string(),
            extent.bytes.to_string(),
        );
        let name = format!("{}@{}.{}.{}", extent.oid, extent.version, extent.copy, extent.index);
        row_of(&[&id, &state, &extent.medium, &bytes, &name], width)
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

fn released(report: &ReleaseReport) -> String {
    format!(
        "copy {} of {} version {} is given up: {} extents ({}) are orphans; {} verified copies remain, of {} asked for",
        report.copy,
        on_one_line(report.oid.as_str()),
        report.version,
        report.extents,
        report.bytes,
        report.copies_left,
        report.copies_asked
    )
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

#[cfg(test)]
mod tests {
    use super::tell_states_apart;
    use std::ffi::OsString;

    #[test]
    fn the_state_of_extents_and_the_state_folder_are_told_apart() {
        for (typed, meant) in [
            (
                "respool extent list --state sync",
                "respool extent list --extent-state sync",
            ),
            (
                "respool extent list --state=orphan",
                "respool extent list --extent-state=orphan",
            ),
            (
                "respool --state /s extent list --state pending",
                "respool --state /s extent list --extent-state pending",
            ),
            (
                "respool extent list --state orphans",
                "respool extent list --extent-state orphans",
            ),
            ("respool extent list --state src", "respool extent list --state src"),
            ("respool extent list --state /s", "respool extent list --state /s"),
            ("respool medium list --state sync", "respool medium list --state sync"),
        ] {
            let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
            assert_eq!(tell_states_apart(words(typed)), words(meant));
        }
    }
}
