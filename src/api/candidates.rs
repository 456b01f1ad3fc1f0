//! Media worth emptying, as `medium candidates` prints them, and what `repack --best` answers.

use super::JobReport;
use dss::model::{AdmState, ByteCount, Health, JobId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `medium candidates`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CandidatesRequest {
    /// Also why this medium is one or not, by name.
    pub why_not: Option<String>,
}

/// What `medium candidates` prints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CandidateList {
    /// The best first.
    pub candidates: Vec<CandidateView>,
    /// What else would give bytes back, where no medium is a candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// With `--why-not`: about the medium that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<WhyNot>,
}

/// One medium worth emptying.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CandidateView {
    /// Its name.
    pub medium: String,
    /// Its place in the list, from 1.
    pub rank: u64,
    /// Bytes that emptying it gives back now.
    pub reclaimable_bytes: ByteCount,
    /// The part of the bytes on it that is dead, 0 to 1.
    pub dead_share: f64,
    /// Bytes that would be moved: referenced by a layout, deleted versions inside their undelete window included.
    pub live_bytes: ByteCount,
    /// Bytes that nothing references, but those held until a time.
    pub dead_bytes: ByteCount,
    /// Bytes that will be dead at a time: deleted versions in their undelete window, and bytes held until a time.
    pub later_bytes: ByteCount,
    /// By when all of these are.
    pub later_at: Option<Timestamp>,
    /// For how long nothing that lives on it was written, in seconds; where nothing lives, since it was added.
    pub age_seconds: u64,
    /// What the system thinks of it.
    pub health: Health,
    /// What the operator said of it.
    pub adm_state: AdmState,
    /// Why it is here, in words.
    pub reason: String,
}

/// Why a medium is a candidate, or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyNot {
    /// Its name.
    pub medium: String,
    /// Whether it is one.
    pub candidate: bool,
    /// Why, in words; at least one.
    pub reasons: Vec<String>,
    /// What would make it one, for each of the reasons; empty when it is one.
    pub next: Vec<String>,
}

/// What `repack --best` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Best {
    /// The job that was given, or taken up again.
    Job(Box<JobReport>),
    /// There is nothing worth doing.
    None(NoCandidate),
}

/// Which medium `repack --best` would empty, without giving a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Choice {
    /// The first that can be emptied; else the best of those that cannot.
    Medium {
        /// Its name.
        medium: String,
    },
    /// There is nothing worth doing.
    None(NoCandidate),
}

/// What `repack --best` prints when no medium is worth emptying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoCandidate {
    /// Always null: no job was given.
    pub job: Option<JobId>,
    /// How many media were looked at.
    pub media: u64,
    /// The same, in words.
    pub message: String,
}
