//! Hops 5 to 8 for one window: `prepare` records it, the mover reads, verifies and writes it, `settle` makes it durable
//! and swaps it. Where windows are small, one is swapped and the next one recorded while another is copied.

use super::Run;
use super::prepare::{Ahead, Desk, Hindrance, Recording, choose};
use super::settle::swap_now;
use super::spooling::spool_problem;
use crate::api::Problem;
use crate::mover::{Copied, CopyStop, Item, Misfit, Reads, Ring, Spool, copy};
use crate::repack::batch::{WindowBounds, next_window};
use crate::repack::machine::{Event, Stop};
use crate::repack::plan::Assigned;
use crate::repack::stage::Way;
use dss::catalogue::CatalogueError;
use dss::model::{ByteCount, Extent, ExtentId, ExtentState, JobError, MediumId};
use lrs::worker::DriveHandle;
use std::collections::BTreeMap;
use tokio::sync::watch;
use tokio::time::Instant;

/// The last bytes of a window may take this share of its time bound before the rate is known.
const FIRST_WINDOW_BYTES: ByteCount = ByteCount(64 << 20);

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
        let first = round.next;
        let (items, left) = match self.take_window(insists).await? {
            Taken::Window { items, left } => (items, left),
            Taken::Nothing(event) => return Ok(event),
        };
        let recorded: BTreeMap<ExtentId, ByteCount> =
            items.iter().map(|item| (item.tag.extent, item.tag.bytes)).collect();
        let soon = self.steps_ahead(insists, recorded.values().copied().sum());
        let ((copied, stopped), swapped) = self.copy(items, insists, &soon).await;
        if let Err(problem) = swapped {
            self.put_away(copied, &recorded).await;
            return Err(problem.into());
        }
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

    /// Of the extents that nothing references, those that are no orphans all the same. Most lost their last reference
    /// since they were planned, and are orphans now. What is *sync* without a reference breaks I2: nothing can be
    /// swapped for it, and looking again would find it for ever.
    async fn strays(&self, unneeded: &[ExtentId]) -> Result<Vec<Extent>, Problem> {
        let mut strays: Vec<Extent> = self
            .host
            .catalogue
            .extents_by_id(unneeded)
            .await?
            .into_values()
            .filter(|extent| extent.state == ExtentState::Sync)
            .collect();
        // A restore may have brought one back in between.
        let ids: Vec<ExtentId> = strays.iter().map(|extent| extent.id).collect();
        for (_, entry) in self.host.catalogue.references(&ids).await? {
            strays.retain(|extent| extent.id != entry.extent.id);
        }
        Ok(strays)
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
            | CatalogueError::TapeExists { .. }
            | CatalogueError::LeaseHeld { .. }
            | CatalogueError::InDoubt(_)
            | CatalogueError::Unavailable(_)
            | CatalogueError::Unresolved(_)
            | CatalogueError::Unfit(_)
            | CatalogueError::Corrupt(_) => Err(error.into()),
        }
    }

    /// The next window: the one that was prepared ahead, or one prepared now.
    async fn take_window(&mut self, insists: bool) -> Result<Taken, Problem> {
        if let Some(ahead) = self.ahead.take() {
            return self.take_ahead(ahead).await;
        }
        let steps = self.next_steps(insists);
        let round = self.round.as_ref().expect("a window is of a round");
        let (chosen, unneeded) = choose(self.host, round, &steps).await?;
        let left = self.let_be(&unneeded).await?;
        if chosen.is_empty() {
            return Ok(Taken::Nothing(self.after_window(left)));
        }
        let mut transactions = 0;
        let recorded = self.desk().record(chosen, &mut transactions).await;
        self.tally.transactions += transactions;
        match recorded {
            Ok(Recording { items, misfits }) => self.taken(items, misfits, left).await,
            Err(Hindrance::Target { medium, error, .. }) => {
                let allocation = self.allocation.as_ref().expect("a window is copied under a grant");
                allocation.distrust(medium);
                Ok(Taken::Nothing(Event::Refused(error)))
            }
            Err(Hindrance::Catalogue(error)) => self.hindered(error).map(Taken::Nothing),
        }
    }

    async fn take_ahead(&mut self, ahead: Ahead) -> Result<Taken, Problem> {
        let left = match self.let_be(&ahead.unneeded).await {
            Ok(left) => left,
            Err(problem) => {
                // Its rows are given up with everything else.
                self.ahead = Some(ahead);
                return Err(problem);
            }
        };
        self.round.as_mut().expect("a window is of a round").next = ahead.end;
        if ahead.items.is_empty() {
            // The next window may be a large one, and would be one too many beside what waits for its swap.
            self.swap_due().await?;
        }
        self.taken(ahead.items, ahead.misfits, left).await
    }

    /// A recorded window, but for those that its targets cannot keep: they are listed, and the others go on.
    async fn taken(&mut self, items: Vec<Item>, misfits: Vec<Misfit>, left: u64) -> Result<Taken, Problem> {
        let left_out = match self.leave_out(misfits).await {
            Ok(left_out) => left_out,
            Err(problem) => {
                self.untouched.extend(items);
                return Err(problem);
            }
        };
        self.turns.settled(left_out);
        let left = left + left_out;
        Ok(match items.is_empty() {
            true => Taken::Nothing(self.after_window(left)),
            false => Taken::Window { items, left },
        })
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            host: self.host,
            job: self.job.id,
            allocation: self.allocation.as_ref().expect("a window is recorded under a grant"),
            round: self.round.as_ref().expect("a window is of a round"),
            doubts: &self.doubts,
        }
    }

    /// The steps of the next window, begun with this.
    fn next_steps(&mut self, insists: bool) -> Vec<Assigned> {
        let bounds = self.bounds(insists);
        let overlaps = self.overlaps(insists);
        let round = self.round.as_mut().expect("a window is of a round");
        let mut steps = next_window(round.due(), round.next, bounds);
        if overlaps {
            let small = next_window(round.due(), round.next, bounds.shared());
            if bytes_of(small) <= bounds.shared().bytes {
                steps = small;
            }
        }
        let mut steps = steps.to_vec();
        round.next += steps.len();
        if let (Way::Staged, Some(spool)) = (round.way, &self.spool) {
            // What is not there could not be read, or is written already.
            steps.retain(|step| spool.holds(step.item.extent));
        }
        steps
    }

    /// The steps to prepare while a window of so many bytes is copied.
    fn steps_ahead(&self, insists: bool, copied: ByteCount) -> Vec<Assigned> {
        let shared = self.bounds(insists).shared();
        let round = self.round.as_ref().expect("a window is of a round");
        let steps = next_window(round.due(), round.next, shared);
        match self.overlaps(insists) && copied <= shared.bytes && bytes_of(steps) <= shared.bytes {
            true => steps.to_vec(),
            false => vec![],
        }
    }

    /// Whether windows of this round may overlap: nobody waits for an extent of them, and none counts against a limit.
    fn overlaps(&self, insists: bool) -> bool {
        let spec = &self.job.spec;
        let round = self.round.as_ref().expect("a window is of a round");
        let unlimited = spec.limit_bytes.is_none() && spec.limit_seconds.is_none();
        !insists && unlimited && round.way == Way::Direct && round.others.is_empty()
    }

    fn bounds(&self, insists: bool) -> WindowBounds {
        let most = window_bytes(self.host, &self.tally, self.started, self.bytes_before);
        let moved = ByteCount(self.tally.bytes_moved.0.saturating_sub(self.bytes_before));
        WindowBounds {
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
        }
    }

    /// Hops 6 to 8, until the window's end or a stop. Meanwhile the window before it is swapped, if it waits for that,
    /// and the next one is prepared.
    async fn copy(
        &mut self,
        items: Vec<Item>,
        insists: bool,
        soon: &[Assigned],
    ) -> ((Copied, Option<Stop>), Result<(), CatalogueError>) {
        let due = std::mem::take(&mut self.due);
        let mut transactions = 0;
        let Self {
            host,
            job,
            allocation,
            round,
            doubts,
            spool,
            ring,
            controls,
            ..
        } = self;
        let desk = Desk {
            host,
            job: job.id,
            allocation: allocation.as_ref().expect("a window is copied under a grant"),
            round: round.as_ref().expect("a window is of a round"),
            doubts,
        };
        let copying = copy_items(&desk, (items, insists), spool.as_ref(), ring, controls.stop.clone());
        let (copied, ahead, outcomes) = tokio::join!(
            copying,
            desk.ahead(soon, &mut transactions),
            swap_now(host, job.id, &due)
        );
        self.ahead = ahead;
        self.tally.transactions += transactions;
        let swapped = match outcomes {
            Ok(outcomes) => {
                self.note_swapped(&due, &outcomes);
                Ok(())
            }
            Err(error) => {
                self.due = due;
                Err(error)
            }
        };
        (copied, swapped)
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

/// What there is to copy.
enum Taken {
    /// A recorded window; so many of its extents need no copy any more.
    Window { items: Vec<Item>, left: u64 },
    /// Nothing, for this reason.
    Nothing(Event),
}

fn bytes_of(steps: &[Assigned]) -> ByteCount {
    steps.iter().map(|step| step.item.bytes).sum()
}

async fn copy_items(
    desk: &Desk<'_>,
    (items, insists): (Vec<Item>, bool),
    spool: Option<&Spool>,
    ring: &mut Ring,
    mut asked: watch::Receiver<Option<Stop>>,
) -> (Copied, Option<Stop>) {
    let allocation = desk.allocation;
    let handles = |media: Vec<MediumId>| -> BTreeMap<MediumId, DriveHandle> {
        media
            .into_iter()
            .map(|medium| (medium, allocation.volume(medium)))
            .collect()
    };
    let reads = match (desk.round.way, spool) {
        (Way::Staged, Some(spool)) => Reads::Spool(spool),
        _ => Reads::Drives(handles(
            allocation.grant().reads.iter().map(|grant| grant.medium).collect(),
        )),
    };
    let targets = handles(allocation.grant().writes.iter().map(|grant| grant.medium).collect());
    let stop = CopyStop::default();
    let copying = copy(items, reads, targets, ring, &stop, desk.host.checkpoints.clone());
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
