//! One round of a job: what of its sources is moved where, and the one allocation for it (hops 2 to 4).

use super::Run;
use super::planning::{docks_of, look, targets_for};
use super::substitute::Recourse;
use crate::api::Problem;
use crate::repack::machine::Event;
use crate::repack::manifest::LeftOut;
use crate::repack::plan::{EXTENT_OVERHEAD, Plan, assign, predicted_seconds};
use dss::model::{ByteCount, ExtentId, JobError, MediumId, Step};
use lrs::core::{Priority, Request, WriteWant};
use std::collections::BTreeMap;

/// The plan of one round and how far it is.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) plan: Plan,
    pub(crate) next: usize,
    /// The media that are read: the sources, or the one that holds other copies.
    pub(crate) reads: Vec<MediumId>,
    /// Which extent of another copy is read for which extent of a source; empty when the sources are read.
    pub(crate) others: BTreeMap<ExtentId, ExtentId>,
}

impl Run<'_> {
    /// Hop 2: what is to be moved.
    pub(super) async fn expand(&mut self) -> Result<Event, Problem> {
        let manifest = look(self.host, &self.job.spec, &self.skipped).await?;
        let skipped = manifest
            .left_out
            .iter()
            .filter(|(_, why)| *why == LeftOut::Skipped)
            .count() as u64;
        let to_move = manifest.items.len() as u64;
        let known = self.tally.moved + self.tally.released + to_move + skipped;
        if known > self.tally.live {
            self.tally.live = known;
            self.tally.live_bytes = self.tally.bytes_moved + manifest.bytes();
        }
        if self.tally.predicted_seconds.is_none() {
            self.tally.predicted_seconds = Some(predicted_seconds(manifest.bytes(), to_move));
        }
        self.manifest = Some(manifest);
        Ok(Event::Expanded { to_move, skipped })
    }

    /// Hop 3: where it goes.
    pub(super) async fn plan_round(&mut self) -> Result<Event, Problem> {
        let manifest = self.manifest.take().expect("a plan is made of a manifest");
        let (doubtful, sound) = manifest.parted(|item| self.doubts.contains_key(&item.extent));
        let targets = targets_for(self.host, &self.job.spec).await?;
        let docks = docks_of(self.host, &self.job.spec.sources).await?;
        let beside = targets.clone().beside(&docks);
        let mut round = Round {
            plan: assign(&sound, &beside.usable),
            next: 0,
            reads: self.job.spec.sources.clone(),
            others: BTreeMap::new(),
        };
        let mut unplaced = beside.explain_unplaced(&round.plan);
        if round.plan.steps.is_empty() {
            match self.plan_substitution(doubtful, &targets).await? {
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
            exit: crate::api::exit::ENVIRONMENT,
            ..problem.into()
        });
        let placed = round.plan.steps.len() as u64;
        self.host.checkpoints.reach(Step::PlanAfter);
        self.round = Some(round);
        Ok(Event::Planned { placed, unplaced })
    }

    /// Hop 4: one request for everything that the round reads and writes.
    pub(super) async fn allocate(&mut self) -> Result<Event, Problem> {
        let round = self.round.as_ref().expect("an allocation is of a round");
        let writes = round
            .plan
            .per_target()
            .into_iter()
            .map(|(target, (extents, bytes))| WriteWant {
                candidates: vec![target],
                bytes: bytes + ByteCount(extents * EXTENT_OVERHEAD.0),
                at_least: round.plan.largest_for(target) + EXTENT_OVERHEAD,
            });
        let request = Request {
            purpose: format!("job {}", self.job.id),
            priority: Priority::Repack,
            reads: round.reads.clone(),
            writes: writes.collect(),
            exclusive: vec![],
        };
        let mut stop = self.controls.stop.clone();
        let allocated = tokio::select! {
            // A wish to stop ends the wait, so it comes before a grant that comes with it: nothing is begun after it.
            biased;
            Ok(stop) = stop.wait_for(Option::is_some) => return Ok(Event::Stopped(stop.expect("just seen"))),
            allocated = self.host.lrs.allocate(request) => allocated,
        };
        match allocated {
            Ok(allocation) => {
                self.allocation = Some(allocation);
                self.turns.granted();
                self.host.checkpoints.reach(Step::AllocateAfterGrant);
                Ok(Event::Granted)
            }
            Err(error) if self.ruled_out(&error).await => Ok(Event::Settled { settled: 1 }),
            Err(error) => {
                let problem = Problem::from(error);
                if problem.code == "catalogue_unavailable" {
                    return Err(problem);
                }
                let exit = problem.exit.max(crate::api::exit::ENVIRONMENT);
                Ok(Event::Refused(JobError { exit, ..problem.into() }))
            }
        }
    }
}
