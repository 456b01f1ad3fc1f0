//! Backups of the catalogue, as `catalogue backup|restore|verify` print them.

use dss::model::backup::{BackupManifest, PutBack};
use dss::model::{CatalogueId, Revision};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `catalogue backup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// The file to be made, absolute.
    pub path: PathBuf,
}

/// A backup that was made or looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupReport {
    /// The file.
    pub path: PathBuf,
    /// What it says of itself.
    #[serde(flatten)]
    pub manifest: BackupManifest,
    /// Whether it lies on the device that the state folder lies on, where both are lost at once.
    pub same_device: bool,
    /// How it compares with the catalogue in use; None: no respoold runs that could tell.
    pub present: Option<Against>,
}

/// A backup against the catalogue in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Against {
    /// Whether it is the same catalogue. If not, the numbers say nothing.
    pub same_catalogue: bool,
    /// Revisions made since.
    pub revisions_behind: i64,
    /// Events sealed since.
    pub events_behind: i64,
    /// Seconds since it was made, on the age clock.
    pub seconds_behind: i64,
}

/// The catalogue in use, for whoever wants to replace it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueStatus {
    /// Which.
    pub catalogue: CatalogueId,
    /// Its revision.
    pub revision: Revision,
    /// How many events are sealed.
    pub events: i64,
    /// The age clock.
    pub now: Timestamp,
    /// Jobs at work.
    pub jobs: usize,
    /// Requests being answered, this one left out; running jobs count, too.
    pub requests: usize,
}

impl CatalogueStatus {
    /// How a backup compares with it.
    pub fn against(&self, manifest: &BackupManifest) -> Against {
        Against {
            same_catalogue: self.catalogue == manifest.catalogue,
            revisions_behind: self.revision.0 - manifest.revision.0,
            events_behind: self.events - manifest.head.link,
            seconds_behind: self.now.duration_since(manifest.created_at).as_secs(),
        }
    }
}

/// What `catalogue restore` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CatalogueRestored")]
pub struct RestoreReport {
    /// The backup.
    pub path: PathBuf,
    /// What was put back.
    #[serde(flatten)]
    pub put_back: PutBack,
    /// What to do next.
    pub next: String,
}
