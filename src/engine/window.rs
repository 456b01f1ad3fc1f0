//! Hops 5 to 8 for one window: record, read, verify, write. `settle` makes it durable and swaps it.

use super::Run;
use super::spooling::spool_problem;
use crate::api::Problem;
use crate::mover::{Copied, CopyStop, Item, Reads, copy};
use crate::repack::batch::{WindowBounds, next_window};
use crate::repack::machine::{Event, Stop};
use crate::repack::plan::Assigned;
use crate::repack::stage::Way;
use dss::catalogue::{CatalogueError, MoveIntent, ObjectHeader};
use dss::model::{
    Address, ByteCount, Epoch, Extent, ExtentId, ExtentState, Generation, JobError, MediumId, NewExtent, Origin,
    Recorded, Substitution,
};
use lrs::core::WriteGrant;
use lrs::ldm::fs::{ExtentTag, Wanted};
use lrs::ldm::{MediaError, MediaResult};
use lrs::service::Allocation;
use lrs::worker::DriveHandle;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// The last bytes of a window may take this share of its time bound before the rate is known.
const FIRST_WINDOW_BYTES: ByteCount = ByteCount(64 << 20);

/// How many names a window is tried under. Each failed attempt in the past costs one.
const MOST_NAMES: u32 = 64;

/// An extent of the window as the catalogue knows it now.
pub(super) struct Chosen {
    /// What is to be moved.
    pub(super) extent: Extent,
    /// What is read: the same, or its like in another copy.
    pub(super) read: Extent,
    header: ObjectHeader,
    target: MediumId,
}

