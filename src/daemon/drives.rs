//! `drive`: the drives of this host's libraries, how they are, and those that an operator keeps out of use.

use super::answer::Answer;
use super::libraries::view::{Beside, asked};
use super::libraries::{Opened, blocking, drive_view};
use super::server::Daemon;
use crate::api::Problem;
use crate::api::library::{DriveList, DriveRequest, DrivesRequest, TapeDriveView};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use lrs::core::DriveId;
use lrs::ldm::library::Library;
use std::sync::Arc;

/// The requests about drives.
pub fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/v1/drive/list", post(list))
        .route("/v1/drive/lock", post(lock))
        .route("/v1/drive/unlock", post(unlock))
}

async fn list(State(daemon): State<Arc<Daemon>>, Json(request): Json<DrivesRequest>) -> Answer<DriveList> {
    let one = request.drive.as_deref().map(|drive| find(&daemon, drive)).transpose()?;
    let mut drives = vec![];
    for library in daemon.libraries.ready() {
        for view in views(&daemon, &library).await? {
            let wanted = one
                .as_ref()
                .is_none_or(|(of, bay)| of.name() == library.name() && *bay == view.name);
            match (wanted, request.ask) {
                (false, _) => {}
                (true, false) => drives.push(view),
                (true, true) => drives.push(ask(&library, view).await?),
            }
        }
    }
    Ok(Json(DriveList { drives }))
}

/// All drives of a library.
async fn views(daemon: &Daemon, library: &Library) -> Result<Vec<TapeDriveView>, Problem> {
    let host = &daemon.host;
    let (media, drives) = (
        host.catalogue.media().await?,
        host.catalogue.drives(library.name()).await?,
    );
    let scheduled = host.lrs.drives().await;
    let beside = Beside {
        media: &media,
        drives: &drives,
        scheduled: &scheduled,
    };
    Ok(library
        .bays()
        .iter()
        .map(|bay| drive_view(library, bay, &beside))
        .collect())
}

async fn ask(library: &Arc<Library>, view: TapeDriveView) -> Result<TapeDriveView, Problem> {
    let (library, bay) = (Arc::clone(library), view.name.clone());
    let status = blocking(&view.name, move || library.drive_status(&bay)).await??;
    Ok(asked(view, status))
}

/// The drive that `LIBRARY/DRIVE`, or `DRIVE` alone, means.
fn find(daemon: &Daemon, typed: &str) -> Result<(Arc<Library>, String), Problem> {
    let (of, bay) = match typed.split_once('/') {
        Some((library, bay)) => (Some(library), bay),
        None => (None, typed),
    };
    let not_found = |message: String| {
        Problem::refused("not_found", typed, message).next("`respool drive list` shows the drives; nothing was changed")
    };
    if let Some(name) = of
        && let Some(Opened::Away(_)) = daemon.libraries.opened(name)
    {
        daemon.libraries.get(name)?;
    }
    let ready = daemon.libraries.ready();
    let mut having = ready.into_iter().filter(|library| {
        of.is_none_or(|name| name == library.name()) && library.bays().iter().any(|view| view.name == bay)
    });
    match (having.next(), having.next()) {
        (Some(library), None) => Ok((library, bay.to_owned())),
        (None, _) => Err(not_found(format!("there is no drive {typed}"))),
        (Some(one), Some(other)) => Err(not_found(format!(
            "libraries {} and {} both have a drive {bay}: say which, as {}/{bay}",
            one.name(),
            other.name(),
            one.name()
        ))),
    }
}

async fn lock(State(daemon): State<Arc<Daemon>>, Json(request): Json<DriveRequest>) -> Answer<TapeDriveView> {
    let why = request.why.unwrap_or_else(|| "by the operator".to_owned());
    set(&daemon, &request.drive, Some(why)).await
}

async fn unlock(State(daemon): State<Arc<Daemon>>, Json(request): Json<DriveRequest>) -> Answer<TapeDriveView> {
    set(&daemon, &request.drive, None).await
}

async fn set(daemon: &Daemon, drive: &str, why: Option<String>) -> Answer<TapeDriveView> {
    let host = &daemon.host;
    let (library, bay) = find(daemon, drive)?;
    let now = host.clock.now();
    host.catalogue
        .lock_drive(library.name(), &bay, why.clone(), now)
        .await?;
    let id = DriveId::Bay {
        library: library.name().to_owned(),
        bay: bay.clone(),
    };
    host.lrs.lock_drive(id, why);
    let views = views(daemon, &library).await?;
    let view = views.into_iter().find(|view| view.name == bay);
    Ok(Json(view.ok_or_else(|| {
        Problem::bug(drive, "a drive that was found is gone")
    })?))
}
