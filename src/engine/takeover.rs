//! After a crash: what an earlier life of this respoold left *pending* is given up, before anything else is done.

use crate::api::Problem;
use crate::host::Host;
use dss::catalogue::{CatalogueError, ExtentFilter, Page};
use dss::model::{ByteCount, Extent, ExtentId, ExtentState, Holder, JobId, MediumId, Owner, Resource};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many rows are asked for at once.
const PAGE: u32 = 5_000;

/// Ends the epochs under which an earlier life in this seat wrote: its pending extents can be swept from then on. Leases
/// of other seats are left alone.
pub async fn take_over(host: &Arc<Host>, holder: &Holder) -> Result<(), Problem> {
    let media: BTreeSet<MediumId> = pending(host).await?.iter().map(|extent| extent.medium).collect();
    let (seconds, now) = (host.config.daemon.lease_seconds, host.clock.now());
    for medium in media {
        let resource = Resource::Medium(medium);
        match host
            .catalogue
            .take_lease(&resource, holder, seconds, seconds, now)
            .await
        {
            Ok(lease) => host.catalogue.release_lease(&lease).await?,
            Err(CatalogueError::LeaseHeld { resource, until }) => {
                tracing::info!(%resource, %until, "another respoold writes there; what is pending is its own");
            }
            Err(error) => return Err(error.into()),
        }
    }
    let swept = host.catalogue.sweep_pending(None, now).await?;
    for (owner, (_, bytes)) in swept {
        if let Owner::Move(job) = owner {
            note_recopied(host, job, bytes).await?;
        }
    }
    Ok(())
}

/// An unfinished job copies again what was swept under it. A crash between the two costs the count, nothing else.
async fn note_recopied(host: &Arc<Host>, id: JobId, bytes: ByteCount) -> Result<(), Problem> {
    let mut job = host.catalogue.job(id).await?;
    if job.state.is_active() {
        job.tally.bytes_recopied += bytes;
        let now = host.clock.now();
        host.catalogue
            .advance_job(id, &[job.state], job.state, &job.tally, None, now)
            .await?;
    }
    Ok(())
}

/// Gives up what a job left pending, whether in an earlier life or when the catalogue failed under it; how many bytes
/// that may have been copied and are copied again. Nobody else works on the job now.
pub(super) async fn give_up_moves(host: &Arc<Host>, job: JobId) -> Result<ByteCount, Problem> {
    let owner = Owner::Move(job);
    let left: Vec<Extent> = pending(host)
        .await?
        .into_iter()
        .filter(|extent| extent.owner.is_some_and(|(whose, _)| whose == owner))
        .collect();
    if !left.is_empty() {
        host.catalogue.abandon(owner, None, host.clock.now()).await?;
    }
    Ok(left.iter().map(|extent| extent.bytes).sum())
}

/// All pending extents: at most what put sessions and one window a job have under way.
async fn pending(host: &Arc<Host>) -> Result<Vec<Extent>, Problem> {
    let filter = ExtentFilter {
        state: Some(ExtentState::Pending),
        ..ExtentFilter::default()
    };
    let mut found = vec![];
    let mut after: Option<ExtentId> = None;
    loop {
        let page = host.catalogue.extents(&filter, Page { after, limit: PAGE }).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        found.extend(page);
    }
}
