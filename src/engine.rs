//! Turns the effects of `repack::machine` into calls on mover, lrs and dss, and their results into events. It decides
//! nothing about what comes next.
//!
//! `submit`, `planning`, `targets` and `round` are hops 1 to 4 (`waiting` when there is no target yet), `window` hops 5 to 10 (with `prepare` and `settle`; `because` says why a window is void, `substitute` is for what could not
//! be read, `spooling` for what goes by way of the spool), `read_back`, `reclaim`
//! and `restore` what follows, `sweep` removes orphans' bytes, `takeover` cleans up after a crash,
//! `recognise` compares media with a catalogue that may be older than they are (E-16), `unread` looks after what earlier jobs did not read back.

mod because;
mod decide;
mod measure;
mod planning;
mod prepare;
mod read_back;
mod reclaim;
mod recognise;
mod reread;
mod restore;
mod round;
mod settle;
mod spooling;
mod submit;
mod substitute;
mod sweep;
mod takeover;
mod targets;
mod unread;
mod waiting;
mod window;

pub use decide::decide;
pub use measure::measure;
pub use planning::{PlanStep, Planned, Staying, Steps, named_stays, plan};
pub use reclaim::{Erased, erase, erase_fenced, reclaim_due};
pub use recognise::{recognise, recognise_unseen};
pub use restore::{Restored, restore};
pub use submit::{may_be_emptied, submit};
pub use sweep::{Swept, sweep};
pub use takeover::take_over;

use crate::api::Problem;
use crate::host::Host;
use crate::mover::{Ring, Spool};
use crate::repack::job::{JobEvent, sources_of};
use crate::repack::limits;
use crate::repack::machine::{Effect, Ending, Event, Machine, Stop};
use crate::repack::turn::Turns;
use dss::catalogue::{CatalogueError, Page, SwapEntry};
use dss::model::{ByteCount, ExtentId, Job, JobControl, JobError, JobId, JobState, MediumId, MoveState, Owner, Tally};
use lrs::service::Allocation;
use round::Round;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

/// How a running job is watched and stopped.
#[derive(Debug)]
pub struct Controls {
    /// Becomes Some when the job is to stop at the next extent boundary.
    pub stop: watch::Receiver<Option<Stop>>,
    /// Told after every window.
    pub tally: watch::Sender<Tally>,
}

/// One job being worked on.
pub(crate) struct Run<'a> {
    host: &'a Arc<Host>,
    job: Job,
    tally: Tally,
    controls: Controls,
    machine: Machine,
    ring: Ring,
    /// Made when a round is first staged.
    spool: Option<Spool>,
    /// Tried in this run and left where they are.
    skipped: BTreeSet<ExtentId>,
    /// Not readable where they lie, and not tried in every other copy yet.
    doubts: BTreeMap<ExtentId, crate::repack::substitute::Doubt>,
    /// Media of other copies that turned out not to be readable in this run, and why.
    shut: BTreeMap<MediumId, String>,
    /// Targets whose sync failed in this run, and how often.
    failed_syncs: BTreeMap<MediumId, u32>,
    manifest: Option<crate::repack::manifest::Manifest>,
    round: Option<Round>,
    allocation: Option<Allocation>,
    turns: Turns,
    /// Recorded, and not copied yet.
    ahead: Option<prepare::Ahead>,
    /// Recorded, and given to no target: to be withdrawn.
    untouched: Vec<crate::mover::Item>,
    /// Durable, and not swapped yet.
    due: Vec<SwapEntry>,
    /// Synced since the last index commit, by target.
    unindexed: BTreeMap<MediumId, Vec<ExtentId>>,
    /// Moved off the sources by jobs before this one, and not read back by them.
    inherited: Vec<dss::model::Move>,
    last_index: Instant,
    started: Instant,
    seconds_before: f64,
    bytes_before: u64,
}

/// Works on a job until it rests, and answers it as it is then. An error means that the catalogue could not be used:
/// nothing is lost, and the same call goes on later.
pub async fn run(host: &Arc<Host>, id: JobId, controls: Controls) -> Result<Job, Problem> {
    let mut run = Run::take_up(host, id, controls).await?;
    // A pause or cancellation asked of an earlier life still holds.
    let mut event = match (run.job.state, run.job.control) {
        // From the first fence on a job can only go on, whatever was wished before it.
        (JobState::Reclaiming, _) | (_, JobControl::Run) => Event::Begin(run.job.state),
        (_, JobControl::Pause) => Event::Stopped(Stop::Pause),
        (_, JobControl::Cancel) => Event::Stopped(Stop::Cancel),
    };
    loop {
        tracing::debug!(job = %id, ?event, "job event");
        match run.machine.on(event) {
            Effect::Rest(ending) => return run.rest(ending).await,
            effect => {
                tracing::debug!(job = %id, ?effect, "job effect");
                event = match run.act(effect).await {
                    Ok(event) => event,
                    Err(problem) if problem.code == "catalogue_unavailable" => {
                        // Without the catalogue nothing can be decided or noted. The next try begins at hop 2.
                        if let Some(allocation) = run.allocation.take() {
                            allocation.release().await;
                        }
                        return Err(problem);
                    }
                    // respoold leaves while the job waits for media: the next one goes on, whatever the job was at.
                    Err(problem) if problem.code == "stopping" => Event::Stopped(Stop::Handover),
                    Err(problem) => Event::Failed(problem.into()),
                };
            }
        }
    }
}

