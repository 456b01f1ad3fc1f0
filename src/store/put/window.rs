//! A sync window of a put session: objects that landed, until they are durable, committed and named by their media's
//! indexes. Only then may the client be told.

use super::draft::{Draft, Landed, Ticket};
use super::frame::PutFailure;
use super::stream::Tools;
use super::trouble::Trouble;
use crate::api::Problem;
use crate::mover::{SyncFailure, sync};
use dss::catalogue::{CatalogueError, NewObject};
use dss::model::object::Place;
use dss::model::{
    ByteCount, Extent, ExtentId, ExtentState, Hold, LayoutEntry, Object, ObjectDetail, Oid, Owner, Step, Synced,
    Written,
};
use jiff::Timestamp;
use lrs::ldm::fs::IndexStamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// When a window is closed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// At the latest after so many bytes of objects,
    pub bytes: ByteCount,
    /// so many extents
    pub extents: usize,
    /// or so much time.
    pub time: Duration,
}

/// What became of an object.
pub type Outcome = (Ticket, Result<Box<ObjectDetail>, PutFailure>);

/// Objects that landed since the last sync.
#[derive(Debug, Default)]
pub struct Window {
    landed: Vec<Landed>,
    bytes: ByteCount,
    extents: usize,
}

impl Window {
    /// Takes an object.
    pub fn push(&mut self, landed: Landed) {
        self.bytes += landed.draft.object.bytes;
        self.extents += landed.extents.len();
        self.landed.push(landed);
    }

    /// Whether a name is in it.
    pub fn holds(&self, oid: &Oid) -> bool {
        self.landed.iter().any(|landed| landed.draft.object.oid == *oid)
    }

    /// Whether it is to be closed now, however young.
    pub fn is_due(&self, limits: &Limits) -> bool {
        self.bytes >= limits.bytes || self.extents >= limits.extents
    }

    /// Voids it: a medium failed, so its rows are given up and nothing of it becomes visible.
    pub async fn void(&mut self, tools: &Tools<'_>, problem: &Problem) -> Vec<Outcome> {
        let landed = std::mem::take(self).landed;
        let rows: Vec<ExtentId> = landed.iter().flat_map(rows).collect();
        if !rows.is_empty() {
            super::give_up(tools.host, Owner::Put(tools.session), Some(&rows)).await;
        }
        failed(landed.into_iter().map(|landed| landed.draft.ticket).collect(), problem)
    }

    /// Sync, commit, index. Answers what became of every object, and the target that failed, if one did.
    pub async fn close(&mut self, tools: &Tools<'_>) -> (Vec<Outcome>, Option<(usize, Trouble)>) {
        if self.landed.is_empty() {
            return (Vec::new(), None);
        }
        let landed = std::mem::take(self).landed;
        let rows: Vec<ExtentId> = landed.iter().flat_map(rows).collect();
        let tickets: Vec<Ticket> = landed.iter().map(|landed| landed.draft.ticket).collect();
        let synced = match make_durable(landed, tools).await {
            Ok(synced) => synced,
            Err((number, trouble)) => {
                let problem = trouble.problem(&tools.targets.list[number]);
                super::give_up(tools.host, Owner::Put(tools.session), Some(&rows)).await;
                return (failed(tickets, &problem), Some((number, trouble)));
            }
        };
        tools.host.checkpoints.reach(Step::PutAfterSync);
        let mut outcomes = commit(synced, tools).await;
        tools.host.checkpoints.reach(Step::PutAfterCommit);
        if let Err(problem) = index(&outcomes, tools).await {
            // Durable and visible, but its media do not name it for good: not to be acknowledged.
            for (_, outcome) in &mut outcomes {
                if outcome.is_ok() {
                    *outcome = Err(PutFailure::last(problem.clone()));
                }
            }
        }
        (outcomes, None)
    }
}

fn failed(tickets: Vec<Ticket>, problem: &Problem) -> Vec<Outcome> {
    tickets
        .into_iter()
        .map(|ticket| (ticket, Err(PutFailure::again(problem.clone()))))
        .collect()
}

/// Which object of the window, and which place in it.
type Seat = (usize, Place);

/// Syncs every target that took something, all at the same time. One failure voids everything.
async fn make_durable(
    landed: Vec<Landed>,
    tools: &Tools<'_>,
) -> Result<Vec<(Draft, Vec<(Place, Synced)>)>, (usize, Trouble)> {
    let mut by_target: BTreeMap<usize, Vec<(Seat, Written)>> = BTreeMap::new();
    let mut drafts = Vec::with_capacity(landed.len());
    for (object, landed) in landed.into_iter().enumerate() {
        drafts.push((landed.draft, Vec::with_capacity(landed.extents.len())));
        for (place, target, written) in landed.extents {
            by_target.entry(target).or_default().push(((object, place), written));
        }
    }
    let syncs = by_target.into_iter().map(async |(number, written)| {
        let target = &tools.targets.list[number];
        let synced = sync(&target.drive, written).await;
        synced.map_err(|failure| (number, trouble(failure)))
    });
    for synced in futures_util::future::join_all(syncs).await {
        for ((object, place), synced) in synced? {
            drafts[object].1.push((place, synced));
        }
    }
    Ok(drafts)
}

