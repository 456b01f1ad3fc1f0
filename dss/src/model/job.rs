//! Jobs: what was asked, how far it is, what came of it.

use super::words::words;
use super::{ByteCount, ExtentId, JobId, MediumId, Oid};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

words! {
    /// What a job is for.
    JobKind = "job_kind" {
        /// Empties media for reuse.
        Repack = "repack",
        /// Moves single extents.
        Migrate = "migrate",
    }
}

words! {
    /// How far a job is. `repack::job` in the engine holds the transitions.
    JobState = "job_state" {
        /// Accepted, its sources read-only.
        Queued = "queued",
        /// Copying.
        Running = "running",
        /// Stopped at an extent boundary until resumed.
        Paused = "paused",
        /// Reading back what it moved.
        Verifying = "verifying",
        /// Nothing is live on its sources; their old bytes are held.
        Quarantined = "quarantined",
        /// Its sources are being erased.
        Reclaiming = "reclaiming",
        /// All done.
        Done = "done",
        /// Done but for the extents it lists.
        DoneWithSkips = "done_with_skips",
        /// Stopped by a failure that it names.
        Failed = "failed",
        /// Stopped by an operator.
        Cancelled = "cancelled",
        /// Its layouts were put back on the old bytes.
        Restored = "restored",
    }
}

impl JobState {
    /// Whether the job still holds its sources: no other job may take them.
    pub fn is_active(self) -> bool {
        match self {
            Self::Queued | Self::Running | Self::Paused | Self::Verifying | Self::Quarantined | Self::Reclaiming => {
                true
            }
            Self::Done | Self::DoneWithSkips | Self::Failed | Self::Cancelled | Self::Restored => false,
        }
    }

    /// Whether an operator's wish to stop it means anything: from the quarantine on a job only goes on.
    pub fn heeds_control(self) -> bool {
        match self {
            Self::Queued | Self::Running | Self::Paused | Self::Verifying => true,
            Self::Quarantined
            | Self::Reclaiming
            | Self::Done
            | Self::DoneWithSkips
            | Self::Failed
            | Self::Cancelled
            | Self::Restored => false,
        }
    }
}

words! {
    /// What an operator wants a job to do next.
    JobControl = "job_control" {
        /// Go on.
        Run = "run",
        /// Stop at the next extent boundary and stay resumable.
        Pause = "pause",
        /// Stop at the next extent boundary for good.
        Cancel = "cancel",
    }
}

words! {
    /// How much of what was moved is read back from the target.
    VerifyMode = "verify_mode" {
        /// All of it.
        Full = "full",
        /// A sample.
        Sampled = "sampled",
        /// None.
        None = "none",
    }
}

words! {
    /// How far one extent's move is.
    MoveState = "move_state" {
        /// The new extent is recorded.
        Recorded = "recorded",
        /// The layouts point to the new extent.
        Swapped = "swapped",
        /// The new extent was read back and is good.
        ReadBack = "read_back",
        /// The old extent vanished or moved on meanwhile, or the copy failed: the new extent is an orphan.
        Dropped = "dropped",
        /// The layouts point to the old extent again.
        Returned = "returned",
    }
}

impl MoveState {
    /// Whether layouts pointed to the new extent, whatever came later.
    pub fn was_swapped(self) -> bool {
        match self {
            Self::Swapped | Self::ReadBack | Self::Returned => true,
            Self::Recorded | Self::Dropped => false,
        }
    }
}

/// What becomes of the sources' bytes after the swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quarantine {
    /// Erased as soon as read-back is done.
    None,
    /// Held for so many seconds.
    Seconds(u64),
    /// Held until an operator decides (`--keep-source`).
    Forever,
}

/// What was asked of a job. Kept with it, so that the next respoold does the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The media to empty, in the order given.
    pub sources: Vec<MediumId>,
    /// Only these extents (migrate); empty: everything live.
    pub only: BTreeSet<ExtentId>,
    /// The only medium allowed as target.
    pub to: Option<MediumId>,
    /// Targets need all of these tags.
    pub to_tags: BTreeSet<String>,
    /// What becomes of the old bytes.
    pub quarantine: Quarantine,
    /// How much is read back.
    pub verify: VerifyMode,
    /// Drop versions that were deleted or overwritten instead of moving them.
    pub drop_deleted: bool,
    /// Stop, resumable, after so many bytes.
    pub limit_bytes: Option<ByteCount>,
    /// Stop, resumable, after so many seconds.
    pub limit_seconds: Option<u64>,
}

