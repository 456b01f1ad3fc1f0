//! What a backup of the catalogue says of itself.

use super::{CatalogueId, EventHead, Revision};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The format of a backup's file: one block of [`HEADER_BYTES`] that says what follows, then PostgreSQL's custom dump.
pub const BACKUP_FORMAT: &str = "respool-catalogue-1";
/// The length of the header: `tail -c +4097 FILE | pg_restore --list` reads the rest.
pub const HEADER_BYTES: u64 = 4096;

/// The header of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupManifest {
    /// [`BACKUP_FORMAT`].
    pub format: String,
    /// Which catalogue.
    pub catalogue: CatalogueId,
    /// Whether drills may be rehearsed in it.
    pub testing: bool,
    /// Its revision then.
    pub revision: Revision,
    /// The end of its sealed events then.
    pub head: EventHead,
    /// The migration its schema was at.
    pub schema: i64,
    /// PostgreSQL's `server_version_num`.
    pub server: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// The bytes of the dump that follows the header.
    pub dump_bytes: u64,
    /// The BLAKE3 of the dump, in hexadecimal digits.
    pub blake3: String,
}

/// What was put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PutBack {
    /// The backup.
    pub manifest: BackupManifest,
    /// The database that holds the catalogue that was in use before; None: there was none.
    pub kept: Option<String>,
    /// Media that wait to be compared.
    pub media: u64,
    /// Jobs that were under way when the backup was made, and are paused.
    pub paused: u64,
}
