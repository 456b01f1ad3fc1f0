//! Objects, as `object list`, `object show`, `put` and `get` print them.

use super::Problem;
use super::extents::{self, ExtentView};
use dss::model::{ByteCount, CopyNo, ExtentId, MediumId, Metadata, ObjectDetail, ObjectId, Oid, Version};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One version of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectView {
    /// Its name.
    pub oid: Oid,
    /// The version's identity.
    pub id: ObjectId,
    /// Its version.
    pub version: Version,
    /// Its size.
    pub bytes: ByteCount,
    /// How many copies it has; one with an extent on a dead medium is none.
    pub copies: u64,
    /// How many were asked for.
    pub copies_wanted: CopyNo,
    /// Its grouping.
    pub grouping: Option<String>,
    /// What travels with it.
    pub metadata: Metadata,
    /// When it was put.
    pub created_at: Timestamp,
    /// When it was deleted or overwritten.
    pub deleted_at: Option<Timestamp>,
    /// What fills its layouts.
    pub extents: Vec<ExtentView>,
}

/// What became of one object of a stream of puts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutResult {
    /// It is stored: every copy durable, its layout committed.
    Stored(Box<ObjectView>),
    /// It is not.
    Refused {
        /// Which.
        oid: Oid,
        /// Why.
        problem: Problem,
        /// Whether sending it again may succeed.
        again: bool,
    },
}

/// A place where an extent could not be read; its bytes came from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedRead {
    /// Which extent.
    pub extent: ExtentId,
    /// On which medium, by name.
    pub medium: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for FailedRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "extent {} on {}: {}", self.extent, self.medium, self.reason)
    }
}

/// What was got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Got {
    /// The object.
    #[serde(flatten)]
    pub object: ObjectView,
    /// Where its bytes could not be read before they were read elsewhere.
    pub failed_reads: Vec<FailedRead>,
}

/// What must be known of media to tell about what lies on them.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// What the operator calls them.
    pub of: BTreeMap<MediumId, String>,
    /// Those that are lost or destroyed.
    pub dead: BTreeSet<MediumId>,
}

impl Names {
    /// Whether every medium of an object has its name here.
    pub fn know(&self, detail: &ObjectDetail) -> bool {
        let mut media = detail.entries.iter().map(|entry| entry.extent.medium);
        media.all(|medium| self.of.contains_key(&medium))
    }
}

/// Composes an object's view. An extent that serves several objects is told under this object's name and place; no index
/// names those that are `unindexed`.
pub fn view(detail: ObjectDetail, unindexed: &BTreeSet<ExtentId>, names: &Names) -> ObjectView {
    let copies = detail.copies_off(&names.dead);
    let object = detail.object;
    let extents = detail
        .entries
        .into_iter()
        .map(|entry| ExtentView {
            oid: object.oid.clone(),
            version: object.version,
            copy: entry.copy,
            index: entry.index,
            ..extents::view(entry.extent, unindexed, &names.of)
        })
        .collect();
    ObjectView {
        oid: object.oid,
        id: object.id,
        version: object.version,
        bytes: object.bytes,
        copies,
        copies_wanted: object.copies,
        grouping: object.grouping,
        metadata: object.metadata,
        created_at: object.created_at,
        deleted_at: object.deleted_at,
        extents,
    }
}
