//! Why a job is paused, and the command that goes on with one that stopped: composed from the catalogue's row alone.

use super::typed::Typed;
use super::units::{typed_size, typed_span};
use dss::model::{Job, JobControl, JobError, JobKind, JobLimit, JobSpec, JobState, MediumId, Quarantine, VerifyMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A job that failed so leaves nothing that another repack could go on with: what to do is said with the failure.
const NOTHING_LEFT: [&str; 3] = ["target_in_doubt", "erased_since", "source_given_up"];

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

/// What a repack does where its command does not say: as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsaid {
    /// What becomes of the old bytes.
    pub quarantine: Quarantine,
    /// How much is read back.
    pub verify: VerifyMode,
    /// Whether deleted versions are dropped.
    pub drop_deleted: bool,
}

/// The command that goes on with what a job left, without `--state` and `--config`, which respoold is not told; None: it
/// goes on by itself, nothing is left, or no command asks for just the same.
pub fn go_on(job: &Job, names: &BTreeMap<MediumId, String>, unsaid: Unsaid) -> Option<String> {
    match job.state {
        JobState::Paused => Some(format!("respool job resume {}", job.id)),
        JobState::Failed if job.error.as_ref().is_some_and(leaves_nothing) => None,
        JobState::Failed | JobState::Cancelled | JobState::DoneWithSkips => anew(job, names, unsaid),
        JobState::Queued
        | JobState::Running
        | JobState::Verifying
        | JobState::Quarantined
        | JobState::Reclaiming
        | JobState::Done
        | JobState::Restored => None,
    }
}

fn leaves_nothing(error: &JobError) -> bool {
    NOTHING_LEFT.contains(&error.code.as_str())
}

/// The command that asks for the same again, with every option that makes a difference; None: none does.
fn anew(job: &Job, names: &BTreeMap<MediumId, String>, unsaid: Unsaid) -> Option<String> {
    let spec = &job.spec;
    let name = |id: &MediumId| names.get(id).cloned().unwrap_or_else(|| id.to_string());
    let to = spec.to.as_ref().map(name);
    match job.kind {
        // Deleted versions would be dropped as the config says by now, and no option says that they are not.
        JobKind::Repack if unsaid.drop_deleted && !spec.drop_deleted => None,
        JobKind::Repack => {
            let command = Typed::verb("repack").names(spec.sources.iter().map(name));
            options(command.option("--to", to), spec, unsaid).told()
        }
        JobKind::Migrate => {
            let command = Typed::verb("extent migrate").names(spec.only.iter().map(ToString::to_string));
            command.option("--to", to).told()
        }
    }
}

