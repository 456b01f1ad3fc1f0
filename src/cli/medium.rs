//! `medium`.

use super::table::{pairs, size, table, time, words};
use super::visible::on_one_line;
use super::{Context, Done};
use crate::api::candidates::{CandidateList, CandidatesRequest, WhyNot};
use crate::api::import::{ImportReport, Reconciled};
use crate::api::loss::{LossReport, LossRequest};
use crate::api::media::{CheckErase, DriveView, MediaList, MediumView};
use crate::api::requests::{Adopt, ExtentListRequest, ImportRequest, MediumRequest, MediumSetRequest};
use crate::api::wire::Nothing;
use crate::api::{Problem, exit};
use crate::state::absolute;
use clap::ValueHint;
use dss::model::{Presence, Standing};
use std::path::Path;

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

fn candidates(list: &CandidateList) -> String {
    let rows = list.candidates.iter().map(|one| {
        [
            one.rank.to_string(),
            one.medium.clone(),
            size(Some(one.reclaimable_bytes)),
            size(Some(one.live_bytes)),
            one.health.to_string(),
            one.reason.clone(),
        ]
    });
    let mut text = match list.candidates.is_empty() {
        true => "no medium is worth emptying now".to_owned(),
        false => table(["rank", "name", "reclaimable", "live", "health", "reason"], rows),
    };
    text.extend(list.next.iter().map(|next| format!("\n  next: {next}")));
    text.extend(list.why_not.iter().map(why_not));
    text
}

