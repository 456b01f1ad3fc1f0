//! What `medium import` prints.

use dss::catalogue::{Adopt, Imported};
use dss::model::{AdmState, ByteCount, ExtentId, MediumId, Oid, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became known of a medium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// With `--reconcile`: how it came level with the catalogue, or what is in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciled: Option<Reconciled>,
    /// What to do about what serves nothing.
    pub next: Option<String>,
}

/// What a reconciliation did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reconciled {
    /// Whether the medium was erased since the backup was made.
    pub erased_since: bool,
    /// Extents that were gone from it, and whose layouts follow to the same bytes elsewhere now, read and verified.
    pub repointed: u64,
    /// Extents that are gone from it and were found nowhere: the medium stays ahead.
    pub missing: Vec<MissingExtent>,
    /// Copies that ended because the operator says that their bytes are nowhere; another copy is left.
    pub forgotten_copies: u64,
    /// Versions that ended likewise, as `oid@version`; nothing of them is left.
    pub forgotten: Vec<String>,
    /// Media that are still ahead, or were not compared since the restore. None: erasing, sweeping and purging go on.
    pub in_doubt: Vec<String>,
}

impl Reconciled {
    /// What to do next.
    pub fn advice(&self, medium: &str) -> Option<String> {
        if !self.missing.is_empty() {
            return Some(format!(
                "reconcile the other media first, also those that were added since the backup (`respool medium import \
                 PATH --reconcile`), then {medium} again; what was deleted since the backup is nowhere: add \
                 --forget-missing for that"
            ));
        }
        let next = self.in_doubt.first()?;
        Some(format!("run `respool medium import {next} --reconcile`"))
    }
}

/// An extent that a layout names and that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingExtent {
    /// Which.
    pub extent: ExtentId,
    /// Of which object.
    pub oid: Oid,
    /// Of which version.
    pub version: Version,
    /// The medium it was on.
    pub medium: String,
}

/// An extent that the index names and whose bytes are not there, or wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
        let missing = self.reconciled.as_ref().is_some_and(|done| !done.missing.is_empty());
        if missing || self.bad.iter().any(|bad| bad.damaged) {
            INTEGRITY
        } else if !self.bad.is_empty() || !self.imported.is_complete() {
            SKIPS
        } else {
            DONE
        }
    }

    /// What to do about what serves nothing; else, about a medium that takes nothing new though all of it is known: one
    /// that an operator made so, or whose first import was cut short.
    pub fn advice(&self, adopt: Adopt) -> Option<String> {
        let found = &self.imported;
        if !found.contradictions.is_empty() {
            return Some(format!(
                "keep {} as it is; compare the files of these objects and import another medium that holds them",
                self.medium
            ));
        }
        if found.unadopted > 0 {
            return Some(match adopt {
                Adopt::No => "import it again with --adopt, which reads everything and adopts whole copies".to_owned(),
                Adopt::Yes | Adopt::Newer => format!(
                    "import the other media that hold these objects with --adopt, then {} again; until then do not \
                     format it",
                    self.medium
                ),
            });
        }
        let known = found.is_complete() && self.bad.is_empty();
        (known && self.adm_state == AdmState::ReadOnly).then(|| {
            format!(
                "everything on it is known, and it is read_only; `respool medium set {} adm_state=in_service` lets it \
                 take new extents",
                self.medium
            )
        })
    }
}