/// The jobs that go on by themselves when respoold starts: all that were neither paused nor at rest. Ends those that
/// were cancelled while they were paused.
pub async fn unfinished(host: &Arc<Host>) -> Result<Vec<JobId>, Problem> {
    let jobs = host.catalogue.active_jobs().await?;
    // The operator's wish was noted, and respoold ended before it was carried out; nobody works on a paused job.
    let given_up = |job: &&Job| job.state == JobState::Paused && job.control == JobControl::Cancel;
    for job in jobs.iter().filter(given_up) {
        let now = host.clock.now();
        host.catalogue
            .advance_job(job.id, &[job.state], JobState::Cancelled, &job.tally, None, now)
            .await?;
    }
    let goes_on = |job: &&Job| {
        matches!(
            job.state,
            JobState::Queued | JobState::Running | JobState::Verifying | JobState::Reclaiming
        )
    };
    let mut ids: Vec<JobId> = jobs.iter().filter(goes_on).map(|job| job.id).collect();
    ids.sort_unstable();
    Ok(ids)
}

impl<'a> Run<'a> {
    async fn take_up(host: &'a Arc<Host>, id: JobId, controls: Controls) -> Result<Self, Problem> {
        let job = host.catalogue.job(id).await?;
        let mut tally = job.tally.clone();
        tally.limit = None;
        if !job.state.is_active() || job.state == JobState::Quarantined {
            return Err(Problem::refused(
                "job_at_rest",
                id.to_string(),
                format!("job {id} is {}", job.state),
            ));
        }
        if job.state == JobState::Paused {
            // To be taken up again is what the operator wants now.
            host.catalogue
                .control_job(id, JobControl::Run, host.clock.now())
                .await?;
        }
        recount(host, id, &mut tally).await?;
        tally.bytes_recopied += takeover::give_up_moves(host, id).await?;
        host.catalogue.clear_skips(id).await?;
        let state = if job.state == JobState::Reclaiming {
            JobState::Reclaiming
        } else {
            JobState::Running
        };
        let now = host.clock.now();
        let job = host
            .catalogue
            .advance_job(id, &sources_of(JobEvent::Start), state, &tally, None, now)
            .await?;
        let memory = &host.config.memory;
        Ok(Self {
            machine: Machine::new(&job.spec),
            ring: Ring::new(memory.ring.0 as usize, memory.chunk.0 as usize),
            spool: None,
            skipped: BTreeSet::new(),
            doubts: BTreeMap::new(),
            shut: BTreeMap::new(),
            failed_syncs: BTreeMap::new(),
            manifest: None,
            round: None,
            allocation: None,
            turns: Turns::default(),
            ahead: None,
            untouched: vec![],
            due: vec![],
            unindexed: BTreeMap::new(),
            inherited: vec![],
            last_index: Instant::now(),
            started: Instant::now(),
            seconds_before: tally.seconds,
            bytes_before: tally.bytes_moved.0,
            host,
            job,
            tally,
            controls,
        })
    }

    /// Carries out one effect. A stop is heeded before any that begins something.
    async fn act(&mut self, effect: Effect) -> Result<Event, Problem> {
        let begins = !matches!(
            effect,
            Effect::Release | Effect::Rest(_) | Effect::Reclaim | Effect::Quarantine
        );
        if begins && let Some(stop) = self.stop_asked() {
            return Ok(Event::Stopped(stop));
        }
        match effect {
            Effect::Sweep => self.sweep_pending().await,
            Effect::Expand => self.expand().await,
            Effect::Plan => self.plan_round().await,
            Effect::Allocate => self.allocate().await,
            Effect::Fill => self.fill().await,
            Effect::CopyWindow => self.copy_window().await,
            Effect::Release => self.release().await,
            Effect::CommitIndexes => self.commit_indexes().await,
            Effect::ReadBack => self.read_back().await,
            Effect::Quarantine => self.quarantine().await,
            Effect::Reclaim => self.reclaim().await,
            Effect::Rest(_) => unreachable!("the loop rests by itself"),
        }
    }

    fn stop_asked(&self) -> Option<Stop> {
        *self.controls.stop.borrow()
    }

    async fn sweep_pending(&mut self) -> Result<Event, Problem> {
        let swept = self.host.catalogue.sweep_pending(None, self.host.clock.now()).await?;
        if let Some((_, bytes)) = swept.get(&Owner::Move(self.job.id)) {
            self.tally.bytes_recopied += *bytes;
            self.save().await?;
        }
        self.host.checkpoints.reach(dss::model::Step::ExpandAfterSweep);
        Ok(Event::Swept)
    }

