//! What this host's requests share. Made once by respoold's start (or a test) and handed to store and engine.

use crate::api::Problem;
use crate::config::Config;
use dss::catalogue::Catalogue;
use dss::model::{CatalogueId, Checkpoints};
use lrs::service::{AgeClock, AllocateError, DriveGone, Lrs};
use std::sync::Arc;

/// The catalogue, the devices and the rules of this host.
pub struct Host {
    /// The only memory.
    pub catalogue: Arc<dyn Catalogue>,
    /// The devices.
    pub lrs: Lrs,
    /// The clock that ages things.
    pub clock: Arc<dyn AgeClock>,
    /// Told at every step that a drill can name.
    pub checkpoints: Arc<dyn Checkpoints>,
    /// What is configured.
    pub config: Arc<Config>,
    /// Which catalogue, as labels name it.
    pub catalogue_id: CatalogueId,
}

impl From<AllocateError> for Problem {
    fn from(error: AllocateError) -> Self {
        match error {
            AllocateError::Refused(refusal) => refusal.into(),
            AllocateError::Media(error) => error.into(),
            AllocateError::Catalogue(error) => error.into(),
        }
    }
}

impl From<DriveGone> for Problem {
    fn from(gone: DriveGone) -> Self {
        let message = gone.to_string();
        let (drive, next) = match gone {
            DriveGone::Failed { drive, .. } => (drive, "restart respoold, and look at the drive if it fails again"),
            DriveGone::Remounted { drive } | DriveGone::Released { drive } => (drive, "repeat the request"),
            DriveGone::LeaseEnded { drive } => {
                (drive, "see that the catalogue answers in time, then repeat the request")
            }
        };
        Self::environment("drive_gone", "drive", drive, message).next(next)
    }
}
