//! Hops 9 and 10: make a window durable, swap it, and put away what did not come through.

use super::Run;
use super::because::{Because, of_host};
use super::substitute::Bad;
use crate::api::Problem;
use crate::host::Host;
use crate::mover::{Copied, Failure, Item, ReadFailure, SyncFailure, sync};
use crate::repack::machine::Event;
use dss::catalogue::{CatalogueError, MediumChange, SwapEntry, SwapOutcome, SwapTerms};
use dss::model::event::NewEvent;
use dss::model::{Address, ByteCount, ExtentId, FsState, Health, Hold, JobId, MediumId, Owner, Step, Written};
use lrs::ldm::fs::IndexStamp;
use lrs::ldm::spool::SpoolError;
use lrs::ldm::{Fault, MediaError};
use lrs::service::Reported;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// What came of a window.
pub(super) struct Settled {
    /// Extents swapped, found gone, skipped, or put aside to be read from another copy.
    pub(super) count: u64,
    /// Whether a target is out and the next round must plan anew.
    pub(super) replan: bool,
    /// The spool failed: what it still has is not to be written.
    pub(super) spool: Option<SpoolError>,
}

/// What the failures of a copy come to.
#[derive(Default)]
struct Blamed {
    /// Whether the next round must plan anew.
    replan: bool,
    /// Sources that did not give what they should.
    bad: Vec<Bad>,
    /// The spool failed.
    spool: Option<SpoolError>,
    /// What this host ran out of.
    exhausted: Option<MediaError>,
}

/// A target whose sync failed this often in one run gets no more bytes.
const MAX_FAILED_SYNCS: u32 = 2;