/// No room to make it durable is a failed sync like any other.
fn trouble(failure: SyncFailure) -> Trouble {
    match failure {
        SyncFailure::Media(error) => Trouble::Media(error),
        SyncFailure::Drive(gone) => Trouble::Drive(gone.to_string()),
        SyncFailure::Evidence(error) => panic!("a target's own receipt covers what it took before: {error}"),
    }
}

fn rows(landed: &Landed) -> impl Iterator<Item = ExtentId> {
    landed.extents.iter().map(|(_, _, written)| written.extent().id)
}

/// Makes the objects of a synced window visible.
async fn commit(synced: Vec<(Draft, Vec<(Place, Synced)>)>, tools: &Tools<'_>) -> Vec<Outcome> {
    let mut tickets = Vec::new();
    let mut objects = Vec::new();
    let now = tools.host.clock.now();
    for (draft, mut places) in synced {
        places.sort_by_key(|(place, _)| (place.copy, place.index));
        let entries: Vec<LayoutEntry> = places
            .iter()
            .map(|(place, synced)| entry(*place, synced, now))
            .collect();
        tickets.push((draft.ticket, entries));
        objects.push(NewObject {
            object: draft.object,
            overwrite: draft.overwrite,
            places,
        });
    }
    match tools.host.catalogue.commit_put(objects, now).await {
        Ok(results) => {
            assert_eq!(results.len(), tickets.len(), "every object of a commit has an outcome");
            tickets
                .into_iter()
                .zip(results)
                .map(|((ticket, entries), result)| (ticket, outcome(result, entries)))
                .collect()
        }
        Err(error) => {
            // Pending rows that are still there become orphans; rows of a commit whose answer was lost are not pending.
            super::give_up(tools.host, Owner::Put(tools.session), None).await;
            failed(tickets.into_iter().map(|(ticket, _)| ticket).collect(), &error.into())
        }
    }
}

fn outcome(result: dss::catalogue::Result<Object>, entries: Vec<LayoutEntry>) -> Result<Box<ObjectDetail>, PutFailure> {
    match result {
        Ok(object) => Ok(Box::new(ObjectDetail { object, entries })),
        // Another put of the name came first: sent again, it becomes the version after that one.
        Err(error @ CatalogueError::Conflict { .. }) => Err(PutFailure::again(error.into())),
        Err(error) => Err(PutFailure::last(error.into())),
    }
}

/// The layout entry as the catalogue has it after the commit.
fn entry(place: Place, synced: &Synced, now: Timestamp) -> LayoutEntry {
    let recorded = synced.extent().clone();
    LayoutEntry {
        copy: place.copy,
        index: place.index,
        extent: Extent {
            id: recorded.id,
            origin: recorded.origin,
            medium: recorded.medium,
            generation: recorded.generation,
            address: recorded.address,
            bytes: recorded.bytes,
            digests: Some(synced.digests().clone()),
            state: ExtentState::Sync,
            owner: None,
            inode: synced.inode(),
            indexed: true,
            hold: Hold::None,
            verified_at: None,
            created_at: now,
        },
    }
}

/// Has every medium name what it took, and notes that. The stamp is taken after the commit: a catalogue restored from a
/// backup made before it must find this medium ahead of itself.
async fn index(outcomes: &[Outcome], tools: &Tools<'_>) -> Result<(), Problem> {
    let mut by_medium: BTreeMap<_, Vec<ExtentId>> = BTreeMap::new();
    for (_, outcome) in outcomes {
        for entry in outcome.iter().flat_map(|detail| &detail.entries) {
            by_medium.entry(entry.extent.medium).or_default().push(entry.extent.id);
        }
    }
    if by_medium.is_empty() {
        return Ok(());
    }
    let stamp = IndexStamp::from(tools.host.catalogue.stamp().await?);
    for target in &tools.targets.list {
        let Some(extents) = by_medium.get(&target.grant.medium) else {
            continue;
        };
        let answer = target.drive.run(move |volume| volume.commit_index(stamp)).await;
        if let Err(trouble) = Trouble::of(answer) {
            trouble.note(tools.host, target).await;
            let told = trouble.problem(target);
            return Err(Problem::environment(
                "not_indexed",
                "medium",
                &target.name,
                format!(
                    "stored and durable, but medium {} could not commit its index: {}",
                    target.name, told.message
                ),
            )
            .next(format!("see to medium {}; repack it if it fails again", target.name)));
        }
        tools
            .host
            .catalogue
            .mark_indexed(target.grant.medium, stamp.revision, extents)
            .await?;
    }
    Ok(())
}
