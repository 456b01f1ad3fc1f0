//! What `medium import` prints.

use dss::catalogue::Imported;
use dss::model::{AdmState, ByteCount, ExtentId, MediumId, Oid};
use serde::{Deserialize, Serialize};

/// What became known of a medium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// What the operator calls it.
    pub medium: String,
    /// Its identity, from its label.
    pub id: MediumId,
    /// Whether the catalogue did not know the medium before.
    pub medium_added: bool,
    /// Extents that the medium's own index names.
    pub extents: u64,
    /// Of those, the extents that were read whole and are good; with `--adopt`.
    pub extents_read: u64,
    /// Bytes read for that.
    pub bytes_read: ByteCount,
    /// Extents that could not be read or are not what the index says; they count for nothing.
    pub bad: Vec<BadExtent>,
    /// What the catalogue made of them.
    #[serde(flatten)]
    pub imported: Imported,
    /// Whether the label names this catalogue since now.
    pub relabelled: bool,
    /// What the medium may be used for from now on.
    pub adm_state: AdmState,
}

/// An extent that the index names and whose bytes are not there, or wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadExtent {
    /// Which.
    pub extent: ExtentId,
    /// Of which object.
    pub oid: Oid,
    /// What is wrong.
    pub reason: String,
    /// Whether its bytes are wrong or missing, rather than unreadable.
    pub damaged: bool,
}

impl ImportReport {
    /// The exit code: bad bytes, then unreadable ones, then what stayed unknown.
    pub fn exit(&self) -> u8 {
        use super::exit::{DONE, INTEGRITY, SKIPS};
        if self.bad.iter().any(|bad| bad.damaged) {
            INTEGRITY
        } else if !self.bad.is_empty() || self.imported.unknown > 0 || !self.imported.clashes.is_empty() {
            SKIPS
        } else {
            DONE
        }
    }
}
