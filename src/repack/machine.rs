//! What a job does next. One loop for start, resume and retry: look at what still lives on the sources, plan, copy, look
//! again, until nothing is left; then index commit, read-back, quarantine, reclaim.

use super::stage::Way;
use dss::model::{JobError, JobSpec, JobState, Quarantine};

/// The most rounds in a row that may pass without an extent moved or skipped before the job gives up.
pub const MAX_IDLE_ROUNDS: u32 = 4;

/// What the engine is to do now. Each is answered by one event.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Hop 2: pending extents whose epoch is dead become orphans.
    Sweep,
    /// Hop 2: read what is live on the sources.
    Expand,
    /// Hop 3: order it and give it targets.
    Plan,
    /// Hop 4: one request for all sources and targets of the plan.
    Allocate,
    /// Hops 4, 6 and 7 of a staged plan: hold the sources alone, read its next batch into the spool, give them back.
    Fill,
    /// Hops 5 to 10 for the next window of the plan.
    CopyWindow,
    /// Give everything back.
    Release,
    /// Make every target self-describing.
    CommitIndexes,
    /// Read what was moved back from the targets.
    ReadBack,
    /// Hold the sources' bytes, for the time asked.
    Quarantine,
    /// Fence the sources, erase them, and let them be used again.
    Reclaim,
    /// Come to rest.
    Rest(Ending),
}

/// Why a job comes to rest.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// Everything asked for is done.
    Done,
    /// Done but for the skips it lists.
    DoneWithSkips,
    /// Nothing is live on the sources; their bytes are held.
    Quarantined,
    /// Stopped at an extent boundary; resumable.
    Paused,
    /// Ended by the operator.
    Cancelled,
    /// respoold stops; the next one goes on.
    Handed,
    /// Ended by a failure.
    Failed(JobError),
}

/// Why a job stops at the next extent boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The operator pauses it, or a limit of its own is reached.
    Pause,
    /// The operator cancels it.
    Cancel,
    /// respoold stops.
    Handover,
    /// Somebody with precedence waits for what it holds: it gives everything back and asks anew.
    Yield,
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The job is taken up in this state.
    Begin(JobState),
    /// Sweep done.
    Swept,
    /// Manifest read.
    Expanded {
        /// Extents to move.
        to_move: u64,
        /// Extents that were skipped in this run, whether or not they still live on a source.
        skipped: u64,
    },
    /// Plan made.
    Planned {
        /// Extents with a target.
        placed: u64,
        /// How their bytes go.
        way: Way,
        /// What speaks for those without.
        unplaced: Option<JobError>,
    },
    /// Everything asked for is held.
    Granted,
    /// The request was refused, or the targets changed under it: the next round plans anew, for a while.
    Refused(JobError),
    /// A window is done: its extents are swapped, dropped or skipped.
    Window {
        /// Extents swapped, found gone, or newly skipped.
        settled: u64,
        /// Whether the plan has more steps and the grants hold.
        more: bool,
    },
    /// A batch was read; nothing is held.
    Filled {
        /// Extents found gone, or that cannot be read from there.
        settled: u64,
        /// Extents in the spool.
        kept: u64,
    },
    /// The last window of a batch is done, and the plan has another batch.
    Drained {
        /// Extents settled in that window.
        settled: u64,
    },
    /// Somebody with precedence waits for a target of a staged plan; the spool has what is left of the batch.
    Interrupted {
        /// Extents settled in that window.
        settled: u64,
    },
    /// Extents were settled without a window: what is left is looked at anew.
    Settled {
        /// How many; or media ruled out for the rest of the run.
        settled: u64,
    },
    /// A stop was asked for and everything before it is swapped.
    Stopped(Stop),
    /// Everything is given back.
    Released,
    /// Indexes committed.
    Indexed,
    /// Read-back done.
    ReadBack {
        /// Extents that failed it and were swapped back.
        failed: Option<JobError>,
    },
    /// The sources are quarantined.
    Quarantined,
    /// A source has live extents again, or was put to another use.
    SourceInUse(JobError),
    /// The sources are erased.
    Reclaimed,
    /// Something failed that ends the job; everything before it is swapped or abandoned.
    Failed(JobError),
}

