//! After the last swap: every target's index committed, then what was moved is read back from the medium (`reread`). An
//! extent that fails goes back to its old bytes, verified first.

use super::Run;
use super::unread::{is_due, unread};
use crate::api::{Problem, exit};
use crate::mover::read_back;
use crate::repack::job::JobEvent;
use crate::repack::machine::{Event, Stop};
use dss::catalogue::{ExtentFilter, Page, ReturnOutcome};
use dss::model::{
    ByteCount, Extent, ExtentId, ExtentState, JobError, JobId, Medium, MediumId, Move, MoveState, ReadBack, Skip, Step,
    VerifyMode,
};
use lrs::core::{Priority, Request};
use lrs::ldm::fs::IndexStamp;
use lrs::service::Allocation;
use std::collections::{BTreeMap, BTreeSet};

/// How many moves are read back between two notes in the catalogue.
const PAGE: u32 = 500;

/// A job that was stopped and has a failure to tell ends with it: resumed, it would find nothing amiss.
fn stopped(stop: Stop, failed: Option<JobError>) -> Event {
    match failed {
        Some(_) => Event::ReadBack { failed },
        None => Event::Stopped(stop),
    }
}

impl Run<'_> {
    /// Index commit on every target that holds something its own index does not name durably. What jobs before this one
    /// moved off the sources and nobody read back is this job's to look after now.
    pub(super) async fn commit_indexes(&mut self) -> Result<Event, Problem> {
        self.advance(JobEvent::Copied, None).await?;
        let mut targets: BTreeSet<MediumId> = self.tally.targets.keys().copied().collect();
        // A migration of single extents erases nothing.
        let erases = self.job.spec.only.is_empty();
        let left = if erases {
            unread(self.host, &self.job.spec.sources).await?
        } else {
            vec![]
        };
        targets.extend(left.iter().map(|(_, _, extent)| extent.medium));
        // As their own job wished, even if this one wishes less for its moves.
        let own = self.job.spec.verify;
        let due = left
            .into_iter()
            .filter(|(one, verify, _)| is_due(*verify, one.new) || is_due(own, one.new));
        self.inherited = due.map(|(one, _, _)| one).collect();
        for target in targets {
            let first = Page { after: None, limit: 1 };
            if self.unindexed_page(target, first).await?.is_empty() {
                continue;
            }
            let allocation = self.hold(vec![], vec![target]).await?;
            let committed = self.commit_one(&allocation, target).await;
            if committed.is_err() {
                allocation.distrust(target);
            }
            allocation.release().await;
            committed?;
        }
        Ok(Event::Indexed)
    }

    /// Live extents of a target that its own index does not name, those without bytes among them.
    async fn unindexed_page(&self, target: MediumId, page: Page<ExtentId>) -> Result<Vec<Extent>, Problem> {
        let filter = ExtentFilter {
            medium: Some(target),
            state: Some(ExtentState::Sync),
            indexed: Some(false),
            ..ExtentFilter::default()
        };
        Ok(self.host.catalogue.extents(&filter, page).await?)
    }

    async fn unindexed_on(&self, target: MediumId) -> Result<Vec<ExtentId>, Problem> {
        let mut found = vec![];
        loop {
            let page = Page {
                after: found.last().copied(),
                limit: 5_000,
            };
            let page = self.unindexed_page(target, page).await?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page.iter().map(|extent| extent.id));
        }
    }

    async fn commit_one(&mut self, allocation: &Allocation, target: MediumId) -> Result<(), Problem> {
        let extents = self.unindexed_on(target).await?;
        let stamp = IndexStamp::from(self.host.catalogue.stamp().await?);
        self.host.checkpoints.reach(Step::IndexBefore);
        allocation
            .volume(target)
            .run(move |volume| volume.commit_index(stamp))
            .await??;
        self.host.checkpoints.reach(Step::IndexAfter);
        self.tally.transactions += 1;
        self.host
            .catalogue
            .mark_indexed(target, stamp.revision, &extents)
            .await?;
        Ok(())
    }

    /// Reads back what this job moved and was not read back yet.
    pub(super) async fn read_back(&mut self) -> Result<Event, Problem> {
        let mut after = None;
        let mut first: Option<JobError> = None;
        while self.job.spec.verify != VerifyMode::None {
            let page = Page { after, limit: PAGE };
            let moves = self
                .host
                .catalogue
                .moves(self.job.id, &[MoveState::Swapped], page)
                .await?;
            let Some(last) = moves.last() else { break };
            after = Some(last.new);
            let verify = self.job.spec.verify;
            let moves = moves.into_iter().filter(|one| is_due(verify, one.new)).collect();
            if let Some(stop) = self.read_back_moves(moves, &mut first).await? {
                return Ok(stopped(stop, first));
            }
        }
        let inherited = std::mem::take(&mut self.inherited);
        for moves in inherited.chunks(PAGE as usize) {
            if let Some(stop) = self.read_back_moves(moves.to_vec(), &mut first).await? {
                return Ok(stopped(stop, first));
            }
        }
        Ok(Event::ReadBack { failed: first })
    }

    /// All of them, unless a stop is asked for. Whoever waits for the drives gets them between two allocations.
    async fn read_back_moves(
        &mut self,
        moves: Vec<Move>,
        first: &mut Option<JobError>,
    ) -> Result<Option<Stop>, Problem> {
        let mut left = moves;
        while !left.is_empty() {
            let (failed, rest) = self.read_back_page(left).await?;
            *first = first.take().or(failed);
            if let Some(stop) = self.stop_asked() {
                return Ok(Some(stop));
            }
            left = rest;
        }
        Ok(None)
    }

    /// Reads back what lies on the first one's medium: two targets of one dock are never held together. Answers the
    /// first failure, and what was not tried.
    async fn read_back_page(&mut self, due: Vec<Move>) -> Result<(Option<JobError>, Vec<Move>), Problem> {
        let ids: Vec<ExtentId> = due.iter().map(|one| one.new).collect();
        let extents: BTreeMap<ExtentId, Extent> = self
            .host
            .catalogue
            .references(&ids)
            .await?
            .into_iter()
            .map(|(_, entry)| (entry.extent.id, entry.extent))
            .collect();
        // What is left out was deleted or moved on since.
        let medium_of = |one: &Move| extents.get(&one.new).map(|extent| extent.medium);
        let Some(medium) = due.iter().find_map(medium_of) else {
            return Ok((None, vec![]));
        };
        let (mut due, elsewhere): (Vec<Move>, Vec<Move>) = due
            .into_iter()
            .filter(|one| extents.contains_key(&one.new))
            .partition(|one| medium_of(one) == Some(medium));
        let before = self.host.catalogue.medium_by_id(medium).await?;
        let allocation = self.hold(vec![medium], vec![]).await?;
        let read = self.read_extents(&allocation, &due, &extents).await;
        allocation.release().await;
        let (good, bad, tried) = read?;
        let mut rest = due.split_off(tried);
        rest.extend(elsewhere);
        for (job, good) in good {
            if !self.note_read_back(job, &before, &good, &extents).await? {
                let void: BTreeSet<ExtentId> = good.iter().map(ReadBack::extent).collect();
                rest.extend(due.iter().filter(|one| void.contains(&one.new)).cloned());
            }
        }
        self.save().await?;
        let mut first = None;
        for (one, why) in bad {
            let new = &extents[&one.new];
            let error = self.swap_back(one, new, &why).await?;
            first = first.or(Some(error));
        }
        Ok((first, rest))
    }

    /// Notes what was good. False when something spoke against the medium meanwhile: it is to be read once more.
    async fn note_read_back(
        &mut self,
        job: JobId,
        before: &Medium,
        good: &[ReadBack],
        extents: &BTreeMap<ExtentId, Extent>,
    ) -> Result<bool, Problem> {
        self.tally.transactions += 1;
        let now = self.host.clock.now();
        if !self.host.catalogue.mark_read_back(job, before, good, now).await? {
            tracing::info!(medium = %before.name, "it came into doubt while it was read back; it is read once more");
            return Ok(false);
        }
        self.tally.read_back += good.len() as u64;
        self.tally.read_back_bytes += good
            .iter()
            .map(|proof| extents[&proof.extent()].bytes)
            .sum::<ByteCount>();
        Ok(true)
    }

    /// the target is suspect; the old bytes are read and verified, and the layouts go back to them.
    async fn swap_back(&mut self, one: Move, new: &Extent, why: &str) -> Result<JobError, Problem> {
        let now = self.host.clock.now();
        self.tally.read_back_failed += 1;
        self.host
            .catalogue
            .suspect(new.medium, &format!("read-back of {} failed: {why}", one.new), now)
            .await?;
        self.host.lrs.medium_changed(new.medium).await?;
        let old = self.host.catalogue.extent(one.old).await?;
        let done = match self.hold(vec![old.medium], vec![]).await {
            Ok(allocation) => {
                let done = self.put_back(&allocation, one, &old).await;
                allocation.release().await;
                done?
            }
            Err(problem) if ["catalogue_unavailable", "stopping"].contains(&problem.code.as_str()) => {
                return Err(problem);
            }
            // The failed read-back is what is told; this is only why it was not mended.
            Err(problem) => format!("the old bytes are out of reach ({problem}); both are kept"),
        };
        self.tally.transactions += 1;
        let skip = Skip {
            extent: old.id,
            oid: old.origin.oid.clone(),
            medium: old.medium,
            reason: format!("read-back from the target failed: {why}; {done}"),
            integrity: true,
        };
        self.host.catalogue.add_skips(self.job.id, &[skip], now).await?;
        self.save().await?;
        let (target, source) = (self.name_of(new.medium).await, self.name_of(old.medium).await);
        Ok(JobError {
            code: "read_back_failed".into(),
            blame: "medium".into(),
            subject: target.clone(),
            message: format!(
                "{} did not read back from medium {target} ({why}); {done}",
                old.origin.oid
            ),
            next: format!(
                "medium {target} is suspect and takes no more bytes; {source} is kept. Repack {source} onto another \
                 medium, and check {target}"
            ),
            exit: exit::INTEGRITY,
        })
    }

    /// Verifies the old bytes and points the layouts to them; says in words what came of it. The old medium is held all
    /// the while: nothing sweeps or erases what was just found good.
    async fn put_back(&mut self, allocation: &Allocation, one: Move, old: &Extent) -> Result<String, Problem> {
        let Ok(proof) = read_back(&allocation.volume(old.medium), old, &mut self.ring).await else {
            return Ok("the old bytes do not verify either; both are kept".to_owned());
        };
        let (whose, own, now) = (one.job, one.job == self.job.id, self.host.clock.now());
        let outcomes = self.host.catalogue.return_batch(whose, &[(one, proof)], now).await?;
        Ok(match outcomes[..] {
            [ReturnOutcome::Returned] => {
                self.tally.failed += 1;
                self.tally.moved = self.tally.moved.saturating_sub(u64::from(own));
                "its layouts are back on the old bytes, which were verified"
            }
            _ => "it was deleted or moved on meanwhile",
        }
        .to_owned())
    }

    /// Media for reading, or for this job alone.
    pub(super) async fn hold(&self, reads: Vec<MediumId>, exclusive: Vec<MediumId>) -> Result<Allocation, Problem> {
        let request = Request {
            purpose: format!("job {}", self.job.id),
            priority: Priority::Repack,
            reads,
            writes: vec![],
            exclusive,
        };
        Ok(self.host.lrs.allocate(request).await?)
    }
}
