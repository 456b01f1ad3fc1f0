//! Makes what was written to one target durable: the only place where *written* becomes *synced*.

use dss::model::evidence::EvidenceError;
use dss::model::{Synced, Written};
use lrs::ldm::{Fault, MediaError};
use lrs::worker::{DriveGone, DriveHandle};

/// Why nothing of what was written counts. The sync is never retried into success.
#[derive(Debug, thiserror::Error)]
pub enum SyncFailure {
    /// The medium failed.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The drive is gone, or the medium was mounted anew.
    #[error(transparent)]
    Drive(#[from] DriveGone),
    /// The medium confirmed something else than what was written.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

impl SyncFailure {
    /// Whether the medium had no room to make durable what it had taken.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Media(error) if error.fault == Fault::NoSpace)
    }
}

/// One sync of one target, covering exactly the writes before it. Each of them comes with something the caller needs to
/// know it again. All become synced, or none.
pub async fn sync<T>(target: &DriveHandle, written: Vec<(T, Written)>) -> Result<Vec<(T, Synced)>, SyncFailure> {
    let receipt = target.run(|volume| volume.sync()).await??;
    written
        .into_iter()
        .map(|(what, written)| Ok((what, Synced::durable(written, &receipt)?)))
        .collect()
}