impl Run<'_> {
    /// Hops 5 to 10 for the next window of the round.
    pub(super) async fn copy_window(&mut self) -> Result<Event, Problem> {
        let insists = self.turns.insists();
        let allocation = self.allocation.as_ref().expect("a window is copied under a grant");
        let yields = !insists && allocation.should_yield();
        let round = self.round.as_mut().expect("a window is of a round");
        if yields {
            self.turns.gave_way();
            return Ok(match round.way {
                Way::Direct => Event::Stopped(Stop::Yield),
                Way::Staged => Event::Interrupted { settled: 0 },
            });
        }
        let most = window_bytes(self.host, &self.tally, self.started, self.bytes_before);
        let moved = ByteCount(self.tally.bytes_moved.0.saturating_sub(self.bytes_before));
        let bounds = WindowBounds {
            // A limit is kept to the extent that reaches it.
            bytes: self
                .job
                .spec
                .limit_bytes
                .map_or(most, |limit| most.min(limit.saturating_sub(moved))),
            // Others wait for one extent, not for a window.
            extents: if insists {
                1
            } else {
                self.host.config.repack.batch_extents
            },
        };
        let first = round.next;
        let mut steps: Vec<Assigned> = next_window(round.due(), first, bounds).to_vec();
        round.next += steps.len();
        if let (Way::Staged, Some(spool)) = (round.way, &self.spool) {
            // What is not there could not be read, or is written already.
            steps.retain(|step| spool.holds(step.item.extent));
        }
        let (chosen, unneeded) = self.choose(&steps).await?;
        let left = self.let_be(&unneeded).await?;
        if chosen.is_empty() {
            return Ok(self.after_window(left));
        }
        let items = match self.record(chosen).await {
            Ok(items) => items,
            Err(Hindrance::Target(error)) => return Ok(Event::Refused(error)),
            Err(Hindrance::Catalogue(error)) => return self.hindered(error),
        };
        let recorded: BTreeMap<ExtentId, ByteCount> =
            items.iter().map(|item| (item.tag.extent, item.tag.bytes)).collect();
        let (copied, stopped) = self.copy(items, insists).await;
        let settled = self.settle(copied, &recorded).await?;
        self.turns.settled(settled.count);
        if stopped == Some(Stop::Yield) {
            self.turns.gave_way();
        }
        self.save().await?;
        if let Some(error) = settled.spool {
            return Ok(Event::Failed(spool_problem(&error).into()));
        }
        let count = left + settled.count;
        let stop = stopped.or_else(|| self.limit_reached());
        let round = self.round.as_mut().expect("a window is of a round");
        match stop {
            // What the spool still has of this window is written when the target is granted again.
            Some(Stop::Yield) if round.way == Way::Staged => {
                round.next = first;
                Ok(Event::Interrupted { settled: count })
            }
            Some(stop) => Ok(Event::Stopped(stop)),
            None if settled.replan => Ok(Event::Window {
                settled: count,
                more: false,
            }),
            None => Ok(self.after_window(count)),
        }
    }

    /// What is left of the round after a window that went as it should.
    fn after_window(&self, settled: u64) -> Event {
        let round = self.round.as_ref().expect("a window is of a round");
        let more = round.next < round.due().len();
        if !more && round.next < round.plan.steps.len() {
            return Event::Drained { settled };
        }
        Event::Window { settled, more }
    }

    /// Counts what nothing references any more, and lists what cannot be explained; how many extents that settles.
    pub(super) async fn let_be(&mut self, unneeded: &[ExtentId]) -> Result<u64, Problem> {
        let strays = self.strays(unneeded).await?;
        let left = unneeded.len() as u64;
        self.tally.released += left - strays.len() as u64;
        self.leave(strays).await?;
        self.turns.settled(left);
        Ok(left)
    }

    /// The catalogue as it is now for the steps of a window; and the extents that nothing references.
    pub(super) async fn choose(&self, steps: &[Assigned]) -> Result<(Vec<Chosen>, Vec<ExtentId>), Problem> {
        let ids: Vec<ExtentId> = steps.iter().map(|step| step.item.extent).collect();
        let mut extents: BTreeMap<ExtentId, Extent> = BTreeMap::new();
        for (_, entry) in self.host.catalogue.references(&ids).await? {
            extents.insert(entry.extent.id, entry.extent);
        }
        let mut headers = self.host.catalogue.headers(&ids).await?;
        let mut others = self.others_now(&ids).await?;
        let mut chosen = Vec::with_capacity(steps.len());
        let mut unneeded = vec![];
        for step in steps {
            let id = step.item.extent;
            match (extents.remove(&id), headers.remove(&id)) {
                (Some(extent), Some(header)) => {
                    let read = match &mut others {
                        None => extent.clone(),
                        Some(others) => match others.remove(&id) {
                            Some(other) if other.digests == extent.digests => other,
                            // It moved meanwhile: the next round finds it where it is then.
                            Some(_) | None => continue,
                        },
                    };
                    chosen.push(Chosen {
                        extent,
                        read,
                        header,
                        target: step.target,
                    });
                }
                _ => unneeded.push(id),
            }
        }
        Ok((chosen, unneeded))
    }

    /// Of the extents that nothing references, those that are no orphans all the same. Most lost their last reference
    /// since they were planned, and are orphans now. What is *sync* without a reference breaks I2: nothing can be
    /// swapped for it, and looking again would find it for ever.
    async fn strays(&self, unneeded: &[ExtentId]) -> Result<Vec<Extent>, Problem> {
        let mut strays = vec![];
        for id in unneeded {
            match self.host.catalogue.extent(*id).await {
                Ok(extent) if extent.state == ExtentState::Sync => strays.push(extent),
                Ok(_) | Err(CatalogueError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // A restore may have brought one back in between.
        let ids: Vec<ExtentId> = strays.iter().map(|extent| extent.id).collect();
        for (_, entry) in self.host.catalogue.references(&ids).await? {
            strays.retain(|extent| extent.id != entry.extent.id);
        }
        Ok(strays)
    }

    /// The extents of another copy that this round reads, as they are now, by the extent they stand for; None when the
    /// sources themselves are read.
    async fn others_now(&self, ids: &[ExtentId]) -> Result<Option<BTreeMap<ExtentId, Extent>>, Problem> {
        let round = self.round.as_ref().expect("a window is of a round");
        if round.others.is_empty() {
            return Ok(None);
        }
        let wanted: Vec<ExtentId> = ids.iter().filter_map(|id| round.others.get(id).copied()).collect();
        let live = self.host.catalogue.references(&wanted).await?;
        let live: BTreeMap<ExtentId, Extent> = live
            .into_iter()
            .map(|(_, entry)| (entry.extent.id, entry.extent))
            .filter(|(_, extent)| round.reads.contains(&extent.medium))
            .collect();
        let pair = |id: &ExtentId| Some((*id, live.get(round.others.get(id)?)?.clone()));
        Ok(Some(ids.iter().filter_map(pair).collect()))
    }

    /// Hop 5: names on the targets, then one transaction that inserts the new extents *pending*.
    async fn record(&mut self, chosen: Vec<Chosen>) -> Result<Vec<Item>, Hindrance> {
        let allocation = self.allocation.as_ref().expect("a window is written under a grant");
        let grants: BTreeMap<MediumId, &WriteGrant> = allocation
            .grant()
            .writes
            .iter()
            .map(|grant| (grant.medium, grant))
            .collect();
        let epochs: BTreeMap<MediumId, Epoch> = grants.iter().map(|(medium, grant)| (*medium, grant.epoch)).collect();
        for attempt in 1.. {
            let addresses = reserve(allocation, &chosen).await?;
            let intents = chosen
                .iter()
                .zip(addresses)
                .map(|(one, (id, address))| MoveIntent {
                    old: one.extent.id,
                    new: new_extent(one, id, address, grants[&one.target].generation),
                })
                .collect();
            self.tally.transactions += 1;
            let now = self.host.clock.now();
            let recorded = self
                .host
                .catalogue
                .record_moves(self.job.id, intents, &epochs, now)
                .await;
            match recorded {
                Ok(recorded) => {
                    let other = |(one, recorded): (&Chosen, &Recorded)| {
                        (one.read.id != one.extent.id)
                            .then(|| self.substitution(&one.extent, recorded.extent().id, one.read.medium))?
                    };
                    let noted: Vec<Substitution> = chosen.iter().zip(&recorded).filter_map(other).collect();
                    if !noted.is_empty() {
                        self.host.catalogue.note_substitutions(self.job.id, &noted).await?;
                    }
                    return Ok(items(chosen, recorded));
                }
                // A name that only a row has: of an attempt that wrote no byte. The medium gives the next one.
                Err(CatalogueError::Exists { what: "address", .. }) if attempt < MOST_NAMES => {}
                Err(error) => return Err(error.into()),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// What a refused record means: the targets or the job's claim on them changed, and the next round sees how.
    fn hindered(&mut self, error: CatalogueError) -> Result<Event, Problem> {
        match error {
            CatalogueError::Fenced { .. }
            | CatalogueError::LeaseLost { .. }
            | CatalogueError::Conflict { .. }
            | CatalogueError::Invariant { .. } => {
                let problem = Problem::from(error);
                Ok(Event::Refused(JobError {
                    exit: problem.exit.max(crate::api::exit::ENVIRONMENT),
                    ..problem.into()
                }))
            }
            CatalogueError::NotFound { .. }
            | CatalogueError::Exists { .. }
            | CatalogueError::LeaseHeld { .. }
            | CatalogueError::InDoubt(_)
            | CatalogueError::Unavailable(_)
            | CatalogueError::Unfit(_)
            | CatalogueError::Corrupt(_) => Err(error.into()),
        }
    }

    /// Hops 6 to 8, until the window's end or a stop.
    async fn copy(&mut self, items: Vec<Item>, insists: bool) -> (Copied, Option<Stop>) {
        let allocation = self.allocation.as_ref().expect("a window is copied under a grant");
        let handles = |media: Vec<MediumId>| -> BTreeMap<MediumId, DriveHandle> {
            media
                .into_iter()
                .map(|medium| (medium, allocation.volume(medium)))
                .collect()
        };
        let reads = match (self.round.as_ref().map(|round| round.way), &self.spool) {
            (Some(Way::Staged), Some(spool)) => Reads::Spool(spool),
            _ => Reads::Drives(handles(
                allocation.grant().reads.iter().map(|grant| grant.medium).collect(),
            )),
        };
        let targets = handles(allocation.grant().writes.iter().map(|grant| grant.medium).collect());
        let stop = CopyStop::default();
        let mut asked = self.controls.stop.clone();
        let copying = copy(
            items,
            reads,
            targets,
            &mut self.ring,
            &stop,
            self.host.checkpoints.clone(),
        );
        tokio::pin!(copying);
        let mut why = None;
        loop {
            tokio::select! {
                // Each wish to stop comes at most once, so none can hold up the copy; the copy could use up what this
                // task may do in one turn, every turn, and a wish would never be heard.
                biased;
                Ok(seen) = asked.wait_for(Option::is_some), if why.is_none() => {
                    why = *seen;
                    stop.ask();
                }
                () = allocation.yield_asked(), if why.is_none() && !insists => {
                    why = Some(Stop::Yield);
                    stop.ask();
                }
                copied = &mut copying => return (copied, why),
            }
        }
    }

    /// The job's own limits count from when this run took it up.
    fn limit_reached(&self) -> Option<Stop> {
        let bytes = self.tally.bytes_moved.0.saturating_sub(self.bytes_before);
        let over_bytes = self.job.spec.limit_bytes.is_some_and(|limit| bytes >= limit.0);
        let over_time = self
            .job
            .spec
            .limit_seconds
            .is_some_and(|limit| self.started.elapsed().as_secs() >= limit);
        (over_bytes || over_time).then_some(Stop::Pause)
    }
}

/// Why a window could not be recorded.
enum Hindrance {
    Target(JobError),
    Catalogue(CatalogueError),
}

impl From<CatalogueError> for Hindrance {
    fn from(error: CatalogueError) -> Self {
        Self::Catalogue(error)
    }
}

/// A window's bytes: what the observed rate moves within the time bound, at most the byte bound.
fn window_bytes(host: &crate::host::Host, tally: &dss::model::Tally, started: Instant, bytes_before: u64) -> ByteCount {
    let repack = &host.config.repack;
    let moved = tally.bytes_moved.0.saturating_sub(bytes_before);
    if moved == 0 {
        return repack.sync_bytes.min(FIRST_WINDOW_BYTES);
    }
    let rate = moved as f64 / started.elapsed().as_secs_f64().max(0.001);
    repack
        .sync_bytes
        .min(ByteCount((rate * repack.sync_seconds as f64) as u64))
}

/// Identifies every target and takes names on it; one trip to each drive's thread.
async fn reserve(allocation: &Allocation, chosen: &[Chosen]) -> Result<Vec<(ExtentId, Address)>, Hindrance> {
    let mut wanted: BTreeMap<MediumId, Vec<(usize, Origin, ExtentId)>> = BTreeMap::new();
    for (position, one) in chosen.iter().enumerate() {
        let entry = (position, one.extent.origin.clone(), ExtentId::fresh());
        wanted.entry(one.target).or_default().push(entry);
    }
    let mut addresses: Vec<Option<(ExtentId, Address)>> = vec![None; chosen.len()];
    for (medium, names) in wanted {
        let taken = allocation
            .volume(medium)
            .run(move |volume| -> MediaResult<Vec<(usize, ExtentId, Address)>> {
                volume.identify()?;
                names
                    .into_iter()
                    .map(|(position, origin, id)| Ok((position, id, volume.reserve(&origin, id)?)))
                    .collect()
            })
            .await
            .map_err(|gone| target_error(allocation, medium, gone.into()))?
            .map_err(|error: MediaError| target_error(allocation, medium, error.into()))?;
        for (position, id, address) in taken {
            addresses[position] = Some((id, address));
        }
    }
    Ok(addresses
        .into_iter()
        .map(|address| address.expect("every step was given a name"))
        .collect())
}

/// The medium is mounted and identified anew before anybody uses it again.
fn target_error(allocation: &Allocation, medium: MediumId, problem: Problem) -> Hindrance {
    allocation.distrust(medium);
    Hindrance::Target(problem.into())
}

fn new_extent(one: &Chosen, id: ExtentId, address: Address, generation: Generation) -> NewExtent {
    NewExtent {
        id,
        origin: one.extent.origin.clone(),
        medium: one.target,
        generation,
        address,
        bytes: one.extent.bytes,
        digests: one.extent.digests.clone(),
    }
}

fn items(chosen: Vec<Chosen>, recorded: Vec<Recorded>) -> Vec<Item> {
    assert_eq!(chosen.len(), recorded.len(), "every intent was recorded");
    chosen
        .into_iter()
        .zip(recorded)
        .map(|(one, recorded)| {
            let new = recorded.extent();
            assert_eq!(new.bytes, one.extent.bytes, "recorded in the order of the intents");
            Item {
                old: one.extent.id,
                source: one.read.medium,
                wanted: Wanted::of(&one.read),
                digests: one.extent.digests.clone().expect("a live extent has digests"),
                target: one.target,
                address: new.address.clone(),
                tag: ExtentTag {
                    extent: new.id,
                    origin: new.origin.clone(),
                    bytes: new.bytes,
                    header: one.header,
                },
                recorded,
            }
        })
        .collect()
}