/// An extent a job could not move, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// Which extent.
    pub extent: ExtentId,
    /// Of which object.
    pub oid: Oid,
    /// On which medium.
    pub medium: MediumId,
    /// In words.
    pub reason: String,
    /// Whether a digest did not hold, or bytes were missing: exit 4.
    pub integrity: bool,
}

/// An extent whose bytes a job read from another copy, because the source's own could not be had (E-12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Substitution {
    /// The extent that was to be moved.
    pub extent: ExtentId,
    /// The extent that was written in its place.
    pub new: ExtentId,
    /// Of which object.
    pub oid: Oid,
    /// The medium that failed.
    pub medium: MediumId,
    /// The medium that was read instead.
    pub read_from: MediumId,
    /// What failed, in words.
    pub reason: String,
    /// Whether the medium returned wrong bytes, rather than none: exit 4 although nothing is missing.
    pub wrong_bytes: bool,
}

/// What a job did so far. Kept with it; counts are never lowered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Live extents found when the job first looked.
    pub live: u64,
    /// Bytes of them.
    pub live_bytes: ByteCount,
    /// Extents swapped.
    pub moved: u64,
    /// Extents whose layouts had moved on or vanished when the swap came.
    pub released: u64,
    /// Extents that failed read-back and were swapped back.
    pub failed: u64,
    /// Bytes swapped.
    pub bytes_moved: ByteCount,
    /// Bytes that were copied, or might have been, and are copied again.
    pub bytes_recopied: ByteCount,
    /// Per target: extents and bytes swapped to it.
    pub targets: BTreeMap<MediumId, (u64, ByteCount)>,
    /// Extents read back.
    pub read_back: u64,
    /// Bytes read back.
    pub read_back_bytes: ByteCount,
    /// Extents that failed read-back.
    pub read_back_failed: u64,
    /// Seconds of work, over all its runs.
    pub seconds: f64,
    /// What the first plan predicted.
    pub predicted_seconds: Option<f64>,
    /// Syncs asked of targets.
    pub syncs: u64,
    /// Transactions that changed the catalogue for it.
    pub transactions: u64,
    /// Which other job it waits for, while it does.
    pub waiting_for: Option<JobWait>,
    /// Which limit of its own it last came to rest at.
    pub limit: Option<JobLimit>,
}

/// A limit that an operator set a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobLimit {
    /// Of the bytes that one run of it moves.
    Bytes,
    /// Of the time that one run of it takes.
    Time,
}

/// A job that waits for another one to free a medium that can be its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobWait {
    /// For which job.
    pub job: JobId,
    /// Since when.
    pub since: Timestamp,
    /// For what, in words.
    pub text: String,
    /// What happens next.
    pub next: String,
}

/// The first failure of a job; later ones never replace it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobError {
    /// A short constant word for scripts.
    pub code: String,
    /// extent, medium, drive, library, operator or us.
    pub blame: String,
    /// The thing to blame, by name.
    pub subject: String,
    /// What failed and what was done about it.
    pub message: String,
    /// What to do next.
    pub next: String,
    /// The exit code it deserves.
    pub exit: u8,
}

/// A job, as the catalogue keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it is for.
    pub kind: JobKind,
    /// How far it is.
    pub state: JobState,
    /// What the operator wants next.
    pub control: JobControl,
    /// What was asked.
    pub spec: JobSpec,
    /// What was done.
    pub tally: Tally,
    /// What it could not move.
    pub skips: Vec<Skip>,
    /// What it moved from another copy, by new extent.
    pub substitutions: Vec<Substitution>,
    /// What went wrong first.
    pub error: Option<JobError>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended, or came to rest in quarantine.
    pub finished_at: Option<Timestamp>,
}

/// One extent's move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Which job moves it.
    pub job: JobId,
    /// From.
    pub old: ExtentId,
    /// To.
    pub new: ExtentId,
    /// How far.
    pub state: MoveState,
}
