//! A job's report: composed from the catalogue's row alone, so that it says the same live, later and after a crash.

use super::paused::{Paused, paused};
use super::problem::exit;
use super::waiting::{WaitingFor, WaitingReason};
use dss::model::{ByteCount, Job, JobError, JobId, JobKind, JobState, JobWait, MediumId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `repack`, `job show` and `job wait` print.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobReport {
    /// Its number.
    pub job: JobId,
    /// What it is for.
    pub kind: JobKind,
    /// How far it is.
    pub state: JobState,
    /// The media it empties, by name.
    pub sources: Vec<String>,
    /// Where the extents went.
    pub targets: Vec<TargetReport>,
    /// Numbers of extents.
    pub extents: ExtentTally,
    /// Bytes of live extents found when the job first looked.
    pub bytes_live: ByteCount,
    /// Bytes swapped.
    pub bytes_moved: ByteCount,
    /// Bytes copied again.
    pub bytes_recopied: ByteCount,
    /// What could not be moved.
    pub skipped: Vec<SkipReport>,
    /// Extents read from another copy.
    pub substituted: u64,
    /// Which, and why.
    pub substitutions: Vec<SubstitutionReport>,
    /// What was read back from the targets.
    pub read_back: ReadBackReport,
    /// Seconds of work, over all runs.
    pub seconds: f64,
    /// What the first plan predicted.
    pub predicted_seconds: Option<f64>,
    /// Syncs asked of targets.
    pub syncs: u64,
    /// Transactions that changed the catalogue.
    pub transactions: u64,
    /// What it waits for, while it does.
    pub waiting_for: Option<WaitingFor>,
    /// Why it is paused, while it is.
    pub paused: Option<Paused>,
    /// The command that goes on with what it left, without --state and --config; null: none does, or none is needed.
    pub go_on: Option<String>,
    /// Sources that are still read_only although no job empties them any more, by name.
    pub left_read_only: Vec<String>,
    /// What went wrong first.
    pub error: Option<JobError>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended, or came to rest in quarantine.
    pub finished_at: Option<Timestamp>,
}

/// One target of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetReport {
    /// Its name.
    pub medium: String,
    /// Extents swapped to it.
    pub extents: u64,
    /// Their bytes.
    pub bytes: ByteCount,
}

/// Numbers of extents of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtentTally {
    /// Live on the sources when the job first looked.
    pub live: u64,
    /// Swapped to a target.
    pub moved: u64,
    /// Vanished or moved on before their swap.
    pub released: u64,
    /// Left where they are; listed in `skipped`.
    pub skipped: u64,
    /// Swapped back after a read-back that failed.
    pub failed: u64,
    /// Still to do.
    pub remaining: u64,
}

/// One extent that could not be moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkipReport {
    /// Which.
    pub extent: dss::model::ExtentId,
    /// Of which object.
    pub oid: dss::model::Oid,
    /// On which medium, by name.
    pub medium: String,
    /// Why.
    pub reason: String,
}

/// One extent that was moved from another copy, because its own bytes could not be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubstitutionReport {
    /// Which.
    pub extent: dss::model::ExtentId,
    /// Of which object.
    pub oid: dss::model::Oid,
    /// The medium that failed, by name.
    pub medium: String,
    /// The medium that was read instead, by name.
    pub read_from: String,
    /// What failed.
    pub reason: String,
}

/// What was read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadBackReport {
    /// How many extents.
    pub extents: u64,
    /// Their bytes.
    pub bytes: ByteCount,
    /// How many of them were not what they should be.
    pub failed: u64,
}

/// What `job list` prints, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobList {
    /// The jobs.
    pub jobs: Vec<JobReport>,
}

/// What a follower of a job hears last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobEnd {
    /// The job as it rests.
    pub report: JobReport,
    /// The exit code it deserves.
    pub exit: u8,
}

/// What `job restore` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JobRestored")]
pub struct RestoreReport {
    /// The job as it is now.
    #[serde(flatten)]
    pub report: JobReport,
    /// Extents whose layouts are back on the old bytes.
    pub returned: u64,
    /// What was not touched, and why.
    pub not_returned: Vec<SkipReport>,
    /// The exit code this deserves.
    pub exit: u8,
}

/// How far a job is, told while it runs. Never needed to find out what is true: that is the catalogue's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Which job.
    pub job: JobId,
    /// How far.
    pub state: JobState,
    /// Extents swapped so far, in this run and before.
    pub extents_moved: u64,
    /// Extents to move in all.
    pub extents_total: u64,
    /// Bytes copied so far, in this run and before.
    pub bytes_moved: ByteCount,
    /// Bytes to move in all.
    pub bytes_total: ByteCount,
    /// What it does now, or waits for.
    pub doing: String,
}

