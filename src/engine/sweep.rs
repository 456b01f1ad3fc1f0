//! Removes the bytes of orphans whose hold is over, one by one, where the medium is not to be erased whole. Only what the
//! catalogue names as orphan goes, by extent id, inode and generation (I11).

use crate::api::Problem;
use crate::host::Host;
use dss::catalogue::{ClockVerdict, Page};
use dss::model::{Extent, ExtentId, Family, Generation, Medium};
use jiff::Timestamp;
use lrs::core::{Priority, Request};
use lrs::ldm::fs::{IndexStamp, Wanted};
use lrs::ldm::{MediaError, MediaResult};
use std::sync::Arc;

/// How many orphans go in one step.
const BATCH: u32 = 1_000;

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Extents whose bytes and rows are gone.
    pub removed: u64,
    /// Extents that a medium did not let go of, with the reason.
    pub refused: Vec<(ExtentId, String)>,
}

/// Before when a hold must have ended. A clock that jumped forward ends none: until an operator accepts it, the highest
/// time that was seen before counts.
async fn ended_before(host: &Arc<Host>) -> Result<Timestamp, Problem> {
    let now = host.clock.now();
    Ok(match host.catalogue.observe_clock(now).await? {
        ClockVerdict::Good | ClockVerdict::Back { .. } => now,
        ClockVerdict::Forward { seen } => seen,
    })
}

/// One sweep over all media. Media that are busy or away are left for the next one. A tape regains no room before it is
/// erased whole, and would have to be loaded for this: its orphans stay until then.
pub async fn sweep(host: &Arc<Host>) -> Result<Swept, Problem> {
    let mut swept = Swept::default();
    host.may_destroy().await?;
    let now = ended_before(host).await?;
    for medium in host.catalogue.media().await? {
        if !medium.may_be_read() || medium.family == Family::Tape {
            continue;
        }
        match sweep_medium(host, &medium, now, &mut swept).await {
            Ok(()) => {}
            Err(problem) if problem.code == "catalogue_unavailable" => return Err(problem),
            Err(problem) => tracing::warn!(medium = %medium.name, %problem, "its orphans wait for the next sweep"),
        }
    }
    Ok(swept)
}

/// Step by step to the last orphan: those that the medium does not let go of are passed over. Whoever waits for the
/// medium has it between two steps.
async fn sweep_medium(host: &Arc<Host>, medium: &Medium, now: Timestamp, swept: &mut Swept) -> Result<(), Problem> {
    let mut after = None;
    loop {
        let page = Page { after, limit: BATCH };
        let due = host.catalogue.removable(medium.id, page, now).await?;
        let Some(last) = due.last() else { return Ok(()) };
        let next = Some(last.id);
        let one = sweep_page(host, medium, (page, due), now).await?;
        swept.removed += one.removed;
        swept.refused.extend(one.refused);
        after = next;
    }
}

async fn sweep_page(
    host: &Arc<Host>,
    medium: &Medium,
    (page, due): (Page<ExtentId>, Vec<Extent>),
    now: Timestamp,
) -> Result<Swept, Problem> {
    let request = Request {
        purpose: format!("removal of orphans from {}", medium.name),
        priority: Priority::Background,
        reads: vec![],
        writes: vec![],
        exclusive: vec![medium.id],
    };
    let allocation = host.lrs.allocate(request).await?;
    // What was removable a moment ago may be wanted again now that nobody else is on the medium.
    let still: Vec<ExtentId> = host
        .catalogue
        .removable(medium.id, page, now)
        .await?
        .iter()
        .map(|extent| extent.id)
        .collect();
    let due: Vec<Extent> = due.into_iter().filter(|extent| still.contains(&extent.id)).collect();
    // Taken after the orphans became so: a catalogue that does not know this finds the medium ahead of itself.
    let stamp = IndexStamp::from(host.catalogue.stamp().await?);
    let removed = allocation
        .volume(medium.id)
        .run(move |volume| remove(volume, stamp, &due))
        .await;
    let generation = allocation.grant().exclusive[0].generation;
    allocation.release().await;
    let (gone, refused) = removed??;
    let removed = forget(host, medium, generation, &gone).await?;
    Ok(Swept { removed, refused })
}

type Removed = (Vec<ExtentId>, Vec<(ExtentId, String)>);

fn remove(volume: &mut dyn lrs::ldm::fs::Volume, stamp: IndexStamp, due: &[Extent]) -> MediaResult<Removed> {
    volume.identify()?;
    volume.commit_index(stamp)?;
    let (mut gone, mut refused) = (vec![], vec![]);
    for extent in due {
        match volume.delete(&Wanted::of(extent)) {
            Ok(_) => gone.push(extent.id),
            Err(error @ MediaError { .. }) => refused.push((extent.id, error.to_string())),
        }
    }
    volume.sync()?;
    Ok((gone, refused))
}

/// The rows go only after the medium confirmed that the bytes are gone (DESIGN, section 3).
async fn forget(host: &Arc<Host>, medium: &Medium, generation: Generation, gone: &[ExtentId]) -> Result<u64, Problem> {
    if gone.is_empty() {
        return Ok(0);
    }
    Ok(host.catalogue.forget_orphans(medium.id, generation, gone).await?)
}
