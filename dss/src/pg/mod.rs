//! The catalogue in PostgreSQL. Every change is one transaction whose locks come in one order: leases and media,
//! objects, extents, layouts, each by id. Constraints and guards in `schema/` refuse what would break I1, I2, I6 and
//! I10 whatever this code does. Built by respoold's start and by tests; everyone else sees the trait.

pub mod backup;
mod check;
mod codec;
mod connect;
mod copy;
mod doubt;
pub mod embedded;
mod events;
mod extents;
mod face;
mod fence;
mod holdings;
mod import;
mod itself;
mod job_rows;
mod jobs;
mod leases;
mod libraries;
mod locks;
mod lookups;
mod losses;
mod lost;
mod manifest;
mod media;
mod migrate;
mod objects;
mod puts;
mod quarantine;
mod reconcile;
mod records;
mod release;
mod retry;
mod silence;
mod substitutions;
mod swap;
mod volume;

pub use migrate::known_version;
pub use silence::Limits;

use crate::catalogue::Result;
use crate::model::Checkpoints;
use silence::Silence;
use sqlx::postgres::{PgConnectOptions, PgPool};
use std::sync::Arc;

/// How a catalogue is used.
#[derive(Clone)]
pub struct Settings {
    /// Use a server that can lose what it commits. Only for tests whose catalogue may be lost.
    pub allow_unsafe: bool,
    /// Told at the named steps.
    pub checkpoints: Arc<dyn Checkpoints>,
    /// The most connections held at once. One more watches whether the server answers.
    pub max_connections: u32,
    /// How soon it is noticed that it does not.
    pub limits: Limits,
}

/// The catalogue, over a pool of connections.
pub struct PgCatalogue {
    pool: PgPool,
    /// Where binary COPY connects to.
    conninfo: String,
    checkpoints: Arc<dyn Checkpoints>,
    silence: Silence,
}

impl PgCatalogue {
    /// Opens a catalogue that exists. `conninfo` names the same database for binary COPY, in libpq's words.
    /// `Unfit` says why a server or schema is not to be used.
    pub async fn connect(options: PgConnectOptions, conninfo: String, settings: Settings) -> Result<Self> {
        connect::open(options, conninfo, settings).await
    }

    /// Makes a catalogue where there is none, or brings an older schema up to date; then opens it. `testing` holds for
    /// the catalogue's whole life and is decided when it is made.
    pub async fn init(options: PgConnectOptions, conninfo: String, settings: Settings, testing: bool) -> Result<Self> {
        connect::init(options, conninfo, settings, testing).await
    }

    fn over(pool: PgPool, conninfo: String, settings: Settings) -> Self {
        Self {
            silence: Silence::watch(&pool.connect_options(), settings.limits),
            pool,
            conninfo,
            checkpoints: settings.checkpoints,
        }
    }

    /// Gives every connection back, before the server is stopped.
    pub async fn close(&self) {
        self.silence.close().await;
        self.pool.close().await;
    }
}
