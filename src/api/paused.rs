//! Why a job is paused, and what goes on with it: composed from the catalogue's row alone.

use dss::model::{Job, JobControl, JobLimit, JobState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Why a job is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Paused {
    /// Who or what paused it.
    pub by: PausedBy,
    /// In words.
    pub text: String,
    /// What to do to go on with it.
    pub next: String,
}

/// Who or what pauses jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// `job pause`, or Ctrl-C in a command that follows its job.
    Operator,
    /// `--limit-bytes`.
    LimitBytes,
    /// `--limit-time`.
    LimitTime,
}

impl fmt::Display for PausedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "operator",
            Self::LimitBytes => "limit of bytes",
            Self::LimitTime => "limit of time",
        })
    }
}

/// Why a job is paused. None: it is not, or it goes on or ends by itself with what was wished of it since.
pub fn paused(job: &Job) -> Option<Paused> {
    let by = match (job.state, job.control, job.tally.limit) {
        (JobState::Paused, JobControl::Pause, _) => PausedBy::Operator,
        (JobState::Paused, JobControl::Run, Some(JobLimit::Bytes)) => PausedBy::LimitBytes,
        (JobState::Paused, JobControl::Run, Some(JobLimit::Time)) => PausedBy::LimitTime,
        (JobState::Paused, JobControl::Run, None) | (JobState::Paused, JobControl::Cancel, _) => return None,
        (
            JobState::Queued
            | JobState::Running
            | JobState::Verifying
            | JobState::Quarantined
            | JobState::Reclaiming
            | JobState::Done
            | JobState::DoneWithSkips
            | JobState::Failed
            | JobState::Cancelled
            | JobState::Restored,
            _,
            _,
        ) => return None,
    };
    let (id, spec) = (job.id, &job.spec);
    let resume = format!("run `respool job resume {id}`: it goes on where it stopped");
    let again = format!("{resume}, up to the same limit again");
    Some(match by {
        PausedBy::Operator => Paused {
            by,
            text: "an operator paused it, with `job pause` or Ctrl-C".to_owned(),
            next: resume,
        },
        PausedBy::LimitBytes => Paused {
            by,
            text: match spec.limit_bytes {
                Some(limit) => format!("it moved the {limit} of its --limit-bytes"),
                None => "it moved the bytes of its --limit-bytes".to_owned(),
            },
            next: again,
        },
        PausedBy::LimitTime => Paused {
            by,
            text: match spec.limit_seconds.map(Duration::from_secs) {
                Some(limit) => format!(
                    "it worked for the {} of its --limit-time",
                    humantime::format_duration(limit)
                ),
                None => "it worked for the time of its --limit-time".to_owned(),
            },
            next: again,
        },
    })
}