impl Progress {
    /// Before anything is known but the job's row.
    pub fn of(job: &Job) -> Self {
        Self {
            job: job.id,
            state: job.state,
            extents_moved: job.tally.moved,
            extents_total: job.tally.live,
            bytes_moved: job.tally.bytes_moved,
            bytes_total: job.tally.live_bytes,
            doing: match &job.tally.waiting_for {
                Some(wait) => wait.text.clone(),
                None => job.state.to_string(),
            },
        }
    }
}

/// Whether nothing more happens to a job by itself: a client that waits for it may go.
pub fn at_rest(state: JobState) -> bool {
    match state {
        JobState::Queued | JobState::Running | JobState::Verifying | JobState::Reclaiming => false,
        JobState::Paused
        | JobState::Quarantined
        | JobState::Done
        | JobState::DoneWithSkips
        | JobState::Failed
        | JobState::Cancelled
        | JobState::Restored => true,
    }
}

/// The report of a job. A medium without a name is told by its id.
pub fn report(job: &Job, names: &BTreeMap<MediumId, String>) -> JobReport {
    let name = |id: &MediumId| names.get(id).cloned().unwrap_or_else(|| id.to_string());
    let tally = &job.tally;
    let skipped = job.skips.len() as u64;
    let settled = tally.moved + tally.released + skipped;
    JobReport {
        job: job.id,
        kind: job.kind,
        state: job.state,
        sources: job.spec.sources.iter().map(name).collect(),
        targets: tally
            .targets
            .iter()
            .map(|(medium, (extents, bytes))| TargetReport {
                medium: name(medium),
                extents: *extents,
                bytes: *bytes,
            })
            .collect(),
        extents: ExtentTally {
            live: tally.live,
            moved: tally.moved,
            released: tally.released,
            skipped,
            failed: tally.failed,
            remaining: match job.state {
                JobState::Queued
                | JobState::Running
                | JobState::Paused
                | JobState::Failed
                | JobState::Cancelled
                | JobState::Verifying => tally.live.saturating_sub(settled),
                JobState::Quarantined
                | JobState::Reclaiming
                | JobState::Done
                | JobState::DoneWithSkips
                | JobState::Restored => 0,
            },
        },
        bytes_live: tally.live_bytes,
        bytes_moved: tally.bytes_moved,
        bytes_recopied: tally.bytes_recopied,
        skipped: job
            .skips
            .iter()
            .map(|skip| SkipReport {
                extent: skip.extent,
                oid: skip.oid.clone(),
                medium: name(&skip.medium),
                reason: skip.reason.clone(),
            })
            .collect(),
        substituted: job.substitutions.len() as u64,
        substitutions: job
            .substitutions
            .iter()
            .map(|one| SubstitutionReport {
                extent: one.extent,
                oid: one.oid.clone(),
                medium: name(&one.medium),
                read_from: name(&one.read_from),
                reason: one.reason.clone(),
            })
            .collect(),
        read_back: ReadBackReport {
            extents: tally.read_back,
            bytes: tally.read_back_bytes,
            failed: tally.read_back_failed,
        },
        seconds: tally.seconds,
        predicted_seconds: tally.predicted_seconds,
        syncs: tally.syncs,
        transactions: tally.transactions,
        waiting_for: tally.waiting_for.as_ref().map(waiting_for),
        paused: paused(job),
        // What is configured, and how media are now, is not the job's to know.
        go_on: None,
        left_read_only: vec![],
        error: job.error.clone(),
        created_at: job.created_at,
        finished_at: job.finished_at,
    }
}

/// What a job noted itself: a medium that another job is about to free.
fn waiting_for(wait: &JobWait) -> WaitingFor {
    WaitingFor {
        text: wait.text.clone(),
        since: wait.since,
        reasons: vec![WaitingReason {
            text: wait.text.clone(),
            held_by: Some(format!("job {}", wait.job)),
            held_since: None,
            yield_asked_at: None,
            next: wait.next.clone(),
        }],
    }
}