fn options(command: Typed, spec: &JobSpec, unsaid: Unsaid) -> Typed {
    let tags: Vec<&str> = spec.to_tags.iter().map(String::as_str).collect();
    let command = command.option("--to-tags", (!tags.is_empty()).then(|| tags.join(",")));
    let command = match spec.quarantine {
        same if same == unsaid.quarantine => command,
        Quarantine::None => command.option("--quarantine", ["0"]),
        Quarantine::Seconds(seconds) => command.option("--quarantine", [typed_span(seconds)]),
        Quarantine::Forever => command.flags(["--keep-source"]),
    };
    let verify = (spec.verify != unsaid.verify).then(|| spec.verify.to_string());
    let drop_deleted = spec.drop_deleted && !unsaid.drop_deleted;
    command
        .option("--verify", verify)
        .flags(drop_deleted.then_some("--drop-deleted"))
        .option("--limit-bytes", spec.limit_bytes.map(typed_size))
        .option("--limit-time", spec.limit_seconds.map(typed_span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{ByteCount, ExtentId, JobId, Tally};
    use jiff::Timestamp;
    use std::collections::BTreeSet;

    const CONFIGURED: Unsaid = Unsaid {
        quarantine: Quarantine::Seconds(7 * 86_400),
        verify: VerifyMode::Full,
        drop_deleted: false,
    };

    /// A job as the config says, from a, and what its media are called.
    fn job(state: JobState) -> (Job, BTreeMap<MediumId, String>) {
        let source = MediumId::fresh();
        let job = Job {
            id: JobId(3),
            kind: JobKind::Repack,
            state,
            control: JobControl::Run,
            spec: JobSpec {
                sources: vec![source],
                only: BTreeSet::new(),
                to: None,
                to_tags: BTreeSet::new(),
                quarantine: CONFIGURED.quarantine,
                verify: CONFIGURED.verify,
                drop_deleted: CONFIGURED.drop_deleted,
                limit_bytes: None,
                limit_seconds: None,
            },
            tally: Tally::default(),
            skips: Vec::new(),
            substitutions: Vec::new(),
            error: None,
            created_at: Timestamp::UNIX_EPOCH,
            finished_at: None,
        };
        (job, BTreeMap::from([(source, "a".to_owned())]))
    }

    fn told(state: JobState) -> Option<String> {
        let (job, names) = job(state);
        go_on(&job, &names, CONFIGURED)
    }

    #[test]
    fn what_stopped_is_told_how_it_goes_on_and_what_goes_on_or_is_over_is_not() {
        for state in JobState::ALL.iter().copied() {
            let wanted = match state {
                JobState::Paused => Some("respool job resume 3"),
                JobState::Failed | JobState::Cancelled | JobState::DoneWithSkips => Some("respool repack a"),
                _ => None,
            };
            assert_eq!(told(state).as_deref(), wanted, "{state}");
        }
    }

    #[test]
    fn a_failure_that_left_nothing_to_move_is_told_no_repack() {
        for (code, some) in [("target_in_doubt", false), ("no_target", true)] {
            let (mut job, names) = job(JobState::Failed);
            job.error = Some(crate::api::Problem::environment(code, "medium", "b", "b is away").into());
            assert_eq!(go_on(&job, &names, CONFIGURED).is_some(), some, "{code}");
        }
    }

    #[test]
    fn every_option_that_is_not_as_configured_is_spelt_out() {
        let (mut job, mut names) = job(JobState::Cancelled);
        let (second, target) = (MediumId::fresh(), MediumId::fresh());
        names.extend([(second, "b".to_owned()), (target, "c".to_owned())]);
        job.spec.sources.push(second);
        job.spec.to = Some(target);
        job.spec.quarantine = Quarantine::None;
        job.spec.verify = VerifyMode::Sampled;
        job.spec.drop_deleted = true;
        job.spec.limit_bytes = Some(ByteCount(5 << 30));
        job.spec.limit_seconds = Some(90 * 60);
        assert_eq!(
            go_on(&job, &names, CONFIGURED).unwrap(),
            "respool repack a b --to c --quarantine 0 --verify sampled --drop-deleted --limit-bytes 5GiB --limit-time 90m"
        );
        job.spec.to = None;
        job.spec.to_tags = BTreeSet::from(["blue".to_owned(), "off site".to_owned()]);
        job.spec.quarantine = Quarantine::Forever;
        job.spec.limit_bytes = None;
        let unsaid = Unsaid {
            verify: VerifyMode::Sampled,
            drop_deleted: true,
            ..CONFIGURED
        };
        assert_eq!(
            go_on(&job, &names, unsaid).unwrap(),
            "respool repack a b --to-tags 'blue,off site' --keep-source --limit-time 90m"
        );
    }

    #[test]
    fn what_would_drop_deleted_versions_that_were_to_be_moved_is_not_told() {
        let (mut job, names) = job(JobState::Cancelled);
        let unsaid = Unsaid {
            drop_deleted: true,
            ..CONFIGURED
        };
        assert_eq!(go_on(&job, &names, unsaid), None);
        job.state = JobState::Paused;
        assert_eq!(go_on(&job, &names, unsaid).unwrap(), "respool job resume 3");
    }

    #[test]
    fn a_single_extent_is_migrated_anew() {
        let (mut job, mut names) = job(JobState::Failed);
        let (extent, target) = (ExtentId::fresh(), MediumId::fresh());
        names.insert(target, "b".to_owned());
        job.kind = JobKind::Migrate;
        job.spec.only = BTreeSet::from([extent]);
        job.spec.to = Some(target);
        job.spec.quarantine = Quarantine::None;
        let wanted = format!("respool extent migrate {extent} --to b");
        assert_eq!(go_on(&job, &names, CONFIGURED), Some(wanted));
    }
}
