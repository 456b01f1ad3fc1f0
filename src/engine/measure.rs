//! A tape that became a medium is mounted as one, and says how much it holds.

use crate::api::Problem;
use crate::host::Host;
use dss::catalogue::MediumChange;
use dss::model::{Medium, MediumId};
use lrs::core::{Priority, Request};
use std::sync::Arc;

/// Asks a tape for its capacity and has the catalogue know it. May be repeated.
///
/// # Errors
/// It cannot be mounted, does not say it, or the catalogue's.
pub async fn measure(host: &Arc<Host>, id: MediumId) -> Result<Medium, Problem> {
    let request = Request {
        purpose: "measuring a new tape".to_owned(),
        priority: Priority::Put,
        reads: vec![id],
        writes: vec![],
        exclusive: vec![],
    };
    let allocation = host.lrs.allocate(request).await?;
    let space = allocation.volume(id).run(|volume| volume.space()).await;
    allocation.release().await;
    let measured = MediumChange {
        capacity: Some(Some(space??.capacity)),
        why: "it told its capacity".to_owned(),
        ..MediumChange::default()
    };
    let medium = host.catalogue.change_medium(id, measured, host.clock.now()).await?;
    host.lrs.medium_changed(id).await?;
    Ok(medium)
}
