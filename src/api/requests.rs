//! What is asked of respoold.

pub use dss::catalogue::{Adopt, Overwrite};

use dss::model::{ByteCount, ExtentId, JobId, Metadata, Oid, Quarantine, VerifyMode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// `repack`. What is None is as configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RepackRequest {
    /// The media to empty, by name.
    pub sources: Vec<String>,
    /// The only target, by name.
    pub to: Option<String>,
    /// Targets need all of these tags.
    pub to_tags: BTreeSet<String>,
    /// What becomes of the old bytes; `--keep-source` is for ever.
    pub quarantine: Option<Quarantine>,
    /// How much is read back.
    pub verify: Option<VerifyMode>,
    /// Drop deleted and overwritten versions instead of moving them.
    pub drop_deleted: Option<bool>,
    /// Stop, resumable, after so many bytes.
    pub limit_bytes: Option<ByteCount>,
    /// Stop, resumable, after so many seconds.
    pub limit_seconds: Option<u64>,
}

/// `extent migrate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MigrateRequest {
    /// Which extent.
    pub extent: ExtentId,
    /// To which medium, by name.
    pub to: String,
}

/// The head of one object in a stream of puts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutHeader {
    /// Its name.
    pub oid: Oid,
    /// How many bytes will follow.
    pub bytes: ByteCount,
    /// How many copies; None: as configured.
    pub copies: Option<u8>,
    /// Whether an existing object may get a new version.
    pub overwrite: Overwrite,
    /// Only media with all of these tags.
    pub tags: BTreeSet<String>,
    /// Kept together with others of the same grouping.
    pub grouping: Option<String>,
    /// What travels with it.
    pub metadata: Metadata,
}

/// The end of one object in a stream of puts: what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamEnd {
    /// How many bytes were sent.
    pub bytes: ByteCount,
    /// What they digest to.
    pub blake3: dss::model::Blake3,
}

/// The end of a get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetEnd {
    /// What was sent.
    pub sent: StreamEnd,
    /// Where bytes could not be read before they were read elsewhere.
    pub failed_reads: Vec<super::objects::FailedRead>,
}

/// `get`, `delete`, `undelete`, `object show`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectRequest {
    /// Which object.
    pub oid: Oid,
    /// Which version; None: the live one.
    #[serde(default)]
    pub version: Option<dss::model::Version>,
}

/// `object list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectListRequest {
    /// Only names that begin so.
    pub prefix: Option<String>,
    /// Deleted and overwritten versions too.
    pub deleted: bool,
}

/// `extent list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtentListRequest {
    /// Only on this medium, by name.
    pub medium: Option<String>,
    /// Only of this object.
    pub oid: Option<Oid>,
    /// Only in this state.
    pub state: Option<dss::model::ExtentState>,
}

/// `extent show`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtentRequest {
    /// Which.
    pub extent: ExtentId,
}

/// `extent release`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// An extent of the copy to be given up.
    pub extent: ExtentId,
    /// Whether it is; else only what that would do is told, as a refusal.
    pub yes: bool,
}

/// `dir add`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirAddRequest {
    /// What it shall be called.
    pub name: String,
    /// The directory, absolute.
    pub path: PathBuf,
    /// The most bytes it is to hold.
    pub capacity: Option<ByteCount>,
    /// The dock that the disk is mounted in.
    pub dock: Option<String>,
    /// The operator's words.
    pub tags: BTreeSet<String>,
    /// The operator's class.
    pub class: Option<String>,
}

/// Anything about one medium, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediumRequest {
    /// Which.
    pub medium: String,
}

/// `medium set`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediumSetRequest {
    /// Which.
    pub medium: String,
    /// Keys and values as typed; checked where they are used.
    pub values: Vec<(String, String)>,
}

/// `medium import`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportRequest {
    /// A medium's name, or the path of a directory.
    pub medium: String,
    /// Whether unknown objects become known.
    pub adopt: Adopt,
    /// Whether the catalogue takes over a medium that is ahead of it.
    pub reconcile: bool,
    /// With that: whether versions whose bytes are nowhere end.
    #[serde(default)]
    pub forget_missing: bool,
}

/// Anything about one job.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// Which.
    pub job: JobId,
}

/// Events after one, the oldest first, or the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsRequest {
    /// Only what comes after this number; without it the newest.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: Option<u32>,
}
