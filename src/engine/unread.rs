//! What earlier jobs moved off a medium and nobody has read back: they failed, were cancelled or were restored before it
//! came to that. The old bytes on the medium are then the only ones known to be good, and no job or operator erases them
//! before the new ones are read (DESIGN, section 3).

use crate::api::Problem;
use crate::host::Host;
use dss::catalogue::{ExtentFilter, Page};
use dss::model::{Extent, ExtentId, ExtentState, JobId, JobState, MediumId, Move, MoveState, VerifyMode};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many rows are asked for at once.
const PAGE: u32 = 2_000;

/// `--verify sampled` reads one extent of so many, chosen by its id.
const SAMPLE: u128 = 16;

/// Whether a way of verifying reads this new extent back.
pub(super) fn is_due(verify: VerifyMode, new: ExtentId) -> bool {
    match verify {
        VerifyMode::Full => true,
        VerifyMode::Sampled => new.0.as_u128().is_multiple_of(SAMPLE),
        VerifyMode::None => false,
    }
}

/// Swapped and never read back, with the new extent, by jobs that rest; only those whose old bytes are still on one of
/// these media and whose new ones something needs. Never more than the media hold orphans.
pub(super) async fn unread(host: &Arc<Host>, media: &[MediumId]) -> Result<Vec<(Move, VerifyMode, Extent)>, Problem> {
    let states: Vec<JobState> = JobState::ALL.iter().copied().filter(|state| gave_up(*state)).collect();
    let jobs: Vec<(JobId, VerifyMode)> = host
        .catalogue
        .jobs_of_sources(media, &states)
        .await?
        .into_iter()
        .map(|job| (job.id, job.spec.verify))
        .collect();
    let mut found = vec![];
    if jobs.is_empty() {
        return Ok(found);
    }
    let old_bytes = orphans_on(host, media).await?;
    for (job, verify) in jobs.into_iter().filter(|_| !old_bytes.is_empty()) {
        let mut after = None;
        loop {
            let page = Page { after, limit: PAGE };
            let mut moves = host.catalogue.moves(job, &[MoveState::Swapped], page).await?;
            let Some(last) = moves.last() else { break };
            after = Some(last.new);
            moves.retain(|one| old_bytes.contains(&one.old));
            let new: Vec<ExtentId> = moves.iter().map(|one| one.new).collect();
            let mut needed: BTreeMap<ExtentId, Extent> = host
                .catalogue
                .references(&new)
                .await?
                .into_iter()
                .map(|(_, entry)| (entry.extent.id, entry.extent))
                .collect();
            found.extend(
                moves
                    .into_iter()
                    .filter_map(|one| Some((needed.remove(&one.new)?, one)))
                    .map(|(extent, one)| (one, verify, extent)),
            );
        }
    }
    Ok(found)
}

/// Ended by something else than having read back all it wanted to. An active job reads back its own moves.
fn gave_up(state: JobState) -> bool {
    match state {
        // A restore leaves what was deleted or overwritten meanwhile to its new extents, whether they were read or not.
        JobState::DoneWithSkips | JobState::Failed | JobState::Cancelled | JobState::Restored => true,
        JobState::Queued
        | JobState::Running
        | JobState::Paused
        | JobState::Verifying
        | JobState::Quarantined
        | JobState::Reclaiming
        | JobState::Done => false,
    }
}

async fn orphans_on(host: &Arc<Host>, media: &[MediumId]) -> Result<BTreeSet<ExtentId>, Problem> {
    let mut orphans = BTreeSet::new();
    for medium in media {
        let filter = ExtentFilter {
            medium: Some(*medium),
            state: Some(ExtentState::Orphan),
            ..ExtentFilter::default()
        };
        let mut after = None;
        loop {
            let page = host.catalogue.extents(&filter, Page { after, limit: PAGE }).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            orphans.extend(page.iter().map(|extent| extent.id));
        }
    }
    Ok(orphans)
}