    /// Keeps the tally with the job, in its present state, and tells whoever watches.
    async fn save(&mut self) -> Result<(), Problem> {
        self.tally.seconds = self.seconds_before + self.started.elapsed().as_secs_f64();
        self.tally.transactions += 1;
        let state = self.job.state;
        let now = self.host.clock.now();
        self.job = self
            .host
            .catalogue
            .advance_job(self.job.id, &[state], state, &self.tally, None, now)
            .await?;
        // Nobody may be watching.
        let _ = self.controls.tally.send(self.tally.clone());
        Ok(())
    }

    /// Moves the job's state by the one transition function.
    async fn advance(&mut self, event: JobEvent, error: Option<&JobError>) -> Result<(), Problem> {
        let Some(to) = crate::repack::job::next(self.job.state, event) else {
            return Err(Problem::bug(
                format!("job {}", self.job.id),
                format!("{event:?} means nothing to a job that is {}", self.job.state),
            ));
        };
        self.tally.seconds = self.seconds_before + self.started.elapsed().as_secs_f64();
        self.tally.transactions += 1;
        let now = self.host.clock.now();
        let from = [self.job.state];
        self.job = self
            .host
            .catalogue
            .advance_job(self.job.id, &from, to, &self.tally, error, now)
            .await?;
        let _ = self.controls.tally.send(self.tally.clone());
        Ok(())
    }

    async fn rest(mut self, ending: Ending) -> Result<Job, Problem> {
        match ending {
            Ending::Done => self.advance(JobEvent::Finish, None).await?,
            Ending::DoneWithSkips => self.advance(JobEvent::FinishWithSkips, None).await?,
            Ending::Paused => {
                // What an operator wished is noted already.
                let moved = ByteCount(self.tally.bytes_moved.0.saturating_sub(self.bytes_before));
                self.tally.limit = limits::reached(&self.job.spec, moved, self.started.elapsed());
                self.advance(JobEvent::Pause, None).await?;
            }
            Ending::Cancelled => self.advance(JobEvent::Cancel, None).await?,
            Ending::Failed(error) => {
                match self.let_go_unless(&error).await {
                    Err(problem) if problem.code == "catalogue_unavailable" => return Err(problem),
                    Err(problem) => tracing::warn!(job = %self.job.id, %problem, "a source stays quarantined"),
                    Ok(()) => {}
                }
                self.advance(JobEvent::Fail, Some(&error)).await?;
            }
            // Its state says where it rests already.
            Ending::Quarantined | Ending::Handed => self.save().await?,
        }
        Ok(self.job)
    }

    /// Unless the old bytes may be the last good ones: nothing sweeps a quarantined medium, and `job restore` can go back.
    async fn let_go_unless(&self, error: &JobError) -> Result<(), Problem> {
        if error.code == reclaim::TARGET_IN_DOUBT {
            return Ok(());
        }
        self.let_go().await
    }

    async fn let_go(&self) -> Result<(), Problem> {
        let_go(self.host, &self.job).await
    }

    /// The name of a medium for messages; its id when the catalogue does not answer.
    async fn name_of(&self, medium: MediumId) -> String {
        self.host
            .catalogue
            .medium_by_id(medium)
            .await
            .map_or_else(|_| medium.to_string(), |row| row.name)
    }
}

/// What a job that a bug ended had under way: its pending extents, which its own end would have put away, and its sources.
/// Nobody works on it any more.
pub async fn clean_up_after_bug(host: &Arc<Host>, job: &Job) -> Result<(), Problem> {
    takeover::give_up_moves(host, job.id).await?;
    let_go(host, job).await
}

/// A job that failed erases nothing any more: a source that it quarantined, and that was out of reach when that ended or
/// whose sibling was, would otherwise be of no use to anybody for ever.
async fn let_go(host: &Arc<Host>, job: &Job) -> Result<(), Problem> {
    host.catalogue.end_quarantine(job.id, host.clock.now()).await?;
    for source in &job.spec.sources {
        host.lrs.medium_changed(*source).await?;
    }
    Ok(())
}

/// Counts what a job moved from its moves: a crash may have come between a swap and the note of it.
async fn recount(host: &Arc<Host>, id: JobId, tally: &mut Tally) -> Result<(), CatalogueError> {
    let states = [MoveState::Swapped, MoveState::ReadBack, MoveState::Returned];
    let (mut moved, mut bytes) = (0, dss::model::ByteCount::ZERO);
    let mut targets: BTreeMap<MediumId, (u64, dss::model::ByteCount)> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = host.catalogue.moves(id, &states, Page { after, limit: 2_000 }).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.new);
        let ids: Vec<ExtentId> = page.iter().map(|one| one.new).collect();
        let mut seen = BTreeSet::new();
        for (_, entry) in host.catalogue.references(&ids).await? {
            if seen.insert(entry.extent.id) {
                bytes += entry.extent.bytes;
                let sum = targets.entry(entry.extent.medium).or_default();
                sum.0 += 1;
                sum.1 += entry.extent.bytes;
            }
        }
        moved += page.len() as u64;
    }
    // What was moved and then deleted is no longer referenced; the counts kept before are not lowered for it.
    if moved > tally.moved {
        (tally.moved, tally.bytes_moved, tally.targets) = (moved, bytes.max(tally.bytes_moved), targets);
    }
    Ok(())
}
