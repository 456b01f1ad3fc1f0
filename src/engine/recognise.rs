//! E-16: finds out at the start of respoold whether media have seen more than the catalogue has, because that was
//! restored from an older backup. Every mount compares the medium's stamps; here all media within reach are mounted once.
//! One that was not compared since the restore must also hold nothing that the catalogue has no row of: a window that
//! was synced and never stamped leaves no other trace.

use crate::api::Problem;
use crate::host::Host;
use dss::catalogue::{ExtentFilter, Page};
use dss::model::{AdmState, ExtentId, Family, Medium, MediumId, Standing};
use lrs::core::{Priority, Request};
use lrs::ldm::MediaResult;
use lrs::service::Allocation;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A medium that takes longer to be mounted is compared when somebody uses it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many rows are asked for at once.
const PAGE: u32 = 5_000;

/// Looks at all media within reach, but for tapes: those are compared when somebody mounts them, and after a restore one by
/// one. What is out of reach, or fails, stays as it is.
pub async fn recognise(host: &Arc<Host>) -> Result<(), Problem> {
    let media = host.catalogue.media().await?;
    let at_hand = |medium: &Medium| medium.family == Family::Dir && is_within_reach(medium);
    let looks = media.into_iter().filter(at_hand).map(|medium| {
        let host = Arc::clone(host);
        tokio::spawn(async move { glance(&host, &medium).await })
    });
    for look in looks.collect::<Vec<_>>() {
        match look.await {
            Ok(Ok(())) => {}
            Ok(Err(problem)) if problem.code == "catalogue_unavailable" => return Err(problem),
            Ok(Err(problem)) => tracing::info!(%problem, "a medium will be compared when it can be mounted"),
            Err(panic) => return Err(Problem::bug("recognition", panic.to_string())),
        }
    }
    Ok(())
}

/// Compares media that were not compared since the catalogue was restored; called from time to time, since one may be
/// attached at any moment.
pub async fn recognise_unseen(host: &Arc<Host>) -> Result<(), Problem> {
    for medium in host.catalogue.media().await? {
        if medium.standing == Standing::Unseen && is_within_reach(&medium) {
            match glance(host, &medium).await {
                Err(problem) if problem.code == "catalogue_unavailable" => return Err(problem),
                Err(problem) => tracing::debug!(%problem, "it is still out of reach"),
                Ok(()) => {}
            }
        }
    }
    Ok(())
}

fn is_within_reach(medium: &Medium) -> bool {
    let labelled = medium.fs_state != dss::model::FsState::Blank;
    labelled && !medium.locked && medium.adm_state != AdmState::Dead
}

async fn glance(host: &Arc<Host>, medium: &Medium) -> Result<(), Problem> {
    let erasing = medium.adm_state == AdmState::Erasing;
    let request = Request {
        purpose: format!("comparing medium {} with the catalogue", medium.name),
        priority: Priority::Background,
        reads: if erasing { vec![] } else { vec![medium.id] },
        writes: vec![],
        exclusive: if erasing { vec![medium.id] } else { vec![] },
    };
    let Ok(allocation) = tokio::time::timeout(PATIENCE, host.lrs.allocate(request)).await else {
        return Ok(());
    };
    let allocation = allocation?;
    let compared = compare_index(host, &allocation, medium).await;
    allocation.release().await;
    compared
}

/// The mount compared the stamps; after a restore the index is compared, too.
async fn compare_index(host: &Arc<Host>, allocation: &Allocation, medium: &Medium) -> Result<(), Problem> {
    let row = host.catalogue.medium_by_id(medium.id).await?;
    if row.standing != Standing::Unseen {
        return Ok(());
    }
    let unknown = unknown_extents(host, allocation, medium.id).await?;
    let (to, why) = match unknown.len() {
        0 => (
            Standing::Level,
            "it holds nothing that the catalogue does not know".to_owned(),
        ),
        count => (
            Standing::Ahead,
            format!("its index names {count} extents that the catalogue has no row of"),
        ),
    };
    let now = host.clock.now();
    host.catalogue
        .set_standing(medium.id, (Standing::Unseen, to), &why, now)
        .await?;
    Ok(host.lrs.medium_changed(medium.id).await?)
}

/// The extents that a medium's own index names and no row of that medium does.
pub(super) async fn unknown_extents(
    host: &Arc<Host>,
    allocation: &Allocation,
    medium: MediumId,
) -> Result<BTreeSet<ExtentId>, Problem> {
    let mut unknown: BTreeSet<ExtentId> = allocation
        .volume(medium)
        .run(|volume| -> MediaResult<BTreeSet<ExtentId>> {
            volume.identify()?;
            volume.index()?.map(|entry| Ok(entry?.tag.extent)).collect()
        })
        .await??;
    let filter = ExtentFilter {
        medium: Some(medium),
        ..ExtentFilter::default()
    };
    let mut after: Option<ExtentId> = None;
    loop {
        let page = host.catalogue.extents(&filter, Page { after, limit: PAGE }).await?;
        let Some(last) = page.last() else { return Ok(unknown) };
        after = Some(last.id);
        page.iter().for_each(|extent| {
            unknown.remove(&extent.id);
        });
    }
}
