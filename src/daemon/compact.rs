//! What `tape compact` needs before anything is moved: its sources are media, and so is what takes what lives on them. What
//! the repack would refuse is refused before anything is imported or formatted.

use super::answer::Answer;
use super::jobs;
use super::server::Daemon;
use super::tapes::become_medium;
use super::visit::{Place, find};
use super::volumes::{Seen, Survey, Wish, adopt, clashes, look};
use crate::api::library::TapeAddRequest;
use crate::api::volume::{CompactRequest, Prepared};
use crate::api::{Problem, RepackRequest};
use crate::engine;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use dss::catalogue::NewVolume;
use dss::model::{FsState, Medium, MediumFormat, Oid, Quarantine};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The request that prepares a compaction.
pub fn routes() -> Router<Arc<Daemon>> {
    Router::new().route("/v1/tape/compact", post(prepare))
}

async fn prepare(State(daemon): State<Arc<Daemon>>, Json(request): Json<CompactRequest>) -> Answer<Prepared> {
    let library = request.library.as_deref();
    let onto = find(&daemon, &request.onto, library).await?;
    let mut places = Vec::new();
    for source in &request.sources {
        let place = find(&daemon, source, library).await?;
        if place.barcode == onto.barcode && place.library.name() == onto.library.name() {
            let message = format!("{source} cannot be compacted onto itself; nothing was done");
            return Err(Problem::refused("same_tape", source, message)
                .next("name another tape with --onto")
                .into());
        }
        places.push(place);
    }
    // Before anything is loaded.
    may_be_emptied(&daemon, &request, &places, &onto).await?;
    refuse_nothing_under(&request, &places)?;
    let no_tags = BTreeSet::new();
    let wish = Wish {
        name: None,
        under: request.under.as_ref(),
        tags: &no_tags,
        class: None,
    };
    let (mut sources, mut surveys) = (Vec::new(), Vec::new());
    for (source, place) in request.sources.iter().zip(&places) {
        match look(&daemon, place, &wish).await? {
            Seen::Known(medium) => sources.push(medium.name),
            Seen::Ours(label) => {
                let message = format!("{source} is medium {} of respool, which is not known here", label.name);
                return Err(Problem::refused("not_imported", source, message)
                    .next(format!("`respool tape import {source}` makes it known; then repeat"))
                    .into());
            }
            Seen::Volume(survey) => {
                sources.push(survey.volume.medium.name.clone());
                surveys.push(*survey);
            }
        }
    }
    Ok(Json(prepared(&daemon, &request, &onto, (sources, surveys)).await?))
}

/// The medium that a cartridge is already.
fn known(place: &Place) -> Option<&Medium> {
    place.medium.as_ref().filter(|medium| medium.fs_state != FsState::Blank)
}

/// What the repack would refuse of those that are media already, and of the time that was asked for.
async fn may_be_emptied(
    daemon: &Daemon,
    request: &CompactRequest,
    places: &[Place],
    onto: &Place,
) -> Result<(), Problem> {
    if request.quarantine == Some(Quarantine::Seconds(0)) {
        daemon.host.may_destroy().await?;
    }
    let sources: Vec<String> = places
        .iter()
        .filter_map(known)
        .map(|medium| medium.name.clone())
        .collect();
    if sources.is_empty() {
        return Ok(());
    }
    let repack = RepackRequest {
        sources,
        to: known(onto).map(|medium| medium.name.clone()),
        quarantine: request.quarantine,
        drop_deleted: request.drop_deleted(),
        ..RepackRequest::default()
    };
    let spec = jobs::spec(&daemon.host, repack).await?;
    engine::may_be_emptied(&daemon.host, &spec).await
}

/// What was imported already keeps its names; a command that is repeated may say again under what they were put.
fn refuse_nothing_under(request: &CompactRequest, places: &[Place]) -> Result<(), Problem> {
    let own = |place: &Place| known(place).is_some_and(|medium| medium.format == MediumFormat::Respool);
    match &request.under {
        Some(under) if places.iter().all(own) => {
            let message = format!("nothing is to be imported that could be put under '{under}'; nothing was done");
            Err(Problem::refused("nothing_under", under.as_str(), message)
                .next("leave out --under: what is known keeps its names"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Clashes refuse everything before anything is done.
async fn prepared(
    daemon: &Arc<Daemon>,
    request: &CompactRequest,
    onto: &Place,
    (sources, surveys): (Vec<String>, Vec<Survey>),
) -> Result<Prepared, Problem> {
    let volumes: Vec<&NewVolume> = surveys.iter().map(|survey| &survey.volume).collect();
    let clashes = clashes(daemon, &volumes).await?;
    let mut prepared = Prepared {
        sources,
        target: onto.medium.as_ref().map(|medium| medium.name.clone()),
        target_made: false,
        imported: Vec::new(),
        error: None,
    };
    if !clashes.is_empty() || request.dry_run {
        for survey in surveys {
            let names: BTreeSet<&Oid> = survey.volume.files.iter().map(|file| &file.oid).collect();
            let of_it: Vec<Oid> = clashes.iter().filter(|oid| names.contains(oid)).cloned().collect();
            let mut report = survey.report;
            report.dry_run = request.dry_run;
            if !of_it.is_empty() {
                report.refuse(of_it);
                prepared.error = prepared.error.or_else(|| report.error.clone());
            }
            prepared.imported.push(report);
        }
        return Ok(prepared);
    }
    prepared.target = Some(target(daemon, onto).await?);
    prepared.target_made = known(onto).is_none();
    for survey in surveys {
        match adopt(daemon, survey).await {
            Ok((report, _)) => {
                // A put may have come between.
                prepared.error.clone_from(&report.error);
                prepared.imported.push(report);
            }
            Err(problem) => prepared.error = Some(problem),
        }
        if prepared.error.is_some() {
            break;
        }
    }
    Ok(prepared)
}

/// The medium that takes what lives on the sources; a blank cartridge is made one.
async fn target(daemon: &Arc<Daemon>, onto: &Place) -> Result<String, Problem> {
    match &onto.medium {
        Some(medium) if medium.fs_state != FsState::Blank => match medium.may_take_extents() {
            Ok(()) => Ok(medium.name.clone()),
            Err(why) => {
                let message = format!("{} takes no extents: {why}; nothing was done", medium.name);
                let problem = Problem::refused("no_target", &medium.name, message);
                Err(problem.next(
                    why.way_out(&medium.name)
                        .unwrap_or_else(|| "name another tape with --onto".to_owned()),
                ))
            }
        },
        Some(_) | None => {
            let new = TapeAddRequest {
                barcode: onto.barcode.clone(),
                library: Some(onto.library.name().to_owned()),
                name: None,
                tags: BTreeSet::new(),
                class: None,
            };
            Ok(become_medium(daemon, &new, onto).await?.name)
        }
    }
}
