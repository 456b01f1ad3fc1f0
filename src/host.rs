//! What this host's requests share. Made once by respoold's start (or a test) and handed to store and engine.

use crate::config::Config;
use dss::catalogue::Catalogue;
use dss::model::{CatalogueId, Checkpoints};
use std::sync::Arc;

/// The catalogue, the devices and the rules of this host.
pub struct Host {
    /// The only memory.
    pub catalogue: Arc<dyn Catalogue>,
    /// Told at every step that a drill can name.
    pub checkpoints: Arc<dyn Checkpoints>,
    /// What is configured.
    pub config: Arc<Config>,
    /// Which catalogue, as labels name it.
    pub catalogue_id: CatalogueId,
}