/// Where a job is in its loop.
#[derive(Clone, Debug)]
pub struct Machine {
    quarantine: Quarantine,
    only_some: bool,
    idle_rounds: u32,
    settled_in_round: u64,
    skipped: u64,
    unplaced: Option<JobError>,
    read_back_failed: Option<JobError>,
    stop: Option<Stop>,
    refusal: Option<JobError>,
    failure: Option<JobError>,
}

impl Machine {
    /// A job's loop at its beginning; recovery begins here too.
    pub fn new(spec: &JobSpec) -> Self {
        Self {
            quarantine: spec.quarantine,
            only_some: !spec.only.is_empty(),
            idle_rounds: 0,
            settled_in_round: 0,
            skipped: 0,
            unplaced: None,
            read_back_failed: None,
            stop: None,
            refusal: None,
            failure: None,
        }
    }

    /// What to do after an event.
    pub fn on(&mut self, event: Event) -> Effect {
        match event {
            Event::Begin(JobState::Reclaiming) => Effect::Reclaim,
            Event::Begin(_) => Effect::Sweep,
            Event::SourceInUse(error) => self.in_use(error),
            Event::Swept => Effect::Expand,
            Event::Expanded { to_move, skipped } => self.expanded(to_move, skipped),
            Event::Planned { placed, way, unplaced } => self.planned(placed, way, unplaced),
            Event::Granted => Effect::CopyWindow,
            Event::Refused(error) => {
                self.refusal = Some(error);
                Effect::Release
            }
            Event::Window { settled, more } => {
                self.settled_in_round += settled;
                if more { Effect::CopyWindow } else { Effect::Release }
            }
            Event::Filled { settled, kept } => {
                self.settled_in_round += settled;
                if kept > 0 { Effect::Allocate } else { Effect::Release }
            }
            Event::Drained { settled } => {
                self.settled_in_round += settled;
                Effect::Fill
            }
            Event::Interrupted { settled } => {
                self.settled_in_round += settled;
                Effect::Allocate
            }
            Event::Settled { settled } => {
                self.settled_in_round += settled;
                Effect::Release
            }
            Event::Stopped(stop) => {
                self.stop = Some(stop);
                Effect::Release
            }
            Event::Failed(error) => {
                // The first failure stays; what follows is cleaning up.
                self.failure.get_or_insert(error);
                Effect::Release
            }
            Event::Released => self.released(),
            // Also where nothing of its own is to be read: what jobs before it left unread is its to read now.
            Event::Indexed => Effect::ReadBack,
            Event::ReadBack { failed } => {
                self.read_back_failed = failed;
                self.after_read_back()
            }
            Event::Quarantined => match self.quarantine {
                Quarantine::None => Effect::Reclaim,
                Quarantine::Seconds(_) | Quarantine::Forever => Effect::Rest(Ending::Quarantined),
            },
            Event::Reclaimed => Effect::Rest(Ending::Done),
        }
    }

    fn expanded(&mut self, to_move: u64, skipped: u64) -> Effect {
        self.skipped = skipped;
        if to_move == 0 {
            self.unplaced = None;
            return Effect::CommitIndexes;
        }
        Effect::Plan
    }

    fn planned(&mut self, placed: u64, way: Way, unplaced: Option<JobError>) -> Effect {
        self.unplaced = unplaced;
        match (placed, way) {
            (0, _) => Effect::CommitIndexes,
            (_, Way::Direct) => Effect::Allocate,
            (_, Way::Staged) => Effect::Fill,
        }
    }

