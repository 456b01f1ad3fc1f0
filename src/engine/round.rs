//! One round of a job: what of its sources is moved where, and the one allocation for it (hops 2 to 4).

use super::Run;
use super::planning::look;
use super::substitute::Recourse;
use super::targets::{Reads, targets_for};
use crate::api::Problem;
use crate::host::Host;
use crate::repack::machine::Event;
use crate::repack::manifest::LeftOut;
use crate::repack::plan::{Assigned, EXTENT_OVERHEAD, Plan, per_target, predicted_seconds};
use crate::repack::stage::{Routed, Staging, Way};
use dss::model::{ByteCount, ExtentId, JobError, MediumId, Step};
use lrs::core::{Priority, Request, WriteWant};
use std::collections::{BTreeMap, BTreeSet};

/// The plan of one round and how far it is.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) plan: Plan,
    /// How its bytes go.
    pub(crate) way: Way,
    /// The first step that is not begun.
    pub(crate) next: usize,
    /// Staged: the steps before this one were read into the spool, or found unreadable.
    pub(crate) spooled_to: usize,
    /// The media that are read: the sources, or the one that holds other copies.
    pub(crate) reads: Vec<MediumId>,
    /// Which extent of another copy is read for which extent of a source; empty when the sources are read.
    pub(crate) others: BTreeMap<ExtentId, ExtentId>,
}

impl Round {
    /// A plan that nothing was done of yet.
    pub(super) fn new(routed: Routed, reads: Vec<MediumId>, others: BTreeMap<ExtentId, ExtentId>) -> Self {
        Self {
            plan: routed.plan,
            way: routed.way,
            next: 0,
            spooled_to: 0,
            reads,
            others,
        }
    }

    /// Modelled seconds for all of it.
    fn predicted_seconds(&self, host: &Host) -> f64 {
        let (bytes, extents) = (self.plan.bytes(), self.plan.steps.len() as u64);
        match self.way {
            Way::Direct => predicted_seconds(bytes, extents),
            Way::Staged => Staging::of(&self.plan.steps, host.config.memory.spool).predicted_seconds(bytes, extents),
        }
    }

    /// The steps that can be written now: all, or those of the batch in the spool.
    pub(super) fn due(&self) -> &[Assigned] {
        match self.way {
            Way::Direct => &self.plan.steps,
            Way::Staged => &self.plan.steps[..self.spooled_to],
        }
    }
}

/// The sources that a plan's steps read: no drive is asked for another one.
fn read_by(plan: &Plan, sources: &[MediumId]) -> Vec<MediumId> {
    let used: BTreeSet<u16> = plan.steps.iter().map(|step| step.item.source).collect();
    used.into_iter().map(|source| sources[usize::from(source)]).collect()
}

/// The bytes of one extent of a plan, on average.
fn mean_bytes(plan: &Plan) -> ByteCount {
    ByteCount(plan.bytes().0 / (plan.steps.len() as u64).max(1))
}

