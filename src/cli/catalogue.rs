//! `catalogue`.

use super::service::stop_quietly;
use super::{Context, Done};
use crate::api::backup::{BackupReport, BackupRequest, CatalogueStatus, RestoreReport};
use crate::api::hello::StartLine;
use crate::api::wire::Nothing;
use crate::api::{Problem, exit};
use crate::client::{self, Client};
use crate::state::absolute;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub enum Catalogue {
    /// Write the whole catalogue into a new file
    Backup(Place),
    /// Put a backup back in place of the catalogue in use, which is kept as a database of its own
    Restore(Restore),
    /// Whether a backup is whole, of which catalogue, and how old
    Verify(Place),
}

#[derive(Debug, clap::Args)]
pub struct Place {
    /// The backup's file
    path: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct Restore {
    /// The backup's file
    path: PathBuf,
    /// Also while jobs run or objects are read or stored (they are stopped in order first), and also where the backup is of
    /// another catalogue than the one in use
    #[arg(long)]
    force: bool,
}

impl Catalogue {
    pub async fn run(self, context: &Context) -> Done {
        match self {
            Self::Backup(place) => backup(context, &place.path).await,
            Self::Restore(restore) => restore.run(context).await,
            Self::Verify(place) => verify(context, &place.path).await,
        }
    }
}

async fn backup(context: &Context, path: &Path) -> Done {
    let request = BackupRequest { path: absolute(path)? };
    let client = context.client().await?;
    let report: BackupReport = client.call("/v1/catalogue/backup", &request).await?;
    context.output.result(&report, |report| {
        let mut lines = vec![format!(
            "{}: catalogue {} at revision {}, {} bytes",
            report.path.display(),
            report.manifest.catalogue,
            report.manifest.revision,
            report.manifest.dump_bytes
        )];
        if report.same_device {
            lines.push("it lies on the device of the catalogue itself: copy it to another one".to_owned());
        }
        lines.join("\n")
    });
    Ok(exit::DONE)
}

fn unexpected(line: &StartLine) -> Problem {
    Problem::bug("respoold", format!("it said {line:?}"))
}

/// The status of the catalogue in use, when a respoold runs that may be asked.
async fn present(context: &Context) -> Result<Option<CatalogueStatus>, Problem> {
    match Client::running(&context.state, &context.terms).await? {
        Some(client) => client.call("/v1/catalogue/status", &Nothing {}).await.map(Some),
        None => Ok(None),
    }
}

async fn verify(context: &Context, path: &Path) -> Done {
    let path = absolute(path)?.display().to_string();
    let mut report = match client::start(&context.state, &context.terms, &["verify-backup", &path])? {
        StartLine::Verified(report) => *report,
        StartLine::Problem(problem) => return Err(problem),
        other => return Err(unexpected(&other)),
    };
    // A respoold on other terms is not asked; the backup is what it is.
    let status = present(context).await.ok().flatten();
    report.present = status.map(|status| status.against(&report.manifest));
    context.output.result(&report, |report| {
        let manifest = &report.manifest;
        let mut lines = vec![format!(
            "{}: whole; catalogue {}, revision {}, made {}",
            report.path.display(),
            manifest.catalogue,
            manifest.revision,
            manifest.created_at
        )];
        lines.push(match report.present {
            None => "no respoold runs: it was not compared with a catalogue in use".to_owned(),
            Some(present) if !present.same_catalogue => "it is of another catalogue than the one in use".to_owned(),
            Some(present) => format!(
                "it is {}, {} and {} s behind the catalogue in use",
                counted(present.revisions_behind, "revision"),
                counted(present.events_behind, "event"),
                present.seconds_behind
            ),
        });
        lines.join("\n")
    });
    Ok(exit::DONE)
}

impl Restore {
    async fn run(self, context: &Context) -> Done {
        let path = absolute(&self.path)?.display().to_string();
        // Before anything is stopped: a backup that is no good stops nothing.
        match client::start(&context.state, &context.terms, &["verify-backup", &path])? {
            StartLine::Verified(_) => {}
            StartLine::Problem(problem) => return Err(problem),
            other => return Err(unexpected(&other)),
        }
        if let Some(status) = present(context).await?
            && !self.force
            && status.jobs + status.requests > 0
        {
            let message = format!(
                "{} jobs run and {} requests are being answered; nothing was touched",
                status.jobs,
                status.requests.saturating_sub(status.jobs)
            );
            return Err(
                Problem::refused("in_use", context.state.path().display().to_string(), message)
                    .next("wait for them, or add --force: they are stopped in order first"),
            );
        }
        stop_quietly(context).await?;
        let mut arguments = vec!["restore-catalogue", &path];
        if self.force {
            arguments.push("--any");
        }
        let report: RestoreReport = match client::start(&context.state, &context.terms, &arguments)? {
            StartLine::Restored(report) => *report,
            StartLine::Problem(problem) => return Err(problem),
            other => return Err(unexpected(&other)),
        };
        context.output.result(&report, |report| {
            let put = &report.put_back;
            let mut lines = vec![format!(
                "catalogue {} is back at revision {}, as of {}",
                put.manifest.catalogue, put.manifest.revision, put.manifest.created_at
            )];
            lines.extend(
                put.kept
                    .as_ref()
                    .map(|kept| format!("the catalogue that was in use is kept as database {kept}")),
            );
            if put.paused > 0 {
                lines.push(format!("{} jobs of that time are paused", put.paused));
            }
            lines.push(report.next.clone());
            lines.join("\n")
        });
        Ok(exit::DONE)
    }
}

/// So many of them.
fn counted(count: i64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        for (count, words) in [(0, "0 events"), (1, "1 event"), (2, "2 events")] {
            assert_eq!(counted(count, "event"), words);
        }
    }
}
