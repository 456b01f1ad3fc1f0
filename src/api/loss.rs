//! What the loss of media would do, as `medium what-if-lost` prints it.

use dss::model::loss::{Loss, Share};
use dss::model::{ByteCount, Oid, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `medium what-if-lost`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossRequest {
    /// The media, by name.
    pub media: Vec<String>,
}

/// What `medium what-if-lost` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LossReport {
    /// The media that were asked about, by name.
    pub media: Vec<String>,
    /// Versions that nothing could give any more.
    pub lost: LossShare,
    /// Versions that could still be read, from fewer copies.
    pub fewer: LossShare,
    /// What would be lost, then what would have fewer copies, by name and version.
    pub objects: Vec<ObjectAtRisk>,
    /// How many more there are that are not in the list.
    pub not_listed: u64,
}

/// Versions, and their sizes in sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LossShare {
    /// How many versions.
    pub objects: u64,
    /// Their bytes, each version once.
    pub bytes: ByteCount,
}

/// One version that the loss would touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectAtRisk {
    /// Its name.
    pub oid: Oid,
    /// Its version.
    pub version: Version,
    /// Whether it was deleted or overwritten, and could be undeleted now.
    pub deleted: bool,
    /// Its size.
    pub bytes: ByteCount,
    /// How many copies can be read now.
    pub copies_now: u64,
    /// How many there would be without these media; 0: it would be lost.
    pub copies_left: u64,
}

impl From<Share> for LossShare {
    fn from(share: Share) -> Self {
        Self {
            objects: share.objects,
            bytes: share.bytes,
        }
    }
}

/// Composes the report.
pub fn report(media: Vec<String>, loss: Loss) -> LossReport {
    let all = loss.lost.objects + loss.fewer.objects;
    LossReport {
        media,
        lost: loss.lost.into(),
        fewer: loss.fewer.into(),
        not_listed: all.saturating_sub(loss.listed.len() as u64),
        objects: loss
            .listed
            .into_iter()
            .map(|one| ObjectAtRisk {
                oid: one.oid,
                version: one.version,
                deleted: one.deleted,
                bytes: one.bytes,
                copies_now: one.copies_now,
                copies_left: one.copies_left,
            })
            .collect(),
    }
}