impl Run<'_> {
    /// Hop 2: what is to be moved.
    pub(super) async fn expand(&mut self) -> Result<Event, Problem> {
        let manifest = look(self.host, &self.job.spec, &self.skipped).await?;
        // One that was skipped and lives elsewhere by now, put back there by another job, is listed all the same.
        let skipped = self.skipped.len() as u64;
        let live_and_skipped = manifest
            .left_out
            .iter()
            .filter(|(_, why)| *why == LeftOut::Skipped)
            .count() as u64;
        let to_move = manifest.items.len() as u64;
        let known = self.tally.moved + self.tally.released + to_move + live_and_skipped;
        if known > self.tally.live {
            self.tally.live = known;
            self.tally.live_bytes = self.tally.bytes_moved + manifest.bytes();
        }
        self.manifest = Some(manifest);
        Ok(Event::Expanded { to_move, skipped })
    }

    /// Hop 3: where it goes.
    pub(super) async fn plan_round(&mut self) -> Result<Event, Problem> {
        let manifest = self.manifest.take().expect("a plan is made of a manifest");
        let (doubtful, sound) = manifest.parted(|item| self.doubts.contains_key(&item.extent));
        let mut targets = targets_for(self.host, &self.job.spec).await?;
        let sources = self.job.spec.sources.clone();
        let routed = targets.route(self.host, &sound, Reads::Sources).await?;
        let reads = read_by(&routed.plan, &sources);
        let mut round = Round::new(routed, reads, BTreeMap::new());
        let mut unplaced = targets.explain_unplaced(&round.plan);
        if round.plan.steps.is_empty()
            && let Some(event) = self.wait_for_a_target(&sound, &round.plan).await?
        {
            return Ok(event);
        }
        if round.plan.steps.is_empty() {
            match self.plan_substitution(doubtful, &mut targets).await? {
                Recourse::None => {}
                Recourse::Skipped(settled) => return Ok(Event::Settled { settled }),
                Recourse::Round(other) => {
                    unplaced = unplaced.or(targets.explain_unplaced(&other.plan));
                    round = *other;
                }
            }
        }
        let unplaced = unplaced.map(|problem| JobError {
            // The job has begun: this is no refusal any more.
            exit: problem.exit.max(crate::api::exit::ENVIRONMENT),
            ..problem.into()
        });
        let placed = round.plan.steps.len() as u64;
        self.host.checkpoints.reach(Step::PlanAfter);
        if self.tally.predicted_seconds.is_none() {
            self.tally.predicted_seconds = Some(round.predicted_seconds(self.host));
        }
        let way = round.way;
        let memory = &self.host.config.memory;
        self.ring
            .resize(memory.ring.0 as usize, memory.chunk.0 as usize, mean_bytes(&round.plan));
        self.round = Some(round);
        Ok(Event::Planned { placed, way, unplaced })
    }

    /// Hop 4: one request for everything that the round reads and writes; staged, for what it writes.
    pub(super) async fn allocate(&mut self) -> Result<Event, Problem> {
        self.give_back().await?;
        let round = self.round.as_ref().expect("an allocation is of a round");
        let writes = per_target(&round.due()[round.next..])
            .into_iter()
            .map(|(target, sum)| WriteWant {
                candidates: vec![target],
                bytes: sum.bytes + ByteCount(sum.extents * EXTENT_OVERHEAD.0),
                at_least: sum.largest + EXTENT_OVERHEAD,
            });
        let (reads, writes) = match round.way {
            Way::Direct => (round.reads.clone(), writes.collect()),
            Way::Staged => (vec![], writes.collect()),
        };
        Ok(self.ask(reads, writes).await?.unwrap_or(Event::Granted))
    }

    /// Takes media for reading and writing, in ONE request. None: they are held; else what came in between.
    pub(super) async fn ask(&mut self, reads: Vec<MediumId>, writes: Vec<WriteWant>) -> Result<Option<Event>, Problem> {
        let request = Request {
            purpose: format!("job {}", self.job.id),
            priority: Priority::Repack,
            reads,
            writes,
            exclusive: vec![],
        };
        let mut stop = self.controls.stop.clone();
        let allocated = tokio::select! {
            // A wish to stop ends the wait, so it comes before a grant that comes with it: nothing is begun after it.
            biased;
            Ok(stop) = stop.wait_for(Option::is_some) => return Ok(Some(Event::Stopped(stop.expect("just seen")))),
            allocated = self.host.lrs.allocate(request) => allocated,
        };
        match allocated {
            Ok(allocation) => {
                self.allocation = Some(allocation);
                self.turns.granted();
                self.host.checkpoints.reach(Step::AllocateAfterGrant);
                Ok(None)
            }
            Err(error) if self.ruled_out(&error).await => Ok(Some(Event::Settled { settled: 1 })),
            Err(error) => {
                let problem = Problem::from(error);
                if ["catalogue_unavailable", "stopping"].contains(&problem.code.as_str()) {
                    return Err(problem);
                }
                let exit = problem.exit.max(crate::api::exit::ENVIRONMENT);
                Ok(Some(Event::Refused(JobError { exit, ..problem.into() })))
            }
        }
    }
}