    fn released(&mut self) -> Effect {
        if let Some(error) = self.failure.take() {
            return Effect::Rest(Ending::Failed(error));
        }
        let settled = std::mem::take(&mut self.settled_in_round);
        match self.stop.take() {
            Some(Stop::Pause) => return Effect::Rest(Ending::Paused),
            Some(Stop::Cancel) => return Effect::Rest(Ending::Cancelled),
            Some(Stop::Handover) => return Effect::Rest(Ending::Handed),
            // Giving way is not a lack of progress.
            Some(Stop::Yield) => return Effect::Sweep,
            None => {}
        }
        self.idle_rounds = if settled > 0 { 0 } else { self.idle_rounds + 1 };
        if self.idle_rounds >= MAX_IDLE_ROUNDS {
            return Effect::Rest(Ending::Failed(self.refusal.take().unwrap_or_else(no_progress)));
        }
        if settled > 0 {
            self.refusal = None;
        }
        Effect::Sweep
    }

    /// Copying goes on; a source that stays in use although nothing on it can be moved ends the job.
    fn in_use(&mut self, error: JobError) -> Effect {
        self.idle_rounds += 1;
        if self.idle_rounds >= MAX_IDLE_ROUNDS {
            return Effect::Rest(Ending::Failed(error));
        }
        Effect::Sweep
    }

    fn after_read_back(&mut self) -> Effect {
        if let Some(error) = self.read_back_failed.take() {
            return Effect::Rest(Ending::Failed(error));
        }
        if let Some(error) = self.unplaced.take() {
            return Effect::Rest(Ending::Failed(error));
        }
        if self.skipped > 0 {
            return Effect::Rest(Ending::DoneWithSkips);
        }
        if self.only_some {
            return Effect::Rest(Ending::Done);
        }
        Effect::Quarantine
    }
}