fn why_not(told: &WhyNot) -> String {
    let WhyNot { medium, reasons, .. } = told;
    let mut text = match told.candidate {
        true => format!("\n{medium} is a candidate: {}", reasons.join("; ")),
        false => format!("\n{medium} is no candidate: {}", reasons.join("; ")),
    };
    text.extend(told.next.iter().map(|next| format!("\n  next: {next}")));
    text
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

fn losses(report: &LossReport) -> String {
    let (lost, fewer) = (report.lost, report.fewer);
    let mut lines = vec![format!(
        "without {}: {} objects ({}) would be lost, {} ({}) would have fewer copies",
        report.media.join(" and "),
        lost.objects,
        lost.bytes,
        fewer.objects,
        fewer.bytes
    )];
    lines.extend(report.objects.iter().map(|one| {
        let deleted = if one.deleted { ", deleted" } else { "" };
        let what = match one.copies_left {
            0 => "lost".to_owned(),
            left => format!("{left} of {} copies", one.copies_now),
        };
        let (bytes, name) = (one.bytes, on_one_line(one.oid.as_str()));
        format!("{what}: {name} version {} ({bytes}{deleted})", one.version)
    }));
    if report.not_listed > 0 {
        lines.push(format!("and {} more", report.not_listed));
    }
    lines.join("\n")
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

/// All media, for people.
pub fn brief(list: &MediaList) -> String {
    let rows = list.media.iter().map(|medium| {
        [
            medium.name.clone(),
            medium.technology.clone(),
            state(medium),
            medium.health.to_string(),
            medium.presence.to_string(),
            size(Some(medium.live_bytes)),
            size(medium.free_bytes),
            words(&medium.tags),
        ]
    });
    table(
        ["name", "type", "state", "health", "presence", "live", "free", "tags"],
        rows,
    )
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

fn imported(report: &ImportReport) -> String {
    let found = &report.imported;
    let mut lines = vec![
        format!(
            "{}: {} extents, {} of them read whole ({})",
            report.medium, report.extents, report.extents_read, report.bytes_read
        ),
        format!(
            "{} known already, {} added and held, {} objects and {} copies adopted, {} extents of unknown objects",
            found.known, found.added, found.objects_adopted, found.copies_adopted, found.unknown
        ),
    ];
    let bad = report.bad.iter();
    lines.extend(bad.map(|bad| format!("bad: {} ({}): {}", bad.oid, bad.extent, bad.reason)));
    let clashes = found.clashes.iter();
    lines.extend(clashes.map(|oid| format!("not touched: another object here is called {oid}")));
    let contradictions = found.contradictions.iter();
    lines.extend(
        contradictions.map(|oid| format!("clash: files of {oid} for one place have different bytes; none was taken")),
    );
    let unadopted = found.unadopted_names.iter();
    lines.extend(unadopted.map(|oid| format!("not adopted: extents of {oid}")));
    let more = found.unadopted - found.unadopted_names.len() as u64;
    if more > 0 {
        lines.push(format!("not adopted: extents of {more} more objects"));
    }
    if report.relabelled {
        lines.push("its label names this catalogue now".to_owned());
    }
    if report.medium_added {
        lines.push(format!(
            "it has no capacity of its own now; `respool medium set {} capacity=N` gives it one",
            report.medium
        ));
    }
    if let Some(done) = &report.reconciled {
        lines.extend(reconciled(&report.medium, done));
    }
    lines.push(format!("it is {}", report.adm_state));
    lines.extend(report.next.iter().map(|next| format!("  next: {next}")));
    lines.join("\n")
}

fn reconciled(medium: &str, done: &Reconciled) -> Vec<String> {
    let mut lines = vec![];
    if done.erased_since {
        lines.push(format!(
            "{medium} was erased since the backup; the catalogue knows it now"
        ));
    }
    if done.repointed > 0 {
        lines.push(format!(
            "{} extents were moved off it since; they were found elsewhere, read, and are used there now",
            done.repointed
        ));
    }
    let missing = done.missing.iter();
    lines.extend(missing.map(|gone| format!("gone and not found elsewhere: {} version {}", gone.oid, gone.version)));
    let forgotten = done.forgotten.iter();
    lines.extend(forgotten.map(|version| format!("forgotten, its bytes are nowhere: {version}")));
    if done.forgotten_copies > 0 {
        lines.push(format!(
            "{} copies were forgotten; each has another one",
            done.forgotten_copies
        ));
    }
    lines.push(match (done.missing.is_empty(), &done.in_doubt[..]) {
        (false, _) => format!("{medium} stays ahead of the catalogue"),
        (true, []) => "all media are level with the catalogue; erasing, sweeping and purging go on".to_owned(),
        (true, others) => format!("{medium} is level with the catalogue; not yet: {}", others.join(", ")),
    });
    lines
}

fn state(medium: &MediumView) -> String {
    let locked = if medium.locked { ",locked" } else { "" };
    format!("{},{}{locked}", medium.adm_state, medium.fs_state)
}

fn room(list: &MediaList) -> String {
    let rows = list.media.iter().map(|medium| {
        [
            medium.name.clone(),
            size(medium.capacity_bytes),
            size(Some(medium.used_bytes)),
            size(medium.free_bytes),
            size(Some(medium.live_bytes)),
            size(Some(medium.dead_bytes)),
            size(Some(medium.held_bytes)),
        ]
    });
    table(["name", "capacity", "used", "free", "live", "dead", "held"], rows)
}

fn counts(list: &MediaList) -> String {
    let rows = list.media.iter().map(|medium| {
        [
            medium.name.clone(),
            medium.extents.pending.to_string(),
            medium.extents.sync.to_string(),
            medium.extents.orphan.to_string(),
        ]
    });
    table(["name", "pending", "sync", "orphan"], rows)
}

fn drive(drive: &DriveView) -> String {
    let mut words = vec![match &drive.medium {
        Some(medium) => format!("{}: {} {medium}", drive.name, drive.state),
        None => format!("{}: {}", drive.name, drive.state),
    }];
    words.extend(drive.used_by.iter().cloned());
    words.extend(drive.out_of_service.iter().map(|why| format!("serves nobody: {why}")));
    words.join("; ")
}

/// How a medium compares with the catalogue.
fn standing(medium: &MediumView) -> String {
    match medium.standing {
        Standing::Level => "level with the catalogue".to_owned(),
        Standing::Ahead => format!(
            "ahead of the catalogue, read only: run `respool medium import {} --reconcile`",
            medium.name
        ),
        Standing::Unseen => "not compared since the catalogue was restored".to_owned(),
    }
}

/// Where a medium is looked for.
fn place(medium: &MediumView) -> &str {
    let of_tape = medium.library.as_deref().unwrap_or("the place that it had");
    medium.path.as_deref().unwrap_or(of_tape)
}

/// One medium, for people.
pub fn details(medium: &MediumView) -> String {
    pairs(&[
        ("name", medium.name.clone()),
        ("id", medium.id.to_string()),
        ("family", medium.family.to_string()),
        ("technology", medium.technology.clone()),
        ("library", medium.library.clone().unwrap_or_default()),
        ("barcode", medium.barcode.clone().unwrap_or_default()),
        ("path", medium.path.clone().unwrap_or_default()),
        ("tags", words(&medium.tags)),
        ("groupings", words(&medium.groupings)),
        ("state", state(medium)),
        ("standing", standing(medium)),
        ("health", medium.health.to_string()),
        ("presence", medium.presence.to_string()),
        ("generation", medium.generation.to_string()),
        ("capacity", size(medium.capacity_bytes)),
        ("used", size(Some(medium.used_bytes))),
        ("free", size(medium.free_bytes)),
        ("live", size(Some(medium.live_bytes))),
        ("dead", size(Some(medium.dead_bytes))),
        ("held", size(Some(medium.held_bytes))),
        ("unindexed", size(Some(medium.unindexed_bytes))),
        (
            "extents",
            format!(
                "{} sync, {} pending, {} orphan",
                medium.extents.sync, medium.extents.pending, medium.extents.orphan
            ),
        ),
        ("quarantined until", time(medium.quarantined_until)),
        ("drive", medium.drive.as_ref().map_or_else(String::new, drive)),
    ])
}
