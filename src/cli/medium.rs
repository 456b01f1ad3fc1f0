//! `medium`.

mod told;

pub use told::{brief, details};

use super::{Context, Done};
use crate::api::candidates::{CandidateList, CandidatesRequest};
use crate::api::import::ImportReport;
use crate::api::loss::{LossReport, LossRequest};
use crate::api::media::{CheckErase, MediaList, MediumView};
use crate::api::requests::{Adopt, ExtentListRequest, ImportRequest, MediumRequest, MediumSetRequest};
use crate::api::wire::Nothing;
use crate::api::{Problem, exit};
use crate::state::absolute;
use clap::ValueHint;
use dss::model::Presence;
use std::path::Path;
use told::{candidates, counts, imported, losses, place, room};

#[derive(Debug, clap::Subcommand)]
pub enum Medium {
    /// All media
    List,
    /// One medium
    Show(Which),
    /// Room on all media
    Df,
    /// Numbers of extents on all media
    Counts,
    /// The extents of a medium
    Extents(Which),
    /// Media worth emptying, the best first, and why
    Candidates(Candidates),
    /// What would be lost, or have fewer copies, if media were lost now
    WhatIfLost(WhatIfLost),
    /// Change adm_state, health, presence, tags, class, capacity or path
    Set(Set),
    /// Let nobody touch a medium
    Lock(Which),
    /// Let a medium be used again
    Unlock(Which),
    /// Take back that a medium is suspect, missing or full, after it was mended, found or freed
    Trust(Which),
    /// Declare a medium lost or destroyed: nothing on it counts as a copy any more
    Dead(Dead),
    /// Whether `format` would erase a medium now, and why not
    CheckErase(Which),
    /// Erase a medium on which nothing is live
    Format(Which),
    /// Make known what a medium holds, from the medium alone
    Import(Import),
}