fn no_progress() -> JobError {
    JobError {
        code: "no_progress".into(),
        blame: "medium".into(),
        subject: "targets".into(),
        message: format!("{MAX_IDLE_ROUNDS} rounds in a row moved nothing; everything moved before is safe"),
        next: "look at `respool medium list` and `respool job show`, then repack again".into(),
        exit: 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::VerifyMode;
    use std::collections::BTreeSet;

    fn machine(quarantine: Quarantine, verify: VerifyMode) -> Machine {
        Machine::new(&JobSpec {
            sources: vec![],
            only: BTreeSet::new(),
            to: None,
            to_tags: BTreeSet::new(),
            quarantine,
            verify,
            drop_deleted: false,
            limit_bytes: None,
            limit_seconds: None,
        })
    }

    fn error() -> JobError {
        JobError {
            code: "x".into(),
            exit: 3,
            ..no_progress()
        }
    }

    #[test]
    fn a_repack_goes_through_its_hops_in_order() {
        let mut m = machine(Quarantine::None, VerifyMode::Full);
        let events = [
            (Event::Begin(JobState::Queued), Effect::Sweep),
            (Event::Swept, Effect::Expand),
            (Event::Expanded { to_move: 2, skipped: 0 }, Effect::Plan),
            (
                Event::Planned {
                    placed: 2,
                    way: Way::Direct,
                    unplaced: None,
                },
                Effect::Allocate,
            ),
            (Event::Granted, Effect::CopyWindow),
            (Event::Window { settled: 1, more: true }, Effect::CopyWindow),
            (
                Event::Window {
                    settled: 1,
                    more: false,
                },
                Effect::Release,
            ),
            (Event::Released, Effect::Sweep),
            (Event::Swept, Effect::Expand),
            (Event::Expanded { to_move: 0, skipped: 0 }, Effect::CommitIndexes),
            (Event::Indexed, Effect::ReadBack),
            (Event::ReadBack { failed: None }, Effect::Quarantine),
            (Event::Quarantined, Effect::Reclaim),
            (Event::Reclaimed, Effect::Rest(Ending::Done)),
        ];
        for (event, effect) in events {
            assert_eq!(m.on(event.clone()), effect, "after {event:?}");
        }
    }

    #[test]
    fn x10_a_staged_plan_reads_and_writes_in_turn_and_looks_again_at_its_end() {
        let mut m = machine(Quarantine::None, VerifyMode::Full);
        let staged = Event::Planned {
            placed: 4,
            way: Way::Staged,
            unplaced: None,
        };
        let events = [
            (staged, Effect::Fill),
            (Event::Filled { settled: 0, kept: 2 }, Effect::Allocate),
            (Event::Granted, Effect::CopyWindow),
            (Event::Interrupted { settled: 1 }, Effect::Allocate),
            (Event::Granted, Effect::CopyWindow),
            (Event::Drained { settled: 1 }, Effect::Fill),
            (Event::Filled { settled: 1, kept: 0 }, Effect::Release),
            (Event::Released, Effect::Sweep),
        ];
        for (event, effect) in events {
            assert_eq!(m.on(event.clone()), effect, "after {event:?}");
        }
    }

    #[test]
    fn x10_a_spool_that_takes_nothing_ends_the_job() {
        let mut m = machine(Quarantine::None, VerifyMode::Full);
        m.on(Event::Failed(error()));
        assert_eq!(m.on(Event::Released), Effect::Rest(Ending::Failed(error())));
    }

    #[test]
    fn x01_a_source_with_a_skipped_extent_is_never_reclaimed() {
        let mut m = machine(Quarantine::None, VerifyMode::None);
        m.on(Event::Expanded { to_move: 0, skipped: 1 });
        assert_eq!(m.on(Event::Indexed), Effect::ReadBack);
        assert_eq!(
            m.on(Event::ReadBack { failed: None }),
            Effect::Rest(Ending::DoneWithSkips)
        );
    }

    #[test]
    fn x26_a_failed_read_back_is_never_followed_by_quarantine() {
        let mut m = machine(Quarantine::None, VerifyMode::Full);
        m.on(Event::Expanded { to_move: 0, skipped: 0 });
        m.on(Event::Indexed);
        assert_eq!(
            m.on(Event::ReadBack { failed: Some(error()) }),
            Effect::Rest(Ending::Failed(error()))
        );
    }

    #[test]
    fn x04_the_first_failure_stays() {
        let mut m = machine(Quarantine::None, VerifyMode::Full);
        m.on(Event::Failed(error()));
        m.on(Event::Failed(JobError {
            code: "later".into(),
            ..error()
        }));
        assert_eq!(m.on(Event::Released), Effect::Rest(Ending::Failed(error())));
    }

    #[test]
    fn rounds_without_progress_end() {
        let mut m = machine(Quarantine::None, VerifyMode::Full);
        let mut rounds = 0;
        while m.on(Event::Released) == Effect::Sweep {
            rounds += 1;
        }
        assert_eq!(rounds, MAX_IDLE_ROUNDS - 1);
    }

    #[test]
    fn a_source_that_stays_in_use_ends_the_job_with_the_reason() {
        let mut m = machine(Quarantine::None, VerifyMode::None);
        let mut rounds = 0;
        while m.on(Event::SourceInUse(error())) == Effect::Sweep {
            m.on(Event::Expanded { to_move: 0, skipped: 0 });
            rounds += 1;
        }
        assert_eq!(rounds, MAX_IDLE_ROUNDS - 1);
    }

    #[test]
    fn giving_way_is_no_idle_round() {
        let mut m = machine(Quarantine::None, VerifyMode::Full);
        for _ in 0..10 * MAX_IDLE_ROUNDS {
            m.on(Event::Stopped(Stop::Yield));
            assert_eq!(m.on(Event::Released), Effect::Sweep);
        }
    }

    #[test]
    fn a_job_found_reclaiming_goes_on_reclaiming() {
        assert_eq!(
            machine(Quarantine::None, VerifyMode::Full).on(Event::Begin(JobState::Reclaiming)),
            Effect::Reclaim
        );
    }
}
