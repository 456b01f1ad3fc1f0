//! Single extents: given up by name.

use super::answer::Answer;
use super::server::Daemon;
use crate::api::Problem;
use crate::api::extents::ReleaseReport;
use crate::api::requests::ReleaseRequest;
use axum::Json;
use axum::extract::State;
use dss::catalogue::{CatalogueError, Sure};
use std::sync::Arc;

/// `extent release`. What was not confirmed is refused with what it would do.
pub async fn release(State(daemon): State<Arc<Daemon>>, Json(request): Json<ReleaseRequest>) -> Answer<ReleaseReport> {
    let id = request.extent;
    let (catalogue, now) = (&daemon.host.catalogue, daemon.host.clock.now());
    let sure = if request.yes { Sure::Yes } else { Sure::No };
    let released = match catalogue.release_copy(id, sure, now).await {
        Ok(released) => released,
        Err(CatalogueError::Conflict { subject, why }) => {
            let message = format!("extent {id} was not released: {subject}: {why}; nothing was changed");
            return Err(Problem::refused("not_surplus", id.to_string(), message)
                .next(
                    "`respool object show` tells its copies; a copy counts once it was read back whole, as a repack or \
                     `respool extent migrate` of its extents does",
                )
                .into());
        }
        Err(error) => return Err(error.into()),
    };
    let report = ReleaseReport {
        oid: released.oid,
        version: released.version,
        copy: released.copy,
        extents: released.extents,
        bytes: released.bytes,
        copies_left: released.remaining,
        copies_asked: released.asked,
    };
    if sure == Sure::No {
        let message = format!(
            "`extent release` was not confirmed: {} version {} would be left with {} verified copies, of {} asked for, and \
             {} extents ({}) would go; nothing was changed",
            report.oid, report.version, report.copies_left, report.copies_asked, report.extents, report.bytes
        );
        return Err(Problem::refused("not_confirmed", id.to_string(), message)
            .next(format!("`respool extent release {id} --yes` gives the copy up"))
            .into());
    }
    Ok(Json(report))
}