#[derive(Debug, clap::Args)]
pub struct Dead {
    #[command(flatten)]
    which: Which,
    /// It is lost for good, and nothing on it is to be relied upon
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
pub struct Import {
    /// The medium's name, or the path of a directory that is one
    #[arg(value_name = "PATH|NAME", value_hint = ValueHint::DirPath)]
    medium: String,
    /// Make unknown objects known, each read whole first, and take over a medium of another catalogue
    #[arg(long)]
    adopt: bool,
    /// Take over a medium that is ahead of its catalogue
    #[arg(long)]
    reconcile: bool,
    /// With --reconcile: forget versions whose bytes were found on no medium, such as those deleted since the backup
    #[arg(long, requires = "reconcile")]
    forget_missing: bool,
}

#[derive(Debug, clap::Args)]
pub struct Candidates {
    /// Also tell why this medium is none, and what would make it one
    #[arg(long, value_name = "MEDIUM", value_hint = ValueHint::Other)]
    why_not: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct WhatIfLost {
    /// The media, lost together
    #[arg(required = true, value_name = "MEDIUM", value_hint = ValueHint::Other)]
    media: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct Which {
    /// The medium's name
    #[arg(value_name = "MEDIUM", value_hint = ValueHint::Other)]
    medium: String,
}

#[derive(Debug, clap::Args)]
pub struct Set {
    /// The medium's name
    #[arg(value_hint = ValueHint::Other)]
    medium: String,
    /// For example tags=offsite,blue or capacity=4TiB or adm_state=read_only
    #[arg(required = true, value_name = "KEY=VALUE", value_hint = ValueHint::Other)]
    values: Vec<String>,
}

impl Medium {
    pub async fn run(self, context: &Context) -> Done {
        match self {
            Self::List => list(context, brief).await,
            Self::Df => list(context, room).await,
            Self::Counts => list(context, counts).await,
            Self::Show(which) => one(context, "/v1/medium/show", which).await,
            Self::Lock(which) => one(context, "/v1/medium/lock", which).await,
            Self::Unlock(which) => one(context, "/v1/medium/unlock", which).await,
            Self::Trust(which) => trust(context, which).await,
            Self::Dead(dead) => dead.run(context).await,
            Self::Format(which) => one(context, "/v1/medium/format", which).await,
            Self::CheckErase(which) => check_erase(context, which).await,
            Self::Candidates(which) => which.run(context).await,
            Self::WhatIfLost(media) => media.run(context).await,
            Self::Set(set) => set.run(context).await,
            Self::Import(import) => import.run(context).await,
            Self::Extents(which) => {
                let request = ExtentListRequest {
                    medium: Some(which.medium),
                    ..ExtentListRequest::default()
                };
                super::extent::list(context, &request).await
            }
        }
    }
}

async fn list(context: &Context, show: impl Fn(&MediaList) -> String) -> Done {
    let list: MediaList = context.client().await?.call("/v1/medium/list", &Nothing {}).await?;
    context.output.result(&list, show);
    Ok(exit::DONE)
}

async fn one(context: &Context, path: &str, which: Which) -> Done {
    let request = MediumRequest { medium: which.medium };
    let medium: MediumView = context.client().await?.call(path, &request).await?;
    context.output.result(&medium, details);
    Ok(exit::DONE)
}

async fn trust(context: &Context, which: Which) -> Done {
    let request = MediumRequest { medium: which.medium };
    let medium: MediumView = context.client().await?.call("/v1/medium/trust", &request).await?;
    if medium.presence == Presence::Missing {
        context.output.note(&format!(
            "medium {} is trusted: its health counts as {} again. But it is not there and stays missing: nothing of it \
             lies at {}\n  next: mount it there, and run `respool medium trust {}` again",
            medium.name,
            medium.health,
            place(&medium),
            medium.name
        ));
    }
    context.output.result(&medium, details);
    Ok(exit::DONE)
}

async fn check_erase(context: &Context, which: Which) -> Done {
    let request = MediumRequest { medium: which.medium };
    let verdict: CheckErase = context.client().await?.call("/v1/medium/check-erase", &request).await?;
    context.output.result(&verdict, |verdict| match verdict.erasable {
        true => format!(
            "{} may be erased: {} orphans would go, {} of them held for a restore",
            verdict.medium, verdict.orphan, verdict.held_bytes
        ),
        false => format!("{} may not be erased: {}", verdict.medium, verdict.reasons.join("; ")),
    });
    Ok(if verdict.erasable { exit::DONE } else { exit::REFUSED })
}

impl Candidates {
    async fn run(self, context: &Context) -> Done {
        let request = CandidatesRequest { why_not: self.why_not };
        let list: CandidateList = context.client().await?.call("/v1/medium/candidates", &request).await?;
        context.output.result(&list, candidates);
        Ok(exit::DONE)
    }
}

impl WhatIfLost {
    async fn run(self, context: &Context) -> Done {
        let request = LossRequest { media: self.media };
        let report: LossReport = context
            .client()
            .await?
            .call("/v1/medium/what-if-lost", &request)
            .await?;
        context.output.result(&report, losses);
        Ok(exit::DONE)
    }
}

impl Dead {
    /// There is no way back, so that a slip of the finger must not be enough.
    async fn run(self, context: &Context) -> Done {
        if !self.yes {
            let name = &self.which.medium;
            return Err(Problem::refused(
                "not_confirmed",
                name,
                format!("`medium dead` was not confirmed: no copy on {name} would count any more; nothing was changed"),
            )
            .next(format!(
                "`respool medium what-if-lost {name}` names what would be lost; then `respool medium dead {name} --yes` if \
                 it is lost for good"
            )));
        }
        let name = self.which.medium.clone();
        let done = one(context, "/v1/medium/dead", self.which).await?;
        context.output.note(&format!(
            "medium {name} is dead: no copy on it counts any more\n  next: `respool check` names what has no good copy left"
        ));
        Ok(done)
    }
}

impl Set {
    async fn run(self, context: &Context) -> Done {
        let mut values = Vec::with_capacity(self.values.len());
        for pair in &self.values {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                Problem::refused("usage", pair, format!("'{pair}' is not KEY=VALUE"))
                    .next("write for example tags=blue")
            })?;
            values.push((key.to_owned(), value.to_owned()));
        }
        let request = MediumSetRequest {
            medium: self.medium,
            values,
        };
        let medium: MediumView = context.client().await?.call("/v1/medium/set", &request).await?;
        context.output.result(&medium, details);
        Ok(exit::DONE)
    }
}

impl Import {
    async fn run(self, context: &Context) -> Done {
        let medium = match self.medium.contains('/') {
            true => absolute(Path::new(&self.medium))?.display().to_string(),
            false => self.medium,
        };
        let request = ImportRequest {
            medium,
            adopt: if self.adopt { Adopt::Yes } else { Adopt::No },
            reconcile: self.reconcile,
            forget_missing: self.forget_missing,
        };
        let report: ImportReport = context.client().await?.call("/v1/medium/import", &request).await?;
        context.output.result(&report, imported);
        Ok(report.exit())
    }
}
