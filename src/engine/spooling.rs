//! The read half of a staged round: a batch goes into the spool while the sources alone are held. Nothing is
//! recorded before the target is held, and nothing is lost with the spool: the next life looks at the sources again.

use super::Run;
use super::prepare::{Chosen, choose};
use crate::api::Problem;
use crate::mover::{CopyStop, Filled, ReadFailure, Sought, Spool, fill};
use crate::repack::machine::{Event, Stop};
use crate::repack::plan::Assigned;
use crate::repack::stage::batch_end;
use dss::model::{ByteCount, Expected, ExtentId, MediumId, Step};
use lrs::ldm::fs::Wanted;
use lrs::ldm::spool::SpoolError;
use lrs::worker::DriveHandle;
use std::collections::{BTreeMap, BTreeSet};

/// What a spool that does not serve means for the job. It has failed nobody: all that was swapped before is safe.
pub(super) fn spool_problem(error: &SpoolError) -> Problem {
    let message = format!("{error}; nothing was written from it, and all that was moved before is safe");
    match error {
        SpoolError::Full(place) => Problem::environment("spool_full", "us", place, message)
            .next("free space there, or put source and target into different docks, then repack again"),
        SpoolError::Io(place, _) => Problem::environment("spool_failed", "us", place, message)
            .next("look at the disk of the state folder, then repack again"),
        SpoolError::Corrupt(place) => Problem::integrity("spool_corrupt", "us", place, message)
            .next("look at the disk of the state folder and its memory, then repack again"),
    }
}

/// Imported extents that nobody read yet.
fn unread(chosen: &[Chosen]) -> Vec<ExtentId> {
    let unread = chosen.iter().filter(|one| one.extent.digests.is_none());
    unread.map(|one| one.extent.id).collect()
}

impl Run<'_> {
    /// Hops 4, 6 and 7 for the next batch of a staged round.
    pub(super) async fn fill(&mut self) -> Result<Event, Problem> {
        self.give_back().await?;
        let insists = self.turns.insists();
        let steps = self.next_batch(insists);
        let round = self.round.as_ref().expect("a batch is of a round");
        let (chosen, unneeded) = choose(self.host, round, &steps).await?;
        let gone = self.let_be(&unneeded).await?;
        let mut hashes = self.host.catalogue.known_hashes(&unread(&chosen)).await?;
        let sought: Vec<Sought> = chosen
            .into_iter()
            .map(|one| Sought {
                old: one.extent.id,
                oid: one.extent.origin.oid.clone(),
                source: one.read.medium,
                wanted: Wanted::of(&one.read),
                expected: Expected {
                    bytes: one.extent.bytes,
                    digests: one.extent.digests,
                    hashes: hashes.remove(&one.extent.id).unwrap_or_default(),
                },
            })
            .collect();
        if sought.is_empty() {
            return Ok(Event::Filled { settled: gone, kept: 0 });
        }
        let reads: BTreeSet<MediumId> = sought.iter().map(|one| one.source).collect();
        if let Some(event) = self.ask(reads.into_iter().collect(), vec![]).await? {
            return Ok(event);
        }
        if let Err(error) = self.empty_spool().await {
            return Ok(Event::Failed(spool_problem(&error).into()));
        }
        let (filled, stopped) = self.read_ahead(sought, insists).await;
        self.turns.settled(filled.kept);
        if stopped == Some(Stop::Yield) {
            self.turns.gave_way();
        }
        self.give_back().await?;
        self.after_filling(filled, stopped, &steps, gone).await
    }

    /// As many steps as the spool takes, and the job's own limit; one when others wait and this job insists.
    fn next_batch(&mut self, insists: bool) -> Vec<Assigned> {
        let moved = ByteCount(self.tally.bytes_moved.0.saturating_sub(self.bytes_before));
        let most = self.host.config.memory.spool;
        let limit = self.job.spec.limit_bytes;
        let most = limit.map_or(most, |limit| most.min(limit.saturating_sub(moved)));
        let round = self.round.as_mut().expect("a batch is of a round");
        let end = batch_end(&round.plan.steps, round.next, most);
        let end = if insists { end.min(round.next + 1) } else { end };
        round.spooled_to = end;
        round.plan.steps[round.next..end].to_vec()
    }

    async fn empty_spool(&mut self) -> Result<(), SpoolError> {
        match &mut self.spool {
            Some(spool) => spool.clear().await,
            None => {
                self.spool = Some(Spool::open(&self.host.spool)?);
                Ok(())
            }
        }
    }

    async fn read_ahead(&mut self, sought: Vec<Sought>, insists: bool) -> (Filled, Option<Stop>) {
        let allocation = self.allocation.as_ref().expect("a batch is read under a grant");
        let reads = allocation.grant().reads.iter();
        let drives: BTreeMap<MediumId, DriveHandle> = reads
            .map(|grant| (grant.medium, allocation.volume(grant.medium)))
            .collect();
        let stop = CopyStop::default();
        let mut asked = self.controls.stop.clone();
        let checkpoints = self.host.checkpoints.clone();
        let spool = self.spool.as_mut().expect("it was opened for this");
        let filling = fill(sought, drives, &mut self.ring, &stop, checkpoints, spool);
        tokio::pin!(filling);
        let mut why = None;
        loop {
            tokio::select! {
                filled = &mut filling => return (filled, why),
                Ok(seen) = asked.wait_for(Option::is_some), if why.is_none() => {
                    why = *seen;
                    stop.ask();
                }
                () = allocation.yield_asked(), if why.is_none() && !insists => {
                    why = Some(Stop::Yield);
                    stop.ask();
                }
            }
        }
    }

    async fn after_filling(
        &mut self,
        filled: Filled,
        stopped: Option<Stop>,
        steps: &[Assigned],
        gone: u64,
    ) -> Result<Event, Problem> {
        let mut bad = vec![];
        let mut left: BTreeSet<ExtentId> = filled.not_begun.iter().map(|one| one.old).collect();
        for (one, failure) in filled.failed {
            match failure {
                ReadFailure::GivenUp => {
                    left.insert(one.old);
                }
                failure => bad.push(super::substitute::Bad {
                    old: one.old,
                    read: one.wanted.extent,
                    medium: one.source,
                    oid: one.oid,
                    failure,
                }),
            }
        }
        let settled = gone + self.doubt(bad).await?;
        let round = self.round.as_mut().expect("a batch is of a round");
        // The batch ends where the reading did; the next one begins there.
        if let Some(first) = steps.iter().position(|step| left.contains(&step.item.extent)) {
            round.spooled_to = round.next + first;
        }
        match (stopped, filled.trouble) {
            (Some(stop @ (Stop::Pause | Stop::Cancel | Stop::Handover)), _) => return Ok(Event::Stopped(stop)),
            // A batch that ended early is a batch all the same.
            (Some(Stop::Yield) | None, _) if filled.kept > 0 => {}
            (_, Some(error)) => return Ok(Event::Failed(spool_problem(&error).into())),
            (Some(Stop::Yield), None) if settled == 0 => return Ok(Event::Stopped(Stop::Yield)),
            (Some(Stop::Yield) | None, None) => {}
        }
        self.save().await?;
        self.host.checkpoints.reach(Step::SpoolFilled);
        Ok(Event::Filled {
            settled,
            kept: filled.kept,
        })
    }
}
