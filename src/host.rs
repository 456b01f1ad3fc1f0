//! What this host's requests share. Made once by respoold's start (or a test) and handed to store and engine.

use crate::api::Problem;
use crate::api::standing::in_doubt;
use crate::config::Config;
use dss::catalogue::{Catalogue, ClockVerdict};
use dss::model::{CatalogueId, Checkpoints};
use jiff::Timestamp;
use lrs::ldm::spool::SpoolPlace;
use lrs::service::{AgeClock, AllocateError, DriveGone, Lrs};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The catalogue, the devices and the rules of this host.
pub struct Host {
    /// The only memory.
    pub catalogue: Arc<dyn Catalogue>,
    /// The way to media.
    pub lrs: Lrs,
    /// What ages are counted on; a drill may shift it.
    pub clock: Arc<dyn AgeClock>,
    /// Told at every step that a drill can name.
    pub checkpoints: Arc<dyn Checkpoints>,
    /// What is configured.
    pub config: Arc<Config>,
    /// Where bytes wait while a dock changes its disk.
    pub spool: SpoolPlace,
    /// Which catalogue, as labels name it.
    pub catalogue_id: CatalogueId,
    /// Cancelled when respoold is to leave: jobs stop at the next extent boundary and go on by themselves in the next
    /// life; nothing new begins.
    pub stopping: CancellationToken,
}

impl Host {
    /// Whether anything may be destroyed at all: not while a medium may hold what the catalogue does not know (E-16).
    pub async fn may_destroy(&self) -> Result<(), Problem> {
        let media = self.catalogue.media().await?;
        match in_doubt(&media, "nothing is erased, swept or purged before it is reconciled") {
            Some(problem) => Err(problem),
            None => Ok(()),
        }
    }

    /// What a hold that somebody asked for counts from: counted from a clock that was set back it would be over too soon
    /// once the clock is right again.
    pub async fn hold_from(&self, now: Timestamp) -> Result<Timestamp, Problem> {
        Ok(match self.catalogue.observe_clock(now).await? {
            ClockVerdict::Back { seen } => seen.max(now),
            ClockVerdict::Good | ClockVerdict::Forward { .. } => now,
        })
    }

    /// Whether anything may be destroyed because of its age. A clock that jumped refuses until an operator accepts it.
    pub async fn may_destroy_by_age(&self) -> Result<(), Problem> {
        let now = self.clock.now();
        let (seen, direction) = match self.catalogue.observe_clock(now).await? {
            ClockVerdict::Good => return Ok(()),
            ClockVerdict::Back { seen } => (seen, "back"),
            ClockVerdict::Forward { seen } => (seen, "forward"),
        };
        Err(Problem::environment(
            "clock_jumped",
            "us",
            "clock",
            format!("the clock jumped {direction} from {seen} to {now}; reclaim and purge wait"),
        )
        .next("correct the clock, or run `respool clock accept` if it is right"))
    }
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