/// The exit code a job deserves. Of several that apply, the worst: 70, 4, 3, 1, 5.
pub fn exit_code(job: &Job) -> u8 {
    let of_state = match job.state {
        JobState::Paused | JobState::Cancelled => exit::STOPPED,
        JobState::DoneWithSkips => exit::SKIPS,
        JobState::Failed => exit::ENVIRONMENT,
        JobState::Queued
        | JobState::Running
        | JobState::Verifying
        | JobState::Quarantined
        | JobState::Reclaiming
        | JobState::Done
        | JobState::Restored => exit::DONE,
    };
    // A failed job's own error is more exact than its state. But 2 means that nothing was touched, and this was accepted.
    let of_end = match &job.error {
        Some(error) if error.exit == exit::REFUSED => of_state,
        Some(error) => error.exit,
        None => of_state,
    };
    let of_skips = match () {
        () if job.skips.iter().any(|skip| skip.integrity) => exit::INTEGRITY,
        // Nothing is missing, but a digest did not hold: somebody must look at that medium.
        () if job.substitutions.iter().any(|one| one.wrong_bytes) => exit::INTEGRITY,
        () if !job.skips.is_empty() => exit::SKIPS,
        () => exit::DONE,
    };
    let of_read_back = if job.tally.read_back_failed > 0 {
        exit::INTEGRITY
    } else {
        exit::DONE
    };
    exit::worse(exit::worse(of_end, of_skips), of_read_back)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{ExtentId, JobControl, JobSpec, Oid, Quarantine, Skip, Substitution, Tally, VerifyMode};
    use std::collections::BTreeSet;

    fn job(state: JobState) -> Job {
        Job {
            id: JobId(1),
            kind: JobKind::Repack,
            state,
            control: JobControl::Run,
            spec: JobSpec {
                sources: vec![MediumId::fresh()],
                only: BTreeSet::new(),
                to: None,
                to_tags: BTreeSet::new(),
                quarantine: Quarantine::None,
                verify: VerifyMode::Full,
                drop_deleted: false,
                limit_bytes: None,
                limit_seconds: None,
            },
            tally: Tally::default(),
            skips: Vec::new(),
            substitutions: Vec::new(),
            error: None,
            created_at: Timestamp::UNIX_EPOCH,
            finished_at: None,
        }
    }

    fn skip(integrity: bool) -> Skip {
        Skip {
            extent: ExtentId::fresh(),
            oid: Oid::new("a").unwrap(),
            medium: MediumId::fresh(),
            reason: "EIO".into(),
            integrity,
        }
    }

    #[test]
    fn a_job_at_rest_has_the_exit_code_of_the_contract() {
        for (state, code) in [
            (JobState::Done, 0),
            (JobState::Quarantined, 0),
            (JobState::Restored, 0),
            (JobState::DoneWithSkips, 1),
            (JobState::Paused, 5),
            (JobState::Cancelled, 5),
            (JobState::Failed, 3),
        ] {
            assert_eq!(exit_code(&job(state)), code, "{state}");
        }
    }

    #[test]
    fn a_digest_that_did_not_hold_outweighs_skips_and_stops() {
        let mut job = job(JobState::Paused);
        job.skips = vec![skip(false)];
        assert_eq!(exit_code(&job), 1);
        job.skips.push(skip(true));
        assert_eq!(exit_code(&job), 4);
    }

    #[test]
    fn e12_a_substitution_is_success_unless_a_digest_did_not_hold() {
        let mut job = job(JobState::Done);
        let unreadable = Substitution {
            extent: ExtentId::fresh(),
            new: ExtentId::fresh(),
            oid: Oid::new("a").unwrap(),
            medium: MediumId::fresh(),
            read_from: MediumId::fresh(),
            reason: "EIO".into(),
            wrong_bytes: false,
        };
        job.substitutions = vec![unreadable.clone()];
        assert_eq!(exit_code(&job), 0);
        job.skips = vec![skip(false)];
        assert_eq!(exit_code(&job), 1);
        job.substitutions.push(Substitution {
            wrong_bytes: true,
            ..unreadable
        });
        assert_eq!(exit_code(&job), 4);
    }

    #[test]
    fn an_accepted_job_never_ends_as_if_nothing_was_touched() {
        let mut job = job(JobState::Failed);
        job.error = Some(crate::api::Problem::refused("fenced", "a", "medium a is locked").into());
        assert_eq!(exit_code(&job), 3);
    }

    #[test]
    fn a_read_back_that_failed_is_an_integrity_failure_whatever_the_state() {
        let mut job = job(JobState::DoneWithSkips);
        job.tally.read_back_failed = 1;
        assert_eq!(exit_code(&job), 4);
    }

    #[test]
    fn names_replace_ids_and_what_remains_is_what_is_not_settled() {
        let mut job = job(JobState::Paused);
        job.tally.live = 10;
        job.tally.moved = 4;
        job.tally.released = 1;
        job.skips = vec![skip(false)];
        let names = BTreeMap::from([
            (job.spec.sources[0], "disk-a".to_owned()),
            (job.skips[0].medium, "disk-b".to_owned()),
        ]);
        let report = report(&job, &names);
        assert_eq!(report.sources, ["disk-a"]);
        assert_eq!(report.skipped[0].medium, "disk-b");
        assert_eq!(report.extents.remaining, 4);
    }
}
