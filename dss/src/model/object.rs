//! Objects, their copies and layouts.

use super::{ByteCount, CopyNo, Extent, ExtentIndex, LtfsAttributes, MediumId, ObjectId, Oid, Version};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The attributes that travel with an object's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// What the user said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
    /// Extended attributes of the file it came from, values in base 16.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub xattrs: BTreeMap<String, String>,
    /// The file's permission bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// The file's time of last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime: Option<Timestamp>,
    /// What the LTFS volume that it came from said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ltfs: Option<LtfsAttributes>,
}

/// What a name's versions are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The live one, if any.
    pub live: Option<Version>,
    /// What the next put gets; versions that were ended count, as their numbers may still stand on media.
    pub next: Version,
}

/// One version of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The version's identity, also on its media.
    pub id: ObjectId,
    /// Its name.
    pub oid: Oid,
    /// Its version.
    pub version: Version,
    /// Its size.
    pub bytes: ByteCount,
    /// How many copies were asked for.
    pub copies: CopyNo,
    /// Objects of one grouping are kept together.
    pub grouping: Option<String>,
    /// What travels with it.
    pub metadata: Metadata,
    /// When it was put.
    pub created_at: Timestamp,
    /// When it was deleted or overwritten. It stays readable by version, and can be undeleted, until its window ends.
    pub deleted_at: Option<Timestamp>,
}

/// A place in a layout and the *sync* extent that fills it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayoutEntry {
    /// Which copy.
    pub copy: CopyNo,
    /// Which position in it.
    pub index: ExtentIndex,
    /// What fills it.
    pub extent: Extent,
}

/// An object version with its layouts, ordered by copy and index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectDetail {
    /// The version.
    pub object: Object,
    /// The entries of all its copies.
    pub entries: Vec<LayoutEntry>,
}

impl ObjectDetail {
    /// The numbers of the copies that exist.
    pub fn copy_numbers(&self) -> Vec<CopyNo> {
        let mut numbers: Vec<CopyNo> = self.entries.iter().map(|entry| entry.copy).collect();
        numbers.dedup();
        numbers
    }

    /// How many copies have no extent on any of these media.
    pub fn copies_off(&self, media: &BTreeSet<MediumId>) -> u64 {
        let touched = |copy: &CopyNo| {
            let mut entries = self.entries.iter().filter(|entry| entry.copy == *copy);
            entries.any(|entry| media.contains(&entry.extent.medium))
        };
        self.copy_numbers().iter().filter(|copy| !touched(copy)).count() as u64
    }
}

/// A layout entry to be made with a new object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which copy.
    pub copy: CopyNo,
    /// Which position in it.
    pub index: ExtentIndex,
}
