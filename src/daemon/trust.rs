//! `medium trust`: an operator has looked at a medium that was in doubt.

use super::answer::Answer;
use super::media::change;
use super::server::Daemon;
use crate::api::media::MediumView;
use crate::api::requests::MediumRequest;
use axum::Json;
use axum::extract::State;
use dss::catalogue::MediumChange;
use dss::model::{Family, FsState, Health, Medium, Presence};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a look at a medium's place may take: a disk that does not answer is not looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Whether a medium is where it is known to be. What cannot be looked at now is noticed at its next use, like another
/// disk in its place.
async fn seen_at_its_place(daemon: &Daemon, medium: &Medium) -> Presence {
    if medium.family == Family::Tape {
        return in_its_library(daemon, medium);
    }
    let label = Path::new(&medium.location.path).join(".respool/label.json");
    let look = tokio::task::spawn_blocking(move || label.try_exists());
    match tokio::time::timeout(LOOK, look).await {
        Ok(Ok(Ok(false))) => Presence::Missing,
        Ok(Ok(Ok(true) | Err(_)) | Err(_)) | Err(_) => Presence::Attached,
    }
}

/// Whether a library has a tape, as somebody looked last.
fn in_its_library(daemon: &Daemon, medium: &Medium) -> Presence {
    let library = medium
        .location
        .library
        .as_deref()
        .map(|name| daemon.libraries.get(name));
    match library {
        Some(Ok(library)) if library.last_inventory().find(&medium.location.path).is_ok() => Presence::Near,
        Some(Ok(_) | Err(_)) | None => Presence::Shelf,
    }
}

/// The operator has looked: it is good, and it has room. Whether it is there is seen, and not believed.
pub async fn trust(State(daemon): State<Arc<Daemon>>, Json(request): Json<MediumRequest>) -> Answer<MediumView> {
    let medium = daemon.host.catalogue.medium(&request.medium).await?;
    let trusted = MediumChange {
        health: Some(Health::Ok),
        presence: Some(seen_at_its_place(&daemon, &medium).await),
        fs_state: (medium.fs_state == FsState::Full).then_some(FsState::Used),
        why: "trusted by the operator".into(),
        ..MediumChange::default()
    };
    change(&daemon, &request.medium, trusted).await
}
