//! A sync window of a put session: objects that landed, until they are durable, committed and named by their media's
//! indexes. Only then may the client be told.

use super::draft::{Draft, Landed, Ticket};
use super::frame::PutFailure;
use super::targets::Target;
use super::trouble::Trouble;
use crate::api::Problem;
use crate::host::Host;
use crate::mover::{SyncFailure, sync};
use dss::catalogue::{CatalogueError, NewObject};
use dss::model::object::Place;
use dss::model::{
    ByteCount, Extent, ExtentId, ExtentState, Hold, LayoutEntry, Object, ObjectDetail, Oid, Owner, SessionId, Step,
    Synced, Written,
};
use jiff::Timestamp;
use lrs::ldm::fs::IndexStamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

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

/// What a window is closed with, beside its session: the session writes its next one meanwhile.
#[derive(Clone)]
pub struct Ground {
    /// Catalogue and checkpoints.
    pub host: Arc<Host>,
    /// Who owns the rows.
    pub session: SessionId,
    /// Where the objects landed.
    pub targets: Vec<Target>,
}

/// What became of an object.
pub type Outcome = (Ticket, Result<Box<ObjectDetail>, PutFailure>);

/// Objects that landed since the last sync.
#[derive(Debug, Default)]
pub struct Window {
    landed: Vec<Landed>,
    names: BTreeSet<Oid>,
    bytes: ByteCount,
    extents: usize,
}

impl Window {
    /// Takes an object.
    pub fn push(&mut self, landed: Landed) {
        self.names.insert(landed.draft.object.oid.clone());
        self.bytes += landed.draft.object.bytes;
        self.extents += landed.extents.len();
        self.landed.push(landed);
    }

    /// Whether a name is in it.
    pub fn holds(&self, oid: &Oid) -> bool {
        self.names.contains(oid)
    }

    /// Whether it is to be closed now, however young.
    pub fn is_due(&self, limits: &Limits) -> bool {
        self.bytes >= limits.bytes || self.extents >= limits.extents
    }

    /// How many extents it takes until it is due.
    pub fn room(&self, limits: &Limits) -> usize {
        limits.extents.saturating_sub(self.extents)
    }

    /// Voids it: a medium failed, so its rows are given up and nothing of it becomes visible.
    pub async fn void(self, host: &Host, session: SessionId, problem: &Problem) -> Vec<Outcome> {
        let rows: Vec<ExtentId> = self.landed.iter().flat_map(rows).collect();
        if !rows.is_empty() {
            super::give_up(host, Owner::Put(session), Some(&rows)).await;
        }
        failed(
            self.landed.into_iter().map(|landed| landed.draft.ticket).collect(),
            problem,
        )
    }

    /// Whether nothing landed in it.
    pub fn is_empty(&self) -> bool {
        self.landed.is_empty()
    }

    /// Sync, commit, index.
    pub async fn close(self, ground: &Ground) -> Closed {
        let landed = self.landed;
        let rows: Vec<ExtentId> = landed.iter().flat_map(rows).collect();
        let tickets: Vec<Ticket> = landed.iter().map(|landed| landed.draft.ticket).collect();
        let synced = match make_durable(landed, ground).await {
            Ok(synced) => synced,
            Err((number, trouble)) => {
                let problem = trouble.problem(&ground.targets[number]);
                super::give_up(&ground.host, Owner::Put(ground.session), Some(&rows)).await;
                return Closed {
                    outcomes: failed(tickets, &problem),
                    failed: Some((number, trouble)),
                };
            }
        };
        ground.host.checkpoints.reach(Step::PutAfterSync);
        let mut outcomes = commit(synced, &rows, ground).await;
        ground.host.checkpoints.reach(Step::PutAfterCommit);
        let mut failed = None;
        if let Err(NotIndexed { problem, target }) = index(&outcomes, ground).await {
            // Durable and visible, but its media do not name it for good: not to be acknowledged.
            for (_, outcome) in &mut outcomes {
                if outcome.is_ok() {
                    *outcome = Err(PutFailure::last(problem.clone()));
                }
            }
            failed = target;
        }
        Closed { outcomes, failed }
    }
}

/// A window that is being closed while the session writes the next one.
pub struct Closing {
    names: BTreeSet<Oid>,
    task: JoinHandle<Closed>,
    closed: Option<Closed>,
}

