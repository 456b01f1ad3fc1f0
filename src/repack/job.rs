//! How the state of a job moves: the one transition function, used live and in recovery.

use dss::model::JobState;

/// What happens to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobEvent {
    /// respoold takes it up, for the first time or again.
    Start,
    /// It stopped at an extent boundary because the operator or a limit said so.
    Pause,
    /// The operator ends it.
    Cancel,
    /// Nothing more is to be copied; reading back begins.
    Copied,
    /// All is read back, nothing is live on its sources, and their bytes are held.
    Quarantine,
    /// The hold is over, or there is none: the sources are erased next.
    Reclaim,
    /// All done.
    Finish,
    /// Done but for what could not be moved.
    FinishWithSkips,
    /// A failure ends it.
    Fail,
    /// Its layouts are back on the old bytes.
    Restore,
    /// Something is live on a source after all: back to copying.
    Reopen,
}

impl JobEvent {
    /// Every event.
    pub const ALL: [Self; 11] = [
        Self::Start,
        Self::Pause,
        Self::Cancel,
        Self::Copied,
        Self::Quarantine,
        Self::Reclaim,
        Self::Finish,
        Self::FinishWithSkips,
        Self::Fail,
        Self::Restore,
        Self::Reopen,
    ];
}

/// The state after an event; None when the event means nothing in this state.
pub fn next(state: JobState, event: JobEvent) -> Option<JobState> {
    use JobEvent as E;
    use JobState as S;
    let to = match (state, event) {
        (S::Queued | S::Running | S::Paused | S::Verifying, E::Start) => S::Running,
        (S::Queued | S::Running | S::Verifying, E::Pause) => S::Paused,
        (S::Queued | S::Running | S::Paused | S::Verifying, E::Cancel) => S::Cancelled,
        (S::Running | S::Verifying, E::Copied) => S::Verifying,
        (S::Verifying | S::Quarantined, E::Quarantine) => S::Quarantined,
        (S::Verifying | S::Quarantined | S::Reclaiming, E::Reclaim) => S::Reclaiming,
        (S::Reclaiming, E::Start) => S::Reclaiming,
        (S::Verifying | S::Quarantined | S::Reclaiming, E::Reopen) => S::Running,
        (S::Reclaiming | S::Verifying, E::Finish) => S::Done,
        (S::Running | S::Verifying, E::FinishWithSkips) => S::DoneWithSkips,
        (S::Queued | S::Running | S::Verifying | S::Quarantined | S::Reclaiming, E::Fail) => S::Failed,
        (S::Quarantined | S::Done | S::DoneWithSkips | S::Failed | S::Cancelled | S::Paused, E::Restore) => S::Restored,
        (
            S::Done | S::DoneWithSkips | S::Failed | S::Cancelled | S::Restored,
            E::Start
            | E::Pause
            | E::Cancel
            | E::Copied
            | E::Quarantine
            | E::Reclaim
            | E::Finish
            | E::FinishWithSkips
            | E::Fail
            | E::Reopen,
        )
        | (S::Restored, E::Restore)
        | (
            S::Queued,
            E::Copied | E::Quarantine | E::Reclaim | E::Finish | E::FinishWithSkips | E::Restore | E::Reopen,
        )
        | (S::Running, E::Quarantine | E::Reclaim | E::Finish | E::Restore | E::Reopen)
        | (
            S::Paused,
            E::Pause | E::Copied | E::Quarantine | E::Reclaim | E::Finish | E::FinishWithSkips | E::Fail | E::Reopen,
        )
        | (S::Verifying, E::Restore)
        | (S::Quarantined, E::Start | E::Pause | E::Cancel | E::Copied | E::Finish | E::FinishWithSkips)
        | (S::Reclaiming, E::Pause | E::Cancel | E::Copied | E::Quarantine | E::FinishWithSkips | E::Restore) => {
            return None;
        }
    };
    Some(to)
}

/// The states from which an event leads to the given state: what a conditional update expects to find.
pub fn sources_of(event: JobEvent) -> Vec<JobState> {
    JobState::ALL
        .iter()
        .copied()
        .filter(|state| next(*state, event).is_some())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_job_only_ever_becomes_restored() {
        for state in JobState::ALL.iter().copied().filter(|state| !state.is_active()) {
            for event in JobEvent::ALL {
                if let Some(to) = next(state, event) {
                    assert_eq!((event, to), (JobEvent::Restore, JobState::Restored));
                }
            }
        }
    }

    #[test]
    fn sources_are_erased_only_after_reading_back() {
        let before: Vec<_> = sources_of(JobEvent::Reclaim);
        assert_eq!(
            before,
            [JobState::Verifying, JobState::Quarantined, JobState::Reclaiming]
        );
    }

    #[test]
    fn a_job_being_erased_can_no_longer_be_restored_or_cancelled() {
        assert_eq!(next(JobState::Reclaiming, JobEvent::Restore), None);
        assert_eq!(next(JobState::Reclaiming, JobEvent::Cancel), None);
    }

    #[test]
    fn taking_up_a_job_again_is_the_same_as_taking_it_up() {
        for state in [
            JobState::Queued,
            JobState::Running,
            JobState::Paused,
            JobState::Verifying,
        ] {
            assert_eq!(next(state, JobEvent::Start), Some(JobState::Running));
        }
    }
}
