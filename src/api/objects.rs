//! Objects, as `object list`, `object show`, `put` and `get` print them.

use super::Problem;
use super::extents::{self, ExtentView};
use dss::model::{ByteCount, CopyNo, ExtentId, MediumId, Metadata, Object, ObjectDetail, ObjectId, Oid, Version};
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
    /// The version that overwrote it; null when it is live, or was deleted.
    pub overwritten_by: Option<Version>,
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

/// Which of the later versions of its name overwrote a version; None when it is live, or was deleted. What overwrites a
/// version is made at the very time at which that one ends.
pub fn overwritten_by<'a>(object: &Object, later: impl IntoIterator<Item = &'a Object>) -> Option<Version> {
    let ended = object.deleted_at?;
    let by = |other: &&Object| other.oid == object.oid && other.version > object.version && other.created_at == ended;
    later.into_iter().find(by).map(|other| other.version)
}

/// Composes the views of versions in their order, all those of a name among them.
pub fn views(details: Vec<ObjectDetail>, unindexed: &BTreeSet<ExtentId>, names: &Names) -> Vec<ObjectView> {
    let later = |at: usize| {
        let oid = &details[at].object.oid;
        let rest = details[at + 1..].iter().map(|detail| &detail.object);
        rest.take_while(move |other| other.oid == *oid)
    };
    let by: Vec<Option<Version>> = (0..details.len())
        .map(|at| overwritten_by(&details[at].object, later(at)))
        .collect();
    let views = details.into_iter().zip(by).map(|(detail, overwritten_by)| ObjectView {
        overwritten_by,
        ..view(detail, unindexed, names)
    });
    views.collect()
}

/// Composes an object's view, as if nothing had overwritten it. An extent that serves several objects is told under this object's name and place; no index
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
        overwritten_by: None,
        extents,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(oid: &str, version: i32, created_at: i64, deleted_at: Option<i64>) -> Object {
        let at = |second| Timestamp::new(second, 0).unwrap();
        Object {
            id: ObjectId::fresh(),
            oid: Oid::new(oid).unwrap(),
            version: Version(version),
            bytes: ByteCount(1),
            copies: CopyNo(1),
            grouping: None,
            metadata: Metadata::default(),
            created_at: at(created_at),
            deleted_at: deleted_at.map(at),
        }
    }

    #[test]
    fn a_version_was_overwritten_by_the_one_that_was_made_when_it_ended() {
        let all = [
            version("a", 1, 10, Some(20)),
            version("a", 2, 20, Some(30)),
            version("a", 3, 40, None),
            version("b", 4, 30, None),
        ];
        let by = |at: usize| overwritten_by(&all[at], &all);
        assert_eq!(by(0), Some(Version(2)));
        assert_eq!(by(1), None, "it was deleted; another name has nothing to do with it");
        assert_eq!(by(2), None, "it is live");
    }
}