impl Closing {
    /// Begins to close a window.
    pub fn begin(window: Window, ground: Ground) -> Self {
        Self {
            names: window.names.clone(),
            task: tokio::spawn(async move { window.close(&ground).await }),
            closed: None,
        }
    }

    /// Whether a name is in it.
    pub fn holds(&self, oid: &Oid) -> bool {
        self.names.contains(oid)
    }

    /// Waits until it is closed. May be given up and asked again.
    pub async fn wait(&mut self) {
        if self.closed.is_none() {
            match (&mut self.task).await {
                Ok(closed) => self.closed = Some(closed),
                Err(error) => {
                    // Told once: whoever cleans up finds it ended.
                    self.closed = Some(Closed::default());
                    panic!("closing a window does not panic: {error}");
                }
            }
        }
    }

    /// How it ended.
    pub async fn end(mut self) -> Closed {
        self.wait().await;
        self.closed.expect("it was waited for")
    }
}

/// How a window ended.
#[derive(Default)]
pub struct Closed {
    /// What became of every object.
    pub outcomes: Vec<Outcome>,
    /// The target that failed, if one did: nothing that it took since counts.
    pub failed: Option<(usize, Trouble)>,
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
    ground: &Ground,
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
        let target = &ground.targets[number];
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
async fn commit(synced: Vec<(Draft, Vec<(Place, Synced)>)>, rows: &[ExtentId], ground: &Ground) -> Vec<Outcome> {
    let mut tickets = Vec::new();
    let mut objects = Vec::new();
    let now = ground.host.clock.now();
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
    match ground.host.catalogue.commit_put(objects, now).await {
        Ok(results) => {
            assert_eq!(results.len(), tickets.len(), "every object of a commit has an outcome");
            tickets
                .into_iter()
                .zip(results)
                .map(|((ticket, entries), result)| (ticket, outcome(result, entries)))
                .collect()
        }
        Err(error) => {
            // Its rows that are still pending become orphans; rows of a commit whose answer was lost are not pending.
            super::give_up(&ground.host, Owner::Put(ground.session), Some(rows)).await;
            // What may be stored is not to be sent again, or it would become two versions.
            let told = match error {
                CatalogueError::Unresolved(_) => PutFailure::last,
                _ => PutFailure::again,
            };
            let problem = Problem::from(error);
            tickets
                .into_iter()
                .map(|(ticket, _)| (ticket, Err(told(problem.clone()))))
                .collect()
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
            span: synced.span().cloned(),
            hold: Hold::None,
            verified_at: None,
            created_at: now,
        },
    }
}

/// Why an index does not name what its medium took.
struct NotIndexed {
    problem: Problem,
    /// The medium's own failure: like a failed sync, it is mounted anew before it takes more.
    target: Option<(usize, Trouble)>,
}

impl From<CatalogueError> for NotIndexed {
    fn from(error: CatalogueError) -> Self {
        Self {
            problem: error.into(),
            target: None,
        }
    }
}

/// Has every medium name what it took, and notes that. The stamp is taken after the commit: a catalogue restored from a
/// backup made before it must find this medium ahead of itself.
async fn index(outcomes: &[Outcome], ground: &Ground) -> Result<(), NotIndexed> {
    let mut by_medium: BTreeMap<_, Vec<ExtentId>> = BTreeMap::new();
    for (_, outcome) in outcomes {
        for entry in outcome.iter().flat_map(|detail| &detail.entries) {
            by_medium.entry(entry.extent.medium).or_default().push(entry.extent.id);
        }
    }
    if by_medium.is_empty() {
        return Ok(());
    }
    let stamp = IndexStamp::from(ground.host.catalogue.stamp().await?);
    for (number, target) in ground.targets.iter().enumerate() {
        let Some(extents) = by_medium.get(&target.grant.medium) else {
            continue;
        };
        let answer = target.drive.run(move |volume| volume.commit_index(stamp)).await;
        if let Err(trouble) = Trouble::of(answer) {
            let message = format!(
                "stored and durable, but medium {} could not commit its index: {}",
                target.name,
                trouble.why()
            );
            return Err(NotIndexed {
                problem: Problem::environment("not_indexed", "medium", &target.name, message)
                    .next(format!("see to medium {}; repack it if it fails again", target.name)),
                target: Some((number, trouble)),
            });
        }
        ground
            .host
            .catalogue
            .mark_indexed(target.grant.medium, stamp.revision, extents)
            .await?;
    }
    Ok(())
}