impl Run<'_> {
    /// Puts away what failed, syncs what was written, swaps what is durable. Everything recorded ends swapped, orphan or
    /// withdrawn.
    pub(super) async fn settle(
        &mut self,
        copied: Copied,
        recorded: &BTreeMap<ExtentId, ByteCount>,
    ) -> Result<Settled, Problem> {
        let begun = copied.unheard.is_empty() && copied.untouched.is_empty();
        // Whatever fails before that, `wind_up` withdraws them.
        self.untouched.extend(copied.untouched);
        let blamed = self.blame_copied(copied.failed).await?;
        let (mut replan, mut exhausted) = (blamed.replan || !begun, blamed.exhausted);
        let mut unended = BTreeMap::new();
        for (old, target, failure) in copied.unfinished {
            replan = true;
            tracing::warn!(extent = %old, %failure, "the target did not end an extent");
            exhausted = exhausted.or_else(|| of_host(&failure).cloned());
            unended.entry(target).or_insert(failure);
        }
        let (durable, voided, unsynced) = self.sync(copied.written).await?;
        exhausted = exhausted.or(unsynced);
        replan |= !voided.is_empty();
        // A sync that failed for what went wrong at the end of an extent has told of it already.
        for (target, failure) in unended.into_iter().filter(|(target, _)| !voided.contains(target)) {
            let because = Because::of_ending(&failure);
            self.void(target, (1, ByteCount::ZERO), because, failure.to_string())
                .await?;
        }
        let alive: BTreeSet<ExtentId> = durable.iter().map(|entry| entry.new.extent().id).collect();
        let untouched: BTreeSet<ExtentId> = self.untouched.iter().map(|item| item.tag.extent).collect();
        let lost = recorded
            .keys()
            .filter(|id| !alive.contains(id) && !untouched.contains(id));
        let lost: Vec<ExtentId> = lost.copied().collect();
        let left_out = self.leave_out(copied.misfits).await?;
        let put_aside = left_out + self.refuse(copied.refused).await? + self.doubt(blamed.bad).await?;
        // What follows is recorded already, and copied while this is swapped.
        let follows = self.ahead.is_some() && !replan && exhausted.is_none();
        let swapped = match follows {
            true => {
                self.due = durable;
                self.due.len() as u64
            }
            false => self.swap(durable).await?,
        };
        // What is durable counts whatever becomes of these.
        self.give_up(&lost).await?;
        self.withdraw_untouched().await?;
        if let Some(error) = exhausted {
            // Everything recorded is put away. More of the same would fail in the same way, for ever.
            return Err(error.into());
        }
        if self.last_index.elapsed() >= Duration::from_secs(self.host.config.repack.index_seconds) {
            self.index_targets().await?;
        }
        Ok(Settled {
            count: swapped + put_aside,
            replan,
            spool: blamed.spool,
        })
    }

    /// Tells each failure of a copy where it belongs.
    async fn blame_copied(&mut self, failed: Vec<(Item, Failure)>) -> Result<Blamed, Problem> {
        let mut blamed = Blamed::default();
        for (item, failure) in failed {
            if let Some(error) = of_host(&failure) {
                blamed.exhausted.get_or_insert_with(|| error.clone());
                if let (Failure::Target(_), Some(allocation)) = (&failure, &self.allocation) {
                    allocation.distrust(item.target);
                }
                continue;
            }
            match failure {
                Failure::Source(ReadFailure::GivenUp) => blamed.replan = true,
                Failure::Source(ReadFailure::Spool(error)) => {
                    blamed.spool.get_or_insert(error);
                }
                Failure::Source(failure) => blamed.bad.push(Bad {
                    old: item.old,
                    read: item.wanted.extent,
                    medium: item.source,
                    oid: item.tag.origin.oid,
                    failure,
                }),
                failure => {
                    blamed.replan = true;
                    self.target_out(item.target, &failure).await?;
                }
            }
        }
        Ok(blamed)
    }

    /// A target that is full is marked so; one that failed is not trusted with more.
    async fn target_out(&mut self, target: MediumId, failure: &Failure) -> Result<(), Problem> {
        let now = self.host.clock.now();
        match failure {
            Failure::NoRoom => {
                let change = MediumChange {
                    fs_state: Some(FsState::Full),
                    why: format!("job {} found no room for another extent", self.job.id),
                    ..MediumChange::default()
                };
                self.host.catalogue.change_medium(target, change, now).await?;
            }
            // The scheduler knows of a drive that failed; a target that nobody could ask has done nothing.
            Failure::TargetDrive(_) => {
                if let Some(allocation) = &self.allocation {
                    allocation.distrust(target);
                }
            }
            // What broke the mount was met by whoever looked at it beside the copy: it is met again when it is mounted anew.
            Failure::Target(error) if error.fault == Fault::NeedsReopen => {
                if let Some(allocation) = &self.allocation {
                    allocation.distrust(target);
                }
                return Ok(());
            }
            Failure::Target(_) | Failure::Source(_) => {
                if let Some(allocation) = &self.allocation {
                    allocation.distrust(target);
                }
                let reported = match failure {
                    Failure::Target(error) => self.host.lrs.report(target, error).await,
                    Failure::NoRoom | Failure::TargetDrive(_) | Failure::Source(_) => Reported::NoEvidence,
                };
                // The catalogue knows of a medium that is to blame; where its drive is, every target in it is out of reach.
                if matches!(reported, Reported::Counted | Reported::NoEvidence) {
                    self.host.catalogue.suspect(target, &failure.to_string(), now).await?;
                }
            }
        }
        self.host.lrs.medium_changed(target).await?;
        Ok(())
    }

    /// Hop 9: one sync on each target written to. A failed one voids everything since the last good one and is never
    /// retried into success: the target is opened and identified anew, and the window is copied again.
    async fn sync(
        &mut self,
        written: Vec<(ExtentId, Written)>,
    ) -> Result<(Vec<SwapEntry>, BTreeSet<MediumId>, Option<MediaError>), Problem> {
        let mut by_target: BTreeMap<MediumId, Vec<(ExtentId, Written)>> = BTreeMap::new();
        for (old, written) in written {
            by_target
                .entry(written.extent().medium)
                .or_default()
                .push((old, written));
        }
        let (mut durable, mut voided, mut exhausted) = (vec![], BTreeSet::new(), None);
        for (target, written) in by_target {
            let allocation = self.allocation.as_ref().expect("a sync is asked under a grant");
            self.host.checkpoints.reach(Step::SyncBefore);
            let (extents, bytes) = (written.len(), written.iter().map(|(_, one)| one.extent().bytes).sum());
            let synced = sync(&allocation.volume(target), written).await;
            self.tally.syncs += 1;
            match synced {
                Ok(synced) => {
                    self.host.checkpoints.reach(Step::SyncAfter);
                    durable.extend(synced.into_iter().map(|(old, new)| SwapEntry { old, new }));
                }
                Err(failure) => {
                    voided.insert(target);
                    let because = Because::of_sync(&failure);
                    if let SyncFailure::Media(error) = &failure {
                        if because == Because::Host {
                            exhausted.get_or_insert_with(|| error.clone());
                        }
                        self.host.lrs.report(target, error).await;
                    }
                    self.void(target, (extents, bytes), because, failure.to_string())
                        .await?;
                }
            }
        }
        Ok((durable, voided, exhausted))
    }

    async fn void(
        &mut self,
        target: MediumId,
        (extents, bytes): (usize, ByteCount),
        because: Because,
        why: String,
    ) -> Result<(), Problem> {
        self.tally.bytes_recopied += bytes;
        let times = self.failed_syncs.entry(target).or_default();
        *times += 1;
        let out = *times >= MAX_FAILED_SYNCS;
        let now = self.host.clock.now();
        let event = NewEvent {
            kind: "medium.sync_failed",
            subject: target.to_string(),
            detail: serde_json::json!({ "job": self.job.id, "extents": extents, "reason": why }),
        };
        self.host.catalogue.note(event, now).await?;
        let allocation = self.allocation.as_ref().expect("a sync is asked under a grant");
        let reopened = allocation.reopen(target).await;
        match because {
            Because::Full => return self.target_out(target, &Failure::NoRoom).await,
            // Opening it again was not tried either, once the lease had ended.
            Because::Failed if allocation.is_held(target) => {}
            Because::Failed | Because::Host | Because::Drive => return Ok(()),
        }
        let known = self.host.catalogue.medium_by_id(target).await?.health;
        if known == Health::Ok && (out || reopened.is_err()) {
            self.host
                .catalogue
                .suspect(target, &format!("sync failed: {why}"), now)
                .await?;
            self.host.lrs.medium_changed(target).await?;
        }
        Ok(())
    }

    /// Hop 10: the catalogue points to the new extents. An entry that vanished meanwhile is not an error.
    async fn swap(&mut self, durable: Vec<SwapEntry>) -> Result<u64, Problem> {
        let outcomes = swap_now(self.host, self.job.id, &durable).await?;
        self.note_swapped(&durable, &outcomes);
        Ok(outcomes.len() as u64)
    }

    /// Swaps what waits for that.
    pub(super) async fn swap_due(&mut self) -> Result<(), Problem> {
        let due = std::mem::take(&mut self.due);
        match swap_now(self.host, self.job.id, &due).await {
            Ok(outcomes) => {
                self.note_swapped(&due, &outcomes);
                Ok(())
            }
            Err(error) => {
                self.due = due;
                Err(error.into())
            }
        }
    }

    /// A window that is not to be swapped, since the one before it could not be: its rows are given up, and what it was
    /// found out about media is told as far as that goes. What it could not be swapped for is told by whoever calls.
    pub(super) async fn put_away(&mut self, copied: Copied, recorded: &BTreeMap<ExtentId, ByteCount>) {
        let written: ByteCount = copied.written.iter().map(|(_, one)| one.extent().bytes).sum();
        let rows: Vec<ExtentId> = recorded.keys().copied().collect();
        self.untouched.extend(copied.untouched);
        let given_up = match self.withdraw_untouched().await {
            Ok(()) => self.give_up(&rows).await,
            Err(problem) => Err(problem),
        };
        match given_up {
            Ok(()) => {
                self.tally.bytes_recopied += written;
                if let Err(problem) = self.save().await {
                    tracing::warn!(job = %self.job.id, %problem, "bytes that are copied again were not counted");
                }
            }
            Err(problem) => {
                // Whoever takes the job up next gives them up, and counts them.
                tracing::warn!(job = %self.job.id, %problem, "a window that is not swapped stays recorded for now");
                return;
            }
        }
        let told = async {
            let blamed = self.blame_copied(copied.failed).await?;
            for (_, target, failure) in copied.unfinished {
                if of_host(&failure).is_none() {
                    self.target_out(target, &failure).await?;
                }
            }
            self.leave_out(copied.misfits).await?;
            self.refuse(copied.refused).await?;
            self.doubt(blamed.bad).await
        };
        if let Err(problem) = told.await {
            tracing::warn!(job = %self.job.id, %problem, "what failed in a window that is not swapped was not noted");
        }
    }

    /// Counts what was swapped.
    pub(super) fn note_swapped(&mut self, durable: &[SwapEntry], outcomes: &[SwapOutcome]) {
        self.tally.transactions += u64::from(!durable.is_empty());
        for (entry, outcome) in durable.iter().zip(outcomes) {
            let new = entry.new.extent();
            self.doubts.remove(&entry.old);
            if let Some(spool) = &mut self.spool {
                spool.forget(entry.old);
            }
            match outcome {
                SwapOutcome::Swapped => {
                    self.tally.moved += 1;
                    self.tally.bytes_moved += new.bytes;
                    let sum = self.tally.targets.entry(new.medium).or_default();
                    sum.0 += 1;
                    sum.1 += new.bytes;
                    self.unindexed.entry(new.medium).or_default().push(new.id);
                }
                SwapOutcome::Vanished => self.tally.released += 1,
            }
        }
    }

    /// Ends what was begun beside a window that is not followed by another one: swaps what is durable, withdraws what was
    /// only recorded.
    async fn wind_up(&mut self) -> Result<(), Problem> {
        let due = std::mem::take(&mut self.due);
        let swapped = self.swap(due).await;
        self.untouched
            .extend(self.ahead.take().into_iter().flat_map(|ahead| ahead.items));
        let withdrawn = self.withdraw_untouched().await;
        // What failed first is what is told.
        swapped?;
        withdrawn
    }

    /// Deletes the rows of what was recorded and given to no target. Left as orphans they would keep their addresses, and a
    /// job that gives way again and again would look for a new one for each extent every time.
    async fn withdraw_untouched(&mut self) -> Result<(), Problem> {
        let items = std::mem::take(&mut self.untouched);
        if items.is_empty() {
            return Ok(());
        }
        let mut names: BTreeMap<MediumId, Vec<(ExtentId, Address)>> = BTreeMap::new();
        for item in &items {
            let name = (item.tag.extent, item.address.clone());
            names.entry(item.target).or_default().push(name);
        }
        self.tally.transactions += 1;
        let recorded = items.into_iter().map(Item::withdrawn).collect();
        self.host.catalogue.withdraw(recorded).await?;
        for (target, names) in names {
            let Some(allocation) = &self.allocation else { break };
            let volume = allocation.volume(target);
            let given_back = volume.run(move |volume| {
                for (extent, address) in names {
                    volume.give_back(extent, &address);
                }
            });
            if let Err(gone) = given_back.await {
                tracing::debug!(%target, %gone, "its names were gone with its mount");
            }
        }
        Ok(())
    }

    /// Turns rows of this job that are still *pending* into orphans.
    async fn give_up(&mut self, rows: &[ExtentId]) -> Result<(), Problem> {
        if !rows.is_empty() {
            self.tally.transactions += 1;
            let owner = Owner::Move(self.job.id);
            self.host
                .catalogue
                .abandon(owner, Some(rows), self.host.clock.now())
                .await?;
        }
        Ok(())
    }

    /// Makes every target written to self-describing, and the catalogue know it.
    pub(super) async fn index_targets(&mut self) -> Result<(), Problem> {
        let Some(allocation) = self.allocation.as_ref() else {
            return Ok(());
        };
        let stamp = IndexStamp::from(self.host.catalogue.stamp().await?);
        for (target, extents) in std::mem::take(&mut self.unindexed) {
            self.host.checkpoints.reach(Step::IndexBefore);
            let committed = allocation
                .volume(target)
                .run(move |volume| volume.commit_index(stamp))
                .await;
            match committed {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    // Like a failed sync: it is mounted anew before the index is committed again.
                    allocation.distrust(target);
                    return Err(error.into());
                }
                Err(gone) => return Err(gone.into()),
            }
            self.host.checkpoints.reach(Step::IndexAfter);
            self.tally.transactions += 1;
            self.host
                .catalogue
                .mark_indexed(target, stamp.revision, &extents)
                .await?;
        }
        self.last_index = Instant::now();
        Ok(())
    }

    /// Gives everything back, and ends the round.
    pub(super) async fn release(&mut self) -> Result<Event, Problem> {
        self.give_back().await?;
        self.round = None;
        if let Some(spool) = &mut self.spool
            && let Err(error) = spool.clear().await
        {
            tracing::warn!(job = %self.job.id, %error, "the spool keeps its room until it is used again");
        }
        Ok(Event::Released)
    }

    /// Gives back what is held, if anything is; the targets' indexes are committed first.
    pub(super) async fn give_back(&mut self) -> Result<(), Problem> {
        let wound_up = self.wind_up().await;
        let indexed = self.index_targets().await;
        if let Some(allocation) = self.allocation.take() {
            allocation.release().await;
        }
        wound_up?;
        if let Err(problem) = indexed {
            // The bytes are durable and the catalogue knows them; the next commit covers them.
            if problem.code == "catalogue_unavailable" {
                return Err(problem);
            }
            tracing::warn!(job = %self.job.id, %problem, "an index was not committed before release");
        }
        Ok(())
    }
}

/// One transaction that makes durable extents the ones that layouts name.
pub(super) async fn swap_now(
    host: &Host,
    job: JobId,
    durable: &[SwapEntry],
) -> Result<Vec<SwapOutcome>, CatalogueError> {
    if durable.is_empty() {
        return Ok(vec![]);
    }
    let terms = SwapTerms {
        job,
        hold: Hold::Forever,
        now: host.clock.now(),
    };
    host.catalogue.swap_batch(terms, durable).await
}
